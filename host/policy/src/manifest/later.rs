//! Keys of the format that this host reads but cannot enforce yet. Each is checked for its shape, then refused.

use crate::document::{Item, Table};

/// Leaves the fault.
pub(super) fn refuse(item: &Item<'_>) {
    item.fault("not enforceable yet by this host", Some("remove it until the host can enforce it"));
}

/// Reads and refuses the keys of a tool that come later, all but `stage = "pilot"`.
pub(super) fn tool(table: &mut Table<'_>) {
    let found = [
        given(table.optional("rate"), rate),
        given(table.optional("pilot_groups"), |item| drop(item.list_of(|item| item.line_of_text(1..=128)))),
    ];
    found.iter().flatten().for_each(refuse);
}

fn given<'d>(item: Option<Item<'d>>, read: impl FnOnce(&Item<'d>)) -> Option<Item<'d>> {
    item.inspect(|item| read(item))
}

fn rate(item: &Item<'_>) {
    let Some(mut table) = item.table() else { return };
    for key in ["caller", "tool"] {
        let _ = table.optional(key).and_then(|item| item.read_with(per_time));
    }
}

fn per_time(text: &str) -> Result<(), &'static str> {
    let (count, unit) = text.split_once('/').unwrap_or_default();
    let unit = matches!(unit, "s" | "min" | "h" | "d");
    let count = count.parse::<u32>().is_ok_and(|count| count > 0) && !count.starts_with(['+', '0']);
    if unit && count { Ok(()) } else { Err("a rate is a count per s, min, h or d, such as \"10/min\"") }
}
