//! Several fields that together are the credential, and tokens that we make ourselves: what carries a call is said in the
//! provider's file.

use std::time::Duration;

use aws_lc_rs::hmac;
use axum::response::{IntoResponse as _, Response};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use claviger_engine::{
    domain::{
        integration::Config,
        share::{Level, Principal},
        user::Permission,
        workspace::Completion,
    },
    id::IntegrationId,
    setup::NewIntegration,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    informer::{Someone, ask, assert_problem, someone},
    membrane,
    support::{
        Answer, Browser, CB, Options, TestApp, Upstream, app::new_integration, decode, on_each, on_each_with,
        upstream::Head, value,
    },
};

const KEY: &str = "canary-key:4711";
const PIN: &str = "canary{token}pin";

fn providers() -> Options {
    let file = "key = \"several\"\nname = \"Several\"\n\
         [fields.region]\ntitle = \"Region\"\nsecret = false\npattern = \"^[a-z]{2}$\"\n\
         [fields.key]\ntitle = \"Key\"\n[fields.pin]\ntitle = \"PIN\"\n\
         [fields.note]\noptional = true\n\
         [api]\nbase_url = \"https://{region}.several.test\"\n\
         place = { header = \"authorization\", format = \"Basic {token}\", base64 = \"{key}:{pin}\" }\n\
         [api.headers]\nx-pin = \"P {pin}\"\nx-note = \"{note}\"\n[api.query]\nk = \"{key}\"\nr = \"{region}\"\n\
         [[verify.calls]]\nurl = \"/check\"\n";
    Options { providers: vec![("several.toml", file.to_owned())], ..Options::default() }
}

/// A provider that takes the credential above only where it belongs, and says back what it got.
async fn provider() -> Upstream {
    Upstream::whole(|head: Head, _| async move {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{KEY}:{PIN}")));
        let query = decode(head.target.split_once('?').map_or("", |(_, query)| query));
        let right = head.all("authorization") == [basic.as_str()]
            && head.all("x-pin") == [format!("P {PIN}")]
            && query.contains(&("k".to_owned(), KEY.to_owned()))
            && (head.target.starts_with("/api/check?") || query.contains(&("r".to_owned(), "eu".to_owned())));
        let said = format!("no: {:?} {}", head.headers, head.target);
        let status = if right { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        let mut answer: Response =
            (status, axum::Json(json!({ "message": said, "target": head.target }))).into_response();
        for (name, text) in [("x-1", KEY), ("x-2", PIN), ("x-3", &basic), ("x-4", "plain")] {
            answer.headers_mut().insert(name, text.parse().expect("a value"));
        }
        answer
    })
    .await
}

async fn integrate(app: &TestApp, at: &Upstream) -> IntegrationId {
    let config = Config { base_url: Some(format!("{}/api", at.origin)), ..Config::default() };
    let wish = new_integration("it", "several", config);
    app.integrate_as(&app.acme, NewIntegration { client_id: None, client_secret: None, ..wish }).await
}

async fn share(app: &TestApp, id: &IntegrationId, name: &str) -> Someone {
    let one = someone(app, &app.acme, name, &[]).await;
    let (ws, to) = (&app.acme.workspace, Principal::User(one.user.id.clone()));
    app.change(async |change| change.conn.set_share(ws, id, &to, Level::Use).await.map(drop)).await;
    one
}

fn typed<'a>(region: &'a str, key: &'a str, pin: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("decision", "continue"),
        ("credential-region", region),
        ("credential-key", key),
        ("credential-pin", pin),
    ]
}

async fn open(app: &TestApp, browser: &Browser) -> String {
    let wish = [("integration_id", "it"), ("external_id", "u"), ("state", "s")];
    format!("{}{}", app.origin, browser.get(&app.authorize_url(&app.acme, &wish)).await.location())
}

#[track_caller]
fn connected(done: &Answer) -> String {
    let (target, pairs) = done.redirect();
    assert_eq!(target, CB, "{}", done.text());
    value(&pairs, "connection_id").to_owned()
}

#[tokio::test]
async fn fields_are_typed_in_and_carried_where_the_file_says() {
    on_each_with(providers, async |app| {
        let at = provider().await;
        integrate(app, &at).await;
        let browser = Browser::new();
        let page = open(app, &browser).await;
        let shown = browser.get(&page).await;
        for words in [">Region</label>", ">Key</label>", ">PIN</label>", ">note</label>"] {
            assert!(shown.text().contains(words), "{words}: {}", shown.text());
        }
        let bad = browser.submit(&page, &typed("EU", "", "canary pin")).await;
        assert_eq!(bad.status, 422);
        for field in ["region", "key", "pin"] {
            assert!(
                bad.text().contains(&format!("id=\"error-credential-{field}\"")),
                "{field}: {}",
                bad.text()
            );
        }
        assert!(bad.text().contains("value=\"EU\"") && !bad.text().contains("canary"), "{}", bad.text());
        assert_eq!(at.seen().len(), 0);
        let refused = browser.submit(&page, &typed("eu", "canary-other", PIN)).await;
        assert_eq!(refused.status, 422);
        assert!(
            refused.text().contains("id=\"error-credential-key\"")
                && refused.text().contains("it answered 401")
        );
        assert!(!refused.text().contains("canary"), "said back, and hidden: {}", refused.text());
        app.assert_nothing_connected(&app.acme).await;

        let id = connected(&browser.submit(&page, &typed("eu", KEY, PIN)).await);
        let made = app.connection(&app.acme, &id).await;
        assert_eq!(made.inputs["region"], "eu");
        assert!(!format!("{made:?}").contains("canary"), "no secret is among the inputs");
        let got = app.call(&app.acme.key, &id, "/things?a=1&k=mine&b=%20").await;
        assert_eq!(got.status, 200, "{}", got.text());
        let target = got.json()["target"].as_str().unwrap().to_owned();
        assert!(target.starts_with("/api/things?a=1&b=%20&k=canary-key"), "{target}");
        let kept: Vec<_> = ["x-1", "x-2", "x-3", "x-4"].map(|name| got.header(name).is_some()).into();
        assert_eq!(kept, [false, false, false, true], "no header says a secret back");
        assert!(at.calls().iter().all(|head| head.all("x-note").is_empty()), "an empty field is left out");
    })
    .await;
}

#[tokio::test]
async fn users_bring_fields_by_name() {
    on_each_with(providers, async |app| {
        let at = provider().await;
        let alice = share(app, &integrate(app, &at).await, "alice").await;
        let bring = async |body: Value| {
            ask(app, &alice.token, Method::POST, "/api/integrations/it/connect", Some(&body)).await
        };
        for (fields, words) in [
            (json!({ "key": KEY, "pin": PIN }), "fields: region: Is missing"),
            (json!({ "region": "EU", "key": KEY, "pin": PIN }), "fields: region: Does not look like"),
            (
                json!({ "region": "eu", "key": "canary-other", "pin": PIN }),
                "fields: The provider does not accept it",
            ),
            (
                json!({ "region": "eu", "key": KEY, "pin": PIN, "x": "y" }),
                "fields: This integration takes no such thing",
            ),
        ] {
            let refused = bring(json!({ "fields": fields })).await;
            assert_problem(&refused, 400, words);
            assert!(!refused.text().contains("canary"), "{}", refused.text());
        }
        app.assert_nothing_connected(&app.acme).await;
        let made = bring(json!({ "fields": { "region": "eu", "key": KEY, "pin": PIN } })).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert!(!made.text().contains("canary"), "{}", made.text());
        let got = ask(app, &alice.token, Method::GET, "/api/integrations/it/request/x", None).await;
        assert_eq!(got.status, 200);
        let shown = ask(app, &alice.token, Method::GET, "/api/integrations/it", None).await.json();
        assert_eq!(shown["authType"], "fields");
    })
    .await;
}

/// The claims of a token that the workspace's secret signed.
async fn claims(app: &TestApp, token: &str) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    let [head, body, signature] = parts[..] else { panic!("no JWT: {token}") };
    let secret = membrane::secret(app, &app.acme).await;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    hmac::verify(&key, format!("{head}.{body}").as_bytes(), &signature).expect("signed");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(body).expect("base64url")).expect("claims")
}

#[tokio::test]
async fn calls_carry_a_token_that_says_for_whom_they_are() {
    on_each(async |app| {
        let at = Upstream::start(|head: Head, _| async move {
            let token = head.all("x-membrane-token")[0].to_owned();
            let mut answer = (StatusCode::OK, "ok").into_response();
            answer.headers_mut().insert("x-echo", token.parse().expect("a value"));
            answer
        })
        .await;
        let config = Config { base_url: Some(format!("{}/api", at.origin)), ..Config::default() };
        let wish = |key: &str| NewIntegration {
            client_id: None,
            client_secret: None,
            ..new_integration(key, "membrane-token", config.clone())
        };
        let id = app.integrate_as(&app.acme, wish("it")).await;
        let url =
            app.authorize_url(&app.acme, &[("integration_id", "it"), ("external_id", "u"), ("state", "s")]);
        // For whom, a link only claims; the product's server has to say it.
        let refused = Browser::new().get(&url).await;
        assert_eq!(value(&refused.redirect().1, "error"), "invalid_request", "{}", refused.location());
        app.complete(&app.acme, Completion::Server).await;
        let (_, pairs) = Browser::new().get(&url).await.redirect();
        let shown = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": "u" });
        let connection = app.exchange(&app.acme.key, &shown).await.json()["connection_id"].clone();
        let connection = connection.as_str().expect("a connection").to_owned();
        let made = app.connection(&app.acme, &connection).await;
        assert_eq!((made.expires_at, at.seen().len()), (None, 0), "nobody is asked");
        let got = app.call(&app.acme.key, &connection, "/x").await;
        assert_eq!((got.status, got.header("x-echo")), (StatusCode::OK, None));
        let now = app.broker.clock.now().0 / 1000;
        let sent = async |n: usize| {
            let head = at.calls()[n].clone();
            assert_eq!(head.all("x-membrane-token"), head.all("x-integration-app-token"));
            assert!(head.all("authorization").is_empty());
            claims(app, head.all("x-membrane-token")[0]).await
        };
        let want =
            json!({ "iss": app.acme.client_id, "sub": "u", "fields": {}, "iat": now, "exp": now + 3600 });
        assert_eq!(sent(0).await, want);
        // The same for as long as it is good, and another after that.
        app.pass(Duration::from_secs(1800));
        app.call(&app.acme.key, &connection, "/x").await;
        assert_eq!(sent(1).await, want);
        app.pass(Duration::from_secs(1800));
        app.call(&app.acme.key, &connection, "/x").await;
        assert_eq!(sent(2).await["iat"], now + 3600);

        let alice = share(app, &id, "alice").await;
        let path = "/api/integrations/it";
        let made = ask(app, &alice.token, Method::POST, &format!("{path}/connect"), Some(&json!({}))).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(ask(app, &alice.token, Method::GET, &format!("{path}/request/x"), None).await.status, 200);
        assert_eq!(sent(3).await["sub"], "user:alice");
        // Where such tokens go is for operators to say.
        let maker = someone(app, &app.acme, "maker", &[Permission::Write]).await;
        let mine = json!({ "name": "Mine", "type": "membrane-token", "apiBaseUri": "https://mine.test" });
        let refused = ask(app, &maker.token, Method::POST, "/api/integrations", Some(&mine)).await;
        assert_problem(&refused, 400, "type");
        let root = someone(app, &app.acme, "root", &[]).await;
        for change in [
            json!({ "apiBaseUri": "https://mine.test" }),
            json!({ "allowedHosts": ["mine.test"] }),
            json!({ "headers": { "x-a": "b" } }),
        ] {
            let refused = ask(app, &root.token, Method::PUT, path, Some(&change)).await;
            assert_problem(&refused, 403, "for operators to say");
        }
        let renamed = ask(app, &root.token, Method::PUT, path, Some(&json!({ "name": "Other" }))).await;
        assert_eq!(renamed.status, 200, "{}", renamed.text());
    })
    .await;
}
