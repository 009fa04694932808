//! The paths of a grant: a prefix or an exact path, with places that the host fills from the checked arguments. And what a path is, so
//! that a component's path and a grant's are compared in one spelling only.

use std::{fmt, str::FromStr};

use serde_json::Value;

use crate::pointer::Pointer;

/// Bytes of a path.
const LONGEST: usize = 4_096;
/// How often a path may be encoded in itself and still be looked into: what is encoded more often is refused.
const DEEPEST: usize = 5;

/// A path in the one spelling in which paths are compared and sent: it begins with `/`, nothing is encoded that need not be (RFC 3986, 6.2.2),
/// and no part of it leads elsewhere, however often a server decodes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CanonicalPath(String);

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It does not begin with a slash.
    #[error("a path begins with `/`")]
    NoSlash,
    /// Longer than 4,096 bytes.
    #[error("a path has at most 4096 bytes")]
    Long,
    /// Not visible ASCII, or one of `\ ? # < > " ^ ` { | }`.
    #[error("a path is of visible ASCII without `\\ ? # < > \" ^ ` {{ | }}`; everything else is percent-encoded")]
    Character,
    /// A `%` without two hexadecimal digits.
    #[error("`%` is followed by two hexadecimal digits")]
    Percent,
    /// Two slashes in a row.
    #[error("a path has no empty part but the last")]
    Empty,
    /// `.` or `..`, encoded or not.
    #[error("a path has no part `.` or `..`, however it is encoded")]
    Dots,
    /// An encoded slash, backslash or control character, or bytes that are no text.
    #[error(
        "a path has no encoded `/`, `\\`, control character or bytes that are no UTF-8, however often they are encoded"
    )]
    Encoded,
}

impl CanonicalPath {
    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CanonicalPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        let rest = text.strip_prefix('/').ok_or(InvalidPath::NoSlash)?;
        if text.len() > LONGEST {
            return Err(InvalidPath::Long);
        }
        if text.bytes().any(|byte| !byte.is_ascii_graphic() || b"\\?#<>\"^`{|}".contains(&byte)) {
            return Err(InvalidPath::Character);
        }
        let parts = rest.split('/').count();
        let mut canonical = String::with_capacity(text.len());
        for (index, part) in rest.split('/').enumerate() {
            if part.is_empty() && index + 1 < parts {
                return Err(InvalidPath::Empty);
            }
            canonical.push('/');
            canonical.push_str(&respelled(part)?);
            leads_nowhere_else(part)?;
        }
        Ok(Self(canonical))
    }
}

/// One part in the one spelling: unreserved characters as they are, others as they were, hexadecimal digits in capitals.
fn respelled(part: &str) -> Result<String, InvalidPath> {
    let mut out = String::with_capacity(part.len());
    let mut bytes = part.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(char::from(byte));
            continue;
        }
        let decoded = hex(bytes.next(), bytes.next()).ok_or(InvalidPath::Percent)?;
        if is_unreserved(decoded) {
            out.push(char::from(decoded));
        } else {
            push_encoded(&mut out, decoded);
        }
    }
    Ok(out)
}

/// A server may decode more than once, normalise text, and cut parameters (`;`) or what it takes for a query off before it looks at a part.
fn leads_nowhere_else(part: &str) -> Result<(), InvalidPath> {
    let mut bytes = part.as_bytes().to_vec();
    for _ in 0..DEEPEST {
        // Bytes that are no UTF-8 are characters to some all the same: `%c0%af` is a slash spelled too long.
        let text = std::str::from_utf8(&bytes).map_err(|_| InvalidPath::Encoded)?;
        let plain = normalised(text);
        let name = plain.split([';', '?', '#']).next().unwrap_or_default();
        // Some file systems cut blanks off, and some do not see what nobody sees.
        let seen = |c: &char| !is_unseen(*c);
        let name: String = name.chars().filter(seen).collect();
        if matches!(name.trim(), "." | "..") {
            return Err(InvalidPath::Dots);
        }
        if plain.contains(|c: char| matches!(c, '/' | '\\') || c.is_ascii_control()) || holds_units(&plain) {
            return Err(InvalidPath::Encoded);
        }
        let next = decoded(plain.as_bytes());
        if next == bytes {
            return Ok(());
        }
        bytes = next;
    }
    Err(InvalidPath::Encoded)
}

/// What servers which normalise text (Unicode, NFKC) make of it, as far as it means something in a path.
fn normalised(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{ff01}'..='\u{ff5e}' => plain.extend(char::from_u32(u32::from(c) - 0xfee0)),
            '\u{2024}' | '\u{fe52}' => plain.push('.'),
            '\u{2025}' | '\u{fe30}' => plain.push_str(".."),
            '\u{37e}' | '\u{fe54}' => plain.push(';'),
            '\u{2047}'..='\u{2048}' | '\u{fe56}' | '\u{fe16}' => plain.push('?'),
            '\u{fe5f}' => plain.push('#'),
            '\u{fe68}' => plain.push('\\'),
            '\u{fe6a}' => plain.push('%'),
            c => plain.push(c),
        }
    }
    plain
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// `%u002e`, as some servers take it.
fn holds_units(text: &str) -> bool {
    text.split('%').skip(1).any(|rest| {
        let digits = rest.strip_prefix(['u', 'U']).and_then(|rest| rest.as_bytes().get(..4));
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// Decoded once; a `%` that begins nothing stays.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(bytes).collect()
}

fn hex(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// RFC 3986, 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_encoded(out: &mut String, byte: u8) {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase();
    out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
}

/// What a manifest writes into `paths`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    exact: bool,
    pieces: Vec<Piece>,
    /// Its parts, `None` where an argument goes; of a prefix without the empty one at its end.
    parts: Vec<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// In the one spelling.
    Text(String),
    Filled(Pointer),
}

/// A pattern filled for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    exact: bool,
    text: String,
}

impl Path {
    /// Whether a component may ask for this path.
    #[must_use]
    pub fn covers(&self, path: &CanonicalPath) -> bool {
        if self.exact { path.0 == self.text } else { path.0.starts_with(&self.text) }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.exact { "=" } else { "" }, self.text)
    }
}

/// Text that is no pattern of paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// What is left without the places breaks the rules of paths.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// It does not begin as a path does.
    #[error("a prefix begins with `/`, an exact path with `=/`")]
    Start,
    /// A prefix that would match names which only begin alike.
    #[error(
        "a prefix ends with `/`, or everything that begins alike would be let through; an exact path begins with `=/`"
    )]
    Prefix,
    /// A place that is not a whole part.
    #[error(
        "a place for an argument is a whole part of the path: `/repos/{{/owner}}/`, with a pointer (RFC 6901) that leads to one value"
    )]
    Place,
}

impl PathPattern {
    /// Whether it is one path and not all below it.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.exact
    }

    /// The places that arguments fill.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Filled(pointer) => Some(pointer),
            Piece::Text(_) => None,
        })
    }

    /// Whether some path fits both, whatever the places are filled with.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let (one, two) = (&self.parts, &other.parts);
        let alike = one.iter().zip(two).all(|(one, two)| match (one, two) {
            // A place is never empty.
            (None, Some(part)) | (Some(part), None) => !part.is_empty(),
            (one, two) => one == two,
        });
        let long_enough = match (self.exact, other.exact) {
            (true, true) => one.len() == two.len(),
            // Below a prefix there is at least one part, which may be empty.
            (true, false) => one.len() > two.len(),
            (false, true) => two.len() > one.len(),
            (false, false) => true,
        };
        alike && long_enough
    }

    /// Fills the places from checked arguments. Nothing if one of them leads to no value that a part of a path can be: only strings and whole
    /// numbers from 0 are, and of strings only such as lead nowhere else.
    #[must_use]
    pub fn filled(&self, arguments: &Value) -> Option<Path> {
        let mut text = String::with_capacity(self.text.len() + 32);
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Filled(pointer) => text.push_str(&part(pointer.one(arguments)?)?),
            }
        }
        // Whatever an argument held, the whole must still be a path, in its one spelling.
        let whole = text.parse::<CanonicalPath>().ok().filter(|path| path.0 == text)?;
        Some(Path { exact: self.exact, text: whole.0 })
    }
}

fn parts(pieces: &[Piece], exact: bool) -> Vec<Option<String>> {
    // No path holds this character, so it can stand for the places.
    let spelled = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.as_str(),
        Piece::Filled(_) => "\0",
    });
    let spelled: String = spelled.collect();
    let mut parts: Vec<_> = spelled.split('/').skip(1).map(|part| (part != "\0").then(|| part.to_owned())).collect();
    if !exact {
        parts.pop();
    }
    parts
}

/// An argument as one part, percent-encoded once.
fn part(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64()?.to_string(),
        _ => return None,
    };
    let refused = |c: char| matches!(c, '/' | '\\') || c.is_control();
    if text.is_empty() || matches!(text.as_str(), "." | "..") || text.contains(refused) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) { out.push(char::from(byte)) } else { push_encoded(&mut out, byte) }
    }
    Some(out)
}

impl FromStr for PathPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let (exact, path) = text.strip_prefix('=').map_or((false, text), |path| (true, path));
        if !path.starts_with('/') {
            return Err(InvalidPattern::Start);
        }
        if !exact && !path.ends_with('/') {
            return Err(InvalidPattern::Prefix);
        }
        let mut pieces = Vec::new();
        let mut rest = path;
        let mut plain = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (pointer, after) = after.split_once('}').ok_or(InvalidPattern::Place)?;
            let pointer: Pointer = pointer.parse().map_err(|_| InvalidPattern::Place)?;
            let whole = before.ends_with('/') && (after.is_empty() || after.starts_with('/'));
            if !whole || pointer.is_plural() || pointer.as_str().is_empty() {
                return Err(InvalidPattern::Place);
            }
            plain.push_str(before);
            // Stands for whatever fills the place.
            plain.push('x');
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Filled(pointer));
            rest = after;
        }
        plain.push_str(rest);
        let canonical: CanonicalPath = plain.parse()?;
        pieces.push(Piece::Text(rest.to_owned()));
        if canonical.as_str() != plain {
            for piece in &mut pieces {
                if let Piece::Text(text) = piece {
                    *text = text.split('/').map(respelled).collect::<Result<Vec<_>, _>>()?.join("/");
                }
            }
        }
        let parts = parts(&pieces, exact);
        Ok(Self { text: text.to_owned(), exact, pieces, parts })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(text: &str) -> Result<String, InvalidPath> {
        text.parse::<CanonicalPath>().map(|path| path.0)
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (text, spelled) in [
            ("/", "/"),
            ("/a/b/", "/a/b/"),
            ("/%61%2d%7e/%c3%a4", "/a-~/%C3%A4"),
            ("/a%20b", "/a%20b"),
            ("/a+b,c;d=e:@!$&'()*", "/a+b,c;d=e:@!$&'()*"),
            ("/100%25", "/100%25"),
            ("/...", "/..."),
            ("/%E2%80%A6", "/%E2%80%A6"),
            ("/a%E2%80%A5", "/a%E2%80%A5"),
            ("/.well-known/x", "/.well-known/x"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(spelled), "{text}");
        }
    }

    #[test]
    fn a_path_leads_nowhere_else_however_it_is_decoded() {
        use InvalidPath as I;
        for (text, why) in [
            ("", I::NoSlash),
            ("a", I::NoSlash),
            ("http://other.example/", I::NoSlash),
            ("//other.example/", I::Empty),
            ("/a//b", I::Empty),
            ("/a/../b", I::Dots),
            ("/./a", I::Dots),
            ("/a/..", I::Dots),
            ("/%2e%2e/a", I::Dots),
            ("/.%2E/a", I::Dots),
            ("/%252e%252e/a", I::Dots),
            ("/%25252e%25252e/a", I::Dots),
            ("/..;/a", I::Dots),
            ("/..;x=y/a", I::Dots),
            ("/%2e%2e%3b/a", I::Dots),
            ("/%20../a", I::Dots),
            ("/..%20/a", I::Dots),
            ("/%EF%BC%8E%EF%BC%8E/a", I::Dots),
            ("/.%E2%80%A4/a", I::Dots),
            ("/%E2%80%A5/a", I::Dots),
            ("/%EF%B8%B0/a", I::Dots),
            ("/..%EF%BC%9Bx/a", I::Dots),
            ("/..%CD%BE/a", I::Dots),
            ("/..%3Fx/a", I::Dots),
            ("/..%2523x/a", I::Dots),
            ("/..%C2%A0/a", I::Dots),
            ("/%E3%80%80../a", I::Dots),
            ("/.%E2%80%8B./a", I::Dots),
            ("/%EF%BC%852e%EF%BC%852e/a", I::Dots),
            ("/x%EF%BC%8F..%EF%BC%8F..%EF%BC%8Fb", I::Encoded),
            ("/x%EF%BC%BC..", I::Encoded),
            ("/x%EF%B9%A8..", I::Encoded),
            ("/x%EF%BC%852f..", I::Encoded),
            ("/%25u002e%25u002e/a", I::Encoded),
            ("/%c0%ae%c0%ae/a", I::Encoded),
            ("/a%c0%afb", I::Encoded),
            ("/a%25c0%25afb", I::Encoded),
            ("/a%ff", I::Encoded),
            ("/a%2fb", I::Encoded),
            ("/a%252Fb", I::Encoded),
            ("/a%5cb", I::Encoded),
            ("/a%00", I::Encoded),
            ("/a%0d%0aX:%20y", I::Encoded),
            ("/a%250d", I::Encoded),
            ("/a\\b", I::Character),
            ("/a?b", I::Character),
            ("/a#b", I::Character),
            ("/a b", I::Character),
            ("/ä", I::Character),
            ("/a\r\n", I::Character),
            ("/%", I::Percent),
            ("/%g0", I::Percent),
            ("/%2", I::Percent),
        ] {
            assert_eq!(canonical(text), Err(why), "{text:?}");
        }
        assert_eq!(canonical(&format!("/{}", "a".repeat(4_095))).map(|path| path.len()), Ok(4_096));
        assert_eq!(canonical(&format!("/{}", "a".repeat(4_096))), Err(I::Long));
        assert_eq!(canonical("/%2525252525252e"), Err(I::Encoded), "encoded too often to be looked into");
    }

    #[test]
    fn an_argument_fills_one_part_and_no_more() {
        let pattern: PathPattern = "/repos/{/owner}/{/repo}/".parse().unwrap();
        let fill = |owner: Value, repo: Value| {
            pattern.filled(&json!({"owner": owner, "repo": repo})).map(|path| path.to_string())
        };
        assert_eq!(fill(json!("acme"), json!("web")).as_deref(), Some("/repos/acme/web/"));
        assert_eq!(fill(json!("a b?c#d%2f"), json!(7)), None, "what a second decoding would make a slash of");
        assert_eq!(fill(json!("a b?c#d"), json!(7)).as_deref(), Some("/repos/a%20b%3Fc%23d/7/"));
        for bad in [
            json!(""),
            json!("."),
            json!(".."),
            json!("a/b"),
            json!("a\\b"),
            json!("a\nb"),
            json!(null),
            json!(1.5),
            json!(-1),
            json!(true),
            json!({}),
            json!([]),
            json!("..;x"),
            json!("%2e%2e"),
            json!("%252e%252e"),
            json!(" .."),
            json!("．．"),
            json!("%c0%af"),
            json!("\u{7f}"),
        ] {
            assert_eq!(fill(bad.clone(), json!("web")), None, "{bad}");
        }
        assert_eq!(pattern.filled(&json!({"owner": "acme"})), None);
    }

    #[test]
    fn a_prefix_ends_where_a_part_ends() {
        let covers = |pattern: &str, path: &str| {
            let path = path.parse::<CanonicalPath>().unwrap();
            pattern
                .parse::<PathPattern>()
                .unwrap()
                .filled(&json!({"owner": "acme", "repo": "web"}))
                .unwrap()
                .covers(&path)
        };
        assert!(covers("/repos/{/owner}/{/repo}/", "/repos/acme/web/issues"));
        assert!(covers("/repos/{/owner}/{/repo}/", "/repos/acme/we%62/"));
        assert!(!covers("/repos/{/owner}/{/repo}/", "/repos/acme/web"));
        assert!(!covers("/repos/{/owner}/{/repo}/", "/repos/acme/website/"));
        assert!(
            covers("=/graphql", "/graphql") && !covers("=/graphql", "/graphql/") && !covers("=/graphql", "/Graphql")
        );
        assert!(covers("/caf%c3%a9/", "/caf%C3%A9/x") && covers("/%61/", "/a/x"));
    }

    #[test]
    fn a_pattern_that_lets_more_through_than_it_looks_is_refused() {
        for (bad, why) in [
            ("/v1", InvalidPattern::Prefix),
            ("v1/", InvalidPattern::Start),
            ("/a/../", InvalidPattern::Path(InvalidPath::Dots)),
            ("/a//", InvalidPattern::Path(InvalidPath::Empty)),
            ("/{/a}b/", InvalidPattern::Place),
            ("/a{/b}/", InvalidPattern::Place),
            ("/{/a/", InvalidPattern::Place),
            ("/{a}/", InvalidPattern::Place),
            ("/{}/", InvalidPattern::Place),
            ("/{/a/*}/", InvalidPattern::Place),
            ("=/a}/", InvalidPattern::Path(InvalidPath::Character)),
        ] {
            assert_eq!(bad.parse::<PathPattern>(), Err(why), "{bad}");
        }
    }
}
