use std::{
    fs,
    path::{Path, PathBuf},
};

use wardkeep_audit::Revoked;
use wardkeep_policy::{KeyPair, REVOKE_NAMESPACE, TRUST_NAMESPACE, generate_key, sign};

use super::*;
use crate::{
    home::{CONFIG, TRUST},
    state::Accepted,
};

struct Fixture {
    _directory: tempfile::TempDir,
    /// In a directory of its own, beside which roots may lie.
    home: PathBuf,
    key: KeyPair,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("home");
        fs::create_dir(&home).unwrap();
        let this = Self { _directory: directory, home, key: generate_key(&[7; 32], "ada").unwrap() };
        this.trust(1);
        this
    }

    fn path(&self) -> &Path {
        &self.home
    }

    /// Writes a trust document of this version, and pins it.
    fn trust(&self, version: u64) {
        let key = self.key.public.trim();
        let text =
            format!("format = 1\nversion = {version}\nexpires = 2999-01-01\n[approvers.ada]\nkeys = [{key:?}]\n");
        let config = format!("format = 1\n[trust]\nroot_sha256 = \"{}\"\n", Digest::of(text.as_bytes()));
        fs::write(self.path().join(TRUST), text).unwrap();
        fs::write(self.path().join(CONFIG), config).unwrap();
    }

    fn sign(&self, namespace: &str, document: &str) {
        let path = self.path().join(document);
        let signature = sign(namespace, &fs::read(&path).unwrap(), &self.key.private).unwrap();
        let signatures = crate::document::signature_directory(&path);
        fs::create_dir_all(&signatures).unwrap();
        fs::write(signatures.join("ada.sig"), signature).unwrap();
    }

    fn terms(&self) -> Terms {
        Terms::read(&Home::open(Some(self.path())).unwrap(), Timestamp::now()).unwrap()
    }
}

#[test]
fn a_revocation_counts_once_it_is_signed_and_lasts_when_its_file_is_gone() {
    let fixture = Fixture::new();
    let component = Digest::of(b"component");
    fs::create_dir(fixture.path().join("revoked")).unwrap();
    let text = format!("format = 1\nreason = \"stolen\"\ncomponents = [\"{component}\"]\n");
    fs::write(fixture.path().join("revoked/one.toml"), text).unwrap();

    let unsigned = fixture.terms();
    assert!(unsigned.revoking.is_empty());
    assert!(unsigned.faults.to_string().contains("not signed by anyone who may approve"), "{}", unsigned.faults);

    fixture.sign(REVOKE_NAMESPACE, "revoked/one.toml");
    let signed = fixture.terms();
    assert!(signed.faults.is_empty(), "{}", signed.faults);
    assert!(signed.revocations(&State::default()).revokes_component(&component));

    fs::remove_dir_all(fixture.path().join("revoked")).unwrap();
    let remembered = State { revoked: [Revoked::Component(component)].into(), ..State::default() };
    assert!(fixture.terms().revocations(&remembered).revokes_component(&component));
}

#[test]
fn another_trust_document_follows_only_with_signatures_even_where_it_is_pinned() {
    let fixture = Fixture::new();
    let store = Store::new(fixture.path().join("state"));
    let first = fixture.terms();
    store.keep_trust(&first.trust_bytes).unwrap();
    let accepted = Accepted { version: 1, digest: first.trust.digest() };
    let state = State { trust: Some(accepted), ..State::default() };
    first.may_follow(&store, &state, Timestamp::now()).unwrap();

    fixture.trust(2);
    let error = fixture.terms().may_follow(&store, &state, Timestamp::now()).unwrap_err();
    assert!(error.to_string().contains("signed by 0 of the 1 people whom the old document needs"), "{error}");

    fixture.sign(TRUST_NAMESPACE, TRUST);
    fixture.terms().may_follow(&store, &state, Timestamp::now()).unwrap();

    store.keep_trust(b"something else").unwrap();
    let error = fixture.terms().may_follow(&store, &state, Timestamp::now()).unwrap_err();
    assert!(error.to_string().contains("state/trust.toml"), "{error}");
}

#[test]
fn a_root_that_is_not_there_is_told_with_its_line_and_stops_nothing_else() {
    let fixture = Fixture::new();
    let config = fs::read_to_string(fixture.path().join(CONFIG)).unwrap();
    fs::create_dir(fixture.path().join("../here")).unwrap();
    let roots = "[roots]\nhere = \"../here\"\nthere = \"../there\"\n";
    fs::write(fixture.path().join(CONFIG), format!("{config}{roots}")).unwrap();
    let terms = fixture.terms();
    assert_eq!(terms.host.roots.iter().map(ToString::to_string).collect::<Vec<_>>(), ["here"]);
    assert!(terms.faults.to_string().starts_with("wardkeep.toml:6: roots.there: the directory"), "{}", terms.faults);
}

#[test]
fn a_root_that_holds_the_secrets_or_lies_among_them_is_no_root() {
    let fixture = Fixture::new();
    let config = fs::read_to_string(fixture.path().join(CONFIG)).unwrap();
    fs::create_dir_all(fixture.path().join("../data/secrets/inner")).unwrap();
    fs::create_dir(fixture.path().join("../data/notes")).unwrap();
    std::os::unix::fs::symlink("data", fixture.path().join("../link")).unwrap();
    let roots = "[roots]\nabove = \"../data\"\ninside = \"../data/secrets/inner\"\nlink = \"../link\"\nnotes = \"../data/notes\"\n\
                 same = \"../data/secrets\"\n";
    let more = format!("[sources.file]\ndirectory = \"../data/secrets\"\n{roots}");
    fs::write(fixture.path().join(CONFIG), format!("{config}{more}")).unwrap();
    let terms = fixture.terms();
    assert_eq!(terms.host.roots.iter().map(ToString::to_string).collect::<Vec<_>>(), ["notes"]);
    let told = terms.faults.to_string();
    for name in ["above", "inside", "link", "same"] {
        assert!(told.contains(&format!("roots.{name}: ")), "{name}: {told}");
    }
}

#[test]
fn a_root_that_holds_the_home_or_lies_in_it_is_no_root() {
    let fixture = Fixture::new();
    let config = fs::read_to_string(fixture.path().join(CONFIG)).unwrap();
    for made in ["plugins/x", "../beside", "../homely"] {
        fs::create_dir_all(fixture.path().join(made)).unwrap();
    }
    std::os::unix::fs::symlink("home", fixture.path().join("../link")).unwrap();
    let roots = "[roots]\nabove = \"..\"\nbeside = \"../beside\"\ninside = \"plugins/x\"\nlike = \"../homely\"\nlink = \"../link\"\n\
                 plugins = \"plugins\"\nsame = \".\"\nslash = \"/\"\n";
    fs::write(fixture.path().join(CONFIG), format!("{config}{roots}")).unwrap();
    let terms = fixture.terms();
    assert_eq!(terms.host.roots.iter().map(ToString::to_string).collect::<Vec<_>>(), ["beside", "like"]);
    let told: Vec<_> = terms.faults.iter().collect();
    let keys = ["above", "inside", "link", "plugins", "same", "slash"].map(|name| format!("roots.{name}"));
    assert_eq!(told.iter().map(|fault| fault.key.clone()).collect::<Vec<_>>(), keys);
    for fault in told {
        assert!(fault.line.is_some() && fault.message.contains("holds this home, or is part of it"), "{fault}");
        assert!(fault.mend.as_ref().is_some_and(|mend| mend.contains("apart from the home")), "{fault}");
    }
}

#[test]
fn connections_and_tokens_outlive_a_reload_unless_what_they_stand_on_has_changed() {
    let fixture = Fixture::new();
    let config = fs::read_to_string(fixture.path().join(CONFIG)).unwrap();
    let write = |more: &str| fs::write(fixture.path().join(CONFIG), format!("{config}{more}")).unwrap();
    fs::create_dir(fixture.path().join("secrets")).unwrap();
    let sources = "[sources.file]\ndirectory = \"secrets\"\n";
    write(sources);
    let plugin = "p".parse().unwrap();
    let before = fixture.terms();
    let reach = before.world.outside.plugin(&plugin);
    let same = |after: &Terms| Arc::ptr_eq(&after.world.outside.plugin(&plugin), &reach);
    assert!(same(&before) && !same(&fixture.terms()), "read alone it is another one");
    assert!(same(&fixture.terms().after(&before)));
    write(&format!("{sources}[ceilings]\ndeadline = \"30s\"\n"));
    assert!(same(&fixture.terms().after(&before)), "another part of the file");
    for changed in [
        format!("{sources}[sources.env]\n"),
        format!("{sources}[egress]\nprivate = [\"10.2.0.0/16\"]\n"),
        format!("{sources}[egress]\nname_servers = [\"127.0.0.1:53\"]\n"),
        String::new(),
    ] {
        write(&changed);
        assert!(!same(&fixture.terms().after(&before)), "{changed}");
    }
}

#[test]
fn what_is_wrong_outside_is_told_with_its_line_and_stops_nothing_else() {
    let fixture = Fixture::new();
    let config = fs::read_to_string(fixture.path().join(CONFIG)).unwrap();
    fs::write(fixture.path().join("corp.pem"), "no certificate").unwrap();
    let more = "[sources.file]\ndirectory = \"gone\"\n[egress]\nca = \"corp.pem\"\n";
    fs::write(fixture.path().join(CONFIG), format!("{config}{more}")).unwrap();
    let told = fixture.terms().faults.to_string();
    assert!(told.contains("wardkeep.toml:5: sources.file.directory: "), "{told}");
    assert!(told.contains("wardkeep.toml:7: egress.ca: ") && told.contains("holds no certificates in PEM"), "{told}");
}

#[test]
fn tokens_are_for_the_public_url_that_the_host_was_started_with() {
    let fixture = Fixture::new();
    let config = fs::read_to_string(fixture.path().join(CONFIG)).unwrap();
    let issuer = |name: &str, more: &str| {
        format!("[callers.oauth.{name}]\nissuer = \"https://{name}.example.com\"\njwks = \"{name}.json\"\n{more}\n")
    };
    let terms = |public_url: &str, more: &str| {
        fs::write(fixture.path().join(CONFIG), format!("{config}{public_url}{more}")).unwrap();
        fixture.terms()
    };
    let listen = |host: &str| format!("[listen]\npublic_url = \"https://{host}.example.com/mcp\"\n");
    let audiences = |terms: &Terms| {
        let callers = terms.callers();
        callers.oauth.terms().map(|terms| (terms.name.clone(), terms.audience.clone())).collect::<Vec<_>>()
    };
    let is = |name: &str, audience: &str| (name.to_owned(), audience.to_owned());
    let both = format!("{}{}", issuer("a", ""), issuer("b", "audience = \"urn:b\""));
    let started = terms(&listen("old"), &both);
    let mut changed = terms(&listen("new"), &both);
    assert_eq!(changed.hold(&started, &started), ["listen"]);
    assert_eq!(audiences(&changed), [is("a", "https://old.example.com/mcp"), is("b", "urn:b")]);
    // an issuer that comes with it, or goes, does so now
    let mut other = terms(&listen("new"), &issuer("c", ""));
    assert_eq!(other.hold(&started, &changed), ["listen"]);
    assert_eq!(audiences(&other), [is("c", "https://old.example.com/mcp")]);
    let mut same = terms(&listen("old"), &both);
    assert!(same.hold(&started, &other).is_empty());
    assert_eq!(audiences(&same), audiences(&started));
    // where there was none, nobody would find what tokens are for
    let started = terms("", "");
    let mut first = terms(&listen("new"), &both);
    assert_eq!(first.hold(&started, &started), ["callers.oauth", "listen"]);
    assert_eq!(audiences(&first), []);
}
