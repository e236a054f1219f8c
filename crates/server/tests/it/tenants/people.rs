//! The same for sessions, tokens and hosts of a workspace's own users.

use std::time::Duration;

use claviger_engine::{
    domain::{session::Session, token::UserToken, user::User},
    error::Result,
    id::{TokenId, WorkspaceId},
    setup::{self, NewUser},
    store::{Conn, trial},
    time::Millis,
};

use crate::support::{Tenant, TestApp, app::ALL, on_each};

struct Theirs {
    user: User,
    session: Session,
    token: UserToken,
}

async fn theirs(app: &TestApp, tenant: &Tenant) -> Theirs {
    let (ws, now) = (&tenant.workspace, app.broker.clock.now());
    let new = NewUser {
        username: "their-user".into(),
        display_name: None,
        email: None,
        password: None,
        superuser: false,
        permissions: Vec::new(),
    };
    app.change(async |to| {
        let user = setup::user(to, ws, new).await?;
        let session = Session {
            hash: "their session".into(),
            workspace_id: ws.clone(),
            user_id: user.id.clone(),
            seen_at: now,
            ends_at: now,
            created_at: now,
        };
        let token = UserToken {
            id: TokenId::new(),
            workspace_id: ws.clone(),
            user_id: user.id.clone(),
            kind: "personal".into(),
            name: None,
            prefix: "ut_theirs".into(),
            hash: "their token".into(),
            read_only: false,
            expires_at: None,
            last_used_at: None,
            created_at: now,
        };
        to.conn.create_session(ws, &session).await?;
        to.conn.create_user_token(ws, &token).await?;
        to.conn.set_workspace_hosts(ws, &["https://theirs.test".to_owned()]).await?;
        Ok(Theirs { user, session, token })
    })
    .await
}

/// Every query: whether it finds something of theirs.
async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let user = &of.user.id;
    Ok(vec![
        ("count_user_tokens", conn.count_user_tokens(ws, user).await? > 0),
        ("hold_user", conn.hold_user(ws, user).await?.is_some()),
        ("session", conn.session(ws, &of.session.hash).await?.is_some()),
        ("user_token", conn.user_token(ws, user, &of.token.id).await?.is_some()),
        ("user_tokens", !conn.user_tokens(ws, user, &ALL).await?.is_empty()),
        ("workspace_hosts", !conn.workspace_hosts(ws).await?.is_empty()),
    ])
}

/// The changes, by number; `None` after the last.
async fn change(
    n: usize,
    conn: &mut Conn,
    ws: &WorkspaceId,
    of: &Theirs,
    later: Millis,
) -> Option<Result<()>> {
    Some(match n {
        0 => conn.touch_session(ws, &of.session.hash, later).await,
        1 => conn.touch_user_token(ws, &of.token.id, later).await,
        2 => conn.end_session(ws, &of.session.hash).await.map(drop),
        3 => conn.delete_user_token(ws, &of.user.id, &of.token.id).await.map(drop),
        4 => conn.set_workspace_hosts(ws, &[]).await.map(drop),
        _ => return None,
    })
}

/// Does one of the changes; whether the tables are other than before.
async fn changes(app: &TestApp, n: usize, ws: &WorkspaceId, of: &Theirs) -> Option<bool> {
    let contents = async || {
        let mut all = trial::contents(&app.broker.store).await;
        all.retain(|(place, _)| !place.starts_with("audit") && !place.starts_with("change_"));
        all.sort();
        all
    };
    let (before, later) = (contents().await, app.broker.clock.now().plus(Duration::from_secs(100)));
    let outcome = app.change(async |to| Ok(change(n, to.conn, ws, of, later).await)).await?;
    assert!(outcome.is_ok(), "{n}: {outcome:?}");
    Some(contents().await != before)
}

#[tokio::test]
async fn people_are_their_workspaces_own() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let of = theirs(app, &other).await;
        let (ours, theirs) = (&app.acme.workspace, &other.workspace);
        for (ws, want) in [(theirs, true), (ours, false)] {
            let found = app.change(async |to| look(to.conn, ws, &of).await).await;
            for (query, found) in found {
                assert_eq!(found, want, "{query}");
            }
        }
        for (ws, want) in [(ours, false), (theirs, true)] {
            let mut n = 0;
            while let Some(changed) = changes(app, n, ws, &of).await {
                assert_eq!(changed, want, "{n}");
                n += 1;
            }
            assert_eq!(n, 5);
        }
    })
    .await;
}
