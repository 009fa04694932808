use super::*;

const DOCUMENT: &[u8] = b"format = 1\n";

fn key(seed: u8) -> KeyPair {
    generate_key(&[seed; 32], "test").unwrap()
}

fn signed() -> String {
    sign(MANIFEST_NAMESPACE, DOCUMENT, &key(1).private).unwrap()
}

#[test]
fn a_signature_names_the_key_that_made_it() {
    let by = verify_signature(MANIFEST_NAMESPACE, DOCUMENT, signed().as_bytes()).unwrap();
    let public: PublicKey = key(1).public.parse().unwrap();
    assert_eq!(by.key, public);
    assert_ne!(by.key, key(2).public.parse().unwrap());
}

#[test]
fn no_byte_of_a_document_can_be_changed() {
    let signature = signed();
    for index in 0..DOCUMENT.len() {
        for bit in 0..8 {
            let mut changed = DOCUMENT.to_vec();
            changed[index] ^= 1 << bit;
            let refused = verify_signature(MANIFEST_NAMESPACE, &changed, signature.as_bytes());
            assert_eq!(refused, Err(SignatureFault::Mismatch), "byte {index}, bit {bit}");
        }
    }
}

#[test]
fn no_byte_of_a_signature_file_can_be_changed_added_or_left_out() {
    let signature = signed().into_bytes();
    for index in 0..signature.len() {
        for bit in 0..8 {
            let mut changed = signature.clone();
            changed[index] ^= 1 << bit;
            let refused = verify_signature(MANIFEST_NAMESPACE, DOCUMENT, &changed);
            assert!(refused.is_err(), "byte {index}, bit {bit}: {refused:?}");
        }
        let mut shorter = signature.clone();
        shorter.remove(index);
        assert!(verify_signature(MANIFEST_NAMESPACE, DOCUMENT, &shorter).is_err(), "without byte {index}");
        let mut longer = signature.clone();
        longer.insert(index, b'\n');
        assert!(verify_signature(MANIFEST_NAMESPACE, DOCUMENT, &longer).is_err(), "newline before byte {index}");
    }
    let refused = |bytes: &[u8]| verify_signature(MANIFEST_NAMESPACE, DOCUMENT, bytes).unwrap_err();
    assert_eq!(refused(&[&signature[..], b"\n"].concat()), SignatureFault::Malformed);
    assert_eq!(refused(&vec![b'A'; LARGEST_SIGNATURE + 1]), SignatureFault::Malformed);
    assert_eq!(refused(b""), SignatureFault::Malformed);
}

#[test]
fn a_signature_for_one_purpose_does_not_serve_another() {
    let error = verify_signature(TRUST_NAMESPACE, DOCUMENT, signed().as_bytes()).unwrap_err();
    let (found, wanted) = (format!("`{MANIFEST_NAMESPACE}`"), TRUST_NAMESPACE.to_owned());
    assert_eq!(error, SignatureFault::Namespace { found, wanted });
}

#[test]
fn a_key_with_a_passphrase_or_of_no_kind_does_not_sign() {
    assert_eq!(sign(MANIFEST_NAMESPACE, DOCUMENT, "not a key"), Err(SignFault::Malformed));
    assert_eq!(sign(MANIFEST_NAMESPACE, DOCUMENT, &key(1).public), Err(SignFault::Malformed));
}

#[test]
fn a_signature_file_that_is_too_long_is_refused_however_sound_it_is() {
    for (purpose, refused) in [("n".repeat(2_500), None), ("n".repeat(3_500), Some(SignatureFault::Malformed))] {
        let file = sign(&purpose, DOCUMENT, &key(1).private).unwrap();
        assert_eq!(file.len() > LARGEST_SIGNATURE, refused.is_some(), "{} bytes", file.len());
        assert_eq!(verify_signature(&purpose, DOCUMENT, file.as_bytes()).err(), refused);
    }
}
