//! The Informer-style door: a workspace's own users, and what each may see and do.

mod bad_input;
mod bring;
mod connect;
mod connection;
pub mod desk;
mod icons;
mod integrations;
mod request;
mod rights;
mod seed;
mod shares;
mod sign_in;
mod tokens;

use bytes::Bytes;
use claviger_engine::{
    domain::{
        token::UserToken,
        user::{Permission, User},
    },
    id::{TokenId, UserId},
    setup::{self, NewUser},
    vault::hash,
};
use http::Method;
use serde_json::Value;

use crate::support::{Answer, Browser, Tenant, TestApp};

/// A user with a token.
pub struct Someone {
    pub user: User,
    pub token: String,
}

/// One more user of a tenant. Users named `root…` may do everything.
pub async fn someone(app: &TestApp, tenant: &Tenant, name: &str, may: &[Permission]) -> Someone {
    let new = NewUser {
        username: name.to_owned(),
        display_name: None,
        email: None,
        password: None,
        superuser: name.starts_with("root"),
        permissions: may.iter().map(|permission| permission.as_str().to_owned()).collect(),
    };
    let user = app.change(async |to| setup::user(to, &tenant.workspace, new).await).await;
    let token = token(app, tenant, &user.id, false).await;
    Someone { user, token }
}

/// One more token of a user.
pub async fn token(app: &TestApp, tenant: &Tenant, user: &UserId, read_only: bool) -> String {
    let (text, prefix, hash) = hash::new_user_token().expect("a token");
    let token = UserToken {
        id: TokenId::new(),
        workspace_id: tenant.workspace.clone(),
        user_id: user.clone(),
        kind: "personal".to_owned(),
        name: None,
        prefix,
        hash,
        read_only,
        expires_at: None,
        last_used_at: None,
        created_at: app.broker.clock.now(),
    };
    app.change(async |to| to.conn.create_user_token(&tenant.workspace, &token).await).await;
    text.expose().to_owned()
}

/// Asks with a token and a JSON body.
pub async fn ask(app: &TestApp, token: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    send(app, token, method, path, "application/json", body).await
}

/// Asks with a token and any body; without a token, as nobody.
pub async fn send(app: &TestApp, token: &str, method: Method, path: &str, kind: &str, body: Bytes) -> Answer {
    let request = http::Request::builder().method(method).uri(format!("{}{path}", app.origin));
    let request = request.header("content-type", kind);
    let request = match token {
        "" => request,
        token => request.header("authorization", format!("Bearer {token}")),
    };
    Browser::new().send(request, body).await
}

/// Asserts that this is an error of this door.
#[track_caller]
pub fn assert_problem(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["statusCode"], status, "{body}");
    assert_eq!(body["error"].as_str(), answer.status.canonical_reason(), "{body}");
    assert!(body["message"].as_str().is_some_and(|text| text.contains(words)), "{words:?} is not in {body}");
}
