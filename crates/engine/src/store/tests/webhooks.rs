//! Events and webhook endpoints.

use super::*;
use crate::{
    domain::webhook::{DisabledReason, Endpoint, Format},
    id::EndpointId,
    store::{Topic, Tried},
};

pub(super) fn endpoint(ws: &WorkspaceId, events: &[EventKind]) -> Endpoint {
    Endpoint {
        id: EndpointId::new(),
        workspace_id: ws.clone(),
        name: "ours".to_owned(),
        url: "https://app.example/hook".to_owned(),
        events: events.to_vec(),
        format: Format::Bundleup,
        secret: sealed("v1.secret"),
        previous_secret: None,
        previous_secret_until: None,
        disabled_at: None,
        disabled_reason: None,
        last_triggered_at: None,
        created_at: T0,
        updated_at: T0,
    }
}

#[tokio::test]
async fn events_are_listed_newest_first_in_their_workspace() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let of = connection(&ws, &integration.id, None);
        let older = event(&of, EventKind::ConnectionCreated);
        let newer = Event { created_at: later(1), ..event(&of, EventKind::ConnectionExpired) };
        let mut conn = begin(&store).await;
        conn.create_event(&ws, &newer).await.unwrap();
        conn.create_event(&ws, &older).await.unwrap();
        let found = conn.events(&ws, &ALL).await.unwrap();
        assert_eq!(found.iter().map(|e| &e.id).collect::<Vec<_>>(), [&newer.id, &older.id]);
        assert_eq!((found[1].kind, &found[1].connection_id), (EventKind::ConnectionCreated, &of.id));
        assert_eq!(found[0].data.to_string(), newer.data.to_string());
        assert_eq!(conn.events(&ws, &Page { offset: 1, limit: 1 }).await.unwrap()[0].id, older.id);
        assert!(conn.events(&other, &ALL).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn endpoints_are_kept_and_chosen_by_event() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let created = endpoint(&ws, &[EventKind::ConnectionCreated]);
        let both = endpoint(&ws, &[EventKind::ConnectionCreated, EventKind::ConnectionDeleted]);
        let off = Endpoint { disabled_at: Some(T0), ..endpoint(&ws, &EventKind::ALL) };
        let mut conn = begin(&store).await;
        for one in [&created, &both, &off] {
            conn.create_endpoint(&ws, one).await.unwrap();
        }
        let chosen = conn.endpoints_for(&ws, EventKind::ConnectionDeleted).await.unwrap();
        assert_eq!(chosen.iter().map(|e| &e.id).collect::<Vec<_>>(), [&both.id]);
        assert_eq!(conn.endpoints_for(&ws, EventKind::ConnectionCreated).await.unwrap().len(), 2);
        assert!(conn.endpoints_for(&other, EventKind::ConnectionCreated).await.unwrap().is_empty());
        assert_eq!(conn.endpoints(&ws, &ALL).await.unwrap().len(), 3);
        assert!(conn.endpoints(&other, &ALL).await.unwrap().is_empty());
        assert_eq!(conn.endpoints(&ws, &Page { offset: 2, limit: 2 }).await.unwrap().len(), 1);

        assert_eq!(conn.count_endpoints(&ws).await.unwrap(), 3);
        assert_eq!(conn.count_endpoints(&other).await.unwrap(), 0);

        let moved = Endpoint {
            url: "https://new.example".to_owned(),
            format: Format::Membrane,
            secret: sealed("v1.new"),
            previous_secret: Some(sealed("v1.secret")),
            previous_secret_until: Some(later(60)),
            disabled_at: Some(later(1)),
            disabled_reason: Some(DisabledReason::Asked),
            ..created.clone()
        };
        conn.update_endpoint(&ws, &moved).await.unwrap();
        assert!(missing(conn.update_endpoint(&other, &moved).await));
        let found = conn.endpoint(&ws, &created.id).await.unwrap().unwrap();
        assert_eq!(found.format, moved.format);
        assert_eq!((found.url, found.secret, found.events), (moved.url, moved.secret, moved.events));
        assert_eq!(found.previous_secret, moved.previous_secret);
        assert_eq!(found.previous_secret_until, moved.previous_secret_until);
        assert_eq!((found.disabled_at, found.disabled_reason), (moved.disabled_at, moved.disabled_reason));
        assert!(conn.endpoint(&other, &created.id).await.unwrap().is_none());
        assert!(!conn.delete_endpoint(&other, &created.id).await.unwrap());
        assert!(conn.delete_endpoint(&ws, &created.id).await.unwrap());
        assert!(!conn.delete_endpoint(&ws, &created.id).await.unwrap());
        conn.commit().await.unwrap();
        let verbs = ["webhook_endpoint.update", "webhook_endpoint.delete"];
        let expected: Vec<_> = verbs.iter().map(|verb| format!("{verb} {}", created.id)).collect();
        assert!(audited(&store, &ws).await.ends_with(&expected));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_once_and_only_where_it_was() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let one = endpoint(&ws, &EventKind::ALL);
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &one).await.unwrap();
        conn.commit().await.unwrap();
        let seen = read(&store).await.any_last_change().await.unwrap();

        let mut conn = store.begin(Actor::System, later(5)).await.unwrap();
        let gone = DisabledReason::Gone;
        assert!(!conn.disable_endpoint(&other, &one.id, &one.url, gone).await.unwrap());
        assert!(!conn.disable_endpoint(&ws, &one.id, "https://app.example/older", gone).await.unwrap());
        let tried = Tried { url: &one.url, at: later(4), arrived: true };
        assert!(conn.note_attempt(&other, &one.id, &tried).await.unwrap().is_none());
        assert_eq!(conn.note_attempt(&ws, &one.id, &tried).await.unwrap(), Some(None));
        assert!(conn.disable_endpoint(&ws, &one.id, &one.url, gone).await.unwrap());
        assert!(!conn.disable_endpoint(&ws, &one.id, &one.url, gone).await.unwrap());
        conn.commit().await.unwrap();

        let mut conn = read(&store).await;
        let found = conn.endpoint(&ws, &one.id).await.unwrap().unwrap();
        assert_eq!(found.disabled_at, Some(later(5)));
        assert_eq!(found.disabled_reason, Some(DisabledReason::Gone));
        assert_eq!(found.last_triggered_at, Some(later(4)));
        let told = conn.any_changes_after(seen).await.unwrap();
        let told: Vec<_> = told.iter().map(|change| (change.topic, change.target.as_str())).collect();
        assert_eq!(told, [(Topic::Endpoint, one.id.as_str())]);
        let expected = format!("webhook_endpoint.disable {}", one.id);
        assert_eq!(audited(&store, &ws).await.last(), Some(&expected));
    })
    .await;
}

#[tokio::test]
async fn since_when_an_endpoint_took_nothing_is_told_by_its_attempts() {
    on_each(async |store| {
        let Scene { ws, .. } = scene(&store).await;
        let one = endpoint(&ws, &EventKind::ALL);
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &one).await.unwrap();
        let hours = |hours: u64| later(hours * 3600);
        let mut tried = async |at, arrived, url: &str| {
            conn.note_attempt(&ws, &one.id, &Tried { url, at, arrived }).await.unwrap().unwrap()
        };
        assert_eq!(tried(hours(0), true, &one.url).await, None);
        assert_eq!(tried(hours(1), false, "https://app.example/older").await, None, "that was elsewhere");
        assert_eq!(tried(hours(2), false, &one.url).await, Some(hours(2)));
        assert_eq!(tried(hours(26), false, &one.url).await, Some(hours(2)), "within a day");
        assert_eq!(tried(hours(51), false, &one.url).await, Some(hours(51)), "after a day of silence");
        assert_eq!(tried(hours(52), true, "https://app.example/older").await, None, "it is alive");
        assert_eq!(tried(hours(53), false, &one.url).await, Some(hours(53)));
        // Moved, or enabled again, it has failed at nothing yet.
        let moved = Endpoint { url: "https://new.example".to_owned(), ..one.clone() };
        conn.update_endpoint(&ws, &moved).await.unwrap();
        let again = Tried { url: &moved.url, at: hours(54), arrived: false };
        assert_eq!(conn.note_attempt(&ws, &one.id, &again).await.unwrap(), Some(Some(hours(54))));
        conn.update_endpoint(&ws, &Endpoint { name: "same place".to_owned(), ..moved.clone() })
            .await
            .unwrap();
        let later_on = Tried { at: hours(55), ..again };
        assert_eq!(conn.note_attempt(&ws, &one.id, &later_on).await.unwrap(), Some(Some(hours(54))));
        assert!(conn.disable_endpoint(&ws, &one.id, &moved.url, DisabledReason::Failing).await.unwrap());
        conn.update_endpoint(&ws, &moved).await.unwrap();
        let enabled = Tried { at: hours(56), ..again };
        assert_eq!(conn.note_attempt(&ws, &one.id, &enabled).await.unwrap(), Some(Some(hours(56))));
    })
    .await;
}
