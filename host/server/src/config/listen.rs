//! `[listen]`: where HTTP is served. Beyond loopback only behind a proxy that ends TLS, and only if the operator says so.

use std::net::{Ipv4Addr, SocketAddr};

use wardkeep_policy::document::{Item, Table, quoted};

/// Where and as what to listen for HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    /// Address and port.
    pub(crate) http: SocketAddr,
    /// How clients reach this host, where that is not the address itself.
    pub(crate) public_url: Option<String>,
    /// Values of `Origin` that are accepted.
    pub(crate) origins: Vec<String>,
}

impl Default for Listen {
    fn default() -> Self {
        Self { http: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), public_url: None, origins: Vec::new() }
    }
}

pub(super) fn read(mut table: Table<'_>) -> Option<Listen> {
    let http = match table.optional("http") {
        Some(item) => address(&item).map(|address| (address, Some(item))),
        None => Some((Listen::default().http, None)),
    };
    let behind_proxy = table.optional("behind_proxy").map_or(Some(false), |item| item.boolean());
    let public_url = table.optional("public_url").map_or(Some(None), |item| url(&item).map(Some));
    let origins = table.optional("origins").map_or_else(|| Some(Vec::new()), |item| item.list_of(origin));
    drop(table);
    let (http, item) = http?;
    if let Some(item) = item
        && !http.ip().is_loopback()
        && behind_proxy == Some(false)
    {
        item.fault(
            format!("`{http}` is reached from other machines, and keys would cross the network in the clear"),
            Some("http = \"127.0.0.1:8080\", or behind_proxy = true where a proxy before it ends TLS"),
        );
        return None;
    }
    behind_proxy?;
    Some(Listen { http, public_url: public_url?, origins: origins? })
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
