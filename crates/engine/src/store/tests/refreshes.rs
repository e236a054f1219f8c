//! Who has a refresh to itself, and which tokens were sent: leases, fencing numbers, intents.

use super::*;
use crate::{
    domain::refresh::{Closed, Intent, Rest},
    error::ProviderFault,
    id::IntentId,
    store::{Glance, Lease},
};

/// A connection with a credential.
async fn connected(store: &Store, scene: &Scene) -> Connection {
    let made = connection(&scene.ws, &scene.integration.id, None);
    let mut conn = begin(store).await;
    conn.create_connection(&scene.ws, &made).await.unwrap();
    conn.create_credential(&scene.ws, &credential(&made, 1)).await.unwrap();
    conn.commit().await.unwrap();
    made
}

fn lease(owner: &str, now: u64) -> Lease<'_> {
    Lease { owner, now: later(now), until: later(now + 10) }
}

fn intent(of: &Connection, hash: &str) -> Intent {
    Intent {
        id: IntentId::new(),
        workspace_id: of.workspace_id.clone(),
        connection_id: of.id.clone(),
        version: 1,
        token_hash: hash.to_owned(),
        fence: 1,
        tries: 1,
        sent_at: T0,
        unknown_at: None,
        unknown_why: None,
        closed_at: None,
        outcome: None,
    }
}

#[tokio::test]
async fn a_lease_is_anothers_only_when_it_is_over_or_given_up_and_its_number_only_goes_up() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let (ws, made) = (&scene.ws, connected(&store, &scene).await);
        let id = &made.id;
        let mut conn = begin(&store).await;
        assert!(conn.refresh_state(ws, id).await.unwrap().is_none());
        let nobody = Some(Glance { version: 1, held_until: None });
        assert_eq!(conn.glance_at_refresh(ws, id).await.unwrap(), nobody);
        assert_eq!(conn.take_refresh(ws, id, lease("a", 0)).await.unwrap(), Some(1));
        let held = Some(Glance { version: 1, held_until: Some(later(10)) });
        assert_eq!(conn.glance_at_refresh(ws, id).await.unwrap(), held);
        assert_eq!(conn.take_refresh(ws, id, lease("b", 9)).await.unwrap(), None);
        assert_eq!(conn.take_refresh(&scene.other, id, lease("b", 99)).await.unwrap(), None);
        assert_eq!(conn.take_refresh(ws, id, lease("a", 9)).await.unwrap(), Some(2), "its own");
        assert!(!conn.prolong_refresh(ws, id, 1, later(99)).await.unwrap());
        assert!(conn.prolong_refresh(ws, id, 2, later(30)).await.unwrap());
        assert_eq!(conn.take_refresh(ws, id, lease("b", 29)).await.unwrap(), None);
        assert_eq!(conn.take_refresh(ws, id, lease("b", 30)).await.unwrap(), Some(3), "it is over");

        assert!(
            !conn.leave_refresh(ws, id, "a").await.unwrap() && conn.leave_refresh(ws, id, "b").await.unwrap()
        );
        assert!(!conn.prolong_refresh(ws, id, 3, later(99)).await.unwrap(), "nobody has it");
        assert_eq!(conn.take_refresh(ws, id, lease("c", 0)).await.unwrap(), Some(4));
        let rest = Rest { until: later(7), fault: ProviderFault::TimedOut, failure: "slow" };
        assert!(!conn.rest_refresh(ws, id, 3, rest).await.unwrap());
        assert!(conn.rest_refresh(ws, id, 4, rest).await.unwrap());
        assert!(conn.rest_refresh(ws, id, 4, rest).await.unwrap());
        let state = conn.refresh_state(ws, id).await.unwrap().unwrap();
        assert_eq!((state.owner, state.fence, state.failures), (None, 4, 2));
        assert_eq!((state.retry_at, state.fault), (Some(later(7)), Some(ProviderFault::TimedOut)));
        assert_eq!(state.failure.as_deref(), Some("slow"));
        assert_eq!(conn.take_refresh(ws, id, lease("d", 0)).await.unwrap(), Some(5));
        assert!(!conn.end_refresh(ws, id, 4).await.unwrap() && conn.end_refresh(ws, id, 5).await.unwrap());
        let state = conn.refresh_state(ws, id).await.unwrap().unwrap();
        assert_eq!((state.failures, state.retry_at, state.failure), (0, None, None));

        assert!(conn.delete_connection(ws, id).await.unwrap());
        assert!(conn.refresh_state(ws, id).await.unwrap().is_none());
        assert_eq!(conn.glance_at_refresh(ws, id).await.unwrap(), None);
    })
    .await;
}

/// However many ask at once, one has it.
#[tokio::test]
async fn one_of_many_takes_a_lease() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let made = connected(&store, &scene).await;
        let tries: Vec<_> = (0..8)
            .map(|n| {
                let (store, ws, id) = (store.clone(), scene.ws.clone(), made.id.clone());
                tokio::spawn(async move {
                    let owner = format!("owner {n}");
                    let mut conn = begin(&store).await;
                    let taken = conn.take_refresh(&ws, &id, lease(&owner, 0)).await.unwrap();
                    conn.commit().await.unwrap();
                    taken
                })
            })
            .collect();
        let mut taken = Vec::new();
        for one in tries {
            taken.extend(one.await.unwrap());
        }
        assert_eq!(taken, [1]);
    })
    .await;
}

#[tokio::test]
async fn of_one_token_one_intent_is_open_whosever_it_is() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let ws = &scene.ws;
        let (made, twin) = (connected(&store, &scene).await, connected(&store, &scene).await);
        let (first, again) = (intent(&made, "hash"), intent(&twin, "hash"));
        let mut conn = begin(&store).await;
        conn.create_refresh_intent(ws, &first).await.unwrap();
        assert_eq!(conn.any_open_intent("hash").await.unwrap().as_ref(), Some(&first));
        assert!(conn.any_open_intent("other").await.unwrap().is_none());
        assert!(!conn.any_intent_is_under_way(&first, T0).await.unwrap());
        conn.take_refresh(ws, &made.id, lease("a", 0)).await.unwrap();
        assert!(conn.any_intent_is_under_way(&first, later(9)).await.unwrap());
        assert!(!conn.any_intent_is_under_way(&first, later(10)).await.unwrap());
        conn.commit().await.unwrap();

        let mut conn = begin(&store).await;
        conflict(conn.create_refresh_intent(ws, &again).await);
        drop(conn);
        let mut conn = begin(&store).await;
        assert!(conn.any_close_intent(&first.id, Closed::Unsent, later(1)).await.unwrap());
        assert!(!conn.any_close_intent(&first.id, Closed::Failed, later(2)).await.unwrap(), "once");
        conn.create_refresh_intent(ws, &again).await.unwrap();
        let closed = conn.refresh_intent(ws, &first.id).await.unwrap().unwrap();
        assert_eq!((closed.closed_at, closed.outcome.as_deref()), (Some(later(1)), Some("unsent")));
        assert!(conn.refresh_intent(&scene.other, &first.id).await.unwrap().is_none());
        conn.commit().await.unwrap();
    })
    .await;
}

/// A token that was spent, or may have been, is known as such to other connections that have it; one that its answer kept,
/// or that was not spent, is not.
#[tokio::test]
async fn of_a_token_it_is_known_whether_another_connection_spent_it() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let ws = &scene.ws;
        let (made, twin) = (connected(&store, &scene).await, connected(&store, &scene).await);
        let mut conn = begin(&store).await;
        let outcomes = [Closed::Renewed, Closed::Late, Closed::GivenUp];
        let unspent = [Closed::Kept, Closed::Refused, Closed::Failed, Closed::Unsent, Closed::Resent];
        for closed in outcomes.into_iter().chain(unspent) {
            let sent = intent(&made, closed.as_str());
            conn.create_refresh_intent(ws, &sent).await.unwrap();
            let by = async |conn: &mut Conn, but| {
                conn.any_spent_intent(closed.as_str(), but).await.unwrap().map(|found| found.id)
            };
            assert_eq!(by(&mut conn, None).await, None, "it is open");
            conn.any_close_intent(&sent.id, closed, later(1)).await.unwrap();
            let spent = outcomes.contains(&closed).then(|| sent.id.clone());
            assert_eq!(by(&mut conn, Some(&twin.id)).await, spent, "{closed:?}");
            assert_eq!(by(&mut conn, None).await, spent);
            assert_eq!(by(&mut conn, Some(&made.id)).await, None, "its own");
        }
        let kept = intent(&made, "kept late");
        conn.create_refresh_intent(ws, &kept).await.unwrap();
        conn.any_doubt_intent(&kept.id, "slow", later(1)).await.unwrap();
        conn.answer_intent(ws, &kept.id, Closed::Kept, later(2)).await.unwrap();
        let found = conn.refresh_intent(ws, &kept.id).await.unwrap().unwrap();
        assert_eq!((found.outcome.as_deref(), found.closed_at), (Some("kept"), Some(later(2))));
    })
    .await;
}

/// Whoever has the row first is through before anybody else touches what hangs on it, also under a number that is old.
#[tokio::test]
async fn a_refresh_is_locked_whoever_has_its_lease() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let (ws, made) = (&scene.ws, connected(&store, &scene).await);
        let mut conn = begin(&store).await;
        assert!(!conn.lock_refresh(ws, &made.id).await.unwrap(), "it was never refreshed");
        conn.take_refresh(ws, &made.id, lease("a", 0)).await.unwrap();
        assert!(!conn.lock_refresh(&scene.other, &made.id).await.unwrap());
        conn.commit().await.unwrap();

        let mut late = begin(&store).await;
        assert!(!late.end_refresh(ws, &made.id, 0).await.unwrap());
        assert!(late.lock_refresh(ws, &made.id).await.unwrap());
        let other = async {
            let mut conn = begin(&store).await;
            conn.forget_refreshes(ws, &made.id, later(1)).await.unwrap();
            conn.commit().await.unwrap();
        };
        let mut other = Box::pin(other);
        let waited = tokio::time::timeout(std::time::Duration::from_millis(100), &mut other).await;
        assert!(waited.is_err(), "it waits");
        late.commit().await.unwrap();
        other.await;
        let mut conn = begin(&store).await;
        let state = conn.refresh_state(ws, &made.id).await.unwrap().unwrap();
        assert_eq!((state.owner.as_deref(), state.fence), (Some("a"), 1), "nothing is changed");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_known_is_listed_until_it_is_found_out() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let (ws, made) = (&scene.ws, connected(&store, &scene).await);
        let all = Page { offset: 0, limit: 10 };
        let [one, two, three] = ["1", "2", "3"].map(|hash| intent(&made, hash));
        let mut conn = begin(&store).await;
        for intent in [&one, &two, &three] {
            conn.create_refresh_intent(ws, intent).await.unwrap();
        }
        assert_eq!(conn.any_count_unknown_refreshes().await.unwrap(), 0);
        assert_eq!(conn.unknown_since(ws, &made.id).await.unwrap(), None);
        conn.any_doubt_intent(&one.id, "slow", later(1)).await.unwrap();
        conn.any_doubt_intent(&one.id, "once only", later(9)).await.unwrap();
        conn.any_doubt_intent(&two.id, "gone", later(2)).await.unwrap();
        let listed = conn.unknown_refreshes(ws, &all).await.unwrap();
        assert_eq!(listed, conn.any_unknown_refreshes(&all).await.unwrap());
        let ids: Vec<_> = listed.iter().map(|one| &one.id).collect();
        assert_eq!(ids, [&two.id, &one.id], "the latest first");
        assert_eq!((listed[1].unknown_at, listed[1].unknown_why.as_deref()), (Some(later(1)), Some("slow")));
        assert!(conn.unknown_refreshes(&scene.other, &all).await.unwrap().is_empty());
        assert_eq!(conn.any_count_unknown_refreshes().await.unwrap(), 2);
        assert_eq!(conn.unknown_since(ws, &made.id).await.unwrap(), Some(later(1)));
        let after = async |conn: &mut Conn, hash, fence| {
            conn.unknown_after(ws, &made.id, hash, fence).await.unwrap().map(|found| found.id)
        };
        assert_eq!(after(&mut conn, "2", two.fence - 1).await, Some(two.id.clone()));
        assert_eq!(after(&mut conn, "2", two.fence).await, None, "only what was sent later");
        assert_eq!(after(&mut conn, "3", 0).await, None, "of that nothing is unknown");

        conn.answer_intent(ws, &one.id, Closed::Renewed, later(3)).await.unwrap();
        conn.answer_intent(ws, &three.id, Closed::Renewed, later(3)).await.unwrap();
        let outcome = async |conn: &mut Conn, of: &Intent| {
            conn.refresh_intent(ws, &of.id).await.unwrap().unwrap().outcome
        };
        assert_eq!(outcome(&mut conn, &one).await.as_deref(), Some("late"));
        assert_eq!(outcome(&mut conn, &three).await.as_deref(), Some("renewed"));
        conn.any_close_intent(&two.id, Closed::Resent, later(3)).await.unwrap();
        conn.reopen_intent(ws, &two.id).await.unwrap();
        assert_eq!(outcome(&mut conn, &two).await, None);
        conn.give_up_intents(ws, &made.id, 1, later(4)).await.unwrap();
        assert_eq!(outcome(&mut conn, &two).await, None, "it is of that version");
        conn.give_up_intents(ws, &made.id, 2, later(4)).await.unwrap();
        assert_eq!(outcome(&mut conn, &two).await.as_deref(), Some("given_up"));
        conn.correct_intent(ws, &two.id, Closed::Failed).await.unwrap();
        assert_eq!(outcome(&mut conn, &two).await.as_deref(), Some("failed"));
        assert_eq!(conn.any_refreshes_ever_unknown(&all).await.unwrap().len(), 2);
        assert_eq!(conn.any_count_unknown_refreshes().await.unwrap(), 0);

        assert_eq!(conn.any_purge_refresh_intents(later(4), 10).await.unwrap(), 2);
        assert_eq!(conn.any_purge_refresh_intents(later(5), 10).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_authorized_anew_begins_anew() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let (ws, made) = (&scene.ws, connected(&store, &scene).await);
        let (unknown, under_way) = (intent(&made, "1"), intent(&made, "2"));
        let mut conn = begin(&store).await;
        conn.take_refresh(ws, &made.id, lease("a", 0)).await.unwrap();
        let rest = Rest { until: later(7), fault: ProviderFault::Refused, failure: "no" };
        conn.rest_refresh(ws, &made.id, 1, rest).await.unwrap();
        conn.create_refresh_intent(ws, &unknown).await.unwrap();
        conn.create_refresh_intent(ws, &under_way).await.unwrap();
        conn.any_doubt_intent(&unknown.id, "slow", later(1)).await.unwrap();
        conn.forget_refreshes(ws, &made.id, later(2)).await.unwrap();
        let state = conn.refresh_state(ws, &made.id).await.unwrap().unwrap();
        assert_eq!((state.failures, state.retry_at, state.fault, state.fence), (0, None, None, 1));
        let closed = conn.refresh_intent(ws, &unknown.id).await.unwrap().unwrap();
        assert_eq!((closed.closed_at, closed.outcome.as_deref()), (Some(later(2)), Some("given_up")));
        assert!(conn.refresh_intent(ws, &under_way.id).await.unwrap().unwrap().closed_at.is_none());
    })
    .await;
}

#[tokio::test]
async fn the_credential_before_is_kept_until_the_new_one_works_or_its_time_is_over() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let (ws, made) = (&scene.ws, connected(&store, &scene).await);
        let newer = |version, until| Credential {
            previous: Some(sealed("v1.k.before")),
            previous_until: Some(until),
            fence: 3,
            parent_hash: Some("parent".to_owned()),
            lifetime: Some(60),
            ..credential(&made, version)
        };
        let mut conn = begin(&store).await;
        assert!(conn.replace_credential(ws, &newer(2, later(5)), 1).await.unwrap());
        let kept = conn.credential(ws, &made.id).await.unwrap().unwrap();
        assert_eq!(kept.previous, Some(sealed("v1.k.before")));
        assert_eq!((kept.fence, kept.parent_hash.as_deref(), kept.lifetime), (3, Some("parent"), Some(60)));
        assert!(!conn.credential_worked(ws, &made.id, 1, later(1)).await.unwrap(), "another version");
        assert!(!conn.credential_worked(&scene.other, &made.id, 2, later(1)).await.unwrap());
        assert!(conn.credential_worked(ws, &made.id, 2, later(1)).await.unwrap());
        assert!(!conn.credential_worked(ws, &made.id, 2, later(2)).await.unwrap(), "once");
        let kept = conn.credential(ws, &made.id).await.unwrap().unwrap();
        assert_eq!((kept.previous, kept.previous_until, kept.worked_at), (None, None, Some(later(1))));

        assert!(conn.replace_credential(ws, &newer(3, later(5)), 2).await.unwrap());
        assert_eq!(conn.credential(ws, &made.id).await.unwrap().unwrap().worked_at, None);
        assert_eq!(conn.any_erase_previous_credentials(later(4), 10).await.unwrap(), 0);
        assert_eq!(conn.any_erase_previous_credentials(later(5), 10).await.unwrap(), 1);
        assert_eq!(conn.credential(ws, &made.id).await.unwrap().unwrap().previous, None);
    })
    .await;
}

#[tokio::test]
async fn the_databases_time_is_told_within_a_unit_of_work_and_a_fixed_clock_stands() {
    on_each(async |store| {
        let mut conn = begin(&store).await;
        let fixed = crate::time::Clock::fixed(T0);
        assert_eq!(conn.time(&fixed).await.unwrap(), T0);
        let (clock, before) = (crate::time::Clock::system(), crate::time::system_now());
        clock.correct(before.plus(std::time::Duration::from_secs(600)));
        let told = conn.time(&clock).await.unwrap();
        let off = told.0.abs_diff(before.0);
        assert!(off < 5_000, "{off} ms from this machine's own time");
        assert!(clock.now().0.abs_diff(told.0) < 5_000, "the clock learnt it");
    })
    .await;
}
