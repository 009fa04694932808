//! `[listen]`: where HTTP is served. Beyond loopback only behind a proxy that ends TLS, and only if the operator says so and names it.

use std::net::{Ipv4Addr, SocketAddr};

use wardkeep_gateway::Proxies;
use wardkeep_policy::document::{Item, Table, quoted};

use super::proxies;

/// Where and as what to listen for HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    /// Address and port.
    pub(crate) http: SocketAddr,
    /// How clients reach this host, where that is not the address itself.
    pub(crate) public_url: Option<String>,
    /// Values of `Origin` that are accepted.
    pub(crate) origins: Vec<String>,
    /// What ends TLS before this host, if anything does.
    pub(crate) proxies: Option<Proxies>,
}

impl Default for Listen {
    fn default() -> Self {
        let http = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        Self { http, public_url: None, origins: Vec::new(), proxies: None }
    }
}

pub(super) fn read(mut table: Table<'_>) -> Option<Listen> {
    let http = match table.optional("http") {
        Some(item) => address(&item).map(|address| (address, Some(item))),
        None => Some((Listen::default().http, None)),
    };
    let proxies = proxies::read(&mut table);
    let public_url = table.optional("public_url").map_or(Some(None), |item| url(&item).map(Some));
    let origins = table.optional("origins").map_or_else(|| Some(Vec::new()), |item| item.list_of(origin));
    drop(table);
    let (http, item) = http?;
    if let Some(item) = item
        && !http.ip().is_loopback()
        && proxies == Some(None)
    {
        item.fault(
            format!("`{http}` is reached from other machines, and keys would cross the network in the clear"),
            Some(
                "http = \"127.0.0.1:8080\"; or where a proxy before it ends TLS, behind_proxy = true and trusted_proxies = \
                 [\"10.0.0.1\"]",
            ),
        );
        return None;
    }
    Some(Listen { http, public_url: public_url?, origins: origins?, proxies: proxies? })
}

fn address(item: &Item<'_>) -> Option<SocketAddr> {
    let text = item.text()?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        item.fault(format!("{} is no address with a port", quoted(text)), Some("http = \"127.0.0.1:8080\""));
    }
    parsed
}

fn url(item: &Item<'_>) -> Option<String> {
    let text = item.line_of_text(1..=2048)?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next());
    if host.is_none_or(|host| host.is_empty()) || text.contains([' ', '@', '?', '#', '\\']) {
        let mend = "public_url = \"https://tools.example.com/mcp\"";
        item.fault(format!("{} is no plain http or https URL", quoted(text)), Some(mend));
        return None;
    }
    Some(text.to_owned())
}

/// As browsers write it: scheme, host and perhaps a port (RFC 6454, section 6.2).
fn origin(item: &Item<'_>) -> Option<String> {
    let text = item.line_of_text(1..=512)?;
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(['/', '@', '?', '#', '*', ' ', '\\'])) {
        let mend = "\"https://app.example.com\", without a path or a slash at the end";
        item.fault(format!("{} is no origin", quoted(text)), Some(mend));
        return None;
    }
    Some(text.to_ascii_lowercase())
}
