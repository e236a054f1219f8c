//! Deliveries and their attempts: kept, claimed in order, recorded once.

use super::{webhooks::endpoint, *};
use crate::{
    domain::webhook::{Attempt, Delivery, Endpoint, Standing},
    id::{AttemptId, DeliveryId, EndpointId},
    store::{After, Claim, Topic},
};

pub(super) fn delivery(of: &Event, to: &Endpoint) -> Delivery {
    Delivery {
        id: DeliveryId::new(),
        workspace_id: of.workspace_id.clone(),
        event_id: of.id.clone(),
        endpoint_id: to.id.clone(),
        connection_id: of.connection_id.clone(),
        nth: 0,
        attempts: 0,
        next_at: Some(of.created_at),
        delivered_at: None,
        created_at: of.created_at,
    }
}

pub(super) fn attempt(of: &DeliveryId, status: Option<i64>) -> Attempt {
    Attempt {
        id: AttemptId::new(),
        delivery_id: of.clone(),
        number: 0,
        status,
        error: status.is_none().then(|| "refused".to_owned()),
        answer: status.map(|_| "thanks".to_owned()),
        duration_ms: 12,
        at: later(3),
    }
}

/// An event at `at` about a connection, with a delivery to an endpoint, written.
pub(super) async fn told(conn: &mut Conn, of: &Connection, to: &Endpoint, at: Millis) -> Delivery {
    let event = Event { created_at: at, ..event(of, EventKind::ConnectionUpdated) };
    let made = delivery(&event, to);
    conn.create_event(&of.workspace_id, &event).await.unwrap();
    conn.create_delivery(&of.workspace_id, &made).await.unwrap();
    made
}

/// Claims as a process would at a moment; gives the deliveries' ids in the order of claiming.
pub(super) async fn claim(
    store: &Store,
    to: &EndpointId,
    limit: i64,
    lease: &str,
    at: Millis,
) -> Vec<DeliveryId> {
    let mut conn = store.begin(Actor::System, at).await.unwrap();
    let claim = Claim { endpoint: to, limit, lease, until: at.plus(std::time::Duration::from_secs(60)) };
    let claimed = conn.any_claim_deliveries(&claim).await.unwrap();
    conn.commit().await.unwrap();
    let mut ids: Vec<_> = claimed.into_iter().map(|(_, id)| id).collect();
    ids.sort();
    ids
}

pub(super) async fn settle(
    store: &Store,
    ws: &WorkspaceId,
    id: &DeliveryId,
    lease: &str,
    after: After,
) -> bool {
    let mut conn = store.begin(Actor::System, later(9)).await.unwrap();
    let mine = conn.settle_delivery(ws, id, lease, after).await.unwrap();
    conn.commit().await.unwrap();
    mine
}

#[tokio::test]
async fn deliveries_go_with_their_event_and_endpoint() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let to = endpoint(&ws, &EventKind::ALL);
        let event = event(&connection(&ws, &integration.id, None), EventKind::ConnectionCreated);
        let made = delivery(&event, &to);
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        conn.create_event(&ws, &event).await.unwrap();
        conn.create_delivery(&ws, &made).await.unwrap();
        conn.commit().await.unwrap();
        let foreign = Delivery { id: DeliveryId::new(), ..made.clone() };
        // Not a conflict: whoever has tokens to keep tries again after a failure of ours, and after no other.
        let refused = begin(&store).await.create_delivery(&other, &foreign).await;
        assert!(matches!(refused, Err(Error::Internal(_))), "{refused:?}");

        let mut conn = begin(&store).await;
        let found = conn.deliveries(&ws, &event.id).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].id, &found[0].endpoint_id), (&made.id, &to.id));
        assert_eq!((&found[0].connection_id, found[0].nth), (&event.connection_id, 1));
        assert_eq!((found[0].attempts, found[0].next_at, found[0].delivered_at), (0, Some(T0), None));
        assert!(conn.deliveries(&other, &event.id).await.unwrap().is_empty());
        conn.delete_endpoint(&ws, &to.id).await.unwrap();
        assert!(conn.deliveries(&ws, &event.id).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_s_deliveries_are_listed_newest_first_as_they_stand() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (to, elsewhere) = (endpoint(&ws, &EventKind::ALL), endpoint(&ws, &EventKind::ALL));
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        conn.create_endpoint(&ws, &elsewhere).await.unwrap();
        let mut made = Vec::new();
        for at in 0..3 {
            let of = connection(&ws, &integration.id, None);
            made.push(told(&mut conn, &of, &to, later(at)).await.id);
        }
        conn.commit().await.unwrap();
        claim(&store, &to.id, 2, "lease", later(2)).await;
        assert!(settle(&store, &ws, &made[0], "lease", After::Delivered).await);
        assert!(settle(&store, &ws, &made[1], "lease", After::GivenUp).await);

        let mut conn = begin(&store).await;
        for (standing, expected) in [
            (None, vec![&made[2], &made[1], &made[0]]),
            (Some(Standing::Delivered), vec![&made[0]]),
            (Some(Standing::Failed), vec![&made[1]]),
            (Some(Standing::Pending), vec![&made[2]]),
        ] {
            let found = conn.deliveries_of(&ws, &to.id, standing, &ALL).await.unwrap();
            assert_eq!(found.iter().map(|d| &d.delivery.id).collect::<Vec<_>>(), expected, "{standing:?}");
            for one in &found {
                assert_eq!(one.kind, EventKind::ConnectionUpdated);
                assert!(standing.is_none_or(|wanted| Standing::of(&one.delivery) == wanted));
            }
        }
        let page = Page { offset: 1, limit: 1 };
        assert_eq!(conn.deliveries_of(&ws, &to.id, None, &page).await.unwrap()[0].delivery.id, made[1]);
        assert!(conn.deliveries_of(&other, &to.id, None, &ALL).await.unwrap().is_empty());
        assert!(conn.deliveries_of(&ws, &elsewhere.id, None, &ALL).await.unwrap().is_empty());
        let one = conn.delivery(&ws, &to.id, &made[0]).await.unwrap().unwrap();
        assert_eq!((one.delivery.attempts, one.delivery.delivered_at), (1, Some(later(9))));
        for (ws, to) in [(&other, &to), (&ws, &elsewhere)] {
            assert!(conn.delivery(ws, &to.id, &made[0]).await.unwrap().is_none());
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_head_of_each_line_is_claimed() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let (to, twin) = (endpoint(&ws, &EventKind::ALL), endpoint(&ws, &EventKind::ALL));
        let (one, two) = (connection(&ws, &integration.id, None), connection(&ws, &integration.id, None));
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        conn.create_endpoint(&ws, &twin).await.unwrap();
        let first = told(&mut conn, &one, &to, T0).await.id;
        let second = told(&mut conn, &one, &to, T0).await.id;
        let apart = told(&mut conn, &two, &to, later(1)).await.id;
        let at_twin = told(&mut conn, &one, &twin, T0).await.id;
        let future = told(&mut conn, &connection(&ws, &integration.id, None), &to, later(500)).await.id;
        conn.commit().await.unwrap();

        let waiting = async |at| {
            let found = read(&store).await.any_waiting_endpoints(at).await.unwrap();
            found
                .into_iter()
                .map(|(of, id)| {
                    assert_eq!(of, ws);
                    id
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(waiting(later(1)).await, [to.id.clone(), twin.id.clone()]);
        assert!(waiting(T0.minus(std::time::Duration::from_millis(1))).await.is_empty());
        assert_eq!(
            claim(&store, &to.id, 1, "a", later(1)).await,
            std::slice::from_ref(&first),
            "longest due first"
        );
        assert_eq!(claim(&store, &to.id, 8, "b", later(1)).await, std::slice::from_ref(&apart));
        assert!(claim(&store, &to.id, 8, "c", later(1)).await.is_empty(), "nothing is claimed twice");
        assert_eq!(
            claim(&store, &twin.id, 8, "d", later(1)).await,
            [at_twin],
            "another endpoint is another line"
        );
        assert!(waiting(later(1)).await.is_empty());

        // It failed: what is behind it waits until it is through.
        assert!(settle(&store, &ws, &first, "a", After::Again(later(50))).await);
        assert!(claim(&store, &to.id, 8, "e", later(49)).await.is_empty());
        assert!(waiting(later(49)).await.is_empty(), "who only has something behind it does not wait");
        assert_eq!(claim(&store, &to.id, 8, "f", later(50)).await, std::slice::from_ref(&first));
        assert!(settle(&store, &ws, &first, "f", After::GivenUp).await);
        assert_eq!(claim(&store, &to.id, 8, "g", later(50)).await, [second]);
        assert!(claim(&store, &to.id, 8, "h", later(55)).await.is_empty());
        assert_eq!(claim(&store, &to.id, 8, "i", later(500)).await.last(), Some(&future));
    })
    .await;
}

#[tokio::test]
async fn a_disabled_endpoint_gets_nothing_until_it_is_enabled() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let to = endpoint(&ws, &EventKind::ALL);
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        let made = told(&mut conn, &connection(&ws, &integration.id, None), &to, T0).await.id;
        let asleep = Endpoint { disabled_at: Some(T0), ..to.clone() };
        conn.update_endpoint(&ws, &asleep).await.unwrap();
        conn.commit().await.unwrap();
        assert!(read(&store).await.any_waiting_endpoints(later(1)).await.unwrap().is_empty());
        assert!(claim(&store, &to.id, 8, "a", later(1)).await.is_empty());

        let mut conn = begin(&store).await;
        conn.update_endpoint(&ws, &to).await.unwrap();
        conn.commit().await.unwrap();
        assert_eq!(claim(&store, &to.id, 8, "b", later(1)).await, std::slice::from_ref(&made));
        let mut conn = begin(&store).await;
        assert!(conn.errand(&ws, &made, "b").await.unwrap().is_some());
        conn.update_endpoint(&ws, &asleep).await.unwrap();
        assert!(conn.errand(&ws, &made, "b").await.unwrap().is_none(), "disabled since it was claimed");
    })
    .await;
}

#[tokio::test]
async fn a_lost_lease_changes_nothing_and_the_attempt_is_kept() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let to = endpoint(&ws, &EventKind::ALL);
        let of = connection(&ws, &integration.id, None);
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        let made = told(&mut conn, &of, &to, T0).await.id;
        conn.commit().await.unwrap();

        assert_eq!(claim(&store, &to.id, 8, "slow", T0).await, std::slice::from_ref(&made));
        assert!(claim(&store, &to.id, 8, "next", later(59)).await.is_empty(), "the lease holds");
        assert_eq!(
            claim(&store, &to.id, 8, "next", later(60)).await,
            std::slice::from_ref(&made),
            "the lease is over"
        );
        let mut conn = begin(&store).await;
        assert!(conn.errand(&ws, &made, "slow").await.unwrap().is_none());
        assert!(conn.errand(&other, &made, "next").await.unwrap().is_none());
        let errand = conn.errand(&ws, &made, "next").await.unwrap().unwrap();
        assert_eq!(
            (&errand.delivery.id, &errand.event.connection_id, &errand.endpoint.id),
            (&made, &of.id, &to.id)
        );
        assert_eq!(conn.attempts_made(&ws, &made, "slow").await.unwrap(), None);
        assert_eq!(conn.attempts_made(&other, &made, "next").await.unwrap(), None);
        assert_eq!(conn.attempts_made(&ws, &made, "next").await.unwrap(), Some(0));
        drop(conn);
        assert!(!settle(&store, &ws, &made, "slow", After::Delivered).await);
        assert!(!settle(&store, &other, &made, "next", After::Delivered).await);
        assert!(settle(&store, &ws, &made, "next", After::Again(later(70))).await);

        let mut conn = begin(&store).await;
        let (late, mine) = (attempt(&made, Some(200)), attempt(&made, None));
        assert!(conn.add_attempt(&ws, &mine).await.unwrap());
        assert!(conn.add_attempt(&ws, &late).await.unwrap());
        assert!(!conn.add_attempt(&other, &attempt(&made, None)).await.unwrap());
        let kept = conn.attempts(&ws, &made).await.unwrap();
        assert_eq!(kept, [Attempt { number: 1, ..mine }, Attempt { number: 2, ..late }]);
        assert!(conn.attempts(&other, &made).await.unwrap().is_empty());
        let found = conn.delivery(&ws, &to.id, &made).await.unwrap().unwrap().delivery;
        assert_eq!((found.attempts, found.next_at, found.delivered_at), (1, Some(later(70)), None));
        conn.delete_endpoint(&ws, &to.id).await.unwrap();
        assert!(
            !conn.add_attempt(&ws, &attempt(&made, Some(200))).await.unwrap(),
            "what is gone takes no attempt"
        );
        assert!(conn.attempts(&ws, &made).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_delivery_is_put_back_in_line() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (to, twin) = (endpoint(&ws, &EventKind::ALL), endpoint(&ws, &EventKind::ALL));
        let of = connection(&ws, &integration.id, None);
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        conn.create_endpoint(&ws, &twin).await.unwrap();
        let made = told(&mut conn, &of, &to, T0).await.id;
        conn.commit().await.unwrap();
        claim(&store, &to.id, 8, "a", T0).await;

        let requeue = async |ws: &WorkspaceId, to: &EndpointId, at| {
            let mut conn = store.begin(Actor::Cli, at).await.unwrap();
            let done = conn.requeue_delivery(ws, to, &made).await.unwrap();
            conn.commit().await.unwrap();
            done
        };
        let state = async || {
            let found = read(&store).await.delivery(&ws, &to.id, &made).await.unwrap().unwrap().delivery;
            (found.attempts, found.next_at, found.delivered_at)
        };
        assert!(requeue(&ws, &to.id, later(1)).await);
        assert_eq!(state().await, (0, Some(later(60)), None), "it is being sent: the lease stays");
        assert!(settle(&store, &ws, &made, "a", After::Delivered).await);
        assert_eq!(state().await, (1, None, Some(later(9))));
        assert!(!requeue(&other, &to.id, later(20)).await);
        assert!(!requeue(&ws, &twin.id, later(20)).await);
        let seen = read(&store).await.any_last_change().await.unwrap();
        assert!(requeue(&ws, &to.id, later(20)).await);
        assert_eq!(state().await, (0, Some(later(20)), None));
        let expected = format!("webhook_delivery.redeliver {made}");
        assert_eq!(audited(&store, &ws).await.last(), Some(&expected));
        let told = read(&store).await.any_changes_after(seen).await.unwrap();
        assert!(told.iter().all(|change| change.topic == Topic::Endpoint));
        // Whoever died with it in hand holds a lease that is over.
        claim(&store, &to.id, 8, "b", later(20)).await;
        assert!(requeue(&ws, &to.id, later(90)).await);
        assert_eq!(state().await, (0, Some(later(90)), None));
        assert!(!settle(&store, &ws, &made, "b", After::Delivered).await);
    })
    .await;
}

#[tokio::test]
async fn who_claims_at_once_claims_apart() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let to = endpoint(&ws, &EventKind::ALL);
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        for _ in 0..20 {
            let of = connection(&ws, &integration.id, None);
            told(&mut conn, &of, &to, T0).await;
            told(&mut conn, &of, &to, T0).await;
        }
        conn.commit().await.unwrap();
        let claims = (0..6).map(|n| {
            let (store, to) = (store.clone(), to.id.clone());
            tokio::spawn(async move { claim(&store, &to, 8, &format!("lease-{n}"), later(1)).await })
        });
        let mut all = Vec::new();
        for one in claims.collect::<Vec<_>>() {
            all.extend(one.await.unwrap());
        }
        // Who lost a race for rows got fewer, or none, and asks again.
        all.extend(claim(&store, &to.id, 40, "rest", later(1)).await);
        let apart: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), apart.len()), (20, 20), "each head once, and nothing behind a head");
    })
    .await;
}

#[tokio::test]
async fn a_commit_with_deliveries_wakes_and_another_does_not() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let woken = async || {
            let none = std::time::Duration::ZERO;
            tokio::time::timeout(none, store.deliverable()).await.is_ok()
        };
        let to = endpoint(&ws, &EventKind::ALL);
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        conn.commit().await.unwrap();
        assert!(!woken().await);
        let of = connection(&ws, &integration.id, None);
        let mut conn = begin(&store).await;
        told(&mut conn, &of, &to, T0).await;
        drop(conn);
        assert!(!woken().await, "it was rolled back");
        let mut conn = begin(&store).await;
        told(&mut conn, &of, &to, T0).await;
        conn.commit().await.unwrap();
        assert!(woken().await);
        assert!(!woken().await, "once");
    })
    .await;
}
