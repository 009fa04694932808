//! Our verdict beside that of `ssh-keygen -Y verify`, over every accepted algorithm and over changed bytes.
//!
//! What we accept, ssh-keygen accepts. What it accepts and we do not is one of two kinds: a security key's signature that nobody
//! touched the key for, and another spelling of the same signature file (its armour and envelope are not signed, so we accept one
//! spelling only).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail"
)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use ssh_key::{
    Algorithm, HashAlg, LineEnding, PrivateKey, Signature, SigningKey, SshSig,
    private::{Ed25519Keypair, KeypairData},
    public::{KeyData, SkEd25519},
};
use tempfile::TempDir;
use wardkeep_model::Digest;
use wardkeep_policy::{MANIFEST_NAMESPACE, SignatureFault, TRUST_NAMESPACE, verify_signature};

const DOCUMENT: &[u8] = b"format = 1\n[plugin]\nname = \"github\"\n";

/// A folder to work in; nothing where ssh-keygen is missing, which is told aloud and fails under CI.
fn folder() -> Option<TempDir> {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "ssh-keygen is missing: install openssh-client");
        // not `eprintln!`: the test runner swallows that where a test passes, and nobody would know
        let text = b"SKIPPED: ssh-keygen is missing; install openssh-client to compare with it\n";
        std::io::Write::write_all(&mut std::io::stderr(), text).unwrap();
        return None;
    }
    Some(tempfile::tempdir().unwrap())
}

fn keygen(arguments: &[&str], folder: &Path) {
    let output = Command::new("ssh-keygen").args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A key file made by ssh-keygen: the path of the private key, and the public line.
fn new_key(folder: &Path, name: &str, kind: &[&str]) -> (PathBuf, String) {
    keygen(&[&["-q", "-N", "", "-C", "test", "-f", name], kind].concat(), folder);
    let path = folder.join(name);
    let public = fs::read_to_string(path.with_extension("pub")).unwrap();
    (path, public)
}

fn sign_with_keygen(folder: &Path, key: &Path, namespace: &str, options: &[&str]) -> Vec<u8> {
    let document = folder.join("document");
    fs::write(&document, DOCUMENT).unwrap();
    let _ = fs::remove_file(folder.join("document.sig"));
    keygen(
        &[&["-q", "-Y", "sign", "-n", namespace, "-f", key.to_str().unwrap()], options, &["document"]].concat(),
        folder,
    );
    fs::read(folder.join("document.sig")).unwrap()
}

fn keygen_accepts(folder: &Path, public: &str, document: &[u8], signature: &[u8]) -> bool {
    fs::write(folder.join("allowed"), format!("someone {public}\n")).unwrap();
    fs::write(folder.join("signature"), signature).unwrap();
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-f", "allowed", "-I", "someone", "-n", MANIFEST_NAMESPACE, "-s", "signature"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It does not read on once the signature is refused.
    let _ = child.stdin.take().unwrap().write_all(document);
    child.wait().unwrap().success()
}

fn we_accept(public: &str, document: &[u8], signature: &[u8]) -> Result<bool, SignatureFault> {
    let line: String = public.split(' ').take(2).collect::<Vec<_>>().join(" ");
    verify_signature(MANIFEST_NAMESPACE, document, signature).map(|by| by.key.to_string() == line.trim_end())
}

/// Compares over the sound signature and over changes of it; answers how many comparisons there were.
fn compare(folder: &Path, public: &str, signature: &[u8]) -> usize {
    assert_eq!(we_accept(public, DOCUMENT, signature), Ok(true));
    assert!(keygen_accepts(folder, public, DOCUMENT, signature));
    let mut compared = 1;
    for index in (0..DOCUMENT.len()).step_by(9) {
        let mut changed = DOCUMENT.to_vec();
        changed[index] ^= 1;
        assert_eq!(we_accept(public, &changed, signature), Err(SignatureFault::Mismatch), "byte {index}");
        assert!(!keygen_accepts(folder, public, &changed, signature), "byte {index}");
        compared += 1;
    }
    for index in 0..signature.len() {
        let mut changed = signature.to_vec();
        changed[index] ^= 1;
        let ours = we_accept(public, DOCUMENT, &changed);
        let theirs = keygen_accepts(folder, public, DOCUMENT, &changed);
        match (&ours, theirs) {
            (Ok(true), true) | (Err(_) | Ok(false), false) | (Err(SignatureFault::Malformed), true) => {}
            _ => panic!("byte {index}: we say {ours:?}, ssh-keygen accepts: {theirs}"),
        }
        compared += 1;
    }
    compared
}

#[test]
fn we_and_ssh_keygen_agree_on_ed25519_and_ecdsa_signatures() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    let kinds: [(&str, &[&str]); 2] = [("ed25519", &["-t", "ed25519"]), ("ecdsa", &["-t", "ecdsa", "-b", "256"])];
    for (name, kind) in kinds {
        let (key, public) = new_key(folder, name, kind);
        for hash in ["sha256", "sha512"] {
            let option = format!("hashalg={hash}");
            let signature = sign_with_keygen(folder, &key, MANIFEST_NAMESPACE, &["-O", &option]);
            assert_eq!(we_accept(&public, DOCUMENT, &signature), Ok(true), "{name} {hash}");
            assert!(keygen_accepts(folder, &public, DOCUMENT, &signature), "{name} {hash}");
        }
        let signature = sign_with_keygen(folder, &key, MANIFEST_NAMESPACE, &[]);
        assert!(compare(folder, &public, &signature) > 200);
        let other = sign_with_keygen(folder, &key, TRUST_NAMESPACE, &[]);
        assert!(matches!(we_accept(&public, DOCUMENT, &other), Err(SignatureFault::Namespace { .. })), "{name}");
        assert!(!keygen_accepts(folder, &public, DOCUMENT, &other), "{name}");
    }
}

#[test]
fn what_we_sign_ssh_keygen_accepts() {
    let Some(folder) = folder() else { return };
    let pair = wardkeep_policy::generate_key(&[7; 32], "test").unwrap();
    let signature = wardkeep_policy::sign(MANIFEST_NAMESPACE, DOCUMENT, &pair.private).unwrap();
    assert!(keygen_accepts(folder.path(), &pair.public, DOCUMENT, signature.as_bytes()));
    // And what it makes of our key file is what we make of it.
    let file = folder.path().join("ours");
    fs::write(&file, &pair.private).unwrap();
    Command::new("chmod").args(["600", file.to_str().unwrap()]).status().unwrap();
    let theirs = sign_with_keygen(folder.path(), &file, MANIFEST_NAMESPACE, &[]);
    assert_eq!(String::from_utf8(theirs).unwrap(), signature);
}

#[test]
fn keys_of_other_kinds_are_refused_although_ssh_keygen_accepts_them() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    let kinds: [(&str, &[&str]); 2] = [("rsa", &["-t", "rsa", "-b", "2048"]), ("p384", &["-t", "ecdsa", "-b", "384"])];
    for (name, kind) in kinds {
        let (key, public) = new_key(folder, name, kind);
        let signature = sign_with_keygen(folder, &key, MANIFEST_NAMESPACE, &[]);
        assert!(keygen_accepts(folder, &public, DOCUMENT, &signature), "{name}");
        assert!(matches!(we_accept(&public, DOCUMENT, &signature), Err(SignatureFault::Key(_))), "{name}");
    }
}

/// A signature as a security key makes it (OpenSSH, PROTOCOL.u2f), by a key that we hold.
fn by_security_key(flags: u8, document: &[u8]) -> (String, String) {
    let pair = Ed25519Keypair::from_seed(&[5; 32]);
    let public = KeyData::SkEd25519(SkEd25519::new(pair.public, "ssh:"));
    let message = SshSig::signed_data(MANIFEST_NAMESPACE, HashAlg::Sha512, document).unwrap();
    let trailer = [&[flags][..], &7_u32.to_be_bytes()].concat();
    let signed =
        [Digest::of(b"ssh:").as_bytes().as_slice(), &trailer, Digest::of(&message).as_bytes().as_slice()].concat();
    let private = PrivateKey::new(KeypairData::Ed25519(pair), "").unwrap();
    let signature = raw(&private, &signed);
    let bytes = [signature.as_bytes(), &trailer].concat();
    let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
    let armoured = SshSig::new(public.clone(), MANIFEST_NAMESPACE, HashAlg::Sha512, signature).unwrap();
    let line = ssh_key::PublicKey::new(public, "test").to_openssh().unwrap();
    (line, armoured.to_pem(LineEnding::LF).unwrap())
}

fn raw<K: SigningKey>(key: &K, message: &[u8]) -> Signature {
    key.try_sign(message).unwrap()
}

#[test]
fn we_and_ssh_keygen_agree_on_security_keys_but_we_ask_that_somebody_touched_them() {
    let Some(folder) = folder() else { return };
    let folder = folder.path();
    let (public, touched) = by_security_key(0x01, DOCUMENT);
    assert!(compare(folder, &public, touched.as_bytes()) > 200);
    let (_, verified) = by_security_key(0x05, DOCUMENT);
    assert_eq!(we_accept(&public, DOCUMENT, verified.as_bytes()), Ok(true));
    assert!(keygen_accepts(folder, &public, DOCUMENT, verified.as_bytes()));
    for flags in [0x00, 0x04] {
        let (_, untouched) = by_security_key(flags, DOCUMENT);
        assert_eq!(we_accept(&public, DOCUMENT, untouched.as_bytes()), Err(SignatureFault::NoUserPresence), "{flags}");
    }
}

#[test]
fn a_security_key_that_nobody_touched_is_refused_without_ssh_keygen_too() {
    let (public, touched) = by_security_key(0x01, DOCUMENT);
    assert_eq!(we_accept(&public, DOCUMENT, touched.as_bytes()), Ok(true));
    let (_, untouched) = by_security_key(0x00, DOCUMENT);
    assert_eq!(we_accept(&public, DOCUMENT, untouched.as_bytes()), Err(SignatureFault::NoUserPresence));
    // Setting the flag afterwards does not help: it is signed.
    let mut bytes = touched.into_bytes();
    let last = bytes.len() - 40;
    bytes[last] ^= 1;
    assert!(we_accept(&public, DOCUMENT, &bytes).is_err());
}
