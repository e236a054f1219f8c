//! Device codes (RFC 8628): a click gets a code, a person enters it elsewhere, and the provider is asked what came of that.

use std::time::Duration;

use claviger_engine::{
    connect::device,
    domain::{integration::Config, workspace::Completion},
    id::{FlowId, IntegrationId},
    setup::{self, NewIntegration},
};
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, CB, Reply, Stub, TestApp, app::new_integration, decode, names, on_each, stub::Seen,
    value,
};

mod doors;
mod here;
mod late;

/// What the provider gives.
pub fn codes() -> Value {
    json!({
        "device_code": "canary_device_code",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://tv.example/enter",
        "verification_uri_complete": "https://tv.example/enter?user_code=WDJB-MJHT",
        "expires_in": 900,
        "interval": 5,
    })
}

/// A provider that gives a code and waits for it to be entered.
pub async fn provider() -> Stub {
    let stub = Stub::start().await;
    stub.reply("/device", Reply::json(&codes().to_string()));
    pending(&stub);
    stub
}

pub fn pending(stub: &Stub) {
    stub.reply("/token", Reply::oauth_error(400, "authorization_pending"));
}

/// Somebody has entered it.
pub fn entered(stub: &Stub) {
    stub.reply("/token", Reply::json(crate::support::stub::TOKENS));
}

/// An integration `tv` at it.
pub async fn integrate(app: &TestApp, stub: &Stub) -> IntegrationId {
    app.integrate_as(&app.acme, wanted(stub)).await
}

pub fn wanted(stub: &Stub) -> NewIntegration {
    let at = |path: &str| Some(format!("{}{path}", stub.origin));
    let config = Config {
        device_url: at("/device"),
        token_url: at("/token"),
        revoke_url: at("/revoke"),
        userinfo_url: at("/userinfo"),
        base_url: at("/api"),
        ..Config::default()
    };
    let scopes = vec!["read".to_owned(), "write".to_owned()];
    NewIntegration { scopes, ..new_integration("tv", "device", config) }
}

/// Opens the page of a new flow; gives its URL.
pub async fn open(app: &TestApp, browser: &Browser) -> String {
    let wish = [("integration_id", "tv"), ("external_id", "u"), ("state", "s")];
    let began = browser.get(&app.authorize_url(&app.acme, &wish)).await;
    assert_eq!(began.status, 302, "{}", began.text());
    assert!(began.location().starts_with("/connect/flow_"), "a page asks: {}", began.location());
    format!("{}{}", app.origin, began.location())
}

/// Clicks for a code.
pub async fn click(browser: &Browser, url: &str) {
    let answer = browser.submit(url, &[("decision", "continue")]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(url.ends_with(answer.location()), "{}", answer.location());
}

/// Time passes, and the job looks; says how many providers it asked.
pub async fn after(app: &TestApp, seconds: u64) -> usize {
    app.pass(Duration::from_secs(seconds));
    device::round(&app.broker).await.expect("a round")
}

fn sent(seen: &Seen) -> Vec<(String, String)> {
    decode(std::str::from_utf8(&seen.body).expect("a form"))
}

async fn state(browser: &Browser, url: &str) -> Value {
    let answer = browser.get(&format!("{url}/state")).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, Some("no-store")));
    answer.json()["state"].clone()
}

fn id(url: &str) -> FlowId {
    FlowId::parse(url.rsplit('/').next().expect("a path")).expect("a flow")
}

#[track_caller]
fn assert_back(done: &Answer) -> Vec<(String, String)> {
    assert_eq!(done.status, 302, "{}", done.text());
    let (target, pairs) = done.redirect();
    assert_eq!(target, CB);
    pairs
}

#[tokio::test]
async fn a_code_is_given_entered_and_redeemed() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        let url = open(app, &browser).await;
        let page = browser.get(&url).await;
        assert!(page.text().contains("Get a code") && !page.text().contains("WDJB"), "{}", page.text());
        assert_eq!((stub.seen().len(), state(&browser, &url).await), (0, json!("over")));

        click(&browser, &url).await;
        let page = browser.get(&url).await;
        let text = page.text().replace("&#x2f;", "/");
        for shown in ["WDJB-MJHT", "\"https://tv.example/enter\"", "?user_code=WDJB-MJHT\"", "/state\""] {
            assert!(text.contains(shown), "{shown}: {text}");
        }
        assert!(!page.text().contains("canary_device_code") && !page.text().contains("Get a code"));
        assert_eq!(state(&browser, &url).await, "open");
        let asked = stub.seen();
        assert_eq!((asked.len(), asked[0].path.as_str()), (1, "/device"));
        assert!(asked[0].headers["authorization"].to_str().expect("text").starts_with("Basic "));
        let form = sent(&asked[0]);
        assert_eq!((names(&form), value(&form, "scope")), (vec!["client_id", "scope"], "read write"));
        // Another click gets no other code.
        click(&browser, &url).await;
        assert_eq!(stub.seen().len(), 1);

        assert_eq!(after(app, 4).await, 0, "not before its time");
        assert_eq!((after(app, 1).await, after(app, 0).await), (1, 0), "once per interval");
        let polled = sent(stub.seen().last().expect("a poll"));
        assert_eq!(value(&polled, "grant_type"), "urn:ietf:params:oauth:grant-type:device_code");
        assert_eq!(value(&polled, "device_code"), "canary_device_code");
        app.assert_nothing_connected(&app.acme).await;
        entered(&stub);
        assert_eq!(after(app, 5).await, 1);

        assert_eq!(state(&browser, &url).await, "over");
        let done = browser.get(&url).await;
        let pairs = assert_back(&done);
        assert_eq!(names(&pairs), ["connection_id", "integration_id", "external_id", "code", "state"]);
        assert_eq!(browser.get(&url).await.location(), done.location(), "looking again shows the same");
        let connection = app.connection(&app.acme, value(&pairs, "connection_id")).await;
        assert_eq!(connection.account.name.as_deref(), Some("Stub User"));
        assert_eq!(connection.scopes_granted, ["read", "write"]);
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB });
        assert_eq!(app.exchange(&app.acme.key, &body).await.status, 200);
        let flow = app.read().await.any_flow(&id(&url)).await.expect("read").expect("a flow");
        assert!(flow.device.is_none() && flow.poll_at.is_none() && flow.outcome.is_some());
        assert_eq!((after(app, 60).await, stub.token_requests()), (0, 2));

        // As any other: it is refreshed.
        app.pass(Duration::from_secs(3600));
        let call = app.call(&app.acme.key, connection.id.as_str(), "/me").await;
        assert_eq!(call.status, 404, "the stub has no such page, and was asked: {}", call.text());
        let renewed = stub.seen().into_iter().rfind(|seen| seen.path == "/token");
        assert_eq!(value(&sent(&renewed.expect("a refresh")), "grant_type"), "refresh_token");
    })
    .await;
}

#[tokio::test]
async fn a_provider_is_asked_less_often_when_it_says_so() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        click(&browser, &open(app, &browser).await).await;
        stub.reply("/token", Reply::oauth_error(400, "slow_down"));
        assert_eq!(after(app, 5).await, 1);
        assert_eq!((after(app, 9).await, after(app, 1).await), (0, 1), "five seconds more");
        pending(&stub);
        assert_eq!((after(app, 14).await, after(app, 1).await), (0, 1), "and five more");
        assert_eq!((after(app, 14).await, after(app, 1).await), (0, 1), "which stays so");
        // In trouble: half as often each time, and no seldomer than once a minute.
        for (reply, wait) in [
            (Reply::Say(503, "text/plain", String::new()), 15),
            (Reply::Break, 30),
            (Reply::oauth_error(429, "temporarily_unavailable"), 60),
            (Reply::json("{}"), 60),
        ] {
            stub.reply("/token", reply);
            assert_eq!((after(app, wait - 1).await, after(app, 1).await), (0, 1), "{wait}");
        }
        entered(&stub);
        assert_eq!(after(app, 60).await, 1);
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn of_several_processes_one_asks() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        click(&browser, &open(app, &browser).await).await;
        entered(&stub);
        app.pass(Duration::from_secs(5));
        let rounds = futures_util::future::join_all((0..4).map(|_| device::round(&app.broker))).await;
        assert!(rounds.iter().all(Result::is_ok));
        assert_eq!(stub.token_requests(), 1);
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_declined_there_is_declined_here() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        for (code, error) in [
            ("access_denied", "access_denied"),
            ("authorization_declined", "access_denied"),
            ("invalid_grant", "server_error"),
        ] {
            let url = open(app, &browser).await;
            click(&browser, &url).await;
            stub.reply("/token", Reply::oauth_error(400, code));
            assert_eq!(after(app, 5).await, 1);
            let pairs = assert_back(&browser.get(&url).await);
            assert_eq!((value(&pairs, "error"), value(&pairs, "state")), (error, "s"));
            assert_eq!(after(app, 60).await, 0, "nobody asks again");
        }
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_code_expires_and_another_is_given_a_few_times() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        let url = open(app, &browser).await;
        for n in 1..=5 {
            click(&browser, &url).await;
            assert!(browser.get(&url).await.text().contains("WDJB-MJHT"), "code {n}");
            assert_eq!(stub.seen().iter().filter(|seen| seen.path == "/device").count(), n);
            if n == 1 {
                // The provider says so before its time.
                stub.reply("/token", Reply::oauth_error(400, "expired_token"));
                assert_eq!(after(app, 5).await, 1);
                pending(&stub);
            } else {
                app.pass(Duration::from_secs(900));
            }
            let before = stub.token_requests();
            let page = browser.get(&url).await;
            assert!(page.text().contains("was not entered in time") && !page.text().contains("WDJB"));
            assert_eq!(page.text().contains("Get a new code"), n < 5, "{}", page.text());
            assert_eq!(state(&browser, &url).await, "over");
            after(app, 60).await;
            assert_eq!(stub.token_requests(), before, "nobody asks for what is over");
        }
        click(&browser, &url).await;
        assert_eq!(stub.seen().iter().filter(|seen| seen.path == "/device").count(), 5);
        app.pass(Duration::from_secs(600));
        browser.get(&url).await.assert_page(400, "used already");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_code_belongs_to_one_browser_and_can_be_given_up() {
    on_each(async |app| {
        let (stub, browser, other) = (provider().await, Browser::new(), Browser::new());
        integrate(app, &stub).await;
        let url = open(app, &browser).await;
        other.submit(&url, &[("decision", "continue")]).await.assert_page(400, "another browser");
        assert_eq!(stub.seen().len(), 0);
        click(&browser, &url).await;
        let page = other.get(&url).await;
        page.assert_page(400, "another browser");
        assert!(!page.text().contains("WDJB"));
        assert_eq!(state(&other, &url).await, "over");

        let away = browser.submit(&url, &[("decision", "cancel")]).await;
        assert_eq!(value(&away.redirect().1, "error"), "access_denied");
        entered(&stub);
        assert_eq!((after(app, 5).await, stub.token_requests()), (0, 0), "nobody asks any more");

        let url = open(app, &browser).await;
        click(&browser, &url).await;
        assert_eq!(after(app, 5).await, 1);
        other.get(&url).await.assert_page(400, "another browser");
        let late = browser.submit(&url, &[("decision", "cancel")]).await;
        assert!(
            late.location().contains("connection_id="),
            "it was connected meanwhile: {}",
            late.location()
        );
    })
    .await;
}

#[tokio::test]
async fn what_changes_meanwhile_ends_it_without_asking() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        let integration = integrate(app, &stub).await;
        let url = open(app, &browser).await;
        click(&browser, &url).await;
        entered(&stub);
        app.reconfigure(&app.acme, &integration, |config| config.base_url = Some("https://x.test".into()))
            .await;
        assert_eq!((after(app, 5).await, stub.token_requests()), (1, 0));
        let pairs = assert_back(&browser.get(&url).await);
        assert_eq!(value(&pairs, "error"), "server_error");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

/// What a provider gives is shown as text, and its page must be one that a person may be sent to.
#[tokio::test]
async fn what_a_provider_gives_is_not_trusted() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        let url = open(app, &browser).await;
        let give = |change: Value| {
            let mut all = codes();
            for (name, value) in change.as_object().expect("an object") {
                all[name] = value.clone();
            }
            stub.reply("/device", Reply::json(&all.to_string()));
        };
        for bad in [
            json!({ "verification_uri": "http://tv.example/enter" }),
            json!({ "verification_uri": "javascript:alert(1)" }),
            json!({ "user_code": "" }),
            json!({ "expires_in": 0 }),
        ] {
            give(bad.clone());
            let answer = browser.submit(&url, &[("decision", "continue")]).await;
            assert_eq!(answer.status, 503, "{bad}: {}", answer.text());
            assert!(answer.text().contains("Get a code"), "the page is as it was: {bad}");
        }
        give(json!({ "user_code": "<b>\"x", "verification_uri": "https://tv.example/?a=\"><script>x</script>" }));
        assert_eq!(browser.submit(&url, &[("decision", "continue")]).await.status, 503, "that is no URL");
        give(json!({ "user_code": "<b>\"x" }));
        click(&browser, &url).await;
        let page = browser.get(&url).await;
        assert!(!page.text().contains("<b>") && page.text().contains("&lt;b&gt;"), "{}", page.text());

        // A refusal ends it.
        let url = open(app, &browser).await;
        stub.reply("/device", Reply::oauth_error(401, "invalid_client"));
        let answer = browser.submit(&url, &[("decision", "continue")]).await;
        assert_eq!(value(&answer.redirect().1, "error"), "server_error");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_click_confirms_whose_it_will_be() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        app.complete(&app.acme, Completion::Confirm).await;
        let url = open(app, &browser).await;
        for _ in 0..2 {
            let page = browser.get(&url).await;
            for words in ["asks to connect", "Go on only if you began this yourself", "id=\"owner\">u<"] {
                assert!(page.text().contains(words), "{words}: {}", page.text());
            }
            click(&browser, &url).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_product_that_completes_vouches_for_the_owner() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        app.complete(&app.acme, Completion::Server).await;
        for owner in ["u", "mallory"] {
            let url = open(app, &browser).await;
            click(&browser, &url).await;
            entered(&stub);
            assert_eq!(after(app, 5).await, 1);
            let pairs = assert_back(&browser.get(&url).await);
            assert_eq!(names(&pairs), ["code", "state"]);
            assert_eq!(app.connections(&app.acme).await.len(), usize::from(owner != "u"), "nothing yet");
            let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": owner });
            let answer = app.exchange(&app.acme.key, &body).await;
            assert_eq!(answer.status, if owner == "u" { 200 } else { 400 }, "{}", answer.text());
        }
        let made = app.connections(&app.acme).await;
        assert_eq!(
            (made.len(), &made[0].scopes_asked[..]),
            (1, &["read".to_owned(), "write".to_owned()][..])
        );
        let revoked = stub.seen().iter().filter(|seen| seen.path == "/revoke").count();
        assert_eq!(revoked, 0, "the account's other connection lives on the same grant");
    })
    .await;
}

/// Tokens that nobody vouches for don't stay at the provider.
#[tokio::test]
async fn tokens_that_nobody_vouches_for_are_revoked() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        integrate(app, &stub).await;
        app.complete(&app.acme, Completion::Server).await;
        entered(&stub);
        let revoked = || stub.seen().iter().filter(|seen| seen.path == "/revoke").count();
        // For another than is signed in.
        let url = open(app, &browser).await;
        click(&browser, &url).await;
        assert_eq!(after(app, 5).await, 1);
        let pairs = assert_back(&browser.get(&url).await);
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": "mallory" });
        assert_eq!(app.exchange(&app.acme.key, &body).await.status, 400);
        assert_eq!(revoked(), 2);
        // Never asked for.
        let url = open(app, &browser).await;
        click(&browser, &url).await;
        assert_eq!(after(app, 5).await, 1);
        after(app, 290).await;
        assert_eq!(revoked(), 2, "its code is good still");
        after(app, 20).await;
        assert_eq!(revoked(), 4);
        after(app, 600).await;
        assert_eq!(revoked(), 4, "once");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

/// Endpoints by issuer, and a file that gives none to hand-entered ones.
#[tokio::test]
async fn the_endpoint_is_found_by_issuer() {
    on_each(async |app| {
        let (stub, browser) = (provider().await, Browser::new());
        let at = |path: &str| format!("{}{path}", stub.origin);
        let metadata = json!({
            "issuer": stub.origin,
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "device_authorization_endpoint": at("/device"),
        });
        stub.reply("/.well-known/oauth-authorization-server", Reply::json(&metadata.to_string()));
        let config =
            Config { issuer: Some(stub.origin.clone()), base_url: Some(at("/api")), ..Config::default() };
        app.integrate_as(&app.acme, new_integration("tv", "oidc-device", config)).await;
        let url = open(app, &browser).await;
        click(&browser, &url).await;
        assert!(browser.get(&url).await.text().contains("WDJB-MJHT"));
        entered(&stub);
        assert_eq!(after(app, 5).await, 1);
        assert_back(&browser.get(&url).await);
        assert_eq!(app.connections(&app.acme).await.len(), 1);

        let tenant = &app.acme;
        let without = NewIntegration {
            config: Config { device_url: None, ..wanted(&stub).config },
            key: "without".to_owned(),
            ..wanted(&stub)
        };
        let mut conn = app
            .broker
            .store
            .begin(claviger_engine::domain::audit::Actor::Cli, app.broker.clock.now())
            .await
            .expect("a transaction");
        let mut to = setup::Change::of(&app.broker, &mut conn);
        let refused = setup::integration(&mut to, &tenant.workspace, without).await;
        assert!(refused.is_err_and(|e| e.to_string().contains("device_url")));
    })
    .await;
}
