//! What a start would take, and somebody should know of: what runs out soon, what nobody answers for, what holds for nobody.

use jiff::{Timestamp, ToSpan};
use wardkeep_policy::{Fault, Faults};

use crate::{
    config::Config,
    home::{self, Home},
    load::{Loaded, Terms, doubtful},
    rollout::{unserved, unwatched},
    secrets::survey,
};

/// What runs out within this many days is worth a word.
const SOON_DAYS: i64 = 30;

/// All of them.
pub(super) fn warnings(home: &Home, terms: &Terms, loaded: &Loaded, now: Timestamp) -> Faults {
    let mut warnings = Faults::none();
    for served in &loaded.served {
        warnings.extend(served.terms.notices().iter().cloned());
        let manifest = served.terms.manifest();
        for secret in survey(manifest, &terms.config.sources, now) {
            warnings.extend(secret.warnings(manifest));
        }
        warnings.extend(unserved(manifest, &terms.callers()));
        if is_soon(manifest.expires_at(), now) {
            let message = format!("ends with {}", manifest.expires());
            warnings.push(
                Fault::of(manifest.file(), message)
                    .at(None, "plugin.expires")
                    .mend("a later day, a higher serial, and signatures"),
            );
        }
    }
    let manifests = loaded.served.iter().map(|served| served.terms.manifest());
    warnings.extend(unwatched(&home.audit(), manifests, now));
    if is_soon(terms.trust.expires_at(), now) {
        let message = format!("ends with {}; then nothing is served", terms.trust.expires());
        warnings.push(Fault::of(home::TRUST, message).at(None, "expires"));
    }
    let config = &terms.config;
    let at = |key: &str, message: String| Fault::of(home::CONFIG, message).at(config.lines.of_key(key), key);
    for key in &config.callers.keys {
        if key.owner.is_none() {
            let path = format!("callers.keys.{}", key.name);
            warnings
                .push(at(&path, "says nothing of who answers for it".to_owned()).mend("owner = \"ops@example.com\""));
        }
        if key.expires.is_none() {
            let path = format!("callers.keys.{}", key.name);
            warnings.push(at(&path, "never expires".to_owned()).mend("expires = 2027-01-31"));
        }
        if key.expires.is_some_and(|expires| is_soon(expires, now)) {
            let path = format!("callers.keys.{}.expires", key.name);
            let what = if key.expires.is_some_and(|expires| now >= expires) { "has expired" } else { "expires soon" };
            warnings
                .push(at(&path, what.to_owned()).mend(format!("`wardkeep keys revoke {}`, and a new one", key.name)));
        }
    }
    if config.callers.stdio.is_none() && config.callers.keys.is_empty() && config.issuers.is_empty() {
        warnings.push(
            Fault::of(home::CONFIG, "nobody may call")
                .at(None, "callers")
                .mend("[callers.stdio], `wardkeep keys new NAME`, or [callers.oauth.NAME]"),
        );
    }
    warnings.extend(doubtful(config));
    warnings.extend(apart_and_unknown(config));
    warnings
}

/// Limits of their own for callers who cannot come: a name that is written wrong bounds nobody.
fn apart_and_unknown(config: &Config) -> Vec<Fault> {
    let named = |name: &str| {
        let keys = config.callers.keys.iter().map(|key| &key.principal);
        config.callers.stdio.iter().chain(keys).any(|principal| principal.name == name)
    };
    let by_token = |name: &str| {
        let issuer = name.strip_prefix("oauth:").and_then(|name| name.split_once('/')).map(|(issuer, _)| issuer);
        issuer.is_some_and(|issuer| config.issuers.iter().any(|known| known.terms.name == issuer))
    };
    let unknown = config.allowances.apart.keys().filter(|name| !named(name) && !by_token(name));
    let warning = |name: &String| {
        let key = format!("limits.callers.\"{name}\"");
        Fault::of(home::CONFIG, "no caller of this file has this name, so it bounds nobody")
            .at(config.lines.of_key(&key), &key)
            .mend("write the `principal` of [callers.stdio] or of a key, or oauth:ISSUER/SUBJECT with an ISSUER of [callers.oauth]")
    };
    unknown.map(warning).collect()
}

fn is_soon(end: Timestamp, now: Timestamp) -> bool {
    now.checked_add((SOON_DAYS * 24).hours()).is_ok_and(|soon| end <= soon)
}
