//! Requests by integration: what a user asks arrives at the provider with the user's own credential, and what the
//! provider answers comes back.

mod answers;
mod asking;
mod credentials;
mod headers;
mod refusals;
mod targets;

use std::collections::BTreeMap;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use claviger_engine::{
    domain::{
        audit::Actor,
        integration::{Config, Mode},
        share::{Level, Principal},
    },
    id::IntegrationId,
    setup::{self, NewIntegration},
};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::{Someone, ask, assert_problem, someone};
use crate::support::{
    Answer, Browser, Leg, TestApp, Upstream,
    app::{at, new_integration},
    upstream::{self, Head, say},
};

/// A provider whose tokens are called after the codes and refresh tokens that they were given for.
async fn provider<F, R>(api: F) -> Upstream
where
    F: Fn(Head, Body) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response> + Send + 'static,
{
    Upstream::whole(move |head: Head, body| {
        let api = api.clone();
        async move {
            match head.target.as_str() {
                "/token" => tokens(body).await,
                "/userinfo" => upstream::json(r#"{"sub":"someone"}"#),
                "/revoke" => upstream::json("{}"),
                _ => api(head, body).await,
            }
        }
    })
    .await
}

async fn tokens(body: Body) -> Response {
    let body = body.collect().await.expect("a form").to_bytes();
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let of = match (form.get("code"), form.get("refresh_token")) {
        (Some(code), _) => format!("canary_{code}"),
        (None, Some(token)) if token == "refresh_canary_refused" => {
            return say(400, &[("content-type", "application/json")], r#"{"error":"invalid_grant"}"#);
        }
        (None, token) => format!("{}_again", token.expect("a refresh token").trim_start_matches("refresh_")),
    };
    let answer = json!({ "access_token": of, "refresh_token": format!("refresh_{of}"), "expires_in": 3600 });
    upstream::json(&answer.to_string())
}

/// Says back the body that came, with its type.
async fn echo(head: Head, body: Body) -> Response {
    let body = body.collect().await.expect("a whole body").to_bytes();
    let mut response = say(200, &[], body);
    if let Some(kind) = head.headers.get("content-type") {
        response.headers_mut().insert("content-type", kind.clone());
    }
    response
}

/// An integration `drive` at a provider, for all to use.
async fn integrate(app: &TestApp, up: &Upstream, edit: impl FnOnce(&mut NewIntegration)) -> IntegrationId {
    let mut input = new_integration("drive", "oauth2", at(&up.origin));
    edit(&mut input);
    app.integrate_as(&app.acme, input).await
}

/// Makes an integration if it may be made.
async fn try_integrate(
    app: &TestApp,
    input: NewIntegration,
) -> claviger_engine::error::Result<IntegrationId> {
    let mut conn = app.broker.store.begin(Actor::Cli, app.broker.clock.now()).await?;
    let mut change = setup::Change::of(&app.broker, &mut conn);
    let id = setup::integration(&mut change, &app.acme.workspace, input).await?.id;
    conn.commit().await?;
    Ok(id)
}

/// The same, configured a little otherwise.
async fn configured(app: &TestApp, up: &Upstream, edit: impl FnOnce(&mut Config)) -> IntegrationId {
    integrate(app, up, |input| edit(&mut input.config)).await
}

async fn share(app: &TestApp, integration: &IntegrationId, with: &Someone) {
    let (ws, principal) = (&app.acme.workspace, Principal::User(with.user.id.clone()));
    app.change(async |to| to.conn.set_share(ws, integration, &principal, Level::Use).await).await;
}

/// A user who uses an integration and has connected an account there; its token is `canary_` and its name.
async fn connected(app: &TestApp, integration: &IntegrationId, name: &str) -> Someone {
    let user = someone(app, &app.acme, name, &[]).await;
    share(app, integration, &user).await;
    connect(app, "drive", &user, name).await;
    user
}

async fn connect(app: &TestApp, integration: &str, user: &Someone, code: &str) {
    let browser = Browser::new();
    let url = format!("{}/api/integrations/{integration}/connect", app.origin);
    let began = browser.request(Method::GET, &url).header("authorization", format!("Bearer {}", user.token));
    let began = browser.send(began, Bytes::new()).await;
    assert_eq!(began.status, 302, "{}", began.text());
    let done = browser.get(&Leg::of(began.location()).back(&[("code", code)])).await;
    assert_eq!(done.status, 302, "{}", done.text());
    assert!(!done.location().contains("error"), "{}", done.location());
}

/// `POST …/request` at `drive`.
async fn post(app: &TestApp, user: &Someone, body: &Value) -> Answer {
    ask(app, &user.token, Method::POST, "/api/integrations/drive/request", Some(body)).await
}

/// `GET …/request` at `drive`, and what follows it.
async fn get(app: &TestApp, user: &Someone, rest: &str) -> Answer {
    ask(app, &user.token, Method::GET, &format!("/api/integrations/drive/request{rest}"), None).await
}

/// The calls that a provider got, as method and target.
fn lines(up: &Upstream) -> Vec<String> {
    up.calls().iter().map(|head| format!("{} {}", head.method, head.target)).collect()
}
