//! Timer: waits for a deadline that moves on, and is set again only when it fires too early.
//!
//! Setting a timer costs a place in the runtime's wheel. Most deadlines move on long before they are due, so a timer is
//! left where it is and looks at its deadline when it fires.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep};

/// A timer that was not set yet, or is set for some deadline.
#[derive(Debug, Default)]
pub struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready at the deadline, which may be another one than when it was last asked for.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, task::Waker, time::Duration};

    use super::*;

    const STEP: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn it_is_ready_at_its_deadline_and_not_before() {
        let (begun, mut timer) = (Instant::now(), Timer::default());
        for deadline in [begun + STEP, begun + 2 * STEP] {
            poll_fn(|cx| timer.poll(cx, deadline)).await;
            assert!(Instant::now() >= deadline);
        }
        assert!(timer.poll(&mut Context::from_waker(Waker::noop()), begun).is_ready(), "it is over");
    }

    #[tokio::test]
    async fn a_deadline_that_moved_on_is_waited_for() {
        let (begun, mut timer) = (Instant::now(), Timer::default());
        assert!(timer.poll(&mut Context::from_waker(Waker::noop()), begun + STEP).is_pending());
        poll_fn(|cx| timer.poll(cx, begun + 3 * STEP)).await;
        assert!(begun.elapsed() >= 3 * STEP);
    }

    #[tokio::test]
    async fn one_that_moved_back_is_not_overslept() {
        const HOUR: Duration = Duration::from_secs(3600);
        let (begun, mut timer) = (Instant::now(), Timer::default());
        assert!(timer.poll(&mut Context::from_waker(Waker::noop()), begun + HOUR).is_pending());
        poll_fn(|cx| timer.poll(cx, begun + STEP)).await;
        assert!(begun.elapsed() < HOUR);
    }
}
