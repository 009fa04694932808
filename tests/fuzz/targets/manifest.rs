//! Any bytes as a manifest. What is accepted must say in plain TOML everything that it grants, and grant nothing else; and without
//! signatures nothing is approved.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use toml::Value;
use wardkeep_fuzz::{
    faults, home,
    toml::{read, strings, table},
};
use wardkeep_model::{Digest, Effect};
use wardkeep_policy::{
    Access, Candidate, Revocations, approve,
    manifest::{Grant, Manifest},
};

const FILE: &str = "plugins/github/manifest.toml";

fuzz_target!(|bytes: &[u8]| {
    let signatures = [];
    let candidate = Candidate {
        file: FILE,
        directory: "github",
        manifest: bytes,
        signatures: &signatures,
        known: Some((7, Digest::of(b""))),
    };
    let refused = approve(&candidate, &home::TRUST, &Revocations::default(), &home::host(), home::now());
    faults::check(&refused.expect_err("a manifest that nobody has signed was approved"));

    let manifest = match Manifest::parse(FILE, bytes) {
        Ok(manifest) => manifest,
        Err(refused) => return faults::check(&refused),
    };
    assert_eq!(manifest.digest(), Digest::of(bytes));
    let again = Manifest::parse(FILE, bytes).expect("what was accepted once is accepted again");
    assert_eq!(format!("{manifest:?}"), format!("{again:?}"));
    grants(&manifest, bytes);
    tools(&manifest, bytes);
});

fn grants(manifest: &Manifest, bytes: &[u8]) {
    let written = table(&read(bytes), "grants");
    let named = |(kind, names): (&String, &Value)| {
        names.as_table().into_iter().flatten().map(|(name, _)| format!("{kind}.{name}")).collect::<Vec<_>>()
    };
    let written_keys: BTreeSet<String> = written.iter().flat_map(named).collect();
    assert_eq!(manifest.grants().keys().map(ToString::to_string).collect::<BTreeSet<_>>(), written_keys);
    for (key, grant) in manifest.grants() {
        match grant {
            Grant::Files(files) => {
                let own = table(&table(&written, "files"), key.name.as_str());
                assert_eq!(own.get("root").and_then(Value::as_str), Some(files.root.as_str()));
                assert_eq!(
                    own.get("access").and_then(Value::as_str),
                    Some("read"),
                    "what cannot be enforced is refused"
                );
                assert_eq!(files.access, Access::Read);
            }
            Grant::Clock | Grant::Random => {}
            Grant::Http { .. } => panic!("no request can be granted yet"),
        }
    }
}

fn tools(manifest: &Manifest, bytes: &[u8]) {
    let written = table(&read(bytes), "tools");
    assert_eq!(manifest.tools().keys().map(ToString::to_string).collect::<Vec<_>>().len(), written.len());
    assert_eq!(manifest.gravest(), Effect::Read);
    for (name, terms) in manifest.tools() {
        let own = written.get(name.as_str()).and_then(Value::as_table).expect("a tool that was not written");
        assert_eq!(own.get("effect").and_then(Value::as_str), Some("read"), "a write waits for a confirmation");
        assert_eq!(terms.effect, Effect::Read);
        assert_eq!(terms.uses.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), strings(own, "uses"));
        assert!(terms.uses.iter().all(|key| manifest.grants().contains_key(key)));
        assert_eq!(terms.allow.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), strings(own, "allow"));
        for unenforced in ["confirm", "rate", "only", "returns", "pilot_groups", "resources"] {
            assert!(!own.contains_key(unenforced), "`{unenforced}` was accepted and is not enforced");
        }
    }
}
