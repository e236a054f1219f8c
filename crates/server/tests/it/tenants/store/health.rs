//! The same of health, and of links that renew a connection.

use std::time::Duration;

use claviger_engine::{
    domain::{
        connection::Connection, credential::Credential, health::Expiring, reconnect_link::ReconnectLink,
    },
    error::Result,
    id::{ConnectionId, LinkId, WorkspaceId},
    store::Conn,
    time::Millis,
};

use super::Theirs;
use crate::support::{Tenant, TestApp};

/// How many changes there are.
pub const CHANGES: usize = 6;

/// A connection that dies soon, and a link to it.
pub struct Dying {
    id: ConnectionId,
    dies_at: Millis,
    link: ReconnectLink,
}

/// Makes both; the link was used.
pub async fn settle(app: &TestApp, tenant: &Tenant, like: &Connection, held: &Credential) -> Dying {
    let (ws, now) = (&tenant.workspace, app.broker.clock.now());
    let integration_id = app.integrate(tenant, "dying", "https://dying.test").await;
    let made = Connection { id: ConnectionId::new(), integration_id, ..like.clone() };
    let dies_at = now.plus(Duration::from_secs(86_400));
    let credential =
        Credential { connection_id: made.id.clone(), refresh_expires_at: Some(dies_at), ..held.clone() };
    let link = ReconnectLink {
        id: LinkId::new(),
        workspace_id: ws.clone(),
        connection_id: made.id.clone(),
        token_hash: "their link".to_owned(),
        redirect_uri: None,
        expires_at: dies_at,
        used_at: None,
        browser_hash: None,
        created_at: now,
    };
    let link = app
        .change(async |to| {
            to.conn.create_connection(ws, &made).await?;
            to.conn.create_credential(ws, &credential).await?;
            to.conn.create_reconnect_link(ws, &link).await?;
            to.conn.any_use_reconnect_link(&link.token_hash, "browser", Millis(0)).await
        })
        .await;
    Dying { id: made.id, dies_at, link: link.expect("it was not used before") }
}

/// Every query: whether it finds something of theirs.
pub async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let id = &of.dying.id;
    Ok(vec![
        ("health", conn.health(ws, id).await?.refresh_expires_at.is_some()),
        ("healths", !conn.healths(ws, &[id]).await?.is_empty()),
    ])
}

/// The changes, by number.
pub async fn change(n: usize, conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> (&'static str, Result<()>) {
    let Dying { id, dies_at, link } = &of.dying;
    match n {
        0 => ("note_used", conn.note_used(ws, id, *dies_at).await),
        1 => ("note_grant", conn.note_grant(ws, id, Some(7), Some("theirs")).await),
        2 => {
            let told = Expiring { workspace_id: ws.clone(), connection_id: id.clone(), dies_at: *dies_at };
            ("note_expiring", conn.note_expiring(ws, &told).await.map(drop))
        }
        3 => ("note_verified", conn.note_verified(ws, id, *dies_at).await),
        4 => {
            let claimed = conn.claim_verification(ws, id, *dies_at, Millis(0)).await;
            ("claim_verification", claimed.map(drop))
        }
        _ => {
            let (by, at) =
                (link.browser_hash.as_deref().unwrap_or_default(), link.used_at.unwrap_or(*dies_at));
            ("release_reconnect_link", conn.release_reconnect_link(ws, &link.id, by, at).await)
        }
    }
}
