//! Time, as a parameter.
//!
//! Everything that needs the time asks the broker's [`Clock`]; nothing else reads the system clock.
//! Instants are [`Millis`] since the Unix epoch, as the database keeps them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Millis {
    /// This instant and a duration more.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant and a duration less.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` until this instant; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds, as every door writes it: `2026-01-02T03:04:05.678Z`.
    pub fn rfc3339(self) -> String {
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// Reads an instant as RFC 3339 writes it, in whatever zone; what is finer than a millisecond is cut off.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        Some(Self(at.as_millisecond()))
    }
}

/// Reads a duration as people write it: `90s`, `30m`, `24h`, `7d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    let count: u64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    count.checked_mul(unit).map(Duration::from_secs)
}

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system clock, corrected by the database's offset in milliseconds so that all nodes agree.
    System(Arc<AtomicI64>),
    /// A clock that only moves when told to, for tests.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The system clock without a correction yet.
    pub fn system() -> Self {
        Self::System(Arc::new(AtomicI64::new(0)))
    }

    /// A clock that stands still at `at`.
    pub fn fixed(at: Millis) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.0)))
    }

    /// Now.
    pub fn now(&self) -> Millis {
        match self {
            Self::System(offset) => system_now().plus_signed(offset.load(Ordering::Relaxed)),
            Self::Fixed(at) => Millis(at.load(Ordering::Relaxed)),
        }
    }

    /// Now, for whoever knows how long ago it was `at`: the system clock is not read again.
    pub fn later(&self, at: Millis, ago: Duration) -> Millis {
        match self {
            Self::System(_) => at.plus(ago),
            Self::Fixed(_) => self.now(),
        }
    }

    /// Learns the database's time, measured just now; a fixed clock stays as it is.
    pub fn correct(&self, database: Millis) {
        if let Self::System(offset) = self {
            offset.store(database.0.saturating_sub(system_now().0), Ordering::Relaxed);
        }
    }

    /// Waits: on the system clock as long as said, on a fixed clock until it was moved that far.
    pub async fn pause(&self, time: Duration) {
        match self {
            Self::System(_) => tokio::time::sleep(time).await,
            Self::Fixed(_) => {
                let until = self.now().plus(time);
                while self.now() < until {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
    }

    /// Moves a fixed clock forward; the system clock can't be moved.
    pub fn advance(&self, by: Duration) {
        if let Self::Fixed(at) = self {
            at.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
        }
    }
}

impl Millis {
    fn plus_signed(self, by: i64) -> Self {
        Self(self.0.saturating_add(by))
    }
}

/// The uncorrected system clock.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system clock")]
pub fn system_now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_in_any_zone_or_not_at_all() {
        let at = Some(Millis(1_767_323_045_678));
        for text in
            ["2026-01-02T03:04:05.678Z", "2026-01-02T04:04:05.678+01:00", "2026-01-02T03:04:05.678999Z"]
        {
            assert_eq!(Millis::parse_rfc3339(text), at, "{text}");
        }
        for wrong in ["", "tomorrow", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "0"] {
            assert_eq!(Millis::parse_rfc3339(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_a_count_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("0s", 0)] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["", "s", "1", "-1h", "+1h", "1.5h", "1 h", "1w", "h1", "1h30m", "1\u{e9}"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
        assert_eq!(parse_duration("99999999999999999999s"), None);
        assert_eq!(parse_duration("9999999999999999999d"), None);
    }

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = Clock::fixed(Millis(1_767_323_045_678));
        assert_eq!(clock.now().rfc3339(), "2026-01-02T03:04:05.678Z");
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.later(Millis(5), Duration::from_millis(7)), clock.now());
        assert_eq!(clock.now().rfc3339(), "2026-01-02T03:04:06.678Z");
        clock.correct(Millis(0));
        assert_eq!(clock.now(), Millis(1_767_323_046_678));
    }

    #[test]
    fn the_system_clock_follows_the_database() {
        let clock = Clock::system();
        clock.correct(system_now().plus(Duration::from_secs(3600)));
        assert!(clock.now().since(system_now()) > Duration::from_secs(3500));
        assert_eq!(clock.later(Millis(5), Duration::from_millis(7)), Millis(12));
    }
}
