//! What this home last took into service of each plugin, kept for comparison: an admin who edits a manifest where it lies leaves nothing
//! else to compare with. Kept in `state/approved/`; it proves itself by the digests that state and manifest pin, and decides nothing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wardkeep_model::{Description, Digest, PluginName};
use wardkeep_policy::{PluginTerms, manifest::Manifest};

use crate::{
    comparison::Seen,
    document::MANIFEST,
    home::{Home, ReadError, cap, create_directory, read_file, write_durable},
    screen::note,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    manifest: String,
    description: Description,
}

fn file(home: &Home, plugin: &PluginName) -> PathBuf {
    home.state().join("approved").join(format!("{plugin}.json"))
}

/// Keeps what was taken into service. A failure costs a comparison and nothing else.
pub(crate) fn keep<'a>(home: &Home, served: impl Iterator<Item = &'a PluginTerms>) {
    for terms in served {
        let name = terms.plugin();
        if read(home, name, terms.manifest().digest()).is_ok_and(|kept| kept.is_some()) {
            continue;
        }
        if let Err(error) = keep_one(home, terms) {
            note(format!("what `wardkeep diff` would compare `{name}` with cannot be kept: {error:#}"));
        }
    }
}

fn keep_one(home: &Home, terms: &PluginTerms) -> anyhow::Result<()> {
    let manifest = read_file(&home.plugins().join(terms.plugin().as_str()).join(MANIFEST), cap::DOCUMENT)?;
    if Digest::of(&manifest) != terms.manifest().digest() {
        // Replaced since it was loaded: the next load keeps it.
        return Ok(());
    }
    let kept = Kept { manifest: String::from_utf8(manifest)?, description: terms.description().clone() };
    let path = file(home, terms.plugin());
    create_directory(&home.state().join("approved"))?;
    Ok(write_durable(&path, &serde_json::to_vec(&kept)?, 0o600)?)
}

/// What was kept of the manifest with this digest. What does not fit its digests is as good as nothing.
pub(crate) fn read(home: &Home, plugin: &PluginName, accepted: Digest) -> anyhow::Result<Option<Seen>> {
    let bytes = match read_file(&file(home, plugin), cap::STATE) {
        Ok(bytes) => bytes,
        Err(ReadError::Absent(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Ok(Kept { manifest, description }) = serde_json::from_slice(&bytes) else { return Ok(None) };
    if Digest::of(manifest.as_bytes()) != accepted {
        return Ok(None);
    }
    let Ok(manifest) = Manifest::parse("the manifest last taken into service", manifest.as_bytes()) else {
        return Ok(None);
    };
    let fits = description.contract_digest() == manifest.component().contract_sha256;
    let origin = "last taken into service".to_owned();
    Ok(Some(Seen { origin, description: fits.then_some(description), manifest, beside: None }))
}
