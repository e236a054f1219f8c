//! What a product's front end tells and is told: its tokens, what customers type in, handles, and what it leaves with us
//! about a customer; with a provider that repeats what it was shown.

use std::sync::atomic::Ordering;

use claviger_engine::{
    domain::{integration::Config, workspace::Completion},
    secret::Secret,
    setup::{self, NewAuthOption, NewIntegration, NewOauthApp},
};
use http::Method;
use serde_json::{Value, json};

use super::{Blabber, Life};
use crate::{
    membrane::{self, front::Front},
    support::{Answer, Browser, CB, Leg, Options, app::at, app::new_integration},
};

const TYPED: &str = "canary-typed-key-4711";
const REQUEST: &str = "canary-request-0123456789";

/// A provider whose key is typed in, and asked about.
pub fn providers() -> Options {
    let file = "key = \"keyed\"\nname = \"Keyed\"\n[api_key]\n[api]\nbase_url = \"https://keyed.test/api\"\n\
                place = { header = \"Authorization\", format = \"Bearer {token}\" }\n[[verify.calls]]\nurl = \"/check\"\n";
    Options { providers: vec![("keyed.toml", file.to_owned())], ..Options::default() }
}

/// Apps, options and keys with secrets of their own.
async fn settle(life: &Life<'_>, blabber: &Blabber) {
    let (app, ws) = (life.app, &life.app.acme.workspace);
    let integration = app.integration(&app.acme, &app.acme.integration).await;
    let lent = NewOauthApp {
        key: "lent".to_owned(),
        provider: "github".to_owned(),
        client_id: "the-operators".to_owned(),
        client_secret: Some(Secret::new("canary secret of a lent app")),
    };
    let option = NewAuthOption {
        key: "other".to_owned(),
        title: None,
        description: None,
        provider: Some("oauth2".to_owned()),
        client_id: Some("another-client".to_owned()),
        client_secret: Some(Secret::new("canary secret of an option")),
        scopes: Vec::new(),
        callback: None,
        config: at(&blabber.up.origin),
        nth: 0,
    };
    app.change(async |to| {
        setup::oauth_app(to, ws, lent).await?;
        setup::auth_option(to, &integration, option).await
    })
    .await;
    life.secrets.add("a lent app's secret", "canary secret of a lent app");
    life.secrets.add("an option's secret", "canary secret of an option");
    let config = Config { base_url: Some(format!("{}/api", blabber.up.origin)), ..Config::default() };
    let keyed =
        NewIntegration { client_id: None, client_secret: None, ..new_integration("keyed", "keyed", config) };
    app.integrate_as(&app.acme, keyed).await;
    life.secrets.add("a typed key", TYPED);
}

/// A form that goes to the provider: the handle and our state are secrets from there on.
async fn set_out(life: &Life<'_>, front: &Front<'_>, browser: &Browser, extra: Value) -> Leg {
    let began = front.submit(browser, extra).await;
    let handle = began.location().split_once("handle=").expect("a handle").1.to_owned();
    life.secrets.add("a popup's handle", &handle);
    let went = front.follow(browser, &began).await;
    let leg = Leg::of(went.location());
    life.secrets.add("our state", leg.state());
    leg
}

async fn asked(life: &Life<'_>, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    let answer = membrane::ask(life.app, token, method, path, body.as_ref()).await;
    life.note(path, answer)
}

/// What a customer's browser and its product's program do, good and bad.
pub async fn connect(life: &Life<'_>, blabber: &Blabber) {
    settle(life, blabber).await;
    life.app.complete(&life.app.acme, Completion::Redirect).await;
    let (app, browser) = (life.app, Browser::new());
    let front = Front::new(app, "canary-customer").await;
    let old = json!({ "id": "canary-customer", "exp": membrane::seconds(app) - 120 });
    let old = membrane::token(app, &app.acme, old).await;
    let forged = format!("{}x", front.token);
    for token in [&front.token, &old, &forged] {
        life.secrets.add("a workspace token", token);
    }
    life.secrets.add("what a product left", "canary of the product's own");
    let left = json!({ "credentials": { "key": "canary of the product's own" } });
    assert_eq!(asked(life, &front.token, Method::PATCH, "/self", Some(left)).await.status, 200);
    asked(life, &forged, Method::GET, "/self", None).await;

    // In the query, where it is over, and where it is no token at all.
    let target = ("integrationKey", "blabber");
    for token in [old.as_str(), &forged] {
        let went = front.open(&browser, &[target, ("token", token)]).await;
        life.note("a popup refused", went);
        let went = front.open(&browser, &[target, ("token", token), ("redirectUri", "")]).await;
        life.note("a popup refused", went);
    }

    // The provider refuses the code, repeating it; then it takes one.
    blabber.refuses.store(true, Ordering::SeqCst);
    let wish = json!({ "integrationKey": "blabber" });
    let leg = set_out(life, &front, &browser, wish.clone()).await;
    life.back(&browser, &leg, "canary_code_popup_refused").await;
    blabber.refuses.store(false, Ordering::SeqCst);
    let leg = set_out(life, &front, &browser, wish).await;
    let done = life.back(&browser, &leg, "canary_code_popup_taken").await;
    let id = done.location().split_once("connectionId=").expect("a connection").1.to_owned();

    // Typed in, wrong and right, with the page and the stream that tell of it.
    let typed = |key: &str| {
        json!({ "integrationKey": "keyed", "connectionParameters": { "apiKey": key },
                "redirectUri": null, "allowMultipleConnections": true })
    };
    blabber.locked.store(true, Ordering::SeqCst);
    let mut wrong = typed(TYPED);
    wrong["requestId"] = json!(REQUEST);
    life.note("a key refused", front.submit(&browser, wrong).await);
    let heard = browser.get(&format!("{}/sse/connection-events/{REQUEST}", app.origin)).await;
    assert!(heard.text().contains("newConnectionFailure"), "{}", heard.text());
    life.note("the stream", heard);
    blabber.locked.store(false, Ordering::SeqCst);
    let told = front.submit(&browser, typed(TYPED)).await;
    assert_eq!(told.status, 200, "{}", told.text());
    life.note("a key taken", told);

    // What programs read and call; with what a token never shows.
    let of = format!("/connections/{id}");
    for path in ["/connections", of.as_str(), "/integrations", "/integrations/keyed", "/self"] {
        assert_eq!(asked(life, &front.token, Method::GET, path, None).await.status, 200, "{path}");
    }
    let admin = membrane::admin(app, &app.acme).await;
    life.secrets.add("a workspace token", &admin);
    asked(life, &admin, Method::GET, &format!("{of}?includeSecrets=true"), None).await;
    asked(life, &admin, Method::GET, "/customers", None).await;
    blabber.locked.store(true, Ordering::SeqCst);
    asked(life, &front.token, Method::GET, &format!("{of}/proxy/x"), None).await;
    blabber.locked.store(false, Ordering::SeqCst);
    let brought = json!({ "integrationKey": "blabber", "redirectUri": CB,
                          "credentials": { "access_token": "canary_brought_access" } });
    life.secrets.add("an imported token", "canary_brought_access");
    asked(life, &front.token, Method::POST, "/connections", Some(brought)).await;
    asked(life, &front.token, Method::POST, &format!("{of}/refresh-credentials"), None).await;
    assert!(asked(life, &front.token, Method::DELETE, &of, None).await.status.is_success());
    asked(life, &front.token, Method::GET, &of, None).await;
}
