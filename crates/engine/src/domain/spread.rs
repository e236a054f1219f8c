//! The spread: how long many things took, as counts in a few buckets. Small enough to be kept for each minute and
//! connection, fine enough for a plot of quantiles.

use std::time::Duration;

/// Upper bounds of the buckets but the last, in milliseconds; each bound is within its bucket.
pub const BOUNDS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 60_000];

/// How many buckets there are: one for each bound, and one for what took longer than the last.
pub const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// Which bucket a time belongs to.
pub fn bucket(took: Duration) -> usize {
    BOUNDS_MS.iter().position(|bound| took <= Duration::from_millis(*bound)).unwrap_or(BOUNDS_MS.len())
}

/// Counts by bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread(pub [u64; BUCKETS]);

impl Spread {
    /// Counts one time.
    pub fn add(&mut self, took: Duration) {
        if let Some(count) = self.0.get_mut(bucket(took)) {
            *count += 1;
        }
    }

    /// In how many milliseconds at most so many hundredths of them were over, as far as buckets tell: the bound of the
    /// bucket in which the last of them is. `None` where nothing was counted; beyond the last bound, the last bound.
    pub fn within(&self, hundredths: u64) -> Option<u64> {
        let all: u64 = self.0.iter().sum();
        let wanted = all.saturating_mul(hundredths).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.0.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        (all > 0).then(|| BOUNDS_MS.get(at).or(BOUNDS_MS.last()).copied()).flatten()
    }

    /// Counts what another counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_within_its_bucket_and_what_is_longer_than_all_has_one_too() {
        for (took, at) in [(0, 0), (5_000, 0), (5_001, 1), (1_000_000, 7), (60_000_000, 10), (60_000_001, 11)]
        {
            assert_eq!(bucket(Duration::from_micros(took)), at, "{took} µs");
        }
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
    }

    #[test]
    fn so_many_hundredths_are_within_a_bound() {
        let mut spread = Spread::default();
        assert_eq!(spread.within(50), None);
        for took in [1, 1, 1, 40, 90_000] {
            spread.add(Duration::from_millis(took));
        }
        assert_eq!(
            [1, 50, 60, 61, 80, 81, 100].map(|of| spread.within(of)),
            [Some(5), Some(5), Some(5), Some(50), Some(50), Some(60_000), Some(60_000)]
        );
    }

    #[test]
    fn spreads_add_up() {
        let (mut one, mut other) = (Spread::default(), Spread::default());
        one.add(Duration::from_millis(1));
        other.add(Duration::from_millis(2));
        other.add(Duration::from_secs(90));
        one.merge(&other);
        assert_eq!((one.0[0], one.0[11], one.0.iter().sum::<u64>()), (2, 1, 3));
    }
}
