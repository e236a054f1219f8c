//! What customers are offered: integrations with their ways to authenticate, and what each customer connected there.

use claviger_engine::{
    domain::{auth_option::AuthOption, integration::CallbackKind, share::Principal},
    id::AuthOptionId,
};
use http::Method;
use serde_json::{Value, json};

use super::{admin, ask, assert_refused, customer, planted::plant, token};
use crate::support::{TestApp, app::new_integration, on_each, on_each_with};

const GET: Method = Method::GET;

async fn get(app: &TestApp, token: &str, path: &str) -> Value {
    let answer = ask(app, token, GET, path, None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    answer.json()
}

/// A key that is typed in, with a subdomain.
const SHOP: &str = r#"
    key = "shop"
    name = "Shop"
    [[inputs]]
    key = "subdomain"
    title = "Subdomain"
    placeholder = "acme"
    pattern = "^[a-z0-9-]{1,63}$"
    [api_key]
    key = { title = "Secret key", help = "https://shop.test/keys" }
    [api]
    base_url = "https://{subdomain}.shop.test"
"#;

fn options() -> crate::support::Options {
    crate::support::Options { providers: vec![("shop.toml", SHOP.to_owned())], ..Default::default() }
}

/// Keeps an integration `shop` whose own way is OAuth 2 at the sandbox and whose other is a key.
async fn shop(app: &TestApp) {
    let id = app.integrate(&app.acme, "shop", &app.sandbox.origin).await;
    let now = app.broker.clock.now();
    let option = AuthOption {
        id: AuthOptionId::new(),
        workspace_id: app.acme.workspace.clone(),
        integration_id: id,
        key: "by-key".to_owned(),
        title: Some("With a key".to_owned()),
        description: None,
        provider: "shop".to_owned(),
        client_id: None,
        client_secret: None,
        scopes: Vec::new(),
        callback: CallbackKind::Own,
        config: Default::default(),
        nth: 0,
        created_at: now,
        updated_at: now,
    };
    app.change(async |to| to.conn.create_auth_option(&app.acme.workspace, &option).await).await;
}

#[tokio::test]
async fn a_customer_reads_what_it_can_connect_and_how() {
    on_each_with(options, async |app| {
        shop(app).await;
        let alice = customer(app, &app.acme, "alice").await;
        let listed = get(app, &alice, "/integrations").await;
        let keys: Vec<_> = listed["items"].as_array().expect("items").iter().map(|it| &it["key"]).collect();
        assert_eq!(keys, ["sandbox", "shop"]);
        assert!(listed["cursor"].is_null());
        let shown = get(app, &alice, "/integrations/shop").await;
        assert_eq!(shown, listed["items"][1]);
        for path in
            ["/integration?key=shop", &format!("/integration?id={}", shown["id"].as_str().expect("an id"))]
        {
            assert_eq!(get(app, &alice, path).await, shown, "{path}");
        }
        assert_eq!((&shown["authType"], &shown["state"]), (&json!("oauth2"), &json!("READY")));
        assert!(shown.get("connection").is_none() && shown.get("parameters").is_none());
        let callback = format!("{}/oauth2/callback/{}", app.origin, shown["id"].as_str().expect("an id"));
        assert_eq!(shown["oAuthCallbackUri"], json!(callback));
        let ways = shown["authOptions"].as_array().expect("ways");
        assert_eq!((ways.len(), ways[0].get("key"), &ways[0]["type"]), (2, None, &json!("oauth2")));
        assert_eq!(ways[1]["key"], "by-key");
        assert_eq!(
            (&ways[1]["type"], &ways[1]["title"]),
            (&json!("client-credentials"), &json!("With a key"))
        );
        let schema = &ways[1]["inputSchema"];
        assert_eq!(schema, &ways[1]["ui"]["schema"]);
        assert_eq!(schema["required"], json!(["subdomain", "api_key"]));
        assert_eq!(schema["properties"]["subdomain"]["pattern"], "^[a-z0-9-]{1,63}$");
        assert_eq!(schema["properties"]["api_key"]["format"], "password");
        assert_eq!(ways[1]["ui"]["helpUri"], "https://shop.test/keys");

        let spec = get(app, &alice, "/integrations/shop/connector-spec").await;
        assert_eq!(spec["auth"]["type"], "oauth2");
        assert_eq!(spec["auth"]["options"]["by-key"]["type"], "client-credentials");
        assert_eq!(spec["auth"]["options"]["by-key"]["ui"]["schema"], *schema);
        for body in
            [json!({ "integrationKey": "shop" }), json!({ "integrationId": "shop", "connectorId": "x" })]
        {
            let options = ask(app, &alice, Method::POST, "/connection-options", Some(&body)).await;
            assert_eq!(options.json(), shown["authOptions"], "the bare array");
        }
        let made = plant(app, &app.acme, "shop", "alice", "one").await;
        let body = json!({ "connectionId": made });
        let options = ask(app, &alice, Method::POST, "/connection-options", Some(&body)).await;
        assert_eq!(options.json(), shown["authOptions"]);
        assert_refused(
            &ask(app, &alice, Method::POST, "/connection-options", Some(&json!({}))).await,
            400,
            None,
        );
    })
    .await;
}

#[tokio::test]
async fn each_customer_sees_its_own_connection_and_ends_only_that() {
    on_each(async |app| {
        let (alice, bob) = (customer(app, &app.acme, "alice").await, customer(app, &app.acme, "bob").await);
        let first = plant(app, &app.acme, "sandbox", "alice", "one").await;
        let second = plant(app, &app.acme, "sandbox", "alice", "two").await;
        let other = plant(app, &app.acme, "sandbox", "bob", "three").await;
        for path in ["/integrations/sandbox", "/integrations?limit=1"] {
            let shown = get(app, &alice, path).await;
            let shown = shown.pointer("/items/0").unwrap_or(&shown).clone();
            let id = &shown["connection"]["id"];
            assert!([&json!(first), &json!(second)].contains(&id), "{shown}");
            assert_eq!(shown["connection"]["integrationId"], app.acme.integration.as_str());
        }
        assert_eq!(get(app, &bob, "/integrations/sandbox").await["connection"]["id"], json!(other));
        let admin = admin(app, &app.acme).await;
        for token in [admin, token(app, &app.acme, json!({})).await] {
            assert!(get(app, &token, "/integrations/sandbox").await.get("connection").is_none());
            let refused = ask(app, &token, Method::POST, "/integrations/sandbox/disconnect", None).await;
            assert_refused(&refused, 403, Some("access_denied"));
        }
        let ended = super::send(
            app,
            &alice,
            Method::POST,
            "/integrations/sandbox/disconnect",
            "application/x-www-form-urlencoded",
            Default::default(),
        );
        let ended = ended.await;
        assert_eq!((ended.status.as_u16(), ended.json().get("connection")), (200, None));
        let left: Vec<_> = app.connections(&app.acme).await.into_iter().map(|it| it.id.to_string()).collect();
        assert_eq!(left, [other], "both of hers, and no other");
    })
    .await;
}

#[tokio::test]
async fn what_users_made_and_what_others_have_is_not_there() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let foreign = app.integrate(&other, "theirs", &app.sandbox.origin).await;
        let owned = app.integrate(&app.acme, "owned", &app.sandbox.origin).await;
        let team = Principal::Team("ops".to_owned());
        app.change(async |to| {
            to.conn.create_team(&app.acme.workspace, &super::planted::team(&app.acme, "ops")).await?;
            to.conn.set_integration_owner(&app.acme.workspace, &owned, Some(&team)).await
        })
        .await;
        let alice = customer(app, &app.acme, "alice").await;
        let listed = get(app, &alice, "/integrations").await;
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
        for selector in ["owned", owned.as_str(), "theirs", foreign.as_str(), "none", "%00"] {
            for (method, path) in [(GET, ""), (GET, "/connector-spec"), (Method::POST, "/disconnect")] {
                let answer = ask(app, &alice, method, &format!("/integrations/{selector}{path}"), None).await;
                assert_refused(&answer, 404, Some("not_found"));
            }
            let body = json!({ "integrationKey": selector });
            let answer = ask(app, &alice, Method::POST, "/connection-options", Some(&body)).await;
            assert_refused(&answer, 404, Some("not_found"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_way_that_lacks_its_client_is_no_way() {
    on_each(async |app| {
        let config = crate::support::app::at(&app.sandbox.origin);
        let mut input = new_integration("bare", "oauth2", config);
        (input.client_id, input.client_secret) = (None, None);
        app.integrate_as(&app.acme, input).await;
        let alice = customer(app, &app.acme, "alice").await;
        let shown = get(app, &alice, "/integrations/bare").await;
        assert_eq!(shown["authOptions"], json!([]));
        assert_eq!(
            (&shown["state"], &shown["hasMissingParameters"]),
            (&json!("CONFIGURATION_ERROR"), &json!(true))
        );
    })
    .await;
}

#[tokio::test]
async fn lists_are_searched_and_paged_as_the_sdks_do() {
    on_each(async |app| {
        for key in ["files", "mail", "my-files"] {
            app.integrate(&app.acme, key, &app.sandbox.origin).await;
        }
        let alice = customer(app, &app.acme, "alice").await;
        let (mut keys, mut cursor, mut pages) = (Vec::new(), "0".to_owned(), 0);
        loop {
            let page = get(app, &alice, &format!("/integrations?limit=2&cursor={cursor}&hash=12")).await;
            let items = page["items"].as_array().expect("items").clone();
            keys.extend(items.iter().map(|it| it["key"].as_str().unwrap_or_default().to_owned()));
            pages += 1;
            match page["cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
            assert_eq!(items.len(), 2, "a full page says where the next begins");
        }
        assert_eq!((keys.len(), pages), (4, 3), "{keys:?}");
        let found = get(app, &alice, "/integrations?search=FILES&limit=").await;
        assert_eq!(found["items"].as_array().map(Vec::len), Some(2));
        for wrong in
            ["limit=0", "limit=1001", "limit=x", "cursor=-1", "cursor=x", "limit=1&limit=2", "search=%ff"]
        {
            let refused = ask(app, &alice, GET, &format!("/integrations?{wrong}"), None).await;
            assert_refused(&refused, 400, None);
            let field = wrong.split('=').next().unwrap_or_default();
            assert_eq!(refused.json()["data"]["field"], field);
        }
    })
    .await;
}

#[tokio::test]
async fn integrations_are_configured_elsewhere() {
    on_each(async |app| {
        let admin = admin(app, &app.acme).await;
        for (method, path) in [
            (Method::POST, "/integrations"),
            (Method::PATCH, "/integrations/sandbox"),
            (Method::PUT, "/integrations/sandbox"),
            (Method::DELETE, "/integrations/sandbox"),
            (Method::POST, "/integrations/sandbox/restore"),
            (Method::POST, "/integrations/sandbox/setup"),
        ] {
            assert_refused(&ask(app, &admin, method.clone(), path, Some(&json!({}))).await, 501, None);
            assert_refused(
                &ask(app, "", method, path, Some(&json!({}))).await,
                401,
                Some("not_authenticated"),
            );
        }
        assert_refused(&ask(app, &admin, GET, "/integration", None).await, 400, None);
        assert_refused(
            &ask(app, &admin, GET, "/integrations/sandbox/other", None).await,
            404,
            Some("not_found"),
        );
        assert_refused(&ask(app, &admin, Method::PUT, "/integration", None).await, 405, None);
    })
    .await;
}
