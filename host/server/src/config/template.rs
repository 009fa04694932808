//! The operator's file as `init` writes it: every key that can be set, with its default.

use wardkeep_model::Digest;
use wardkeep_policy::document::basic_string;

const TEMPLATE: &str = include_str!("wardkeep.toml");

/// A first operator's file for the user of this home.
pub(crate) fn render(root: Digest, user: &str) -> String {
    TEMPLATE
        .replace("{{root_sha256}}", &root.to_string())
        .replace("{{principal}}", &basic_string(&format!("user:{user}")))
}
