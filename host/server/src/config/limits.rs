//! `[limits]`: how often callers may call, and how much they may use, all of them and some of them apart. What a manifest says of its tools
//! (`rate`) holds besides.

use std::collections::BTreeMap;

use wardkeep_gateway::{Allowance, Allowances};
use wardkeep_policy::{
    document::{Item, Table, quoted},
    manifest::Allowed,
};

/// The most fuel a minute that the file may name: what hundreds of processors use.
const MOST_FUEL: u64 = 1_000_000_000_000_000;
/// The most calls at once that it may name.
const MOST_CALLS: u32 = 65_536;

pub(super) fn read(mut table: Table<'_>) -> Option<Allowances> {
    let calls = table.optional("calls").map_or(Some(Allowances::CALLS), |item| item.whole_u32(1..=MOST_CALLS));
    let apart = table.optional("callers");
    let each = allowance(&mut table, Allowance::DEFAULT);
    drop(table);
    // who is set apart is so in what the file says, and like all others in what it does not
    let apart = match apart {
        Some(item) => callers(item.table()?, each.unwrap_or(Allowance::DEFAULT)),
        None => Some(BTreeMap::new()),
    };
    Some(Allowances { each: each?, apart: apart?, calls: calls? })
}

fn allowance(table: &mut Table<'_>, otherwise: Allowance) -> Option<Allowance> {
    let mut rate = |key, otherwise| table.optional(key).map_or(Some(otherwise), |item| item.read());
    let (calls, writes) = (rate("rate", otherwise.rate), rate("writes", otherwise.writes));
    let fuel = table.optional("fuel_per_minute");
    let fuel = fuel.map_or(Some(otherwise.fuel_per_minute), |item| item.whole(1..=MOST_FUEL));
    let concurrency = table.optional("concurrency");
    let concurrency = concurrency.map_or(Some(otherwise.concurrency), |item| item.whole_u32(1..=MOST_CALLS));
    Some(Allowance { rate: calls?, writes: writes?, fuel_per_minute: fuel?, concurrency: concurrency? })
}

fn callers(table: Table<'_>, each: Allowance) -> Option<BTreeMap<String, Allowance>> {
    let read = |(name, item): (&str, Item<'_>)| {
        let name = principal(name, &item);
        let mut table = item.table()?;
        let allowance = allowance(&mut table, each);
        drop(table);
        Some((name?, allowance?))
    };
    // every one of them is read, so that all faults are told
    let read: Vec<_> = table.named().into_iter().map(read).collect();
    read.into_iter().collect()
}

fn principal(name: &str, item: &Item<'_>) -> Option<String> {
    let mend =
        "[limits.callers.\"service:ci\"], the `principal` of a caller: user:NAME, service:NAME or oauth:ISSUER/SUBJECT";
    match name.parse() {
        Ok(Allowed::Principal(name)) => return Some(name),
        Ok(Allowed::Group(_)) => item.fault(format!("{} is a group, not a caller", quoted(name)), Some(mend)),
        Err(_) => item.fault(format!("{} is no caller's name", quoted(name)), Some(mend)),
    }
    None
}
