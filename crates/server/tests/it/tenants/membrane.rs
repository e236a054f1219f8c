//! The same at the Membrane-style door: customers, connections and integrations of one workspace are nothing to another's
//! tokens, whichever way they are named.

use http::Method;
use serde_json::{Value, json};

use super::said;
use crate::{
    membrane::{admin, ask, customer, planted::plant},
    openapi,
    support::{Browser, CB, TestApp, on_each},
};

/// A method and path of this door, with a body that is right there.
struct Place {
    method: Method,
    path: String,
    body: Option<Value>,
}

/// Every endpoint that can name something, naming this.
fn everywhere(id: &str) -> Vec<Place> {
    let of = |place: &str| place.replace("{selector}", id).replace("{id}", id).replace("{path}", "me");
    let mut all = Vec::new();
    for operation in openapi::membrane() {
        if operation.is_page() || operation.path.starts_with("/sse/") {
            continue;
        }
        let path = of(&operation.path);
        for name in &operation.query {
            if !["limit", "cursor"].contains(&name.as_str()) {
                let path = format!("{path}?{name}={id}");
                all.push(Place { method: operation.method.clone(), path, body: None });
            }
        }
        for name in &operation.fields {
            if name.ends_with("Id") || name.ends_with("Key") {
                let body = Some(json!({ "integrationKey": "sandbox", name: id }));
                all.push(Place { method: operation.method.clone(), path: path.clone(), body });
            }
        }
        if operation.path.contains('{') {
            let body = Some(json!({ "name": "New" })).filter(|_| !operation.method.is_safe());
            all.push(Place { method: operation.method, path, body });
        }
    }
    // A product's own id for a new customer is free in each workspace.
    all.retain(|place| !(place.method == Method::POST && place.path == "/customers"));
    all
}

/// Ids and keys that nothing has, of the kinds of [`theirs`].
const STRANGERS: [&str; 5] = [
    "conn_00000000000000000000000000000000",
    "int_00000000000000000000000000000000",
    "nosuch-files",
    "cus_00000000000000000000000000000000",
    "nosuch-customer",
];

/// What another workspace has.
async fn theirs(app: &TestApp) -> [String; 5] {
    let other = app.tenant("Other").await;
    let integration = app.integrate(&other, "their-files", &app.sandbox.origin).await;
    let connection = plant(app, &other, "their-files", "their-customer", "canary_theirs").await;
    let token = customer(app, &other, "their-customer").await;
    let own = ask(app, &token, Method::GET, "/self", None).await.json();
    let us = own["id"].as_str().expect("an id").to_owned();
    [connection, integration.to_string(), "their-files".to_owned(), us, "their-customer".to_owned()]
}

#[tokio::test]
async fn what_is_another_workspaces_answers_like_what_does_not_exist() {
    on_each(async |app| {
        let theirs = theirs(app).await;
        let tokens = [customer(app, &app.acme, "alice").await, admin(app, &app.acme).await];
        let mut asked = 0;
        for (foreign, stranger) in theirs.iter().zip(STRANGERS) {
            for token in &tokens {
                for (one, other) in everywhere(foreign).into_iter().zip(everywhere(stranger)) {
                    let got = ask(app, token, one.method.clone(), &one.path, one.body.as_ref()).await;
                    let want = ask(app, token, other.method, &other.path, other.body.as_ref()).await;
                    assert_eq!(said(&got, foreign), said(&want, stranger), "{} {}", one.method, one.path);
                    asked += 1;
                }
            }
        }
        assert!(asked > 200, "they are looked at: {asked}");
        assert_eq!(app.sandbox.stats().await.api_calls, 0, "no provider was called");
    })
    .await;
}

#[tokio::test]
async fn a_popup_knows_nothing_of_another_workspace() {
    on_each(async |app| {
        let theirs = theirs(app).await;
        let alice = customer(app, &app.acme, "alice").await;
        for (foreign, stranger) in theirs.iter().zip(STRANGERS) {
            for name in ["integrationId", "integrationKey", "connectionId"] {
                let open = async |id: &str| {
                    let pairs = [("token", alice.as_str()), ("redirectUri", CB), (name, id)];
                    let query = crate::support::encode(&pairs);
                    Browser::new().get(&format!("{}/connection-popup?{query}", app.origin)).await
                };
                let mut got = said(&open(foreign).await, foreign);
                let mut want = said(&open(stranger).await, stranger);
                for answer in [&mut got, &mut want] {
                    answer.headers.remove("set-cookie");
                }
                assert_eq!(got, want, "{name}={foreign}");
                assert!(got.headers["location"].contains("error="), "{name}={foreign}");
            }
        }
    })
    .await;
}
