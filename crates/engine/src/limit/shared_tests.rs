use std::num::NonZeroU32;

use super::*;
use crate::{
    limit::{Limiter, Rate},
    store::{Kind, trial::on_each},
};

const NOW: Millis = Millis(1_767_323_045_678);
const WINDOW: Duration = Duration::from_secs(60);

fn shared(store: &Store, count: u32, credit: u32) -> Shared {
    Shared::new(store, "calls", Limit { count, window: WINDOW, credit })
}

#[tokio::test]
async fn processes_share_one_limit() {
    on_each(async |store| {
        let processes = [shared(&store, 40, 0), shared(&store, 40, 0), shared(&store, 40, 0)];
        let mut passed = 0;
        for turn in 0..90 {
            passed += i32::from(processes[turn % 3].take("conn_a", NOW).await.is_ok());
        }
        // What a process has left of its last slice is lost to the others.
        assert!((30..=40).contains(&passed), "{passed} of 40 passed");
        assert!(processes[0].take("conn_b", NOW).await.is_ok(), "keys are counted apart");
        let other = Shared::new(&store, "flows", Limit { count: 40, window: WINDOW, credit: 0 });
        assert!(other.take("conn_a", NOW).await.is_ok(), "and so are limits");
        let later = NOW.plus(WINDOW);
        assert!(processes[1].take("conn_a", later).await.is_ok(), "a new window");
    })
    .await;
}

#[tokio::test]
async fn a_limit_is_shared_where_processes_may_share_the_database() {
    on_each(async |store| {
        let part = NonZeroU32::new(16).unwrap();
        let over = |rate: &str| Limiter::new(rate.parse::<Rate>().unwrap()).over(&store, "calls", part);
        assert_eq!(over("40/60s").shared.is_some(), store.kind() == Kind::Postgres);
        assert!(over("off").shared.is_none());
        let limiter = over("1/60s");
        assert_eq!(limiter.admit("conn_a", NOW).await, Ok(()));
        assert_eq!(limiter.admit("conn_a", NOW).await, Err(WINDOW));
    })
    .await;
}

#[tokio::test]
async fn a_burst_waits_for_its_slice_and_passes_whole() {
    on_each(async |store| {
        let limit = shared(&store, 100, 6);
        let burst = (0..100).map(|_| limit.take("conn_a", NOW));
        let passed = futures_util::future::join_all(burst).await;
        assert_eq!(passed.iter().filter(|one| one.is_ok()).count(), 100);
        let (later, mut on_credit) = (NOW.plus(Duration::from_secs(20)), 0);
        let over = loop {
            match limit.take("conn_a", later).await {
                Ok(()) => on_credit += 1,
                Err(over) => break over,
            }
            assert!(on_credit <= 6, "until it is known that nothing is left to lend");
        };
        assert_eq!(over, Duration::from_secs(40));
    })
    .await;
}

/// What others took is known when the next slice is lent.
#[tokio::test]
async fn what_is_left_is_what_was_left_to_lend_at_last_and_what_is_here() {
    on_each(async |store| {
        let (one, other) = (shared(&store, 100, 0), shared(&store, 100, 0));
        assert_eq!(one.left("conn_a", NOW), Left { calls: 100, ends: None });
        one.take("conn_a", NOW).await.unwrap();
        let (later, ends) = (NOW.plus(Duration::from_secs(20)), Some(Duration::from_secs(40)));
        assert_eq!(one.left("conn_a", later), Left { calls: 99, ends });
        while other.take("conn_a", later).await.is_ok() {}
        assert_eq!(other.left("conn_a", later), Left { calls: 0, ends }, "of the same window");
        while one.take("conn_a", later).await.is_ok() {}
        assert_eq!(one.left("conn_a", later), Left { calls: 0, ends }, "it knows now");
    })
    .await;
}

#[tokio::test]
async fn without_the_database_it_counts_by_itself() {
    on_each(async |store| {
        let limit = shared(&store, 10, 0);
        crate::store::trial::lose_table(&store, "budget").await;
        let mut passed = 0;
        for _ in 0..20 {
            passed += i32::from(limit.take("conn_a", NOW).await.is_ok());
        }
        assert_eq!(passed, 10);
        crate::store::trial::find_table(&store, "budget").await;
    })
    .await;
}

#[tokio::test]
async fn who_can_not_wait_is_refused_for_a_moment() {
    on_each(async |store| {
        let limit = shared(&store, 40, 4);
        let passed = (0..40).filter(|_| limit.take_at_once("198.51.100.7", NOW).is_ok()).count();
        assert_eq!(passed, 4, "no slice came in between");
        assert_eq!(limit.take_at_once("198.51.100.7", NOW), Err(MOMENT));
        assert!(limit.take("198.51.100.7", NOW).await.is_ok(), "the slice is there");
        assert!(limit.take_at_once("198.51.100.7", NOW).is_ok());
    })
    .await;
}
