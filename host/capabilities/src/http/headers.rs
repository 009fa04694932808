//! Headers that a component may send, and those that are the host's own to send.

use http::{HeaderMap, HeaderName, HeaderValue};
use wardkeep_model::FRAMING;

/// Headers of one request.
const MOST: usize = 64;

/// What says who asks, or which way a request came; besides [`FRAMING`].
const HOSTS_OWN: [&str; 6] = ["authorization", "cookie", "cookie2", "via", "x-host", "x-real-ip"];

/// What some servers take for the method, where it would be another one than was decided on. As headers, and some read them from the query.
const OVERRIDES: [&str; 7] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-method",
    "-method",
    "$httpmethod",
    "-httpmethod",
];

/// Whatever begins so is the host's own too: proxies, and those that believe them.
const PREFIXES: [&str; 6] = ["proxy-", "x-original-", "x-rewrite-", "x-forwarded-", "x-http-path-", "x-http-host-"];

/// A header that may not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHeader {
    #[error("a request has at most 64 headers")]
    Many,
    #[error("a header's name is a token of visible ASCII (RFC 9110, 5.6.2)")]
    Name,
    #[error("the value of `{0}` may hold visible ASCII, spaces and tabs only")]
    Value(HeaderName),
    #[error("`{0}` is set by the host alone")]
    HostsOwn(HeaderName),
    #[error("`{0}` would make a server take the request for another one")]
    Override(HeaderName),
    #[error("`{0}` is where a secret goes")]
    Secret(HeaderName),
    #[error("`{0}` stands twice; `_` counts as `-`")]
    Twice(HeaderName),
    #[error("`range` may not be sent by a tool that holds a secret: an answer in pieces could carry it back unseen")]
    Range,
}

/// What servers on the way make of a name: gateways turn `-` and `_` into the same.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// What servers make of a parameter's name: PHP forgets blanks before it, ends it at a NUL and takes blanks and dots for `_`, and for many
/// `token[x]` is a part of `token`.
pub(crate) fn parameter(name: &str) -> String {
    let name = name.split(['[', '\0']).next().unwrap_or_default().trim();
    folded(name).replace(['.', ' ', '\t'], "-")
}

/// Whether a server may read a method out of a header or query parameter of this name.
pub(crate) fn is_override(name: &str) -> bool {
    OVERRIDES.contains(&parameter(name).as_str())
}

/// The headers, checked. `secrets` are the names of the headers that secrets go into; `carries` says that one rides along.
pub(crate) fn checked<'a>(
    headers: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    secrets: &[&str],
    carries: bool,
) -> Result<HeaderMap, InvalidHeader> {
    use InvalidHeader as I;
    if headers.len() > MOST {
        return Err(I::Many);
    }
    let mut map = HeaderMap::with_capacity(headers.len() + 4);
    let mut seen = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| I::Name)?;
        let name = folded(name);
        let own = FRAMING.iter().chain(&HOSTS_OWN).any(|own| *own == name);
        if own || PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(I::HostsOwn(header));
        }
        if is_override(&name) {
            return Err(I::Override(header));
        }
        if secrets.iter().any(|secret| folded(secret) == name) {
            return Err(I::Secret(header));
        }
        if carries && matches!(name.as_str(), "range" | "if-range") {
            return Err(I::Range);
        }
        if seen.contains(&name) {
            return Err(I::Twice(header));
        }
        let plain = value.bytes().all(|byte| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic());
        // what stands around a value is no part of it (RFC 9110, 5.5), and some peers take offence
        let value = value.trim_matches([' ', '\t']);
        let value = HeaderValue::from_str(value).ok().filter(|_| plain).ok_or_else(|| I::Value(header.clone()))?;
        map.append(header, value);
        seen.push(name);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)], carries: bool) -> Result<HeaderMap, InvalidHeader> {
        checked(headers.iter().copied(), &["x-api-key"], carries)
    }

    #[test]
    fn a_header_that_is_the_hosts_own_is_refused_however_it_is_spelled() {
        for name in [
            "host",
            "HOST",
            "authorization",
            "Authorization",
            "cookie",
            "accept-encoding",
            "accept_encoding",
            "connection",
            "content-length",
            "Content_Length",
            "transfer-encoding",
            "Transfer_Encoding",
            "te",
            "trailer",
            "upgrade",
            "expect",
            "keep-alive",
            "proxy-authorization",
            "proxy_connection",
            "x-original-url",
            "x_original_url",
            "x-rewrite-url",
            "forwarded",
            "x-forwarded-for",
            "X_Forwarded_Host",
        ] {
            assert!(matches!(check(&[(name, "v")], false), Err(InvalidHeader::HostsOwn(_))), "{name}");
        }
        for name in
            ["x-http-method-override", "X_HTTP_Method_Override", "x-http-method", "x-method-override", "_method"]
        {
            assert!(matches!(check(&[(name, "DELETE")], false), Err(InvalidHeader::Override(_))), "{name}");
        }
        for name in ["x-api-key", "X-Api-Key", "x_api_key", "X_API-KEY"] {
            assert!(matches!(check(&[(name, "v")], false), Err(InvalidHeader::Secret(_))), "{name}");
        }
    }

    #[test]
    fn a_header_cannot_be_split_doubled_or_made_up_of_other_bytes() {
        for (headers, why) in [
            (vec![("", "v")], "name"),
            (vec![("a b", "v")], "name"),
            (vec![("a:", "v")], "name"),
            (vec![(":authority", "v")], "name"),
            (vec![("a\r\nhost", "v")], "name"),
            (vec![("ä", "v")], "name"),
            (vec![("a", "v\r\nhost: evil")], "value"),
            (vec![("a", "v\n")], "value"),
            (vec![("a", "v\0")], "value"),
            (vec![("a", "v\u{7f}")], "value"),
            (vec![("a", "ä")], "value"),
            (vec![("accept", "a"), ("Accept", "b")], "twice"),
            (vec![("x-a_b", "a"), ("x_a-b", "b")], "twice"),
        ] {
            let found = check(&headers, false);
            let fits = match why {
                "name" => matches!(found, Err(InvalidHeader::Name)),
                "value" => matches!(found, Err(InvalidHeader::Value(_))),
                _ => matches!(found, Err(InvalidHeader::Twice(_))),
            };
            assert!(fits, "{headers:?}: {found:?}");
        }
    }

    #[test]
    fn a_range_is_asked_for_only_where_no_secret_rides_along() {
        assert!(check(&[("range", "bytes=0-9")], false).is_ok());
        assert_eq!(check(&[("Range", "bytes=0-9")], true), Err(InvalidHeader::Range));
    }

    #[test]
    fn other_headers_are_sent_as_they_are_up_to_sixty_four() {
        let map = check(&[("Accept", "text/html, */*"), ("x-b", " \ta~")], true).unwrap();
        assert_eq!(map.get("accept").unwrap(), "text/html, */*");
        assert_eq!(map.get("x-b").unwrap(), "a~");
        assert_eq!(map.len(), 2);
        let names: Vec<String> = (0..65).map(|index| format!("x-{index}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
        assert_eq!(check(&many[..64], false).unwrap().len(), 64);
        assert_eq!(check(&many, false), Err(InvalidHeader::Many));
    }
}
