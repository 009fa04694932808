//! Days of documents: a day that something lasts to is included, and ends at midnight UTC, wherever the host stands.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// The first instant of the day, UTC.
pub(crate) fn start(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |start| start.timestamp())
}

/// The first instant after the day, UTC.
pub(crate) fn end(day: Date) -> Timestamp {
    day.tomorrow().map_or(Timestamp::MAX, start)
}

/// The day of an instant, UTC.
pub(crate) fn of(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_when_the_next_begins() {
        let day = jiff::civil::date(2027, 6, 30);
        assert_eq!(end(day), "2027-07-01T00:00:00Z".parse().unwrap());
        assert_eq!(start(day), "2027-06-30T00:00:00Z".parse().unwrap());
        assert_eq!(of("2027-06-30T23:59:59.999Z".parse().unwrap()), day);
        assert_eq!(end(Date::MAX), Timestamp::MAX);
    }
}
