//! The one rule by which what there is only so much of is shared: nobody holds more than what stays free. One alone gets half, two get a third
//! each, and however many there are that take what they can get, something is left for the next that comes; who holds nothing gets the last.
//!
//! It is the dynamic threshold of switches with shared buffers (Choudhury and Hahne, 1998). It needs no configuration and knows no names.

/// Whether who holds this much of something may take so much more, where this much is free.
#[must_use]
pub const fn may_take(held: u64, more: u64, free: u64) -> bool {
    match free.checked_sub(more) {
        Some(left) => held == 0 || held.saturating_add(more) <= left,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::may_take;

    #[test]
    fn nobody_holds_more_than_stays_free_and_who_holds_nothing_gets_the_last() {
        // who comes takes what it can get, one after the other
        let shares = |all: u64| {
            let mut free = all;
            let mut taken = Vec::new();
            while free > 0 {
                let mut held = 0;
                while may_take(held, 1, free) {
                    (held, free) = (held + 1, free - 1);
                }
                taken.push(held);
            }
            taken
        };
        assert_eq!(shares(64), [32, 16, 8, 4, 2, 1, 1]);
        assert_eq!(shares(8), [4, 2, 1, 1]);
        assert_eq!((shares(3), shares(2), shares(1)), (vec![1, 1, 1], vec![1, 1], vec![1]));
        assert!(!may_take(0, 1, 0) && !may_take(0, 5, 4) && may_take(0, 4, 4), "there is no more than there is");
        assert!(may_take(1, 2, 5) && !may_take(1, 2, 4));
    }
}
