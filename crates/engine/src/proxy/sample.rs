//! The sample: which calls get a row of the request log. Every call is in the sums ([`super::tallies`]); a row costs
//! the database more than the call costs us, so that of many good calls only some have one.
//!
//! What went wrong always has a row. Of the rest, the first few of each second do, so that a quiet server's log is
//! whole; and of those beyond, a share.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::time::Millis;

/// A whole, of which a share is taken.
const WHOLE: u32 = 1_000_000;

/// Which calls get a row, beside those that went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Of a million, how many.
    pub share: u32,
    /// How many of each second, whatever the share.
    pub full_below: u32,
}

impl Sampling {
    /// Every call.
    pub const ALL: Self = Self { share: WHOLE, full_below: 0 };

    /// A share as people write it, `1%` or `0.25%`; `None` unless it is one from 0 to 100.
    pub fn share(text: &str) -> Option<u32> {
        let number = text.strip_suffix('%')?.trim_end();
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let percent: f64 = number.parse().ok().filter(|_| plain)?;
        // Below the bound it is a small number, and no fraction of a millionth is asked for.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a million")]
        (0.0..=100.0).contains(&percent).then(|| (percent * f64::from(WHOLE / 100)).round() as u32)
    }
}

/// Decides, for all threads.
pub(super) struct Sampler {
    sampling: Sampling,
    second: Second,
}

impl Sampler {
    pub fn new(sampling: Sampling) -> Self {
        Self { sampling, second: Second::default() }
    }

    /// Whether a call gets a row. `draw` is anything that no caller can choose, evenly spread.
    pub fn wants(&self, failed: bool, at: Millis, draw: u64) -> bool {
        let Sampling { share, full_below } = self.sampling;
        failed || draw % u64::from(WHOLE) < u64::from(share) || self.second.has_room(at, full_below)
    }
}

/// How many were let through in this second: its number in the upper half, the count in the lower.
#[derive(Default)]
struct Second(AtomicU64);

impl Second {
    /// Whether one more of this second is among the first so many. Once they are through, it only reads.
    fn has_room(&self, at: Millis, most: u32) -> bool {
        // The lowest bits tell one second from the next.
        let second =
            u64::from(u32::try_from(at.0.div_euclid(1000) & i64::from(u32::MAX)).unwrap_or_default());
        let next = |held: u64| {
            let count = if held >> 32 == second { held & u64::from(u32::MAX) } else { 0 };
            (count < u64::from(most)).then_some((second << 32) | (count + 1))
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_people_write_it() {
        for (text, share) in [
            ("1%", Some(10_000)),
            ("0%", Some(0)),
            ("100%", Some(1_000_000)),
            ("0.25%", Some(2_500)),
            ("33.3333 %", Some(333_333)),
            ("1", None),
            ("", None),
            ("%", None),
            (".%", None),
            ("101%", None),
            ("-1%", None),
            ("+1%", None),
            ("1e1%", None),
            ("nan%", None),
            ("1%%", None),
        ] {
            assert_eq!(Sampling::share(text), share, "{text}");
        }
    }

    #[test]
    fn what_went_wrong_always_has_a_row() {
        let none = Sampler::new(Sampling { share: 0, full_below: 0 });
        assert!(none.wants(true, Millis(0), 0));
        assert!(!none.wants(false, Millis(0), 0));
    }

    #[test]
    fn the_first_of_each_second_have_a_row_and_of_the_rest_a_share() {
        let sampler = Sampler::new(Sampling { share: 10_000, full_below: 2 });
        let (outside, inside) = (10_000, 9_999);
        let at = |ms| [0; 4].map(|_| sampler.wants(false, Millis(ms), outside));
        assert_eq!(at(5_000), [true, true, false, false]);
        assert_eq!(at(5_999), [false; 4]);
        assert_eq!(at(6_000), [true, true, false, false]);
        assert!(sampler.wants(false, Millis(6_000), inside));
        assert!(sampler.wants(false, Millis(6_000), 7_000_000 + inside), "the draw is taken from all of it");
        let all = Sampler::new(Sampling::ALL);
        assert!((0..5).all(|n| all.wants(false, Millis(0), u64::MAX - n)));
    }
}
