//! Limits that the host's ceilings cut.

use wardkeep_model::{Limits, LimitsPatch};

use crate::{
    approval::HostTerms,
    document::Fault,
    manifest::{Manifest, ToolTerms},
    plugin::wanted,
};

pub(super) fn capped(manifest: &Manifest, terms: &ToolTerms, host: &HostTerms) -> Vec<Fault> {
    let (wanted, held) = (wanted(manifest, terms), wanted(manifest, terms).capped(&host.ceilings));
    let told = |(name, wanted, held): (&str, String, String)| {
        let at = match names(&terms.limits, name) {
            true => format!("tools.{}.limits.{name}", terms.name),
            false => format!("limits.{name}"),
        };
        manifest.fault(&at, format!("{wanted} is above the host's ceiling; `{}` gets {held}", terms.name))
    };
    rows(&wanted, &held).into_iter().map(told).collect()
}

fn rows(wanted: &Limits, held: &Limits) -> Vec<(&'static str, String, String)> {
    let rows = [
        ("fuel", wanted.fuel.to_string(), held.fuel.to_string()),
        ("memory", format!("{}B", wanted.memory), format!("{}B", held.memory)),
        ("deadline", format!("{:?}", wanted.deadline), format!("{:?}", held.deadline)),
        ("output", format!("{}B", wanted.output), format!("{}B", held.output)),
        ("host_calls", wanted.host_calls.to_string(), held.host_calls.to_string()),
        ("log_lines", wanted.log_lines.to_string(), held.log_lines.to_string()),
        ("log_bytes", format!("{}B", wanted.log_bytes), format!("{}B", held.log_bytes)),
        ("table_elements", wanted.table_elements.to_string(), held.table_elements.to_string()),
        ("concurrency", wanted.concurrency.to_string(), held.concurrency.to_string()),
        ("requests", wanted.requests.to_string(), held.requests.to_string()),
        ("request_body", format!("{}B", wanted.request_body), format!("{}B", held.request_body)),
        ("response_body", format!("{}B", wanted.response_body), format!("{}B", held.response_body)),
    ];
    rows.into_iter().filter(|(_, wanted, held)| wanted != held).collect()
}

fn names(patch: &LimitsPatch, name: &str) -> bool {
    match name {
        "fuel" => patch.fuel.is_some(),
        "memory" => patch.memory.is_some(),
        "deadline" => patch.deadline.is_some(),
        "output" => patch.output.is_some(),
        "host_calls" => patch.host_calls.is_some(),
        "log_lines" => patch.log_lines.is_some(),
        "log_bytes" => patch.log_bytes.is_some(),
        "table_elements" => patch.table_elements.is_some(),
        "concurrency" => patch.concurrency.is_some(),
        "requests" => patch.requests.is_some(),
        "request_body" => patch.request_body.is_some(),
        "response_body" => patch.response_body.is_some(),
        _ => false,
    }
}
