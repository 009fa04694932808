//! Any bytes as an access token. What is read of one has one spelling, says nothing twice, and names no algorithm, key or meaning that the host
//! does not choose itself.
#![no_main]

// The gateway brings rmcp and wasmtime. Reading a token needs neither, so it is compiled here from its own file.
#[path = "../../../host/gateway/src/identity"]
#[allow(dead_code, reason = "what keys and claims make of it is asked elsewhere")]
mod identity {
    pub(crate) mod token;
}

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use identity::token::{LONGEST, Token};
use libfuzzer_sys::fuzz_target;
use wardkeep_fuzz::json::Written;

fuzz_target!(|bytes: &[u8]| {
    taken(bytes);
    // the same as a header and as claims of a token whose form is right: most bytes never come so far
    let part = BASE64URL.encode(bytes);
    taken(format!("{part}.e30.AA").as_bytes());
    taken(format!("eyJhbGciOiJFUzI1NiJ9.{part}.AA").as_bytes());
});

fn taken(bytes: &[u8]) {
    let Ok(token) = Token::parse(bytes) else { return };
    assert!(bytes.len() <= LONGEST);
    let parts: Vec<_> = bytes.split(|byte| *byte == b'.').collect();
    assert_eq!(parts.len(), 3);
    let decoded: Vec<_> = parts.iter().map(|part| BASE64URL.decode(part).expect("base64url")).collect();
    // written again, it is the same token
    let again: Vec<_> = decoded.iter().map(|part| BASE64URL.encode(part)).collect();
    assert_eq!(again.join(".").as_bytes(), bytes, "a token has two spellings");
    let signed = [token.signed, b".", token.signature.as_bytes()].concat();
    assert_eq!(signed, bytes, "what is verified is not what came");
    for part in decoded.iter().take(2) {
        let written = Written::read(part).expect("JSON");
        assert!(!written.repeats_a_key(), "a key is said twice");
    }
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&decoded[0]).expect("an object");
    assert_eq!(header["alg"], token.algorithm.as_str());
    assert_eq!(header.get("kid").and_then(serde_json::Value::as_str), token.kid.as_deref());
    for refused in ["crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip", "cty", "epk"] {
        assert!(!header.contains_key(refused), "{refused}");
    }
}
