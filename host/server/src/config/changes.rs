//! What two readings of the operator's file say differently of callers, and of what they may: for whoever looks at the host, and for the
//! audit log. Values of keys are in neither; their digests are told to nobody.

use std::collections::BTreeSet;

use wardkeep_gateway::{Allowance, ApiKey};

use super::{Config, Issuer};

/// Most changes that are told one by one.
const MOST: usize = 16;

/// One short text each, in the words of the file.
pub(crate) fn changes(before: &Config, now: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    let (old, new) = (&before.callers, &now.callers);
    differs(&mut changes, "callers.stdio", old.stdio.as_ref(), new.stdio.as_ref(), |stdio| stdio.name.clone());
    let key = |keys: &[ApiKey], name: &str| keys.iter().find(|key| key.name == name).cloned();
    for name in names(old.keys.iter().chain(&new.keys).map(|key| key.name.as_str())) {
        let place = format!("callers.keys.{name}");
        let of = |key: &ApiKey| key.principal.name.clone();
        differs(&mut changes, &place, key(&old.keys, name).as_ref(), key(&new.keys, name).as_ref(), of);
    }
    let issuer = |issuers: &[Issuer], name: &str| issuers.iter().find(|issuer| issuer.terms.name == name).cloned();
    for name in names(before.issuers.iter().chain(&now.issuers).map(|issuer| issuer.terms.name.as_str())) {
        let place = format!("callers.oauth.{name}");
        let of = |issuer: &Issuer| issuer.terms.issuer.clone();
        differs(&mut changes, &place, issuer(&before.issuers, name).as_ref(), issuer(&now.issuers, name).as_ref(), of);
    }
    let (old, new) = (&before.allowances, &now.allowances);
    allowance(&mut changes, "limits", &old.each, &new.each);
    number(&mut changes, "limits.calls", old.calls, new.calls);
    for name in names(old.apart.keys().chain(new.apart.keys()).map(String::as_str)) {
        allowance(&mut changes, &format!("limits.callers.\"{name}\""), old.of(name), new.of(name));
    }
    for (place, same) in
        [("brakes", before.brakes == now.brakes), ("confirmation", before.confirmation == now.confirmation)]
    {
        if !same {
            changes.push(format!("{place} changed"));
        }
    }
    let more = changes.len().saturating_sub(MOST);
    changes.truncate(MOST);
    changes.extend((more > 0).then(|| format!("{more} more")));
    changes
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    all.collect()
}

fn differs<T: PartialEq>(
    changes: &mut Vec<String>,
    place: &str,
    before: Option<&T>,
    now: Option<&T>,
    of: impl Fn(&T) -> String,
) {
    let (what, it) = match (before, now) {
        (None, Some(it)) => ("added", it),
        (Some(it), None) => ("removed", it),
        (Some(before), Some(it)) if before != it => ("changed", it),
        _ => return,
    };
    changes.push(format!("{place} {what} ({})", of(it)));
}

fn allowance(changes: &mut Vec<String>, place: &str, before: &Allowance, now: &Allowance) {
    number(changes, &format!("{place}.rate"), before.rate, now.rate);
    number(changes, &format!("{place}.writes"), before.writes, now.writes);
    number(changes, &format!("{place}.fuel_per_minute"), before.fuel_per_minute, now.fuel_per_minute);
    number(changes, &format!("{place}.concurrency"), before.concurrency, now.concurrency);
}

fn number<T: PartialEq + ToString>(changes: &mut Vec<String>, place: &str, before: T, now: T) {
    if before != now {
        changes.push(format!("{place} is {}, was {}", now.to_string(), before.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(more: &str) -> Config {
        let zeros = "0".repeat(64);
        let text = format!("format = 1\n[trust]\nroot_sha256 = \"{zeros}\"\n{more}");
        Config::parse("wardkeep.toml", text.as_bytes(), Path::new("/home")).unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn key(name: &str, more: &str) -> String {
        let sha256 = wardkeep_model::Digest::of(name.as_bytes());
        format!("[callers.keys.{name}]\nsha256 = \"{sha256}\"\nprincipal = \"service:{name}\"\n{more}\n")
    }

    #[test]
    fn what_differs_of_callers_and_limits_is_told_in_the_words_of_the_file() {
        let before = read(&format!(
            "[callers.stdio]\nprincipal = \"user:me\"\n{}{}{}[limits]\nrate = \"20/s\"\n[limits.callers.\"service:a\"]\nrate = \"5/min\"\n",
            key("a", ""),
            key("b", ""),
            key("c", "")
        ));
        let now = read(&format!(
            "{}{}{}[limits]\nrate = \"30/s\"\nconcurrency = 7\n[limits.callers.\"service:b\"]\nwrites = \"9/min\"\n[brakes]\nenabled = false\n\
             [confirmation]\napprovals = false\n",
            key("b", "writes = true"),
            key("c", ""),
            key("d", "")
        ));
        assert_eq!(
            changes(&before, &now),
            [
                "callers.stdio removed (user:me)",
                "callers.keys.a removed (service:a)",
                "callers.keys.b changed (service:b)",
                "callers.keys.d added (service:d)",
                "limits.rate is 30/s, was 20/s",
                "limits.concurrency is 7, was 128",
                "limits.callers.\"service:a\".rate is 30/s, was 5/min",
                "limits.callers.\"service:a\".concurrency is 7, was 128",
                "limits.callers.\"service:b\".rate is 30/s, was 20/s",
                "limits.callers.\"service:b\".writes is 9/min, was 600/min",
                "limits.callers.\"service:b\".concurrency is 7, was 128",
                "brakes changed",
                "confirmation changed",
            ]
        );
        assert!(changes(&now, &now.clone()).is_empty());
    }

    #[test]
    fn of_many_changes_the_first_are_told_and_the_rest_counted() {
        let keys: String = (0..20).map(|number| key(&format!("k{number:02}"), "")).collect();
        let told = changes(&read(""), &read(&keys));
        assert_eq!((told.len(), told.last().map(String::as_str)), (MOST + 1, Some("4 more")));
    }
}
