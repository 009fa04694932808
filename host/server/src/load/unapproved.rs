//! What is wrong with a plugin that nobody has approved yet: told together, so that whoever signs need not sign twice. Nothing of it is
//! served; its component is compiled as `wardkeep inspect` does it, and only if it is the one that the manifest names.

use std::path::Path;

use jiff::Timestamp;
use wardkeep_model::Digest;
use wardkeep_policy::{Candidate, Evidence, Fault, Faults, Reviewed, Revocations, review};

use super::{Found, Rejected, Terms};
use crate::{
    comparison::{Beside, Seen, directory_of},
    compiling,
    home::Home,
    screen::{Told as _, chain, escaped},
    state::State,
};

/// Adds to what was refused for its manifest what is wrong with its component.
pub(crate) async fn look_further(
    found: &[Found],
    rejected: &mut [Rejected],
    terms: &Terms,
    state: &State,
    now: Timestamp,
) {
    let revocations = terms.revocations(state);
    for found in found {
        let Some(rejected) = rejected.iter_mut().find(|rejected| rejected.plugin == found.name) else { continue };
        let known = found.name.parse().ok().and_then(|name| state.plugins.get(&name).copied());
        // One that is approved was refused for its component, which was looked at.
        if found.approve(terms, &revocations, known.map(|known| (known.serial, known.manifest)), now).is_err()
            && let Some(reviewed) = found.review(terms, &revocations, now)
        {
            rejected.faults.extend(component(found, &reviewed, terms, &revocations).await);
        }
    }
}

async fn component(found: &Found, reviewed: &Reviewed, terms: &Terms, revocations: &Revocations) -> Faults {
    let bytes = match found.component(&reviewed.manifest().component().file) {
        Ok(bytes) => bytes,
        Err(faults) => return faults,
    };
    let digest = Digest::of(&bytes);
    let wrong = reviewed.bytes(digest, revocations);
    // A revoked one is told with the manifest already.
    if !wrong.is_empty() || revocations.revokes_component(&digest) {
        return if revocations.revokes_component(&digest) { Faults::none() } else { wrong };
    }
    let fault = |text: &str| found.fault("component.file", escaped(text)).into();
    let engine = match compiling::plain() {
        Ok(engine) => engine,
        Err(error) => return fault(&chain(&error)),
    };
    match engine.inspect(bytes.into()).await {
        Ok(inspected) => {
            let seen = inspected.inspection();
            let evidence = Evidence { component: seen.digest, imports: &seen.imports, description: &seen.description };
            reviewed.component(evidence, &terms.host, revocations)
        }
        Err(error) => fault(&chain(&error)),
    }
}

/// What this home would refuse of a manifest that is about to be signed, wherever it lies.
pub(crate) fn refusals(
    home: &Home,
    path: &Path,
    seen: &Seen,
    bytes: &[u8],
    (terms, state): (&Terms, &State),
    now: Timestamp,
) -> Faults {
    let revocations = terms.revocations(state);
    let name = seen.manifest.name();
    let known = state.plugins.get(name).map(|known| (known.serial, known.manifest));
    let (file, at) = (path.told(), directory_of(path));
    // Elsewhere than in the home the directory has no say: `install` puts it where it belongs.
    let inside = at.parent().is_some_and(|parent| same(parent, &home.plugins()));
    let own = at.file_name().and_then(|name| name.to_str()).filter(|_| inside).unwrap_or(name.as_str());
    let candidate = Candidate { file: &file, directory: own, manifest: bytes, signatures: &[], known };
    let (reviewed, mut faults) = review(&candidate, &terms.trust, &revocations, &terms.host, now);
    let Some(reviewed) = reviewed else { return faults };
    match &seen.beside {
        None => {
            let message = format!("`{}` is not beside it", escaped(&seen.manifest.component().file));
            faults.push(
                Fault::of(&file, message).at(None, "component.file").mend("put the component there, under that name"),
            );
        }
        Some(Beside { digest, inspection: None }) => faults.extend(reviewed.bytes(*digest, &revocations)),
        Some(Beside { inspection: Some(seen), .. }) => {
            let evidence = Evidence { component: seen.digest, imports: &seen.imports, description: &seen.description };
            faults.extend(reviewed.component(evidence, &terms.host, &revocations));
        }
    }
    faults
}

fn same(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}
