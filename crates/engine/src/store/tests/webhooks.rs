//! Events, webhook endpoints, deliveries.

use super::*;
use crate::{
    domain::webhook::{Delivery, Endpoint},
    id::{DeliveryId, EndpointId},
};

fn endpoint(ws: &WorkspaceId, events: &[EventKind]) -> Endpoint {
    Endpoint {
        id: EndpointId::new(),
        workspace_id: ws.clone(),
        name: "ours".to_owned(),
        url: "https://app.example/hook".to_owned(),
        events: events.to_vec(),
        secret: sealed("v1.secret"),
        disabled_at: None,
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

        let moved =
            Endpoint { url: "https://new.example".to_owned(), secret: sealed("v1.new"), ..created.clone() };
        conn.update_endpoint(&ws, &moved).await.unwrap();
        assert!(missing(conn.update_endpoint(&other, &moved).await));
        let found = conn.endpoint(&ws, &created.id).await.unwrap().unwrap();
        assert_eq!((found.url, found.secret, found.events), (moved.url, moved.secret, moved.events));
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
async fn deliveries_go_with_their_event_and_endpoint() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let to = endpoint(&ws, &EventKind::ALL);
        let told = event(&connection(&ws, &integration.id, None), EventKind::ConnectionCreated);
        let delivery = Delivery {
            id: DeliveryId::new(),
            workspace_id: ws.clone(),
            event_id: told.id.clone(),
            endpoint_id: to.id.clone(),
            attempts: 0,
            next_at: Some(T0),
            delivered_at: None,
            created_at: T0,
        };
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &to).await.unwrap();
        conn.create_event(&ws, &told).await.unwrap();
        conn.create_delivery(&ws, &delivery).await.unwrap();
        conn.commit().await.unwrap();
        let foreign = Delivery { id: DeliveryId::new(), ..delivery.clone() };
        conflict(begin(&store).await.create_delivery(&other, &foreign).await);

        let mut conn = begin(&store).await;
        let found = conn.deliveries(&ws, &told.id).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].id, &found[0].endpoint_id), (&delivery.id, &to.id));
        assert_eq!((found[0].attempts, found[0].next_at, found[0].delivered_at), (0, Some(T0), None));
        assert!(conn.deliveries(&other, &told.id).await.unwrap().is_empty());
        conn.delete_endpoint(&ws, &to.id).await.unwrap();
        assert!(conn.deliveries(&ws, &told.id).await.unwrap().is_empty());
    })
    .await;
}
