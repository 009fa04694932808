//! The short strings that a client acts on: media types, URIs, names. They are right or the answer does not leave; nothing is mended
//! in them, since a mended address is another address.

use super::{
    rejected::Rejected,
    text::{Lines, is_clean},
};

/// Bytes of a media type with its parameters.
const LONGEST_MEDIA_TYPE: usize = 255;
/// Bytes of a URI.
const LONGEST_URI: usize = 2_048;
/// Bytes of a name.
const LONGEST_NAME: usize = 256;

/// `type/subtype` as RFC 6838, 4.2 restricts them, and parameters of visible characters.
pub(super) fn media_type(text: String, family: Option<&str>) -> Result<String, Rejected> {
    let (essence, parameters) = text.split_once(';').unwrap_or((&text, ""));
    let (kind, subtype) = essence.trim_end().split_once('/').ok_or(Rejected::MediaType)?;
    let restricted = |name: &str| {
        (1..=127).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let visible = parameters.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let of_family = family.is_none_or(|family| kind.eq_ignore_ascii_case(family));
    if text.len() > LONGEST_MEDIA_TYPE || !restricted(kind) || !restricted(subtype) || !visible || !of_family {
        return Err(Rejected::MediaType);
    }
    Ok(text)
}

pub(super) fn optional_media_type(text: Option<String>) -> Result<Option<String>, Rejected> {
    text.map(|text| media_type(text, None)).transpose()
}

/// A scheme and something behind it (RFC 3986, 3.1; other alphabets as in RFC 3987). Not what runs where it is clicked, and no web
/// address that looks like another by the name before an `@`.
pub(super) fn uri(text: String) -> Result<String, Rejected> {
    let (scheme, rest) = text.split_once(':').ok_or(Rejected::Uri)?;
    let scheme_is_one = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let scheme = scheme.to_ascii_lowercase();
    let runs = ["javascript", "vbscript", "data"].contains(&scheme.as_str());
    let bare = |c: char| c.is_whitespace() || "<>\"`\\".contains(c);
    let authority = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
    let disguised = matches!(scheme.as_str(), "http" | "https") && authority.contains('@');
    let bad = !scheme_is_one || rest.is_empty() || runs || disguised;
    if bad || text.len() > LONGEST_URI || text.contains(bare) || !is_clean(&text, Lines::One) {
        return Err(Rejected::Uri);
    }
    Ok(text)
}

/// One line that shows what it says.
pub(super) fn name(text: String) -> Result<String, Rejected> {
    if text.trim().is_empty() || text.len() > LONGEST_NAME || !is_clean(&text, Lines::One) {
        return Err(Rejected::Name);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_one_and_of_its_family() {
        let longest = format!("a/b;{}", "x".repeat(LONGEST_MEDIA_TYPE - 4));
        for good in ["image/png", "application/vnd.api+json", "text/html; charset=utf-8", "a/b", &longest] {
            assert_eq!(media_type(good.into(), None).as_deref(), Ok(good));
        }
        let beyond = format!("{longest}x");
        let long_name = format!("a/{}", "b".repeat(128));
        for bad in [
            "",
            "png",
            "/png",
            "image/",
            "image/png\r\nSet-Cookie: a=b",
            "image /png",
            "image/p ng",
            "imäge/png",
            "-a/b",
            "a/b;c=\u{7f}",
            "a/b/c",
            &beyond,
            &long_name,
        ] {
            assert_eq!(media_type(bad.into(), None), Err(Rejected::MediaType), "{bad:?}");
        }
        assert_eq!(media_type("text/html".into(), Some("image")), Err(Rejected::MediaType));
        assert_eq!(media_type("Image/svg+xml".into(), Some("image")).as_deref(), Ok("Image/svg+xml"));
    }

    #[test]
    fn a_uri_names_something_and_neither_runs_nor_deceives() {
        let longest = format!("x:{}", "y".repeat(LONGEST_URI - 2));
        for good in [
            "https://example.com/a?b=c@d#e",
            "file:///tmp/grüße",
            "note://one",
            "urn:isbn:1",
            "mailto:a@b.example",
            &longest,
        ] {
            assert_eq!(uri(good.into()).as_deref(), Ok(good));
        }
        let beyond = format!("{longest}y");
        for bad in [
            "",
            "one",
            "x:",
            ":x",
            "1x:y",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,<b>",
            "java\nscript:x",
            "https://example.com@evil.example/",
            "https:///user:x@evil.example",
            "https://a b",
            "https://a\r\nb",
            "https://a\\b",
            "https://a/\u{202e}gpj.exe",
            "https://a/\u{1b}[2J",
            "note:<one>",
            &beyond,
        ] {
            assert_eq!(uri(bad.into()), Err(Rejected::Uri), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_one_visible_line() {
        let longest = "n".repeat(LONGEST_NAME);
        for good in ["three", "👩\u{200d}💻 notes", "می\u{200c}خواهم", &longest] {
            assert_eq!(name(good.into()).as_deref(), Ok(good));
        }
        let beyond = format!("{longest}n");
        for bad in ["", " ", "a\nb", "a\tb", "a\u{202e}b", "\u{e0041}x", &beyond] {
            assert_eq!(name(bad.into()), Err(Rejected::Name), "{bad:?}");
        }
    }
}
