//! The decision: is this token good for a call now? Pure, so that every case is a line in a table.

use std::time::Duration;

use crate::{domain::credential::Credential, time::Millis};

/// What to do about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is good.
    Use,
    /// Refresh it first.
    Refresh {
        /// Whether the old one still is good, should the refresh fail for a passing reason.
        still_good: bool,
    },
    /// It is past its life and there is nothing to refresh it with.
    Dead,
}

/// The longest time ahead of its expiry that a token is refreshed.
const MOST: Duration = Duration::from_secs(300);

/// Decides for a credential at `now`. `lead` is the provider's own time ahead of expiry; without one it is a
/// tenth of the token's life, at most five minutes. A token without an expiry is good until it is refused.
pub fn decide(now: Millis, credential: &Credential, lead: Option<Duration>, refreshable: bool) -> Decision {
    let Some(expires_at) = credential.expires_at else { return Decision::Use };
    let lead = self::lead(credential.obtained_at, expires_at, lead);
    if now < expires_at.minus(lead) {
        return Decision::Use;
    }
    match (refreshable, now < expires_at) {
        (true, still_good) => Decision::Refresh { still_good },
        (false, true) => Decision::Use,
        (false, false) => Decision::Dead,
    }
}

/// Until when a token that [`decide`] says to use is to be used without another word.
pub(super) fn until(credential: &Credential, lead: Option<Duration>, refreshable: bool) -> Option<Millis> {
    let expires_at = credential.expires_at?;
    let lead = self::lead(credential.obtained_at, expires_at, lead);
    Some(if refreshable { expires_at.minus(lead) } else { expires_at })
}

/// How long before its expiry a token is refreshed; `own` is the provider's word for it.
pub(super) fn lead(obtained_at: Millis, expires_at: Millis, own: Option<Duration>) -> Duration {
    own.unwrap_or_else(|| (expires_at.since(obtained_at) / 10).min(MOST))
}

/// The longest such time of any provider without a word of its own.
pub(super) const LONGEST_LEAD: Duration = MOST;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{ConnectionId, WorkspaceId},
        vault::Sealed,
    };

    #[test]
    fn each_moment_of_a_tokens_life_has_its_decision() {
        let hour = 3_600_000;
        let credential = |expires_at: Option<i64>| Credential {
            connection_id: ConnectionId::new(),
            workspace_id: WorkspaceId::new(),
            sealed: Sealed::from_row(String::new()),
            version: 1,
            expires_at: expires_at.map(Millis),
            refresh_expires_at: None,
            obtained_at: Millis(0),
            fence: 0,
            parent_hash: None,
            previous: None,
            previous_until: None,
            worked_at: None,
            lifetime: None,
        };
        let refresh = |still_good| Decision::Refresh { still_good };
        for (now, expires, lead, refreshable, want) in [
            (0, None, None, true, Decision::Use),
            (i64::MAX, None, None, false, Decision::Use),
            (0, Some(hour), None, true, Decision::Use),
            (hour - 300_001, Some(hour), None, true, Decision::Use),
            (hour - 300_000, Some(hour), None, true, refresh(true)),
            (hour - 1, Some(hour), None, true, refresh(true)),
            (hour, Some(hour), None, true, refresh(false)),
            (hour - 1, Some(hour), None, false, Decision::Use),
            (hour, Some(hour), None, false, Decision::Dead),
            (53_999, Some(60_000), None, true, Decision::Use),
            (54_000, Some(60_000), None, true, refresh(true)),
            (hour - 30_001, Some(hour), Some(30), true, Decision::Use),
            (hour - 30_000, Some(hour), Some(30), true, refresh(true)),
        ] {
            let lead = lead.map(Duration::from_secs);
            let got = decide(Millis(now), &credential(expires), lead, refreshable);
            assert_eq!(got, want, "at {now} of {expires:?}, lead {lead:?}, refreshable {refreshable}");
        }
    }
}
