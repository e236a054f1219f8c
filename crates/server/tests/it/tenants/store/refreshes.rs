//! The same of refreshes: who has them, which tokens were sent, and what is known of a new one.

use std::time::Duration;

use claviger_engine::{
    domain::{
        connection::Connection,
        credential::Credential,
        refresh::{Closed, Intent, Rest},
    },
    error::{ProviderFault, Result},
    id::{IntentId, WorkspaceId},
    store::{Conn, Lease},
};

use super::Theirs;
use crate::support::{Tenant, TestApp, app::ALL};

/// How many changes there are.
pub const CHANGES: usize = 13;

/// Who has their refresh to itself.
const OWNER: &str = "a process of theirs";

/// Two tokens that were sent.
pub struct Refreshes {
    open: Intent,
    resent: Intent,
}

/// A lease, a token without an answer, and one that was sent again.
pub async fn settle(
    app: &TestApp,
    tenant: &Tenant,
    connection: &Connection,
    credential: &Credential,
) -> Refreshes {
    let (ws, now) = (&tenant.workspace, app.broker.clock.now());
    let intent = |hash: &str| Intent {
        id: IntentId::new(),
        workspace_id: ws.clone(),
        connection_id: connection.id.clone(),
        version: credential.version,
        token_hash: hash.to_owned(),
        fence: 1,
        tries: 1,
        sent_at: now,
        unknown_at: None,
        unknown_why: None,
        closed_at: None,
        outcome: None,
    };
    let (open, resent) = (intent("one"), intent("two"));
    app.change(async |to| {
        let lease = Lease { owner: OWNER, now, until: now.plus(Duration::from_secs(5)) };
        to.conn.take_refresh(ws, &connection.id, lease).await?;
        for intent in [&open, &resent] {
            to.conn.create_refresh_intent(ws, intent).await?;
            to.conn.any_doubt_intent(&intent.id, "theirs", now).await?;
        }
        to.conn.any_close_intent(&resent.id, Closed::Resent, now).await
    })
    .await;
    Refreshes { open, resent }
}

/// Every query: whether it finds something of theirs.
pub async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let (id, open) = (&of.connection.id, &of.refreshes.open);
    Ok(vec![
        ("refresh_state", conn.refresh_state(ws, id).await?.is_some()),
        ("glance_at_refresh", conn.glance_at_refresh(ws, id).await?.is_some()),
        ("lock_refresh", conn.lock_refresh(ws, id).await?),
        ("refresh_intent", conn.refresh_intent(ws, &open.id).await?.is_some()),
        ("unknown_refreshes", conn.unknown_refreshes(ws, &ALL).await?.iter().any(|it| it.id == open.id)),
        ("unknown_since", conn.unknown_since(ws, id).await?.is_some()),
        ("unknown_after", conn.unknown_after(ws, id, &open.token_hash, 0).await?.is_some()),
    ])
}

/// The changes, by number.
pub async fn change(n: usize, conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> (&'static str, Result<()>) {
    let (id, Refreshes { open, resent }) = (&of.connection.id, &of.refreshes);
    let at = open.sent_at.plus(Duration::from_secs(n as u64 + 1));
    let until = at.plus(Duration::from_secs(60));
    match n {
        0 | 7 | 9 => {
            let lease = Lease { owner: OWNER, now: at, until };
            ("take_refresh", conn.take_refresh(ws, id, lease).await.map(drop))
        }
        1 => ("prolong_refresh", conn.prolong_refresh(ws, id, 2, until).await.map(drop)),
        2 => {
            let rest = Rest { until, fault: ProviderFault::TimedOut, failure: "theirs" };
            ("rest_refresh", conn.rest_refresh(ws, id, 2, rest).await.map(drop))
        }
        3 => ("forget_refreshes", conn.forget_refreshes(ws, id, at).await),
        4 => ("correct_intent", conn.correct_intent(ws, &open.id, Closed::Unsent).await),
        5 => ("reopen_intent", conn.reopen_intent(ws, &resent.id).await),
        6 => ("give_up_intents", conn.give_up_intents(ws, id, resent.version + 1, at).await),
        8 => ("leave_refresh", conn.leave_refresh(ws, id, OWNER).await.map(drop)),
        10 => ("end_refresh", conn.end_refresh(ws, id, 4).await.map(drop)),
        11 => ("answer_intent", conn.answer_intent(ws, &open.id, Closed::Renewed, at).await),
        _ => {
            let version = of.credential.version;
            ("credential_worked", conn.credential_worked(ws, id, version, at).await.map(drop))
        }
    }
}
