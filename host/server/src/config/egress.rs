//! `[egress]`: what the operator adds to what grants may reach. It opens nothing by itself: a grant has to name it too.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use wardkeep_policy::document::{Item, Table, quoted};

/// Networks, authorities and name servers of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Egress {
    /// A file of certificates (PEM) that are trusted besides those of the Web.
    pub(crate) ca: Option<PathBuf>,
    /// Networks that are not public and that grants may name.
    pub(crate) private: Vec<IpNet>,
    /// Where names are asked for; none: where the system asks.
    pub(crate) name_servers: Vec<SocketAddr>,
    /// Whether a credential may go in the clear to this machine itself.
    pub(crate) cleartext_to_loopback: bool,
}

pub(super) fn read(mut table: Table<'_>, directory: &Path) -> Option<Egress> {
    let ca = match table.optional("ca") {
        Some(item) => item.line_of_text(1..=4096).map(|path| Some(directory.join(path))),
        None => Some(None),
    };
    let private = table.optional("private").map_or(Some(Vec::new()), |item| item.list_of(network));
    let name_servers = table.optional("name_servers").map_or(Some(Vec::new()), |item| item.list_of(name_server));
    let cleartext = table.optional("cleartext_to_loopback").map_or(Some(false), |item| item.boolean());
    drop(table);
    Some(Egress { ca: ca?, private: private?, name_servers: name_servers?, cleartext_to_loopback: cleartext? })
}

fn network(item: &Item<'_>) -> Option<IpNet> {
    let text = item.text()?;
    let Ok(net) = text.parse::<IpNet>() else {
        item.fault(format!("{} is no network", quoted(text)), Some("\"10.2.0.0/16\", an address and its bits"));
        return None;
    };
    if net.trunc() != net {
        item.fault(format!("`{net}` names an address inside of a network"), Some(&format!("\"{}\"", net.trunc())));
        return None;
    }
    // A grant opens what it names as far as it is named here: the whole world would leave that to manifests alone.
    if net.prefix_len() == 0 {
        item.fault(format!("`{net}` is every address there is"), Some("name the networks that are meant"));
        return None;
    }
    Some(net)
}

fn name_server(item: &Item<'_>) -> Option<SocketAddr> {
    let text = item.text()?;
    let parsed = text.parse().ok();
    if parsed.is_none() {
        item.fault(format!("{} is no address with a port", quoted(text)), Some("\"127.0.0.1:53\""));
    }
    parsed
}
