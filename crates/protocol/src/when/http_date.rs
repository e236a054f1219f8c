//! HTTP dates in all three forms that a recipient must understand (RFC 9110 §5.6.7).

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days, short for `asctime`; RFC 850 has them in full.
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A date of two digits that seems to be further ahead than this means the century before.
const YEARS_AHEAD: i16 = 50;

/// Milliseconds since 1970, or `None` for what is no HTTP date.
pub(super) fn read(text: &str, now_ms: i64) -> Option<i64> {
    fixed(text).or_else(|| rfc850(text, now_ms)).or_else(|| asctime(text))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, read as leniently as mail is.
fn fixed(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp().as_millisecond())
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(text: &str, now_ms: i64) -> Option<i64> {
    let (day_name, rest) = text.split_once(", ")?;
    DAYS.contains(&day_name).then_some(())?;
    let [date, time, "GMT"] = words(rest)? else { return None };
    let mut date = date.split('-');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    if date.next().is_some() || year.len() != 2 {
        return None;
    }
    let this_year = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(TimeZone::UTC).year();
    let near = this_year - this_year.rem_euclid(100) + number(year)?;
    let year = if near > this_year + YEARS_AHEAD { near - 100 } else { near };
    at(year, month, day, time)
}

/// `Sun Nov  6 08:49:37 1994`.
fn asctime(text: &str) -> Option<i64> {
    let [day_name, month, day, time, year] = words(text)?;
    let known = day_name.len() == 3 && DAYS.iter().any(|day| day.starts_with(day_name));
    (known && year.len() == 4).then_some(())?;
    at(number(year)?, month, day, time)
}

/// Exactly so many words.
fn words<const N: usize>(text: &str) -> Option<[&str; N]> {
    let mut words = text.split_ascii_whitespace();
    let mut found = [""; N];
    for place in &mut found {
        *place = words.next()?;
    }
    words.next().is_none().then_some(found)
}

fn at(year: i16, month: &str, day: &str, time: &str) -> Option<i64> {
    let month = MONTHS.iter().position(|known| *known == month)?;
    let month = i8::try_from(month + 1).ok()?;
    let mut time = time.split(':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    if time.next().is_some() || [hour, minute, second].iter().any(|part| part.len() != 2) {
        return None;
    }
    let small = |text: &str| i8::try_from(number(text)?).ok();
    // A leap second is the one before, as everywhere where seconds are counted since 1970.
    let second = small(second).filter(|second| *second <= 60)?.min(59);
    let local = DateTime::new(year, month, small(day)?, small(hour)?, small(minute)?, second, 0).ok()?;
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp().as_millisecond())
}

/// One to four digits and nothing else.
fn number(text: &str) -> Option<i16> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z
    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn all_three_forms_say_the_same() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(read(text, NOW), Some(784_111_777_000), "{text}");
        }
        for text in ["Tuesday, 14-Nov-23 22:13:30 GMT", "Tue Nov 14 22:13:30 2023"] {
            assert_eq!(read(text, NOW), Some(NOW + 10_000), "{text}");
        }
        assert_eq!(read("Sat Dec 31 23:59:60 2016", NOW), read("Sat Dec 31 23:59:59 2016", NOW));
    }

    #[test]
    fn two_digits_mean_the_nearest_year_that_is_not_far_ahead() {
        let year = |text: &str, now: &str| {
            let now = now.parse::<Timestamp>().expect("a time").as_millisecond();
            let at = read(&format!("Monday, 01-Jan-{text} 00:00:00 GMT"), now).expect("a date");
            Timestamp::from_millisecond(at).expect("in range").to_zoned(TimeZone::UTC).year()
        };
        for (text, now, is) in [
            ("23", "2023-11-14T00:00:00Z", 2023),
            ("73", "2023-11-14T00:00:00Z", 2073),
            ("74", "2023-11-14T00:00:00Z", 1974),
            ("00", "2099-11-14T00:00:00Z", 2000),
            ("99", "2099-11-14T00:00:00Z", 2099),
        ] {
            assert_eq!(year(text, now), is, "{text} in {now}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "soon",
            "Sunday, 06-Nov-94 08:49:37",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Someday, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-94 8:49:37 GMT",
            "Sunday, 06-Nov-94-1 08:49:37 GMT",
            "Sunday, 31-Feb-94 08:49:37 GMT",
            "Sunday, +6-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 94",
            "Sun Nov  6 08:49:37 1994 GMT",
            "Sun Nov  6 24:49:37 1994",
            "Sun Nov  6 08:49:61 1994",
            "S Nov  6 08:49:37 1994",
            "Sun Nov  6 08:49:37:1 1994",
            "Sun nov  6 08:49:37 1994",
        ] {
            assert_eq!(read(text, NOW), None, "{text}");
        }
        assert_eq!(read("Sunday, 06-Nov-94 08:49:37 GMT", i64::MAX), None, "a clock out of all range");
    }
}
