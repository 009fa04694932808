//! A home of two approvers: alice (seed 1) and bob (seed 2).

use std::{collections::BTreeSet, sync::LazyLock};

use jiff::Timestamp;
use wardkeep_model::{Authenticated, Principal};
use wardkeep_policy::{
    Case, Confirming, HostTerms, KeyPair, MANIFEST_NAMESPACE, SourceKind, Trust, generate_key, kill::Kills, sign,
};

pub static ALICE: LazyLock<KeyPair> = LazyLock::new(|| key(1));
pub static BOB: LazyLock<KeyPair> = LazyLock::new(|| key(2));

pub static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let text = format!(
        "format = 1\nversion = 3\nexpires = 2027-11-22\n\
         [approvers.alice]\nkeys = [\"{}\"]\n[approvers.bob]\nkeys = [\"{}\"]\n",
        ALICE.public, BOB.public
    );
    Trust::parse("trust.toml", text.as_bytes()).unwrap()
});

pub fn key(seed: u8) -> KeyPair {
    generate_key(&[seed; 32], "test").unwrap()
}

pub fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// The host that the seeds of manifests are written for.
pub fn host() -> HostTerms {
    HostTerms {
        deployment: Some("prod".into()),
        roots: BTreeSet::from(["reports".parse().unwrap(), "wiki".parse().unwrap()]),
        private: vec!["10.2.0.0/16".parse().unwrap()],
        sources: BTreeSet::from([SourceKind::File, SourceKind::Env]),
        ..HostTerms::default()
    }
}

/// A case in which nothing is stopped, and everybody can be asked.
pub fn case(principal: &Principal) -> Case<'_> {
    static NOTHING: LazyLock<Kills> = LazyLock::new(Kills::none);
    Case { principal, kills: &NOTHING, confirming: Confirming::default(), now: now() }
}

pub fn principal(name: &str, groups: &[String]) -> Principal {
    Principal {
        name: name.into(),
        groups: groups.to_vec(),
        authenticated: Authenticated::ApiKey,
        writes: true,
        human: true,
        unconfirmed_writes: true,
        scopes: None,
        actors: Vec::new(),
    }
}

/// Signature files by both approvers.
pub fn signatures(document: &[u8]) -> Vec<(String, Vec<u8>)> {
    [("alice.sig", &ALICE), ("bob.sig", &BOB)]
        .map(|(file, key)| (file.into(), sign(MANIFEST_NAMESPACE, document, &key.private).unwrap().into_bytes()))
        .into()
}
