//! Customers' connections that are there already, whichever way they came to be.

use std::collections::BTreeMap;

use axum::{body::Body, response::Response};
use claviger_engine::{
    connect::{self, Import},
    domain::{
        audit::Actor,
        connection::{Owner, OwnerKind},
        team::Team,
    },
    secret::Secret,
    time::Millis,
};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::support::{
    Tenant, TestApp, Upstream,
    upstream::{self, Head, say},
};

/// A connection of a customer, with these tokens.
pub async fn plant(app: &TestApp, tenant: &Tenant, integration: &str, customer: &str, token: &str) -> String {
    // A token that speaks of it makes a customer known.
    let known = super::customer(app, tenant, customer).await;
    assert_eq!(super::ask(app, &known, Method::GET, "/self", None).await.status, 200);
    let input = Import {
        integration,
        only: None,
        owner: Owner { kind: OwnerKind::Customer, key: Some(customer.to_owned()) },
        access_token: Secret::new(token),
        refresh_token: Some(Secret::new(format!("refresh_{token}"))),
        expires_in: Some(3600),
        scopes: None,
        inputs: BTreeMap::new(),
        verify: false,
    };
    let made =
        connect::import(&app.broker, &tenant.workspace, input, Actor::Cli).await.expect("it is imported");
    made.connection.id.to_string()
}

/// A team of a tenant's users.
pub fn team(tenant: &Tenant, id: &str) -> Team {
    let workspace_id = tenant.workspace.clone();
    let at = Millis(1);
    Team { id: id.to_owned(), workspace_id, name: id.to_owned(), created_at: at, updated_at: at }
}

/// A provider whose tokens are called after the refresh tokens that they were given for. It does not take `dead` ones.
pub async fn provider<F, R>(api: F) -> Upstream
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
    match form.get("refresh_token").map(String::as_str) {
        Some("refresh_dead") => {
            say(400, &[("content-type", "application/json")], r#"{"error":"invalid_grant"}"#)
        }
        Some(token) => {
            let name = format!("{}_again", token.trim_start_matches("refresh_"));
            let answer = json!({ "access_token": name, "refresh_token": token, "expires_in": 3600 });
            upstream::json(&answer.to_string())
        }
        None => say(400, &[("content-type", "application/json")], r#"{"error":"invalid_request"}"#),
    }
}

/// How often its token endpoint was asked.
pub fn refreshes(up: &Upstream) -> usize {
    up.seen().iter().filter(|head| head.target == "/token").count()
}
