//! The shape of `[grants.http.<name>]`. This host cannot enforce such a grant yet; its words are checked all the same, so that a
//! manifest written for a later host is told all its faults at once.

use crate::document::{Item, Table, quoted};

use super::Grant;

pub(super) fn read(mut table: Table<'_>, secrets: &[&str]) -> Option<Grant> {
    let _ = table.optional("scheme").and_then(|item| item.choice(&[("https", ()), ("http", ())]));
    let _ = table.required("host", "host = \"api.example.com\"").and_then(|item| item.read_with(host));
    let _ = table.optional("port").and_then(|item| item.whole(1..=65_535));
    let _ = table.required("methods", "methods = [\"GET\"]").and_then(|item| item.list_of(method));
    let _ = table.required("paths", "paths = [\"/v1/\"]").and_then(|item| item.list_of(path));
    if let Some(item) = table.optional("secret")
        && let Some(name) = item.text()
        && !secrets.contains(&name)
    {
        item.fault(
            "no secret of this name is in [secrets]",
            Some(&format!("add a table for {} to [secrets]", quoted(name))),
        );
    }
    let read_only = table.optional("read_only").and_then(|item| item.boolean()).unwrap_or(false);
    let _ = table.optional("private").and_then(|item| item.list_of(network));
    Some(Grant::Http { read_only })
}

fn host(text: &str) -> Result<(), &'static str> {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let valid = name.len() <= 253 && name.split('.').all(label) && (name == text || name.contains('.'));
    if valid { Ok(()) } else { Err("a host is an exact name in lower case, or `*.` before one for one or more labels") }
}

fn method(item: &Item<'_>) -> Option<()> {
    let known = |text: &str| matches!(text, "GET" | "HEAD" | "OPTIONS" | "POST" | "PUT" | "PATCH" | "DELETE");
    item.read_with(|text| if known(text) { Ok(()) } else { Err("not a method, such as GET or POST") })
}

fn path(item: &Item<'_>) -> Option<()> {
    item.read_with(|text| {
        let path = text.strip_prefix('=').unwrap_or(text);
        let plain = path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'?' | b'#'));
        let valid = path.starts_with('/') && plain && !path.contains("//") && !path.split('/').any(|part| part == "..");
        if valid {
            Ok(())
        } else {
            Err("a path begins with `/`, or with `=/` to be exact, and holds no `//`, `..`, `?` or `#`")
        }
    })
}

fn network(item: &Item<'_>) -> Option<()> {
    item.read_with(|text| {
        let (address, bits) = text.split_once('/').unwrap_or_default();
        let most = address.parse().map(|address: std::net::IpAddr| if address.is_ipv4() { 32 } else { 128 });
        let valid = most.is_ok_and(|most| bits.parse::<u8>().is_ok_and(|bits| bits <= most));
        if valid { Ok(()) } else { Err("a network is an address and its bits, such as `10.2.0.0/16`") }
    })
}
