//! A home of two approvers and one component, for the tests of this folder.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::{collections::BTreeSet, sync::LazyLock};

use jiff::Timestamp;
use serde::Deserialize;
use wardkeep_model::{Authenticated, Definition, Description, Digest, Effect, FilesAsk, Principal, SecretAsk};
use wardkeep_policy::{
    Approved, Candidate, Case, Confirming, Evidence, Faults, HostTerms, KeyPair, MANIFEST_NAMESPACE, PluginTerms,
    REVOKE_NAMESPACE, Remembered, Revocations, SourceKind, Trust, approve, generate_key, kill::Kills, sign,
};

/// Manifests that were signed keep this digest in them: it must never come out differently.
pub(crate) const CONTRACT: &str = "93e8fb4c2c4957ec5acd5ee3ce383686f6995f7790ffbe45a27cd342a7bd95d3";

pub(crate) fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(crate) fn key(seed: u8) -> KeyPair {
    generate_key(&[seed; 32], "test").unwrap()
}

/// Alice (seed 1) and Bob (seed 2); Carol (seed 3) may not approve any more; Mallory (seed 9) is nobody.
pub(crate) fn trust() -> Trust {
    let public = |seed| key(seed).public;
    let text = format!(
        "format = 1\nversion = 3\nexpires = 2027-11-22\n\
         [approvers.alice]\nkeys = [\"{}\"]\n[approvers.bob]\nkeys = [\"{}\"]\n\
         [approvers.carol]\nkeys = [\"{}\"]\nnot_after = 2026-11-21\n",
        public(1),
        public(2),
        public(3)
    );
    Trust::parse("trust.toml", text.as_bytes()).unwrap()
}

pub(crate) fn host() -> HostTerms {
    HostTerms {
        deployment: Some("prod".into()),
        roots: BTreeSet::from(["reports".parse().unwrap(), "wiki".parse().unwrap()]),
        private: ["10.2.0.0/16", "8.8.8.0/24"].map(|net| net.parse().unwrap()).into(),
        sources: BTreeSet::from([SourceKind::File, SourceKind::Env]),
        ..HostTerms::default()
    }
}

pub(crate) fn principal(name: &str, groups: &[&str]) -> Principal {
    Principal {
        name: name.into(),
        groups: groups.iter().map(|group| (*group).into()).collect(),
        authenticated: Authenticated::ApiKey,
        writes: false,
        human: false,
        unconfirmed_writes: false,
        scopes: None,
        actors: Vec::new(),
    }
}

/// A case in which nothing is stopped, and everybody can be asked.
pub(crate) fn case(principal: &Principal, now: Timestamp) -> Case<'_> {
    static NOTHING: LazyLock<Kills> = LazyLock::new(Kills::none);
    Case { principal, kills: &NOTHING, confirming: Confirming::default(), now }
}

pub(crate) fn definition(name: &str, effect: Effect) -> Definition {
    let asks = wardkeep_model::Ask::Files(FilesAsk { root: "reports".into(), write: false, purpose: "reads".into() });
    Definition {
        name: name.into(),
        title: None,
        description: "does something".into(),
        input_schema:
            r#"{"type":"object","properties":{"q":{"type":"string"}},"required":["q"],"additionalProperties":false}"#
                .into(),
        output_schema: None,
        effect,
        idempotent: true,
        asks: vec![asks],
    }
}

pub(crate) fn description() -> Description {
    let tools =
        vec![definition("search", Effect::Read), definition("list", Effect::Read), definition("create", Effect::Write)];
    Description { name: "github".into(), version: "1.4.0".into(), tools }
}

pub(crate) fn component() -> Digest {
    Digest::of(b"component")
}

/// Puts the digests in.
pub(crate) fn fill(manifest: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(manifest) {
        Ok(text) => text
            .replace("@component@", &component().to_string())
            .replace("@contract@", &Surroundings::of(manifest).description().contract_digest().to_string())
            .into_bytes(),
        Err(_) => manifest.into(),
    }
}

/// In what surroundings a document is judged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Surroundings {
    directory: String,
    signers: Vec<u8>,
    /// One signature of Alice's over other bytes.
    broken: bool,
    namespace: String,
    serial: Option<u64>,
    revoked_keys: Vec<u8>,
    component_revoked: bool,
    imports: Vec<String>,
    now: String,
    component: Option<String>,
    version: String,
    schema: Option<String>,
    /// What the first tool says of its answers.
    output: Option<String>,
    /// The secrets that it asks for.
    asks: Vec<String>,
    ceilings_fuel: Option<u64>,
    /// The tables `[sources.…]` of the host.
    sources: Vec<String>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            directory: "github".into(),
            signers: vec![1],
            broken: false,
            namespace: MANIFEST_NAMESPACE.into(),
            serial: None,
            revoked_keys: Vec::new(),
            component_revoked: false,
            imports: vec!["wardkeep:log/log@0.1.0".into()],
            now: now().to_string(),
            component: None,
            version: "1.4.0".into(),
            schema: None,
            output: None,
            asks: Vec::new(),
            ceilings_fuel: None,
            sources: vec!["file".into(), "env".into()],
        }
    }
}

impl Surroundings {
    pub(crate) fn of(document: &[u8]) -> Self {
        let text = String::from_utf8_lossy(document);
        let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#!")).collect();
        toml::from_str(&lines.join("\n")).unwrap()
    }

    fn signatures(&self, namespace: &str, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let name = |seed: u8| {
            format!("sigs/{}.sig", ["", "alice", "bob", "carol"].get(usize::from(seed)).unwrap_or(&"mallory"))
        };
        let signature = |seed, bytes: &[u8]| sign(namespace, bytes, &key(seed).private).unwrap().into_bytes();
        let mut signatures: Vec<_> = self.signers.iter().map(|seed| (name(*seed), signature(*seed, bytes))).collect();
        if self.broken {
            signatures.push(("sigs/old.sig".into(), signature(1, b"other bytes")));
        }
        signatures
    }

    pub(crate) fn revocation_signatures(&self, bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let namespace = if self.namespace == MANIFEST_NAMESPACE { REVOKE_NAMESPACE } else { &self.namespace };
        self.signatures(namespace, bytes)
    }

    fn revocations(&self) -> Revocations {
        let keys = self.revoked_keys.iter().map(|seed| {
            let key: wardkeep_policy::PublicKey = key(*seed).public.parse().unwrap();
            key.fingerprint().to_owned()
        });
        let components = if self.component_revoked { vec![component()] } else { Vec::new() };
        Revocations::from_iter([Remembered {
            digest: Digest::of(b""),
            reason: "a test".into(),
            keys: keys.collect(),
            components,
        }])
    }

    pub(crate) fn approve(&self, manifest: &[u8]) -> Result<Approved, Faults> {
        let candidate = Candidate {
            file: "plugins/github/manifest.toml",
            directory: &self.directory,
            manifest,
            signatures: &self.signatures(&self.namespace, manifest),
            known: self.serial.map(|serial| (serial, Digest::of(b"what was accepted before"))),
        };
        approve(&candidate, &trust(), &self.revocations(), &self.host(), self.now.parse().unwrap())
    }

    pub(crate) fn with_component(&self, approved: Approved) -> Result<PluginTerms, Faults> {
        let description = Description { version: self.version.clone(), ..self.description() };
        let component = self.component.as_ref().map_or_else(component, |bytes| Digest::of(bytes.as_bytes()));
        let evidence = Evidence { component, imports: &self.imports, description: &description };
        approved.with_component(evidence, &self.host(), &self.revocations())
    }

    /// What the component says, under the version that manifests name.
    fn description(&self) -> Description {
        let mut description = description();
        if let Some(schema) = &self.schema {
            description.tools[0].input_schema.clone_from(schema);
        }
        description.tools[0].output_schema.clone_from(&self.output);
        let secret = |name: &String| SecretAsk { name: name.clone(), purpose: "reaches".into() };
        description.tools[0].asks.extend(self.asks.iter().map(secret).map(wardkeep_model::Ask::Secret));
        description
    }

    fn host(&self) -> HostTerms {
        let mut host = host();
        host.ceilings.fuel = self.ceilings_fuel.unwrap_or(host.ceilings.fuel);
        host.sources.retain(|kind| self.sources.contains(&kind.to_string()));
        host
    }
}
