//! Words: why a connection needs its owner after a refresh whose outcome nobody knows, and for how long a failing one is
//! left alone. Pure.

use std::time::Duration;

use super::step::{Plan, Reuse, Unanswered};
use crate::id::ConnectionId;

/// What every reason begins with that is our own not knowing, and no provider's word.
const UNKNOWN: &str = "a refresh was sent at ";

/// The first pause after a failure; doubled each time.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest that a provider may ask for.
const ASKED: Duration = Duration::from_secs(3600);

/// Why a connection needs its owner when nobody knows what became of its refresh token, and what was tried to find out.
pub(super) fn unknown(plan: Plan, earlier: &Unanswered, told: Option<bool>) -> String {
    let tried = match (plan, told) {
        (Plan { introspects: true, .. }, Some(_)) => "its provider says that the token is not good any more",
        (Plan { introspects: true, .. }, None) => "its provider did not say whether the token is still good",
        (Plan { reuse: Reuse::Within(_), .. }, _) if earlier.tries > 1 => {
            "it was sent once more, without an answer"
        }
        (Plan { reuse: Reuse::Within(_), .. }, _) => {
            "the time in which its provider takes the token again is over"
        }
        _ => "its provider takes the token only once and does not say whether it is still good",
    };
    let at = earlier.sent_at.rfc3339();
    format!("{UNKNOWN}{at} and no answer to it was ever stored; {tried}; it must be authorized again")
}

/// Why a connection needs its owner whose refresh token another connection has, too, and spent, or may have; it is named
/// where it is the same workspace's.
pub(super) fn spent(by: Option<&ConnectionId>) -> String {
    let by = by.map(|by| format!(", {by},")).unwrap_or_default();
    format!(
        "its refresh token was sent by another connection{by} that has the same one, and is not to be sent \
         again; it must be authorized again"
    )
}

/// Whether a reason is one of [`unknown`]'s.
pub(super) fn is_unknown(reason: Option<&str>) -> bool {
    reason.is_some_and(|reason| reason.starts_with(UNKNOWN))
}

/// What whoever waits is told while it is not known what became of a refresh.
pub(super) fn open(earlier: &Unanswered) -> String {
    format!("a refresh was sent at {} and what became of it is not known yet", earlier.sent_at.rfc3339())
}

/// How long a connection is left alone that failed so often before: between half of a step and all of it, as `jitter`
/// says, and no shorter than the provider asks for, up to an hour.
pub(super) fn pause(failures: i64, jitter: u8, asked: Option<Duration>) -> Duration {
    let doubled =
        FIRST.saturating_mul(2_u32.saturating_pow(u32::try_from(failures.max(0)).unwrap_or(u32::MAX)));
    let step = doubled.min(LONGEST);
    let own = step / 2 + step / 2 * u32::from(jitter) / 255;
    own.max(asked.unwrap_or_default().min(ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::IntentId, time::Millis};

    #[test]
    fn failures_are_left_alone_longer_and_longer_and_no_longer_than_five_minutes() {
        let seconds = |failures, jitter| pause(failures, jitter, None).as_millis();
        assert_eq!((seconds(0, 0), seconds(0, 255)), (500, 1000));
        assert_eq!((seconds(3, 0), seconds(3, 255)), (4000, 8000));
        assert_eq!((seconds(9, 0), seconds(9, 255)), (150_000, 300_000));
        assert_eq!((seconds(i64::MAX, 255), seconds(-1, 255)), (300_000, 1000));
        let asked = |seconds| pause(0, 255, Some(Duration::from_secs(seconds))).as_secs();
        assert_eq!((asked(0), asked(90), asked(1_000_000)), (1, 90, 3600));
    }

    #[test]
    fn who_sent_the_same_token_is_named_where_that_may_be_known() {
        let id = ConnectionId::new();
        let (named, not) = (spent(Some(&id)), spent(None));
        assert!(named.contains(&format!("another connection, {id}, that has")), "{named}");
        assert!(not.contains("another connection that has"), "{not}");
        assert!(!is_unknown(Some(&named)), "nothing heals it");
    }

    #[test]
    fn the_reason_says_what_was_tried_and_is_known_again() {
        let earlier = |tries| Unanswered {
            id: IntentId::new(),
            sent_at: Millis(1_767_323_045_678),
            unknown_at: Millis(0),
            tries,
            now: Millis(0),
            good: false,
        };
        let plan = |reuse, introspects| Plan { reuse, introspects, lease: Duration::ZERO };
        let within = Reuse::Within(Duration::from_secs(5));
        for (plan, tries, told, tried) in [
            (plan(Reuse::Never, false), 1, None, "takes the token only once"),
            (plan(Reuse::Never, true), 1, Some(false), "not good any more"),
            (plan(Reuse::Never, true), 1, None, "did not say"),
            (plan(within, false), 1, None, "is over"),
            (plan(within, false), 2, None, "once more"),
        ] {
            let reason = unknown(plan, &earlier(tries), told);
            assert!(reason.starts_with("a refresh was sent at 2026-01-02T03:04:05.678Z and no answer"));
            assert!(reason.contains(tried) && reason.ends_with("it must be authorized again"), "{reason}");
            assert!(is_unknown(Some(&reason)));
        }
        assert!(!is_unknown(Some("the provider refused: invalid_grant")) && !is_unknown(None));
    }
}
