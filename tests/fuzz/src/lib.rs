//! What the fuzz targets share: a home to judge documents in, and second readers that know nothing of the host's own.
//!
//! Only the target `config` brings wasmtime and rmcp, with the feature `gateway`: all others build in a minute or two.

pub mod faults;
pub mod home;
pub mod json;
pub mod log;
pub mod toml;
