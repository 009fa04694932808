//! Plugins side by side: where two publish one name, the later one is out, and all others stay.

use std::sync::Arc;

use wardkeep_policy::{Faults, Revocations, Snapshot, Trust};

use super::{Rejected, Served};

/// A plugin that wants to serve, and the one that goes on in its place if it may not.
pub(crate) struct Contender {
    pub(crate) served: Served,
    pub(crate) fallback: Option<Served>,
}

impl Contender {
    pub(crate) fn new(served: Served) -> Self {
        Self { served, fallback: None }
    }
}

/// The snapshot of those that go together. Earlier ones have precedence; of those that served together before, none is ever out.
pub(crate) fn together(
    mut contenders: Vec<Contender>,
    rejected: &mut Vec<Rejected>,
    trust: &Trust,
    revocations: &Revocations,
) -> Result<(Arc<Snapshot>, Vec<Served>), Faults> {
    loop {
        let plugins = contenders.iter().map(|contender| Arc::clone(&contender.served.terms)).collect();
        let faults = match Snapshot::new(plugins, trust, revocations) {
            Ok(snapshot) => {
                let served = contenders.into_iter().map(|contender| contender.served).collect();
                return Ok((Arc::new(snapshot), served));
            }
            Err(faults) => faults,
        };
        let at_fault = contenders
            .iter()
            .position(|contender| faults.iter().any(|fault| fault.file == contender.served.terms.manifest().file()));
        let Some(index) = at_fault else { return Err(faults) };
        let Contender { served: out, fallback } = contenders.remove(index);
        let file = out.terms.manifest().file().to_owned();
        let mut own = Faults::none();
        own.extend(faults.into_iter().filter(|fault| fault.file == file));
        rejected.push(Rejected {
            plugin: out.terms.plugin().to_string(),
            manifest: Some(out.terms.manifest().digest()),
            faults: own,
        });
        if let Some(old) = fallback {
            contenders.insert(0, Contender::new(old));
        }
    }
}
