//! Keys of the format that this host reads but cannot enforce yet. Each is checked for its shape, then refused.

use crate::document::{Item, Table, quoted};

/// Leaves the fault.
pub(super) fn refuse(item: &Item<'_>) {
    item.fault("not enforceable yet by this host", Some("remove it until the host can enforce it"));
}

/// Reads `[secrets]` and refuses each; answers their names, which grants may refer to.
pub(super) fn secrets<'d>(table: Table<'d>) -> Vec<&'d str> {
    let mut names = Vec::new();
    for (name, item) in table.named() {
        names.push(name);
        if let Err(error) = name.parse::<wardkeep_model::GrantName>() {
            item.fault(format!("{} is not valid here", quoted(name)), Some(&error.to_string()));
        }
        if let Some(table) = item.table() {
            secret(table);
        }
        refuse(&item);
    }
    names
}

fn secret(mut table: Table<'_>) {
    if let Some(item) = table.required("source", "source = \"file:NAME\"") {
        let _ = item.read_with(|text| match text.split_once(':') {
            Some(("file" | "env", name)) if !name.is_empty() => Ok(()),
            _ => Err("a source is \"file:NAME\" or \"env:NAME\""),
        });
    }
    let example = "inject = { header = \"authorization\", format = \"Bearer {}\" }";
    if let Some(mut inject) = table.required("inject", example).and_then(|item| item.table()) {
        let _ = inject.required("header", "header = \"authorization\"").and_then(|item| item.line_of_text(1..=64));
        if let Some(item) = inject.optional("format") {
            let once = |text: &str| if text.matches("{}").count() == 1 { Ok(()) } else { Err("must hold {} once") };
            let _ = item.read_with(once);
        }
    }
    let _ = table.optional("rotated_by").and_then(|item| item.line_of_text(1..=200));
    let _ = table.optional("every").and_then(|item| item.duration());
    let _ = table.optional("if_it_fails").and_then(|item| item.line_of_text(1..=500));
}

/// Reads and refuses the keys of a tool that come later, all but `stage = "pilot"`.
pub(super) fn tool(table: &mut Table<'_>) {
    let words = [("none", ()), ("client", ()), ("operator", ())];
    let found = [
        given(table.optional("confirm"), |item| _ = item.choice(&words)),
        given(table.optional("rate"), rate),
        given(table.optional("resources"), |item| drop(item.list_of(pointer))),
        given(table.optional("only"), only),
        given(table.optional("returns"), returns),
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

fn only(item: &Item<'_>) {
    for (name, item) in item.table().map(Table::named).unwrap_or_default() {
        if !is_pointer(name) {
            item.fault(format!("{} is not valid here", quoted(name)), Some(POINTER));
        }
        let _ = item.list_of(|item| item.text().map(drop));
    }
}

fn returns(item: &Item<'_>) {
    let Some(mut table) = item.table() else { return };
    let words = [("full", ()), ("snippet", ()), ("metadata", ())];
    let _ = table.optional("content").and_then(|item| item.choice(&words));
    let _ = table.optional("max").and_then(|item| item.size());
    for key in ["redact", "fields"] {
        let _ = table.optional(key).and_then(|item| item.list_of(pointer));
    }
}

const POINTER: &str = "a pointer is empty or begins with `/`, with `~0` and `~1` as the only escapes (RFC 6901)";

fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

fn pointer(item: &Item<'_>) -> Option<()> {
    item.read_with(|text| if is_pointer(text) { Ok(()) } else { Err(POINTER) })
}
