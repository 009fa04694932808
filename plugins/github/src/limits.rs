//! When the API says "too often" (GitHub's REST API, "Rate limits"): how long to wait.

use wardkeep_sdk::http::Response;

/// What to wait where the API does not say (its documentation: at least a minute).
const A_MINUTE: u32 = 60;

/// How many seconds to wait, as an answer's head says it. It is dated by itself, since a plugin need not know the time.
pub(crate) fn wait(response: &Response) -> Option<u32> {
    let number = |name: &str| response.header(name).and_then(|value| value.trim().parse::<u64>().ok());
    let seconds = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX);
    if !matches!(response.status(), 403 | 429) {
        return None;
    }
    if let Some(after) = number("retry-after") {
        return Some(seconds(after));
    }
    if number("x-ratelimit-remaining") != Some(0) {
        return None;
    }
    let now = response.header("date").and_then(moment);
    let until = number("x-ratelimit-reset").zip(now).map(|(reset, now)| seconds(reset.saturating_sub(now)).max(1));
    Some(until.unwrap_or(A_MINUTE))
}

/// The same where only its words say so: secondary limits come without headers.
pub(crate) fn told(status: u16, message: &str) -> Option<u32> {
    let named = status == 403 && message.to_ascii_lowercase().contains("rate limit");
    (status == 429 || named).then_some(A_MINUTE)
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7). Days are counted as in Howard Hinnant's `days_from_civil`: years begin in
/// March, so that a leap day is the last of its year.
fn moment(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb"];
    let [_, day, month, year, time, "GMT"] = date.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let (day, year) = (day.parse::<u64>().ok().filter(|day| (1..=31).contains(day))?, year.parse::<u64>().ok()?);
    let year = year.checked_sub(u64::from(month >= 10)).filter(|year| (1970..10_000).contains(year))?;
    let [hour, minute, second] = time.split(':').map(|part| part.parse::<u64>().ok()).collect::<Option<Vec<_>>>()?[..]
    else {
        return None;
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_of_http_are_read() {
        for (date, expected) in [
            ("Thu, 01 Jan 2026 00:00:00 GMT", Some(1_767_225_600)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Fri, 31 Dec 2027 23:59:59 GMT", Some(1_830_297_599)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Thu, 99 Jan 2026 00:00:00 GMT", None),
            ("Thu, 01 Jan 0000 00:00:00 GMT", None),
            ("", None),
        ] {
            assert_eq!(moment(date), expected, "{date}");
        }
    }
}
