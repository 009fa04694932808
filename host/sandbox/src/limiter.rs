//! Memory and tables of one store. A refusal is remembered: to the guest it looks like any failed allocation, so what ends
//! the guest afterwards would not name it.

use wasmtime::{ResourceLimiter, Result};

use crate::engine::{INSTANCES, MEMORIES, TABLES};

/// What one store may hold.
#[derive(Debug, Clone)]
pub(crate) struct Limiter {
    memory: u64,
    table_elements: usize,
    held: u64,
    last_growth: u64,
    peak: u64,
    refused: bool,
}

impl Limiter {
    /// `memory` in bytes for all memories together, `table_elements` for each table.
    pub(crate) const fn new(memory: u64, table_elements: usize) -> Self {
        Self { memory, table_elements, held: 0, last_growth: 0, peak: 0, refused: false }
    }

    /// Bytes of memory at the highest.
    pub(crate) const fn peak(&self) -> u64 {
        self.peak
    }

    /// Was the guest ever refused memory or table elements.
    pub(crate) const fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        self.last_growth = 0;
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let growth = desired.saturating_sub(current) as u64;
        match self.held.checked_add(growth) {
            Some(held) if held <= self.memory => {
                self.held = held;
                self.last_growth = growth;
                self.peak = self.peak.max(held);
                Ok(true)
            }
            _ => {
                self.refused = true;
                Ok(false)
            }
        }
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> Result<()> {
        self.held = self.held.saturating_sub(self.last_growth);
        self.last_growth = 0;
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let allowed = desired <= self.table_elements;
        self.refused |= !allowed;
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        INSTANCES as usize
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}
