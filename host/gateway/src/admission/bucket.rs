//! A bucket that calls fill and time empties: the generic cell rate algorithm (ITU-T I.371, annex A), in whole numbers that are never rounded.
//!
//! A rate of ten a minute lets ten come at once and one more every six seconds. In no stretch of time are more let in than a full bucket and
//! what has drained meanwhile.

use std::time::Duration;

use wardkeep_policy::Rate;

/// What one call, or one unit of fuel, fills: the nanoseconds of a day. A rate of so many a day drains as many units each nanosecond, and
/// seconds, minutes and hours divide a day, so nothing is left over.
const ONE: u128 = DAY as u128;
const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;
const MINUTES: u64 = 24 * 60;

/// How much a bucket holds, and how fast that drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    /// Calls or units of fuel.
    most: u64,
    /// Of them a day.
    drain: u64,
}

impl Quota {
    /// So much fuel a minute.
    pub(super) const fn a_minute(fuel: u64) -> Self {
        Self { most: fuel, drain: fuel.saturating_mul(MINUTES) }
    }

    pub(super) const fn most(self) -> u64 {
        self.most
    }
}

impl From<Rate> for Quota {
    fn from(rate: Rate) -> Self {
        let count = u64::from(rate.count.get());
        let times = u64::try_from(rate.per.as_nanos()).ok().and_then(|per| DAY.checked_div(per)).unwrap_or(1).max(1);
        Self { most: count, drain: count.saturating_mul(times) }
    }
}

/// What was let in and has not drained yet. It belongs to a caller or a tool and not to a quota: another quota finds it as full as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket {
    level: u128,
    /// Nanoseconds, of the clock that all buckets share.
    at: u64,
    /// As fast as it drains from then on.
    drain: u64,
}

impl Bucket {
    /// As if nobody had ever called.
    pub(super) const EMPTY: Self = Self { level: 0, at: 0, drain: 0 };

    /// Lets drain what has drained by `now`, at the speed of the time that has passed; from here on at the quota's.
    pub(super) fn settle(&mut self, now: u64, quota: Quota) {
        self.drain_to(now);
        if self.drain != quota.drain {
            self.drain = quota.drain;
            // full is full: who had used much under a wider quota does not wait longer than anybody else
            self.level = self.level.min(u128::from(quota.most) * ONE);
        }
    }

    /// The same without another quota.
    pub(super) fn drain_to(&mut self, now: u64) {
        let passed = u128::from(now.saturating_sub(self.at));
        self.level = self.level.saturating_sub(passed.saturating_mul(self.drain.into()));
        self.at = self.at.max(now);
    }

    /// How long until so much more goes in; nothing where it does now. Settled before.
    pub(super) fn wait(&self, weight: u64, quota: Quota) -> Option<Duration> {
        let wanted = self.level.saturating_add(u128::from(weight) * ONE);
        let over = wanted.checked_sub(u128::from(quota.most) * ONE).filter(|over| *over > 0)?;
        let nanoseconds = over.div_ceil(quota.drain.max(1).into());
        Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)))
    }

    /// Puts so much in, whether there is room for it or not.
    pub(super) fn fill(&mut self, weight: u64) {
        self.level = self.level.saturating_add(u128::from(weight) * ONE);
    }

    /// Whether it is one like [`Self::EMPTY`] by `now`: then nobody can tell that it was forgotten.
    pub(super) fn is_empty(mut self, now: u64) -> bool {
        self.drain_to(now);
        self.level == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(text: &str) -> Quota {
        text.parse::<Rate>().unwrap().into()
    }

    fn take(bucket: &mut Bucket, now: u64, quota: Quota) -> Result<(), Duration> {
        bucket.settle(now, quota);
        bucket.wait(1, quota).map_or(Ok(()), Err)?;
        bucket.fill(1);
        Ok(())
    }

    #[test]
    fn ten_a_minute_are_ten_at_once_and_one_more_every_six_seconds_to_the_nanosecond() {
        let (mut bucket, quota) = (Bucket::EMPTY, rate("10/min"));
        let begun = 17 * SECOND;
        for _ in 0..10 {
            assert_eq!(take(&mut bucket, begun, quota), Ok(()));
        }
        assert_eq!(take(&mut bucket, begun, quota), Err(Duration::from_secs(6)));
        assert_eq!(take(&mut bucket, begun + 6 * SECOND - 1, quota), Err(Duration::from_nanos(1)));
        assert_eq!(take(&mut bucket, begun + 6 * SECOND, quota), Ok(()));
        assert_eq!(take(&mut bucket, begun + 6 * SECOND, quota), Err(Duration::from_secs(6)));
        assert!(!bucket.is_empty(begun + 66 * SECOND - 1) && bucket.is_empty(begun + 66 * SECOND));
    }

    #[test]
    fn nothing_is_rounded_however_often_it_is_asked() {
        // a seventh of a second is no whole number of nanoseconds
        let (mut bucket, quota) = (Bucket::EMPTY, rate("7/s"));
        let mut let_in = 0;
        for now in (0..3_600 * SECOND).step_by(33_333_333) {
            let_in += u64::from(take(&mut bucket, now, quota).is_ok());
        }
        assert!((7 * 3_600 + 6..=7 * 3_600 + 7).contains(&let_in), "{let_in}");
    }

    #[test]
    fn a_clock_that_is_read_late_fills_nothing_twice() {
        let (mut bucket, quota) = (Bucket::EMPTY, rate("1/s"));
        assert_eq!(take(&mut bucket, 5 * SECOND, quota), Ok(()));
        // this one looked at the clock before the other, and came after it
        assert_eq!(take(&mut bucket, 4 * SECOND, quota), Err(Duration::from_secs(1)));
        assert_eq!(take(&mut bucket, 6 * SECOND, quota), Ok(()));
    }

    #[test]
    fn another_quota_finds_the_bucket_as_full_as_it_is() {
        let (mut bucket, narrow, wide) = (Bucket::EMPTY, rate("10/min"), rate("100/min"));
        for _ in 0..10 {
            take(&mut bucket, 0, narrow).unwrap();
        }
        for _ in 0..90 {
            assert_eq!(take(&mut bucket, 0, wide), Ok(()), "ten of the hundred are used");
        }
        assert!(take(&mut bucket, 0, wide).is_err());
        // and back: what was used counts, and nobody waits for longer than a bucket takes that is just full
        assert_eq!(take(&mut bucket, 0, narrow), Err(Duration::from_secs(6)));
        // what drained before the change, drained as fast as it did then
        let (mut bucket, slow, fast) = (Bucket::EMPTY, rate("2/d"), rate("2/s"));
        take(&mut bucket, 0, slow).unwrap();
        take(&mut bucket, 0, slow).unwrap();
        assert!(take(&mut bucket, 3_600 * SECOND, fast).is_err(), "an hour is a twelfth of a call a day");
        assert_eq!(take(&mut bucket, 3_601 * SECOND, fast), Ok(()));
    }

    #[test]
    fn the_largest_numbers_that_documents_may_hold_do_not_overflow() {
        let quota = Quota::a_minute(i64::MAX.unsigned_abs());
        let mut bucket = Bucket::EMPTY;
        bucket.settle(u64::MAX, quota);
        bucket.fill(quota.most());
        bucket.fill(quota.most());
        assert!(bucket.wait(quota.most(), quota).is_some());
        assert!(bucket.is_empty(u64::MAX) || bucket.level > 0);
        let (mut bucket, quota) = (Bucket::EMPTY, rate("1000000/s"));
        bucket.settle(0, quota);
        bucket.fill(1_000_000);
        assert_eq!(bucket.wait(1, quota), Some(Duration::from_micros(1)));
    }
}
