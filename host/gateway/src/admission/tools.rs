//! The buckets of tools, each for all callers together. By plugin and name, so that neither a reload nor another published name fills one anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use wardkeep_model::{PluginName, ToolName};

use super::bucket::Bucket;

/// Names a tool in the buckets of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ToolId(u32);

/// Tools whose manifests have rates. They are never forgotten: there are as many as approvers have signed since the host began.
#[derive(Debug, Default)]
pub(super) struct Tools(RwLock<HashMap<PluginName, HashMap<ToolName, Arc<OfTool>>>>);

/// What is counted of one tool.
#[derive(Debug)]
pub(super) struct OfTool {
    pub(super) id: ToolId,
    bucket: Mutex<Bucket>,
}

impl Tools {
    pub(super) fn of(&self, plugin: &PluginName, tool: &ToolName) -> Arc<OfTool> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(plugin).and_then(|tools| tools.get(tool)) {
            return Arc::clone(found);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let number = known.values().map(HashMap::len).sum::<usize>();
        let id = ToolId(u32::try_from(number).unwrap_or(u32::MAX));
        let tools = known.entry(plugin.clone()).or_default();
        let new = || Arc::new(OfTool { id, bucket: Mutex::new(Bucket::EMPTY) });
        Arc::clone(tools.entry(tool.clone()).or_insert_with(new))
    }
}

impl OfTool {
    /// Locked last, by one who has the caller locked, and for a few instructions.
    pub(super) fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
