//! What a name that finds nothing was meant for: `bob` where the log says `user:bob`.

use std::collections::BTreeSet;

use wardkeep_audit::{Query, Record};

use crate::screen::escaped;

/// Names that are told at most.
const MOST: usize = 5;

/// What to say of the asked names that no record has, with those that come near.
pub(super) fn unknown(query: &Query, last: &[Record]) -> String {
    let users: BTreeSet<_> = last.iter().filter_map(|record| record.user.as_deref()).collect();
    let tools: BTreeSet<_> = last.iter().filter_map(|record| record.tool.as_deref()).collect();
    [("caller", &query.user, users), ("tool", &query.tool, tools)]
        .into_iter()
        .filter_map(|(what, asked, known)| told(what, asked.as_deref()?, &known))
        .collect()
}

fn told(what: &str, asked: &str, known: &BTreeSet<&str>) -> Option<String> {
    if known.contains(asked) {
        return None;
    }
    let mut near: Vec<_> = known.iter().map(|name| (distance(asked, name), *name)).collect();
    near.sort_unstable();
    near.retain(|(distance, name)| *distance <= 2 || bare(name) == asked || name.contains(asked));
    let near: Vec<_> = near.iter().take(MOST).map(|(_, name)| format!("`{}`", escaped(name))).collect();
    let mend = match (near.is_empty(), what) {
        (false, _) => format!("did you mean {}", near.join(", ")),
        (true, "caller") if !asked.contains(':') => {
            format!("callers are named as `user:{0}` or `service:{0}`", escaped(asked))
        }
        (true, "caller") => "`wardkeep keys list` and wardkeep.toml name the callers".to_owned(),
        (true, _) => "`wardkeep tools --as PRINCIPAL` lists tools".to_owned(),
    };
    Some(format!("; no {what} `{}` is in the log\n  mend: {mend}", escaped(asked)))
}

/// A principal without its kind.
fn bare(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, name)| name)
}

/// How many letters have to be added, taken away or changed; of long names the beginnings.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.chars().take(64).collect();
    let mut row: Vec<_> = (0..=other.len()).collect();
    for (from, a) in one.chars().take(64).enumerate() {
        let mut next = vec![from + 1];
        for ((b, above), diagonal) in other.iter().zip(row.iter().skip(1)).zip(&row) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(a != *b)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_in_the_log_is_told_with_what_comes_near() {
        let known: BTreeSet<_> = ["user:bob", "service:bob", "service:ci", "files_search", "files_stat"].into();
        let told = |what, asked| told(what, asked, &known);
        assert_eq!(told("caller", "user:bob"), None);
        for (what, asked, mend) in [
            ("caller", "bob", "did you mean `user:bob`, `service:bob`"),
            ("caller", "eve", "callers are named as `user:eve` or `service:eve`"),
            ("caller", "user:eve", "`wardkeep keys list` and wardkeep.toml name the callers"),
            ("tool", "files_sarch", "did you mean `files_search`"),
            ("tool", "x\u{1b}", "`wardkeep tools --as PRINCIPAL` lists tools"),
        ] {
            let told = told(what, asked).unwrap();
            assert!(told.ends_with(&format!("is in the log\n  mend: {mend}")), "{told}");
            assert!(!told.contains('\u{1b}'));
        }
    }

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        for (one, other, away) in [("", "", 0), ("a", "", 1), ("files_sarch", "files_search", 1), ("abc", "cab", 2)] {
            assert_eq!((distance(one, other), distance(other, one)), (away, away), "{one} {other}");
        }
    }
}
