//! Integrations below `/api`: listed, made, shown, changed, deleted.

mod changes;
mod deleting;
mod lists;
mod wrong;

use claviger_engine::domain::user::Permission;
use serde_json::{Value, json};

use super::desk::{Desk, Seat};
use crate::support::{Answer, Options, Stub, TestApp, on_each, on_each_with};

const PATH: &str = "/api/integrations";
/// The clock's first instant, as this door writes it.
const T0: &str = "2026-09-21T14:13:20.000Z";

/// The contract's own example.
fn example() -> Value {
    json!({
        "name": "Google Drive - Engineering",
        "type": "google-drive",
        "description": "Files of the engineering team",
        "scope": "https://www.googleapis.com/auth/drive.readonly",
        "clientId": "client-1",
        "clientSecret": "canary_client_secret",
        "tags": ["files", "engineering"],
    })
}

/// Somebody who may make, change and delete integrations.
async fn maker(desk: &Desk<'_>, name: &str) -> Seat {
    desk.user(name, &Permission::ALL).await;
    desk.bearer(name).await
}

/// Makes an integration; gives its path.
#[track_caller]
fn made(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.header("location").expect("where it is").to_owned()
}

/// An integration with hand-entered endpoints at a stub, by which a user is connected who brings a refresh token.
fn at(stub: &Stub) -> Value {
    let origin = &stub.origin;
    json!({
        "name": "Stub",
        "authType": "oauth2",
        "clientId": "c",
        "clientSecret": "canary_first_secret",
        "authUri": format!("{origin}/authorize"),
        "tokenUri": format!("{origin}/token"),
        "revocationUri": format!("{origin}/revoke"),
        "userinfoUri": format!("{origin}/userinfo"),
        "apiBaseUri": format!("{origin}/api"),
    })
}

/// Connects somebody.
async fn connect(seat: &Seat, path: &str) {
    let done = seat.post(&format!("{path}/connect"), &json!({ "refreshToken": "canary_refresh" })).await;
    assert_eq!(done.status, 201, "{}", done.text());
}

#[tokio::test]
async fn an_integration_is_this_object_wherever_it_is_shown() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let answer = alice.post(PATH, &example()).await;
        let path = made(&answer);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let whole = answer.json();
        let id = whole["id"].as_str().expect("an id");
        assert!(id.starts_with("int_") && path == format!("{PATH}/{id}"), "{path}");
        let below = |what: &str| json!({ "href": format!("{path}/{what}") });
        let brief = json!({
            "id": id,
            "name": "Google Drive - Engineering",
            "slug": "google-drive-engineering",
            "naturalId": "google-drive-engineering",
            "type": "google-drive",
            "category": "storage",
            "description": "Files of the engineering team",
            "mode": "per-user",
            "authType": "oauth2",
            "embedded": false,
            "scope": "https://www.googleapis.com/auth/drive.readonly",
            "apiBaseUri": "https://www.googleapis.com",
            "ownerId": "alice",
            "ownerName": "alice",
            "shared": false,
            "tags": ["files", "engineering"],
            "imageUrl": "/images/icons/integrations/google-drive.svg",
            "supportsUpload": true,
            "enabled": true,
            "createdAt": T0,
            "updatedAt": T0,
        });
        let mut member = brief.clone();
        member["_links"] = json!({
            "self": { "href": path },
            "icon": below("icon"),
            "inf:connect": below("connect"),
            "inf:connection": below("connection"),
            "inf:request": below("request"),
            "inf:shares": below("shares"),
            "inf:owner": below("owner"),
        });
        member["authUri"] = json!("https://accounts.google.com/o/oauth2/v2/auth");
        member["tokenUri"] = json!("https://oauth2.googleapis.com/token");
        let mut want = member.clone();
        for (name, value) in [
            ("revocationUri", json!("https://oauth2.googleapis.com/revoke")),
            ("userinfoUri", json!("https://openidconnect.googleapis.com/v1/userinfo")),
            ("issuer", json!("https://accounts.google.com")),
            ("allowedHosts", json!([])),
            ("callbackUri", json!(format!("{}/oauth2/callback", app.origin))),
            ("clientId", json!("client-1")),
            ("hasClientSecret", json!(true)),
            ("clientAuth", Value::Null),
            ("headers", json!({})),
            ("authorizeParams", json!({})),
            ("inputs", json!({})),
            ("apiKey", Value::Null),
            ("returnUri", Value::Null),
        ] {
            want[name] = value;
        }
        assert_eq!(whole, want);
        for place in [path.clone(), format!("{PATH}/google-drive-engineering"), format!("{path}/")] {
            assert_eq!(alice.get(&place).await.json(), want, "{place}");
        }
        let list = alice.get(PATH).await.json();
        let collection = json!({
            "_links": { "self": { "href": PATH } },
            "_embedded": { "inf:integration": [member] },
            "start": 0, "count": 1, "total": 1,
        });
        assert_eq!(list, collection);
        assert_eq!(alice.get("/api/integrations-list").await.json(), json!([brief]));
    })
    .await;
}

#[tokio::test]
async fn each_kind_of_credential_has_its_provider() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        for (body, kind, auth, callback) in [
            (json!({ "name": "A", "authType": "apikey", "apiBaseUri": "https://a.test/v1",
                     "apiKey": { "in": "header", "name": "X-Api-Key", "prefix": "Key " } }), "apikey", "apikey", false),
            (json!({ "name": "B", "type": "apikey", "apiBaseUri": "https://a.test/v1",
                     "apiKey": { "in": "query", "name": "key" } }), "apikey", "apikey", false),
            (json!({ "name": "C", "authType": "basic", "apiBaseUri": "https://a.test" }), "basic", "basic", false),
            (json!({ "name": "D", "authType": "bearer", "apiBaseUri": "https://a.test" }), "bearer", "bearer", false),
            (json!({ "name": "E", "type": "github", "authType": "oauth2" }), "github", "oauth2", true),
            (json!({ "name": "F", "authType": "oauth2", "authUri": "https://a.test/a", "tokenUri": "https://a.test/t",
                     "clientId": "c" }), "oauth2", "oauth2", true),
        ] {
            let answer = alice.post(PATH, &body).await;
            let path = made(&answer);
            let it = answer.json();
            assert_eq!((it["type"].as_str(), it["authType"].as_str()), (Some(kind), Some(auth)), "{it}");
            let prefix = if body["apiKey"]["in"] == "header" { "Key " } else { "" };
            if let Some(place) = body.get("apiKey") {
                let want = json!({ "in": place["in"], "name": place["name"], "prefix": prefix });
                assert_eq!(it["apiKey"], want);
            }
            // What was typed in has a callback of its own; of a catalog provider's all have the same.
            let id = path.rsplit('/').next().expect("an id");
            let want = match (callback, kind) {
                (false, _) => Value::Null,
                (true, "github") => json!(format!("{}/oauth2/callback", app.origin)),
                (true, _) => json!(format!("{}/oauth2/callback/{id}", app.origin)),
            };
            assert_eq!(it["callbackUri"], want, "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_slug_is_made_of_the_name_and_is_never_two_integrations() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let other = app.tenant("Other").await;
        let theirs = Desk { app, tenant: &other, origin: app.origin.clone() };
        theirs.user("eve", &Permission::ALL).await;
        let named = |name: &str| json!({ "name": name, "type": "github" });
        for (name, slug) in [
            ("My CRM", "my-crm"),
            ("My  CRM!", "my-crm-2"),
            ("my-crm", "my-crm-3"),
            ("日本", "github"),
            ("台灣", "github-2"),
            ("Sandbox", "sandbox-2"),
        ] {
            let it = alice.post(PATH, &named(name)).await.json();
            assert_eq!((it["slug"].as_str(), it["name"].as_str()), (Some(slug), Some(name)), "{it}");
        }
        let mut chosen = named("Other");
        chosen["slug"] = json!("my-crm");
        alice.post(PATH, &chosen).await.assert_hapi(409, "already exists");
        chosen["slug"] = json!("hand_picked");
        let path = made(&alice.post(PATH, &chosen).await);
        // Renaming: to one that is taken, and to one that is free.
        alice.put(&path, &json!({ "slug": "my-crm" })).await.assert_hapi(409, "already exists");
        let renamed = alice.put(&path, &json!({ "slug": "renamed" })).await;
        assert_eq!((renamed.status.as_u16(), &renamed.json()["slug"]), (200, &json!("renamed")));
        assert_eq!(alice.get(&format!("{PATH}/renamed")).await.status, 200);
        alice.get(&format!("{PATH}/hand_picked")).await.assert_hapi(404, "integration not found");
        // Two at once: both are made, by two slugs.
        let twins = [named("Twin"), named("Twin"), named("Twin")];
        let made = futures_util::future::join_all(twins.iter().map(|twin| alice.post(PATH, twin))).await;
        let mut slugs: Vec<_> = made.iter().map(|it| it.json()["slug"].as_str().map(str::to_owned)).collect();
        slugs.sort();
        assert_eq!(slugs, ["twin", "twin-2", "twin-3"].map(|slug| Some(slug.to_owned())));
    })
    .await;
}

#[tokio::test]
async fn what_somebody_does_not_see_is_not_there() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let (alice, eve) = (maker(&desk, "alice").await, maker(&desk, "eve").await);
        let path = made(&alice.post(PATH, &example()).await);
        let other = app.tenant("Other").await;
        let foreign = format!("{PATH}/{}", other.integration);
        let body = json!({ "description": "mine" });
        for place in
            [path.as_str(), &format!("{PATH}/google-drive-engineering"), &foreign, "/api/integrations/nosuch"]
        {
            for answer in [
                eve.get(place).await,
                eve.put(place, &body).await,
                eve.delete(place).await,
                eve.post(&format!("{place}/directories/preview"), &json!({})).await,
            ] {
                answer.assert_hapi(404, "integration not found");
            }
        }
        // A superuser sees everything of its own workspace only.
        desk.superuser("root").await;
        let root = desk.bearer("root").await;
        assert_eq!(root.get(&path).await.json()["hasClientSecret"], true);
        root.get(&foreign).await.assert_hapi(404, "integration not found");
        for seat in [desk.nobody(), desk.with_token("ut_nosuch")] {
            for answer in
                [seat.get(PATH).await, seat.get("/api/integrations-list").await, seat.get(&path).await]
            {
                answer.assert_hapi(401, "");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn configuration_is_shown_to_whoever_may_edit() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let path = made(&alice.post(PATH, &example()).await);
        let hidden =
            ["clientId", "hasClientSecret", "headers", "authorizeParams", "inputs", "apiKey", "returnUri"];
        desk.user("bob", &[]).await;
        let bob = desk.bearer("bob").await;
        for (level, sees) in [(1, false), (2, true), (3, true)] {
            let share = json!({ "accessLevel": level });
            assert_eq!(alice.put(&format!("{path}/shares/bob"), &share).await.status, 200);
            let seen = bob.get(&path).await.json();
            assert!(seen["callbackUri"].is_string());
            assert_eq!(seen["shared"], true);
            for name in hidden {
                assert_eq!(seen.get(name).is_some(), sees, "{name} at level {level}");
            }
        }
        // Not even its maker reads in a list how it is configured.
        for list in [alice.get(PATH).await, alice.get("/api/integrations-list").await] {
            assert!(
                !list.text().contains("clientId") && !list.text().contains("client-1"),
                "{}",
                list.text()
            );
        }
    })
    .await;
}

#[tokio::test]
async fn directory_previews_are_not_offered() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let path = made(&alice.post(PATH, &example()).await);
        let preview = format!("{path}/directories/preview");
        alice.post(&preview, &json!({ "folderId": "root" })).await.assert_hapi(501, "/request");
        alice.get(&preview).await.assert_hapi(405, "method");
    })
    .await;
}

#[tokio::test]
async fn the_callback_is_below_the_site_that_is_asked() {
    let options =
        || Options { public_url: Some("https://connect.acme.test".to_owned()), ..Options::default() };
    on_each_with(options, async |app: &TestApp| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let path = made(&alice.post(PATH, &example()).await);
        let shown = alice.get(&path).await.json();
        assert_eq!(shown["callbackUri"], "https://connect.acme.test/oauth2/callback");
    })
    .await;
}
