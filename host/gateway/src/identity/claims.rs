//! What an issuer says of a caller, held against what the operator says of the issuer (RFC 7519, section 4.1; RFC 9068, section 2.2). Knows
//! no keys: whoever asks for it has verified the signature, or will before anything comes of it.

use std::{fmt::Write as _, time::Duration};

use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use wardkeep_model::{Authenticated, Digest, MOST_ACTORS, Principal, Scopes, hidden};
use wardkeep_policy::manifest::Allowed;

use super::{
    person,
    token::{Algorithm, BadToken},
};

/// How far an issuer's clock may be ahead of this host's. Nothing for the end: an early one does no harm.
pub(crate) const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// Bytes of a principal's name, as records keep it: two that are cut could not be told apart.
const LONGEST_NAME: usize = 128;
/// Groups of one caller, as records keep them.
pub(crate) const MOST_GROUPS: usize = 64;
/// Audiences of one token.
const MOST_AUDIENCES: usize = 32;

/// What the operator says of one issuer (`[callers.oauth.NAME]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerTerms {
    /// Its name in the operator's file, which the names of its callers begin with.
    pub name: String,
    /// `iss` of its tokens, to the byte.
    pub issuer: String,
    /// `aud` of tokens for this host, to the byte.
    pub audience: String,
    /// Which algorithms its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// Which claim holds groups.
    pub groups_claim: String,
    /// Which of those groups count; all of them if nothing is said.
    pub groups: Option<Vec<String>>,
    /// Which claim holds scopes.
    pub scope_claim: String,
    /// How far away the end of a token may be.
    pub longest_life: Duration,
    /// May its callers use tools that write.
    pub writes: bool,
    /// Is there a person behind a caller whose token is not a program's.
    pub human: bool,
    /// What the token of a person says: claims, each with its value. All of them.
    pub human_claims: Vec<(String, String)>,
    /// May tools with `confirm = "none"` write for them.
    pub unconfirmed_writes: bool,
}

/// Whom a token stands for, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) principal: Principal,
    pub(crate) expires: Timestamp,
}

/// Reads the claims of a token whose issuer this is. Others that the operator names are known by what their tokens say of them.
pub(crate) fn claimed<'i>(
    claims: &Map<String, Value>,
    terms: &'i IssuerTerms,
    known: impl Fn(&str) -> Option<&'i IssuerTerms>,
    now: Timestamp,
) -> Result<Claimed, BadToken> {
    if text(claims, "iss")? != Some(terms.issuer.as_str()) {
        return Err(BadToken::Issuer);
    }
    let expires = time(claims, "exp")?.ok_or(BadToken::Missing("exp"))?;
    if now >= expires {
        return Err(BadToken::Expired);
    }
    let longest = SignedDuration::try_from(terms.longest_life).unwrap_or(SignedDuration::MAX);
    if expires.duration_since(now) > longest {
        return Err(BadToken::TooLongLived);
    }
    for key in ["nbf", "iat"] {
        if time(claims, key)?.is_some_and(|from| from.duration_since(now) > LEEWAY) {
            return Err(BadToken::NotYet);
        }
    }
    if !audiences(claims)?.contains(&terms.audience.as_str()) {
        return Err(BadToken::Audience);
    }
    // RFC 7800: whoever holds it would have to prove more (DPoP, mutual TLS) than a bearer does
    if claims.contains_key("cnf") {
        return Err(BadToken::Bound);
    }
    let subject = text(claims, "sub")?.ok_or(BadToken::Missing("sub"))?;
    // refused, since who reads it elsewhere might read something else
    for client in ["client_id", "azp"] {
        text(claims, client)?;
    }
    let principal = Principal {
        name: name(&terms.name, subject)?,
        groups: groups(claims, terms)?,
        authenticated: Authenticated::OAuth,
        writes: terms.writes,
        human: person::stands_behind(claims, subject, terms),
        unconfirmed_writes: terms.unconfirmed_writes,
        scopes: Some(scopes(claims.get(&terms.scope_claim))?),
        actors: actors(claims.get("act"), terms, known)?,
    };
    Ok(Claimed { principal, expires })
}

/// `oauth:ISSUER/SUBJECT`: no key and no stdio caller can have such a name, and no other issuer's caller has it.
fn name(issuer: &str, subject: &str) -> Result<String, BadToken> {
    let name = format!("oauth:{issuer}/{subject}");
    let fits = !subject.is_empty() && name.len() <= LONGEST_NAME;
    // one spelling of each character: two callers that are drawn alike could not be told apart by whoever reads
    let plain = subject.is_ascii() || ComposingNormalizerBorrowed::new_nfc().is_normalized(subject);
    if fits && plain && !subject.chars().any(|c| c.is_whitespace() || hidden(c)) {
        Ok(name)
    } else {
        Err(BadToken::Unfit("sub"))
    }
}

fn text<'c>(claims: &'c Map<String, Value>, key: &'static str) -> Result<Option<&'c str>, BadToken> {
    match claims.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(BadToken::Unfit(key)),
    }
}

/// RFC 7519 lets fractions of seconds in; no issuer needs them, and none are taken.
fn time(claims: &Map<String, Value>, key: &'static str) -> Result<Option<Timestamp>, BadToken> {
    let Some(value) = claims.get(key) else { return Ok(None) };
    let second = value.as_i64().filter(|second| *second >= 0);
    let time = second.and_then(|second| Timestamp::from_second(second).ok());
    time.map(Some).ok_or(BadToken::Unfit(key))
}

fn audiences(claims: &Map<String, Value>) -> Result<Vec<&str>, BadToken> {
    match claims.get("aud") {
        None => Err(BadToken::Missing("aud")),
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(several)) if (1..=MOST_AUDIENCES).contains(&several.len()) => {
            several.iter().map(Value::as_str).collect::<Option<_>>().ok_or(BadToken::Unfit("aud"))
        }
        Some(_) => Err(BadToken::Unfit("aud")),
    }
}

/// A text with blanks between (RFC 6749, section 3.3), or an array of texts as some issuers have it. What is no scope of this host's counts
/// for nothing.
fn scopes(claim: Option<&Value>) -> Result<Scopes, BadToken> {
    let unfit = BadToken::Unfit("scope");
    let all: Vec<&str> = match claim {
        None => Vec::new(),
        Some(Value::String(text)) => text.split(' ').collect(),
        Some(Value::Array(several)) => several.iter().map(Value::as_str).collect::<Option<_>>().ok_or(unfit)?,
        Some(_) => return Err(unfit),
    };
    Ok(Scopes {
        read: all.contains(&"tools:read"),
        write: all.contains(&"tools:write"),
        destructive: all.contains(&"tools:destructive"),
    })
}

/// A name that no manifest could write lets nobody in, and is left out. More groups than records keep are refused: which of them counted
/// could not be told afterwards.
fn groups(claims: &Map<String, Value>, terms: &IssuerTerms) -> Result<Vec<String>, BadToken> {
    let unfit = BadToken::Unfit("groups");
    let said = match claims.get(&terms.groups_claim) {
        None => return Ok(Vec::new()),
        Some(Value::Array(several)) => several,
        Some(_) => return Err(unfit),
    };
    let mut groups: Vec<String> = Vec::new();
    for group in said {
        let group = group.as_str().ok_or(unfit)?;
        let counts = terms.groups.as_ref().is_none_or(|counting| counting.iter().any(|counting| counting == group));
        let nameable = || matches!(format!("group:{group}").parse(), Ok(Allowed::Group(_)));
        if counts && nameable() && !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
    if groups.len() > MOST_GROUPS { Err(unfit) } else { Ok(groups) }
}

/// Who acts for the subject, the nearest first (RFC 8693, section 4.1). Named so that each can be stopped: of an issuer that the operator names, as that
/// caller is named itself, and one that names no issuer is of the token's own.
fn actors<'i>(
    act: Option<&Value>,
    own: &'i IssuerTerms,
    known: impl Fn(&str) -> Option<&'i IssuerTerms>,
) -> Result<Vec<String>, BadToken> {
    let unfit = BadToken::Unfit("act");
    let mut actors = Vec::new();
    let mut next = act;
    while let Some(act) = next {
        let act = act.as_object().ok_or(unfit)?;
        let said = |key| match act.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.as_str())),
            Some(_) => Err(unfit),
        };
        let subject = said("sub")?.or(said("client_id")?).ok_or(unfit)?;
        let issuer = said("iss")?.unwrap_or(&own.issuer);
        let named = known(issuer).and_then(|terms| name(&terms.name, subject).ok());
        let actor = named.unwrap_or_else(|| foreign(issuer, subject));
        if actors.len() == MOST_ACTORS {
            return Err(unfit);
        }
        actors.push(actor);
        next = act.get("act");
    }
    Ok(actors)
}

/// `foreign:ISSUER#SUBJECT`: somebody whom no issuer of the operator's vouches for, only the token that names them. No two have one name, and none has
/// what a target of a kill may not: that is written as in URLs. What is too long is cut, and told apart by its digest.
fn foreign(issuer: &str, subject: &str) -> String {
    const DIGITS: usize = 16;
    let mut name = "foreign:".to_owned();
    for (part, end) in [(issuer, "#"), (subject, "")] {
        for c in part.chars() {
            if c == '%' || c == '#' || c.is_whitespace() || hidden(c) {
                // Writing into a String cannot fail.
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(name, "%{byte:02X}");
                }
            } else {
                name.push(c);
            }
        }
        name.push_str(end);
    }
    if name.len() > LONGEST_NAME {
        let digest = Digest::of(name.as_bytes()).to_string();
        name.truncate(name.floor_char_boundary(LONGEST_NAME - DIGITS - 1));
        name.push('~');
        name.extend(digest.chars().take(DIGITS));
    }
    name
}

#[cfg(test)]
pub(super) mod tests;
