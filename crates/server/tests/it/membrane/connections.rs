//! Connections: listed, shown, named, and made of what a product brings.

use std::{collections::BTreeSet, time::Duration};

use claviger_engine::domain::{audit::Actor, connection::Status};
use http::Method;
use serde_json::{Value, json};

use super::{
    admin, ask, assert_refused, customer,
    front::{self, KEY, WRONG_KEY, keyed},
    planted::{plant, provider, refreshes},
    token,
};
use crate::support::{Answer, TestApp, on_each, on_each_with, upstream::say};

const GET: Method = Method::GET;
const MINUTE: Duration = Duration::from_secs(60);

async fn get(app: &TestApp, token: &str, path: &str) -> Value {
    let answer = ask(app, token, GET, path, None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

async fn ids(app: &TestApp, token: &str, query: &str) -> Vec<String> {
    let listed = get(app, token, &format!("/connections?{query}")).await;
    let all = listed["items"].as_array().cloned().unwrap_or_default();
    all.iter().map(|it| it["id"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn create(app: &TestApp, token: &str, body: Value) -> Answer {
    ask(app, token, Method::POST, "/connections", Some(&body)).await
}

#[tokio::test]
async fn a_connection_is_shown_as_the_sdks_read_it() {
    on_each(async |app| {
        let alice = customer(app, &app.acme, "alice").await;
        let id = plant(app, &app.acme, "sandbox", "alice", "canary_shown").await;
        let own = get(app, &alice, "/self").await;
        let shown = get(app, &alice, &format!("/connections/{id}?includeSecrets=false")).await;
        for text in
            ["id", "name", "userId", "createdAt", "updatedAt", "integrationId", "lastActiveAt", "state"]
        {
            assert!(shown[text].is_string(), "{text}: {shown}");
        }
        assert_eq!((&shown["userId"], &shown["tenantId"]), (&own["id"], &own["id"]));
        assert_eq!((&shown["name"], &shown["integration"]["key"]), (&json!("Sandbox"), &json!("sandbox")));
        assert_eq!((&shown["connected"], &shown["disconnected"]), (&json!(true), &json!(false)));
        assert_eq!((&shown["state"], &shown["errors"]), (&json!("READY"), &json!([])));
        assert!(shown["nextCredentialsRefreshAt"].is_string(), "it expires");
        for absent in ["error", "archivedAt", "authOptionKey", "credentials", "parameters", "input"] {
            assert!(shown.get(absent).is_none(), "{absent}: {shown}");
        }
        assert!(!shown.to_string().contains("canary"), "{shown}");
        assert_eq!(get(app, &alice, "/connections").await["items"], json!([shown]));
    })
    .await;
}

#[tokio::test]
async fn a_list_shows_each_connection_as_it_is_shown_alone() {
    on_each(async |app| {
        let admin = admin(app, &app.acme).await;
        let now = app.broker.clock.now();
        for (nth, owner) in (1..).zip(["alice", "bob", "carol"]) {
            let id = plant(app, &app.acme, "sandbox", owner, "canary_listed").await;
            let (id, used) = (app.connection(&app.acme, &id).await.id, now.plus(MINUTE * nth));
            app.change(async |to| to.conn.note_used(&app.acme.workspace, &id, used).await).await;
        }
        let listed = get(app, &admin, "/connections").await;
        let listed = listed["items"].as_array().expect("a list").clone();
        let active: BTreeSet<_> = listed.iter().map(|it| it["lastActiveAt"].to_string()).collect();
        assert_eq!((listed.len(), active.len()), (3, 3), "{active:?}");
        for listed in listed {
            let id = listed["id"].as_str().unwrap_or_default();
            assert_eq!(get(app, &admin, &format!("/connections/{id}")).await, listed);
        }
    })
    .await;
}

#[tokio::test]
async fn secrets_are_nobodys_to_read() {
    on_each(async |app| {
        let alice = customer(app, &app.acme, "alice").await;
        let id = plant(app, &app.acme, "sandbox", "alice", "canary_secret").await;
        let path = format!("/connections/{id}?includeSecrets=true");
        assert_refused(&ask(app, &alice, GET, &path, None).await, 403, Some("access_denied"));
        assert_refused(
            &ask(app, &alice, GET, &format!("/connections/{id}?includeSecrets=x"), None).await,
            400,
            None,
        );
        let admin = admin(app, &app.acme).await;
        let shown = get(app, &admin, &path).await;
        assert!(shown["parameters"].is_object() && shown["input"].is_object());
        assert!(shown["connectorParameters"].is_object());
        assert!(shown.get("credentials").is_none() && !shown.to_string().contains("canary"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn a_list_is_a_customers_own_or_for_an_admin_everybodys() {
    on_each(async |app| {
        app.integrate(&app.acme, "files", &app.sandbox.origin).await;
        let other = app.tenant("Other").await;
        let mut made = Vec::new();
        for (at, (integration, who)) in
            [("sandbox", "alice"), ("files", "alice"), ("sandbox", "bob")].into_iter().enumerate()
        {
            made.push(plant(app, &app.acme, integration, who, &format!("t{at}")).await);
            app.pass(std::time::Duration::from_secs(1));
        }
        plant(app, &other, "sandbox", "alice", "theirs").await;
        let alice = customer(app, &app.acme, "alice").await;
        let (us, admin) = (get(app, &alice, "/self").await["id"].clone(), admin(app, &app.acme).await);
        let id = us.as_str().expect("an id");
        let of = |at: &[usize]| at.iter().map(|at| made[*at].clone()).collect::<Vec<_>>();
        for (token, query, expected) in [
            (&alice, String::new(), vec![1, 0]),
            (&admin, String::new(), vec![2, 1, 0]),
            (&admin, "userId=alice".to_owned(), vec![1, 0]),
            (&admin, format!("userId={id}"), vec![1, 0]),
            (&admin, format!("tenantId={id}&userId=alice"), vec![1, 0]),
            (&admin, format!("tenantId={id}&userId=bob"), vec![]),
            (&admin, "userId=nobody".to_owned(), vec![]),
            (&alice, "userId=bob".to_owned(), vec![]),
            (&alice, format!("userId={id}"), vec![1, 0]),
            (&alice, "integrationKey=files".to_owned(), vec![1]),
            (&alice, format!("integrationId={}", app.acme.integration), vec![0]),
            (&alice, "integrationId=files&integrationKey=sandbox".to_owned(), vec![]),
            (&alice, "integrationKey=none".to_owned(), vec![]),
            (&admin, "connectorId=sandbox".to_owned(), vec![2, 0]),
            (&admin, "search=FILES".to_owned(), vec![1]),
            (&admin, "connected=true".to_owned(), vec![2, 1, 0]),
            (&admin, "disconnected=true".to_owned(), vec![]),
            (&admin, "connected=true&disconnected=true".to_owned(), vec![]),
            (&admin, "isTest=true".to_owned(), vec![]),
            (&admin, "isTest=false&hash=7&unknown=1&connected=".to_owned(), vec![2, 1, 0]),
            (&admin, "limit=1&cursor=1".to_owned(), vec![1]),
        ] {
            assert_eq!(ids(app, token, &query).await, of(&expected), "{query}");
        }
        let page = get(app, &admin, "/connections?limit=3&cursor=0").await;
        assert_eq!(page["cursor"], "3", "it is full");
        assert!(get(app, &admin, "/connections?limit=3&cursor=3").await["cursor"].is_null());
        let nobody = token(app, &app.acme, json!({})).await;
        assert_refused(&ask(app, &nobody, GET, "/connections", None).await, 403, Some("access_denied"));
        for wrong in
            ["limit=0", "limit=1001", "cursor=x", "connected=maybe", "search=%00", "userId=a&userId=b"]
        {
            assert_refused(&ask(app, &alice, GET, &format!("/connections?{wrong}"), None).await, 400, None);
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_is_called_something_else() {
    on_each(async |app| {
        let (alice, admin) = (customer(app, &app.acme, "alice").await, admin(app, &app.acme).await);
        let id = plant(app, &app.acme, "sandbox", "alice", "one").await;
        let path = format!("/connections/{id}");
        for (who, method, name) in [(&alice, Method::PATCH, "Work"), (&admin, Method::PUT, "Büro")] {
            let answer = ask(app, who, method, &path, Some(&json!({ "name": name, "other": 1 }))).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["name"]), (200, &json!(name)));
            assert_eq!(get(app, &alice, &path).await["name"], name);
        }
        let unchanged = ask(app, &alice, Method::PATCH, &path, None).await;
        assert_eq!(unchanged.json()["name"], "Büro");
        for wrong in [json!({ "name": 1 }), json!({ "name": "x".repeat(257) }), json!({ "name": "a\u{7}" })] {
            let refused = ask(app, &alice, Method::PATCH, &path, Some(&wrong)).await;
            assert_refused(&refused, 400, None);
            assert_eq!(refused.json()["data"]["field"], "name");
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_makes_a_connection_once_its_provider_takes_it() {
    on_each_with(front::providers, async |app| {
        let up = front::provider().await;
        keyed(app, "keyed", "keyed", &up).await;
        let alice = customer(app, &app.acme, "alice").await;
        let of = |field: &str, key: &str| json!({ "integrationKey": "keyed", "name": "Mine", field: { "api_key": key } });
        for field in ["credentials", "input", "connectionParameters"] {
            let refused = create(app, &alice, of(field, WRONG_KEY)).await;
            assert_refused(&refused, 400, None);
            assert!(!refused.text().contains(WRONG_KEY), "{}", refused.text());
        }
        app.assert_nothing_connected(&app.acme).await;
        let made = create(app, &alice, of("input", KEY)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        assert_eq!((&made["name"], &made["connected"]), (&json!("Mine"), &json!(true)));
        assert!(!made.to_string().contains(KEY));
        // Again: the same connection, unless another one is wanted.
        assert_eq!(create(app, &alice, of("credentials", KEY)).await.json()["id"], made["id"]);
        let mut another = of("credentials", KEY);
        another["allowMultipleConnections"] = json!(true);
        let second = create(app, &alice, another).await.json();
        assert_ne!(second["id"], made["id"]);
        let path = format!("/connections/{}/proxy/x", made["id"].as_str().expect("an id"));
        assert_eq!(ask(app, &alice, GET, &path, None).await.status, 200);
        for wrong in [
            json!({}),
            json!({ "integrationKey": "keyed" }),
            json!({ "integrationKey": "keyed", "input": 1 }),
            json!({ "integrationKey": "keyed", "input": { "api_key": "short" } }),
        ] {
            assert_refused(&create(app, &alice, wrong).await, 400, None);
        }
        assert_refused(&create(app, &alice, json!({ "integrationKey": "none" })).await, 404, Some("not_found"));
        let admin = admin(app, &app.acme).await;
        assert_refused(&create(app, &admin, of("input", KEY)).await, 403, Some("access_denied"));
    })
    .await;
}

#[tokio::test]
async fn a_credential_is_put_in_place_of_an_older_one() {
    on_each_with(front::providers, async |app| {
        let up = front::provider().await;
        keyed(app, "keyed", "keyed", &up).await;
        let alice = customer(app, &app.acme, "alice").await;
        let body = json!({ "integrationKey": "keyed", "name": "Mine", "input": { "api_key": KEY } });
        let made = create(app, &alice, body).await.json();
        let path = format!("/connections/{}", made["id"].as_str().expect("an id"));
        let connection = app.connection(&app.acme, made["id"].as_str().expect("an id")).await;
        let mut conn =
            app.broker.store.begin(Actor::System, app.broker.clock.now()).await.expect("a transaction");
        let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
        conn.set_connection_status(ws, &connection.id, Status::NeedsReauth, Some("old"), now)
            .await
            .expect("set");
        conn.commit().await.expect("a commit");
        assert_eq!(get(app, &alice, &path).await["disconnected"], true);
        let anew = |key: &str| json!({ "credentials": { "api_key": key } });
        assert_refused(&ask(app, &alice, Method::PATCH, &path, Some(&anew(WRONG_KEY))).await, 400, None);
        assert_eq!(get(app, &alice, &path).await["disconnected"], true);
        let answer = ask(app, &alice, Method::PUT, &path, Some(&anew(KEY))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!((&answer.json()["id"], &answer.json()["disconnected"]), (&made["id"], &json!(false)));
        assert_eq!(answer.json()["name"], "Mine", "its name stays");
        let bob = customer(app, &app.acme, "bob").await;
        assert_refused(&ask(app, &bob, Method::PATCH, &path, Some(&anew(KEY))).await, 404, Some("not_found"));
        let admin = admin(app, &app.acme).await;
        assert_refused(
            &ask(app, &admin, Method::PATCH, &path, Some(&anew(KEY))).await,
            403,
            Some("access_denied"),
        );
    })
    .await;
}

#[tokio::test]
async fn tokens_make_a_connection_once_their_provider_refreshed_them() {
    on_each(async |app| {
        let up = provider(async |head, _| say(200, &[], head.all("authorization").join(","))).await;
        app.integrate(&app.acme, "up", &up.origin).await;
        let alice = customer(app, &app.acme, "alice").await;
        let of = |refresh: &str| {
            let credentials =
                json!({ "access_token": "brought", "refresh_token": refresh, "expires_in": 60 });
            json!({ "integrationKey": "up", "credentials": credentials })
        };
        let refused = create(app, &alice, of("refresh_dead")).await;
        assert_refused(&refused, 400, None);
        app.assert_nothing_connected(&app.acme).await;
        let made = create(app, &alice, of("refresh_good")).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(refreshes(&up), 2);
        let id = made.json()["id"].clone();
        assert_eq!(ask(app, &alice, GET, "/connections/up/proxy/x", None).await.text(), "Bearer good_again");
        // Over the one that is there: by default, and where it is named.
        assert_eq!(create(app, &alice, of("refresh_other")).await.json()["id"], id);
        let path = format!("/connections/{}", id.as_str().expect("an id"));
        let anew = json!({ "credentials": { "accessToken": "x", "refreshToken": "refresh_third" } });
        assert_eq!(ask(app, &alice, Method::PATCH, &path, Some(&anew)).await.json()["id"], id);
        assert_eq!(ask(app, &alice, GET, "/connections/up/proxy/x", None).await.text(), "Bearer third_again");
        assert_eq!(app.connections(&app.acme).await.len(), 1);
        // Without tokens there is somebody to ask.
        let refused = create(app, &alice, json!({ "integrationKey": "up" })).await;
        assert_refused(&refused, 400, None);
        assert_eq!(refused.json()["type"], "configuration");
    })
    .await;
}
