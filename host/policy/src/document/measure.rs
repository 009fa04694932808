//! Sizes and durations as documents write them: `"64MiB"`, `"10s"`. A bare number says nothing of its unit, so it is refused.

use std::time::Duration;

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIMES: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Text that is not a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMeasure {
    /// Not a whole number with a unit of bytes.
    #[error("a size is a whole number and a unit of B, KiB, MiB or GiB, such as \"64MiB\"")]
    Size,
    /// Not a whole number with a unit of time.
    #[error("a duration is a whole number and a unit of ms, s, m, h or d, such as \"10s\"")]
    Duration,
    /// Nothing at all.
    #[error("write more than zero, which would allow nothing")]
    Zero,
    /// More than fits.
    #[error("write a smaller number, this one is too large")]
    Overflow,
}

/// Bytes, more than zero.
///
/// # Errors
/// The text is no size.
pub fn size(text: &str) -> Result<u64, InvalidMeasure> {
    measure(text, &SIZES, InvalidMeasure::Size)
}

/// Time, more than zero.
///
/// # Errors
/// The text is no duration.
pub fn duration(text: &str) -> Result<Duration, InvalidMeasure> {
    measure(text, &TIMES, InvalidMeasure::Duration).map(Duration::from_millis)
}

fn measure(text: &str, units: &[(&str, u64)], otherwise: InvalidMeasure) -> Result<u64, InvalidMeasure> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(otherwise)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit).ok_or(otherwise)?;
    if number.is_empty() || (number.len() > 1 && number.starts_with('0')) {
        return Err(otherwise);
    }
    let number: u64 = number.parse().map_err(|_| InvalidMeasure::Overflow)?;
    match number.checked_mul(*factor) {
        // TOML's own integers end there too, and so do the counters that these numbers feed.
        Some(product) if product > i64::MAX.unsigned_abs() => Err(InvalidMeasure::Overflow),
        Some(0) => Err(InvalidMeasure::Zero),
        Some(product) => Ok(product),
        None => Err(InvalidMeasure::Overflow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_need_a_whole_number_and_a_unit() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("1B"), Ok(1));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("400d"), Ok(Duration::from_secs(400 * 86_400)));
        for bad in ["", "64", "MiB", "64 MiB", "64MB", "6.4MiB", "-1B", "+1B", "064B", "1e3B", "64mib", "6٤B"] {
            assert_eq!(size(bad), Err(InvalidMeasure::Size), "{bad}");
        }
        for bad in ["10", "s", "10 s", "1.5s", "-1s", "10us", "10min"] {
            assert_eq!(duration(bad), Err(InvalidMeasure::Duration), "{bad}");
        }
        assert_eq!(size("0MiB"), Err(InvalidMeasure::Zero));
        for huge in ["9999999999GiB", "99999999999999999999B", "9223372036854775808B"] {
            assert_eq!(size(huge), Err(InvalidMeasure::Overflow), "{huge}");
        }
    }
}
