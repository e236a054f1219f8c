//! Naming one thing touches that one alone: each test keeps a second of its kind in the same workspace.

use super::*;
use crate::{
    domain::user::{Operator, Role},
    domain::webhook::{Delivery, Endpoint, Format},
    id::{DeliveryId, EndpointId, OperatorId},
    store::{FlowEnd, Topic},
};

#[tokio::test]
async fn connections_and_credentials() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let (one, two) = (connection(&ws, &integration.id, None), connection(&ws, &integration.id, None));
        let mut conn = begin(&store).await;
        for (made, version) in [(&one, 1), (&two, 1)] {
            conn.create_connection(&ws, made).await.unwrap();
            conn.create_credential(&ws, &credential(made, version)).await.unwrap();
        }
        conn.set_connection_status(&ws, &one.id, Status::NeedsReauth, None, T0).await.unwrap();
        let refreshed = Connection { refreshed_at: Some(later(1)), inputs: BTreeMap::new(), ..one.clone() };
        conn.note_refreshed(&ws, &refreshed).await.unwrap();
        conn.freeze_connection(&ws, &one.id, Some(T0)).await.unwrap();
        conn.replace_credential(&ws, &credential(&one, 2), 1).await.unwrap();
        assert_eq!(conn.credential(&ws, &one.id).await.unwrap().unwrap().version, 2);
        assert_eq!(conn.credential(&ws, &two.id).await.unwrap().unwrap().version, 1);
        conn.delete_connection(&ws, &one.id).await.unwrap();
        let kept = conn.connection(&ws, &two.id).await.unwrap().unwrap();
        assert_eq!((kept.status, kept.refreshed_at, kept.frozen_at), (Status::Active, None, None));
        assert_eq!(kept.inputs, two.inputs);
    })
    .await;
}

#[tokio::test]
async fn flows() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let (one, two) = (flow(&integration, later(60)), flow(&integration, later(60)));
        let born = connection(&ws, &integration.id, None);
        let (outcome, verifier) = (sealed("v1.outcome"), sealed("v1.verifier"));
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &born).await.unwrap();
        for (made, state) in [(&one, "s1"), (&two, "s2")] {
            conn.create_flow(&ws, made).await.unwrap();
            conn.start_flow(&ws, &made.id, state, Some(&verifier), &endpoints(), &inputs()).await.unwrap();
        }
        conn.any_take_flow("s1", "q", T0).await.unwrap().unwrap();
        let end = FlowEnd {
            outcome: &outcome,
            provider_code: None,
            code_hash: None,
            code_expires_at: None,
            connection_id: None,
        };
        conn.finish_flow(&ws, &one.id, &end).await.unwrap();
        conn.set_flow_connection(&ws, &one.id, &born.id).await.unwrap();
        let kept = conn.any_flow(&two.id).await.unwrap().unwrap();
        assert_eq!((kept.taken_at, kept.outcome, kept.connection_id), (None, None, None));
        assert_eq!(kept.verifier, Some(verifier));
    })
    .await;
}

#[tokio::test]
async fn keys_uris_and_integrations() {
    on_each(async |store| {
        let Scene { ws, other, integration: one, .. } = scene(&store).await;
        let mut two = integration(&ws, one.id.as_str());
        let (key, limited) =
            (api_key(&ws, "ck_1"), ApiKey { integration_id: Some(one.id.clone()), ..api_key(&ws, "ck_2") });
        let mut conn = begin(&store).await;
        conn.create_integration(&ws, &two).await.unwrap();
        let crossed = Integration { key: two.id.as_str().to_owned(), ..one.clone() };
        conn.update_integration(&ws, &crossed).await.unwrap();
        // Each one's key is the other's id: the id decides.
        for id in [&one.id, &two.id] {
            assert_eq!(conn.integration_by_selector(&ws, id.as_str()).await.unwrap().unwrap().id, *id);
        }
        conn.create_api_key(&ws, &key).await.unwrap();
        conn.create_api_key(&ws, &limited).await.unwrap();
        conn.touch_api_key(&ws, &key.id, T0).await.unwrap();
        conn.add_redirect_uri(&ws, "https://a.example").await.unwrap();
        conn.add_redirect_uri(&ws, "https://b.example").await.unwrap();
        conn.remove_redirect_uri(&ws, "https://a.example").await.unwrap();
        assert_eq!(conn.redirect_uris(&ws).await.unwrap(), ["https://b.example"]);
        conn.create_connection(&ws, &connection(&ws, &two.id, None)).await.unwrap();
        conn.commit().await.unwrap();

        let seen = read(&store).await.any_last_change().await.unwrap();
        let mut conn = begin(&store).await;
        assert_eq!(conn.api_keys(&ws).await.unwrap().iter().filter(|k| k.last_used_at.is_some()).count(), 1);
        // Another integration's connections do not hold this one, nor those of another workspace that one.
        assert!(conn.delete_integration(&ws, &one.id).await.unwrap());
        assert!(conn.delete_workspace(&other).await.unwrap());
        conn.commit().await.unwrap();
        let changes = read(&store).await.any_changes_after(seen).await.unwrap();
        let keys: Vec<_> =
            changes.iter().filter(|c| c.topic == Topic::ApiKey).map(|c| c.target.as_str()).collect();
        assert_eq!(keys, [limited.id.as_str()]);
        two = read(&store).await.integration(&ws, &two.id).await.unwrap().unwrap();
        assert_eq!(two.version, 1);
    })
    .await;
}

#[tokio::test]
async fn webhooks() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let endpoint = |name: &str| Endpoint {
            id: EndpointId::new(),
            workspace_id: ws.clone(),
            name: name.to_owned(),
            url: "https://app.example/hook".to_owned(),
            events: EventKind::ALL.to_vec(),
            format: Format::Membrane,
            secret: sealed("v1.secret"),
            previous_secret: None,
            previous_secret_until: None,
            disabled_at: None,
            disabled_reason: None,
            last_triggered_at: None,
            created_at: T0,
            updated_at: T0,
        };
        let (one, two) = (endpoint("one"), endpoint("two"));
        let of = connection(&ws, &integration.id, None);
        let (first, second) =
            (event(&of, EventKind::ConnectionCreated), event(&of, EventKind::ConnectionDeleted));
        let mut conn = begin(&store).await;
        conn.create_endpoint(&ws, &one).await.unwrap();
        conn.create_endpoint(&ws, &two).await.unwrap();
        for told in [&first, &second] {
            conn.create_event(&ws, told).await.unwrap();
            let delivery = Delivery {
                id: DeliveryId::new(),
                workspace_id: ws.clone(),
                event_id: told.id.clone(),
                endpoint_id: two.id.clone(),
                connection_id: of.id.clone(),
                nth: 0,
                attempts: 0,
                next_at: None,
                delivered_at: None,
                created_at: T0,
            };
            conn.create_delivery(&ws, &delivery).await.unwrap();
        }
        for told in [&first, &second] {
            let found = conn.deliveries(&ws, &told.id).await.unwrap();
            assert_eq!(found.iter().map(|d| &d.event_id).collect::<Vec<_>>(), [&told.id]);
        }
        conn.update_endpoint(&ws, &Endpoint { name: "new".to_owned(), ..one.clone() }).await.unwrap();
        assert_eq!(conn.endpoint(&ws, &one.id).await.unwrap().unwrap().name, "new");
        assert_eq!(conn.endpoint(&ws, &two.id).await.unwrap().unwrap().name, "two");
        conn.delete_endpoint(&ws, &one.id).await.unwrap();
        assert!(conn.endpoint(&ws, &two.id).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn operators() {
    on_each(async |store| {
        let Scene { ws, .. } = scene(&store).await;
        let operator = |name: &str, role| Operator {
            id: OperatorId::new(),
            username: name.to_owned(),
            password_hash: None,
            roles: vec![(ws.clone(), role)],
            disabled_at: None,
            created_at: T0,
        };
        let (one, two) = (operator("one", Role::Owner), operator("two", Role::Viewer));
        let mut conn = begin(&store).await;
        conn.create_operator(&one).await.unwrap();
        conn.create_operator(&two).await.unwrap();
        for made in [&one, &two] {
            let found = conn.any_operator_by_name(&made.username).await.unwrap().unwrap();
            assert_eq!((&found.id, &found.roles), (&made.id, &made.roles));
        }
        assert!(conn.any_operator_by_name("three").await.unwrap().is_none());
        conn.set_operator_role(&ws, &one.id, None).await.unwrap();
        conn.any_disable_operator(&one.id, Some(T0)).await.unwrap();
        conn.any_set_operator_password(&one.id, "$x").await.unwrap();
        let kept = conn.any_operator(&two.id).await.unwrap().unwrap();
        assert_eq!((kept.roles, kept.disabled_at, kept.password_hash), (two.roles, None, None));
    })
    .await;
}
