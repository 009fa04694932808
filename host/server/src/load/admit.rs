//! Would this home serve these bytes beside what it has already: everything that loading asks, asked before anything is written.

use std::sync::Arc;

use jiff::Timestamp;
use wardkeep_model::{Digest, PluginName, PublishedName};
use wardkeep_policy::{Candidate, Fault, Faults, PluginTerms, approve, manifest::Manifest};

use super::{Terms, find, terms_of};
use crate::{
    bundle::Bundle,
    compiling::{self, Keep},
    home::Home,
    screen::chain,
    state::State,
};

/// A plugin that this home would serve.
pub(crate) struct Admitted {
    pub(crate) terms: Arc<PluginTerms>,
    /// Fingerprints of the keys that signed.
    pub(crate) signed_by: Vec<String>,
}

/// Asks all of it; nothing of the home is changed.
pub(crate) async fn admit(
    home: &Home,
    bundle: &Bundle,
    terms: &Terms,
    state: &State,
    now: Timestamp,
) -> anyhow::Result<Admitted> {
    let revocations = terms.revocations(state);
    // Where it will lie is for us to choose: the directory is named as the plugin.
    let parsed = Manifest::parse(&bundle.file, &bundle.manifest);
    let name: Option<PluginName> = parsed.as_ref().ok().map(|manifest| manifest.name().clone());
    let known = name.as_ref().and_then(|name| state.plugins.get(name)).map(|known| (known.serial, known.manifest));
    let directory = name.as_ref().map_or("", PluginName::as_str);
    let beside = format!("{}.sigs", bundle.file);
    let signatures: Vec<_> =
        bundle.signatures.iter().map(|(name, bytes)| (format!("{beside}/{name}"), bytes.clone())).collect();
    let (file, manifest, signatures) = (bundle.file.as_str(), bundle.manifest.as_slice(), signatures.as_slice());
    let candidate = Candidate { file, directory, manifest, signatures, known };
    let approved = match (approve(&candidate, &terms.trust, &revocations, &terms.host, now), parsed) {
        (Ok(approved), _) => approved,
        // Of a manifest that cannot be read nobody knows which directory it asks for.
        (Err(faults), Err(_)) => {
            let mut told = Faults::none();
            told.extend(
                faults
                    .into_iter()
                    .filter(|fault| fault.key != "plugin.name" || !fault.message.contains("lies in a directory")),
            );
            return Err(told.into());
        }
        (Err(faults), Ok(_)) => return Err(faults.into()),
    };
    collisions(home, approved.manifest(), terms, state, now)?;
    let bytes = bundle.component()?;
    approved.admits(Digest::of(bytes), &revocations)?;
    let fault =
        |error: &dyn std::error::Error| Faults::from(Fault::of(&bundle.file, chain(error)).at(None, "component.file"));
    let signed_by = approved.signers().iter().map(|key| key.fingerprint().to_owned()).collect();
    let engine = compiling::engine(home, terms, Keep::Reads)?;
    let inspected = engine.inspect(bytes.to_vec().into()).await.map_err(|error| fault(&error))?;
    let plugin = Arc::new(terms_of(approved, &inspected, terms, &revocations)?);
    engine.load(&inspected, &plugin).map_err(|error| fault(&error))?;
    Ok(Admitted { terms: plugin, signed_by })
}

/// Published names that another installed plugin has already: on loading, one of the two would be out.
fn collisions(home: &Home, manifest: &Manifest, terms: &Terms, state: &State, now: Timestamp) -> anyhow::Result<()> {
    let revocations = terms.revocations(state);
    let mut faults = Faults::none();
    let others = find(home)?.0.into_iter().filter(|found| found.name != manifest.name().as_str());
    for other in others {
        let known = other.name.parse().ok().and_then(|name: PluginName| state.plugins.get(&name).copied());
        // One that is refused publishes nothing.
        let Ok(approved) = other.approve(terms, &revocations, known.map(|known| (known.serial, known.manifest)), now)
        else {
            continue;
        };
        let taken = |published: &PublishedName| {
            approved.manifest().tools().values().find(|theirs| theirs.published == *published)
        };
        for tool in manifest.tools().values() {
            if let Some(theirs) = taken(&tool.published) {
                let message = format!(
                    "`{}` is also the published name of `{}` in plugin `{}`",
                    tool.published, theirs.name, other.name
                );
                let fault = Fault::of(manifest.file(), message).at(None, &format!("tools.{}", tool.name));
                faults.push(fault.mend("give one of them another `publish_as`"));
            }
        }
    }
    Ok(faults.unless(())?)
}
