//! Health: what is known of a connection's life, and of which deaths its owner is told.

use super::*;
use crate::{
    domain::{
        health::{Expiring, Health},
        refresh::Rest,
    },
    error::ProviderFault,
    store::{Kind, Lease, health::OF_SOME},
};

/// A connection whose refresh token dies at that time.
async fn dying(conn: &mut Conn, ws: &WorkspaceId, of: &IntegrationId, at: Option<Millis>) -> ConnectionId {
    let made = connection(ws, of, Some("alice"));
    conn.create_connection(ws, &made).await.unwrap();
    let kept = Credential { refresh_expires_at: at, ..credential(&made, 1) };
    conn.create_credential(ws, &kept).await.unwrap();
    made.id
}

/// Days after the beginning.
fn day(days: u64) -> Millis {
    later(days * 86_400)
}

async fn expiring(conn: &mut Conn, now: Millis) -> Vec<(ConnectionId, Millis)> {
    let found = conn.any_expiring(now, 100).await.unwrap();
    found.into_iter().map(|it| (it.connection_id, it.dies_at)).collect()
}

#[tokio::test]
async fn what_is_noted_is_shown_to_its_own_workspace() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let id = dying(&mut conn, &ws, &integration.id, Some(day(90))).await;
        let bare = Health {
            obtained_at: Some(T0),
            expires_at: Some(later(600)),
            refresh_expires_at: Some(day(90)),
            ..Health::default()
        };
        assert_eq!(conn.health(&ws, &id).await.unwrap(), bare);
        assert_eq!(conn.health(&other, &id).await.unwrap(), Health::default());
        conn.note_used(&other, &id, later(5)).await.unwrap();
        conn.note_used(&ws, &id, later(9)).await.unwrap();
        conn.note_used(&ws, &id, later(7)).await.unwrap();
        conn.note_grant(&ws, &id, Some(5), Some("another account")).await.unwrap();
        assert!(missing(conn.note_grant(&other, &id, None, None).await));
        let noted =
            Health { last_used_at: Some(later(9)), account_note: Some("another account".to_owned()), ..bare };
        assert_eq!(conn.health(&ws, &id).await.unwrap(), noted);
    })
    .await;
}

#[tokio::test]
async fn a_list_says_of_each_what_is_said_of_it_alone() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let mut ids = Vec::new();
        // More than one statement asks for, each unlike the others; of every third one nothing is known.
        for nth in 0..105_u64 {
            let made = connection(&ws, &integration.id, Some(&format!("owner {nth}")));
            conn.create_connection(&ws, &made).await.unwrap();
            if nth % 3 > 0 {
                let kept = Credential { obtained_at: later(nth), ..credential(&made, 1) };
                conn.create_credential(&ws, &kept).await.unwrap();
                conn.note_grant(&ws, &made.id, None, Some(&format!("note {nth}"))).await.unwrap();
                conn.note_used(&ws, &made.id, later(nth)).await.unwrap();
            }
            ids.push(made.id);
        }
        let lease = Lease { owner: "a", now: T0, until: later(10) };
        let fence = conn.take_refresh(&ws, &ids[1], lease).await.unwrap().unwrap();
        let rest = Rest { until: later(60), fault: ProviderFault::TimedOut, failure: "slow" };
        assert!(conn.rest_refresh(&ws, &ids[1], fence, rest).await.unwrap());
        let gone = ConnectionId::new();
        let asked: Vec<_> = ids.iter().chain([&gone]).collect();
        let healths = conn.healths(&ws, &asked).await.unwrap();
        assert_eq!(healths.len(), ids.len());
        for (nth, id) in (0..).zip(&ids) {
            let known = nth % 3 > 0;
            let expected = Health {
                last_used_at: known.then(|| later(nth)),
                obtained_at: known.then(|| later(nth)),
                expires_at: known.then(|| later(600)),
                account_note: known.then(|| format!("note {nth}")),
                failures: i64::from(nth == 1),
                retry_at: (nth == 1).then(|| later(60)),
                failure: (nth == 1).then(|| "slow".to_owned()),
                ..Health::default()
            };
            assert_eq!(healths[id], expected, "{nth}");
            if nth < 3 {
                assert_eq!(conn.health(&ws, id).await.unwrap(), expected);
            }
        }
        assert!(conn.healths(&other, &asked).await.unwrap().is_empty());
        assert!(conn.healths(&ws, &[]).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_list_s_health_is_found_by_index() {
    on_each(async |store| {
        let texts = [vec![Some("w"), Some("c")], vec![None; 99]].concat();
        let plan = super::connections::explain(&store, OF_SOME, &texts, &[]).await;
        let whole = if store.kind() == Kind::Sqlite { "SCAN " } else { "Seq Scan" };
        assert!(!plan.contains(whole), "{plan}");
    })
    .await;
}

#[tokio::test]
async fn an_owner_is_told_of_a_death_a_week_ahead_and_once() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let id = dying(&mut conn, &ws, &integration.id, Some(day(90))).await;
        dying(&mut conn, &ws, &integration.id, None).await;
        assert_eq!(expiring(&mut conn, day(83).minus(std::time::Duration::from_millis(1))).await, []);
        assert_eq!(expiring(&mut conn, day(83)).await, [(id.clone(), day(90))]);
        assert_eq!(expiring(&mut conn, day(90)).await, [], "it is dead");
        let one = Expiring { workspace_id: ws.clone(), connection_id: id.clone(), dies_at: day(90) };
        assert!(!conn.note_expiring(&other, &one).await.unwrap());
        let moved = Expiring { dies_at: day(91), ..one.clone() };
        assert!(!conn.note_expiring(&ws, &moved).await.unwrap(), "that is not when it dies");
        assert!(conn.note_expiring(&ws, &one).await.unwrap());
        assert!(!conn.note_expiring(&ws, &one).await.unwrap(), "told already");
        assert_eq!(expiring(&mut conn, day(84)).await, []);

        // A refresh says the same death a second later, and it is the same; another consent puts it off.
        let held = conn.credential(&ws, &id).await.unwrap().unwrap();
        let dies_at = day(90).plus(std::time::Duration::from_secs(1));
        conn.note_grant(&ws, &id, Some(day(90).0 - T0.0), None).await.unwrap();
        let next = Credential { version: 2, refresh_expires_at: Some(dies_at), obtained_at: day(84), ..held };
        assert!(conn.replace_credential(&ws, &next, 1).await.unwrap());
        assert_eq!(expiring(&mut conn, day(84)).await, []);
        let next = Credential { version: 3, refresh_expires_at: Some(day(174)), ..next };
        assert!(conn.replace_credential(&ws, &next, 2).await.unwrap());
        assert_eq!(expiring(&mut conn, day(166)).await, []);
        assert_eq!(expiring(&mut conn, day(167)).await, [(id.clone(), day(174))]);
        conn.set_connection_status(&ws, &id, Status::NeedsReauth, None, T0).await.unwrap();
        assert_eq!(expiring(&mut conn, day(167)).await, [], "its owner was told worse");
        assert!(!conn.note_expiring(&ws, &Expiring { dies_at: day(174), ..one }).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_short_life_is_told_in_its_last_quarter_and_one_that_refreshes_put_off_is_not() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let id = dying(&mut conn, &ws, &integration.id, Some(day(4))).await;
        conn.note_grant(&ws, &id, Some(4 * 86_400_000), None).await.unwrap();
        assert_eq!(expiring(&mut conn, later(3 * 86_400 - 1)).await, []);
        assert_eq!(expiring(&mut conn, day(3)).await, [(id.clone(), day(4))]);
        // Refreshed with a life that is fixed: what is left is shorter each time, its death the same.
        let held = conn.credential(&ws, &id).await.unwrap().unwrap();
        let next = Credential { version: 2, obtained_at: day(3), ..held };
        assert!(conn.replace_credential(&ws, &next, 1).await.unwrap());
        assert_eq!(expiring(&mut conn, day(3)).await, [(id.clone(), day(4))]);
        // Refreshed with a life that begins anew.
        let next = Credential { version: 3, refresh_expires_at: Some(day(7)), ..next };
        assert!(conn.replace_credential(&ws, &next, 2).await.unwrap());
        assert_eq!(expiring(&mut conn, day(3)).await, []);
    })
    .await;
}
