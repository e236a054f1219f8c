//! The management API: a product's server lists, imports and ends connections, sees integrations, and looks after
//! its webhooks.

mod connections;
mod integrations;
mod keys;
mod removal;
mod shapes;
mod webhooks;

use bytes::Bytes;
use claviger_engine::{
    domain::api_key::Scope,
    id::IntegrationId,
    setup::{self, NewApiKey},
    time::Millis,
};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Tenant, TestApp, value};

/// Asks as the contract's clients do: a key, and a content type whether there is a body or not.
pub async fn ask(app: &TestApp, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = http::Request::builder().method(method).uri(format!("{}{path}", app.origin));
    let request =
        request.header("authorization", format!("Bearer {key}")).header("content-type", "application/json");
    let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    Browser::new().send(request, body).await
}

/// Reads as acme.
async fn get(app: &TestApp, path: &str) -> Answer {
    ask(app, &app.acme.key, Method::GET, path, None).await
}

/// Sends a body as acme.
async fn send(app: &TestApp, method: Method, path: &str, body: &Value) -> Answer {
    ask(app, &app.acme.key, method, path, Some(body)).await
}

/// Removes as acme.
async fn delete(app: &TestApp, path: &str) -> Answer {
    ask(app, &app.acme.key, Method::DELETE, path, None).await
}

/// The ids in a list, in order.
fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.json();
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

/// One more connection of a tenant, through the sandbox.
async fn connect(app: &TestApp, tenant: &Tenant, extra: &[(&str, &str)]) -> String {
    let done = Browser::new().connect(app, tenant, extra).await;
    value(&done.redirect().1, "connection_id").to_owned()
}

/// A key of a tenant's.
async fn key(app: &TestApp, tenant: &Tenant, scopes: &[Scope], only: Option<&IntegrationId>) -> String {
    until(app, tenant, scopes, only, None).await
}

async fn until(
    app: &TestApp,
    tenant: &Tenant,
    scopes: &[Scope],
    only: Option<&IntegrationId>,
    expires_at: Option<Millis>,
) -> String {
    let new = NewApiKey {
        name: "key".to_owned(),
        scopes: scopes.to_vec(),
        integration_id: only.cloned(),
        expires_at,
    };
    let (_, text) = app.change(async |to| setup::api_key(to, &tenant.workspace, new).await).await;
    text.expose().to_owned()
}

/// A webhook of acme's for every event.
async fn webhook(app: &TestApp) -> String {
    let body = json!({
        "name": "hook",
        "url": "https://hooks.test/in",
        "events": ["connection.created", "connection.updated", "connection.deleted", "connection.expired"],
    });
    let made = send(app, Method::POST, "/v1/webhooks/", &body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().expect("an id").to_owned()
}

/// What a method and path of the management API is.
pub struct Place {
    pub method: Method,
    pub path: String,
    /// A body that is right there.
    pub body: Option<Value>,
    /// Whether it changes anything.
    pub writes: bool,
}

impl Place {
    /// Whether it is about webhooks, which belong to the whole workspace.
    fn whole(&self) -> bool {
        self.path.starts_with("/v1/webhooks")
    }
}

/// Every endpoint, about these things.
pub fn everywhere(connection: &str, integration: &str, webhook: &str, delivery: &str) -> Vec<Place> {
    let hook = json!({ "name": "hook", "url": "https://hooks.test/", "events": ["connection.created"] });
    let import = json!({ "integrationId": integration, "authToken": "canary_imported" });
    let all = [
        (Method::GET, "/v1/connections".to_owned(), None),
        (Method::POST, "/v1/connections".to_owned(), Some(import)),
        (Method::GET, format!("/v1/connections/{connection}"), None),
        (Method::POST, format!("/v1/connections/{connection}/reconnect"), Some(json!({ "expires_in": 600 }))),
        (Method::DELETE, format!("/v1/connections/{connection}"), None),
        (Method::GET, "/v1/integrations".to_owned(), None),
        (Method::GET, format!("/v1/integrations/{integration}"), None),
        (Method::GET, "/v1/webhooks".to_owned(), None),
        (Method::POST, "/v1/webhooks".to_owned(), Some(hook)),
        (Method::GET, format!("/v1/webhooks/{webhook}"), None),
        (Method::PUT, format!("/v1/webhooks/{webhook}"), Some(json!({ "name": "put" }))),
        (Method::PATCH, format!("/v1/webhooks/{webhook}"), Some(json!({ "name": "patch" }))),
        (Method::POST, format!("/v1/webhooks/{webhook}/secret"), Some(json!({ "overlap": 60 }))),
        (
            Method::POST,
            format!("/v1/webhooks/{webhook}/redeliver"),
            Some(json!({ "since": "2026-01-01T00:00:00Z" })),
        ),
        (Method::GET, format!("/v1/webhooks/{webhook}/deliveries"), None),
        (Method::GET, format!("/v1/webhooks/{webhook}/deliveries/{delivery}"), None),
        (Method::POST, format!("/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver"), None),
        (Method::DELETE, format!("/v1/webhooks/{webhook}"), None),
    ];
    let place = |(method, path, body)| Place { writes: method != Method::GET, method, path, body };
    all.into_iter().map(place).collect()
}
