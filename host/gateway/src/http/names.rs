//! Which names this host answers to, and which pages may talk to it: against DNS rebinding (MCP, Streamable HTTP, Security Warning).
//!
//! A page of a rebound name sends that name as `Host`, whatever address it reaches. So a name must be one of ours; an address that is
//! written out cannot be rebound.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// What `Host`, the target and `Origin` may say.
#[derive(Debug, Clone)]
pub(super) struct Names {
    hosts: Vec<String>,
    /// The one of them by which clients reach a proxy before this host.
    public: Option<String>,
    origins: Vec<String>,
}

impl Names {
    pub(super) const fn new(hosts: Vec<String>, public: Option<String>, origins: Vec<String>) -> Self {
        Self { hosts, public, origins }
    }

    /// Whether a request that a proxy passes on names the host by which clients reach that proxy. The proxy's own way here, such as
    /// `127.0.0.1`, is no name that a client used: of a rebound name nothing would be left to see.
    pub(super) fn is_public(&self, headers: &HeaderMap) -> bool {
        let Some(public) = &self.public else { return true };
        let named = one_host(headers).ok().flatten().and_then(host_name);
        named.is_some_and(|name| name.eq_ignore_ascii_case(public))
    }

    /// Whether a request for MCP is meant for this host and comes from nowhere foreign.
    pub(super) fn ours(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
        let named = one_host(headers)?.ok_or(FOREIGN)?;
        // `POST http://evil.example/mcp` names a host too, and that one counts (RFC 9112, 3.2.2)
        let target = uri.authority().map(|authority| authority.as_str());
        if ![named].into_iter().chain(target).all(|named| self.answers_to(named)) {
            return Err(FOREIGN);
        }
        let allowed = |origin: &HeaderValue| self.origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes());
        if !headers.get_all(header::ORIGIN).iter().all(allowed) {
            return Err("requests of this origin are not accepted");
        }
        Ok(())
    }

    /// Whether anybody may see health and counts by this request: load balancers ask by address, and some name no host at all.
    pub(super) fn may_look(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
        let target = uri.authority().map(|authority| authority.as_str());
        let address = |named: &str| host_name(named).is_some_and(|name| name.parse::<IpAddr>().is_ok());
        let named = one_host(headers)?.into_iter().chain(target);
        if named.into_iter().all(|named| self.answers_to(named) || address(named)) { Ok(()) } else { Err(FOREIGN) }
    }

    fn answers_to(&self, authority: &str) -> bool {
        host_name(authority).is_some_and(|name| self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(name)))
    }
}

const FOREIGN: &str = "this host does not answer to that name";

/// The `Host` of a request, where it has one. Two are never right, nor is one that is no text.
fn one_host(headers: &HeaderMap) -> Result<Option<&str>, &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().map(|host| host.to_str().map_err(|_| FOREIGN)).transpose()?;
    if hosts.next().is_some() { Err(FOREIGN) } else { Ok(host) }
}

/// `example.com:8080` to `example.com`, `[::1]:8080` to `::1`; nothing if it is neither a name nor a name and a port.
fn host_name(authority: &str) -> Option<&str> {
    let (name, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
    };
    // digits only: the number's parser takes a sign
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_from_its_port() {
        for (authority, name) in [
            ("localhost", Some("localhost")),
            ("localhost:1", Some("localhost")),
            ("localhost:65535", Some("localhost")),
            ("[::1]:1", Some("::1")),
            ("[::1]", Some("::1")),
            ("localhost.evil.example:80", Some("localhost.evil.example")),
            ("user@localhost", Some("user@localhost")),
            ("", Some("")),
            ("localhost:", None),
            ("localhost:65536", None),
            ("localhost:+1", None),
            ("localhost:evil.com", None),
            ("localhost:80@evil.com", None),
            ("localhost:1:2", None),
            ("[::1]evil", None),
            ("[::1]:", None),
            ("[::1]:1x", None),
            ("[::1", None),
        ] {
            assert_eq!(host_name(authority), name, "{authority}");
        }
    }

    fn headers(all: &[(header::HeaderName, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn names() -> Names {
        Names::new(
            vec!["localhost".into(), "127.0.0.1".into(), "::1".into(), "tools.example".into()],
            Some("tools.example".into()),
            vec!["https://app.example".into()],
        )
    }

    #[test]
    fn only_our_own_names_reach_mcp_and_addresses_reach_health_too() {
        let at = Uri::from_static("/mcp");
        let mcp = |host: &str| names().ours(&at, &headers(&[(header::HOST, host)])).is_ok();
        let look = |host: &str| names().may_look(&at, &headers(&[(header::HOST, host)])).is_ok();
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "[::1]", "[::1]:1", "Tools.Example"] {
            assert!(mcp(host) && look(host), "{host}");
        }
        for address in ["10.0.0.7", "10.0.0.7:8080", "[2001:db8::1]:80", "[::ffff:1.2.3.4]"] {
            assert!(!mcp(address) && look(address), "{address}");
        }
        for foreign in [
            "evil.example",
            "localhost.",
            "localhost.evil.example",
            "tools.example.",
            "user@localhost",
            "localhost@evil.example",
            "[::1%25eth0]",
            "[::1%eth0]:80",
            "::1",
            "0x7f000001",
            "2130706433",
            "127.1",
            "127.0.0.1.",
            "",
            " localhost",
            "localhost,evil.example",
        ] {
            assert!(!mcp(foreign) && !look(foreign), "{foreign}");
        }
        assert!(names().ours(&at, &HeaderMap::new()).is_err());
        assert!(names().may_look(&at, &HeaderMap::new()).is_ok(), "HTTP/1.0, which no page speaks");
        let two = headers(&[(header::HOST, "localhost"), (header::HOST, "localhost")]);
        assert!(names().ours(&at, &two).is_err() && names().may_look(&at, &two).is_err());
        let target = Uri::from_static("http://evil.example/ready");
        let host = headers(&[(header::HOST, "localhost")]);
        assert!(names().ours(&target, &host).is_err() && names().may_look(&target, &host).is_err());
    }

    #[test]
    fn a_proxy_passes_on_the_name_of_the_public_url_and_no_other_of_ours() {
        let by_proxy = |host: &str| names().is_public(&headers(&[(header::HOST, host)]));
        assert!(by_proxy("tools.example") && by_proxy("Tools.Example:443"));
        for other in ["localhost", "127.0.0.1", "localhost:99", "[::1]:1", "tools.example.", "evil.example", ""] {
            assert!(!by_proxy(other), "{other}");
        }
        assert!(!names().is_public(&HeaderMap::new()));
        let two = headers(&[(header::HOST, "tools.example"), (header::HOST, "tools.example")]);
        assert!(!names().is_public(&two));
        let local = Names::new(vec!["localhost".into()], None, vec![]);
        assert!(local.is_public(&headers(&[(header::HOST, "localhost")])), "nothing says how clients reach the proxy");
    }

    #[test]
    fn an_origin_is_one_of_those_that_were_named_to_the_byte() {
        let at = Uri::from_static("/mcp");
        let from = |origins: &[&str]| {
            let mut all = vec![(header::HOST, "localhost")];
            all.extend(origins.iter().map(|origin| (header::ORIGIN, *origin)));
            names().ours(&at, &headers(&all)).is_ok()
        };
        assert!(from(&[]) && from(&["https://app.example"]));
        for foreign in [
            "null",
            "",
            "http://app.example",
            "https://app.example:443",
            "https://app.example:8443",
            "https://app.example.",
            "https://app.example/",
            "https://app.example.evil.example",
            "https://evil.example/https://app.example",
            "https://APP.example",
            "https://user@app.example",
            "https://xapp.example",
            "https://app.example https://evil.example",
            "file://",
            "http://localhost",
            "http://[::1]",
        ] {
            assert!(!from(&[foreign]), "{foreign}");
            assert!(!from(&["https://app.example", foreign]), "{foreign} behind a good one");
        }
    }
}
