//! The same of keys of ours towards providers, of logos, and of what flows keep of codes and frames.

use std::time::Duration;

use claviger_catalog::Alg;
use claviger_engine::{
    domain::{
        client_key::{ClientKey, Purpose},
        flow::Endpoints,
        icon::Icon,
        integration::Integration,
    },
    error::Result,
    id::{ClientKeyId, ConnectionId, WorkspaceId},
    secret::Secret,
    store::{Choice, Conn, DeviceGiven},
    time::Millis,
    vault::Field,
};

use super::Theirs;
use crate::support::{Tenant, TestApp};

/// How many changes there are.
pub const CHANGES: usize = 11;

/// By which a flow is told how its window ended.
const REQUEST: &str = "a request of theirs";

/// What else a tenant has.
pub struct Rarer {
    integration: Integration,
    key: ClientKey,
    /// A connection that ended.
    gone: ConnectionId,
}

/// Gives a tenant a key and a logo.
pub async fn settle(app: &TestApp, tenant: &Tenant, gone: ConnectionId) -> Rarer {
    let (ws, now) = (&tenant.workspace, app.broker.clock.now());
    let id = app.integrate(tenant, "fourth", "https://fourth.test").await;
    let integration = app.integration(tenant, &id).await;
    let key = ClientKey {
        id: ClientKeyId::new(),
        workspace_id: ws.clone(),
        integration_id: id,
        option_id: None,
        purpose: Purpose::Signing,
        alg: Alg::ES256,
        public: "{}".to_owned(),
        secret: app.broker.vault.seal(&Field::ClientKey.of(ws, "key"), &Secret::new("theirs")).unwrap(),
        signs_from: now,
        created_at: now,
    };
    let logo =
        Icon { media_type: "image/png".to_owned(), body: vec![1], hash: "a".repeat(64), updated_at: now };
    app.change(async |to| {
        to.conn.create_client_key(ws, &key).await?;
        to.conn.set_logo(ws, &logo).await
    })
    .await;
    Rarer { integration, key, gone }
}

/// Every query: whether it finds something of theirs.
pub async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let id = &of.rarer.integration.id;
    Ok(vec![
        ("chosen_connections", {
            let choice = Choice { owner_kind: Some(of.connection.owner.kind), ..Choice::default() };
            conn.chosen_connections(ws, &choice, None, 9).await?.iter().any(|it| it.id == of.connection.id)
        }),
        ("events_since", {
            let (endpoint, of) = (&of.endpoint.id, &of.delivery.connection_id);
            !conn.events_since(ws, endpoint, of, Millis(0)).await?.is_empty()
        }),
        ("hold_connection", conn.hold_connection(ws, &of.connection.id).await?),
        ("revocation_of", conn.revocation_of(ws, &of.rarer.gone).await?.is_some()),
        ("told_since", conn.told_since(ws, Millis(0), None, 9).await?.contains(&of.delivery.connection_id)),
        ("client_keys", !conn.client_keys(ws, id, None, Purpose::Signing).await?.is_empty()),
        ("logo", conn.logo(ws).await?.is_some()),
        ("logo_hash", conn.logo_hash(ws).await?.is_some()),
    ])
}

/// The changes, by number; what removes something comes last.
pub async fn change(n: usize, conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> (&'static str, Result<()>) {
    let (Rarer { integration, key, .. }, flow) = (&of.rarer, &of.begun);
    let later = flow.expires_at.plus(Duration::from_secs(n as u64));
    match n {
        0 => {
            let inputs = [("region".to_owned(), "eu".to_owned())].into();
            let done = conn.choose_flow_way(ws, &flow.id, Some("theirs"), integration, &inputs).await;
            ("choose_flow_way", done.map(drop))
        }
        1 => ("follow_request", conn.follow_request(ws, &flow.id, REQUEST, later).await.map(drop)),
        2 => ("unfollow_request", conn.unfollow_request(ws, &flow.id, REQUEST).await.map(drop)),
        3 => {
            let given = DeviceGiven {
                was: None,
                device: &key.secret,
                endpoints: &Endpoints::default(),
                inputs: &Default::default(),
                poll_at: later,
                expires_at: later,
            };
            ("give_device", conn.give_device(ws, &flow.id, &given).await.map(drop))
        }
        4 => ("look_at_flow", conn.look_at_flow(ws, &flow.id, later).await),
        5 => ("expire_flow_at", conn.expire_flow_at(ws, &flow.id, later).await),
        6 => ("begin_redelivery", conn.begin_redelivery(ws, &of.endpoint.id).await.map(drop)),
        7 => ("mark_ending", conn.mark_ending(ws, &of.connection.id).await.map(drop)),
        8 => ("unmark_ending", conn.unmark_ending(ws, &of.connection.id).await),
        9 => ("delete_client_key", conn.delete_client_key(ws, &key.id).await.map(drop)),
        _ => ("delete_logo", conn.delete_logo(ws).await.map(drop)),
    }
}
