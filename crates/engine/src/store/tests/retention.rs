//! What goes when its time is over, and what stays.

use std::collections::BTreeSet;

use super::*;
use crate::{
    id::{DeliveryId, EndpointId},
    store::{EventMark, EventPart, EventWindow, statement::sql},
};

/// An endpoint, disabled or not.
async fn endpoint(conn: &mut Conn, ws: &WorkspaceId, disabled_at: Option<Millis>) -> String {
    let id = EndpointId::new();
    let insert = sql(
        "insert into webhook_endpoint (id, workspace_id, name, url, events, secret, disabled_at, \
                      created_at, updated_at) values ($1, $2, 'e', 'https://e.example', '[]', 's', $3, 0, 0)",
    );
    conn.execute(insert.text(id.as_str()).text(ws.as_str()).maybe_at(disabled_at)).await.unwrap();
    id.as_str().to_owned()
}

/// An event made `at`, with one delivery per endpoint, still to be made or not, and two attempts of each.
async fn told(
    conn: &mut Conn,
    of: &Connection,
    at: Millis,
    deliveries: &[(&str, Option<Millis>)],
) -> EventId {
    let event = Event { created_at: at, ..event(of, EventKind::ConnectionCreated) };
    let ws = of.workspace_id.as_str();
    conn.create_event(&of.workspace_id, &event).await.unwrap();
    for (endpoint, next_at) in deliveries {
        let id = DeliveryId::new();
        let insert = sql(
            "insert into delivery (id, workspace_id, event_id, endpoint_id, attempts, next_at, created_at) \
                 values ($1, $2, $3, $4, 2, $5, $6)",
        );
        let insert = insert.text(id.as_str()).text(ws).text(event.id.as_str()).text(endpoint);
        conn.execute(insert.maybe_at(*next_at).at(at)).await.unwrap();
        for number in 1..=2 {
            let insert =
                sql("insert into delivery_attempt (id, workspace_id, delivery_id, number, duration_ms, at) \
                              values ($1, $2, $3, $4, 1, $5)");
            let insert = insert.text(crate::id::AttemptId::new().as_str()).text(ws).text(id.as_str());
            conn.execute(insert.int(number).at(at)).await.unwrap();
        }
    }
    event.id
}

/// Everything up to `before`, with `disabled_before` for what waits for disabled endpoints.
async fn window(conn: &mut Conn, before: Millis, disabled_before: Millis) -> EventWindow {
    let after = EventMark::default();
    let until = conn.any_next_events(&after, before, 100).await.unwrap().unwrap();
    EventWindow { after, until, disabled_before }
}

async fn left(conn: &mut Conn, ws: &WorkspaceId) -> BTreeSet<EventId> {
    conn.events(ws, &ALL).await.unwrap().into_iter().map(|event| event.id).collect()
}

#[tokio::test]
async fn an_event_stays_while_an_enabled_endpoint_is_still_to_be_told() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let of = connection(&ws, &integration.id, None);
        let mut conn = begin(&store).await;
        let enabled = endpoint(&mut conn, &ws, None).await;
        let disabled = endpoint(&mut conn, &ws, Some(T0)).await;
        let due = Some(later(5));
        let done = told(&mut conn, &of, later(1), &[(&enabled, None), (&disabled, None)]).await;
        let bare = told(&mut conn, &of, later(2), &[]).await;
        let waiting = told(&mut conn, &of, later(1), &[(&enabled, due), (&disabled, None)]).await;
        let old_disabled = told(&mut conn, &of, later(2), &[(&disabled, due)]).await;
        let young_disabled = told(&mut conn, &of, later(3), &[(&enabled, None), (&disabled, due)]).await;
        let young = told(&mut conn, &of, later(9), &[]).await;

        let old = window(&mut conn, later(9), later(3)).await;
        let mut gone = Vec::new();
        for part in EventPart::ALL {
            gone.push(conn.any_purge_events(part, &old, 100).await.unwrap());
        }
        assert_eq!(gone, [6, 3, 3], "attempts, deliveries, events");
        let all = left(&mut conn, &ws).await;
        assert_eq!(all, BTreeSet::from([waiting.clone(), young_disabled.clone(), young.clone()]));
        assert!(!all.contains(&done) && !all.contains(&bare) && !all.contains(&old_disabled));
        assert_eq!(conn.deliveries(&ws, &waiting).await.unwrap().len(), 2, "an event stays whole");
        let attempts = conn.rows(sql("select id from delivery_attempt")).await.unwrap();
        assert_eq!(attempts.len(), 8);

        let backlog = conn.any_backlog().await.unwrap();
        assert_eq!((backlog.pending, backlog.oldest), (1, Some(later(1))), "disabled endpoints don't count");
    })
    .await;
}

#[tokio::test]
async fn events_are_walked_in_windows_and_each_batch_has_its_limit() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let of = connection(&ws, &integration.id, None);
        let mut conn = begin(&store).await;
        let to = endpoint(&mut conn, &ws, None).await;
        assert_eq!(conn.any_next_events(&EventMark::default(), later(9), 2).await.unwrap(), None);
        let mut made = Vec::new();
        // Several at the same instant: the mark must not skip one.
        for at in [1, 1, 1, 2, 3] {
            made.push(told(&mut conn, &of, later(at), &[(&to, None)]).await);
        }
        let mut after = EventMark::default();
        let mut stretches = Vec::new();
        while let Some(until) = conn.any_next_events(&after, later(3), 2).await.unwrap() {
            let window = EventWindow { after, until: until.clone(), disabled_before: T0 };
            let mut gone = Vec::new();
            for part in EventPart::ALL {
                let first = conn.any_purge_events(part, &window, 3).await.unwrap();
                let second = conn.any_purge_events(part, &window, 3).await.unwrap();
                gone.push((first, second));
            }
            stretches.push(gone);
            after = until;
        }
        let each = vec![(3, 1), (2, 0), (2, 0)];
        assert_eq!(stretches, [each.clone(), each], "two stretches of two events");
        assert_eq!(left(&mut conn, &ws).await, BTreeSet::from([made[4].clone()]), "one is too young");
    })
    .await;
}

#[tokio::test]
async fn other_tables_are_pruned_a_batch_at_a_time() {
    on_each(async |store| {
        let Scene { integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        for at in 1..=5 {
            conn.create_flow(&integration.workspace_id, &flow(&integration, later(at))).await.unwrap();
        }
        conn.commit().await.unwrap();
        let mut conn = begin(&store).await;
        let mut gone = Vec::new();
        for _ in 0..3 {
            gone.push(conn.any_purge_flows(later(5), 3).await.unwrap());
        }
        assert_eq!(gone, [3, 1, 0]);
        let changes = conn.any_last_change().await.unwrap();
        assert!(changes > 2);
        assert_eq!(conn.any_purge_changes(later(1), 2).await.unwrap(), 2);
        assert_eq!(conn.any_changes_after(0).await.unwrap()[0].seq, 3, "the oldest went first");
        assert_eq!(conn.any_purge_request_logs(later(1), 2).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn connections_are_counted_by_status() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        assert!(conn.any_connections_by_status().await.unwrap().is_empty());
        for status in [Status::Active, Status::Active, Status::NeedsReauth] {
            let one = Connection { status, ..connection(&ws, &integration.id, None) };
            conn.create_connection(&ws, &one).await.unwrap();
        }
        let mut counts = conn.any_connections_by_status().await.unwrap();
        counts.sort();
        assert_eq!(counts, [("active".to_owned(), 2), ("needs_reauth".to_owned(), 1)]);
    })
    .await;
}

/// Each row is found from the event that it belongs to, never among all of the workspace.
#[tokio::test]
async fn what_goes_with_an_event_is_found_by_the_event() {
    use sqlx::Row as _;
    on_each(async |store| {
        if store.kind() != crate::store::Kind::Sqlite {
            return;
        }
        let mut link = store.write.acquire().await.unwrap();
        for (part, finds) in [
            (EventPart::Event, &[][..]),
            (EventPart::Deliveries, &["d USING", "event_id=?"]),
            (EventPart::Attempts, &["a USING", "delivery_id=?"]),
        ] {
            let text = format!("explain query plan {}", crate::store::retention::purge(part));
            let steps = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(&mut *link).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|row| row.get(3)).collect();
            let range = "SEARCH e USING INDEX event_aging (created_at>? AND created_at<?)";
            assert!(steps.iter().any(|step| step == range), "{steps:?}");
            assert!(
                finds.is_empty() || steps.iter().any(|step| finds.iter().all(|part| step.contains(part))),
                "{steps:?}"
            );
        }
    })
    .await;
}
