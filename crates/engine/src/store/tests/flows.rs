//! Flows: what must happen once happens once.

use super::*;
use crate::{connect::FLOW_LIFE, store::FlowEnd};

const STATE: &str = "5f0c";

async fn started(store: &Store) -> (Scene, Flow) {
    let scene = scene(store).await;
    let flow = flow(&scene.integration, later(600));
    let mut conn = begin(store).await;
    conn.create_flow(&scene.ws, &flow).await.unwrap();
    let verifier = sealed("v1.verifier");
    let given = BTreeMap::from([("region".to_owned(), "eu".to_owned())]);
    let start = conn.start_flow(&scene.ws, &flow.id, STATE, Some(&verifier), &endpoints(), &given).await;
    assert!(start.unwrap());
    conn.commit().await.unwrap();
    (scene, flow)
}

#[tokio::test]
async fn a_flow_starts_once() {
    on_each(async |store| {
        let (Scene { ws, other, integration, .. }, made) = started(&store).await;
        let mut conn = begin(&store).await;
        let found = conn.any_flow(&made.id).await.unwrap().unwrap();
        assert_eq!(
            (&found.owner, found.completion, &found.handoff),
            (&made.owner, made.completion, &made.handoff)
        );
        assert_eq!((found.state_hash.as_deref(), found.verifier), (Some(STATE), Some(sealed("v1.verifier"))));
        assert_eq!((found.endpoints, found.inputs["region"].as_str()), (Some(endpoints()), "eu"));
        assert_eq!((found.browser_hash, found.callback), (made.browser_hash.clone(), made.callback));
        assert_eq!((found.integration_version, found.expires_at), (1, later(600)));
        assert_eq!((found.workspace_id, found.integration_id), (ws.clone(), integration.id.clone()));
        assert_eq!(conn.any_flow_by_state(STATE).await.unwrap().unwrap().id, made.id);
        assert!(conn.any_flow_by_state("other").await.unwrap().is_none());
        assert!(conn.any_flow(&FlowId::new()).await.unwrap().is_none());
        assert!(!conn.start_flow(&ws, &made.id, "again", None, &endpoints(), &inputs()).await.unwrap());

        let old = flow(&integration, T0);
        let fresh = flow(&integration, later(1));
        conn.create_flow(&ws, &old).await.unwrap();
        conn.create_flow(&ws, &fresh).await.unwrap();
        assert_eq!(conn.any_flow(&fresh.id).await.unwrap().unwrap().endpoints, None);
        assert!(!conn.start_flow(&ws, &old.id, "old", None, &endpoints(), &inputs()).await.unwrap());
        assert!(!conn.start_flow(&other, &fresh.id, "foreign", None, &endpoints(), &inputs()).await.unwrap());
        assert_eq!(conn.pending_flows(&ws, T0, FLOW_LIFE).await.unwrap(), 2);
        assert_eq!(conn.pending_flows(&ws, later(1), FLOW_LIFE).await.unwrap(), 1);
        assert_eq!(conn.pending_flows(&other, T0, FLOW_LIFE).await.unwrap(), 0);

        assert!(conn.expire_flow_at(&other, &fresh.id, later(9000)).await.is_err());
        conn.expire_flow_at(&ws, &fresh.id, later(9000)).await.unwrap();
        assert_eq!(conn.any_flow(&fresh.id).await.unwrap().unwrap().expires_at, later(9000));
        assert_eq!(conn.pending_flows(&ws, later(599), FLOW_LIFE).await.unwrap(), 2);
        assert_eq!(conn.pending_flows(&ws, later(600), FLOW_LIFE).await.unwrap(), 0, "begun long ago");
    })
    .await;
}

#[tokio::test]
async fn of_callbacks_at_once_exactly_one_takes_the_flow() {
    on_each(async |store| {
        let (_, made) = started(&store).await;
        let callbacks: Vec<_> = (0..8)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut conn = begin(&store).await;
                    let taken = conn.any_take_flow(STATE, &format!("query{n}"), later(5)).await.unwrap();
                    conn.commit().await.unwrap();
                    taken.map(|flow| (flow, format!("query{n}")))
                })
            })
            .collect();
        let mut taken = Vec::new();
        for callback in callbacks {
            taken.extend(callback.await.unwrap());
        }
        assert_eq!(taken.len(), 1);
        let (flow, query) = &taken[0];
        assert_eq!(
            (&flow.id, flow.taken_at, flow.callback_hash.as_ref()),
            (&made.id, Some(later(5)), Some(query))
        );
        let mut conn = read(&store).await;
        assert_eq!(conn.any_flow_by_state(STATE).await.unwrap().unwrap().callback_hash.as_ref(), Some(query));
        assert_eq!(conn.pending_flows(&made.workspace_id, T0, FLOW_LIFE).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_old_or_unknown_state_takes_nothing() {
    on_each(async |store| {
        let _ = started(&store).await;
        let mut conn = begin(&store).await;
        assert!(conn.any_take_flow(STATE, "q", later(600)).await.unwrap().is_none());
        assert!(conn.any_take_flow("unknown", "q", T0).await.unwrap().is_none());
        assert!(conn.any_take_flow(STATE, "q", later(599)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_flow_ends_and_its_code_is_spent_once() {
    on_each(async |store| {
        let (Scene { ws, other, integration, .. }, made) = started(&store).await;
        let mut conn = begin(&store).await;
        conn.any_take_flow(STATE, "q", T0).await.unwrap().unwrap();
        let (outcome, code) = (sealed("v1.outcome"), sealed("v1.code"));
        let end = FlowEnd {
            outcome: &outcome,
            provider_code: Some(&code),
            code_hash: Some("c0de"),
            code_expires_at: Some(later(60)),
            connection_id: None,
        };
        assert!(missing(conn.finish_flow(&other, &made.id, &end).await));
        conn.finish_flow(&ws, &made.id, &end).await.unwrap();
        conn.commit().await.unwrap();

        let mut conn = begin(&store).await;
        assert!(conn.take_code(&other, "c0de", T0).await.unwrap().is_none());
        assert!(conn.take_code(&ws, "c0de", later(60)).await.unwrap().is_none());
        assert!(conn.take_code(&ws, "other", T0).await.unwrap().is_none());
        let spent = conn.take_code(&ws, "c0de", later(59)).await.unwrap().unwrap();
        assert_eq!((spent.outcome, spent.provider_code), (Some(outcome), Some(code)));
        assert_eq!((spent.verifier, spent.code_used_at), (Some(sealed("v1.verifier")), Some(later(59))));
        assert!(conn.take_code(&ws, "c0de", later(59)).await.unwrap().is_none());

        let born = connection(&ws, &integration.id, None);
        conn.create_connection(&ws, &born).await.unwrap();
        assert!(missing(conn.set_flow_connection(&other, &made.id, &born.id).await));
        conn.set_flow_connection(&ws, &made.id, &born.id).await.unwrap();
        let found = conn.any_flow(&made.id).await.unwrap().unwrap();
        assert_eq!(found.connection_id.as_ref(), Some(&born.id));
        assert_eq!((found.provider_code, found.verifier), (None, None));
        conn.delete_connection(&ws, &born.id).await.unwrap();
        assert_eq!(conn.any_flow(&made.id).await.unwrap().unwrap().connection_id, None);
    })
    .await;
}

#[tokio::test]
async fn without_a_code_to_redeem_the_verifier_is_erased() {
    on_each(async |store| {
        let (Scene { ws, integration, .. }, made) = started(&store).await;
        let born = connection(&ws, &integration.id, None);
        let outcome = sealed("v1.outcome");
        let end = FlowEnd {
            outcome: &outcome,
            provider_code: None,
            code_hash: None,
            code_expires_at: None,
            connection_id: Some(&born.id),
        };
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &born).await.unwrap();
        conn.finish_flow(&ws, &made.id, &end).await.unwrap();
        let found = conn.any_flow(&made.id).await.unwrap().unwrap();
        assert_eq!((found.verifier, found.connection_id), (None, Some(born.id)));
    })
    .await;
}

#[tokio::test]
async fn purging_keeps_what_is_still_good() {
    on_each(async |store| {
        let (Scene { ws, integration, .. }, made) = started(&store).await;
        let outcome = sealed("v1.outcome");
        let end = FlowEnd {
            outcome: &outcome,
            provider_code: None,
            code_hash: Some("c0de"),
            code_expires_at: Some(later(900)),
            connection_id: None,
        };
        let mut conn = begin(&store).await;
        conn.finish_flow(&ws, &made.id, &end).await.unwrap();
        conn.create_flow(&ws, &flow(&integration, later(600))).await.unwrap();
        assert_eq!(conn.any_purge_flows(later(600), 100).await.unwrap(), 0);
        assert_eq!(conn.any_purge_flows(later(601), 100).await.unwrap(), 1);
        assert_eq!(conn.any_purge_flows(later(901), 100).await.unwrap(), 1);
        assert!(conn.any_flow(&made.id).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_flow_is_adopted_once_with_its_handle_and_in_time() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let (made, old) = (flow(&scene.integration, later(600)), flow(&scene.integration, T0));
        let mut conn = begin(&store).await;
        conn.create_flow(&scene.ws, &made).await.unwrap();
        conn.create_flow(&scene.ws, &old).await.unwrap();
        let handle = made.browser_hash.as_str();
        assert!(!conn.any_adopt_flow(&made.id, "another", "browser").await.unwrap());
        assert!(!conn.any_adopt_flow(&old.id, handle, "browser").await.unwrap(), "it is too old");
        assert!(conn.any_adopt_flow(&made.id, handle, "browser").await.unwrap());
        assert!(!conn.any_adopt_flow(&made.id, handle, "second").await.unwrap());
        assert_eq!(conn.any_flow(&made.id).await.unwrap().unwrap().browser_hash, "browser");
        assert!(conn.start_flow(&scene.ws, &made.id, STATE, None, &endpoints(), &inputs()).await.unwrap());
        assert!(!conn.any_adopt_flow(&made.id, "browser", "later").await.unwrap(), "it is under way");
    })
    .await;
}
