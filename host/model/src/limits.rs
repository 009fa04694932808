//! What one call may use. A manifest asks, the operator's ceilings cap, the smaller of the two holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of one call, and how many calls of a tool may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Units of wasmtime fuel; about one a wasm instruction.
    pub fuel: u64,
    /// Bytes of linear memory, all memories of the component together.
    pub memory: u64,
    /// Wall-clock time from the start of the guest, waiting in the host included.
    pub deadline: Duration,
    /// Bytes of the answer: text, media and structured content together, and 32 for each block and each item of a list.
    pub output: u64,
    /// Calls of capability functions (files and so on; the log does not count here).
    pub host_calls: u32,
    /// Lines that a call may write into the log.
    pub log_lines: u32,
    /// Bytes of one log line; what is longer is cut.
    pub log_bytes: u32,
    /// Elements of one table.
    pub table_elements: u32,
    /// Calls of one tool that run at once.
    pub concurrency: u32,
    /// Requests that a call may send.
    pub requests: u32,
    /// Bytes of one request's body.
    pub request_body: u64,
    /// Bytes of one response's body.
    pub response_body: u64,
}

/// What compiling one component may use, in a process of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileLimits {
    /// Processor time, of all threads together. Ten times as long by the clock.
    pub time: Duration,
    /// Bytes of memory that can be written to.
    pub memory: u64,
}

impl Default for CompileLimits {
    /// Several times what a Python of 18 MB takes, the largest component that is known to be honest.
    fn default() -> Self {
        Self { time: Duration::from_secs(120), memory: 2 << 30 }
    }
}

/// Some of the limits, as a document names them; what is absent is taken from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the fields are those of `Limits`")]
pub struct LimitsPatch {
    pub fuel: Option<u64>,
    pub memory: Option<u64>,
    pub deadline: Option<Duration>,
    pub output: Option<u64>,
    pub host_calls: Option<u32>,
    pub log_lines: Option<u32>,
    pub log_bytes: Option<u32>,
    pub table_elements: Option<u32>,
    pub concurrency: Option<u32>,
    pub requests: Option<u32>,
    pub request_body: Option<u64>,
    pub response_body: Option<u64>,
}

const MIB: u64 = 1 << 20;

impl Limits {
    /// What a tool gets whose manifest says nothing.
    pub const DEFAULT: Self = Self {
        fuel: 1_000_000_000,
        memory: 64 * MIB,
        deadline: Duration::from_secs(10),
        output: 256 << 10,
        host_calls: 64,
        log_lines: 100,
        log_bytes: 4 << 10,
        table_elements: 20_000,
        concurrency: 8,
        requests: 32,
        request_body: MIB,
        response_body: 4 * MIB,
    };

    /// What the host allows at most where the operator's file says nothing.
    pub const CEILING: Self = Self {
        fuel: 20_000_000_000,
        memory: 256 * MIB,
        deadline: Duration::from_secs(60),
        output: 4 * MIB,
        host_calls: 1_000,
        log_lines: 1_000,
        log_bytes: 16 << 10,
        table_elements: 100_000,
        // far below what a host runs at once; what one plugin may take of that, the sandbox bounds besides
        concurrency: 32,
        requests: 500,
        request_body: 16 * MIB,
        response_body: 64 * MIB,
    };

    /// These limits with what the patch names put in their place.
    #[must_use]
    pub fn with(self, patch: &LimitsPatch) -> Self {
        Self {
            fuel: patch.fuel.unwrap_or(self.fuel),
            memory: patch.memory.unwrap_or(self.memory),
            deadline: patch.deadline.unwrap_or(self.deadline),
            output: patch.output.unwrap_or(self.output),
            host_calls: patch.host_calls.unwrap_or(self.host_calls),
            log_lines: patch.log_lines.unwrap_or(self.log_lines),
            log_bytes: patch.log_bytes.unwrap_or(self.log_bytes),
            table_elements: patch.table_elements.unwrap_or(self.table_elements),
            concurrency: patch.concurrency.unwrap_or(self.concurrency),
            requests: patch.requests.unwrap_or(self.requests),
            request_body: patch.request_body.unwrap_or(self.request_body),
            response_body: patch.response_body.unwrap_or(self.response_body),
        }
    }

    /// The smaller of each.
    #[must_use]
    pub fn capped(self, ceiling: &Self) -> Self {
        Self {
            fuel: self.fuel.min(ceiling.fuel),
            memory: self.memory.min(ceiling.memory),
            deadline: self.deadline.min(ceiling.deadline),
            output: self.output.min(ceiling.output),
            host_calls: self.host_calls.min(ceiling.host_calls),
            log_lines: self.log_lines.min(ceiling.log_lines),
            log_bytes: self.log_bytes.min(ceiling.log_bytes),
            table_elements: self.table_elements.min(ceiling.table_elements),
            concurrency: self.concurrency.min(ceiling.concurrency),
            requests: self.requests.min(ceiling.requests),
            request_body: self.request_body.min(ceiling.request_body),
            response_body: self.response_body.min(ceiling.response_body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_lowers_and_never_raises() {
        let asked = Limits { fuel: u64::MAX, concurrency: 1, ..Limits::DEFAULT };
        let capped = asked.capped(&Limits::CEILING);
        assert_eq!(capped.fuel, Limits::CEILING.fuel);
        assert_eq!(capped.concurrency, 1);
    }

    #[test]
    fn the_defaults_lie_under_the_ceilings() {
        assert_eq!(Limits::DEFAULT.capped(&Limits::CEILING), Limits::DEFAULT);
    }
}
