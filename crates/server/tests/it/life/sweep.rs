//! The sweep: connections stay alive though nobody calls, and a provider that is slow holds nobody else up.

use std::time::Duration;

use claviger_engine::{
    domain::{connection::Status, event::EventKind, integration::Config},
    refresh::sweep,
};
use futures_util::future::join;

use crate::{
    refresh::mint::Mint,
    support::{Browser, Options, Reply, Stub, TestApp, app::new_integration, on_each, on_each_with, value},
};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
/// From when on every token of an hour is due, and until when none is.
const DUE: Duration = Duration::from_secs(3600 - 330);
const NOT_DUE: Duration = Duration::from_secs(3600 - 361);

async fn swept(app: &TestApp) -> usize {
    sweep::once(&app.broker).await.expect("a sweep")
}

/// Connects once more where there is a connection already; gives its id.
async fn another(app: &TestApp, key: &str) -> String {
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", key)]).await;
    let done = browser.get(&leg.back(&[("code", "c")])).await;
    assert_eq!(done.status, 302, "{}", done.text());
    value(&done.redirect().1, "connection_id").to_owned()
}

/// Connections at one mint, the first with its integration.
async fn several(app: &TestApp, mint: &Mint, many: usize) -> Vec<String> {
    let mut ids = vec![mint.up.connect(app).await];
    let key = format!("up-{}", mint.up.origin.rsplit(':').next().expect("a port"));
    while ids.len() < many {
        ids.push(another(app, &key).await);
    }
    ids
}

#[tokio::test]
async fn what_soon_ends_is_refreshed_though_nobody_calls() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(NOT_DUE);
        assert_eq!((swept(app).await, mint.spent().len()), (0, 0), "not yet");
        app.pass(DUE - NOT_DUE);
        assert_eq!((swept(app).await, mint.spent().len()), (1, 1));
        assert_eq!((swept(app).await, mint.spent().len()), (0, 1), "once");
        let now = app.broker.clock.now();
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!((connection.refreshed_at, connection.expires_at), (Some(now), Some(now.plus(HOUR))));
        assert_eq!(app.events(&app.acme).await.len(), 1, "a refresh is no event");
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(mint.used(), ["Bearer access-2"], "no call waited for it");
        for _ in 0..3 {
            app.pass(DUE);
            swept(app).await;
        }
        assert_eq!(mint.spent(), ["refresh-1", "refresh-2", "refresh-3", "refresh-4"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_frozen_or_gone_is_left_alone_and_so_is_all_where_it_is_off() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let ids = several(app, &mint, 2).await;
        app.change(async |to| {
            let id = claviger_engine::id::ConnectionId::parse(&ids[0]).expect("an id");
            to.conn.freeze_connection(&app.acme.workspace, &id, Some(app.broker.clock.now())).await
        })
        .await;
        app.pass(DUE);
        assert_eq!((swept(app).await, mint.spent().len()), (1, 1));
    })
    .await;
    let off = || {
        let mut options = Options::default();
        options.refresh.ahead = false;
        options
    };
    on_each_with(off, async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        assert_eq!((swept(app).await, mint.spent().len()), (0, 0));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200, "calls refresh all the same");
    })
    .await;
}

#[tokio::test]
async fn two_processes_that_sweep_refresh_each_connection_once() {
    on_each_with(with_keys, async |app| {
        let beside = TestApp::start(app.broker.store.clone(), with_keys()).await;
        let mint = Mint::start().await;
        let ids = several(app, &mint, 6).await;
        app.pass(DUE);
        beside.pass(DUE);
        let (one, other) = join(sweep::once(&app.broker), sweep::once(&beside.broker)).await;
        assert!(one.expect("a sweep") + other.expect("a sweep") >= ids.len());
        let mut spent = mint.spent();
        spent.sort();
        spent.dedup();
        assert_eq!((spent.len(), mint.spent().len()), (6, 6), "each once: {:?}", mint.spent());
        for id in &ids {
            assert_eq!(app.connection(&app.acme, id).await.status, Status::Active);
        }
        assert_eq!((swept(app).await, swept(&beside).await), (0, 0));
        beside.stop().await;
    })
    .await;
}

/// Servers that share their root keys, as those over one database do.
fn with_keys() -> Options {
    let keys = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned();
    Options { keys: Some(keys), ..Options::default() }
}

#[tokio::test]
async fn a_slow_provider_holds_nobody_else_up_and_gets_few_requests_at_once() {
    on_each(async |app| {
        let (mut slow, mut quick) = (Mint::start().await, Mint::start().await);
        // Two providers do not give the same tokens.
        quick.forms.lock().unwrap().resize(100, Vec::new());
        several(app, &slow, 7).await;
        several(app, &quick, 5).await;
        slow.hold();
        app.pass(DUE);
        let broker = app.broker.clone();
        let sweeping = tokio::spawn(async move { sweep::once(&broker).await });
        for _ in 0..4 {
            slow.waiting.recv().await.expect("a refresh");
        }
        for _ in 0..5 {
            quick.waiting.recv().await.expect("a refresh");
        }
        assert!(slow.waiting.try_recv().is_err(), "four at once, and they are not answered yet");
        slow.permits.add_permits(7);
        assert_eq!(sweeping.await.expect("no panic").expect("a sweep"), 12);
        assert_eq!((slow.spent().len(), quick.spent().len()), (7, 5));
    })
    .await;
}

#[tokio::test]
async fn a_passing_failure_never_marks_a_connection_and_is_left_alone() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.instead.lock().unwrap().extend([(503, "{}"), (429, "{}"), (500, "oops")]);
        app.pass(DUE);
        for tries in 1..=3 {
            swept(app).await;
            swept(app).await;
            assert_eq!(mint.spent().len(), tries, "it is left alone for a while");
            app.pass(Duration::from_secs(20));
        }
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!((connection.status, connection.status_reason), (Status::Active, None));
        assert_eq!(app.events(&app.acme).await.len(), 1, "nobody is told");
        swept(app).await;
        assert_eq!(mint.spent(), ["refresh-1"; 4], "and then it works");
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(mint.used(), ["Bearer access-5"]);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_marks_it_and_is_told_once() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        let gone = r#"{"error":"invalid_grant","error_description":"the person took it back"}"#;
        mint.instead.lock().unwrap().push_back((400, gone));
        app.pass(DUE);
        for _ in 0..3 {
            swept(app).await;
            app.pass(HOUR);
        }
        assert_eq!(mint.spent().len(), 1, "nobody is asked any more");
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!(connection.status, Status::NeedsReauth);
        assert!(connection.status_reason.is_some_and(|reason| reason.contains("the person took it back")));
        let events = app.events(&app.acme).await;
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::ConnectionExpired).count(), 1);
    })
    .await;
}

/// A provider whose refreshes are as `refresh` says.
fn file(key: &str, origin: &str, refresh: &str) -> String {
    format!(
        "key = \"{key}\"\nname = \"Swept\"\n[oauth2.endpoints]\nauthorize_url = \"{origin}/authorize\"\n\
         token_url = \"{origin}/token\"\n[oauth2.refresh]\n{refresh}\n[api]\nbase_url = \"{origin}/api\"\n"
    )
}

fn options(file: &'static str, text: String) -> impl Fn() -> Options {
    move || Options { providers: vec![(file, text.clone())], ..Options::default() }
}

async fn connected(app: &TestApp, provider: &str) -> String {
    let id = app.integrate_as(&app.acme, new_integration(provider, provider, Config::default())).await;
    another(app, id.as_str()).await
}

fn refreshes(stub: &Stub) -> usize {
    let refresh = |form: Vec<(String, String)>| value(&form, "grant_type") == "refresh_token";
    stub.seen().iter().filter(|seen| seen.path == "/token" && refresh(seen.form())).count()
}

#[tokio::test]
async fn what_dies_of_idleness_is_used_in_time() {
    let stub = Stub::start().await;
    stub.reply("/token", Reply::json(r#"{"access_token":"at","refresh_token":"rt"}"#));
    let week = file("idle", &stub.origin, "idle_lifetime = 604800");
    on_each_with(options("idle.toml", week), async |app| {
        let id = connected(app, "idle").await;
        let before = refreshes(&stub);
        let day = HOUR * 24;
        app.pass(day * 4);
        assert_eq!((swept(app).await, refreshes(&stub) - before), (0, 0));
        for round in 1..=4 {
            app.pass(day * 5);
            swept(app).await;
            swept(app).await;
            assert_eq!(refreshes(&stub) - before, round, "once each time");
        }
        let connection = app.connection(&app.acme, &id).await;
        assert_eq!((connection.status, connection.expires_at), (Status::Active, None));
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_refuses_an_early_refresh_is_asked_when_it_takes_one() {
    let stub = Stub::start().await;
    let strict = file("strict", &stub.origin, "margin = 30");
    on_each_with(options("strict.toml", strict), async |app| {
        let _id = connected(app, "strict").await;
        let before = refreshes(&stub);
        app.pass(HOUR - SECOND * 31);
        assert_eq!((swept(app).await, refreshes(&stub) - before), (0, 0), "it would be refused");
        app.pass(SECOND);
        assert_eq!((swept(app).await, refreshes(&stub) - before), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_lifetime_that_is_not_told_any_more_is_the_one_last_seen() {
    on_each(async |app| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        let silent = r#"{"access_token":"silent","token_type":"bearer"}"#;
        mint.instead.lock().unwrap().extend([(200, silent), (200, silent)]);
        for tries in 1..=3 {
            app.pass(DUE);
            assert_eq!((swept(app).await, mint.spent().len()), (1, tries));
            let now = app.broker.clock.now();
            assert_eq!(app.connection(&app.acme, &id).await.expires_at, Some(now.plus(HOUR)), "{tries}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_has_ended_with_nothing_to_refresh_it_with_says_so() {
    let stub = Stub::start().await;
    stub.reply("/token", Reply::json(r#"{"access_token":"at","expires_in":3600}"#));
    on_each_with(options("short.toml", file("short", &stub.origin, "")), async |app| {
        let id = connected(app, "short").await;
        app.pass(HOUR - SECOND);
        swept(app).await;
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active, "to the last moment");
        app.pass(SECOND);
        swept(app).await;
        swept(app).await;
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::NeedsReauth);
        let events = app.events(&app.acme).await;
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::ConnectionExpired).count(), 1);
    })
    .await;
}
