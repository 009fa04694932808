//! One state out of two memories: the file in `state/` and what the journal's events say.

use wardkeep_audit::{Event, Replay, Revoked, Served};
use wardkeep_model::{Digest, PluginName};

use super::{Accepted, Known, State};

/// What is known of a home, put together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recovered {
    pub(crate) state: State,
    /// The file in `state/` was lost, and the journal had it.
    pub(crate) rebuilt: bool,
    /// The file has to be written again.
    pub(crate) changed: bool,
    /// What the file knows and the journal does not: to be recorded again, so that the mirror is whole.
    pub(crate) missing: Vec<Event>,
}

/// Two memories that cannot both be right, or none where there should be one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Conflict {
    #[error(
        "this home was in use, and both its state and its journal are lost: serials and revocations are not known any more\n  \
         mend: put `state/` or `audit/` back, or give them up on purpose with `wardkeep state reset --reason TEXT`"
    )]
    BothLost,
    #[error(
        "this home was in use, and its journal is lost: `audit/` holds no record of what was done\n  \
         mend: put `audit/` back, or begin a new journal on purpose with `wardkeep state reset --reason TEXT`, which keeps the state"
    )]
    JournalLost,
    #[error(
        "state and journal disagree about serial {serial} of plugin `{plugin}`: one of them was changed\n  \
         mend: put back the one that was changed, or give both up on purpose with `wardkeep state reset --reason TEXT`"
    )]
    Serial { plugin: PluginName, serial: u64 },
    #[error(
        "state and journal disagree about version {version} of the trust document: one of them was changed\n  \
         mend: put back the one that was changed, or give both up on purpose with `wardkeep state reset --reason TEXT`"
    )]
    Trust { version: u64 },
}

/// Puts the file and the journal together: the higher of both holds. `in_use` is whether this home ever served.
pub(crate) fn recover(file: Option<State>, replay: &Replay, in_use: bool) -> Result<Recovered, Conflict> {
    let rebuilt = file.is_none() && replay.records > 0;
    if file.is_none() && replay.records == 0 && in_use {
        return Err(Conflict::BothLost);
    }
    // A state is only ever written after a record: somebody has taken the journal away, and must not get past that unseen.
    if file.is_some() && replay.records == 0 {
        return Err(Conflict::JournalLost);
    }
    let known = file.clone().unwrap_or_default();
    let mut state = known.clone();
    let mut missing = Vec::new();
    for (plugin, served) in &replay.plugins {
        let Served { serial, manifest } = *served;
        match known.plugins.get(plugin) {
            Some(known) if known.serial > serial => {}
            Some(known) if known.serial == serial && known.manifest != manifest => {
                return Err(Conflict::Serial { plugin: plugin.clone(), serial });
            }
            _ => {
                state.plugins.insert(plugin.clone(), Known { serial, manifest });
            }
        }
    }
    for (plugin, Known { serial, manifest }) in &known.plugins {
        if replay.plugins.get(plugin).is_none_or(|served| served.serial < *serial) {
            missing.push(Event::PluginLoaded {
                plugin: plugin.clone(),
                version: String::new(),
                serial: *serial,
                manifest: *manifest,
                component: Digest::from_bytes([0; 32]),
                signed_by: Vec::new(),
            });
        }
    }
    match (known.trust, replay.trust) {
        (Some(known), Some((version, digest))) if known.version == version && known.digest != digest => {
            return Err(Conflict::Trust { version });
        }
        (Some(known), replayed) if replayed.is_none_or(|(version, _)| version < known.version) => {
            missing.push(Event::TrustAccepted { version: known.version, document: known.digest });
        }
        (_, Some((version, digest))) => state.trust = Some(Accepted { version, digest }),
        (_, None) => {}
    }
    for target in known.revoked.difference(&replay.revoked) {
        // The document is not kept in the state; an all-zero digest says that it is not known.
        missing.push(Event::Revoked { target: Revoked::clone(target), document: Digest::from_bytes([0; 32]) });
    }
    state.revoked.extend(replay.revoked.iter().cloned());
    let changed = file.as_ref() != Some(&state);
    Ok(Recovered { state, rebuilt, changed, missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin() -> PluginName {
        "files".parse().unwrap()
    }

    fn file(serial: u64, manifest: &[u8]) -> State {
        let known = Known { serial, manifest: Digest::of(manifest) };
        State { plugins: [(plugin(), known)].into(), ..State::default() }
    }

    fn journal(serial: u64, manifest: &[u8]) -> Replay {
        let served = Served { serial, manifest: Digest::of(manifest) };
        Replay { plugins: [(plugin(), served)].into(), records: 3, ..Replay::default() }
    }

    #[test]
    fn a_lost_state_is_rebuilt_from_the_journal() {
        let mut replay = journal(7, b"seven");
        replay.revoked.insert(Revoked::Key("SHA256:k".into()));
        replay.trust = Some((2, Digest::of(b"t")));
        let recovered = recover(None, &replay, true).unwrap();
        assert!(recovered.rebuilt && recovered.changed && recovered.missing.is_empty());
        assert_eq!(recovered.state.plugins, file(7, b"seven").plugins);
        assert_eq!(recovered.state.revoked, replay.revoked);
        assert_eq!(recovered.state.trust, Some(Accepted { version: 2, digest: Digest::of(b"t") }));
    }

    #[test]
    fn both_lost_is_a_new_home_only_where_nothing_ever_served() {
        assert_eq!(recover(None, &Replay::default(), true), Err(Conflict::BothLost));
        let fresh = recover(None, &Replay::default(), false).unwrap();
        assert!(fresh.state == State::default() && !fresh.rebuilt && fresh.changed);
    }

    #[test]
    fn an_old_copy_of_the_state_lowers_no_serial_and_lifts_no_revocation() {
        let mut replay = journal(9, b"nine");
        replay.revoked.insert(Revoked::Component(Digest::of(b"c")));
        let recovered = recover(Some(file(7, b"seven")), &replay, true).unwrap();
        assert_eq!(recovered.state.plugins, file(9, b"nine").plugins);
        assert_eq!(recovered.state.revoked.len(), 1);
        assert!(recovered.changed && recovered.missing.is_empty());
    }

    #[test]
    fn a_lost_journal_beside_a_state_is_refused() {
        for in_use in [true, false] {
            assert_eq!(recover(Some(file(7, b"seven")), &Replay::default(), in_use), Err(Conflict::JournalLost));
        }
        assert!(Conflict::JournalLost.to_string().contains("wardkeep state reset --reason TEXT"));
    }

    #[test]
    fn a_journal_begun_anew_is_told_again_what_the_state_knows() {
        let mut known = file(7, b"seven");
        known.revoked.insert(Revoked::Key("SHA256:k".into()));
        known.trust = Some(Accepted { version: 1, digest: Digest::of(b"t") });
        let recovered = recover(Some(known.clone()), &Replay { records: 1, ..Replay::default() }, true).unwrap();
        assert_eq!(recovered.state, known);
        assert!(!recovered.changed);
        assert_eq!(
            recovered.missing.iter().map(Event::code).collect::<Vec<_>>(),
            ["plugin-loaded", "trust-accepted", "revoked"]
        );
    }

    #[test]
    fn one_serial_with_two_manifests_is_refused() {
        let error = recover(Some(file(7, b"seven")), &journal(7, b"other"), true).unwrap_err();
        assert_eq!(error, Conflict::Serial { plugin: plugin(), serial: 7 });
        let known = State { trust: Some(Accepted { version: 1, digest: Digest::of(b"a") }), ..State::default() };
        let replay = Replay { trust: Some((1, Digest::of(b"b"))), records: 1, ..Replay::default() };
        assert_eq!(recover(Some(known), &replay, true), Err(Conflict::Trust { version: 1 }));
    }
}
