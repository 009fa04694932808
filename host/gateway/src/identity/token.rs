//! A signed token as it came (JWS compact serialization, RFC 7515, section 3.1): its three parts, strictly read. Nothing in it is believed
//! here, no key is known, and nothing that it names is fetched.
//!
//! The attacks: a header that chooses another algorithm or brings its own key; a member or claim given twice, of which two readers take
//! another each; a second spelling of the same token; and whatever makes a parser work long or fall over.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Map, Value};
use wardkeep_policy::parse_json;

/// Bytes of a token.
pub(crate) const LONGEST: usize = 16 << 10;
/// Bytes of a key's id.
const LONGEST_KID: usize = 256;
/// Arrays and objects within each other, in header and claims: `act` may nest eight deep, with the claims around it.
const DEEPEST: usize = 12;

/// An algorithm that is accepted (RFC 7518, RFC 8037). None that signs with a secret, which whoever verifies could sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "as the RFCs spell them")]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

/// Not one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an algorithm is EdDSA, ES256 or RS256")]
pub struct InvalidAlgorithm;

impl Algorithm {
    /// All of them, the strongest for its price first.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// As `alg` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl FromStr for Algorithm {
    type Err = InvalidAlgorithm;

    fn from_str(text: &str) -> Result<Self, InvalidAlgorithm> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or(InvalidAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a token proves nothing. For the operator; the caller is told only that it is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadToken {
    #[error("a token has at most {LONGEST} bytes")]
    TooLong,
    #[error("not three parts of base64url without padding, with a dot between")]
    Shape,
    #[error("the {0} is no JSON object, says a key twice, or is too deep")]
    Json(&'static str),
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` has another type than it should, or a value that it cannot have")]
    Unfit(&'static str),
    #[error("`alg` is none of those that are accepted")]
    Algorithm,
    #[error("the header says `{0}`, which is not accepted")]
    Header(&'static str),
    #[error("`typ` is neither at+jwt nor JWT")]
    Type,
    #[error("`iss` is no issuer of [callers.oauth]")]
    Issuer,
    #[error("`aud` does not name this host")]
    Audience,
    #[error("`exp` is past")]
    Expired,
    #[error("`nbf` or `iat` is still to come")]
    NotYet,
    #[error("`exp` is further away than `longest_life` allows")]
    TooLongLived,
    #[error("it is bound to a key of its sender (`cnf`), which a bearer does not prove")]
    Bound,
    #[error("no key of the issuer has this `kid`, or its keys were never had")]
    UnknownKey,
    #[error("it has no `kid`, and the issuer has not exactly one key")]
    NoKid,
    #[error("the issuer's key of this `kid` is for another algorithm")]
    KeyUnfit,
    #[error("the signature is not by that key")]
    Signature,
}

impl BadToken {
    /// For the record. Few words, since refusals of strangers are counted by them.
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::TooLong | Self::Shape | Self::Json(_) => "malformed-token",
            Self::Missing(_) | Self::Unfit(_) | Self::Type | Self::Bound | Self::TooLongLived => "unfit-token",
            Self::Algorithm | Self::Header(_) | Self::KeyUnfit => "refused-algorithm",
            Self::Issuer => "unknown-issuer",
            Self::Audience => "wrong-audience",
            Self::Expired => "expired-token",
            Self::NotYet => "token-not-yet-valid",
            Self::UnknownKey | Self::NoKid => "unknown-signing-key",
            Self::Signature => "bad-signature",
        }
    }
}

/// A token whose form is right. What it claims is anybody's word until its signature is verified.
#[derive(Debug)]
pub(crate) struct Token<'t> {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) claims: Map<String, Value>,
    /// What is signed: header and claims as they came.
    pub(crate) signed: &'t [u8],
    /// As it came, in base64url.
    pub(crate) signature: &'t str,
}

impl<'t> Token<'t> {
    /// Reads a token.
    pub(crate) fn parse(text: &'t [u8]) -> Result<Self, BadToken> {
        if text.len() > LONGEST {
            return Err(BadToken::TooLong);
        }
        let text = std::str::from_utf8(text).map_err(|_| BadToken::Shape)?;
        let (signed, signature) = text.rsplit_once('.').ok_or(BadToken::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(BadToken::Shape)?;
        // a second dot is no base64url; five parts would be an encrypted token (RFC 7516)
        if [header, claims, signature].iter().any(|part| part.is_empty()) {
            return Err(BadToken::Shape);
        }
        // without padding and with no bits left over, so that a token has one spelling
        let decoded = |part: &str| BASE64URL.decode(part).map_err(|_| BadToken::Shape);
        decoded(signature)?;
        let (header, claims) = (decoded(header)?, decoded(claims)?);
        let (algorithm, kid) = read_header(&object(&header, "header")?)?;
        Ok(Self { algorithm, kid, claims: object(&claims, "claims")?, signed: signed.as_bytes(), signature })
    }
}

fn object(json: &[u8], what: &'static str) -> Result<Map<String, Value>, BadToken> {
    let bad = BadToken::Json(what);
    let text = std::str::from_utf8(json).map_err(|_| bad)?;
    match parse_json(text, DEEPEST) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(bad),
    }
}

/// Of the header only algorithm, key id and type count. What would have a key fetched or taken from the token itself, or changes what the
/// other parts mean, is refused even where it would not be used: nobody who means well sends it.
fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), BadToken> {
    let mut algorithm = None;
    let mut kid = None;
    for (member, value) in header {
        match (member.as_str(), value) {
            ("alg", Value::String(name)) => algorithm = Some(name.parse().map_err(|_| BadToken::Algorithm)?),
            ("alg", _) => return Err(BadToken::Algorithm),
            ("kid", Value::String(id)) if (1..=LONGEST_KID).contains(&id.len()) => kid = Some(id.clone()),
            ("kid", _) => return Err(BadToken::Unfit("kid")),
            // RFC 9068, section 2.1; RFC 7515, section 4.1.9: without `application/`, in any case
            ("typ", Value::String(kind)) => {
                let kind = kind.to_ascii_lowercase();
                if !matches!(kind.strip_prefix("application/").unwrap_or(&kind), "at+jwt" | "jwt") {
                    return Err(BadToken::Type);
                }
            }
            ("typ", _) => return Err(BadToken::Type),
            (other, _) => {
                const REFUSED: [&str; 10] = ["crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip", "cty", "epk"];
                if let Some(refused) = REFUSED.into_iter().find(|refused| *refused == other) {
                    return Err(BadToken::Header(refused));
                }
            }
        }
    }
    Ok((algorithm.ok_or(BadToken::Algorithm)?, kid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, claims: &str) -> String {
        format!("{}.{}.{}", BASE64URL.encode(header), BASE64URL.encode(claims), BASE64URL.encode("signature"))
    }

    fn refused(text: impl AsRef<[u8]>) -> BadToken {
        Token::parse(text.as_ref()).expect_err(&String::from_utf8_lossy(text.as_ref()))
    }

    #[test]
    fn a_token_is_read_as_it_came() {
        let text = token(r#"{"alg":"ES256","kid":"a","typ":"at+JWT","x5t":"ignored"}"#, r#"{"iss":"x"}"#);
        let read = Token::parse(text.as_bytes()).unwrap();
        assert_eq!((read.algorithm, read.kid.as_deref()), (Algorithm::Es256, Some("a")));
        assert_eq!(read.claims["iss"], "x");
        assert_eq!(format!("{}.{}", std::str::from_utf8(read.signed).unwrap(), read.signature), text);
        for kind in ["JWT", "jwt", "application/jwt", "application/AT+jwt"] {
            assert!(Token::parse(token(&format!(r#"{{"alg":"RS256","typ":"{kind}"}}"#), "{}").as_bytes()).is_ok());
        }
    }

    #[test]
    fn a_token_at_the_limit_is_read_and_one_beyond_is_not() {
        let padded = |spare: usize| {
            let text = token(r#"{"alg":"ES256"}"#, &format!(r#"{{"a":"{}"}}"#, "x".repeat(spare)));
            (text.len(), Token::parse(text.as_bytes()).err())
        };
        let fits = (0..LONGEST).rev().map(padded).find(|(length, _)| *length <= LONGEST).unwrap();
        assert_eq!(fits.1, None);
        assert_eq!(refused("a".repeat(LONGEST + 1)), BadToken::TooLong);
        assert_eq!(refused("a".repeat(LONGEST)), BadToken::Shape);
    }

    #[test]
    fn what_is_not_three_parts_in_one_spelling_is_none() {
        let good = token(r#"{"alg":"ES256"}"#, r#"{"a":1}"#);
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        for bad in [
            String::new(),
            ".".into(),
            "..".into(),
            "....".into(),
            signed.to_owned(),
            format!("{signed}."),
            format!(".{claims}.{signature}"),
            format!("{header}..{signature}"),
            format!("{good}."),
            format!(".{good}"),
            format!("{good}.{signature}"),
            format!("{header}.{claims}.{signature}.{signature}.{signature}"),
            format!("{signed}.{signature}="),
            format!("{header}=.{claims}.{signature}"),
            format!("{header} .{claims}.{signature}"),
            format!("{header}.{claims}\n.{signature}"),
            format!("{signed}.{}+", signature.get(1..).unwrap()),
            format!("{signed}.{}/", signature.get(1..).unwrap()),
            format!("{signed}.\u{e9}{signature}"),
            // the same bytes with bits that decode to nothing
            format!("{signed}.QR"),
            format!("{signed}.A"),
        ] {
            assert_eq!(refused(&bad), BadToken::Shape, "{bad}");
        }
        assert_eq!(refused(b"\xff\xfe.\xff.\xff"), BadToken::Shape);
    }

    #[test]
    fn a_header_says_algorithm_key_and_type_and_nothing_that_changes_them() {
        for (header, expected) in [
            (r#"{}"#, BadToken::Algorithm),
            (r#"{"alg":"none"}"#, BadToken::Algorithm),
            (r#"{"alg":"None"}"#, BadToken::Algorithm),
            (r#"{"alg":""}"#, BadToken::Algorithm),
            (r#"{"alg":null}"#, BadToken::Algorithm),
            (r#"{"alg":["ES256"]}"#, BadToken::Algorithm),
            (r#"{"alg":"HS256"}"#, BadToken::Algorithm),
            (r#"{"alg":"HS512"}"#, BadToken::Algorithm),
            (r#"{"alg":"RS512"}"#, BadToken::Algorithm),
            (r#"{"alg":"PS256"}"#, BadToken::Algorithm),
            (r#"{"alg":"ES384"}"#, BadToken::Algorithm),
            (r#"{"alg":"es256"}"#, BadToken::Algorithm),
            (r#"{"alg":"ES256 "}"#, BadToken::Algorithm),
            (r#"{"ALG":"ES256"}"#, BadToken::Algorithm),
            (r#"{"alg":"dir","enc":"A256GCM"}"#, BadToken::Algorithm),
            (r#"{"alg":"ES256","enc":"A256GCM"}"#, BadToken::Header("enc")),
            (r#"{"alg":"ES256","crit":[]}"#, BadToken::Header("crit")),
            (r#"{"alg":"ES256","crit":["exp"],"exp":1}"#, BadToken::Header("crit")),
            (r#"{"alg":"ES256","b64":false}"#, BadToken::Header("b64")),
            (r#"{"alg":"ES256","jwk":{"kty":"EC"}}"#, BadToken::Header("jwk")),
            (r#"{"alg":"ES256","jku":"https://evil.example/keys"}"#, BadToken::Header("jku")),
            (r#"{"alg":"ES256","x5u":"https://evil.example/c"}"#, BadToken::Header("x5u")),
            (r#"{"alg":"ES256","x5c":["MII"]}"#, BadToken::Header("x5c")),
            (r#"{"alg":"ES256","cty":"JWT"}"#, BadToken::Header("cty")),
            (r#"{"alg":"ES256","zip":"DEF"}"#, BadToken::Header("zip")),
            (r#"{"alg":"ES256","kid":7}"#, BadToken::Unfit("kid")),
            (r#"{"alg":"ES256","kid":""}"#, BadToken::Unfit("kid")),
            (r#"{"alg":"ES256","typ":"dpop+jwt"}"#, BadToken::Type),
            (r#"{"alg":"ES256","typ":"logout+jwt"}"#, BadToken::Type),
            (r#"{"alg":"ES256","typ":7}"#, BadToken::Type),
            (r#"{"alg":"none","alg":"ES256"}"#, BadToken::Json("header")),
            (r#"{"alg":"ES256","\u0061lg":"none"}"#, BadToken::Json("header")),
            (r#"{"alg":"ES256","kid":"a","kid":"b"}"#, BadToken::Json("header")),
            (r#"{"alg":"ES256"} {"alg":"none"}"#, BadToken::Json("header")),
            (r#"["ES256"]"#, BadToken::Json("header")),
            (r#""ES256""#, BadToken::Json("header")),
            ("", BadToken::Shape),
        ] {
            assert_eq!(refused(token(header, "{}")), expected, "{header}");
        }
    }

    #[test]
    fn claims_are_one_object_that_says_nothing_twice() {
        let header = r#"{"alg":"ES256"}"#;
        let deep = format!("{}{}", r#"{"a":"#.repeat(DEEPEST + 1), "}".repeat(DEEPEST + 1));
        for claims in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"sub":"a","s\u0075b":"b"}"#,
            r#"{"act":{"sub":"a","sub":"b"}}"#,
            r#"{"exp":1e999}"#,
            r#"{"exp":NaN}"#,
            r#"{"exp":01}"#,
            r#"{"a":1}x"#,
            r#"{"a":"\ud800"}"#,
            "[]",
            "null",
            "7",
            &deep,
            &"[".repeat(4_000),
            &"{\"a\":".repeat(1_500),
        ] {
            assert_eq!(refused(token(header, claims)), BadToken::Json("claims"), "{claims}");
        }
        let not_text = format!("{}.{}.QQ", BASE64URL.encode(header), BASE64URL.encode(b"{\"sub\":\"\xff\"}"));
        assert_eq!(refused(not_text), BadToken::Json("claims"));
    }
}
