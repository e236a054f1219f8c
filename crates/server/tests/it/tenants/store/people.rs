//! The same of people: users' sessions and tokens, teams, shares, owners, icons, hosts, and the lists that users see.

use std::time::Duration;

use claviger_engine::{
    domain::{
        icon::Icon,
        session::Session,
        share::{Level, Principal},
        token::UserToken,
        user::User,
    },
    error::Result,
    id::{IntegrationId, TokenId, WorkspaceId},
    setup,
    store::{Conn, IntegrationFilter, IntegrationOrder},
};

use super::Theirs;
use crate::support::{Tenant, TestApp, app::ALL};

const TEAM: &str = "their-team";
const ORIGIN: &str = "https://bi.theirs.test";

/// What belongs to a tenant's people.
pub struct People {
    session: Session,
    token: UserToken,
    user: Principal,
    icon: Icon,
}

/// Gives a tenant's user a session, a token and a team, and an integration to share.
pub async fn settle(app: &TestApp, tenant: &Tenant, user: &User) -> People {
    let (ws, now) = (&tenant.workspace, app.broker.clock.now());
    let session = Session {
        hash: "5".repeat(64),
        workspace_id: ws.clone(),
        user_id: user.id.clone(),
        seen_at: now,
        ends_at: now.plus(Duration::from_secs(3600)),
        created_at: now,
    };
    let token = UserToken {
        id: TokenId::new(),
        workspace_id: ws.clone(),
        user_id: user.id.clone(),
        kind: "personal".to_owned(),
        name: None,
        prefix: "ut_theirs".to_owned(),
        hash: "7".repeat(64),
        read_only: false,
        expires_at: None,
        last_used_at: None,
        created_at: now,
    };
    let icon =
        Icon { media_type: "image/png".to_owned(), body: vec![1], hash: "1".repeat(64), updated_at: now };
    let people = People { session, token, user: Principal::User(user.id.clone()), icon };
    app.change(async |to| {
        to.conn.create_session(ws, &people.session).await?;
        to.conn.create_user_token(ws, &people.token).await?;
        to.conn.set_share(ws, &tenant.integration, &people.user, Level::Use).await?;
        to.conn.set_icon(ws, &tenant.integration, &people.icon).await?;
        setup::hosts(to, ws, &[ORIGIN.to_owned()]).await?;
        setup::team(to, ws, TEAM, "Their team").await?;
        setup::join_team(to, ws, TEAM, &user.username).await
    })
    .await;
    people
}

/// Every query: whether it finds something of theirs.
pub async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let Theirs { integration, user, people, .. } = of;
    let id: &IntegrationId = &integration.id;
    let second = IntegrationFilter { search: Some("second".to_owned()), ..IntegrationFilter::default() };
    let order = (IntegrationOrder::Name, false);
    Ok(vec![
        ("count_integrations", conn.count_integrations(ws, &second).await? > 0),
        ("count_shares", conn.count_shares(ws, id).await? > 0),
        ("count_user_tokens", conn.count_user_tokens(ws, &user.id).await? > 0),
        ("hold_user", conn.hold_user(ws, &user.id).await?.is_some()),
        ("icon", conn.icon(ws, id).await?.is_some()),
        ("icon_hash", conn.icon_hash(ws, id).await?.is_some()),
        ("icon_hashes", !conn.icon_hashes(ws).await?.is_empty()),
        ("integration_connections", !conn.integration_connections(ws, id).await?.is_empty()),
        ("list_integrations", !conn.list_integrations(ws, &second, order, &ALL).await?.is_empty()),
        ("listed_integration", conn.listed_integration(ws, id).await?.is_some()),
        ("session", conn.session(ws, &people.session.hash).await?.is_some()),
        ("share", conn.share(ws, id, &people.user).await?.is_some()),
        ("share_level", conn.share_level(ws, id, &user.id).await?.is_some()),
        ("shares", !conn.shares(ws, id, &ALL).await?.is_empty()),
        ("team", conn.team(ws, TEAM).await?.is_some()),
        ("team_members", !conn.team_members(ws, TEAM, &ALL).await?.is_empty()),
        ("teams", !conn.teams(ws, &ALL).await?.is_empty()),
        ("teams_of", !conn.teams_of(ws, &user.id).await?.is_empty()),
        ("user_token", conn.user_token(ws, &user.id, &people.token.id).await?.is_some()),
        ("user_tokens", !conn.user_tokens(ws, &user.id, &ALL).await?.is_empty()),
        ("workspace_hosts", conn.workspace_hosts(ws).await?.contains(&ORIGIN.to_owned())),
    ])
}

/// The changes, by number; what removes something comes last. `None` after the last.
pub async fn change(
    n: usize,
    conn: &mut Conn,
    ws: &WorkspaceId,
    of: &Theirs,
) -> Option<(&'static str, Result<()>)> {
    let Theirs { integration, delivery, user, people, .. } = of;
    let (id, principal, hash) = (&integration.id, &people.user, &people.session.hash);
    let later = delivery.created_at.plus(Duration::from_secs(7));
    Some(match n {
        0 => ("touch_session", conn.touch_session(ws, hash, later).await),
        1 => ("touch_user_token", conn.touch_user_token(ws, &people.token.id, later).await),
        2 => ("set_team_name", conn.set_team_name(ws, TEAM, "Another name").await),
        3 => ("set_share", conn.set_share(ws, id, principal, Level::Manage).await.map(drop)),
        4 => ("set_integration_owner", conn.set_integration_owner(ws, id, Some(principal)).await),
        5 => {
            let icon = Icon { hash: "2".repeat(64), ..people.icon.clone() };
            ("set_icon", conn.set_icon(ws, id, &icon).await)
        }
        6 => {
            let origins = [ORIGIN.to_owned(), "https://second.theirs.test".to_owned()];
            ("set_workspace_hosts", conn.set_workspace_hosts(ws, &origins).await.map(drop))
        }
        7 => ("remove_team_member", conn.remove_team_member(ws, TEAM, &user.id).await.map(drop)),
        8 => ("add_team_member", conn.add_team_member(ws, TEAM, &user.id).await.map(drop)),
        9 => ("delete_share", conn.delete_share(ws, id, principal).await.map(drop)),
        10 => ("delete_icon", conn.delete_icon(ws, id).await.map(drop)),
        11 => ("delete_team", conn.delete_team(ws, TEAM).await.map(drop)),
        12 => ("end_session", conn.end_session(ws, hash).await.map(drop)),
        13 => ("delete_user_token", conn.delete_user_token(ws, &user.id, &people.token.id).await.map(drop)),
        _ => return None,
    })
}
