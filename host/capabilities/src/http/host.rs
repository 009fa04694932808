//! The host of a request, in the one spelling in which grants name hosts.

use std::net::Ipv4Addr;

use url::Host;

/// Bytes of a name as it is sent to resolvers.
const LONGEST: usize = 253;

/// Text that names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidHost {
    #[error("a host is a name: no scheme, port, user or zone, and no address in brackets")]
    NotAName,
    #[error("a host's name is not a valid one (IDNA, RFC 1123)")]
    Name,
}

/// A name in lower case and ASCII, without a dot at its end, or an IPv4 address as four decimal numbers. Whatever some library on the way
/// would take for another spelling of it is that spelling here already: a name is compared, resolved and verified as the same one.
pub(crate) fn canonical(text: &str) -> Result<String, InvalidHost> {
    // The WHATWG decodes `%` in hosts, and takes some of the rest away silently. Here it is part of no name.
    let foreign = |c: char| c.is_control() || c.is_whitespace() || "%/\\@:?#[]<>\"^`{|}".contains(c);
    if text.is_empty() || text.chars().any(foreign) {
        return Err(InvalidHost::NotAName);
    }
    match Host::parse(text) {
        Ok(Host::Ipv4(address)) => Ok(address.to_string()),
        Ok(Host::Ipv6(_)) => Err(InvalidHost::NotAName),
        Ok(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            if is_name(name) { Ok(name.to_owned()) } else { Err(InvalidHost::Name) }
        }
        Err(_) => Err(InvalidHost::Name),
    }
}

/// RFC 1123, 2.1, in lower case; `_` is in names of services and in no host's that a grant can name.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    name.len() <= LONGEST && name.split('.').all(label) && name.parse::<Ipv4Addr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for (text, spelled) in [
            ("api.example.com", "api.example.com"),
            ("API.Example.COM", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("ａｐｉ.example.com", "api.example.com"),
            ("api。example。com", "api.example.com"),
            ("ⓐpi.example.com", "api.example.com"),
            ("api\u{ad}.example.com", "api.example.com"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("１２７.0.0.1", "127.0.0.1"),
            ("①②⑦.⓪.⓪.①", "127.0.0.1"),
            ("0", "0.0.0.0"),
            ("169.254.43518", "169.254.169.254"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(spelled), "{text}");
        }
    }

    #[test]
    fn what_is_more_than_a_name_is_refused() {
        use InvalidHost as I;
        for (text, why) in [
            ("", I::NotAName),
            ("https://api.example.com", I::NotAName),
            ("api.example.com:443", I::NotAName),
            ("user@api.example.com", I::NotAName),
            ("api.example.com/path", I::NotAName),
            ("api.example.com\\path", I::NotAName),
            ("api.example.com?q", I::NotAName),
            ("api.example.com#f", I::NotAName),
            ("[::1]", I::NotAName),
            ("::1", I::NotAName),
            ("[::ffff:127.0.0.1]", I::NotAName),
            ("fe80::1%eth0", I::NotAName),
            ("%6c%6fcalhost", I::NotAName),
            ("api.example.com%00.evil.example", I::NotAName),
            ("api.example.com\r\nx: y", I::NotAName),
            ("api.example.com\0", I::NotAName),
            (" api.example.com", I::NotAName),
            ("api.\texample.com", I::NotAName),
            ("api..example.com", I::Name),
            (".example.com", I::Name),
            ("api.example.com..", I::Name),
            (".", I::Name),
            ("-a.example", I::Name),
            ("a-.example", I::Name),
            ("a_b.example", I::Name),
            ("*.example.com", I::Name),
            ("256.256.256.256", I::Name),
            ("1.2.3.4.5", I::Name),
            ("0x7f.0.0.0x100", I::Name),
            ("4294967296", I::Name),
            ("xn--a", I::Name),
            ("api\u{202e}.example.com", I::Name),
            ("\u{ad}", I::Name),
        ] {
            assert_eq!(canonical(text), Err(why), "{text:?}");
        }
        let long = |length: usize| vec!["a".repeat(63); 5].join(".").chars().take(length).collect::<String>();
        assert!(canonical(&long(253)).is_ok() && canonical(&long(254)) == Err(I::Name));
    }
}
