//! What every list of faults must hold to, whatever the document was.

use wardkeep_model::hidden;
use wardkeep_policy::Faults;

/// There is a fault, and nothing of the document reaches a terminal as it was: no control character, no line but ours.
pub fn check(faults: &Faults) {
    assert!(!faults.is_empty(), "a refusal without a reason");
    for fault in faults {
        for text in [&fault.file, &fault.key, &fault.message] {
            assert!(!text.chars().any(hidden), "a fault carries hidden characters: {text:?}");
        }
        let mend = fault.mend.as_deref().unwrap_or_default();
        assert!(!mend.replace('\n', "").chars().any(hidden), "a mend carries hidden characters: {mend:?}");
    }
    assert!(!faults.to_string().replace('\n', "").chars().any(hidden));
}
