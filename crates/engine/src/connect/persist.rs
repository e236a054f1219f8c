//! Persist: what a provider gave is written, though the database fails at first.
//!
//! A spent code or refresh token can't be shown again, so its answer is not dropped at the first failure. Only
//! failures of ours are tried again: an answer such as `Conflict` stays what it is.

use std::time::Duration;

use crate::{
    error::{Error, Result},
    time::Clock,
};

/// How long to wait before each further try of what can't be had again.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(15),
];

/// Runs `write` until it succeeds, fails for good, or has failed six times. `what` names the thing for the log:
/// `refreshed tokens of conn_…`.
///
/// A write that failed may have been committed all the same: `write` must find that out itself.
pub(crate) async fn persist<T, F>(clock: &Clock, what: &str, write: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    try_again(clock, what, &AGAIN, write).await
}

/// Runs `write` like [`persist`], but three times at most: for what its caller can ask for again, and what another
/// transaction may be in the way of.
pub(crate) async fn insist<T, F>(clock: &Clock, what: &str, write: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    try_again(clock, what, &AGAIN[..2], write).await
}

async fn try_again<T, F>(clock: &Clock, what: &str, pauses: &[Duration], write: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for pause in pauses {
        match write().await {
            Err(Error::Internal(error)) => {
                tracing::error!(%what, ?error, "could not be written yet");
                clock.pause(*pause).await;
            }
            done => return done,
        }
    }
    let last = write().await;
    if let Err(Error::Internal(error)) = &last {
        tracing::error!(%what, ?error, "could not be written, and is given up");
    }
    last
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::time::Millis;

    /// Runs it while the clock moves; gives what came of it, the tries, and the time it took.
    async fn run(fail: usize, with: fn() -> Error) -> (Result<usize>, usize, Duration) {
        let (clock, tries) = (Clock::fixed(Millis(0)), AtomicUsize::new(0));
        let write = || async {
            let nth = tries.fetch_add(1, Ordering::Relaxed) + 1;
            if nth <= fail { Err(with()) } else { Ok(nth) }
        };
        let moving = async {
            loop {
                tokio::task::yield_now().await;
                clock.advance(Duration::from_millis(100));
            }
        };
        let done = tokio::select! {
            biased;
            done = persist(&clock, "it", write) => done,
            () = moving => unreachable!("it never ends"),
        };
        (done, tries.load(Ordering::Relaxed), clock.now().since(Millis(0)))
    }

    #[tokio::test]
    async fn our_own_failures_are_tried_again_and_others_are_not() {
        let broken = || Error::internal("broken");
        let (done, tries, took) = run(0, broken).await;
        assert_eq!((done.ok(), tries, took), (Some(1), 1, Duration::ZERO));
        let (done, tries, took) = run(3, broken).await;
        assert_eq!((done.ok(), tries), (Some(4), 4));
        assert!(took >= Duration::from_millis(2600), "{took:?}");
        assert_eq!(run(5, broken).await.0.ok(), Some(6));
        let (done, tries, took) = run(6, broken).await;
        assert!(matches!(done, Err(Error::Internal(_))));
        assert_eq!(tries, 6);
        assert!(took >= Duration::from_millis(22_600), "{took:?}");
        let (done, tries, took) = run(1, || Error::Conflict { message: "no".into() }).await;
        assert!(matches!(done, Err(Error::Conflict { .. })));
        assert_eq!((tries, took), (1, Duration::ZERO));
    }
}
