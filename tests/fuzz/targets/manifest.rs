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
    Access, Candidate, Confirm, HttpGrant, Revocations, approve,
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
                let access = match files.access {
                    Access::Read => "read",
                    Access::Write => "write",
                };
                assert_eq!(own.get("access").and_then(Value::as_str), Some(access));
            }
            Grant::Clock | Grant::Random => {}
            Grant::Http(http) => requests(http, &table(&table(&written, "http"), key.name.as_str())),
        }
    }
    let secrets = table(&read(bytes), "secrets");
    assert_eq!(manifest.secrets().keys().map(ToString::to_string).collect::<Vec<_>>().len(), secrets.len());
    for (name, terms) in manifest.secrets() {
        let own = table(&secrets, name.as_str());
        assert_eq!(own.get("source").and_then(Value::as_str), Some(terms.source.to_string().as_str()));
    }
}

/// Nothing is let through that is not written, and no path of it leads elsewhere than it says.
fn requests(http: &HttpGrant, own: &toml::Table) {
    assert_eq!(own.get("host").and_then(Value::as_str), Some(http.host.to_string().as_str()));
    assert_eq!(http.methods.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), strings(own, "methods"));
    assert_eq!(http.paths.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), strings(own, "paths"));
    assert_eq!(own.get("secret").and_then(Value::as_str), http.secret.as_ref().map(|secret| secret.as_str()));
    assert_eq!(own.get("read_only").and_then(Value::as_bool).unwrap_or_default(), http.read_only);
    assert_eq!(http.private.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), strings(own, "private"));
    for path in &http.paths {
        assert!(path.is_exact() || !http.read_only, "an exception for all below a path");
        // What arguments could be at worst, at every place at once.
        for word in ["..", "a/b", "%2e%2e", "..;", "", "x"] {
            let filled = path.filled(&all(word, path.pointers()));
            let places = path.pointers().count();
            assert!(word == "x" || places == 0 || filled.is_none(), "{path} was filled with {word:?}");
        }
    }
}

/// Arguments that hold this word at each of these places.
fn all<'p>(word: &str, pointers: impl Iterator<Item = &'p wardkeep_policy::Pointer>) -> serde_json::Value {
    let mut value = serde_json::json!({});
    for pointer in pointers {
        let mut place = &mut value;
        for key in pointer.as_str().split('/').skip(1) {
            let key = key.replace("~1", "/").replace("~0", "~");
            if !place.is_object() {
                *place = serde_json::json!({});
            }
            place = &mut place[key];
        }
        *place = word.into();
    }
    value
}

fn tools(manifest: &Manifest, bytes: &[u8]) {
    let written = table(&read(bytes), "tools");
    assert_eq!(manifest.tools().keys().map(ToString::to_string).collect::<Vec<_>>().len(), written.len());
    let exception = manifest.grants().values().any(|grant| matches!(grant, Grant::Http(http) if http.read_only));
    let gravest = manifest.tools().values().map(|terms| terms.effect).max().expect("some tool");
    assert_eq!(manifest.gravest(), if exception { gravest.max(Effect::Write) } else { gravest });
    for (name, terms) in manifest.tools() {
        let own = written.get(name.as_str()).and_then(Value::as_table).expect("a tool that was not written");
        assert_eq!(own.get("effect").and_then(Value::as_str), Some(terms.effect.as_str()));
        assert!(
            terms.effect != Effect::Destructive || terms.confirm != Confirm::None,
            "destroys without a confirmation"
        );
        assert_eq!(
            own.get("confirm").and_then(Value::as_str).unwrap_or(terms.confirm.as_str()),
            terms.confirm.as_str()
        );
        assert_eq!(terms.resources.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), strings(own, "resources"));
        let only: BTreeSet<String> = table(own, "only").keys().cloned().collect();
        assert_eq!(terms.only.iter().map(|only| only.at.to_string()).collect::<BTreeSet<_>>(), only);
        assert_eq!(terms.uses.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), strings(own, "uses"));
        assert!(terms.uses.iter().all(|key| manifest.grants().contains_key(key)));
        assert_eq!(terms.allow.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), strings(own, "allow"));
        let stage = own.get("stage").and_then(Value::as_str).unwrap_or("general");
        assert_eq!(terms.stage.as_str(), stage);
        let groups = terms.pilot_groups.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(groups, strings(own, "pilot_groups"));
        assert!(stage != "pilot" || !groups.is_empty(), "a pilot for everybody");
        let rate = table(own, "rate");
        for (who, rated) in [("caller", terms.rate.caller), ("tool", terms.rate.tool)] {
            assert_eq!(rate.get(who).and_then(Value::as_str), rated.map(|rate| rate.to_string()).as_deref());
        }
    }
}
