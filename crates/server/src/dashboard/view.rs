//! How values are shown: times, counts, durations, sizes.

use claviger_engine::time::Millis;
use minijinja::{Value, context};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A time: for machines, for people, and how long ago or ahead it is.
pub fn when(now: Millis, at: Millis) -> Value {
    context! { iso => at.rfc3339(), exact => exact(at), short => distance(now, at) }
}

/// A time for people, to the minute.
pub fn exact(at: Millis) -> String {
    let iso = at.rfc3339();
    format!("{} UTC", iso.get(..16).unwrap_or(&iso).replace('T', " "))
}

/// A time that may not be there.
pub fn maybe_when(now: Millis, at: Option<Millis>) -> Option<Value> {
    at.map(|at| when(now, at))
}

/// A count with its thousands apart.
pub fn count(of: impl TryInto<u64>) -> String {
    let digits = of.try_into().unwrap_or(0_u64).to_string();
    let ends = digits.char_indices().map(|(at, digit)| {
        let apart = at > 0 && (digits.len() - at) % 3 == 0;
        if apart { format!(",{digit}") } else { digit.to_string() }
    });
    ends.collect()
}

/// How much of all something is.
pub fn percent(of: u64, all: u64) -> String {
    if all == 0 {
        return "0 %".to_owned();
    }
    let tenths = u128::from(of) * 1000 / u128::from(all);
    match tenths {
        0 if of > 0 => "< 0.1 %".to_owned(),
        0..100 => format!("{}.{} %", tenths / 10, tenths % 10),
        _ => format!("{} %", tenths / 10),
    }
}

/// The bound of a time that is known by its bucket, in milliseconds.
pub fn within(millis: Option<u64>) -> String {
    match millis {
        None => "–".to_owned(),
        Some(millis @ 0..1000) => format!("{millis} ms"),
        Some(millis) if millis % 1000 == 0 => format!("{} s", millis / 1000),
        Some(millis) => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
    }
}

/// An amount of bytes.
pub fn bytes(of: u64) -> String {
    let units = [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    let unit = units.into_iter().find(|(size, _)| of >= *size);
    unit.map_or(format!("{of} B"), |(size, name)| format!("{}.{} {name}", of / size, of % size / (size / 10)))
}

/// A word of ours as people read it: `needs_reauth` is "needs reauth".
pub fn words(of: &str) -> String {
    of.replace('_', " ")
}

/// A query of what is given.
pub fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let given = pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode((*value)?))));
    let joined = given.collect::<Vec<_>>().join("&");
    if joined.is_empty() { joined } else { format!("?{joined}") }
}

fn distance(now: Millis, at: Millis) -> String {
    let (ahead, seconds) = (at > now, now.since(at).max(at.since(now)).as_secs());
    let text = match seconds {
        0..60 => return if ahead { "in a moment" } else { "just now" }.to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    };
    if ahead { format!("in {text}") } else { format!("{text} ago") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!([0_u64, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(count(-1_i64), "0");
        let shares =
            [(0, 0), (0, 9), (1, 2000), (1, 100), (99, 100), (7, 7)].map(|(of, all)| percent(of, all));
        assert_eq!(shares, ["0 %", "0.0 %", "< 0.1 %", "1.0 %", "99 %", "100 %"]);
        let times = [None, Some(5), Some(1000), Some(2500), Some(60_000)].map(within);
        assert_eq!(times, ["–", "5 ms", "1 s", "2.5 s", "60 s"]);
        let sizes = [0, 999, 1000, 1_550_000, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "1.5 MB", "18446744.0 TB"]);
        assert_eq!(query(&[("a", None), ("b", Some("x y&z")), ("c", Some("1"))]), "?b=x%20y%26z&c=1");
        assert_eq!(query(&[("a", None)]), "");
    }

    #[test]
    fn a_distance_reads_like_one() {
        let now = Millis(1_790_000_000_000);
        for (seconds, ago, ahead) in [
            (0, "just now", "just now"),
            (59, "just now", "in a moment"),
            (60, "1 min ago", "in 1 min"),
            (7200, "2 h ago", "in 2 h"),
            (90_000, "1 day ago", "in 1 day"),
            (864_000, "10 days ago", "in 10 days"),
        ] {
            let time = Duration::from_secs(seconds);
            assert_eq!(distance(now, now.minus(time)), ago);
            assert_eq!(distance(now, now.plus(time)), ahead);
        }
        assert_eq!(when(now, now).get_attr("exact").expect("a text").as_str(), Some("2026-09-21 14:13 UTC"));
    }
}
