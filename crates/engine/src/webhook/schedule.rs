//! Schedule: when a delivery that failed is tried again. Pure.

use std::time::Duration;

/// How long after the attempt before it each attempt is made, at the earliest: eight attempts over some 27 hours.
const DELAYS: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(10 * 3600),
];

/// How long to wait after so many attempts; `None` when that was the last. `spread`, a random number, makes the wait
/// up to a fifth longer, so that what failed together does not come back together. It is never shorter.
pub(super) fn wait(attempts: i64, spread: u16) -> Option<Duration> {
    let delay = *DELAYS.get(usize::try_from(attempts).ok()?)?;
    Some(delay + delay * u32::from(spread) / u32::from(u16::MAX) / 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_as_documented_and_at_most_a_fifth_longer() {
        let documented = [0, 5, 300, 1800, 7200, 18000, 36000, 36000];
        for (attempts, seconds) in (0..).zip(documented) {
            let exact = Duration::from_secs(seconds);
            assert_eq!(wait(attempts, 0), Some(exact), "after {attempts}");
            assert_eq!(wait(attempts, u16::MAX), Some(exact + exact / 5), "after {attempts}");
            let between = wait(attempts, u16::MAX / 2).unwrap();
            assert!(seconds == 0 || exact < between && between < exact + exact / 5, "after {attempts}");
        }
    }

    #[test]
    fn eight_attempts_are_all() {
        for attempts in [8, 9, i64::MAX, -1] {
            assert_eq!(wait(attempts, 0), None, "after {attempts}");
        }
    }
}
