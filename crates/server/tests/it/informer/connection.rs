//! What a user has connected: seen, listed and ended, by whom it is and by nobody else.

use std::time::Duration;

use claviger_engine::{
    domain::{
        connection::Status,
        integration::Mode,
        share::{Level, Principal},
    },
    id::{ConnectionId, IntegrationId},
    setup::NewIntegration,
};
use http::Method;
use serde_json::{Value, json};

use super::{Someone, ask, assert_problem, send, someone};
use crate::{
    refresh::mint::Mint,
    support::{
        Answer, Stub, TestApp,
        app::{ALL, at, new_integration},
        on_each,
        stub::Reply,
    },
};

const PATH: &str = "/api/integrations/it/connection";

/// An integration at a provider that takes any code, shared with these.
async fn integrate(app: &TestApp, key: &str, mode: Mode, origin: &str, with: &[&Someone]) -> IntegrationId {
    let input = NewIntegration { mode, ..new_integration(key, "oauth2", at(origin)) };
    let id = app.integrate_as(&app.acme, input).await;
    for one in with {
        share(app, &id, one).await;
    }
    id
}

async fn share(app: &TestApp, id: &IntegrationId, with: &Someone) {
    let (ws, to) = (&app.acme.workspace, Principal::User(with.user.id.clone()));
    app.change(async |change| change.conn.set_share(ws, id, &to, Level::Use).await.map(drop)).await;
}

async fn get(app: &TestApp, who: &Someone, path: &str) -> Answer {
    ask(app, &who.token, Method::GET, path, None).await
}

async fn end(app: &TestApp, who: &Someone, path: &str) -> Answer {
    ask(app, &who.token, Method::DELETE, path, None).await
}

/// Connects with a code that has to be taken; gives the connection's id.
async fn connect(app: &TestApp, who: &Someone, key: &str) -> String {
    let path = format!("/api/integrations/{key}/connect");
    let answer = ask(app, &who.token, Method::POST, &path, Some(&json!({ "code": "canary-code" }))).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

fn id_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let all = answer.json()["_embedded"]["inf:integration-connection"].clone();
    all.as_array().expect("a list").iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn each_user_has_a_connection_of_its_own() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "Alice", &[]).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let root = someone(app, &app.acme, "root", &[]).await;
        let mint = Mint::start().await;
        integrate(app, "it", Mode::PerUser, &mint.up.origin, &[&alice, &bob]).await;
        assert_problem(&get(app, &alice, PATH).await, 404, "connection not found");
        assert_problem(&end(app, &alice, PATH).await, 404, "connection not found");
        let (hers, his) = (connect(app, &alice, "it").await, connect(app, &bob, "it").await);
        assert_ne!(hers, his);
        assert_eq!(id_of(&get(app, &alice, PATH).await), hers);
        assert_eq!(id_of(&get(app, &bob, PATH).await), his);
        assert_problem(&get(app, &root, PATH).await, 404, "connection not found");

        let of = |name: &str| format!("{PATH}?ownerId={name}");
        assert_eq!(id_of(&get(app, &alice, &of("alice")).await), hers, "names are compared folded");
        for path in [of("Alice"), of("user:alice"), of("nobody")] {
            assert_problem(&get(app, &bob, &path).await, 403, "superuser");
            assert_problem(&end(app, &bob, &path).await, 403, "superuser");
        }
        assert_eq!(id_of(&get(app, &root, &of("ALICE")).await), hers);
        assert_eq!(id_of(&get(app, &root, &of("user:bob")).await), his);
        assert_problem(&get(app, &root, &of("nobody")).await, 404, "connection not found");
        assert_problem(&get(app, &root, &format!("{PATH}?ownerId=bob&ownerId=Alice")).await, 400, "ownerId");

        assert_eq!(end(app, &root, &of("alice")).await.status, 204);
        assert_problem(&get(app, &alice, PATH).await, 404, "connection not found");
        let answer = end(app, &bob, PATH).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
        assert_eq!(app.connections(&app.acme).await.len(), 0);
        let revoked = mint.up.seen().iter().filter(|seen| seen.target == "/revoke").count();
        assert_eq!(revoked, 2, "the last of the account's: its refresh token and its access token");
        let audits = app.read().await.audits(&app.acme.workspace, &ALL).await.unwrap();
        let row = audits.iter().find(|row| row.verb == "connection.delete" && row.target == hers);
        assert_eq!(row.expect("an audit row").actor, format!("user:{}", root.user.id));
    })
    .await;
}

#[tokio::test]
async fn a_shared_connection_is_everybodys_to_see_and_its_makers_to_end() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let root = someone(app, &app.acme, "root", &[]).await;
        let stub = Stub::start().await;
        integrate(app, "it", Mode::Shared, &stub.origin, &[&alice, &bob]).await;
        let of = |name: &str| format!("{PATH}?ownerId={name}");
        for ender in [&alice, &root] {
            let id = connect(app, &alice, "it").await;
            for who in [&alice, &bob, &root] {
                let answer = get(app, who, PATH).await;
                assert_eq!(id_of(&answer), id);
                let shown = answer.json();
                assert_eq!((&shown["isShared"], &shown["ownerId"]), (&json!(true), &json!("alice")));
                assert_eq!(ids(&get(app, who, "/api/integration-connections").await), [id.as_str()]);
            }
            assert_eq!(id_of(&get(app, &bob, &of("alice")).await), id);
            assert_problem(&get(app, &bob, &of("bob")).await, 404, "connection not found");
            assert_problem(&end(app, &bob, PATH).await, 403, "superuser");
            assert_problem(&end(app, &root, &of("bob")).await, 404, "connection not found");
            assert_eq!(end(app, ender, PATH).await.status, 204);
            for who in [&alice, &bob, &root] {
                assert_problem(&get(app, who, PATH).await, 404, "connection not found");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_and_a_list_have_the_fields_of_the_contract() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let stub = Stub::start().await;
        let drive = integrate(app, "drive", Mode::PerUser, &stub.origin, &[&alice]).await;
        let path = "/api/integrations/drive/connection";
        let made = app.broker.clock.now();
        connect(app, &alice, "drive").await;
        app.pass(Duration::from_secs(60));
        let id = connect(app, &alice, "drive").await;
        let (now, hour) = (app.broker.clock.now(), app.broker.clock.now().plus(Duration::from_secs(3600)));
        let answer = get(app, &alice, path).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let base = format!("{}/api", stub.origin);
        let want = format!(
            r#"{{"id":"{id}","integrationId":"{drive}","ownerId":"alice","isShared":false,"tokenExpiresAt":"{hour}","refreshTokenExpiresAt":null,"lastAuthorizedAt":"{now}","apiBaseUri":"{base}","data":{{}},"createdAt":"{made}","updatedAt":"{now}"}}"#,
            hour = hour.rfc3339(),
            now = now.rfc3339(),
            made = made.rfc3339(),
        );
        assert_eq!(answer.text(), want, "the order is the contract's too");
        assert_eq!(get(app, &alice, &format!("/api/integrations/{drive}/connection")).await.text(), want);

        let listed = get(app, &alice, "/api/integration-connections").await.json();
        let item = json!({
            "id": id, "integrationId": drive.as_str(), "ownerId": "alice", "isShared": false,
            "tokenExpiresAt": hour.rfc3339(), "lastAuthorizedAt": now.rfc3339(),
            "_embedded": { "inf:integration": { "id": drive.as_str(), "name": "drive", "type": "oauth2" } },
        });
        let mut want = json!({
            "_links": { "self": { "href": "/api/integration-connections" } },
            "_embedded": { "inf:integration-connection": [item] },
            "start": 0, "count": 1, "total": 1,
        });
        let name = app.integration(&app.acme, &drive).await.name;
        want["_embedded"]["inf:integration-connection"][0]["_embedded"]["inf:integration"]["name"] = json!(name);
        assert_eq!(listed, want);

        let of = ConnectionId::parse(&id).unwrap();
        app.change(async |to| {
            let (status, reason) = (Status::NeedsReauth, Some("invalid_grant: gone"));
            to.conn.set_connection_status(&app.acme.workspace, &of, status, reason, now).await
        })
        .await;
        let shown = get(app, &alice, path).await.json();
        assert_eq!((&shown["needsAuthorization"], &shown["reason"]), (&json!(true), &json!("invalid_grant: gone")));
        let listed = get(app, &alice, "/api/integration-connections").await.json();
        assert_eq!(listed["_embedded"]["inf:integration-connection"][0]["needsAuthorization"], true);
    })
    .await;
}

#[tokio::test]
async fn a_list_comes_in_stretches_newest_first() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let stub = Stub::start().await;
        let path = "/api/integration-connections";
        assert_eq!(get(app, &alice, path).await.json()["total"], 0);
        let mut made = Vec::new();
        for key in ["one", "two", "three"] {
            integrate(app, key, Mode::PerUser, &stub.origin, &[&alice, &bob]).await;
            app.pass(Duration::from_secs(1));
            made.insert(0, connect(app, &alice, key).await);
        }
        connect(app, &bob, "one").await;
        assert_eq!(ids(&get(app, &alice, path).await), made);
        let first = get(app, &alice, &format!("{path}?limit=2")).await;
        assert_eq!(ids(&first), made[..2]);
        let first = first.json();
        assert_eq!((&first["start"], &first["count"], &first["total"]), (&json!(0), &json!(2), &json!(3)));
        let next = first["_links"]["next"]["href"].as_str().expect("there is more").to_owned();
        let second = get(app, &alice, &next).await;
        assert_eq!(ids(&second), made[2..]);
        assert_eq!(second.json()["_links"].get("next"), None);
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("start=-1", "start"),
            ("start=1&start=1", "start"),
        ] {
            assert_problem(&get(app, &alice, &format!("{path}?{query}")).await, 400, field);
        }
        let request = http::Request::get(format!("{}{path}", app.origin));
        let request = request.header("authorization", format!("Bearer {}", alice.token));
        let request = request.header("accept", "application/json");
        let answer = crate::support::Browser::new().send(request, Default::default()).await.json();
        assert_eq!(answer["items"], answer["_embedded"]["inf:integration-connection"]);
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(3));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_visible_any_more_can_only_be_taken_back() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let root = someone(app, &app.acme, "root", &[]).await;
        let stub = Stub::start().await;
        let id = integrate(app, "it", Mode::PerUser, &stub.origin, &[&alice]).await;
        let made = connect(app, &alice, "it").await;
        let (ws, to) = (&app.acme.workspace, Principal::User(alice.user.id.clone()));
        app.change(async |change| change.conn.delete_share(ws, &id, &to).await).await;
        assert_problem(&get(app, &alice, PATH).await, 404, "integration not found");
        assert_problem(&end(app, &bob, PATH).await, 404, "integration not found");
        assert_eq!(get(app, &alice, "/api/integration-connections").await.json()["total"], 0);
        share(app, &id, &alice).await;
        assert_eq!(id_of(&get(app, &alice, PATH).await), made, "it comes back with the share");
        app.change(async |change| change.conn.delete_share(ws, &id, &to).await).await;
        assert_eq!(end(app, &root, &format!("{PATH}?ownerId=alice")).await.status, 204);
        assert_eq!(app.connections(&app.acme).await.len(), 0);
        assert_problem(&end(app, &alice, PATH).await, 404, "integration not found");

        // It is alice's account: she takes it back herself, whoever took the share away.
        share(app, &id, &alice).await;
        connect(app, &alice, "it").await;
        app.change(async |change| change.conn.delete_share(ws, &id, &to).await).await;
        assert_eq!(end(app, &alice, PATH).await.status, 204);
        assert_eq!(app.connections(&app.acme).await.len(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_end_goes_through_whatever_the_provider_says() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let stub = Stub::start().await;
        integrate(app, "it", Mode::PerUser, &stub.origin, &[&alice]).await;
        for (reply, outcome) in [
            (Reply::json("{}"), "revoked"),
            (Reply::Say(500, "text/plain", "no".into()), "failed"),
            (Reply::Break, "failed"),
            (Reply::oauth_error(400, "unsupported_token_type"), "unsupported"),
        ] {
            stub.reply("/revoke", reply);
            let id = connect(app, &alice, "it").await;
            app.pass(Duration::from_secs(1));
            assert_eq!(end(app, &alice, PATH).await.status, 204);
            let rows = app.read().await.revocations(&app.acme.workspace, &ALL).await.unwrap();
            let row = rows.iter().find(|row| row.connection_id.as_str() == id).expect("a revocation");
            assert_eq!(row.outcome, outcome, "{}", row.detail);
            let told = app.events(&app.acme).await.remove(0);
            assert_eq!(told.data["revocation"], outcome);
            assert_problem(&get(app, &alice, PATH).await, 404, "connection not found");
        }
    })
    .await;
}

/// Whoever may edit an integration could otherwise have everybody's tokens sent to a place of its own.
#[tokio::test]
async fn an_integration_that_was_pointed_elsewhere_is_not_shown_the_old_tokens() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let (stub, elsewhere) = (Stub::start().await, Stub::start().await);
        let id = integrate(app, "it", Mode::PerUser, &stub.origin, &[&alice]).await;
        connect(app, &alice, "it").await;
        app.reconfigure(&app.acme, &id, |config| {
            config.revoke_url = Some(format!("{}/revoke", elsewhere.origin));
        })
        .await;
        assert_eq!(get(app, &alice, PATH).await.json()["needsAuthorization"], true);
        assert_eq!(end(app, &alice, PATH).await.status, 204);
        assert_eq!(elsewhere.seen().len(), 0);
        let rows = app.read().await.revocations(&app.acme.workspace, &ALL).await.unwrap();
        assert_eq!(rows[0].outcome, "skipped", "{}", rows[0].detail);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_only_reads_sees_and_does_not_end() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let stub = Stub::start().await;
        integrate(app, "it", Mode::PerUser, &stub.origin, &[&alice]).await;
        let id = connect(app, &alice, "it").await;
        let token = super::token(app, &app.acme, &alice.user.id, true).await;
        let reader = Someone { token, ..alice };
        assert_eq!(id_of(&get(app, &reader, PATH).await), id);
        assert_eq!(ids(&get(app, &reader, "/api/integration-connections").await), [id]);
        assert_problem(&end(app, &reader, PATH).await, 403, "only reads");
        for path in [PATH, "/api/integration-connections"] {
            assert_problem(&send(app, "", Method::GET, path, "", Default::default()).await, 401, "");
        }
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn another_doors_connections_are_not_here() {
    on_each(async |app| {
        let root = someone(app, &app.acme, "root", &[]).await;
        let stub = Stub::start().await;
        crate::support::upstream::connect(app, &stub.origin).await;
        let made = app.connections(&app.acme).await.remove(0);
        let path = format!("/api/integrations/{}/connection", made.integration_id);
        assert_problem(&get(app, &root, &path).await, 404, "connection not found");
        assert_problem(&end(app, &root, &path).await, 404, "connection not found");
        assert_eq!(get(app, &root, "/api/integration-connections").await.json()["total"], 0);
        let id = integrate(app, "it", Mode::PerUser, &stub.origin, &[]).await;
        let hers: Value = connect(app, &root, "it").await.into();
        let listed = ask(app, &app.acme.key, Method::GET, "/v1/connections", None).await.json();
        assert!(listed.as_array().expect("a list").iter().all(|one| one["id"] != hers), "{listed}");
        let path = format!("/v1/connections/{}", hers.as_str().unwrap());
        assert_eq!(ask(app, &app.acme.key, Method::GET, &path, None).await.status, 404);
        assert_eq!(app.integration(&app.acme, &id).await.mode, Mode::PerUser);
    })
    .await;
}

#[tokio::test]
async fn what_users_make_and_connect_is_nothing_at_the_other_door() {
    on_each(async |app| {
        let alice = someone(app, &app.acme, "alice", &[]).await;
        let stub = Stub::start().await;
        stub.reply("/me", Reply::json("{}"));
        let id = integrate(app, "it", Mode::PerUser, &stub.origin, &[&alice]).await;
        let made = connect(app, &alice, "it").await;
        let called = app.call(&app.acme.key, &format!("Bearer {made}"), "/me").await;
        called.assert_problem(400, "connection_invalid");

        let wish = [("integration_id", "it")];
        let begin = async || crate::support::Browser::new().get(&app.authorize_url(&app.acme, &wish)).await;
        assert_eq!(begin().await.status, 302, "an operator's is offered");
        let (ws, owner) = (&app.acme.workspace, Principal::User(alice.user.id.clone()));
        app.change(async |to| to.conn.set_integration_owner(ws, &id, Some(&owner)).await).await;
        begin().await.assert_page(400, "integration_id");
    })
    .await;
}
