//! Guests of the end-to-end tests, hostile ones too: each file of `guests/` is one component. This library holds what they share.

use wardkeep_sdk::raw::{Definition, Effect};

/// A tool without arguments, for guests that describe themselves by hand.
#[must_use]
pub fn definition(name: &str, description: &str) -> Definition {
    Definition {
        name: name.into(),
        title: None,
        description: description.into(),
        input_schema: r#"{"type":"object"}"#.into(),
        output_schema: None,
        effect: Effect::Read,
        idempotent: true,
        asks: vec![],
    }
}

/// Work that no compiler takes away: so many steps, each some ten instructions.
#[must_use]
pub fn burn(steps: u64) -> u64 {
    (0..steps).fold(0x9e37_79b9, |state: u64, step| std::hint::black_box(state.rotate_left(7) ^ step.wrapping_mul(31)))
}
