//! The tables `[limits]` of a manifest and `[ceilings]` of the operator's file: the same keys.

use wardkeep_model::LimitsPatch;

use crate::document::Table;

/// Reads limits. What is absent or faulty is absent in the answer.
#[must_use]
pub fn limits_patch(mut table: Table<'_>) -> LimitsPatch {
    LimitsPatch {
        fuel: table.optional("fuel").and_then(|item| item.whole(1..=u64::MAX)),
        memory: table.optional("memory").and_then(|item| item.size()),
        deadline: table.optional("deadline").and_then(|item| item.duration()),
        output: table.optional("output").and_then(|item| item.size()),
        host_calls: table.optional("host_calls").and_then(|item| item.whole_u32(1..=u32::MAX)),
        log_lines: table.optional("log_lines").and_then(|item| item.whole_u32(1..=u32::MAX)),
        log_bytes: table.optional("log_bytes").and_then(|item| item.size_u32()),
        table_elements: table.optional("table_elements").and_then(|item| item.whole_u32(1..=u32::MAX)),
        concurrency: table.optional("concurrency").and_then(|item| item.whole_u32(1..=u32::MAX)),
        requests: table.optional("requests").and_then(|item| item.whole_u32(1..=u32::MAX)),
        request_body: table.optional("request_body").and_then(|item| item.size()),
        response_body: table.optional("response_body").and_then(|item| item.size()),
    }
}
