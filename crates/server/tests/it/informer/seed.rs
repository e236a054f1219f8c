//! What the documentation of Informer's OAuth connections shows, example by example: its requests are sent as they
//! stand there, and what comes back has its fields, all of them and no others, in its order, with its values.
//!
//! Only ids, the provider's address and key, and the day on which it all happens are ours; they are turned into the
//! documentation's before the texts are compared.

mod scene;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use claviger_engine::{
    domain::{
        integration::Config,
        share::{Level, Principal},
    },
    id::{FlowId, IntegrationId},
    time::Millis,
};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use self::scene::{Drive, Scene};
use super::{Someone, ask, assert_problem, send, someone};
use crate::support::{
    Answer, Browser, Leg, Options, TestApp, Upstream,
    app::{at, new_integration},
    names, on_each_with,
    sandbox::CLIENT,
    upstream::{Head, say},
    value,
};

/// `GET /api/integrations/{id}/connection`.
const CONNECTION: &str = r#"{
  "id": "conn-abc-123",
  "integrationId": "integration-abc-123",
  "ownerId": "alice",
  "isShared": false,
  "tokenExpiresAt": "2024-02-10T14:30:00Z",
  "refreshTokenExpiresAt": "2024-03-10T14:30:00Z",
  "lastAuthorizedAt": "2024-02-09T10:00:00Z",
  "apiBaseUri": "https://www.googleapis.com/drive/v3",
  "data": {},
  "createdAt": "2024-01-15T09:00:00Z",
  "updatedAt": "2024-02-09T10:00:00Z"
}"#;

/// `GET /api/integration-connections`.
const CONNECTIONS: &str = r#"{
  "_links": {
    "self": { "href": "/api/integration-connections" }
  },
  "_embedded": {
    "inf:integration-connection": [
      {
        "id": "conn-abc-123",
        "integrationId": "integration-abc-123",
        "ownerId": "alice",
        "isShared": false,
        "tokenExpiresAt": "2024-02-10T14:30:00Z",
        "lastAuthorizedAt": "2024-02-09T10:00:00Z",
        "_embedded": {
          "inf:integration": {
            "id": "integration-abc-123",
            "name": "Google Drive - Engineering",
            "type": "google-drive"
          }
        }
      }
    ]
  },
  "start": 0,
  "count": 1,
  "total": 1
}"#;

/// The body of `POST /api/integrations/{id}/request`.
const REQUEST: &str = r#"{
  "method": "GET",
  "url": "/files?pageSize=10",
  "headers": {
    "Accept": "application/json"
  }
}"#;

/// `GET /api/integrations/{id}/request/{path*}`.
const REQUEST_PATH: &str = "/api/integrations/my-integration/request/files?pageSize=10";

/// When the documentation's connection was made.
const MADE: &str = "2024-01-15T09:00:00Z";
/// How long after that it was authorized anew.
const UNTIL_ANEW: Duration = Duration::from_secs(25 * 86_400 + 3_600);
/// How long its tokens hold from then on, in seconds.
const HOLDS: u64 = 28 * 3_600 + 1_800;
const REFRESH_HOLDS: u64 = HOLDS + 29 * 86_400;

const FILES: &str = r#"{"kind": "drive#fileList", "files": [ ]}"#;

/// Moves every instant in a body; each must be one as this door writes them.
fn shift(body: &mut Value, by: i64) {
    match body {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name.ends_with("At")) {
                    None => shift(value, by),
                    Some(text) => {
                        let at = Millis::parse_rfc3339(text).expect("an instant");
                        assert_eq!(at.rfc3339(), text, "{name}");
                        *value = Millis(at.0 + by).rfc3339().replace(".000Z", "Z").into();
                    }
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| shift(one, by)),
        _ => {}
    }
}

/// A documented text without its white space.
fn documented(text: &str) -> String {
    serde_json::from_str::<Value>(text).expect("JSON").to_string()
}

async fn share(app: &TestApp, integration: &IntegrationId, with: &Someone) {
    let (ws, to) = (&app.acme.workspace, Principal::User(with.user.id.clone()));
    app.change(async |change| change.conn.set_share(ws, integration, &to, Level::Use).await).await;
}

#[tokio::test]
async fn get_connect_redirects_to_the_authorization_page_with_a_state_of_ours() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            let mut states = Vec::new();
            for path in scene.paths("connect") {
                for path in [path.clone(), format!("{path}?state=mine")] {
                    let answer = scene.set_out(&Browser::new(), &path).await;
                    assert_eq!((answer.status.as_u16(), answer.text()), (302, ""));
                    let leg = Leg::of(answer.location());
                    assert!(leg.url.starts_with(&format!("{}/authorize?", drive.up.origin)), "{}", leg.url);
                    let mut sent = names(&leg.params);
                    sent.sort_unstable();
                    let standard = ["client_id", "redirect_uri", "response_type", "scope", "state"];
                    // What an ID token has to repeat goes along, for the scope asks for one.
                    let besides =
                        ["access_type", "code_challenge", "code_challenge_method", "nonce", "prompt"];
                    let mut all = [&standard[..], &besides].concat();
                    all.sort_unstable();
                    assert_eq!(sent, all, "each once");
                    assert_eq!(value(&leg.params, "response_type"), "code");
                    assert_eq!(value(&leg.params, "client_id"), CLIENT);
                    assert_eq!(leg.redirect_uri(), format!("{}/oauth2/callback", app.origin));
                    let scope = "https://www.googleapis.com/auth/drive.file openid email";
                    assert_eq!(value(&leg.params, "scope"), scope);
                    states.push(leg.state().to_owned());
                }
            }
            assert!(states.iter().all(|state| state.len() == 43), "made here: {states:?}");
            states.sort_unstable();
            states.dedup();
            assert_eq!(states.len(), 4, "and anew for each");
            app.assert_nothing_connected(&app.acme).await;
        },
    )
    .await;
}

#[tokio::test]
async fn the_callback_exchanges_the_code_and_redirects_to_the_success_page() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            drive.taken("/token");
            let page = scene.come_back(&[("code", "4/alices")]).await;
            assert_eq!(page.status, 200, "{}", page.text());
            assert!(page.text().contains("Google Drive - Engineering is connected"), "{}", page.text());
            let exchanges = drive.taken("/token");
            let [form] = exchanges.as_slice() else { panic!("one exchange: {exchanges:?}") };
            assert_eq!(
                (form["grant_type"].as_str(), form["code"].as_str()),
                ("authorization_code", "4/alices")
            );
            assert_eq!(form["redirect_uri"], format!("{}/oauth2/callback", app.origin));
            let connections = app.connections(&app.acme).await;
            let [connection] = connections.as_slice() else { panic!("one connection") };
            assert_eq!(connection.owner.key.as_deref(), Some("alice"));
        },
    )
    .await;
}

#[tokio::test]
async fn the_callback_redirects_to_the_error_page_with_what_the_provider_said() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            drive.taken("/token");
            let said = "The user said no";
            let page = scene.come_back(&[("error", "access_denied"), ("error_description", said)]).await;
            page.assert_page(400, "Google Drive - Engineering is not connected");
            assert!(page.text().contains(said), "{}", page.text());
            assert_eq!(drive.taken("/token"), []);
            app.assert_nothing_connected(&app.acme).await;

            // A state that was not made here has no page of its own to go to.
            let made_up = format!("{}/oauth2/callback?code=4%2Fx&state={}", app.origin, "A".repeat(43));
            Browser::new().get(&made_up).await.assert_refused("a made-up state");
            assert_eq!(drive.taken("/token"), []);
        },
    )
    .await;
}

#[tokio::test]
async fn post_connect_takes_a_code_or_a_refresh_token_and_answers_with_the_connection() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            let fields: Value = serde_json::from_str(CONNECTION).unwrap();
            let fields: Vec<_> = fields.as_object().unwrap().keys().collect();
            for (path, body) in scene
                .paths("connect")
                .iter()
                .zip([json!({ "code": "4/brought" }), json!({ "refreshToken": "canary_brought" })])
            {
                let made = ask(app, &scene.alice.token, Method::POST, path, Some(&body)).await;
                assert_eq!(made.status, 201, "{}", made.text());
                assert_eq!(made.json().as_object().unwrap().keys().collect::<Vec<_>>(), fields);
                let at = made.location().to_owned();
                let shown = scene.ask(Method::GET, &at).await;
                assert_eq!((shown.status.as_u16(), shown.text()), (200, made.text()));
            }
            assert_eq!(app.connections(&app.acme).await.len(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn get_connection_answers_as_documented() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            let made = scene.connect().await;
            for path in scene.paths("connection") {
                let answer = scene.ask(Method::GET, &path).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(answer.header("content-type"), Some("application/json"));
                assert_eq!(scene.as_documented(&answer, made, &drive).await, documented(CONNECTION));
            }
        },
    )
    .await;
}

#[tokio::test]
async fn get_integration_connections_answers_as_documented() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            let made = scene.connect().await;
            // Bob's is not alice's to see.
            let bob = someone(app, &app.acme, "bob", &[]).await;
            share(app, &scene.integration, &bob).await;
            let answer = scene.ask(Method::GET, "/api/integration-connections").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(scene.as_documented(&answer, made, &drive).await, documented(CONNECTIONS));
            let path = &scene.paths("connect")[0];
            let his = ask(app, &bob.token, Method::POST, path, Some(&json!({ "code": "4/bobs" }))).await;
            assert_eq!(his.status, 201, "{}", his.text());
            let again = scene.ask(Method::GET, "/api/integration-connections").await;
            assert_eq!(again.text(), answer.text());
        },
    )
    .await;
}

#[tokio::test]
async fn delete_connection_revokes_the_token_and_deletes_the_record() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            for path in scene.paths("connection") {
                scene.come_back(&[("code", "4/alices")]).await;
                drive.taken("/revoke");
                let gone = scene.ask(Method::DELETE, &path).await;
                assert_eq!((gone.status.as_u16(), gone.text()), (204, ""));
                let revoked = drive.taken("/revoke");
                assert!(revoked.iter().any(|form| form["token"] == "canary_drive_access"), "{revoked:?}");
                assert_eq!(app.connections(&app.acme).await.len(), 0);
                assert_problem(&scene.ask(Method::GET, &path).await, 404, "connection");
                assert_problem(&scene.ask(Method::DELETE, &path).await, 404, "connection");
                // What uses the integration fails until it is connected again.
                assert_problem(&scene.ask(Method::GET, REQUEST_PATH).await, 404, "connect first");
            }
            let list = scene.ask(Method::GET, "/api/integration-connections").await.json();
            assert_eq!(
                (&list["_embedded"], &list["total"]),
                (&json!({ "inf:integration-connection": [] }), &json!(0))
            );
        },
    )
    .await;
}

#[tokio::test]
async fn without_a_revocation_uri_the_record_is_deleted_all_the_same() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            let config = Config { revoke_url: None, ..at(&drive.up.origin) };
            let bare = app.integrate_as(&app.acme, new_integration("bare", "oauth2", config)).await;
            share(app, &bare, &scene.alice).await;
            let (path, body) = ("/api/integrations/bare/connect", json!({ "code": "4/brought" }));
            assert_eq!(ask(app, &scene.alice.token, Method::POST, path, Some(&body)).await.status, 201);
            let gone = scene.ask(Method::DELETE, "/api/integrations/bare/connection").await;
            assert_eq!(gone.status, 204, "{}", gone.text());
            assert_eq!(drive.taken("/revoke"), []);
            assert_eq!(app.connections(&app.acme).await.len(), 0);
        },
    )
    .await;
}

/// Asserts that a call went to the provider as documented, and that its answer came back.
#[track_caller]
fn assert_proxied(answer: &Answer, drive: &Drive) {
    assert_eq!((answer.status.as_u16(), answer.text()), (200, FILES), "as the provider wrote it");
    assert_eq!(answer.header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(answer.header("x-goog"), Some("yes"));
    let call = drive.call();
    assert_eq!((call.method.as_str(), call.target.as_str()), ("GET", "/drive/v3/files?pageSize=10"));
    assert_eq!(call.all("authorization"), ["Bearer canary_drive_access"]);
}

#[tokio::test]
async fn post_request_is_made_as_its_example_says() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            scene.come_back(&[("code", "4/alices")]).await;
            for path in scene.paths("request") {
                let body = Bytes::from_static(REQUEST.as_bytes());
                let token = &scene.alice.token;
                let answer = send(app, token, Method::POST, &path, "application/json", body).await;
                assert_proxied(&answer, &drive);
                assert_eq!(drive.call().all("accept"), ["application/json"]);
                // The method goes without saying, and the headers may be left out.
                let bare = json!({ "url": "/files?pageSize=10" });
                assert_proxied(&ask(app, token, Method::POST, &path, Some(&bare)).await, &drive);
            }
        },
    )
    .await;
}

#[tokio::test]
async fn get_request_goes_to_the_base_and_the_path_byte_for_byte() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            scene.come_back(&[("code", "4/alices")]).await;
            assert_proxied(&scene.ask(Method::GET, REQUEST_PATH).await, &drive);
            let [by_id, _] = scene.paths("request/files?pageSize=10");
            assert_proxied(&scene.ask(Method::GET, &by_id).await, &drive);
            for rest in ["a%2Fb//c%20d", "files/?q=name+%3D+'x'&fields=files(id,name)&&=", "%E2%9C%93?x=%e2"]
            {
                let [_, path] = scene.paths(&format!("request/{rest}"));
                assert_eq!(scene.ask(Method::GET, &path).await.status, 404, "the provider's own answer");
                assert_eq!(drive.call().target, format!("/drive/v3/{rest}"));
            }
        },
    )
    .await;
}

#[tokio::test]
async fn authentication_is_required_where_it_is_documented_to_be() {
    let drive = Drive::start().await;
    on_each_with(
        || drive.options(),
        async |app| {
            let scene = Scene::set(app).await;
            scene.come_back(&[("code", "4/alices")]).await;
            let [path, _] = scene.paths("");
            let calls = drive.up.seen().len();
            for (method, path) in [
                (Method::GET, format!("{path}connect")),
                (Method::POST, format!("{path}connect")),
                (Method::GET, format!("{path}connection")),
                (Method::DELETE, format!("{path}connection")),
                (Method::GET, "/api/integration-connections".to_owned()),
                (Method::POST, format!("{path}request")),
                (Method::GET, REQUEST_PATH.to_owned()),
            ] {
                let body: Value = serde_json::from_str(REQUEST).unwrap();
                let body = Some(body).filter(|_| method == Method::POST);
                assert_problem(&ask(app, "", method, &path, body.as_ref()).await, 401, "");
            }
            assert_eq!(drive.up.seen().len(), calls, "and the provider hears of none");
        },
    )
    .await;
}
