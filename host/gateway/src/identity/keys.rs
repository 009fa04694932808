//! An issuer's public keys of one moment (JWK Set, RFC 7517). Immutable: a refresh makes another and swaps it whole.
//!
//! A set comes from the network or from a file that others may write to, so of each key only what verifies is taken, and what is weak,
//! ambiguous or not for signatures is left out with a word on why.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{DecodingKey, crypto};
use serde_json::{Map, Value};
use wardkeep_model::{Digest, shown};
use wardkeep_policy::parse_json;

use super::token::{Algorithm, BadToken, Token};

/// Bytes of a set.
pub(crate) const LONGEST: usize = 256 << 10;
/// Keys of a set that are looked at.
const MOST: usize = 128;
/// Arrays and objects within each other.
const DEEPEST: usize = 6;
/// Bits of an RSA key: fewer are within reach of who has money, and more burn the host's own time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;
/// The least and the longest public exponent that is taken.
const EXPONENT: std::ops::RangeInclusive<u64> = 65_537..=0xffff_ffff;

/// Keys that verify, each under its own id.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

/// One key, for one algorithm.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    /// Of algorithm and material: what tells this key from another of the same id.
    print: Digest,
    verifying: DecodingKey,
}

/// What is no set of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKeySet {
    /// Larger than any that there is.
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
    /// No JWK Set.
    #[error("it is no JSON object with an array `keys`, or says something twice")]
    Shape,
    /// More keys than anybody rotates.
    #[error("it holds more than {MOST} keys")]
    TooMany,
}

/// What a set would be good for, for whoever looks before a token comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsableKeys {
    /// How many keys verify tokens.
    pub count: usize,
    /// Those that should and cannot: their ids, and why.
    pub left_out: Vec<(String, &'static str)>,
}

impl UsableKeys {
    /// Of a set as its issuer publishes it.
    ///
    /// # Errors
    /// It is no set of keys.
    pub fn of(bytes: &[u8]) -> Result<Self, BadKeySet> {
        let (keys, left_out) = KeySet::parse(bytes)?;
        let left_out = left_out.into_iter().map(|LeftOut { kid, why }| (kid, why)).collect();
        Ok(Self { count: keys.len(), left_out })
    }
}

/// A key that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) kid: String,
    pub(crate) why: &'static str,
}

impl KeySet {
    /// Reads a set. Keys that are not for verifying tokens are nothing to speak of; those that should be and cannot are given too.
    pub(crate) fn parse(bytes: &[u8]) -> Result<(Self, Vec<LeftOut>), BadKeySet> {
        if bytes.len() > LONGEST {
            return Err(BadKeySet::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BadKeySet::Shape)?;
        let set = parse_json(text, DEEPEST).map_err(|_| BadKeySet::Shape)?;
        let all = set.get("keys").and_then(Value::as_array).ok_or(BadKeySet::Shape)?;
        if all.len() > MOST {
            return Err(BadKeySet::TooMany);
        }
        let (mut keys, mut left_out) = (Vec::<Key>::new(), Vec::new());
        for key in all {
            let Some(key) = key.as_object() else { return Err(BadKeySet::Shape) };
            match read(key) {
                Ok(Some(key)) if keys.iter().any(|known| known.kid == key.kid && known.print == key.print) => {}
                Ok(Some(key)) => keys.push(key),
                Ok(None) => {}
                Err(why) => left_out.push(LeftOut { kid: kid_of(key), why }),
            }
        }
        // which of two was meant cannot be told, and the one that was not may be the one that was stolen
        let twice: Vec<_> = keys.iter().filter(|key| keys.iter().filter(|k| k.kid == key.kid).count() > 1).collect();
        let twice: Vec<_> = twice.into_iter().map(|key| key.kid.clone()).collect();
        keys.retain(|key| {
            let once = !twice.contains(&key.kid);
            if !once {
                let kid = key.kid.clone().unwrap_or_default();
                left_out.push(LeftOut { kid, why: "another key of the set has the same `kid`, or none either" });
            }
            once
        });
        Ok((Self { keys }, left_out))
    }

    /// The key that this token says it is signed with. [`BadToken::UnknownKey`] alone may be mended by newer keys.
    pub(crate) fn of(&self, token: &Token<'_>) -> Result<&Key, BadToken> {
        let key = match &token.kid {
            Some(kid) => self.keys.iter().find(|key| key.kid.as_ref() == Some(kid)).ok_or(BadToken::UnknownKey)?,
            None => match self.keys.as_slice() {
                [] => return Err(BadToken::UnknownKey),
                [only] => only,
                _ => return Err(BadToken::NoKid),
            },
        };
        if key.algorithm == token.algorithm { Ok(key) } else { Err(BadToken::KeyUnfit) }
    }

    /// Whether this very key is among them.
    pub(crate) fn holds(&self, print: Digest) -> bool {
        self.keys.iter().any(|key| key.print == print)
    }

    pub(crate) const fn len(&self) -> usize {
        self.keys.len()
    }
}

impl Key {
    pub(crate) const fn print(&self) -> Digest {
        self.print
    }

    /// Whether the token is signed by this key. The algorithm is the key's own: what the token says of it was compared before.
    pub(crate) fn verify(&self, token: &Token<'_>) -> Result<(), BadToken> {
        let algorithm = match self.algorithm {
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        };
        match crypto::verify(token.signature, token.signed, &self.verifying, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(BadToken::Signature),
        }
    }
}

fn kid_of(key: &Map<String, Value>) -> String {
    let kid: String = key.get("kid").and_then(Value::as_str).unwrap_or("(no kid)").chars().take(64).collect();
    shown(&kid)
}

/// A key that verifies; nothing if it is for something else.
fn read(key: &Map<String, Value>) -> Result<Option<Key>, &'static str> {
    let said = |member: &str| key.get(member).and_then(Value::as_str);
    let algorithm = match (said("kty"), said("crv")) {
        (Some("RSA"), None) => Algorithm::Rs256,
        (Some("EC"), Some("P-256")) => Algorithm::Es256,
        (Some("OKP"), Some("Ed25519")) => Algorithm::EdDsa,
        _ => return Ok(None),
    };
    let text = |member: &str| !key.contains_key(member) || said(member).is_some();
    if !["kid", "use", "alg"].into_iter().all(text) {
        return Err("`kid`, `use` or `alg` is no text");
    }
    if said("use").is_some_and(|purpose| purpose != "sig") || said("alg").is_some_and(|alg| alg != algorithm.as_str()) {
        return Ok(None);
    }
    if let Some(operations) = key.get("key_ops")
        && !operations.as_array().is_some_and(|all| all.iter().any(|operation| operation == "verify"))
    {
        return Ok(None);
    }
    // whoever can read the set could sign with it
    if ["d", "p", "q", "dp", "dq", "qi", "k"].into_iter().any(|private| key.contains_key(private)) {
        return Err("it is a private key, and published");
    }
    let bytes = |member: &str| said(member).and_then(|text| BASE64URL.decode(text).ok());
    let (material, verifying) = match algorithm {
        Algorithm::EdDsa => {
            let x = bytes("x").filter(|x| x.len() == 32).ok_or("`x` is not 32 bytes in base64url")?;
            (x.clone(), DecodingKey::from_ed_der(&x))
        }
        Algorithm::Es256 => {
            let half = |member| bytes(member).filter(|half: &Vec<u8>| half.len() == 32);
            let (x, y) = half("x").zip(half("y")).ok_or("`x` and `y` are not 32 bytes each in base64url")?;
            // SEC 1, section 2.3.3: a point that is not compressed; whether it is on the curve is asked at each use
            let point = [&[4][..], &x, &y].concat();
            (point.clone(), DecodingKey::from_ec_der(&point))
        }
        Algorithm::Rs256 => {
            let (n, e) = bytes("n").zip(bytes("e")).ok_or("`n` and `e` are not base64url")?;
            let n = significant(&n);
            let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
            if !RSA_BITS.contains(&bits) || n.last().is_none_or(|last| last % 2 == 0) {
                return Err("an RSA key has 2048 to 4096 bits");
            }
            let e = significant(&e);
            let exponent = e.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
            if e.len() > 4 || !EXPONENT.contains(&exponent) || exponent % 2 == 0 {
                return Err("an RSA key has an odd exponent of 65537 or more, in four bytes");
            }
            ([n, &[0], e].concat(), DecodingKey::from_rsa_raw_components(n, e))
        }
    };
    let print = Digest::of(&[algorithm.as_str().as_bytes(), b":", &material].concat());
    Ok(Some(Key { kid: said("kid").map(str::to_owned), algorithm, print, verifying }))
}

/// Without the zeros that some issuers put in front.
fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
