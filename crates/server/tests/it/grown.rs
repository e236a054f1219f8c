//! Asking for more scopes later: the same connection, and what it was granted stays.

use claviger_engine::{
    domain::{
        integration::Integration,
        share::{Level, Principal},
        workspace::Completion,
    },
    id::IntegrationId,
    secret::Secret,
    setup::{self, NewIntegration},
};
use serde_json::json;

use crate::{
    informer::desk::{Desk, Way},
    membrane::front::{Front, connected},
    support::{
        Browser, CB, Leg, Options, Reply, Stub, TestApp,
        app::{at, new_integration},
        on_each, on_each_with, sandbox, value,
    },
};

fn file(key: &str, grown: &str) -> String {
    format!(
        "key = \"{key}\"\nname = \"Grown\"\n[oauth2.endpoints]\nsource = \"integration\"\n\
         [oauth2.scopes]\n{grown}\ngrown_params = {{ include_granted_scopes = \"true\" }}\n"
    )
}

fn providers() -> Options {
    Options {
        providers: vec![("grows.toml", file("grows", "")), ("stays.toml", file("stays", "grown = \"none\""))],
        ..Options::default()
    }
}

fn wanted(provider: &str, stub: &Stub, scopes: &[&str]) -> NewIntegration {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    NewIntegration { scopes, ..new_integration("it", provider, at(&stub.origin)) }
}

/// The operator wants other scopes from now on.
async fn want(app: &TestApp, id: &IntegrationId, stub: &Stub, scopes: &[&str]) {
    let was: Integration = app.integration(&app.acme, id).await;
    let input = NewIntegration {
        client_secret: Some(Secret::new(sandbox::SECRET)),
        ..wanted(&was.provider, stub, scopes)
    };
    app.change(async |to| setup::update_integration(to, &was, input).await).await;
}

/// What the provider says that it grants.
fn grants(stub: &Stub, scopes: &str) {
    let tokens = json!({ "access_token": "canary_a", "refresh_token": "canary_r", "token_type": "Bearer", "scope": scopes });
    stub.reply("/token", Reply::json(&tokens.to_string()));
}

fn has(leg: &Leg, name: &str) -> bool {
    leg.params.iter().any(|(known, _)| known == name)
}

#[tokio::test]
async fn a_customer_who_connects_again_keeps_what_was_granted() {
    on_each_with(providers, async |app| {
        let (stub, browser, front) = (Stub::start().await, Browser::new(), Front::new(app, "user-1").await);
        let id = app.integrate_as(&app.acme, wanted("grows", &stub, &["read", "mail"])).await;
        let out = async |extra: &[(&str, &str)]| {
            let wish = [&[("integrationKey", "it")][..], extra].concat();
            Leg::of(front.open(&browser, &wish).await.location())
        };
        let leg = out(&[]).await;
        assert_eq!((value(&leg.params, "scope"), has(&leg, "include_granted_scopes")), ("read mail", false));
        grants(&stub, "read mail openid");
        let first = connected(&browser.get(&leg.back(&[("code", "c")])).await);

        want(app, &id, &stub, &["read", "files"]).await;
        let leg = out(&[]).await;
        assert_eq!(value(&leg.params, "scope"), "read files mail", "what was asked for and granted stays");
        assert_eq!(value(&leg.params, "include_granted_scopes"), "true");
        grants(&stub, "read files");
        assert_eq!(connected(&browser.get(&leg.back(&[("code", "c")])).await), first);
        let made = app.connection(&app.acme, &first).await;
        assert_eq!(made.scopes_granted, ["read", "files"], "as the provider says, and no more");
        assert_eq!(made.scopes_asked, ["read", "files", "mail"]);

        // It was taken back there: it is not asked for again.
        assert_eq!(value(&out(&[("connectionId", &first)]).await.params, "scope"), "read files");
        let new = out(&[("allowMultipleConnections", "true")]).await;
        assert_eq!((value(&new.params, "scope"), has(&new, "include_granted_scopes")), ("read files", false));

        // Pointed elsewhere, it has been granted nothing there.
        let elsewhere = Stub::start().await;
        want(app, &id, &stub, &["read"]).await;
        assert_eq!(value(&out(&[]).await.params, "scope"), "read files");
        want(app, &id, &elsewhere, &["read"]).await;
        assert_eq!(value(&out(&[]).await.params, "scope"), "read");
    })
    .await;
}

#[tokio::test]
async fn a_user_who_connects_again_is_asked_as_the_file_says() {
    on_each_with(providers, async |app| {
        for (provider, anew) in [("grows", "read files mail"), ("stays", "read files")] {
            let (stub, desk) = (Stub::start().await, Desk::new(app));
            let input =
                NewIntegration { key: provider.to_owned(), ..wanted(provider, &stub, &["read", "mail"]) };
            let id = app.integrate_as(&app.acme, input).await;
            let user = desk.user(&format!("ada-{provider}"), &[]).await;
            let principal = Principal::User(user.id.clone());
            app.change(async |to| to.conn.set_share(&app.acme.workspace, &id, &principal, Level::Use).await)
                .await;
            let seat = desk.sign_in(&user.username).await;
            let Way::Cookie(browser) = &seat.way else { panic!("a cookie") };
            let url = format!("{}/api/integrations/{provider}/connect", app.origin);
            let out = async || Leg::of(browser.get(&url).await.location());
            grants(&stub, "read mail");
            let leg = out().await;
            assert_eq!(value(&leg.params, "scope"), "read mail");
            browser.get(&leg.back(&[("code", "c")])).await;
            let was = app.integration(&app.acme, &id).await;
            let input = NewIntegration {
                key: provider.to_owned(),
                client_secret: Some(Secret::new(sandbox::SECRET)),
                ..wanted(provider, &stub, &["read", "files"])
            };
            app.change(async |to| setup::update_integration(to, &was, input).await).await;
            let leg = out().await;
            assert_eq!(value(&leg.params, "scope"), anew);
            assert_eq!(value(&leg.params, "include_granted_scopes"), "true");
        }
    })
    .await;
}

/// `/authorize` with a `connection_id`: the product's server says whose it is.
#[tokio::test]
async fn a_product_that_completes_can_have_one_authorized_anew() {
    on_each(async |app| {
        let (stub, browser) = (Stub::start().await, Browser::new());
        let id = app.integrate_as(&app.acme, wanted("oauth2", &stub, &["read"])).await;
        app.complete(&app.acme, Completion::Server).await;
        let begin = async |extra: &[(&str, &str)]| {
            let wish = [&[("integration_id", "it"), ("external_id", "u")][..], extra].concat();
            browser.get(&app.authorize_url(&app.acme, &wish)).await
        };
        let finish = async |to: &str| {
            let (target, pairs) = browser.get(&Leg::of(to).back(&[("code", "c")])).await.redirect();
            assert_eq!(target, CB);
            let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": "u" });
            let answer = app.exchange(&app.acme.key, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            app.connections(&app.acme).await.remove(0)
        };
        let first = finish(begin(&[]).await.location()).await;
        want(app, &id, &stub, &["read", "files"]).await;
        grants(&stub, "read files");
        let anew = begin(&[("connection_id", first.id.as_str())]).await;
        let made = finish(anew.location()).await;
        assert_eq!(
            (made.id.clone(), &made.scopes_granted[..]),
            (first.id.clone(), &["read".to_owned(), "files".to_owned()][..])
        );
        assert_eq!(app.connections(&app.acme).await.len(), 1);

        let refused = async |extra: &[(&str, &str)]| {
            let (target, pairs) = begin(extra).await.redirect();
            assert_eq!((target.as_str(), value(&pairs, "error")), (CB, "invalid_request"), "{extra:?}");
            value(&pairs, "error_description").to_owned()
        };
        let others = refused(&[("connection_id", first.id.as_str()), ("external_id", "mallory")]).await;
        for extra in [
            [("connection_id", "conn_nothing"), ("external_id", "u")],
            [("connection_id", "x y"), ("external_id", "u")],
            [("connection_id", first.id.as_str()), ("integration_id", "sandbox")],
        ] {
            assert_eq!(refused(&extra).await, others, "one that is not there looks the same");
        }
        for completion in [Completion::Redirect, Completion::Confirm] {
            app.complete(&app.acme, completion).await;
            let words = refused(&[("connection_id", first.id.as_str())]).await;
            assert!(words.contains("server"), "{words}");
        }
    })
    .await;
}
