use proptest::prelude::*;

use super::*;

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn guard(values: &[&str]) -> Arc<Guard> {
    let name = name("s");
    Guard::over(values.iter().map(|value| (&name, value.as_bytes()))).unwrap().unwrap()
}

fn streamed(guard: &Arc<Guard>, text: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut stream = guard.stream();
    let (mut out, mut rest, mut sizes) = (Vec::new(), text, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        out.extend(stream.push(piece));
        assert!(stream.held.len() < guard.longest, "held back {}", stream.held.len());
        rest = after;
    }
    out.extend(stream.finish());
    assert!(stream.held.is_empty());
    out
}

/// What one search over the whole gives: the library's own replacing.
fn at_once(guard: &Arc<Guard>, text: &[u8]) -> Vec<u8> {
    let with = vec![PLACE; guard.names.len()];
    guard.matcher.try_replace_all_bytes(text, &with).unwrap()
}

#[test]
fn the_usual_encodings_of_a_value_are_found_wherever_they_stand() {
    use base64::{Engine as _, engine::general_purpose as b64};
    let value = "s3cr/t+\"k<y>\\ñ 1&'~";
    let guard = guard(&[value]);
    let v = value.as_bytes();
    let hex: String = v.iter().map(|b| format!("{b:02x}")).collect();
    let unicode: String = value.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    let json = serde_json::to_string(value).unwrap();
    let basic = b64::STANDARD.encode(format!("user:{value}"));
    let mut forms = vec![
        value.to_owned(),
        hex.to_uppercase(),
        hex,
        unicode.to_lowercase().replace("\\U", "\\u"),
        unicode,
        serde_json::to_string(&json).unwrap(),
        json.replace('/', "\\/"),
        json.replace('ñ', "\\u00f1")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
            .replace('\'', "\\u0027"),
        json,
        v.iter().map(|b| format!("%{b:02X}")).collect(),
        v.iter().map(|b| format!("%{b:02x}")).collect(),
        percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string(),
        "s3cr%2Ft%2B%22k%3Cy%3E%5C%C3%B1+1%26%27%7E".to_owned(),
        "s3cr/t+%22k%3cy%3e%5c%c3%b1%201&'~".to_owned(),
        "s3cr/t%2B%22k%3Cy%3E%5C%C3%B1%201%26%27~".to_owned(),
        "s3cr%2Ft+%22k%3Cy%3E%5C%C3%B1%201&%27~".to_owned(),
        "s3cr/t+\\\"k\\u003cy\\u003e\\\\ñ 1\\u0026'~".to_owned(),
        "s3cr/t\\u002B\\u0022k\\u003Cy\\u003E\\\\\\u00F1 1\\u0026\\u0027~".to_owned(),
        "s3cr/t+&quot;k&lt;y&gt;\\ñ 1&amp;&#39;~".to_owned(),
        b64::STANDARD.encode(value).replace('/', "\\/"),
        basic,
    ];
    for around in ["", "x", "xy", "xyz"] {
        forms.push(b64::STANDARD.encode(format!("{around}{value}{around}")));
        forms.push(b64::STANDARD.encode(format!("{around}{value}{around}")).replace('/', "\\/"));
        forms.push(b64::STANDARD.encode(format!("{around}{value}{around}")).replace('/', "%2F").replace('+', "%2B"));
        forms.push(b64::URL_SAFE_NO_PAD.encode(format!("{around}{value}--{around}")));
    }
    for form in forms {
        for text in [form.clone(), format!("before {form} after")] {
            assert_eq!(guard.finds(text.as_bytes()), Some(&name("s")), "{text}");
            let out = streamed(&guard, text.as_bytes(), &[1]);
            assert_eq!(guard.finds(&out), None, "{text}");
        }
    }
    for other in ["", "s3cr/t", "s3cr/t+\"k<y>\\ñ 1&'", "nothing of it"] {
        assert_eq!(guard.finds(other.as_bytes()), None, "{other}");
        assert_eq!(guard.without(other), other);
    }
}

#[test]
fn only_characters_that_the_value_alone_decides_are_looked_for_in_base64() {
    // Whatever stands around it, and no shorter than it must be: 8 bytes decide 10 characters of 6 bits.
    let value = b"\xff\x00abcde\xff";
    for before in 0..3 {
        for after in 0..3 {
            for fill in [0_u8, 0xff, b'x'] {
                let text = [vec![fill; before], value.to_vec(), vec![!fill; after]].concat();
                use base64::Engine as _;
                let encoded = base64::engine::general_purpose::STANDARD.encode(&text);
                let forms = patterns::of(value);
                let hit = forms
                    .iter()
                    .filter(|form| form.len() == 10)
                    .any(|form| encoded.as_bytes().windows(form.len()).any(|window| window == form.as_slice()));
                assert!(hit, "{before} {after} {fill}");
            }
        }
    }
}

#[test]
fn a_value_is_replaced_whole_however_it_is_cut() {
    let guard = guard(&["correct-horse-battery"]);
    let text = b"a correct-horse-battery, correct-horse-batter, ccorrect-horse-batterycorrect-horse-battery";
    let clean = b"a [secret], correct-horse-batter, c[secret][secret]";
    for size in 1..text.len() {
        assert_eq!(streamed(&guard, text, &[size]), clean, "{size}");
    }
    assert_eq!(guard.without(std::str::from_utf8(text).unwrap()).as_bytes(), clean);
}

#[test]
fn of_values_within_each_other_the_longest_goes() {
    let guard = guard(&["abcdefgh", "abcdefghijkl", "ghijklmnop", "bcdefghijk"]);
    for (text, clean) in [
        ("abcdefghijkl", "[secret]"),
        ("abcdefghijk", "[secret]ijk"),
        ("abcdefghijklmnop", "[secret]mnop"),
        ("xbcdefghijklm", "x[secret]lm"),
        ("abcdefg hijklmnop", "abcdefg hijklmnop"),
    ] {
        for size in [1, 2, 3, 100] {
            assert_eq!(String::from_utf8(streamed(&guard, text.as_bytes(), &[size])).unwrap(), clean, "{text} {size}");
        }
    }
}

#[test]
fn what_cannot_be_part_of_a_value_is_not_held_back() {
    let guard = guard(&["correct-horse-battery"]);
    let mut stream = guard.stream();
    assert_eq!(stream.push(b""), b"");
    assert_eq!(stream.push(b"{\"id\":7} "), b"{\"id\":7} ");
    assert_eq!(stream.finish(), b"");
}

#[test]
fn the_lines_of_a_key_are_looked_for_too() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7";
    let guard = guard(&[&format!("-----BEGIN PRIVATE KEY-----\n{line}\nshort\n-----END PRIVATE KEY-----")]);
    assert!(guard.finds(format!("x{line}x").as_bytes()).is_some());
    assert!(guard.finds(b"-----BEGIN PRIVATE KEY-----").is_none());
}

#[test]
fn nothing_to_look_for_makes_no_guard_and_a_guard_shows_nothing() {
    assert!(Guard::over(std::iter::empty()).unwrap().is_none());
    let shown = format!("{:?}", guard(&["correct-horse-battery"]));
    assert!(!shown.contains("horse"), "{shown}");
}

proptest! {
    /// Over a small alphabet, so that values, their beginnings and their overlaps come up all the time.
    #[test]
    fn in_pieces_comes_out_what_comes_out_at_once(
        values in prop::collection::vec("[ab]{3,9}", 1..5),
        text in "[ab]{0,80}",
        sizes in prop::collection::vec(1_usize..12, 1..6),
    ) {
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        let guard = guard(&values);
        let whole = at_once(&guard, text.as_bytes());
        prop_assert_eq!(streamed(&guard, text.as_bytes(), &sizes), whole);
    }
}

#[test]
#[ignore = "measures"]
fn measure() {
    let key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7+/=x\n".repeat(28);
    for value in ["ghp_0123456789abcdefghijABCDEFGHIJ012345", "s3cr/t+\"k<y>\\n 1&'~", &key] {
        let begun = std::time::Instant::now();
        let guard = guard(&[value]);
        let made = begun.elapsed();
        let bytes: usize = patterns::of(value.as_bytes()).iter().map(Vec::len).sum();
        let text = "{\"id\": 7, \"title\": \"some text of an answer\", \"n\": 0.25}\n".repeat(64 << 10);
        let begun = std::time::Instant::now();
        assert!(guard.finds(text.as_bytes()).is_none());
        let searched = begun.elapsed();
        let begun = std::time::Instant::now();
        let mut stream = guard.stream();
        text.as_bytes().chunks(16 << 10).for_each(|chunk| drop(stream.push(chunk)));
        println!(
            "{} patterns of {bytes} bytes in {made:?}, {} bytes held; {} MiB searched in {searched:?}, streamed in {:?}",
            guard.names.len(),
            guard.matcher.memory_usage(),
            text.len() >> 20,
            begun.elapsed()
        );
    }
}

#[test]
#[ignore = "measures"]
fn what_long_values_cost() {
    let long: String = (0..16_384_u32).map(|at| char::from(b'!' + u8::try_from(at * 7919 % 93).unwrap())).collect();
    let name = name("s");
    for count in [1, 2, 4] {
        let values: Vec<String> = (0..count).map(|at| format!("{at}{}", long.get(1..).unwrap())).collect();
        let begun = std::time::Instant::now();
        let guard = Guard::over(values.iter().map(|value| (&name, value.as_bytes())));
        let guard = guard.unwrap().unwrap();
        eprintln!(
            "{count} of 16 KiB: {:?}, longest {}, {} bytes",
            begun.elapsed(),
            guard.longest,
            guard.matcher.memory_usage()
        );
        let begun = std::time::Instant::now();
        let mut stream = guard.stream();
        for _ in 0..2 {
            for byte in format!("{}x", values[0].get(..16_000).unwrap()).as_bytes() {
                stream.push(&[*byte]);
            }
        }
        eprintln!("32 KB in single bytes: {:?}", begun.elapsed());
        let begun = std::time::Instant::now();
        let mut stream = guard.stream();
        (0..200_000).for_each(|_| drop(stream.push(b"0")));
        eprintln!("200 KB that might always begin a value, in single bytes: {:?}", begun.elapsed());
    }
}
