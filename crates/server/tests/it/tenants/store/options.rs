//! The same of further ways to authenticate, and of the apps that a workspace is lent.

use claviger_engine::{
    domain::{
        auth_option::AuthOption,
        integration::{CallbackKind, Config, Integration},
        oauth_app::OauthApp,
    },
    error::Result,
    id::{AuthOptionId, OauthAppId, WorkspaceId},
    store::Conn,
};

use super::Theirs;
use crate::support::{Tenant, TestApp};

/// How many changes there are.
pub const CHANGES: usize = 4;

/// Ways to authenticate of a tenant's.
pub struct Ways {
    integration: Integration,
    option: AuthOption,
    app: OauthApp,
}

/// Gives a tenant an app, and an integration with an option that connects with it.
pub async fn settle(app: &TestApp, tenant: &Tenant) -> Ways {
    let (ws, now) = (&tenant.workspace, app.broker.clock.now());
    let id = app.integrate(tenant, "third", "https://third.test").await;
    let lent = OauthApp {
        id: OauthAppId::new(),
        workspace_id: ws.clone(),
        key: "theirs".to_owned(),
        provider: "github".to_owned(),
        client_id: "their app".to_owned(),
        client_secret: None,
        created_at: now,
        updated_at: now,
    };
    let option = AuthOption {
        id: AuthOptionId::new(),
        workspace_id: ws.clone(),
        integration_id: id.clone(),
        key: "theirs".to_owned(),
        title: None,
        description: None,
        provider: "github".to_owned(),
        client_id: None,
        client_secret: None,
        scopes: Vec::new(),
        callback: CallbackKind::Own,
        config: Config { proxy_key: Some(lent.key.clone()), ..Config::default() },
        nth: 0,
        created_at: now,
        updated_at: now,
    };
    app.change(async |to| {
        to.conn.create_oauth_app(ws, &lent).await?;
        to.conn.create_auth_option(ws, &option).await
    })
    .await;
    Ways { integration: app.integration(tenant, &id).await, option, app: lent }
}

/// Every query: whether it finds something of theirs.
pub async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let Ways { integration, option, app } = &of.ways;
    let (id, key) = (&integration.id, option.key.as_str());
    Ok(vec![
        ("all_auth_options", !conn.all_auth_options(ws).await?.is_empty()),
        ("as_option", conn.as_option(ws, integration.clone(), Some(key)).await?.is_some()),
        ("auth_option", conn.auth_option(ws, id, key).await?.is_some()),
        ("auth_options", !conn.auth_options(ws, id).await?.is_empty()),
        ("integration_as", conn.integration_as(ws, id, Some(key)).await?.is_some()),
        ("integrations_of_app", !conn.integrations_of_app(ws, &app.key).await?.is_empty()),
        ("oauth_app", conn.oauth_app(ws, &app.key).await?.is_some()),
        ("oauth_apps", !conn.oauth_apps(ws).await?.is_empty()),
    ])
}

/// The changes, by number; what removes something comes last.
pub async fn change(n: usize, conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> (&'static str, Result<()>) {
    let Ways { option, app, .. } = &of.ways;
    match n {
        0 => {
            let is = AuthOption { title: Some("Another".to_owned()), ..option.clone() };
            ("update_auth_option", conn.update_auth_option(ws, &is).await)
        }
        1 => {
            let is = OauthApp { client_id: "another".to_owned(), ..app.clone() };
            ("update_oauth_app", conn.update_oauth_app(ws, &is).await)
        }
        2 => ("delete_auth_option", conn.delete_auth_option(ws, option).await.map(drop)),
        _ => ("delete_oauth_app", conn.delete_oauth_app(ws, app).await.map(drop)),
    }
}
