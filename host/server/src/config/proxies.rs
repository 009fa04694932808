//! `[listen] behind_proxy`: which proxies end TLS before this host, and in which headers they say whom a request comes from.

use ipnet::IpNet;
use wardkeep_gateway::{ForwardedBy, Proxies};
use wardkeep_policy::document::{Item, Table, quoted};

const TRUSTED: &str = "trusted_proxies = [\"10.0.0.1\", \"10.1.0.0/16\"]";

/// The proxies before this host, if there are any.
pub(super) fn read(table: &mut Table<'_>) -> Option<Option<Proxies>> {
    let behind = table.optional("behind_proxy");
    let trusted = table.optional("trusted_proxies");
    let forwarded = table.optional("forwarded_by");
    let is_behind = behind.as_ref().map_or(Some(false), Item::boolean)?;
    if !is_behind {
        for item in [trusted, forwarded].iter().flatten() {
            item.fault(
                "says something of proxies, and `behind_proxy = true` is not there",
                Some("behind_proxy = true"),
            );
        }
        return Some(None);
    }
    let networks = match &trusted {
        Some(item) => item.list_of(network),
        None => Some(Vec::new()),
    };
    let headers = match forwarded {
        Some(item) => {
            item.choice(&[("x-forwarded-for", ForwardedBy::XForwarded), ("forwarded", ForwardedBy::Forwarded)])
        }
        None => Some(ForwardedBy::default()),
    };
    let networks = networks?;
    if networks.is_empty() {
        let message = "nobody is named whose word on where a request comes from is believed";
        trusted.or(behind)?.fault(message, Some(TRUSTED));
        return None;
    }
    Some(Some(Proxies { trusted: networks, headers: headers? }))
}

fn network(item: &Item<'_>) -> Option<IpNet> {
    let text = item.text()?;
    let parsed = text.parse().ok().or_else(|| text.parse().ok().map(|address: std::net::IpAddr| IpNet::from(address)));
    let Some(network) = parsed else {
        item.fault(format!("{} is neither an address nor a network", quoted(text)), Some(TRUSTED));
        return None;
    };
    if network.trunc() != network {
        item.fault(
            format!("`{network}` names an address inside of a network"),
            Some(&format!("\"{}\"", network.trunc())),
        );
        return None;
    }
    // Anybody there can say that a request came from anywhere else: as few as there are.
    let widest = if network.addr().is_ipv4() { 8 } else { 16 };
    if network.prefix_len() < widest {
        item.fault(format!("`{network}` would let half the world say who it is"), Some(TRUSTED));
        return None;
    }
    Some(network)
}
