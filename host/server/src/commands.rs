//! One file a command: its arguments, and what it prints.

pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod client_config;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod draft;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod install;
pub(crate) mod keys;
pub(crate) mod kill;
pub(crate) mod kills;
pub(crate) mod remove;
pub(crate) mod revive;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod state;
pub(crate) mod tools;
pub(crate) mod verify;
pub(crate) mod why;
