use serde_json::json;

use super::*;
use crate::identity::tests::signer::{Signer, jwks};

fn set(keys: &[Value]) -> (KeySet, Vec<LeftOut>) {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn changed(mut jwk: Value, member: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(jwk.as_object_mut().unwrap().remove(member)),
        value => jwk[member] = value,
    }
    jwk
}

/// An RSA key of so many bits, which nobody has.
fn rsa(bits: usize, e: &[u8]) -> Value {
    let mut n = vec![0xff; bits.div_ceil(8)];
    if bits % 8 > 0 {
        n[0] = 0xff >> (8 - bits % 8);
    }
    json!({ "kty": "RSA", "kid": "r", "n": BASE64URL.encode(n), "e": BASE64URL.encode(e) })
}

const F4: [u8; 3] = [1, 0, 1];

#[test]
fn keys_verify_with_their_own_algorithm_and_nothing_else() {
    let signers = [Signer::ed25519("a"), Signer::p256("b"), Signer::rsa("c")];
    let (keys, left_out) = KeySet::parse(jwks(&signers).as_bytes()).unwrap();
    assert_eq!((keys.len(), left_out), (3, vec![]));
    for signer in &signers {
        let text = signer.token(&json!({}));
        let token = Token::parse(text.as_bytes()).unwrap();
        let key = keys.of(&token).unwrap();
        assert_eq!(key.verify(&token), Ok(()));
        assert!(keys.holds(key.print()));
        let twin = Signer::ed25519(&signer.kid).jwk();
        assert!(!keys.holds(set(&[twin]).0.keys[0].print()), "an id is no key");
        for other in signers.iter().filter(|other| other.kid != signer.kid) {
            let header = json!({ "alg": signer.alg(), "kid": other.kid }).to_string();
            let text = signer.signed(&header, "{}");
            assert_eq!(keys.of(&Token::parse(text.as_bytes()).unwrap()).err(), Some(BadToken::KeyUnfit));
        }
    }
}

#[test]
fn what_is_for_something_else_is_passed_over_without_a_word() {
    let good = Signer::p256("k").jwk();
    for key in [
        changed(good.clone(), "use", json!("enc")),
        changed(good.clone(), "alg", json!("ES384")),
        changed(good.clone(), "alg", json!("ECDH-ES")),
        changed(good.clone(), "crv", json!("P-384")),
        changed(good.clone(), "crv", Value::Null),
        changed(good.clone(), "kty", json!("RSA")),
        changed(good.clone(), "kty", Value::Null),
        changed(good.clone(), "key_ops", json!(["sign"])),
        changed(good.clone(), "key_ops", json!("verify")),
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "HS256" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": "AA", "kid": "k" }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "k" }),
        json!({}),
    ] {
        let (keys, left_out) = set(std::slice::from_ref(&key));
        assert_eq!((keys.len(), left_out), (0, vec![]), "{key}");
    }
    for key in [
        changed(good.clone(), "use", Value::Null),
        changed(good.clone(), "alg", Value::Null),
        changed(good.clone(), "key_ops", json!(["verify"])),
        changed(good, "x5t", json!("whatever")),
    ] {
        assert_eq!(set(std::slice::from_ref(&key)).0.len(), 1, "{key}");
    }
}

#[test]
fn what_is_weak_wrong_or_not_public_is_left_out_with_a_word() {
    let (ec, ed) = (Signer::p256("k").jwk(), Signer::ed25519("k").jwk());
    for key in [
        changed(ec.clone(), "d", json!("AA")),
        changed(ec.clone(), "k", json!("AA")),
        changed(ec.clone(), "x", json!("AA")),
        changed(ec.clone(), "y", Value::Null),
        changed(ec.clone(), "y", json!(BASE64URL.encode([1; 33]))),
        changed(ec.clone(), "x", json!(7)),
        changed(ec.clone(), "x", json!(format!("{}=", ec["x"].as_str().unwrap()))),
        changed(ec.clone(), "kid", json!(7)),
        changed(ec, "alg", json!(["ES256"])),
        changed(ed.clone(), "x", json!(BASE64URL.encode([1; 31]))),
        changed(ed.clone(), "x", json!("")),
        changed(ed, "x", Value::Null),
        rsa(1_024, &F4),
        rsa(2_047, &F4),
        rsa(4_097, &F4),
        rsa(16_384, &F4),
        rsa(2_048, &[3]),
        rsa(2_048, &[1]),
        rsa(2_048, &[]),
        rsa(2_048, &[1, 0, 0]),
        rsa(2_048, &[1, 0, 0, 0, 1]),
        changed(rsa(2_048, &F4), "n", json!(BASE64URL.encode([0xfe; 256]))),
        changed(rsa(2_048, &F4), "n", json!("")),
        changed(rsa(2_048, &F4), "e", json!(65_537)),
    ] {
        let (keys, left_out) = set(std::slice::from_ref(&key));
        assert_eq!((keys.len(), left_out.len()), (0, 1), "{key}");
    }
    for key in [rsa(2_048, &F4), rsa(4_096, &F4), rsa(2_048, &[0, 1, 0, 1])] {
        assert_eq!(set(std::slice::from_ref(&key)).0.len(), 1, "{key}");
    }
}

#[test]
fn a_point_that_is_not_on_the_curve_verifies_nothing() {
    let signer = Signer::p256("k");
    let off = changed(signer.jwk(), "y", json!(BASE64URL.encode([1; 32])));
    let text = signer.token(&json!({}));
    let token = Token::parse(text.as_bytes()).unwrap();
    let (keys, _) = set(&[off]);
    assert_eq!(keys.of(&token).unwrap().verify(&token), Err(BadToken::Signature));
}

#[test]
fn an_id_that_two_keys_have_is_no_key_s() {
    let (one, two, three) = (Signer::p256("same"), Signer::rsa("same"), Signer::ed25519("own"));
    let (keys, left_out) = set(&[one.jwk(), two.jwk(), three.jwk()]);
    assert_eq!((keys.len(), left_out.len()), (1, 2));
    for signer in [&one, &two] {
        let text = signer.token(&json!({}));
        assert_eq!(keys.of(&Token::parse(text.as_bytes()).unwrap()).err(), Some(BadToken::UnknownKey));
    }
    let (keys, left_out) = set(&[one.jwk(), one.jwk()]);
    assert_eq!((keys.len(), left_out), (1, vec![]), "the same one twice is one");
    let nameless = [one, two].map(|signer| changed(signer.jwk(), "kid", Value::Null));
    assert_eq!(set(&nameless).0.len(), 0);
}

#[test]
fn a_token_without_an_id_is_for_the_only_key_there_is() {
    let (one, two) = (Signer::p256("one"), Signer::ed25519("two"));
    let text = one.signed(r#"{"alg":"ES256"}"#, "{}");
    let token = Token::parse(text.as_bytes()).unwrap();
    assert!(set(&[one.jwk()]).0.of(&token).unwrap().verify(&token).is_ok());
    assert!(set(&[changed(one.jwk(), "kid", Value::Null)]).0.of(&token).is_ok());
    assert_eq!(set(&[one.jwk(), two.jwk()]).0.of(&token).err(), Some(BadToken::NoKid));
    assert_eq!(set(&[two.jwk()]).0.of(&token).err(), Some(BadToken::KeyUnfit));
    assert_eq!(set(&[]).0.of(&token).err(), Some(BadToken::UnknownKey));
    let named = one.token(&json!({}));
    let nameless = set(&[changed(one.jwk(), "kid", Value::Null)]).0;
    assert_eq!(nameless.of(&Token::parse(named.as_bytes()).unwrap()).err(), Some(BadToken::UnknownKey));
}

#[test]
fn a_set_is_one_object_with_so_many_keys_in_so_many_bytes() {
    let deep = format!(r#"{{"keys":[],"a":{}{}}}"#, "[".repeat(DEEPEST), "]".repeat(DEEPEST));
    for bad in [
        "",
        "<html>",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[7]}"#,
        r#"{"keys":[],"keys":[]}"#,
        r#"{"keys":[{"kid":"a","kid":"b"}]}"#,
        r#"{"keys":[]}x"#,
        &deep,
    ] {
        assert_eq!(KeySet::parse(bad.as_bytes()).err(), Some(BadKeySet::Shape), "{bad}");
    }
    assert_eq!(KeySet::parse(b"{\"keys\":[{\"kid\":\"\xff\"}]}").err(), Some(BadKeySet::Shape));
    let many = |count: usize| json!({ "keys": vec![json!({}); count] }).to_string();
    assert!(KeySet::parse(many(MOST).as_bytes()).is_ok());
    assert_eq!(KeySet::parse(many(MOST + 1).as_bytes()).err(), Some(BadKeySet::TooMany));
    let padded = |bytes: usize| format!("{}{}", r#"{"keys":[]}"#, " ".repeat(bytes - 11));
    assert!(KeySet::parse(padded(LONGEST).as_bytes()).is_ok());
    assert_eq!(KeySet::parse(padded(LONGEST + 1).as_bytes()).err(), Some(BadKeySet::TooLong));
}
