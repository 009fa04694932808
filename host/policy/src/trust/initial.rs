//! The first `trust.toml` of a home.

use jiff::civil::Date;

use crate::{document::basic_string, key::PublicKey};

use super::Trust;

/// What `init` knows of the first approver.
#[derive(Debug, Clone, Copy)]
pub struct InitialTrust<'a> {
    /// The person's name.
    pub person: &'a str,
    /// The person's key.
    pub key: &'a PublicKey,
    /// The last day.
    pub expires: Date,
}

impl Trust {
    /// Writes the document of one approver.
    #[must_use]
    pub fn render_initial(initial: &InitialTrust<'_>) -> String {
        let InitialTrust { person, key, expires } = initial;
        let name = basic_string(person);
        let line = basic_string(&format!("{key} {person}"));
        format!(
            "# Who may approve manifests. wardkeep.toml pins the digest of this file: after a change, pin the new one.\n\
             format = 1\n\
             version = 1\n\
             expires = {expires}\n\
             \n\
             # How many people must sign, by the gravest effect of a manifest's tools. These are the defaults.\n\
             # [thresholds]\n\
             # read = 1\n\
             # write = 1\n\
             # destructive = 2\n\
             \n\
             [approvers.{name}]\n\
             keys = [{line}]\n"
        )
    }
}
