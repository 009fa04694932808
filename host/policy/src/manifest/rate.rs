//! How often a tool may be called: the manifest's `rate`. Read here into plain numbers; the gateway counts.

use std::{cmp::Ordering, fmt, num::NonZeroU32, str::FromStr, time::Duration};

use crate::document::Item;

/// The most calls that a rate may name.
const MOST: u32 = 1_000_000;

/// So many calls in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many calls, 1 to 1,000,000.
    pub count: NonZeroU32,
    /// In which time: a second, a minute, an hour or a day.
    pub per: Duration,
}

/// The rates of one tool. What is absent is bounded by the operator's file alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// Calls of one caller.
    pub caller: Option<Rate>,
    /// Calls of all callers together.
    pub tool: Option<Rate>,
}

/// Text that is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is 1 to 1000000 calls per s, min, h or d, such as \"10/min\"")]
pub struct InvalidRate;

const UNITS: [(&str, Duration); 4] = [
    ("s", Duration::from_secs(1)),
    ("min", Duration::from_secs(60)),
    ("h", Duration::from_secs(60 * 60)),
    ("d", Duration::from_secs(24 * 60 * 60)),
];

/// The faster, and of two that are equally fast the one that lets more come at once: `60/min` lets through all that `1/s` does.
impl Ord for Rate {
    fn cmp(&self, other: &Self) -> Ordering {
        let times = |count: NonZeroU32, per: Duration| u128::from(count.get()).saturating_mul(per.as_nanos());
        times(self.count, other.per).cmp(&times(other.count, self.per)).then(self.count.cmp(&other.count))
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (count, unit) = text.split_once('/').ok_or(InvalidRate)?;
        let (_, per) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(InvalidRate)?;
        // One way to write a number: what an approver reads is what is counted.
        let plain = count.bytes().all(|byte| byte.is_ascii_digit()) && !count.starts_with('0');
        let count = count.parse::<u32>().ok().filter(|count| plain && *count <= MOST);
        let count = count.and_then(NonZeroU32::new).ok_or(InvalidRate)?;
        Ok(Self { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.into_iter().find(|(_, per)| *per == self.per).map_or("?", |(name, _)| name);
        write!(f, "{}/{unit}", self.count)
    }
}

impl Rates {
    /// Whether the manifest says nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.caller.is_none() && self.tool.is_none()
    }
}

pub(super) fn rates(item: &Item<'_>) -> Option<Rates> {
    let mut table = item.table()?;
    let mut rate = |key| table.optional(key).map_or(Some(None), |item| item.read::<Rate>().map(Some));
    let (caller, tool) = (rate("caller"), rate("tool"));
    drop(table);
    let rates = Rates { caller: caller?, tool: tool? };
    if rates.is_empty() {
        item.fault(
            "names no rate, so it would bound nothing",
            Some("rate = { caller = \"10/min\", tool = \"60/min\" }"),
        );
    }
    Some(rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faster_rate_is_more_and_so_is_a_larger_one_of_the_same_speed() {
        let rates = ["1/d", "1/h", "59/min", "1/s", "60/min", "3600/h", "61/min", "2/s"];
        let read: Vec<Rate> = rates.iter().map(|text| text.parse().unwrap()).collect();
        assert!(read.is_sorted() && read.windows(2).all(|pair| pair[0] < pair[1]), "{read:?}");
    }

    #[test]
    fn a_rate_is_written_in_one_way_and_holds_at_its_limit() {
        for text in ["1/s", "10/min", "60/h", "1000000/d"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "10",
            "10/",
            "/min",
            "0/s",
            "01/s",
            "+1/s",
            "-1/s",
            "1.5/s",
            "1 /s",
            "1000001/d",
            "1/m",
            "1/week",
            "1/s/s",
            "١/s",
        ] {
            assert_eq!(text.parse::<Rate>(), Err(InvalidRate), "{text}");
        }
    }
}
