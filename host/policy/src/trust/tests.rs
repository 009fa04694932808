use super::*;
use crate::signature::{KeyPair, MANIFEST_NAMESPACE, TRUST_NAMESPACE, generate_key, sign};

fn key(seed: u8) -> KeyPair {
    generate_key(&[seed; 32], "").unwrap()
}

fn public(seed: u8) -> PublicKey {
    key(seed).public.parse().unwrap()
}

fn text(version: u64, thresholds: &str, people: &[(&str, u8)]) -> String {
    let person = |(name, seed): &(&str, u8)| format!("[approvers.{name}]\nkeys = [\"{}\"]\n", key(*seed).public);
    let people: String = people.iter().map(person).collect();
    format!("format = 1\nversion = {version}\nexpires = 2027-11-22\n{thresholds}{people}")
}

fn parse(text: &str) -> Trust {
    Trust::parse("trust.toml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

#[test]
fn the_thresholds_are_one_one_and_two_unless_the_document_says_otherwise() {
    let effects = [Effect::Read, Effect::Write, Effect::Destructive];
    assert_eq!(effects.map(|effect| parse(&text(1, "", &[("alice", 1)])).threshold(effect)), [1, 1, 2]);
    let trust = parse(&text(1, "[thresholds]\nwrite = 2\n", &[("alice", 1), ("bob", 2)]));
    assert_eq!(effects.map(|effect| trust.threshold(effect)), [1, 2, 2]);
}

#[test]
fn the_first_document_reads_as_it_was_written_whatever_the_name() {
    for person in ["alice", "alice@example.com", "o'neill\"x"] {
        let key = public(1);
        let initial = InitialTrust { person, key: &key, expires: jiff::civil::date(2027, 11, 22) };
        let trust = parse(&Trust::render_initial(&initial));
        assert_eq!((trust.version(), trust.expires(), trust.approvers().len()), (1, initial.expires, 1));
        assert_eq!(trust.approver(&key).unwrap().name(), person);
        assert!(trust.approver(&public(2)).is_none());
    }
}

#[test]
fn other_bytes_than_the_pinned_ones_are_refused() {
    let (one, other) = (text(1, "", &[("alice", 1)]), text(1, "", &[("alice", 2)]));
    let trust = parse(&other);
    assert_eq!(trust.check_pin(Digest::of(other.as_bytes())), Ok(()));
    let told = trust.check_pin(Digest::of(one.as_bytes())).unwrap_err().to_string();
    assert!(
        told.starts_with("trust.toml: is not the document that `trust.root_sha256` in wardkeep.toml pins"),
        "{told}"
    );
    assert!(told.contains(&format!("root_sha256 = \"{}\"", Digest::of(other.as_bytes()))), "{told}");
}

fn rotate(old: &str, new: &str, signers: &[u8], namespace: &str) -> Result<(), String> {
    let name =
        |seed: &u8| (format!("{seed}.sig"), sign(namespace, new.as_bytes(), &key(*seed).private).unwrap().into_bytes());
    let signatures: Vec<_> = signers.iter().map(name).collect();
    let (old, trust) = (parse(old), parse(new));
    check_rotation(&old, &trust, new.as_bytes(), &signatures, &Revocations::default(), now())
        .map_err(|faults| faults.to_string())
}

#[test]
fn a_rotation_needs_people_of_the_old_and_of_the_new_document() {
    let old = text(1, "", &[("alice", 1), ("bob", 2)]);
    let new = text(2, "", &[("bob", 2), ("carol", 3)]);
    assert_eq!(rotate(&old, &new, &[1, 2, 3], TRUST_NAMESPACE), Ok(()));
    let refused = |signers: &[u8]| rotate(&old, &new, signers, TRUST_NAMESPACE).unwrap_err();
    assert!(refused(&[1, 2]).contains("signed by 1 of the 2 people whom the new document needs"));
    assert!(refused(&[2, 3]).contains("signed by 1 of the 2 people whom the old document needs"));
    assert!(refused(&[]).contains("signed by 0 of the 2 people whom the old document needs"));
    assert!(rotate(&old, &new, &[1, 2, 3], MANIFEST_NAMESPACE).unwrap_err().contains("made for the namespace"));
}

#[test]
fn a_home_of_one_person_can_rotate_and_nobody_can_go_back() {
    let (old, new) = (text(1, "", &[("alice", 1)]), text(2, "", &[("alice", 1), ("bob", 2)]));
    assert!(
        rotate(&old, &new, &[1], TRUST_NAMESPACE).unwrap_err().contains("signed by 1 of the 2 people whom the new")
    );
    assert_eq!(rotate(&old, &new, &[1, 2], TRUST_NAMESPACE), Ok(()));
    let back = rotate(&new, &old, &[1, 2], TRUST_NAMESPACE).unwrap_err();
    assert!(
        back.starts_with("trust.toml:2: version: version 1 does not follow version 2, which this home knows"),
        "{back}"
    );
    let same = text(2, "[thresholds]\nread = 1\n", &[("alice", 1), ("bob", 2)]);
    assert!(rotate(&new, &same, &[1, 2], TRUST_NAMESPACE).unwrap_err().contains("version 2 does not follow version 2"));
    assert_eq!(rotate(&new, &new, &[], TRUST_NAMESPACE), Ok(()));
}

#[test]
fn a_revocation_is_remembered_whole_and_told_apart_by_key_and_component() {
    use crate::revocation::{Remembered, Revocation};
    let trust = parse(&text(1, "", &[("alice", 1)]));
    let component = Digest::of(b"component");
    let document = format!(
        "format = 1\nreason = \"laptop lost\"\nkeys = [\"{}\"]\ncomponents = [\"{component}\"]\n",
        public(1).fingerprint()
    );
    let signature =
        sign(crate::signature::REVOKE_NAMESPACE, document.as_bytes(), &key(1).private).unwrap().into_bytes();
    let revocation = Revocation::parse("revoked/a.toml", document.as_bytes()).unwrap();
    let remembered = revocation.verify(&trust, &[("a.sig".into(), signature)], now()).unwrap();
    let kept = serde_json::to_string(&remembered).unwrap();
    let back: Remembered = serde_json::from_str(&kept).unwrap();
    assert_eq!(back, remembered);
    let revocations = Revocations::from_iter([&back]);
    assert!(revocations.revokes_key(public(1).fingerprint()) && !revocations.revokes_key(public(2).fingerprint()));
    assert!(revocations.revokes_component(&component) && !revocations.revokes_component(&Digest::of(b"")));
    assert_eq!(trust.signed(&[public(1)], &revocations, now()), 0);
}

#[test]
fn a_document_tells_its_name_its_version_and_each_person_s_keys() {
    let trust = parse(&text(3, "", &[("alice", 1), ("bob", 2)]));
    assert_eq!((trust.file(), trust.version()), ("trust.toml", 3));
    let people: Vec<_> = trust.approvers().iter().map(|person| (person.name(), person.keys().to_vec())).collect();
    assert_eq!(people, [("alice", vec![public(1)]), ("bob", vec![public(2)])]);
}

#[test]
fn a_person_s_name_is_a_hundred_bytes_without_blanks_and_hidden_characters() {
    let named = |name: &str| {
        let text = text(1, "", &[(&crate::document::basic_string(name), 1)]);
        Trust::parse("trust.toml", text.as_bytes())
            .map(|trust| trust.approvers().len())
            .map_err(|faults| faults.to_string())
    };
    assert_eq!(named(&"x".repeat(100)), Ok(1));
    for bad in ["", &"x".repeat(101), "a b", "a\tb", "a\u{200b}b", "a\nb"] {
        let told = named(bad).unwrap_err();
        assert!(told.contains("is not valid here\n  mend: a person's name is 1 to 100 bytes without blanks"), "{told}");
    }
}

#[test]
fn a_person_may_approve_for_a_single_day_and_no_less() {
    let of_days = |from: &str, to: &str| {
        let days = format!("not_before = {from}\nnot_after = {to}\n");
        Trust::parse("trust.toml", format!("{}{days}", text(1, "", &[("alice", 1)])).as_bytes())
    };
    let trust = of_days("2026-11-22", "2026-11-22").unwrap();
    let alice = trust.approvers().first().unwrap();
    let valid = |time: &str| alice.valid_at(time.parse().unwrap());
    assert!(valid("2026-11-22T00:00:00Z") && valid("2026-11-22T23:59:59.999Z"));
    assert!(!valid("2026-11-21T23:59:59.999Z") && !valid("2026-11-23T00:00:00Z"));
    assert!(of_days("2026-11-23", "2026-11-22").unwrap_err().to_string().contains("lies before not_before"));
}
