//! An issuer's key pair, for tests: it signs what it is told to, also what no issuer would. The end-to-end tests use it too.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

pub struct Signer {
    pub kid: String,
    algorithm: Algorithm,
    pair: KeyPair,
}

impl Signer {
    pub fn ed25519(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self { kid: kid.into(), algorithm: Algorithm::EdDSA, pair }
    }

    pub fn p256(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        Self { kid: kid.into(), algorithm: Algorithm::ES256, pair }
    }

    pub fn rsa(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        Self { kid: kid.into(), algorithm: Algorithm::RS256, pair }
    }

    pub fn alg(&self) -> &'static str {
        match self.algorithm {
            Algorithm::EdDSA => "EdDSA",
            Algorithm::ES256 => "ES256",
            _ => "RS256",
        }
    }

    /// Its public half (RFC 7517).
    pub fn jwk(&self) -> Value {
        let public = self.pair.public_key_raw();
        let text = |bytes: &[u8]| BASE64URL.encode(bytes);
        let mut jwk = match self.algorithm {
            Algorithm::EdDSA => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(public) }),
            Algorithm::ES256 => {
                json!({ "kty": "EC", "crv": "P-256", "x": text(&public[1..33]), "y": text(&public[33..]) })
            }
            _ => {
                let (n, e) = integers(public);
                json!({ "kty": "RSA", "n": text(n), "e": text(e) })
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.alg());
        jwk["use"] = json!("sig");
        jwk
    }

    /// What whoever confuses algorithms would take for a secret.
    pub fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }

    pub fn header(&self) -> Value {
        json!({ "alg": self.alg(), "kid": self.kid, "typ": "at+jwt" })
    }

    pub fn token(&self, claims: &Value) -> String {
        self.signed(&self.header().to_string(), &claims.to_string())
    }

    /// Signs these very texts.
    pub fn signed(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims));
        let signature = self.signature(&message);
        format!("{message}.{signature}")
    }

    pub fn signature(&self, message: &str) -> String {
        let key = match self.algorithm {
            Algorithm::EdDSA => EncodingKey::from_ed_der(self.pair.serialized_der()),
            Algorithm::ES256 => EncodingKey::from_ec_der(self.pair.serialized_der()),
            _ => EncodingKey::from_rsa_pem(self.pair.serialize_pem().as_bytes()).unwrap(),
        };
        crypto::sign(message.as_bytes(), &key, self.algorithm).unwrap()
    }
}

/// A set of these keys.
pub fn jwks<'s>(signers: impl IntoIterator<Item = &'s Signer>) -> String {
    let keys: Vec<_> = signers.into_iter().map(Signer::jwk).collect();
    json!({ "keys": keys }).to_string()
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017, A.1.1): a sequence of two integers.
fn integers(der: &[u8]) -> (&[u8], &[u8]) {
    let (sequence, _) = value(der);
    let (n, rest) = value(sequence);
    (n, value(rest).0)
}

/// The value of a DER element, and what follows it.
fn value(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, at) = match der[1] {
        long @ 0x81.. => {
            let bytes = usize::from(long & 0x7f);
            (der[2..2 + bytes].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 2 + bytes)
        }
        short => (usize::from(short), 2),
    };
    (&der[at..at + length], &der[at + length..])
}
