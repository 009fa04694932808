//! `[ceilings]`: the keys of a manifest's limits, as the most that this host gives to any call.

use std::time::Duration;

use wardkeep_model::{Limits, LimitsPatch};
use wardkeep_policy::document::Table;

const LONGEST: Duration = Duration::from_secs(3600);

pub(super) fn read(mut table: Table<'_>) -> Limits {
    let deadline = table.optional("deadline").and_then(|item| {
        let deadline = item.duration()?;
        if deadline > LONGEST {
            item.fault("is more than an hour", Some("deadline = \"1h\""));
        }
        Some(deadline)
    });
    let memory = table.optional("memory").and_then(|item| {
        let memory = item.size()?;
        if memory > 4 << 30 {
            item.fault("is more than a component can address", Some("memory = \"4GiB\""));
        }
        Some(memory)
    });
    // What could not be read has left a fault, and with a fault nothing of this is used.
    Limits::CEILING.with(&LimitsPatch {
        fuel: table.optional("fuel").and_then(|item| item.whole(1..=i64::MAX.unsigned_abs())),
        memory,
        deadline,
        output: table.optional("output").and_then(|item| item.size()),
        host_calls: table.optional("host_calls").and_then(|item| item.whole_u32(1..=u32::MAX)),
        log_lines: table.optional("log_lines").and_then(|item| item.whole_u32(0..=u32::MAX)),
        log_bytes: table.optional("log_bytes").and_then(|item| item.size_u32()),
        table_elements: table.optional("table_elements").and_then(|item| item.whole_u32(1..=u32::MAX)),
        concurrency: table.optional("concurrency").and_then(|item| item.whole_u32(1..=1_000)),
    })
}
