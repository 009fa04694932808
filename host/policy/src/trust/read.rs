//! Reads `trust.toml`.

use jiff::Timestamp;
use wardkeep_model::Digest;

use crate::{
    day,
    document::{Item, Lines, Table, quoted},
    key::PublicKey,
};

use super::{Approver, Thresholds, Trust};

pub(super) fn read(file: &str, digest: Digest, lines: Lines, mut table: Table<'_>) -> Option<Trust> {
    table.format(1);
    let version = table.required("version", "version = 1").and_then(|item| item.whole(1..=u64::MAX));
    let expires = table.required("expires", "expires = 2027-11-30").and_then(|item| item.date());
    let people = table.required("approvers", "[approvers.NAME]").and_then(|item| approvers(&item));
    let thresholds = table.optional("thresholds").and_then(|item| item.table());
    let thresholds =
        thresholds.map_or(Some(Thresholds::DEFAULT), |table| thresholds_of(table, people.as_ref().map(Vec::len)));
    drop(table);
    Some(Trust {
        file: file.into(),
        digest,
        lines,
        version: version?,
        expires: expires?,
        thresholds: thresholds?,
        approvers: people?,
    })
}

impl Thresholds {
    const DEFAULT: Self = Self { read: 1, write: 1, destructive: 2 };
}

fn thresholds_of(mut table: Table<'_>, people: Option<usize>) -> Option<Thresholds> {
    let mut threshold = |key: &'static str, default| match table.optional(key) {
        None => Some(default),
        Some(item) => {
            let wanted = item.whole_u32(1..=100)?;
            // A home of one person cannot approve a destructive tool; that is a choice, and the default.
            let people =
                people.filter(|people| key != "destructive" && usize::try_from(wanted).is_ok_and(|it| it > *people));
            if let Some(people) = people {
                item.fault(
                    format!("{wanted} people must sign, but only {people} may approve"),
                    Some("name more approvers"),
                );
            }
            Some(wanted)
        }
    };
    let default = Thresholds::DEFAULT;
    let (read, write) = (threshold("read", default.read), threshold("write", default.write));
    let destructive = threshold("destructive", default.destructive);
    drop(table);
    Some(Thresholds { read: read?, write: write?, destructive: destructive? })
}

fn approvers(item: &Item<'_>) -> Option<Vec<Approver>> {
    let mut approvers: Vec<Approver> = Vec::new();
    let mut sound = true;
    for (name, person) in item.table()?.named() {
        let read = approver(name, &person, &approvers);
        sound &= read.is_some();
        approvers.extend(read);
    }
    if approvers.is_empty() && sound {
        item.fault("names nobody, so nothing could be approved", Some("add [approvers.NAME]"));
    }
    sound.then_some(approvers)
}

fn approver(name: &str, item: &Item<'_>, others: &[Approver]) -> Option<Approver> {
    let mut table = item.table()?;
    let valid =
        (1..=100).contains(&name.len()) && !name.chars().any(|c| c.is_whitespace() || crate::document::hidden(c));
    if !valid {
        item.fault(
            format!("{} is not valid here", quoted(name)),
            Some("a person's name is 1 to 100 bytes without blanks"),
        );
    }
    let keys = table.required("keys", "keys = [\"ssh-ed25519 AAAA… name\"]").and_then(|item| keys(&item, others));
    let not_before = table.optional("not_before").map(|item| (item.date(), item));
    let not_after = table.optional("not_after").map(|item| (item.date(), item));
    if let (Some((Some(from), _)), Some((Some(to), item))) = (&not_before, &not_after)
        && from > to
    {
        item.fault(format!("lies before not_before, {from}"), Some("write a later day"));
    }
    drop(table);
    Some(Approver {
        name: valid.then(|| name.to_owned())?,
        keys: keys?,
        from: not_before.map_or(Some(Timestamp::MIN), |(date, _)| date.map(day::start))?,
        until: not_after.map_or(Some(Timestamp::MAX), |(date, _)| date.map(day::end))?,
    })
}

fn keys(item: &Item<'_>, others: &[Approver]) -> Option<Vec<PublicKey>> {
    let mut keys: Vec<PublicKey> = Vec::new();
    let mut sound = true;
    for element in item.list()? {
        let Some(key) = element.read::<PublicKey>() else {
            sound = false;
            continue;
        };
        // Two people with one key would count twice.
        if let Some(other) = others.iter().find(|other| other.keys.contains(&key)) {
            let message = format!("{} is also a key of `{}`", key.fingerprint(), other.name);
            element.fault(message, Some("a key belongs to one person"));
        }
        if keys.contains(&key) {
            element.fault(format!("{} is listed twice", key.fingerprint()), Some("keep one of them"));
        }
        keys.push(key);
    }
    if keys.is_empty() && sound {
        item.fault("holds no key", Some("add the line of the person's .pub file"));
    }
    sound.then_some(keys)
}
