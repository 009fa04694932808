//! The forms in which a value usually comes back. What they are is public; the module keeps nothing.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

/// A line of a key is looked for by itself if it has this many bytes.
const LINE: usize = 32;
/// Of a longer value the rarer forms are not looked for: they are many and long.
const RARE: usize = 512;

/// Every form of this value, each once.
pub(super) fn of(value: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([value.to_vec(), percent(value, |_| false, false), percent(value, |_| false, true)]);
    forms.extend([hex(value, false), hex(value, true)]);
    for engine in [&STANDARD, &URL_SAFE] {
        let encoded = (0..3).map(|before| aligned(value, before, |bytes| engine.encode(bytes)));
        for whole in encoded.chain([engine.encode(value).into_bytes()]) {
            let percent = [true, false].map(|upper| percent(&whole, unreserved, upper));
            forms.extend([json(&whole, Slash::Escaped, Beyond::Kept), json(&whole, Slash::Kept, Beyond::DotNet)]);
            forms.extend(percent);
            forms.insert(whole);
        }
    }
    for kept in [alphanumeric, unreserved, uri_component, uri, form, quoted, segment] {
        for upper in [false, true] {
            let form = percent(value, kept, upper);
            // `application/x-www-form-urlencoded` writes a blank so.
            forms.insert(replaced(&form, b"%20", b"+"));
            forms.insert(form);
        }
    }
    for slash in [Slash::Kept, Slash::Escaped] {
        for beyond in [Beyond::Kept, Beyond::Escaped, Beyond::Html, Beyond::Go, Beyond::DotNet] {
            let once = json(value, slash, beyond);
            // JSON in a string of JSON
            forms.insert(json(&once, slash, beyond));
            forms.insert(once);
        }
    }
    forms.extend([all_escaped(value, false), all_escaped(value, true)]);
    forms.extend(QUOTES.map(|quotes| html(value, quotes)));
    if value.len() <= RARE {
        rare(value, &mut forms);
    }
    // A key of several lines is as good as known by its lines.
    let lines = value.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| line.len() < value.len());
    forms.extend(lines.filter(|line| line.len() >= LINE && !line.starts_with(b"-----")).map(<[u8]>::to_vec));
    forms
}

/// The forms of which programs break the lines, without the breaks: the value itself, base64, base32 and hexadecimal.
pub(super) fn broken(value: &[u8]) -> BTreeSet<Vec<u8>> {
    let on_one_line = value.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    let mut forms = BTreeSet::from([on_one_line, hex(value, false), hex(value, true)]);
    for engine in [&STANDARD, &URL_SAFE] {
        forms.insert(engine.encode(value).into_bytes());
        forms.extend((0..3).map(|before| aligned(value, before, |bytes| engine.encode(bytes))));
    }
    if value.len() <= RARE {
        forms.extend(all_base32(value));
    }
    forms
}

fn rare(value: &[u8], forms: &mut BTreeSet<Vec<u8>>) {
    forms.extend(all_base32(value));
    if let Ok(text) = std::str::from_utf8(value) {
        let units = || text.encode_utf16();
        forms.insert(units().flat_map(u16::to_le_bytes).collect());
        forms.insert(units().flat_map(u16::to_be_bytes).collect());
        let numbers = |each: fn(u32) -> String| text.chars().flat_map(|c| each(c.into()).into_bytes()).collect();
        forms.insert(numbers(|c| format!("&#{c};")));
        forms.insert(numbers(|c| format!("&#x{c:x};")));
        forms.insert(numbers(|c| format!("&#x{c:X};")));
    }
    for upper in [false, true] {
        // dumps, fingerprints, and strings of C, Python and ECMAScript
        for before in [" ", ":", "\\x", "\\\\x"] {
            let each = value.iter().flat_map(|byte| [before.as_bytes(), &digits(*byte, upper)].concat());
            let form: Vec<u8> = each.collect();
            // what stands between the bytes does not stand before the first
            let first = if before.len() == 1 { 1 } else { 0 };
            forms.insert(form.into_iter().skip(first).collect());
        }
        // encoded once by each of two
        for kept in [alphanumeric, unreserved, uri_component] {
            forms.insert(percent(&percent(value, kept, upper), unreserved, upper));
        }
    }
}

/// Base32 (RFC 4648, 6) of the value where 0 to 4 bytes stand before it in their group of five, without the characters that depend on its
/// neighbours.
fn all_base32(value: &[u8]) -> Vec<Vec<u8>> {
    let one = |before: usize, letters: &[u8; 32]| {
        let (first, end) = ((before * 8).div_ceil(5), (before + value.len()) * 8 / 5);
        let bit = |at: usize| {
            let byte = (at / 8).checked_sub(before).and_then(|at| value.get(at)).copied().unwrap_or_default();
            usize::from(byte >> (7 - at % 8) & 1)
        };
        let letter = |at: usize| (0..5).fold(0, |bits, next| bits << 1 | bit(at * 5 + next));
        (first..end).map(|at| letters.get(letter(at)).copied().unwrap_or_default()).collect()
    };
    let alphabets = [b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"abcdefghijklmnopqrstuvwxyz234567"];
    alphabets.into_iter().flat_map(|letters| (0..5).map(move |before| one(before, letters))).collect()
}

fn hex(value: &[u8], upper: bool) -> Vec<u8> {
    value.iter().flat_map(|byte| digits(*byte, upper)).collect()
}

fn digits(byte: u8, upper: bool) -> [u8; 2] {
    let text = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    [byte >> 4, byte & 15].map(|at| text.get(usize::from(at)).copied().unwrap_or_default())
}

/// What base64 makes of the value where this many bytes stand before it in their group of three, without the characters that depend on its
/// neighbours.
fn aligned(value: &[u8], before: usize, encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(value);
    let whole = bytes.len() * 8 / 6;
    // 8 foreign bits touch two characters, 16 touch three
    let foreign = (before * 8).div_ceil(6);
    encode(&bytes).into_bytes().into_iter().take(whole).skip(foreign).collect()
}

fn percent(value: &[u8], kept: fn(u8) -> bool, upper: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in value {
        if kept(*byte) {
            out.push(*byte);
        } else {
            out.push(b'%');
            out.extend(digits(*byte, upper));
        }
    }
    out
}

fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// RFC 3986, 2.3.
fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// What `encodeURIComponent` of ECMAScript leaves.
fn uri_component(byte: u8) -> bool {
    unreserved(byte) || b"!'()*".contains(&byte)
}

/// What `quote` of Python leaves.
fn quoted(byte: u8) -> bool {
    unreserved(byte) || byte == b'/'
}

/// What `PathEscape` of Go leaves.
fn segment(byte: u8) -> bool {
    unreserved(byte) || b"$&+=:@".contains(&byte)
}

/// What `encodeURI` of ECMAScript leaves.
fn uri(byte: u8) -> bool {
    uri_component(byte) || b";/?:@&=+$,#".contains(&byte)
}

/// The WHATWG's set for forms.
fn form(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"*-._".contains(&byte)
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// Whether `/` stands as it is in a string of JSON (RFC 8259, 7).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    Kept,
    Escaped,
}

/// Whether characters that JSON lets stand are escaped all the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Kept,
    /// Those beyond ASCII, as UTF-16.
    Escaped,
    /// `<`, `>`, `&` and `'` too, so that the text may stand in a page.
    Html,
    /// `<`, `>` and `&`.
    Go,
    /// Those, and `"`, `+` and backticks, in capitals.
    DotNet,
}

fn json(value: &[u8], slash: Slash, beyond: Beyond) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(value) else { return value.to_vec() };
    let mut out = Vec::new();
    for c in text.chars() {
        let short = match c {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '/' if slash == Slash::Escaped => "\\/",
            _ => "",
        };
        let in_units = beyond == Beyond::DotNet && c == '"';
        let escaped = c.is_control()
            || (!matches!(beyond, Beyond::Kept | Beyond::Go) && !c.is_ascii())
            || (matches!(beyond, Beyond::Html | Beyond::DotNet) && matches!(c, '<' | '>' | '&' | '\''))
            || (beyond == Beyond::Go && matches!(c, '<' | '>' | '&'))
            || (beyond == Beyond::DotNet && matches!(c, '+' | '`'))
            || in_units;
        if !short.is_empty() && !in_units {
            out.extend(short.bytes());
        } else if escaped {
            units(c, beyond == Beyond::DotNet, &mut out);
        } else {
            out.extend(c.encode_utf8(&mut [0; 4]).bytes());
        }
    }
    out
}

/// Every character as `\u00xx`.
fn all_escaped(value: &[u8], upper: bool) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(value) else { return value.to_vec() };
    let mut out = Vec::new();
    text.chars().for_each(|c| units(c, upper, &mut out));
    out
}

fn units(c: char, upper: bool, out: &mut Vec<u8>) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.extend(b"\\u");
        out.extend(unit.to_be_bytes().into_iter().flat_map(|byte| digits(byte, upper)));
    }
}

/// What pages have for `"` and `'`: each writer has its own pair.
const QUOTES: [(&[u8], &[u8]); 5] = [
    (b"&quot;", b"&#39;"),
    (b"&#34;", b"&#39;"),
    (b"&quot;", b"&#x27;"),
    (b"&quot;", b"&#039;"),
    (b"&quot;", b"&apos;"),
];

/// As in a page.
fn html(value: &[u8], (double, single): (&[u8], &[u8])) -> Vec<u8> {
    let each = |byte: &u8| match byte {
        b'&' => b"&amp;".to_vec(),
        b'<' => b"&lt;".to_vec(),
        b'>' => b"&gt;".to_vec(),
        b'"' => double.to_vec(),
        b'\'' => single.to_vec(),
        byte => vec![*byte],
    };
    value.iter().flat_map(each).collect()
}
