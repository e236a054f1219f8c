//! What proxied calls came to, summed up by the minute. Each call is in a sum; only some have a row of their own
//! ([`super::request_log`]). Whoever counts calls reads this, whoever looks for one call the rows.

use std::time::Duration;

use super::spread::Spread;
use crate::{
    id::{ConnectionId, IntegrationId, WorkspaceId},
    time::Millis,
};

/// One call that is over, as far as it is summed up.
#[derive(Debug, Clone, Copy, Default)]
pub struct FinishedCall {
    /// The status that the caller got.
    pub status: u16,
    /// Whether the answer was ours rather than the provider's.
    pub ours: bool,
    /// How often the provider was asked.
    pub attempts: u32,
    /// Bytes of request body sent on.
    pub bytes_in: u64,
    /// Bytes of answer body sent back.
    pub bytes_out: u64,
    /// From the call's arrival until the provider was first asked, or until the end when it was not.
    pub waited: Duration,
    /// From when the provider was last asked until its answer's head was there; `None` without an answer.
    pub first_byte: Option<Duration>,
    /// From the call's arrival until its answer's last byte.
    pub took: Duration,
    /// When it ended.
    pub at: Millis,
}

impl FinishedCall {
    /// The class of its status: 2 for 204. What is no status is as bad as 5.
    pub fn class(&self) -> u8 {
        u8::try_from(self.status / 100).ok().filter(|class| (1..=5).contains(class)).unwrap_or(5)
    }
}

/// The sums of some calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many calls.
    pub calls: u64,
    /// How many of them we answered ourselves.
    pub ours: u64,
    /// How often the provider was asked.
    pub attempts: u64,
    /// Bytes of request bodies sent on.
    pub bytes_in: u64,
    /// Bytes of answer bodies sent back.
    pub bytes_out: u64,
    /// Until the provider was first asked, in microseconds, all together.
    pub waited_us: u64,
    /// From asking the provider to its answer's head, in microseconds, all together.
    pub first_byte_us: u64,
    /// From arrival to the last byte, in microseconds, all together.
    pub duration_us: u64,
    /// How those last times are spread.
    pub spread: Spread,
}

impl Sums {
    /// Adds a call.
    pub fn add(&mut self, call: &FinishedCall) {
        self.calls += 1;
        self.ours += u64::from(call.ours);
        self.attempts += u64::from(call.attempts);
        self.bytes_in = self.bytes_in.saturating_add(call.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(call.bytes_out);
        self.waited_us = self.waited_us.saturating_add(micros(call.waited));
        self.first_byte_us = self.first_byte_us.saturating_add(call.first_byte.map_or(0, micros));
        self.duration_us = self.duration_us.saturating_add(micros(call.took));
        self.spread.add(call.took);
    }

    /// Adds other sums.
    pub fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.ours += other.ours;
        self.attempts += other.attempts;
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
        self.waited_us = self.waited_us.saturating_add(other.waited_us);
        self.first_byte_us = self.first_byte_us.saturating_add(other.first_byte_us);
        self.duration_us = self.duration_us.saturating_add(other.duration_us);
        self.spread.merge(&other.spread);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Which calls are summed up together. The order is the one in which their rows are written: two processes that write
/// the same ones never wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RollupKey {
    /// Whose calls.
    pub workspace_id: WorkspaceId,
    /// The beginning of the minute in which they ended.
    pub minute: Millis,
    /// Of which integration.
    pub integration_id: IntegrationId,
    /// Through which connection; `None` for those of too many connections at once to be told apart.
    pub connection_id: Option<ConnectionId>,
    /// The class of their status, 1 to 5.
    pub class: u8,
}

/// The calls of one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRollup {
    /// Which calls.
    pub key: RollupKey,
    /// What they came to.
    pub sums: Sums,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_calls_are_the_same_however_they_are_put_together() {
        let call = |status, ours, took| FinishedCall {
            status,
            ours,
            attempts: 2,
            bytes_in: 3,
            bytes_out: 5,
            waited: Duration::from_micros(7),
            first_byte: Some(Duration::from_micros(11)),
            took: Duration::from_millis(took),
            at: Millis(0),
        };
        let (mut all, mut one, mut other) = (Sums::default(), Sums::default(), Sums::default());
        for (n, call) in [call(200, false, 1), call(200, true, 20), call(200, false, 99)].iter().enumerate() {
            all.add(call);
            if n == 1 { &mut other } else { &mut one }.add(call);
        }
        one.merge(&other);
        assert_eq!(one, all);
        assert_eq!((all.calls, all.ours, all.attempts, all.bytes_in, all.bytes_out), (3, 1, 6, 9, 15));
        assert_eq!((all.waited_us, all.first_byte_us, all.duration_us), (21, 33, 120_000));
    }

    #[test]
    fn a_status_has_a_class() {
        let class = |status| FinishedCall { status, ..FinishedCall::default() }.class();
        assert_eq!([101, 204, 302, 499, 503].map(class), [1, 2, 3, 4, 5]);
        assert_eq!([0, 99, 600, u16::MAX].map(class), [5; 4]);
    }
}
