//! Hostile and harmless guests through the real engine. Each test asserts how the call ended, what it cost and what was noted.

mod bounds;
mod confined;
mod fleet;
mod grants;
mod guest;
pub(crate) mod host;
mod inner;
mod inspecting;
mod isolation;
mod running;
mod secrets;
mod served;

pub(crate) use guest::Guest;
pub(crate) use running::{Call, ENGINE, wait};
