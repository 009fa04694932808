use proptest::prelude::*;

use super::*;

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

fn guard(values: &[&str]) -> Arc<Guard> {
    let name = name("s");
    Guard::over(values.iter().map(|value| (&name, value.as_bytes()))).unwrap().unwrap()
}

impl Guard {
    /// What both searches may hold back, where each second byte is a break.
    fn longest(&self) -> usize {
        self.whole.longest + 3 * self.broken.longest
    }
}

fn streamed(guard: &Arc<Guard>, text: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut stream = guard.stream();
    let (mut out, mut rest, mut sizes) = (Vec::new(), text, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        out.extend(stream.push(piece));
        assert!(stream.held() < guard.longest(), "held back {}", stream.held());
        rest = after;
    }
    out.extend(stream.finish());
    assert_eq!(stream.held(), 0);
    out
}

/// What one search over the whole gives: the library's own replacing.
fn at_once(guard: &Arc<Guard>, text: &[u8]) -> Vec<u8> {
    let with = vec![PLACE; guard.whole.names.len()];
    guard.whole.matcher.try_replace_all_bytes(text, &with).unwrap()
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
fn rarer_encodings_of_a_value_are_found_too() {
    let value = "s3cr/t+\"k<y>\\ñ 1&'~";
    let guard = guard(&[value]);
    let each = |of: fn(u8) -> String| value.bytes().map(of).collect::<Vec<_>>();
    let number = |of: fn(u32) -> String| value.chars().map(|c| of(c.into())).collect::<String>();
    let twice = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
    let forms = [
        each(|b| format!("{b:02x}")).join(" "),
        each(|b| format!("{b:02X}")).join(":"),
        each(|b| format!("\\x{b:02x}")).concat(),
        number(|c| format!("&#{c};")),
        number(|c| format!("&#x{c:X};")),
        "s3cr/t+&quot;k&lt;y&gt;\\ñ 1&amp;&#x27;~".to_owned(),
        "s3cr/t+&#34;k&lt;y&gt;\\ñ 1&amp;&#39;~".to_owned(),
        "s3cr/t+&quot;k&lt;y&gt;\\ñ 1&amp;&#039;~".to_owned(),
        "s3cr/t+&quot;k&lt;y&gt;\\ñ 1&amp;&apos;~".to_owned(),
        percent_encoding::utf8_percent_encode(&twice, percent_encoding::NON_ALPHANUMERIC).to_string(),
    ];
    for form in forms {
        let text = format!("before {form} after");
        assert_eq!(guard.finds(text.as_bytes()), Some(&name("s")), "{text}");
        assert!(!String::from_utf8_lossy(&streamed(&guard, text.as_bytes(), &[3])).contains(&form), "{text}");
    }
    for units in [u16::to_le_bytes, u16::to_be_bytes] {
        let form: Vec<u8> = format!("before {value} after").encode_utf16().flat_map(units).collect();
        assert_eq!(guard.finds(&form), Some(&name("s")));
    }
    // RFC 4648, section 10, and wherever it stands in its group of five
    let guard = Guard::over([(&name("s"), &b"foobar"[..])].into_iter()).unwrap().unwrap();
    assert!(guard.finds(b"MZXW6YTBOI======").is_some());
    for at_each in ["MFTG633CMFZA", "MFQWM33PMJQXE", "MFQWCZTPN5RGC4Q", "MFQWCYLGN5XWEYLS", "mfqwcylbmzxw6ytboi"] {
        assert!(guard.finds(format!("x {at_each} y").as_bytes()).is_some(), "{at_each}");
    }
}

#[test]
fn a_value_whose_lines_are_broken_is_found_and_goes_whole() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let value = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let guard = guard(&[value]);
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let whole = [value.to_owned(), hex, STANDARD.encode(format!("{value}--")), STANDARD.encode(format!("xy{value}--"))];
    for form in &whole {
        for columns in [1, 7, 20, 60, 64, 76] {
            let lines: Vec<_> = form.as_bytes().chunks(columns).map(|line| String::from_utf8_lossy(line)).collect();
            for end in ["\n", "\r\n", "\\n", "\\r\\n", "\n    "] {
                let text = format!("{{\"content\": \"{}\", \"n\": 7}}", lines.join(end));
                assert_eq!(guard.finds(text.as_bytes()), Some(&name("s")), "{text}");
                for sizes in [&[1][..], &[2, 3], &[1000]] {
                    let out = String::from_utf8(streamed(&guard, text.as_bytes(), sizes)).unwrap();
                    assert!(out.contains("[secret]") && out.ends_with(", \"n\": 7}"), "{text}: {out}");
                    let left = out.replace(end, "");
                    assert!(
                        form.get(20..30).is_some_and(|part| !left.contains(part)) && left.len() < 60,
                        "{text}: {out}"
                    );
                }
            }
        }
    }
    // what merely begins like it is told as it came
    for text in [
        "ghp_0123\n456789abcde\nnothing of it",
        "ends in \\",
        "Z2hwXzAx\\n\r\n    \n",
        "ghp_0123 456789abcdefghijABCDEFGHIJ012345",
    ] {
        for size in [1, 2, 100] {
            assert_eq!(streamed(&guard, text.as_bytes(), &[size]), text.as_bytes(), "{text}");
        }
    }
}

#[test]
fn a_key_is_found_however_its_lines_are_laid() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7".repeat(5);
    let key = |columns: usize, end: &str| {
        let lines: Vec<_> = body.as_bytes().chunks(columns).map(|line| String::from_utf8_lossy(line)).collect();
        format!("-----BEGIN PRIVATE KEY-----{end}{}{end}-----END PRIVATE KEY-----", lines.join(end))
    };
    let guard = guard(&[&key(64, "\n")]);
    for laid in [key(64, "\n"), key(76, "\r\n"), key(1000, "\n"), key(20, "\\n"), key(50, "\n        ")] {
        assert!(guard.finds(laid.as_bytes()).is_some(), "{laid}");
        let out = String::from_utf8(streamed(&guard, laid.as_bytes(), &[5])).unwrap();
        assert!(!out.contains("hkiG9w0BAQEFAASC"), "{out}");
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
            guard.whole.names.len(),
            guard.whole.matcher.memory_usage() + guard.broken.matcher.memory_usage(),
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
            guard.longest(),
            guard.whole.matcher.memory_usage() + guard.broken.matcher.memory_usage()
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
