//! How many calls run at once, of a tool, of a plugin and in all, and of how many callers. A call whose tool is busy waits a moment for its
//! turn; what finds no place then is told when to come again.

mod places;

use std::time::Duration;

use wardkeep_model::{Limits, ToolName};

use places::Taken;
pub(crate) use places::{Caller, Callers, Places};

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
    _of_tool: Taken,
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

/// Takes a place of the tool and one of all for this caller, or none.
pub(crate) async fn admit(
    room: &Room,
    plugin: &Plugin,
    tool: &ToolName,
    limits: &Limits,
    caller: &str,
) -> Result<Ticket, NotAdmitted> {
    let full = NotAdmitted::Throttled { retry_after: RETRY_AFTER };
    let own = plugin.0.tools.get(tool).ok_or(NotAdmitted::OutOfService)?;
    if plugin.is_out_of_service() {
        return Err(NotAdmitted::OutOfService);
    }
    let caller = room.caller(caller);
    let of_tool = own.places.take(caller).await.ok_or(full)?;
    // It may have been put out of service by those that ran meanwhile.
    if plugin.is_out_of_service() {
        return Err(NotAdmitted::OutOfService);
    }
    let of_all = room.take(plugin.name(), caller, limits.memory).ok_or(full)?;
    Ok(Ticket { plugin: plugin.clone(), tool: tool.clone(), _of_tool: of_tool, _of_all: of_all })
}
