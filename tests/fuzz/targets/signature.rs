//! Signature files. Whatever is done to a valid one, to what it signs or to its purpose, it counts no more: the only accepted bytes
//! are those that the key's owner made.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wardkeep_fuzz::home::{ALICE, key};
use wardkeep_policy::{
    LARGEST_SIGNATURE, MANIFEST_NAMESPACE, PublicKey, REVOKE_NAMESPACE, TRUST_NAMESPACE, sign, verify_signature,
};

const DOCUMENT: &[u8] = b"format = 1\n[plugin]\nname = \"github\"\n";

/// By ed25519 keys: signing is deterministic, so there is one true file.
static SIGNATURE: LazyLock<String> = LazyLock::new(|| sign(MANIFEST_NAMESPACE, DOCUMENT, &ALICE.private).unwrap());

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// A file of any bytes.
    File(&'a [u8]),
    /// What is inside the armour of the valid file, changed, and armoured again as ssh-keygen does.
    Inside(Vec<Edit>),
    /// The valid file, changed.
    Armour(Vec<Edit>),
    /// The valid file over another document or for another purpose.
    Other { document: Vec<Edit>, namespace: u8 },
    /// A key's own signature over a document of its choice.
    Own { seed: u8, document: &'a [u8] },
    /// A public key's line.
    Key(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Edit {
    Set(u16, u8),
    Insert(u16, u8),
    Remove(u16, u8),
    Repeat(u16, u8),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |place: u16, bytes: &Vec<u8>| usize::from(place) % (bytes.len() + 1);
        match self {
            Self::Set(place, value) => {
                let place = at(*place, bytes);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte = *value;
                }
            }
            Self::Insert(place, value) => bytes.insert(at(*place, bytes), *value),
            Self::Remove(place, count) => {
                let place = at(*place, bytes);
                let end = (place + usize::from(*count)).min(bytes.len());
                bytes.drain(place..end);
            }
            Self::Repeat(place, count) => {
                let place = at(*place, bytes);
                let end = (place + usize::from(*count)).min(bytes.len());
                let piece = bytes[place..end].to_vec();
                bytes.splice(place..place, piece);
            }
        }
    }
}

fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    edits.iter().take(64).for_each(|edit| edit.apply(&mut bytes));
    bytes
}

/// The armour's begin and end, and lines of 70 characters: what `ssh-keygen` writes (PROTOCOL.sshsig).
fn armoured(inside: &[u8]) -> Vec<u8> {
    let mut file = b"-----BEGIN SSH SIGNATURE-----\n".to_vec();
    for line in base64(inside).chunks(70) {
        file.extend_from_slice(line);
        file.push(b'\n');
    }
    file.extend_from_slice(b"-----END SSH SIGNATURE-----\n");
    file
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for three in bytes.chunks(3) {
        let word = three.iter().chain(&[0, 0]).take(3).fold(0_usize, |word, byte| word << 8 | usize::from(*byte));
        for place in 0..4 {
            let letter = LETTERS[word >> (18 - 6 * place) & 63];
            text.push(if place <= three.len() { letter } else { b'=' });
        }
    }
    text
}

fn unarmoured(file: &str) -> Vec<u8> {
    let letters = file.lines().filter(|line| !line.starts_with('-')).flat_map(str::bytes).filter(|byte| *byte != b'=');
    let (mut bytes, mut word, mut bits) = (Vec::new(), 0_usize, 0);
    for letter in letters {
        let six = LETTERS.iter().position(|known| *known == letter).expect("a valid file");
        (word, bits) = (word << 6 | six, bits + 6);
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits & 255) as u8);
        }
    }
    bytes
}

static INSIDE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let inside = unarmoured(&SIGNATURE);
    assert_eq!(armoured(&inside), SIGNATURE.as_bytes(), "the armour here is not ssh-keygen's");
    inside
});

/// Accepted only if nothing at all was changed.
fn judge(namespace: &str, document: &[u8], file: &[u8]) {
    let same = namespace == MANIFEST_NAMESPACE && document == DOCUMENT && file == SIGNATURE.as_bytes();
    match verify_signature(namespace, document, file) {
        Ok(signed) => {
            assert!(same, "a changed signature was accepted");
            assert_eq!(signed.key, ALICE.public.parse().unwrap());
        }
        Err(fault) => {
            assert!(!same, "the valid signature was refused");
            assert!(!fault.to_string().chars().any(wardkeep_model::hidden), "{fault:?}");
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::File(file) => judge(MANIFEST_NAMESPACE, DOCUMENT, file),
        Input::Inside(edits) => judge(MANIFEST_NAMESPACE, DOCUMENT, &armoured(&edited(&INSIDE, &edits))),
        Input::Armour(edits) => judge(MANIFEST_NAMESPACE, DOCUMENT, &edited(SIGNATURE.as_bytes(), &edits)),
        Input::Other { document, namespace } => {
            let namespaces = [MANIFEST_NAMESPACE, TRUST_NAMESPACE, REVOKE_NAMESPACE, "", "file"];
            let namespace = namespaces[usize::from(namespace) % namespaces.len()];
            judge(namespace, &edited(DOCUMENT, &document), SIGNATURE.as_bytes());
        }
        Input::Own { seed, document } => {
            let pair = key(seed);
            let file = sign(TRUST_NAMESPACE, document, &pair.private).unwrap();
            assert!(file.len() <= LARGEST_SIGNATURE);
            let signed = verify_signature(TRUST_NAMESPACE, document, file.as_bytes()).expect("its own signature");
            assert_eq!(signed.key, pair.public.parse().unwrap());
        }
        Input::Key(line) => {
            if let Ok(key) = line.parse::<PublicKey>() {
                let again: PublicKey = key.to_string().parse().expect("a key reads what it writes");
                assert_eq!(again, key);
                assert_eq!(again.fingerprint(), key.fingerprint());
                assert_eq!(again.algorithm(), key.algorithm());
            }
        }
    }
});
