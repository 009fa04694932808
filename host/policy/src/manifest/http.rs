//! The tables `[grants.http.<name>]`: which requests leave the host.

use std::{fmt, str::FromStr, sync::Arc};

use ipnet::IpNet;
use wardkeep_model::{GrantName, Method, Scheme, SecretName};

use crate::{
    document::{Item, Table, quoted},
    pointer::Pointer,
};

use super::{PathPattern, Secrets};

/// Paths of one grant.
const MOST_PATHS: usize = 32;
/// Networks of one grant.
const MOST_NETWORKS: usize = 32;

/// Requests of one kind to one host, or to the hosts below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpGrant {
    /// The manifest's name for it.
    pub name: GrantName,
    /// How the host is spoken to.
    pub scheme: Scheme,
    /// Which hosts.
    pub host: HostPattern,
    /// The port.
    pub port: u16,
    /// Which methods; a reading tool gets the safe ones among them, unless `read_only` is signed.
    pub methods: Vec<Method>,
    /// Which paths.
    pub paths: Vec<PathPattern>,
    /// The credential that rides along, and no other.
    pub secret: Option<SecretName>,
    /// A signed exception: what looks like a write only reads.
    pub read_only: bool,
    /// Networks that are not public and may be reached, if the operator consents too.
    pub private: Vec<IpNet>,
}

/// An exact name, or all names below one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// `api.example.com`.
    Exact(String),
    /// `*.example.com`: one label or more before `.example.com`. Kept without the `*.`.
    Below(String),
}

impl HostPattern {
    /// Whether this host is meant. The name must be in lower case, without a dot at its end.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below(name) => host
                .strip_suffix(name.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|rest| !rest.is_empty() && rest.split('.').all(|label| !label.is_empty())),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

impl HttpGrant {
    /// The host as the manifest names it and, where it is not the scheme's own, `:` and the port.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == self.scheme.port() { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// Text that names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHost {
    /// Not a name.
    #[error("a host is an exact name in lower case, or `*.` before one for one or more labels")]
    Name,
    /// A number in disguise: `0x7f.1` and the like are addresses to some.
    #[error("an IPv4 address is written as four decimal numbers; no other name may end in a number")]
    Number,
}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let below = text.strip_prefix("*.");
        let name = below.unwrap_or(text);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if name.len() > 253 || !name.split('.').all(label) || (below.is_some() && !name.contains('.')) {
            return Err(InvalidHost::Name);
        }
        // As the WHATWG reads hosts: a last label that is a number makes an address of the whole.
        let last = name.rsplit('.').next().unwrap_or_default();
        let number = last.bytes().all(|b| b.is_ascii_digit())
            || last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
        let address = name.parse::<std::net::Ipv4Addr>().is_ok() && below.is_none();
        if number && !address {
            return Err(InvalidHost::Number);
        }
        Ok(below.map_or_else(|| Self::Exact(name.into()), |name| Self::Below(name.into())))
    }
}

/// Reads one grant. Faults are left at what is wrong.
pub(super) fn read(name: GrantName, mut table: Table<'_>, secrets: &Secrets<'_>) -> Option<HttpGrant> {
    let schemes = [("https", Scheme::Https), ("http", Scheme::Http)];
    let scheme = table.optional("scheme").map_or(Some(Scheme::Https), |item| item.choice(&schemes));
    let host = table.required("host", "host = \"api.example.com\"").and_then(|item| item.read::<HostPattern>());
    let port = table.optional("port").map_or(Some(None), |item| item.whole(1..=65_535).map(Some));
    let methods = table.required("methods", "methods = [\"GET\"]");
    let methods = methods.and_then(|item| some(&item, Method::ALL.len(), "methods = [\"GET\"]", Item::read));
    let paths = table.required("paths", "paths = [\"/v1/\"]");
    let paths: Option<Vec<PathPattern>> =
        paths.and_then(|item| some(&item, MOST_PATHS, "paths = [\"/v1/\"]", Item::read));
    let secret = table.optional("secret").map_or(Some(None), |item| secret(&item, secrets).map(Some));
    let read_only = table.optional("read_only").map_or(Some(false), |item| {
        let read_only = item.boolean();
        let prefix = paths.iter().flatten().any(|path| !path.is_exact());
        if read_only == Some(true) && prefix {
            item.fault(
                "an exception for reading tools holds for exact paths only",
                Some("begin each of its paths with `=`, such as \"=/graphql\""),
            );
        }
        read_only
    });
    let private = table.optional("private").map_or(Some(Vec::new()), |item| match item.list()?.is_empty() {
        true => Some(Vec::new()),
        false => some(&item, MOST_NETWORKS, "private = [\"10.2.0.0/16\"]", network),
    });
    drop(table);
    let (scheme, port) = (scheme?, port?);
    Some(HttpGrant {
        name,
        scheme,
        host: host?,
        port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(scheme.port()),
        methods: methods?,
        paths: paths?,
        secret: secret?,
        read_only: read_only?,
        private: private?,
    })
}

/// A list of at least one, each once.
fn some<'d, T: PartialEq>(
    item: &Item<'d>,
    most: usize,
    example: &str,
    read: impl Fn(&Item<'d>) -> Option<T>,
) -> Option<Vec<T>> {
    let list = item.list_of(read)?;
    if list.is_empty() {
        item.fault("lists nothing, so the grant would allow nothing", Some(example));
    }
    if list.len() > most {
        item.fault(format!("lists more than {most}"), Some("give the others to a grant of their own"));
    }
    if list.iter().take(most).enumerate().any(|(at, one)| list.iter().take(at).any(|known| known == one)) {
        item.fault("lists something twice", Some("keep one of them"));
    }
    (!list.is_empty()).then_some(list)
}

fn secret(item: &Item<'_>, secrets: &Secrets<'_>) -> Option<SecretName> {
    let name = item.read::<SecretName>()?;
    if !secrets.names(&name) {
        let mend = format!("add a table [secrets.{name}]");
        item.fault(format!("no secret of the name {} is in [secrets]", quoted(name.as_str())), Some(&mend));
    }
    Some(name)
}

pub(super) fn network(item: &Item<'_>) -> Option<IpNet> {
    let net = item.read_with(|text| {
        text.parse::<IpNet>().map_err(|_| "a network is an address and its bits, such as `10.2.0.0/16`")
    })?;
    if net.trunc() != net {
        item.fault(format!("`{net}` names an address inside of a network"), Some(&format!("\"{}\"", net.trunc())));
        return None;
    }
    Some(net)
}

impl HttpGrant {
    /// Whether both let the same through, whatever they are named.
    pub(super) fn gives_as(&self, other: &Self) -> bool {
        let Self { name: _, scheme, host, port, methods, paths, secret, read_only, private } = self;
        (scheme, host, port, secret) == (&other.scheme, &other.host, &other.port, &other.secret)
            && (methods, paths, read_only, private) == (&other.methods, &other.paths, &other.read_only, &other.private)
    }

    /// Whether a tool gets this method of it: one that reads gets the safe ones, unless `read_only` is signed.
    #[must_use]
    pub fn gives(&self, reading: bool, method: Method) -> bool {
        self.methods.contains(&method) && (method.is_safe() || !reading || self.read_only)
    }

    /// The pointers that its paths are filled by.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.paths.iter().flat_map(PathPattern::pointers)
    }
}

/// A grant as one tool holds it for one call: its methods are the tool's, its paths filled from the call's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    /// The grant.
    pub grant: Arc<HttpGrant>,
    /// Whether the tool's effect is `read`: then the unsafe methods of the grant are not its own, unless `read_only` is signed.
    pub reading: bool,
    /// Those of the grant's paths that could be filled.
    pub paths: Vec<super::Path>,
}

impl HttpRule {
    /// Whether this method may be used.
    #[must_use]
    pub fn allows(&self, method: Method) -> bool {
        self.grant.gives(self.reading, method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_and_no_number_in_disguise() {
        for good in ["api.example.com", "localhost", "127.0.0.1", "*.example.com", "xn--bcher-kva.example", "a1.b2"] {
            assert_eq!(good.parse::<HostPattern>().map(|host| host.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "API.example.com",
            "a..b",
            ".a",
            "a.",
            "-a.b",
            "a_b.c",
            "*.com",
            "*",
            "a.*.b",
            "user@host",
            "host:80",
            "[::1]",
            "bücher.example",
            "ä",
        ] {
            assert_eq!(bad.parse::<HostPattern>(), Err(InvalidHost::Name), "{bad}");
        }
        for bad in [
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0x7f000001",
            "127.0.0.0x1",
            "*.0.0.1",
            "a.1",
            "010.0.0.1",
            "256.0.0.1",
        ] {
            assert_eq!(bad.parse::<HostPattern>(), Err(InvalidHost::Number), "{bad}");
        }
    }

    #[test]
    fn names_below_a_host_have_a_label_of_their_own() {
        let below: HostPattern = "*.example.com".parse().unwrap();
        for host in ["a.example.com", "a.b.example.com"] {
            assert!(below.matches(host), "{host}");
        }
        for host in [
            "example.com",
            ".example.com",
            "evilexample.com",
            "a..example.com",
            "example.com.evil.test",
            "a.example.com.",
        ] {
            assert!(!below.matches(host), "{host}");
        }
    }
}
