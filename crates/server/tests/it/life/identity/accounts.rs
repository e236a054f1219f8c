//! Accounts compared, whichever way a connection is authorized anew.

use super::*;

/// What is held of a connection.
async fn held(app: &TestApp, id: &str) -> Credential {
    let id = ConnectionId::parse(id).unwrap();
    app.read().await.credential(&app.acme.workspace, &id).await.unwrap().unwrap()
}

/// What was revoked at the sandbox, what is held, and of which account the connection is.
async fn stand(app: &TestApp, id: &str) -> (u64, i64, Option<String>) {
    let account = app.connection(&app.acme, id).await.account.id;
    (app.sandbox.stats().await.revocations, held(app, id).await.version, account)
}

async fn check(app: &TestApp, check: AccountCheck) {
    check_of(app, &app.acme.integration, check).await;
}

async fn check_of(app: &TestApp, integration: &IntegrationId, check: AccountCheck) {
    app.reconfigure(&app.acme, integration, |config| config.account_check = Some(check)).await;
}

async fn note(app: &TestApp, id: &str) -> Value {
    let shown = ask(app, &app.acme.key, Method::GET, &format!("/v1/connections/{id}"), None).await;
    shown.json()["health"]["account_note"].clone()
}

/// Tells, of one way of reconnecting, what comes of another account under each rule. `again` reconnects as an account, and
/// says whether that was taken.
async fn each_rule(app: &TestApp, id: &str, again: impl AsyncFn(&str) -> bool) {
    let alice = stand(app, id).await.2;
    check(app, AccountCheck::Require).await;
    let before = stand(app, id).await;
    assert!(!again("bob").await, "another account is refused");
    let after = stand(app, id).await;
    assert!(after.0 > before.0, "the refused tokens are revoked: {before:?} {after:?}");
    assert_eq!((after.1, &after.2), (before.1, &before.2), "nothing of the old is lost");
    assert!(again("alice").await, "the same account is taken");
    assert_eq!(note(app, id).await, Value::Null);

    check(app, AccountCheck::Warn).await;
    assert!(again("bob").await);
    let bob = stand(app, id).await.2;
    assert_ne!(bob, alice);
    assert!(note(app, id).await.as_str().is_some_and(|note| note.contains("another account")));
    let newest = app.events(&app.acme).await.remove(0);
    assert_eq!((newest.kind, &newest.data["account_changed"]), (EventKind::ConnectionUpdated, &json!(true)));
    assert!(again("bob").await);
    assert_eq!(note(app, id).await, Value::Null, "it is the account of before");

    check(app, AccountCheck::Off).await;
    assert!(again("alice").await);
    assert_eq!((note(app, id).await, stand(app, id).await.2), (Value::Null, alice));
    let newest = app.events(&app.acme).await.remove(0);
    assert_eq!(newest.data.get("account_changed"), None);
}

#[tokio::test]
async fn a_link_compares_accounts() {
    on_each(async |app| {
        let done = Browser::new().connect(app, &app.acme, &[("external_id", OWNER)]).await;
        let id = value(&done.redirect().1, "connection_id").to_owned();
        each_rule(app, &id, async |account| {
            app.pass(std::time::Duration::from_secs(1));
            let (url, browser) = (url(app, &id, json!({ "redirect_uri": CB })).await, Browser::new());
            let leg = follow(&browser, &url).await;
            let done = browser.get(&browser.consent(&leg, account, "allow").await).await;
            let pairs = done.redirect().1;
            let refused = pairs.iter().any(|(name, _)| name == "error");
            if refused {
                assert_eq!(value(&pairs, "error"), "access_denied");
                assert!(value(&pairs, "error_description").contains("another account"));
            }
            !refused
        })
        .await;
    })
    .await;
}

/// A provider of which nothing but its ID token tells the account.
const SWORN: &str = r#"
key = "sworn"
name = "Sworn"
category = "generic"
docs = "https://openid.net/specs/openid-connect-core-1_0.html"

[oauth2]
client_auth = "basic"

[oauth2.endpoints]
source = "issuer"

[oauth2.scopes]
default = ["openid"]

[identity]
source = "id_token"
id = "sub"
email = "email"
"#;

#[tokio::test]
async fn that_it_is_the_same_account_is_not_taken_from_an_id_token_that_nobody_checked() {
    let options = || Options { providers: vec![("sworn.toml", SWORN.to_owned())], ..Options::default() };
    on_each_with(options, async |app| {
        let provider = Provider::start_as(app, "sworn").await;
        let (url, browser) = (url, Browser::new());
        // Reconnects where there is a connection, with an ID token that names the same account.
        let connect = async |onto: Option<&str>| {
            let leg = match onto {
                None => set_out(app, &browser).await,
                Some(id) => follow(&browser, &url(app, id, json!({ "redirect_uri": CB })).await).await,
            };
            provider.gives(signed("k1", &provider.pair, &provider.claims(app, &leg)));
            back(&browser, &leg).await.redirect().1
        };
        let made = connect(None).await;
        let id = value(&made, "connection_id");
        assert_eq!(app.connection(&app.acme, id).await.account.id.as_deref(), Some("user-1"));
        check_of(app, &provider.integration, AccountCheck::Require).await;
        assert_eq!(value(&connect(Some(id)).await, "connection_id"), id);

        provider.says.lock().unwrap().keys_away = true;
        app.pass(std::time::Duration::from_secs(601));
        let (before, revoked) = (held(app, id).await.version, provider.asked("/revoke"));
        let refused = connect(Some(id)).await;
        assert_eq!(value(&refused, "error"), "access_denied");
        assert!(value(&refused, "error_description").contains("did not say whose account"), "{refused:?}");
        assert_eq!(provider.asked("/revoke"), revoked, "the connection may live on the same grant");
        assert_eq!(held(app, id).await.version, before, "nothing of the old is lost");

        // Where another account is only noted, its word is enough.
        check_of(app, &provider.integration, AccountCheck::Warn).await;
        assert_eq!(value(&connect(Some(id)).await, "connection_id"), id);
        assert_eq!(app.connection(&app.acme, id).await.account.id.as_deref(), Some("user-1"));
        assert_eq!(note(app, id).await, Value::Null);
        assert_eq!(provider.asked("/userinfo"), 0);
    })
    .await;
}

#[tokio::test]
async fn a_customers_popup_compares_accounts() {
    on_each(async |app| {
        let (front, browser) = (Front::new(app, "user-1").await, Browser::new());
        let id = front::connected(&front.connect(&browser, "alice", json!({})).await);
        each_rule_by_popup(app, &front, &browser, &id).await;
    })
    .await;
}

async fn each_rule_by_popup(app: &TestApp, front: &Front<'_>, browser: &Browser, id: &str) {
    let alice = app.connection(&app.acme, id).await.account.id;
    let this = json!({ "connectionId": id, "integrationKey": null });
    check(app, AccountCheck::Require).await;
    let (before, revoked) = (held(app, id).await.version, app.sandbox.stats().await.revocations);
    let (text, _) = front::failed(&front.connect(browser, "bob", this.clone()).await);
    assert!(text.contains("another account"), "{text}");
    assert_eq!(held(app, id).await.version, before);
    assert!(app.sandbox.stats().await.revocations > revoked);
    assert_eq!(app.connection(&app.acme, id).await.account.id, alice);
    assert_eq!(front::connected(&front.connect(browser, "alice", this.clone()).await), id);
    check(app, AccountCheck::Warn).await;
    assert_eq!(front::connected(&front.connect(browser, "bob", this).await), id);
    assert_ne!(app.connection(&app.acme, id).await.account.id, alice);
    let newest = app.events(&app.acme).await.remove(0);
    assert_eq!(newest.data["account_changed"], true);
}

#[tokio::test]
async fn a_user_who_connects_again_is_compared_too() {
    on_each(async |app| {
        let user = someone(app, &app.acme, "ada", &[]).await;
        let principal = Principal::User(user.user.id.clone());
        app.change(async |to| {
            let (ws, of) = (&app.acme.workspace, &app.acme.integration);
            to.conn.set_share(ws, of, &principal, Level::Use).await
        })
        .await;
        let again = async |account: &str| {
            let browser = Browser::new();
            let start = format!("{}/api/integrations/sandbox/connect", app.origin);
            let request = browser.request(Method::GET, &start);
            let request = request.header("authorization", format!("Bearer {}", user.token));
            let began = browser.send(request, Bytes::new()).await;
            let leg = Leg::of(began.location());
            let done = browser.get(&browser.consent(&leg, account, "allow").await).await;
            let landed = browser.get(&format!("{}{}", app.origin, done.location())).await;
            if landed.status != 200 {
                landed.assert_page(400, "nother account was authorized");
            }
            landed.status == 200
        };
        assert!(again("alice").await);
        let id = app.connections(&app.acme).await[0].id.to_string();
        let alice = app.connection(&app.acme, &id).await.account.id;
        check(app, AccountCheck::Require).await;
        let (before, revoked) = (held(app, &id).await.version, app.sandbox.stats().await.revocations);
        assert!(!again("bob").await);
        assert_eq!(held(app, &id).await.version, before);
        assert!(app.sandbox.stats().await.revocations > revoked);
        assert!(again("alice").await);
        check(app, AccountCheck::Warn).await;
        assert!(again("bob").await);
        assert_ne!(app.connection(&app.acme, &id).await.account.id, alice);
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}
