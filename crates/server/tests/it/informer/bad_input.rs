//! Bad input at every endpoint of this door, as its document has them: odd bodies, parameters and paths are clear
//! refusals in the door's shape, none is a 5xx of ours, and nothing of what came in is repeated.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::{Someone, ask, send, someone};
use crate::{
    bad_input::{ODD_PARAMETERS, ODD_PATHS, odd_bodies},
    openapi::{Operation, informer},
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
    let path = path.replace("{principalId}", "root-2").replace("{username}", "root").replace("{path}", "me");
    let path = path.replace("{domain}", "local");
    let tokens = path.starts_with("/api/tokens");
    path.replace("{id}", if tokens { "tok_00000000000000000000000000000000" } else { "sandbox" })
}

/// A body that is right.
fn body(operation: &Operation) -> Option<Value> {
    let last = operation.path.rsplit('/').next().unwrap_or_default();
    match (operation.method.as_str(), last) {
        ("POST", "login" | "{domain}") => Some(json!({ "username": "nobody", "password": "wrong password" })),
        ("POST", "integrations") => {
            Some(json!({ "name": "New", "authType": "bearer", "apiBaseUri": "https://a.test" }))
        }
        ("POST", "connect") => Some(json!({ "refreshToken": "nosuch" })),
        ("POST", "request") => Some(json!({ "url": "/me" })),
        ("POST", "tokens") => Some(json!({ "name": "new" })),
        ("POST", "preview") => Some(json!({ "folderId": "root" })),
        ("PUT", "{id}") => Some(json!({ "description": "new" })),
        ("PUT", "owner") => Some(json!({ "ownerId": "root" })),
        ("PUT", "{principalId}") => Some(json!({ "accessLevel": 1 })),
        ("PUT", "icon") => Some(json!("no picture")),
        _ => None,
    }
}

/// Every operation; what ends something comes last.
fn everything() -> Vec<Right> {
    let right = |operation: Operation| {
        let (path, body) = (filled(&operation.path), body(&operation));
        assert!(body.is_some() || operation.fields.is_empty(), "{} has no right body here", operation.path);
        Right { operation, path, body }
    };
    let mut all: Vec<_> = informer().into_iter().map(right).collect();
    all.sort_by_key(|one| (one.operation.method == Method::DELETE, std::cmp::Reverse(one.path.len())));
    all
}

/// Asserts that an answer is fine or a refusal in the door's shape.
#[track_caller]
fn assert_in_shape(answer: &Answer, at: &str) {
    // Previews are not offered, and the sandbox is there: nothing else may be a 5xx.
    assert!(!answer.status.is_server_error() || answer.status == 501, "{at}: {}", answer.status);
    if !answer.status.is_client_error() {
        return;
    }
    let said = answer.json();
    assert_eq!(said["statusCode"].as_u64(), Some(u64::from(answer.status.as_u16())), "{at}: {said}");
    assert!(said["error"].is_string() && said["message"].is_string(), "{at}: {said}");
    assert!(!answer.text().contains("canary"), "{at}: {said}");
}

async fn root(app: &TestApp) -> Someone {
    someone(app, &app.acme, "root-2", &[]).await;
    someone(app, &app.acme, "root", &[]).await
}

#[tokio::test]
async fn no_body_makes_the_door_fail() {
    on_each(async |app| {
        let root = root(app).await;
        let mut refused = 0;
        for Right { operation, path, body } in everything() {
            let (method, strange) = (&operation.method, ["nosuch", ""].map(str::to_owned));
            let fields: Vec<_> = operation.fields.iter().cloned().chain(strange).collect();
            let good = body.filter(Value::is_object).unwrap_or_else(|| json!({}));
            for body in odd_bodies(&good, &fields) {
                let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
                let answer = send(app, &root.token, method.clone(), &path, "application/json", body).await;
                refused += usize::from(answer.status == 400);
                assert_in_shape(&answer, &format!("{method} {path} {shown}"));
            }
        }
        assert!(refused > 300, "they are looked at: {refused}");
    })
    .await;
}

#[tokio::test]
async fn no_parameter_makes_the_door_fail() {
    on_each(async |app| {
        let root = root(app).await;
        let (long, mut refused) = ("a".repeat(5000), 0);
        for Right { operation, path, .. } in everything() {
            let Operation { method, query, .. } = operation;
            if !method.is_safe() {
                continue;
            }
            let strange = ["nosuch", "", "%ff"].map(str::to_owned);
            for name in query.iter().chain(&strange) {
                for text in ODD_PARAMETERS.iter().copied().chain([long.as_str()]) {
                    for query in [format!("{name}={text}"), format!("{name}={text}&{name}=1")] {
                        let answer =
                            ask(app, &root.token, method.clone(), &format!("{path}?{query}"), None).await;
                        refused += usize::from(answer.status == 400);
                        assert_in_shape(
                            &answer,
                            &format!("{method} {path}?{}", &query[..query.len().min(80)]),
                        );
                    }
                }
            }
        }
        assert!(refused > 150, "they are looked at: {refused}");
    })
    .await;
}

#[tokio::test]
async fn no_path_makes_the_door_fail() {
    on_each(async |app| {
        let root = root(app).await;
        let long = "a".repeat(5000);
        for Right { operation, path, body } in everything() {
            let method = &operation.method;
            let varies = operation.path.split('/').enumerate().filter(|(_, part)| part.starts_with('{'));
            // What stands behind `request/` is the provider's.
            for (nth, name) in varies.filter(|(_, part)| *part != "{path}") {
                for text in ODD_PATHS.iter().copied().chain([long.as_str()]) {
                    let mut parts: Vec<_> = path.split('/').collect();
                    parts[nth] = text;
                    let path = parts.join("/");
                    let bytes = body.as_ref().map(|body| Bytes::from(body.to_string())).unwrap_or_default();
                    let answer =
                        send(app, &root.token, method.clone(), &path, "application/json", bytes).await;
                    let at = format!("{method} {}", &path[..path.len().min(120)]);
                    assert_in_shape(&answer, &at);
                    let unknown = [404, 400].contains(&answer.status.as_u16());
                    assert!(unknown || name == "{domain}", "{at}: {}", answer.status);
                    assert!(!answer.text().contains("<script>"), "{at}: {}", answer.text());
                }
            }
        }
    })
    .await;
}
