//! `wardkeep:log` and what a guest writes to its standard output and error: lines for the operator's log, never for a client.
//!
//! Lines go to the tracing target `guest` with plugin, tool and correlation id. A line cannot forge another: control
//! characters are escaped. How many and how long is bounded; what is dropped is counted.

use std::{borrow::Cow, sync::Arc};

use wardkeep_model::{CorrelationId, Limits, PluginName, ToolName, tidy};

use crate::{CallState, Reach, bindings::log};

/// Whose lines they are.
#[derive(Debug, Clone)]
pub struct LogContext {
    /// The plugin that writes.
    pub plugin: PluginName,
    /// The tool that is running.
    pub tool: ToolName,
    /// The call.
    pub correlation: CorrelationId,
}

/// How much a line matters; guests name it in `wardkeep:log`, standard output and error are `Info` and `Warn`.
pub(crate) use log::Level;

/// The log of one call.
#[derive(Debug)]
pub(crate) struct GuestLog {
    context: Option<LogContext>,
    /// Whose secrets must not stand in a line.
    reach: Arc<Reach>,
    lines_left: u32,
    line_bytes: usize,
    /// Only how much was said is told.
    pub(crate) hides_words: bool,
    pub(crate) dropped: u32,
    /// Lines in which the guard replaced something.
    pub(crate) secrets_replaced: u32,
    /// What was written to standard output and error since the last end of a line.
    partial: [Vec<u8>; 2],
}

/// The two standard streams that a guest can write to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Standard {
    Output = 0,
    Error = 1,
}

impl GuestLog {
    pub(crate) fn new(context: Option<LogContext>, limits: &Limits, reach: Arc<Reach>) -> Self {
        Self {
            context,
            reach,
            lines_left: limits.log_lines,
            line_bytes: limits.log_bytes as usize,
            hides_words: false,
            dropped: 0,
            secrets_replaced: 0,
            partial: [Vec::new(), Vec::new()],
        }
    }

    pub(crate) fn line(&mut self, level: Level, message: &str) {
        // Without a context it is `describe` that writes: nobody asked it to.
        let Some(context) = &self.context else { return };
        let Some(left) = self.lines_left.checked_sub(1) else {
            self.dropped = self.dropped.saturating_add(1);
            return;
        };
        self.lines_left = left;
        let guard = self.reach.secrets.guard();
        let clean = guard.as_ref().map_or(Cow::Borrowed(message), |guard| guard.without(message));
        if matches!(clean, Cow::Owned(_)) {
            self.secrets_replaced = self.secrets_replaced.saturating_add(1);
        }
        let line = match self.hides_words {
            false => escaped(&clean, self.line_bytes),
            true => format!("[{} bytes that `returns` in the manifest keeps from the log]", message.len()),
        };
        let LogContext { plugin, tool, correlation } = context;
        match level {
            Level::Debug => tracing::debug!(target: "guest", %plugin, %tool, %correlation, "{line}"),
            Level::Info => tracing::info!(target: "guest", %plugin, %tool, %correlation, "{line}"),
            Level::Warn => tracing::warn!(target: "guest", %plugin, %tool, %correlation, "{line}"),
            Level::Error => tracing::error!(target: "guest", %plugin, %tool, %correlation, "{line}"),
        }
    }

    /// Bytes of a standard stream: a line for each end of line, or when one is as long as a line may be.
    pub(crate) fn stream(&mut self, stream: Standard, bytes: &[u8]) {
        if self.context.is_none() {
            return;
        }
        // Nothing more can be written: a write counts as one line, and its bytes are not even looked at, which no fuel would pay.
        if self.lines_left == 0 {
            self.dropped = self.dropped.saturating_add(u32::from(!bytes.is_empty()));
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let mut rest = text;
            loop {
                let partial = self.partial(stream);
                let held = partial.len();
                let (now, later) = rest.split_at(rest.len().min(self.line_bytes.saturating_sub(held)));
                self.partial(stream).extend_from_slice(now);
                rest = later;
                if rest.is_empty() {
                    break;
                }
                self.flush(stream);
                if self.lines_left == 0 {
                    // All that is left would be dropped: counted once, so that a flood costs nothing more.
                    break;
                }
            }
            if ended {
                self.flush(stream);
            }
        }
    }

    fn partial(&mut self, stream: Standard) -> &mut Vec<u8> {
        let [output, error] = &mut self.partial;
        match stream {
            Standard::Output => output,
            Standard::Error => error,
        }
    }

    fn flush(&mut self, stream: Standard) {
        let line = std::mem::take(self.partial(stream));
        let level = match stream {
            Standard::Output => Level::Info,
            Standard::Error => Level::Warn,
        };
        self.line(level, &String::from_utf8_lossy(&line));
    }

    /// Writes what the streams still hold.
    pub(crate) fn finish(&mut self) {
        for stream in [Standard::Output, Standard::Error] {
            if !self.partial(stream).is_empty() {
                self.flush(stream);
            }
        }
    }
}

impl log::Host for CallState {
    async fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.log.line(level, &message);
        Ok(())
    }
}

/// A guest's text for a line of the log: hidden characters written out, at most `max` bytes.
#[must_use]
pub fn escaped(text: &str, max: usize) -> String {
    // What is cut anyway is not looked at: nothing gets shorter by being written out.
    let start = text.char_indices().map(|(at, _)| at).find(|at| *at > max).unwrap_or(text.len());
    let mut line = text.get(..start).unwrap_or(text).to_owned();
    tidy(&mut line, max);
    line
}

#[cfg(test)]
mod tests;
