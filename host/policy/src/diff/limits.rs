//! What a call may use, before and after: as the manifests ask for it, before any ceiling of a host.

use std::{fmt, time::Duration};

use serde::Serialize;
use wardkeep_model::{Limits, ToolName};

use crate::manifest::Manifest;

/// One of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the key of that name")]
pub enum Limit {
    Fuel,
    Memory,
    Deadline,
    Output,
    HostCalls,
    LogLines,
    LogBytes,
    TableElements,
    Concurrency,
    Requests,
    RequestBody,
    ResponseBody,
    /// `returns.max`.
    Returned,
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "plain words")]
pub enum Amount {
    Count(u64),
    Bytes(u64),
    Time(Duration),
}

/// A limit that tools share and that changes for all of them alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitChange {
    /// Which.
    pub limit: Limit,
    /// Before; for a tool that is new, what a tool gets whose manifest says nothing.
    pub old: Amount,
    /// After.
    pub new: Amount,
    /// For which tools.
    pub tools: Vec<ToolName>,
}

impl LimitChange {
    /// Whether it is more than before.
    #[must_use]
    pub fn raised(&self) -> bool {
        self.new > self.old
    }
}

/// All that differ, raised ones first.
pub(super) fn of(old: Option<&Manifest>, new: &Manifest) -> Vec<LimitChange> {
    let mut changes: Vec<LimitChange> = Vec::new();
    for name in new.tools().keys() {
        let before = old.and_then(|old| wanted(old, name)).unwrap_or(Limits::DEFAULT);
        let Some(after) = wanted(new, name) else { continue };
        let max = |manifest: &Manifest| manifest.tools().get(name).and_then(|terms| terms.returns.max);
        let (old_max, new_max) = (old.and_then(max), max(new));
        // Where neither says anything, the limit of the whole answer says it all.
        let said = old_max.is_some() || new_max.is_some();
        let returned = |max: Option<u64>, limits: &Limits| {
            said.then(|| (Limit::Returned, Amount::Bytes(max.unwrap_or(limits.output))))
        };
        let olds = amounts(&before).into_iter().chain(returned(old_max, &before));
        let news = amounts(&after).into_iter().chain(returned(new_max, &after));
        for ((limit, old), (_, new)) in olds.zip(news) {
            if old == new {
                continue;
            }
            match changes.iter_mut().find(|known| (known.limit, known.old, known.new) == (limit, old, new)) {
                Some(known) => known.tools.push(name.clone()),
                None => changes.push(LimitChange { limit, old, new, tools: vec![name.clone()] }),
            }
        }
    }
    changes.sort_by_key(|change| (!change.raised(), change.limit));
    changes
}

fn wanted(manifest: &Manifest, tool: &ToolName) -> Option<Limits> {
    manifest.tools().get(tool).map(|terms| Limits::DEFAULT.with(manifest.limits()).with(&terms.limits))
}

/// Each limit with its amount.
#[must_use]
pub fn amounts(limits: &Limits) -> [(Limit, Amount); 12] {
    let Limits {
        fuel,
        memory,
        deadline,
        output,
        host_calls,
        log_lines,
        log_bytes,
        table_elements,
        concurrency,
        requests,
        request_body,
        response_body,
    } = *limits;
    [
        (Limit::Fuel, Amount::Count(fuel)),
        (Limit::Memory, Amount::Bytes(memory)),
        (Limit::Deadline, Amount::Time(deadline)),
        (Limit::Output, Amount::Bytes(output)),
        (Limit::HostCalls, Amount::Count(host_calls.into())),
        (Limit::LogLines, Amount::Count(log_lines.into())),
        (Limit::LogBytes, Amount::Bytes(log_bytes.into())),
        (Limit::TableElements, Amount::Count(table_elements.into())),
        (Limit::Concurrency, Amount::Count(concurrency.into())),
        (Limit::Requests, Amount::Count(requests.into())),
        (Limit::RequestBody, Amount::Bytes(request_body)),
        (Limit::ResponseBody, Amount::Bytes(response_body)),
    ]
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::Deadline => "deadline",
            Self::Output => "output",
            Self::HostCalls => "host_calls",
            Self::LogLines => "log_lines",
            Self::LogBytes => "log_bytes",
            Self::TableElements => "table_elements",
            Self::Concurrency => "concurrency",
            Self::Requests => "requests",
            Self::RequestBody => "request_body",
            Self::ResponseBody => "response_body",
            Self::Returned => "returns.max",
        })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Time(time) => write!(f, "{time:?}"),
            Self::Bytes(bytes) => {
                const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
                // Exactly, or in bytes: two amounts that differ must not look alike.
                match UNITS.iter().find(|(unit, _)| *bytes >= *unit && bytes % unit == 0) {
                    Some((unit, name)) => write!(f, "{}{name}", bytes / unit),
                    None => write!(f, "{bytes}B"),
                }
            }
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
