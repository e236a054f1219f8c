//! OAuth 1.0a (RFC 5849): temporary credentials, consent, a token, and calls that the provider finds signed.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use claviger_engine::{
    domain::{
        connection::Status,
        integration::Config,
        share::{Level, Principal},
        workspace::Completion,
    },
    id::IntegrationId,
    secret::Secret,
    setup::NewIntegration,
};
use http::{Method, StatusCode};
use serde_json::json;

use crate::{
    informer::{Someone, ask, assert_problem, someone},
    support::{
        Answer, Browser, CB, Options, TestApp,
        app::new_integration,
        encode, names, on_each, on_each_with,
        signed::{CONSUMER, CONSUMER_SECRET, Signed, VERIFIER},
        value,
        wire::{call, send},
    },
};

fn wish(origin: &str) -> NewIntegration {
    let config = Config {
        request_token_url: Some(format!("{origin}/request_token")),
        authorize_url: Some(format!("{origin}/authorize?lang=en")),
        token_url: Some(format!("{origin}/access_token")),
        base_url: Some(format!("{origin}/api")),
        ..Config::default()
    };
    NewIntegration {
        client_id: Some(CONSUMER.to_owned()),
        client_secret: Some(Secret::new(CONSUMER_SECRET)),
        ..new_integration("it", "oauth1", config)
    }
}

/// A provider that says whose account it is, and by a call of its own whether the token works.
fn known(origin: &str) -> Options {
    let file = format!(
        "key = \"signing\"\nname = \"Signing\"\n[oauth1]\nrealm = \"things\"\n[oauth1.endpoints]\n\
         request_token_url = \"{origin}/request_token\"\nauthorize_url = \"{origin}/authorize\"\n\
         access_token_url = \"{origin}/access_token\"\n[oauth1.params]\nscope = \"read write\"\n\
         [oauth1.authorize_params]\nname = \"{{client_id}}\"\n[oauth1.save.account]\npath = \"account\"\n\
         [api]\nbase_url = \"{origin}/api\"\n[identity]\nsource = \"call\"\nid = \"id\"\nname = [\"name\"]\n\
         [identity.call]\nurl = \"/me\"\nparams = {{ a = \"b c\" }}\n[[verify.calls]]\nurl = \"/check\"\n"
    );
    Options { providers: vec![("signing.toml", file)], ..Options::default() }
}

/// A browser before the provider: the temporary credentials that it was sent with, and the callback's URL.
struct Away {
    token: String,
    callback: String,
    url: String,
}

async fn set_out(app: &TestApp, browser: &Browser, at: &Signed, extra: &[(&str, &str)]) -> Away {
    let wish = [&[("integration_id", "it"), ("external_id", "u"), ("state", "s")][..], extra].concat();
    let leg = browser.set_out(app, &app.acme, &wish).await;
    away(at, &leg.url)
}

fn away(at: &Signed, url: &str) -> Away {
    let (_, query) = url.split_once('?').expect("a query");
    let token = value(&crate::support::decode(query), "oauth_token").to_owned();
    let asked = at.taken("/request_token");
    let callback = asked.last().expect("a request").own["oauth_callback"].clone();
    Away { token, callback, url: url.to_owned() }
}

impl Away {
    fn back(&self, pairs: &[(&str, &str)]) -> String {
        format!("{}&{}", self.callback, encode(pairs))
    }

    fn consent(&self) -> String {
        self.back(&[("oauth_token", &self.token), ("oauth_verifier", VERIFIER)])
    }
}

#[track_caller]
fn connected(done: &Answer) -> String {
    assert_eq!(done.status, 302, "{}", done.text());
    let (target, pairs) = done.redirect();
    assert_eq!((target.as_str(), value(&pairs, "state")), (CB, "s"));
    value(&pairs, "connection_id").to_owned()
}

async fn connect(app: &TestApp, at: &Signed) -> String {
    let browser = Browser::new();
    let away = set_out(app, &browser, at, &[]).await;
    connected(&browser.get(&away.consent()).await)
}

#[tokio::test]
async fn an_account_is_connected_and_every_call_is_signed() {
    on_each(async |app| {
        let at = Signed::start().await;
        let id = app.integrate_as(&app.acme, wish(&at.up.origin)).await;
        let browser = Browser::new();
        let away = set_out(app, &browser, &at, &[]).await;
        assert!(
            away.url.starts_with(&format!("{}/authorize?lang=en&oauth_token=", at.up.origin)),
            "{}",
            away.url
        );
        let own = format!("{}/oauth2/callback/{id}?state=", app.origin);
        assert!(away.callback.starts_with(&own), "{}", away.callback);
        assert!(!away.url.contains("canary"), "{}", away.url);
        let connection = connected(&browser.get(&away.consent()).await);
        let made = app.connection(&app.acme, &connection).await;
        assert_eq!(
            (made.status, made.expires_at, made.owner.key.as_deref()),
            (Status::Active, None, Some("u"))
        );

        // A query with all that signatures get wrong, and a form with the same.
        let target = "/things/%C3%A9%20x?b=2&a=1+2&a=%2B&c%5B%5D=%C3%A9&empty=&=x";
        let got = app.call(&app.acme.key, &connection, target).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.json()["path"], "/api/things/%C3%A9%20x");
        let seen = at.up.calls();
        assert_eq!(seen[0].target, format!("/api{target}"), "byte for byte");
        let form = "title=a+b%26c&tags%5B%5D=%C3%A9%2520&none=&title=z";
        let post = call(app, Method::POST, &connection, "/things?a=1")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization-x", "kept");
        let posted = Browser::new().send(post, Bytes::from(form)).await;
        assert_eq!(posted.status, 200, "{}", posted.text());
        let want = json!([["a", "1"], ["title", "a b&c"], ["tags[]", "é%20"], ["none", ""], ["title", "z"]]);
        assert_eq!(posted.json()["params"], want);
        // Another body is none of the signature's business.
        let put = call(app, Method::PUT, &connection, "/things").header("content-type", "application/json");
        let put = Browser::new().send(put, Bytes::from_static(b"{\"a\":\"b&c=d\"}")).await;
        assert_eq!((put.status, &put.json()["params"]), (StatusCode::OK, &json!([])));
        let calls = at.taken("/api");
        let nonces: BTreeSet<_> = calls.iter().map(|call| call.own["oauth_nonce"].clone()).collect();
        assert_eq!((calls.len(), nonces.len()), (3, 3));
        let now = (app.broker.clock.now().0 / 1000).to_string();
        assert!(calls.iter().all(|call| call.own["oauth_timestamp"] == now));
        for answer in [got, posted, put] {
            for name in ["x-echo", "x-signature"] {
                assert_eq!(answer.header(name), None, "what would say the signature back is dropped");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_files_own_parameters_and_its_account() {
    let at = Signed::start().await;
    on_each_with(
        || known(&at.up.origin),
        async |app| {
            let input = NewIntegration { config: Config::default(), provider: "signing".into(), ..wish("") };
            app.integrate_as(&app.acme, input).await;
            let browser = Browser::new();
            let away = set_out(app, &browser, &at, &[]).await;
            assert!(away.url.ends_with("&name=consumer%20%26%20key"), "{}", away.url);
            let asked = at.taken("/request_token");
            assert_eq!(value(&asked.last().unwrap().params, "scope"), "read write");
            let connection = connected(&browser.get(&away.consent()).await);
            let made = app.connection(&app.acme, &connection).await;
            assert_eq!(
                (made.account.id.as_deref(), made.account.name.as_deref()),
                (Some("acc-1"), Some("Ada"))
            );
            assert_eq!(made.inputs["account"], "acc-1");
            assert!(!at.taken("/api/check").is_empty(), "it was tried");
            assert_eq!(at.taken("/api/me").last().unwrap().params, [("a".to_owned(), "b c".to_owned())]);
            assert!(
                at.up
                    .seen()
                    .iter()
                    .all(|head| head.all("authorization")[0].starts_with("OAuth realm=\"things\", "))
            );
            // Credentials that the provider refuses connect nothing.
            let before = app.connections(&app.acme).await.len();
            at.instead("/api/check", 401, "{}");
            let browser = Browser::new();
            let away = set_out(app, &browser, &at, &[]).await;
            let done = browser.get(&away.consent()).await;
            assert_eq!(value(&done.redirect().1, "error"), "access_denied", "{:?}", done.headers);
            assert_eq!(app.connections(&app.acme).await.len(), before);
        },
    )
    .await;
}

#[tokio::test]
async fn every_completion_waits_for_its_word() {
    on_each(async |app| {
        let at = Signed::start().await;
        app.integrate_as(&app.acme, wish(&at.up.origin)).await;
        app.complete(&app.acme, Completion::Confirm).await;
        connect(app, &at).await;
        app.complete(&app.acme, Completion::Server).await;
        let browser = Browser::new();
        let away = set_out(app, &browser, &at, &[]).await;
        let before = at.taken("/access_token").len();
        let done = browser.get(&away.consent()).await;
        let (_, pairs) = done.redirect();
        assert_eq!(names(&pairs), ["code", "state"]);
        assert_eq!(at.taken("/access_token").len(), before, "the verifier is kept");
        // A repeated callback is the same answer, and no second exchange.
        let again = browser.get(&away.consent()).await;
        assert_eq!(again.location(), done.location());
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": "u" });
        let redeemed = app.exchange(&app.acme.key, &body).await;
        assert_eq!(redeemed.status, 200, "{}", redeemed.text());
        let id = redeemed.json()["connection_id"].as_str().unwrap().to_owned();
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(at.taken("/access_token").len(), before + 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_this_flows_consent_connects_nothing() {
    on_each(async |app| {
        let at = Signed::start().await;
        app.integrate_as(&app.acme, wish(&at.up.origin)).await;
        let other = set_out(app, &Browser::new(), &at, &[]).await;
        for problem in [true, false] {
            let browser = Browser::new();
            let away = set_out(app, &browser, &at, &[]).await;
            let said =
                if problem { ("oauth_problem", "user_refused") } else { ("denied", away.token.as_str()) };
            let done = browser.get(&away.back(&[said])).await;
            let (target, pairs) = done.redirect();
            let want = (CB, "access_denied", "s");
            assert_eq!((target.as_str(), value(&pairs, "error"), value(&pairs, "state")), want);
        }

        for pairs in [
            &[("oauth_token", other.token.as_str()), ("oauth_verifier", VERIFIER)][..],
            &[("denied", other.token.as_str())],
            &[("oauth_verifier", VERIFIER)],
            &[],
        ] {
            let browser = Browser::new();
            let away = set_out(app, &browser, &at, &[]).await;
            let done = browser.get(&away.back(pairs)).await;
            done.assert_refused(&format!("{pairs:?}"));
            browser.get(&away.consent()).await.assert_refused("the flow is spent");
        }
        let browser = Browser::new();
        let away = set_out(app, &browser, &at, &[]).await;
        let own = [("oauth_token", away.token.as_str())];
        browser.get(&away.back(&own)).await.assert_refused("there is no verifier");
        let away = set_out(app, &browser, &at, &[]).await;
        Browser::new().get(&away.consent()).await.assert_refused("another browser");
        let unknown = away.consent().replace("state=", "state=x");
        browser.get(&unknown).await.assert_refused("another state");
        assert_eq!(at.taken("/access_token").len(), 0, "nothing was exchanged");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_fails_is_told_in_words() {
    on_each_with(
        || {
            let mut options = Options::default();
            options.outbound.header_timeout = Duration::from_millis(300);
            options
        },
        async |app| {
            let at = Signed::start().await;
            app.integrate_as(&app.acme, wish(&at.up.origin)).await;
            let url = app.authorize_url(&app.acme, &[("integration_id", "it"), ("state", "s")]);
            for (status, body) in [
                (401, "oauth_problem=consumer_key_refused"),
                (200, "oauth_token=t&oauth_token_secret=s"),
                (503, ""),
            ] {
                at.instead("/request_token", status, body);
                let back = Browser::new().get(&url).await;
                let (target, said) = back.redirect();
                assert_eq!((target.as_str(), value(&said, "state")), (CB, "s"));
                assert_eq!(value(&said, "error"), "temporarily_unavailable", "{status} {body}");
            }
            for (status, body) in [(401, "oauth_problem=permission_denied"), (200, "oauth_token=t")] {
                let browser = Browser::new();
                let away = set_out(app, &browser, &at, &[]).await;
                at.instead("/access_token", status, body);
                let done = browser.get(&away.consent()).await;
                assert_eq!(value(&done.redirect().1, "error"), "server_error", "{status} {body}");
            }
            let browser = Browser::new();
            let away = set_out(app, &browser, &at, &[]).await;
            at.hang("/access_token");
            let done = browser.get(&away.consent()).await;
            assert_eq!(value(&done.redirect().1, "error"), "server_error");
            at.hang("/request_token");
            let back = Browser::new().get(&url).await;
            assert_eq!(value(&back.redirect().1, "error"), "temporarily_unavailable");
            app.assert_nothing_connected(&app.acme).await;
        },
    )
    .await;
}

#[tokio::test]
async fn each_try_is_signed_anew_and_a_refused_token_is_passed_on() {
    on_each(async |app| {
        let at = Signed::start().await;
        app.integrate_as(&app.acme, wish(&at.up.origin)).await;
        let id = connect(app, &at).await;
        at.instead("/api/flaky", 503, "");
        at.instead("/api/flaky", 503, "");
        assert_eq!(app.call(&app.acme.key, &id, "/flaky").await.status, 200);
        let tries = at.taken("/api/flaky");
        let of = |name: &str| tries.iter().map(|one| one.own[name].clone()).collect::<BTreeSet<_>>();
        assert_eq!((tries.len(), of("oauth_nonce").len()), (3, 3));
        app.pass(Duration::from_secs(3600));
        at.instead("/api/gone", 401, "no");
        let gone = app.call(&app.acme.key, &id, "/gone").await;
        assert_eq!((gone.status, gone.text()), (StatusCode::UNAUTHORIZED, "no"), "nothing refreshes it");
        assert_eq!(at.taken("/api/gone").len(), 1);
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
    })
    .await;
}

#[tokio::test]
async fn a_form_is_read_up_to_a_bound_and_other_bodies_are_not() {
    on_each(async |app| {
        let at = Signed::start().await;
        app.integrate_as(&app.acme, wish(&at.up.origin)).await;
        let id = connect(app, &at).await;
        let post = |kind: &str| call(app, Method::POST, &id, "/x").header("content-type", kind);
        let form = "application/x-www-form-urlencoded";
        let most = Bytes::from(format!("a={}", "b".repeat(1024 * 1024 - 2)));
        let taken = Browser::new().send(post(form), most.clone()).await;
        assert_eq!(taken.status, 200, "{}", taken.text());
        let calls = at.up.calls().len();
        let longer = Bytes::from([&most[..], b"b"].concat());
        let refused = Browser::new().send(post(form), longer.clone()).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert_eq!(at.up.calls().len(), calls, "nothing was sent");
        assert_eq!(Browser::new().send(post("text/plain"), longer).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_users_browser_connects_and_its_requests_are_signed() {
    on_each(async |app| {
        let at = Signed::start().await;
        let root = someone(app, &app.acme, "root", &[]).await;
        let told = json!({
            "name": "It", "slug": "it", "authType": "oauth1", "clientId": CONSUMER, "clientSecret": CONSUMER_SECRET,
            "requestTokenUri": format!("{}/request_token", at.up.origin), "signature": "HMAC-SHA256",
            "authUri": format!("{}/authorize", at.up.origin), "tokenUri": format!("{}/access_token", at.up.origin),
            "apiBaseUri": format!("{}/api", at.up.origin),
        });
        let made = ask(app, &root.token, Method::POST, "/api/integrations", Some(&told)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let shown = made.json();
        for field in ["authType", "requestTokenUri", "authUri", "tokenUri", "signature"] {
            assert_eq!(shown[field], told[field], "{field}");
        }
        assert!(shown["callbackUri"].as_str().unwrap().contains("/oauth2/callback/int_"), "{shown}");
        let alice = with_share(app, &shown, "alice").await;
        let browser = Browser::new();
        let request = browser.request(Method::GET, &format!("{}/api/integrations/it/connect", app.origin));
        let request = request.header("authorization", format!("Bearer {}", alice.token));
        let out = browser.send(request, Bytes::new()).await;
        assert_eq!(out.status, 302, "{}", out.text());
        let away = away(&at, out.location());
        let done = browser.get(&away.consent()).await;
        assert_eq!(done.status, 302, "{}", done.text());
        let target = "/api/integrations/it/request/things?q=1+2";
        let got = ask(app, &alice.token, Method::GET, target, None).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.json()["params"], json!([["q", "1 2"]]));
        let last = at.taken("/api/things");
        assert_eq!(last[0].own["oauth_signature_method"], "HMAC-SHA256");
        // There is nothing that could be brought.
        for body in [json!({}), json!({ "code": "c" }), json!({ "apiKey": "k" })] {
            let refused = ask(app, &alice.token, Method::POST, "/api/integrations/it/connect", Some(&body)).await;
            assert_problem(&refused, 400, "a browser has to go to the provider");
        }
        // Where secrets are sent, and how, is what connections trust.
        let moved = json!({ "signature": "PLAINTEXT" });
        let changed = ask(app, &root.token, Method::PUT, "/api/integrations/it", Some(&moved)).await;
        assert_eq!(changed.json()["invalidated"], json!({ "clientSecret": true, "connections": 1 }));
        for wrong in [json!({ "signature": "MD5" }), json!({ "scope": "read" }), json!({ "requestTokenUri": null })] {
            let refused = ask(app, &root.token, Method::PUT, "/api/integrations/it", Some(&wrong)).await;
            assert_eq!(refused.status, 400, "{wrong}: {}", refused.text());
        }
    })
    .await;
}

async fn with_share(app: &TestApp, shown: &serde_json::Value, name: &str) -> Someone {
    let one = someone(app, &app.acme, name, &[]).await;
    let id = IntegrationId::parse(shown["id"].as_str().unwrap()).unwrap();
    let to = Principal::User(one.user.id.clone());
    let ws = &app.acme.workspace;
    app.change(async |change| change.conn.set_share(ws, &id, &to, Level::Use).await.map(drop)).await;
    one
}

#[tokio::test]
async fn plaintext_secrets_do_not_come_back_in_headers() {
    on_each(async |app| {
        let at = Signed::start().await;
        let mut input = wish(&at.up.origin);
        input.config.signature = Some("PLAINTEXT".to_owned());
        app.integrate_as(&app.acme, input).await;
        let id = connect(app, &at).await;
        let got = send(call(app, Method::GET, &id, "/x")).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(at.taken("/api/x")[0].own["oauth_signature_method"], "PLAINTEXT");
        assert!(!format!("{:?}", got.headers).contains("canary"), "{:?}", got.headers);
    })
    .await;
}
