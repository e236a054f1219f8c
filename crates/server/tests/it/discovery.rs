//! Endpoints found by issuer: believed only about the issuer that was asked, and asked for only now and then.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, response::Response};
use claviger_engine::domain::{connection::Status, integration::Config};
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, CB, Leg, Options, TestApp, Upstream,
    app::new_integration,
    on_each, on_each_with,
    stub::TOKENS,
    upstream::{Head, Names, json as says, say},
    value,
};

const RFC: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// What an issuer says at its well-known places: 404 unless told otherwise.
type Told = Arc<Mutex<BTreeMap<String, (u16, String)>>>;

async fn answer(told: Told, head: Head) -> Response {
    match head.target.as_str() {
        "/token" => return says(TOKENS),
        "/userinfo" => return says(r#"{"sub":"u","name":"U"}"#),
        _ => {}
    }
    let found = told.lock().unwrap().get(&head.target).cloned();
    match found {
        Some((0, _)) => std::future::pending().await,
        Some((302, to)) => say(302, &[("location", &to)], ""),
        Some((status, text)) => say(status, &[("content-type", "application/json")], text),
        None => say(404, &[], "{}"),
    }
}

struct Issuer {
    up: Upstream,
    told: Told,
}

impl Issuer {
    async fn start() -> Self {
        let told = Told::default();
        let telling = told.clone();
        let up = Upstream::whole(move |head: Head, _: Body| answer(telling.clone(), head)).await;
        Self { up, told }
    }

    async fn secure(names: &Names, first: &str) -> Self {
        let told = Told::default();
        let telling = told.clone();
        let up =
            Upstream::secure(names, first, move |head: Head, _: Body| answer(telling.clone(), head)).await;
        Self { up, told }
    }

    fn says(&self, path: &str, status: u16, text: impl Into<String>) {
        self.told.lock().unwrap().insert(path.to_owned(), (status, text.into()));
    }

    /// Its metadata as an honest one writes it.
    fn metadata(&self, path: &str) -> Value {
        let origin = &self.up.origin;
        json!({
            "issuer": format!("{origin}{path}"),
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"),
            "userinfo_endpoint": format!("{origin}/userinfo"),
            "code_challenge_methods_supported": ["S256"],
            "unknown_member": {"a": [1]},
        })
    }

    /// What it was asked at its well-known places, in order.
    fn asked(&self) -> Vec<String> {
        self.up
            .seen()
            .into_iter()
            .map(|head| head.target)
            .filter(|path| path.contains("/.well-known/"))
            .collect()
    }

    fn token_requests(&self) -> usize {
        self.up.seen().iter().filter(|head| head.target == "/token").count()
    }
}

async fn integrate(app: &TestApp, issuer: &str) {
    let config = Config { issuer: Some(issuer.to_owned()), ..Config::default() };
    app.integrate_as(&app.acme, new_integration("id", "oidc", config)).await;
}

async fn authorize(app: &TestApp, browser: &Browser) -> Answer {
    browser.get(&app.authorize_url(&app.acme, &[("integration_id", "id")])).await
}

/// Begins a flow that can't begin: the product hears of it, the provider does not.
async fn refused(app: &TestApp, why: &str) {
    let answer = authorize(app, &Browser::new()).await;
    assert_eq!(answer.status, 302, "{why}: {}", answer.text());
    let (target, pairs) = answer.redirect();
    assert_eq!(target, CB, "{why}: the browser is not sent to the provider");
    assert_eq!(value(&pairs, "error"), "temporarily_unavailable", "{why}");
}

#[tokio::test]
async fn endpoints_are_found_where_rfc_8414_says_and_kept_for_a_while() {
    on_each(async |app| {
        let issuer = Issuer::start().await;
        issuer.says(&format!("{RFC}/tenant"), 200, issuer.metadata("/tenant").to_string());
        integrate(app, &format!("{}/tenant", issuer.up.origin)).await;
        let browser = Browser::new();
        let began = authorize(app, &browser).await;
        let leg = Leg::of(began.location());
        assert!(leg.url.starts_with(&format!("{}/authorize?", issuer.up.origin)), "{}", leg.url);
        assert_eq!(value(&leg.params, "scope"), "openid profile email");
        let done = browser.get(&leg.back(&[("code", "c")])).await;
        let (_, pairs) = done.redirect();
        let connection = app.connection(&app.acme, value(&pairs, "connection_id")).await;
        assert_eq!((connection.status, connection.account.name.as_deref()), (Status::Active, Some("U")));

        app.pass(Duration::from_secs(599));
        Leg::of(authorize(app, &Browser::new()).await.location());
        assert_eq!(issuer.asked(), [format!("{RFC}/tenant")], "once for all of it");
        app.pass(Duration::from_secs(1));
        Leg::of(authorize(app, &Browser::new()).await.location());
        assert_eq!(issuer.asked().len(), 2, "and once more after ten minutes");
    })
    .await;
}

#[tokio::test]
async fn openids_place_is_asked_second() {
    on_each(async |app| {
        for (path, nothing) in
            [("", (404, "")), ("/a/b", (500, "")), ("/c", (200, "<html>")), ("/d", (200, "{}"))]
        {
            let issuer = Issuer::start().await;
            let tenant = app.tenant(&format!("Tenant {path}")).await;
            issuer.says(&format!("{RFC}{path}"), nothing.0, nothing.1);
            issuer.says(&format!("{path}{OPENID}"), 200, issuer.metadata(path).to_string());
            let config = Config { issuer: Some(format!("{}{path}", issuer.up.origin)), ..Config::default() };
            app.integrate_as(&tenant, new_integration("id", "oidc", config)).await;
            let began = Browser::new().get(&app.authorize_url(&tenant, &[("integration_id", "id")])).await;
            assert!(began.location().starts_with(&issuer.up.origin), "{path}: {}", began.location());
            assert_eq!(issuer.asked(), [format!("{RFC}{path}"), format!("{path}{OPENID}")], "{path}");
        }
    })
    .await;
}

fn hasty() -> Options {
    let mut options = Options::default();
    options.outbound.total_timeout = Duration::from_millis(300);
    options
}

#[tokio::test]
async fn metadata_that_can_not_be_believed_begins_nothing() {
    on_each_with(hasty, async |app| {
        let honest = Issuer::start().await;
        honest.says(RFC, 200, honest.metadata("").to_string());
        let issuer = Issuer::start().await;
        let origin = issuer.up.origin.clone();
        integrate(app, &origin).await;
        let with = |name: &str, value: Value| {
            let mut all = issuer.metadata("");
            all[name] = value;
            (200, all.to_string())
        };
        let mut without = issuer.metadata("");
        without.as_object_mut().unwrap().remove("token_endpoint");
        let mut hostile = issuer.metadata("");
        hostile["issuer"] = json!(honest.up.origin);
        hostile["token_endpoint"] = json!(format!("{}/token", honest.up.origin));
        for (why, (status, text)) in [
            ("another issuer", with("issuer", json!(honest.up.origin))),
            ("a hostile one naming an honest token endpoint", (200, hostile.to_string())),
            ("a slash more", with("issuer", json!(format!("{origin}/")))),
            ("upper case", with("issuer", json!(origin.to_uppercase()))),
            ("localhost is another name", with("issuer", json!(origin.replace("127.0.0.1", "localhost")))),
            ("no issuer", with("issuer", Value::Null)),
            ("a number", with("issuer", json!(1))),
            ("no token endpoint", (200, without.to_string())),
            ("http elsewhere", with("token_endpoint", json!("http://evil.test/token"))),
            ("http elsewhere", with("authorization_endpoint", json!("http://evil.test/authorize"))),
            ("http elsewhere", with("userinfo_endpoint", json!("http://evil.test/userinfo"))),
            ("no URL", with("token_endpoint", json!("/token"))),
            ("no URL", with("authorization_endpoint", json!("javascript:alert(1)"))),
            ("userinfo", with("token_endpoint", json!("https://127.0.0.1@evil.test/token"))),
            ("a placeholder", with("token_endpoint", json!("https://evil.test/{client_secret}"))),
            ("HTML", (200, "<!doctype html><title>Sign in</title>".to_owned())),
            ("an array", (200, "[]".to_owned())),
            ("cut JSON", (200, issuer.metadata("").to_string()[..50].to_owned())),
            ("nothing", (200, String::new())),
            ("huge", (200, format!("{}{}", issuer.metadata(""), " ".repeat(3_000_000)))),
            ("an error", (500, issuer.metadata("").to_string())),
            ("not found", (404, issuer.metadata("").to_string())),
            ("a redirect", (302, format!("{}{RFC}", honest.up.origin))),
            ("silence", (0, String::new())),
        ] {
            issuer.says(RFC, status, text.clone());
            issuer.says(OPENID, status, text);
            refused(app, why).await;
        }
        assert_eq!(issuer.token_requests() + honest.token_requests(), 0);
        assert_eq!(honest.asked().len(), 0, "a redirect is not followed");
        issuer.says(RFC, 200, issuer.metadata("").to_string());
        let began = authorize(app, &Browser::new()).await;
        assert!(began.location().starts_with(&origin), "nothing of it is remembered: {}", began.location());
    })
    .await;
}

#[tokio::test]
async fn an_https_issuer_names_https_endpoints_only() {
    let names = Names::new(&["id.claviger.test", "api.claviger.test"]);
    on_each_with(
        || names.options(),
        async |app| {
            let issuer = Issuer::secure(&names, "id.claviger.test").await;
            integrate(app, &issuer.up.origin).await;
            let plain = Issuer::start().await;
            for name in [
                "authorization_endpoint",
                "token_endpoint",
                "userinfo_endpoint",
                "revocation_endpoint",
                "introspection_endpoint",
            ] {
                let mut metadata = issuer.metadata("");
                metadata[name] = json!(format!("{}/token", plain.up.origin));
                issuer.says(RFC, 200, metadata.to_string());
                refused(app, name).await;
            }
            assert_eq!(plain.up.seen().len(), 0);
            issuer.says(RFC, 200, issuer.metadata("").to_string());
            let browser = Browser::new();
            let began = authorize(app, &browser).await;
            assert!(began.location().starts_with("https://id.claviger.test:"), "{}", began.location());
            let done = browser.get(&Leg::of(began.location()).back(&[("code", "c")])).await;
            let (_, pairs) = done.redirect();
            assert!(value(&pairs, "connection_id").starts_with("conn_"));
            assert_eq!(issuer.token_requests(), 1);
        },
    )
    .await;
}

#[tokio::test]
async fn an_issuer_that_says_it_names_itself_has_to() {
    on_each(async |app| {
        let issuer = Issuer::start().await;
        let mut metadata = issuer.metadata("");
        metadata["authorization_response_iss_parameter_supported"] = json!(true);
        issuer.says(RFC, 200, metadata.to_string());
        integrate(app, &issuer.up.origin).await;
        let origin = issuer.up.origin.clone();
        let slash = format!("{origin}/");
        for iss in [vec![], vec![""], vec!["https://evil.test"], vec![slash.as_str()], vec![&origin, &origin]]
        {
            let browser = Browser::new();
            let leg = Leg::of(authorize(app, &browser).await.location());
            let mut pairs = vec![("code", "c")];
            pairs.extend(iss.iter().map(|iss| ("iss", *iss)));
            let done = browser.get(&leg.back(&pairs)).await;
            assert!(
                !done.headers.get("location").is_some_and(|to| to.to_str().unwrap().contains("code=")),
                "{iss:?}"
            );
            assert_eq!(issuer.token_requests(), 0, "{iss:?}: no token request");
        }
        app.assert_nothing_connected(&app.acme).await;
        let browser = Browser::new();
        let leg = Leg::of(authorize(app, &browser).await.location());
        let done = browser.get(&leg.back(&[("code", "c"), ("iss", &origin)])).await;
        assert!(value(&done.redirect().1, "connection_id").starts_with("conn_"));
        assert_eq!(issuer.token_requests(), 1);
    })
    .await;
}

/// RFC 8414 §2: an authorization endpoint is required unless no grant type goes there.
#[tokio::test]
async fn an_issuer_without_an_authorization_endpoint_gives_no_codes() {
    on_each(async |app| {
        let issuer = Issuer::start().await;
        let mut metadata = issuer.metadata("");
        metadata.as_object_mut().unwrap().remove("authorization_endpoint");
        issuer.says(RFC, 200, metadata.to_string());
        integrate(app, &issuer.up.origin).await;
        let (target, pairs) = authorize(app, &Browser::new()).await.redirect();
        assert_eq!((target.as_str(), value(&pairs, "error")), (CB, "server_error"));
        assert_eq!(issuer.asked(), [RFC], "it was read");
        assert_eq!(issuer.token_requests(), 0);
    })
    .await;
}
