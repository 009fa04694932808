//! From bytes to text: which kind of page it is, and in which letters it is written (WHATWG Encoding Standard).

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Html,
    /// Any other text.
    Text,
}

/// How far into a page its own word about its letters is looked for (HTML, 13.2.3.2).
const LOOK: usize = 1_024;

/// The essence of a content type: `text/html` of `text/html; charset=utf-8`.
fn essence(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// What it is; nothing if it is no text.
pub(crate) fn kind(content_type: Option<&str>, bytes: &[u8]) -> Option<Kind> {
    let Some(essence) = content_type.map(essence).filter(|essence| !essence.is_empty()) else {
        return looks(bytes);
    };
    let is_text = essence.starts_with("text/")
        || ["+json", "+xml", "+yaml"].iter().any(|end| essence.ends_with(end))
        || matches!(
            essence,
            "application/json"
                | "application/xml"
                | "application/yaml"
                | "application/x-yaml"
                | "application/toml"
                | "application/javascript"
                | "application/ecmascript"
                | "application/x-sh"
                | "application/sql"
                | "application/x-ndjson"
                | "application/graphql"
        );
    match essence {
        "text/html" | "application/xhtml+xml" => Some(Kind::Html),
        "application/octet-stream" => looks(bytes),
        _ => is_text.then_some(Kind::Text),
    }
}

/// What bytes are of which nothing is said.
fn looks(bytes: &[u8]) -> Option<Kind> {
    if bytes.contains(&0) {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let begin: String = text.trim_start().chars().take(15).collect::<String>().to_ascii_lowercase();
    let html = ["<!doctype html", "<html"].iter().any(|mark| begin.starts_with(mark));
    Some(if html { Kind::Html } else { Kind::Text })
}

/// As text. What is not in the letters that it claims to be in is shown as U+FFFD.
pub(crate) fn decoded(content_type: Option<&str>, kind: Kind, bytes: &[u8]) -> String {
    let said = || charset(content_type?).and_then(|label| Encoding::for_label(label.as_bytes()));
    let written = || (kind == Kind::Html).then(|| declared(bytes)).flatten();
    let guessed = || if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 };
    let encoding = said().or_else(written).unwrap_or_else(guessed);
    // A byte order mark is stronger than all of them.
    encoding.decode(bytes).0.into_owned()
}

fn charset(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut named = parameters.filter(|(name, _)| name.trim() == "charset");
    named.next().map(|(_, value)| value.trim().trim_matches(['"', '\'']))
}

/// What a page says of itself in a `<meta charset=…>`, or in the older form with a content type. A page that can be read this far is
/// never in UTF-16, whatever it says.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(bytes.get(..LOOK.min(bytes.len()))?).to_ascii_lowercase();
    head.match_indices("<meta").find_map(|(at, _)| {
        let tag = head.get(at..)?.split('>').next()?;
        let value = tag.split_once("charset")?.1.trim_start().strip_prefix('=')?.trim_start();
        let label: String =
            value.trim_start_matches(['"', '\'']).chars().take_while(|c| !"\"' ;/".contains(*c)).collect();
        let encoding = Encoding::for_label(label.as_bytes())?;
        Some(if encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE { UTF_8 } else { encoding })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_is_told_by_its_type_or_its_bytes() {
        for (content_type, expected) in [
            ("text/html; charset=utf-8", Some(Kind::Html)),
            ("application/xhtml+xml", Some(Kind::Html)),
            ("text/markdown", Some(Kind::Text)),
            ("application/vnd.api+json;v=1", Some(Kind::Text)),
            ("image/svg+xml", Some(Kind::Text)),
            ("image/png", None),
            ("application/pdf", None),
            ("application/zip", None),
        ] {
            assert_eq!(kind(Some(content_type), b"x"), expected, "{content_type}");
        }
        assert_eq!(kind(None, b"\n <!DOCTYPE HTML><p>x"), Some(Kind::Html));
        assert_eq!(kind(Some(""), "plain, ä".as_bytes()), Some(Kind::Text));
        assert_eq!(kind(Some("application/octet-stream"), b"a\0b"), None);
        assert_eq!(kind(None, &[0xff, 0xfe, 1]), None);
    }

    #[test]
    fn letters_are_read_as_mark_header_or_page_say() {
        let text = |content_type, kind, bytes: &[u8]| decoded(content_type, kind, bytes);
        assert_eq!(text(None, Kind::Text, "ä€".as_bytes()), "ä€");
        assert_eq!(text(None, Kind::Text, b"\xe4\x80"), "ä€", "windows-1252 where it is no UTF-8");
        assert_eq!(text(Some("text/plain; charset=ISO-8859-1"), Kind::Text, b"\xe4"), "ä");
        assert_eq!(text(Some("text/plain;charset=\"utf-8\""), Kind::Text, b"\xe4"), "\u{fffd}");
        assert_eq!(
            text(Some("text/html"), Kind::Html, b"<meta charset=\"windows-1252\"><p>\xe4 \xfc"),
            "<meta charset=\"windows-1252\"><p>ä ü"
        );
        let older = b"<META http-equiv=Content-Type content='text/html; charset=latin1'>\xe4";
        assert!(text(None, Kind::Html, older).ends_with('ä'));
        assert!(text(None, Kind::Html, "<meta charset=utf-16>ä".as_bytes()).ends_with('ä'));
        assert_eq!(
            text(Some("text/plain; charset=latin1"), Kind::Text, "\u{feff}ä".as_bytes()),
            "ä",
            "a mark is stronger"
        );
        assert_eq!(text(Some("text/plain; charset=klingon"), Kind::Text, "ä".as_bytes()), "ä");
    }
}
