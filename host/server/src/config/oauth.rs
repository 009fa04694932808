//! `[callers.oauth.NAME]`: an issuer whose access tokens are taken, pinned with its keys and algorithms. An upper bound on what manifests
//! allow, never a grant.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use wardkeep_gateway::{Algorithm, IssuerTerms};
use wardkeep_policy::document::{Item, quoted};
use wardkeep_sandbox::Page;

use super::{KeyName, caller::group, named};

/// How far away the end of a token may be, where nothing is said, and at most.
const LIFE: Duration = Duration::from_secs(86_400);
const LONGEST_LIFE: Duration = Duration::from_secs(30 * 86_400);

/// One issuer, and where its keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    pub(crate) terms: IssuerTerms,
    pub(crate) keys: Jwks,
}

/// Where the keys of an issuer are (JWK Set, RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Jwks {
    /// A file of this machine.
    File(PathBuf),
    /// A document of the network.
    Page(Page),
}

/// Reads `[callers.oauth]`. `public_url` is what its tokens are for, where nothing else is said; nothing where it could not be read.
pub(super) fn read(item: &Item<'_>, directory: &Path, public_url: Option<Option<&str>>) -> Option<Vec<Issuer>> {
    let mut issuers: Vec<Issuer> = Vec::new();
    let mut whole = true;
    for (name, item) in item.table()?.named() {
        let Some(issuer) = issuer(name, &item, directory, public_url.flatten().unwrap_or_default()) else {
            whole = false;
            continue;
        };
        if let Some(twin) = issuers.iter().find(|known| known.terms.issuer == issuer.terms.issuer) {
            let message = format!("has the same `issuer` as `callers.oauth.{}`", twin.terms.name);
            item.fault(
                format!("{message}: which of the two a token is for could not be told"),
                Some("remove one of them"),
            );
            whole = false;
        }
        issuers.push(issuer);
    }
    if !issuers.is_empty() && public_url.is_some_and(|url| !url.is_some_and(is_safe)) {
        item.fault(
            "clients ask for tokens for the URL by which they reach this host, over https, and `listen.public_url` does not say it",
            Some("add to [listen]: public_url = \"https://tools.example.com/mcp\""),
        );
        whole = false;
    }
    whole.then_some(issuers)
}

fn issuer(name: &str, item: &Item<'_>, directory: &Path, public_url: &str) -> Option<Issuer> {
    let named = named::<KeyName>(name, item);
    let mut table = item.table()?;
    let issuer = table.required("issuer", "issuer = \"https://login.example.com\", as its tokens say it");
    let issuer = issuer.and_then(|item| url(&item));
    let keys = table.required("jwks", "jwks = \"https://login.example.com/keys\", or a file of this machine");
    let keys = keys.and_then(|item| jwks(&item, directory));
    let audience = match table.optional("audience") {
        Some(item) => item.line_of_text(1..=512),
        None => Some(public_url),
    };
    let algorithms = match table.optional("algorithms") {
        Some(item) => algorithms(&item),
        None => Some(Algorithm::ALL.into()),
    };
    let mut claim = |key, default| match table.optional(key) {
        Some(item) => item.line_of_text(1..=128),
        None => Some(default),
    };
    let (groups_claim, scope_claim) = (claim("groups_claim", "groups"), claim("scope_claim", "scope"));
    let groups = match table.optional("groups") {
        Some(item) => item.list_of(group).map(Some),
        None => Some(None),
    };
    let longest_life = match table.optional("longest_life") {
        Some(item) => life(&item),
        None => Some(LIFE),
    };
    let mut flag = |key| match table.optional(key) {
        Some(item) => item.boolean(),
        None => Some(false),
    };
    let (writes, unconfirmed_writes) = (flag("writes"), flag("unconfirmed_writes"));
    let human = match table.optional("human") {
        Some(item) if item.is_table() => people(&item).map(|claims| (true, claims)),
        Some(item) => item.boolean().map(|human| (human, Vec::new())),
        None => Some((false, Vec::new())),
    };
    drop(table);
    let (human, human_claims) = human?;
    let terms = IssuerTerms {
        name: named?.to_string(),
        issuer: issuer?.to_owned(),
        audience: audience?.to_owned(),
        algorithms: algorithms?,
        groups_claim: groups_claim?.to_owned(),
        groups: groups?,
        scope_claim: scope_claim?.to_owned(),
        longest_life: longest_life?,
        writes: writes?,
        human,
        human_claims,
        unconfirmed_writes: unconfirmed_writes?,
    };
    Some(Issuer { terms, keys: keys? })
}

/// Which claims, each with its value, the token of a person has.
fn people(item: &Item<'_>) -> Option<Vec<(String, String)>> {
    let claims = item.table()?.named();
    if claims.is_empty() {
        item.fault(
            "names no claim",
            Some("human = true, or with a claim that only people's tokens have: human = { idtyp = \"user\" }"),
        );
        return None;
    }
    let read = |(claim, value): (&str, Item<'_>)| Some((claim.to_owned(), value.line_of_text(1..=256)?.to_owned()));
    let read: Vec<_> = claims.into_iter().map(read).collect();
    read.into_iter().collect()
}

/// Over TLS, or on this machine.
fn is_safe(url: &str) -> bool {
    let local = |rest: &str| {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    };
    url.starts_with("https://") || url.strip_prefix("http://").is_some_and(local)
}

/// RFC 8414, section 2: neither query nor fragment. It is compared to the byte.
fn url<'d>(item: &Item<'d>) -> Option<&'d str> {
    let text = item.line_of_text(1..=512)?;
    let host = text.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let strange = |c: char| c.is_whitespace() || !c.is_ascii() || "?#@\\\"<>".contains(c);
    if !is_safe(text) || host.is_none_or(str::is_empty) || text.contains(strange) {
        let mend = "issuer = \"https://login.example.com\", exactly as `iss` of its tokens says it";
        item.fault(format!("{} is no issuer's URL", quoted(text)), Some(mend));
        return None;
    }
    Some(text)
}

fn jwks(item: &Item<'_>, directory: &Path) -> Option<Jwks> {
    let text = item.line_of_text(1..=2048)?;
    if text.contains("://") { item.read().map(Jwks::Page) } else { Some(Jwks::File(directory.join(text))) }
}

fn algorithms(item: &Item<'_>) -> Option<Vec<Algorithm>> {
    let algorithms = item.list_of(Item::read::<Algorithm>)?;
    if algorithms.is_empty() {
        item.fault("no token could be good", Some("algorithms = [\"EdDSA\", \"ES256\", \"RS256\"], or some of them"));
        return None;
    }
    Some(algorithms)
}

fn life(item: &Item<'_>) -> Option<Duration> {
    let life = item.duration()?;
    if life > LONGEST_LIFE {
        item.fault("a token that is good for so long is a key that nobody can take back", Some("write 30d or less"));
        return None;
    }
    Some(life)
}
