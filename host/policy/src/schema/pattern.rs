//! What a pattern costs for each byte of a text. The engine runs in linear time, but linear in text *and* pattern: where its automaton
//! of the whole becomes too large, it steps through every state of the pattern at every byte.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Patterns with so few states have a small automaton, which takes one step for a byte.
const SMALL: u64 = 8;
/// A pattern that cannot be read here costs as much as the largest that is compiled.
const LARGEST: u64 = 10_000;
/// Half nanoseconds of one state at one byte.
const STATE: u64 = 12;

/// In half nanoseconds.
pub(super) fn byte_price(pattern: &str) -> u64 {
    let translated = jsonschema_regex::to_rust_regex(pattern).ok();
    let states = translated.and_then(|text| regex_syntax::parse(&text).ok()).map_or(LARGEST, |hir| states(&hir));
    if states <= SMALL { 2 } else { states.saturating_mul(STATE) }
}

/// How many states may be alive at once, at most.
fn states(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Class(Class::Bytes(_)) => 1,
        // a character of another alphabet takes up to four bytes
        HirKind::Class(Class::Unicode(class)) => {
            if class.is_ascii() {
                1
            } else {
                4
            }
        }
        HirKind::Repetition(repetition) => {
            let times = u64::from(repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1));
            times.saturating_mul(states(&repetition.sub).saturating_add(1))
        }
        HirKind::Capture(capture) => states(&capture.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => {
            all.iter().fold(0, |sum, one| states(one).saturating_add(sum))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_pattern_costs_a_step_a_byte_and_a_repeated_one_all_its_states() {
        for cheap in ["^[a-z]+$", "x", r"^\d+$", "^[^/]*$"] {
            assert_eq!(byte_price(cheap), 2, "{cheap}");
        }
        assert!(byte_price("a[ab]{3000}c") > 3_000 * STATE);
        assert!(byte_price("((a{30}){30}){30}") > 27_000 * STATE);
        assert_eq!(byte_price("(?=a)b"), LARGEST * STATE);
    }
}
