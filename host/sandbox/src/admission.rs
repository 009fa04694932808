//! How many calls run at once, of a tool, of a plugin and in all. Nobody queues: what finds no place is told when to come again.

use std::{sync::Arc, time::Duration};

use tokio::sync::OwnedSemaphorePermit;
use wardkeep_model::{Limits, ToolName};

use crate::{
    Plugin,
    room::{Place, Room},
};

/// What a caller is told who finds no place: about one call's time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A place for one call of one tool. Given back when it is dropped; a call that runs holds it to its real end.
#[derive(Debug)]
pub struct Ticket {
    pub(crate) plugin: Plugin,
    pub(crate) tool: ToolName,
    _of_tool: OwnedSemaphorePermit,
    _of_all: Place,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// All places are taken.
    #[error("too many calls at once; try again in {} s", retry_after.as_secs())]
    Throttled {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The plugin is not called any more until the next load: host functions panicked in its calls.
    #[error("the plugin is out of service")]
    OutOfService,
}

/// Takes a place of the tool and one of all, or none.
pub(crate) fn admit(room: &Room, plugin: &Plugin, tool: &ToolName, limits: &Limits) -> Result<Ticket, NotAdmitted> {
    if plugin.is_out_of_service() {
        return Err(NotAdmitted::OutOfService);
    }
    let full = NotAdmitted::Throttled { retry_after: RETRY_AFTER };
    let own = plugin.0.tools.get(tool).ok_or(NotAdmitted::OutOfService)?;
    let of_tool = Arc::clone(&own.places).try_acquire_owned().map_err(|_| full)?;
    let of_all = room.take(plugin.name(), limits.memory).ok_or(full)?;
    Ok(Ticket { plugin: plugin.clone(), tool: tool.clone(), _of_tool: of_tool, _of_all: of_all })
}
