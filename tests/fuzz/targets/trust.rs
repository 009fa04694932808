//! Any bytes as `trust.toml`, or as a revocation. No threshold is below one person, no key belongs to two, and nothing follows an
//! accepted document or revokes anything without signatures.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use wardkeep_fuzz::{
    faults, home,
    toml::{read, strings, table},
};
use wardkeep_model::{Digest, Effect};
use wardkeep_policy::{Revocation, Revocations, Trust, check_rotation};

const EFFECTS: [Effect; 3] = [Effect::Read, Effect::Write, Effect::Destructive];

fuzz_target!(|bytes: &[u8]| {
    match Revocation::parse("revoked/it.toml", bytes) {
        Ok(revocation) => {
            let refused = revocation.verify(&home::TRUST, &[], home::now());
            faults::check(&refused.expect_err("a revocation that nobody has signed counted"));
        }
        Err(refused) => faults::check(&refused),
    }
    match Trust::parse("trust.toml", bytes) {
        Ok(trust) => accepted(&trust, bytes),
        Err(refused) => faults::check(&refused),
    }
});

fn accepted(trust: &Trust, bytes: &[u8]) {
    let written = read(bytes);
    assert_eq!(trust.digest(), Digest::of(bytes));
    assert!(trust.check_pin(Digest::of(bytes)).is_ok());
    faults::check(&trust.check_pin(Digest::of(b"another")).expect_err("another document's pin fits"));

    let thresholds = table(&written, "thresholds");
    for effect in EFFECTS {
        let default = if effect == Effect::Destructive { 2 } else { 1 };
        let wanted = thresholds.get(effect.as_str()).map_or(Some(default), toml::Value::as_integer);
        assert_eq!(Some(i64::from(trust.threshold(effect))), wanted);
        assert!(trust.threshold(effect) >= 1, "{effect} needs nobody");
    }

    let people = table(&written, "approvers");
    assert_eq!(trust.approvers().len(), people.len());
    let mut keys = BTreeSet::new();
    for approver in trust.approvers() {
        let person = table(&people, approver.name());
        assert_eq!(approver.keys().len(), strings(&person, "keys").len());
        assert!(!approver.keys().is_empty());
        for key in approver.keys() {
            assert!(keys.insert(key.fingerprint().to_owned()), "a key of two people counts twice");
            assert_eq!(trust.approver(key).map(|owner| owner.name()), Some(approver.name()));
        }
        if !person.contains_key("not_before") && !person.contains_key("not_after") {
            assert!(approver.valid_at(home::now()));
        }
    }

    let none = Revocations::default();
    assert!(check_rotation(trust, trust, bytes, &[], &none, home::now()).is_ok(), "a document does not follow itself");
    let followed = check_rotation(&home::TRUST, trust, bytes, &[], &none, home::now());
    if trust.digest() != home::TRUST.digest() {
        faults::check(&followed.expect_err("a new trust without signatures followed the old one"));
    }
}
