//! Bad input at every endpoint of this door that answers JSON, as its document has them: odd bodies, parameters and paths
//! are clear refusals in the door's shape, none is a 5xx of ours, and nothing of what came in is repeated.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{admin, ask, customer, planted::plant, send};
use crate::{
    bad_input::{ODD_PARAMETERS, ODD_PATHS, odd_bodies},
    openapi::{Operation, membrane},
    support::{Answer, TestApp, on_each},
};

/// An operation, with a request that is right.
struct Right {
    operation: Operation,
    path: String,
    body: Option<Value>,
}

/// What stands for each name in a path.
fn filled(path: &str) -> String {
    let path = path.replace("{selector}", "sandbox").replace("{path}", "me");
    path.replace("{id}", "cus_00000000000000000000000000000000")
}

/// A body that is right.
fn body(operation: &Operation) -> Option<Value> {
    match (operation.method.as_str(), operation.path.as_str()) {
        ("POST", "/connections") => Some(json!({ "integrationKey": "sandbox", "name": "New" })),
        ("POST", "/connection-options") => Some(json!({ "integrationKey": "sandbox" })),
        ("PATCH" | "PUT", "/connections/{selector}" | "/customers/{id}") => Some(json!({ "name": "New" })),
        ("POST", "/customers") => Some(json!({ "internalId": "new", "name": "New" })),
        ("PATCH", "/self") => Some(json!({ "credentials": {} })),
        _ => None,
    }
}

/// Every operation but the pages and the stream, which are looked at elsewhere; what ends something comes last.
fn everything() -> Vec<Right> {
    let right = |operation: Operation| {
        let (path, body) = (filled(&operation.path), body(&operation));
        assert!(body.is_some() || operation.fields.is_empty(), "{} has no right body here", operation.path);
        Right { operation, path, body }
    };
    let json = |operation: &Operation| !operation.is_page() && !operation.path.starts_with("/sse/");
    let mut all: Vec<_> = membrane().into_iter().filter(json).map(right).collect();
    assert!(all.len() > 20, "the document is read: {}", all.len());
    let ends = |one: &Right| one.operation.method == Method::DELETE || one.path.ends_with("/disconnect");
    all.sort_by_key(|one| (ends(one), std::cmp::Reverse(one.path.len())));
    all
}

/// Asserts that an answer is fine, the provider's, or a refusal in the door's shape.
#[track_caller]
fn assert_in_shape(answer: &Answer, at: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{at}");
    if answer.header("content-security-policy") == Some("sandbox") {
        return;
    }
    assert!(!answer.status.is_server_error(), "{at}: {}", answer.status);
    if !answer.status.is_client_error() {
        return;
    }
    let said = answer.json();
    assert!(said["type"].is_string() && said["message"].is_string(), "{at}: {said}");
    assert!(!answer.text().contains("canary"), "{at}: {said}");
}

/// Who may call.
struct Callers {
    alice: String,
    admin: String,
}

impl Callers {
    async fn new(app: &TestApp) -> Self {
        plant(app, &app.acme, "sandbox", "alice", "canary_token").await;
        Self { alice: customer(app, &app.acme, "alice").await, admin: admin(app, &app.acme).await }
    }

    fn of(&self, path: &str) -> &str {
        if path.starts_with("/customer") { &self.admin } else { &self.alice }
    }
}

#[tokio::test]
async fn no_body_makes_the_door_fail() {
    on_each(async |app| {
        let callers = Callers::new(app).await;
        let mut refused = 0;
        for Right { operation, path, body } in everything() {
            if operation.path.contains("{path}") {
                continue;
            }
            let (method, strange) = (&operation.method, ["nosuch", ""].map(str::to_owned));
            let fields: Vec<_> = operation.fields.iter().cloned().chain(strange).collect();
            let good = body.unwrap_or_else(|| json!({}));
            for body in odd_bodies(&good, &fields) {
                let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
                let token = callers.of(&path);
                let answer = send(app, token, method.clone(), &path, "application/json", body).await;
                refused += usize::from(answer.status == 400);
                assert_in_shape(&answer, &format!("{method} {path} {shown}"));
            }
        }
        assert!(refused > 200, "they are looked at: {refused}");
    })
    .await;
}

#[tokio::test]
async fn no_parameter_makes_the_door_fail() {
    on_each(async |app| {
        let callers = Callers::new(app).await;
        let (long, mut refused) = ("a".repeat(5000), 0);
        for Right { operation, path, .. } in everything() {
            let Operation { method, query, .. } = operation;
            if !method.is_safe() || path.contains("/proxy/") {
                continue;
            }
            let strange = ["nosuch", "", "%ff"].map(str::to_owned);
            for name in query.iter().chain(&strange) {
                for text in ODD_PARAMETERS.iter().copied().chain([long.as_str()]) {
                    for query in [format!("{name}={text}"), format!("{name}={text}&{name}=1")] {
                        let asked = format!("{path}?{query}");
                        let answer = ask(app, callers.of(&path), method.clone(), &asked, None).await;
                        refused += usize::from(answer.status == 400);
                        assert_in_shape(&answer, &format!("{method} {}", &asked[..asked.len().min(120)]));
                    }
                }
            }
        }
        assert!(refused > 200, "they are looked at: {refused}");
    })
    .await;
}

#[tokio::test]
async fn no_path_makes_the_door_fail() {
    on_each(async |app| {
        let callers = Callers::new(app).await;
        let long = "a".repeat(5000);
        for Right { operation, path, body } in everything() {
            let method = &operation.method;
            let varies = operation.path.split('/').enumerate().filter(|(_, part)| part.starts_with('{'));
            // What stands behind `proxy/` is the provider's.
            for (nth, _) in varies.filter(|(_, part)| *part != "{path}") {
                for text in ODD_PATHS.iter().copied().chain([long.as_str()]) {
                    let mut parts: Vec<_> = path.split('/').collect();
                    parts[nth] = text;
                    let asked = parts.join("/");
                    let bytes = body.as_ref().map(|body| Bytes::from(body.to_string())).unwrap_or_default();
                    let kind = "application/json";
                    let answer = send(app, callers.of(&path), method.clone(), &asked, kind, bytes).await;
                    let at = format!("{method} {}", &asked[..asked.len().min(120)]);
                    assert_in_shape(&answer, &at);
                    assert!([404, 400].contains(&answer.status.as_u16()), "{at}: {}", answer.status);
                    assert!(!answer.text().contains("<script>"), "{at}: {}", answer.text());
                }
            }
        }
    })
    .await;
}
