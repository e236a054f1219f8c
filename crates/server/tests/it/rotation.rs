//! Root keys are rotated while everything goes on; afterwards the old one is not needed for anything.

mod command;
mod filled;
mod processes;

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_catalog::Alg;
use claviger_engine::{
    broker::Broker,
    domain::{
        audit::Actor,
        client_key::{ClientKey, Purpose},
        credential::Credential,
        customer::Customer,
        event::EventKind,
        flow::Endpoints,
        process::Process,
        workspace::Completion,
    },
    error::Error,
    id::{ClientKeyId, ConnectionId, CustomerId, FlowId, ProcessId},
    process,
    rotate::{self, Progress, by_root, held, rotate},
    secret::Secret,
    setup::{self, NewAuthOption, NewOauthApp, NewWebhook, NewWorkspace},
    store::{Conn, DeviceGiven, SealedRow, trial},
    time::Millis,
    vault::{Field, KeyRing, Sealed, Vault},
};
use serde_json::{Value, json};

use self::filled::fill;
use crate::support::{Browser, CB, Leg, Options, TestApp, app::OWNER, app::at, on_each_with, value};

const HOUR: Duration = Duration::from_secs(3600);

fn key(id: &str, byte: u8) -> String {
    format!("{id}:{}", BASE64_STANDARD.encode([byte; 32]))
}

fn old() -> String {
    key("k1", 1)
}

fn new() -> String {
    key("k2", 2)
}

fn both() -> String {
    format!("{},{}", new(), old())
}

fn with(keys: String) -> Options {
    Options { keys: Some(keys), ..Options::default() }
}

/// A story that begins with a process that holds the old key alone.
async fn on_each_old(story: impl AsyncFn(&TestApp)) {
    on_each_with(|| with(old()), story).await;
}

/// One more process over the same database.
async fn beside(app: &TestApp, keys: String) -> TestApp {
    TestApp::start(app.broker.store.clone(), with(keys)).await
}

async fn connected(app: &TestApp) -> String {
    let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
    value(&pairs, "connection_id").to_owned()
}

/// How many stored secrets there are, all told.
async fn stored(app: &TestApp) -> i64 {
    by_root(&held(&mut app.read().await).await.unwrap()).values().sum()
}

/// How many of them a root key wraps.
async fn under(app: &TestApp, id: &str) -> i64 {
    by_root(&held(&mut app.read().await).await.unwrap()).get(id).copied().unwrap_or(0)
}

/// Rotates, and wants all of it done.
async fn rotated(broker: &Broker) -> i64 {
    let report = rotate(broker, |_| {}).await.unwrap();
    assert_eq!((report.key.as_str(), report.failed), ("k2", 0), "{:?}", report.failures);
    report.wrapped.values().sum()
}

/// Every stored secret of one column, whichever key wraps it.
async fn rows(app: &TestApp, field: Field) -> Vec<SealedRow> {
    app.read().await.any_sealed_not_under(field, "-", "", 10_000).await.unwrap()
}

/// How many stored secrets open with these keys, and how many don't.
async fn opened(app: &TestApp, keys: &str) -> (usize, usize) {
    let vault = Vault::new(KeyRing::parse(keys).unwrap());
    let (mut opened, mut shut) = (0, 0);
    for field in Field::ALL {
        for row in rows(app, field).await {
            match vault.open(&field.of(&row.workspace_id, &row.record), &row.sealed) {
                Ok(_) => opened += 1,
                Err(_) => shut += 1,
            }
        }
    }
    (opened, shut)
}

#[tokio::test]
async fn afterwards_nothing_in_the_database_needs_the_old_key() {
    on_each_old(async |app| {
        let (id, under_way) = fill(app).await;
        let all = stored(app).await;
        assert_eq!((under(app, "k1").await, opened(app, &old()).await.1), (all, 0));
        let middle = beside(app, both()).await;
        assert!(under(app, "k2").await > 0, "what is new is sealed with the new key");
        let rehearsed = rotate::rehearse(&middle.broker, |_| {}).await.unwrap();
        assert_eq!((rehearsed.wrapped.values().sum::<i64>(), under(app, "k1").await), (all, all));
        assert_eq!(rotated(&middle.broker).await, all);

        let kept = trial::contents(&app.broker.store).await;
        let left: Vec<_> =
            kept.iter().filter(|(_, text)| text.contains("v1.k1.")).map(|(at, _)| at).collect();
        assert!(left.is_empty(), "still under the old key: {left:?}");
        let all = usize::try_from(stored(app).await).unwrap();
        assert_eq!(opened(app, &new()).await, (all, 0));
        assert_eq!(opened(app, &old()).await, (0, all));
        assert_eq!(rotated(&middle.broker).await, 0, "a second time there is nothing to do");

        // A process that never had the old key does everything with what was stored under it.
        let last = beside(app, new()).await;
        let call = async || last.call(&app.acme.key, &id, "/me").await.status;
        assert_eq!(call().await, 200);
        let body = json!({ "code": under_way.code, "redirect_uri": CB, "external_id": OWNER });
        let exchanged = last.exchange(&app.acme.key, &body).await;
        assert_eq!(exchanged.status, 200, "{}", exchanged.text());
        let back = under_way.browser.consent(&under_way.leg, "alice", "allow").await;
        let done = under_way.browser.get(&back.replace(&app.origin, &last.origin)).await;
        let (_, pairs) = done.redirect();
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": OWNER });
        assert_eq!(last.exchange(&app.acme.key, &body).await.status, 200);
        let refreshes = app.sandbox.stats().await.token_requests.refresh_token;
        last.pass(HOUR);
        assert_eq!(call().await, 200);
        let now = app.sandbox.stats().await.token_requests.refresh_token;
        assert_eq!(now, refreshes + 1, "a refresh takes the client secret too");
    })
    .await;
}

/// Many secrets more under the old key.
async fn bulk(app: &TestApp, count: usize) {
    app.change(async |to| {
        for n in 0..count {
            let new = NewWorkspace { name: format!("w{n}"), ..NewWorkspace::default() };
            setup::workspace(to, new).await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn calls_refreshes_and_flows_go_through_all_the_while() {
    on_each_old(async |app| {
        let (id, _) = fill(app).await;
        app.complete(&app.acme, Completion::Redirect).await;
        let middle = beside(app, both()).await;
        let (over, during) = (AtomicBool::new(false), AtomicU32::new(0));
        let caller = async || {
            while !over.load(Ordering::Relaxed) {
                let answer = middle.call(&app.acme.key, &id, "/me").await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                during.fetch_add(1, Ordering::Relaxed);
            }
        };
        let liver = async || {
            while !over.load(Ordering::Relaxed) {
                let browser = Browser::new();
                let leg = browser.set_out(app, &app.acme, &[]).await;
                let back = browser.consent(&leg, "alice", "allow").await;
                let back = browser.get(&back.replace(&app.origin, &middle.origin)).await;
                assert!(back.location().contains("connection_id="), "{}", back.location());
                // The next call of anybody refreshes.
                for at in [&middle, app] {
                    at.pass(HOUR);
                }
                for row in rows(app, Field::WebhookSecret).await {
                    let aad = Field::WebhookSecret.of(&row.workspace_id, &row.record);
                    assert!(middle.broker.vault.open(&aad, &row.sealed).is_ok());
                }
            }
        };
        let rotator = async || {
            while during.load(Ordering::Relaxed) < 100 {
                bulk(app, 300).await;
                assert!(rotated(&middle.broker).await >= 300);
            }
            over.store(true, Ordering::Relaxed);
        };
        tokio::join!(caller(), caller(), caller(), caller(), liver(), rotator());
        assert!(app.sandbox.stats().await.token_requests.refresh_token > 0);
        // What the old process sealed while the last pass was over it: flows that `app` began.
        rotated(&middle.broker).await;
        assert_eq!((under(app, "k1").await, opened(app, &new()).await.1), (0, 0));
        assert_eq!(app.sandbox.stats().await.refresh_reuse_detections, 0);
    })
    .await;
}

#[tokio::test]
async fn stopped_anywhere_it_goes_on_where_it_was() {
    on_each_old(async |app| {
        let (id, _) = fill(app).await;
        bulk(app, 500).await;
        let middle = beside(app, both()).await;
        let all = under(app, "k1").await;
        let (told, mut batches) = tokio::sync::mpsc::unbounded_channel();
        tokio::select! {
            ended = rotate(&middle.broker, |progress| told.send(progress).unwrap()) => panic!("{ended:?}"),
            first = batches.recv() => {
                let Progress { column, done, left } = first.unwrap();
                assert_eq!((column, done), ("workspace.jwt_secret", 200));
                assert!((301..303).contains(&left), "{left}");
            }
        }
        let left = under(app, "k1").await;
        assert!(left > 0 && left < all, "{left} of {all}");
        assert_eq!(opened(app, &both()).await.1, 0, "half way everything opens");
        assert_eq!(middle.call(&app.acme.key, &id, "/me").await.status, 200);
        assert_eq!(rotated(&middle.broker).await, left, "only what is left");
        assert_eq!(under(app, "k1").await, 0);
    })
    .await;
}

#[tokio::test]
async fn who_writes_meanwhile_is_not_written_over() {
    on_each_old(async |app| {
        let id = ConnectionId::parse(&connected(app).await).unwrap();
        let middle = beside(app, both()).await;
        rotated(&middle.broker).await;
        // Back under the old key, as a refresh by an old process would leave it: now only this one is left.
        let ws = &app.acme.workspace;
        let seal = |text: &str| {
            app.broker.vault.seal(&Field::Tokens.of(ws, id.as_str()), &Secret::new(text)).unwrap()
        };
        let mut credential = app.read().await.credential(ws, &id).await.unwrap().unwrap();
        let write = async |conn: &mut Conn, credential: &mut Credential, text: &str| {
            credential.sealed = seal(text);
            credential.version += 1;
            assert!(conn.replace_credential(ws, credential, credential.version - 1).await.unwrap());
        };
        let now = app.broker.clock.now();
        let mut conn = app.broker.store.begin(Actor::System, now).await.unwrap();
        write(&mut conn, &mut credential, "first").await;
        conn.commit().await.unwrap();
        let mut conn = app.broker.store.begin(Actor::System, now).await.unwrap();
        write(&mut conn, &mut credential, "second").await;
        let broker = middle.broker.clone();
        let running = tokio::spawn(async move { rotate(&broker, |_| {}).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        conn.commit().await.unwrap();
        let report = running.await.unwrap().unwrap();
        assert_eq!((report.failed, report.wrapped["credential.sealed"]), (0, 1));
        let kept = app.read().await.credential(ws, &id).await.unwrap().unwrap();
        assert_eq!((kept.version, kept.sealed.root_key_id()), (credential.version, Some("k2")));
        assert!(kept.sealed.body() == credential.sealed.body(), "what was written last, wrapped anew");
    })
    .await;
}

#[tokio::test]
async fn what_was_moved_between_rows_is_refused_and_stops_nothing_else() {
    on_each_old(async |app| {
        let (one, two) = (connected(app).await, connected(app).await);
        let middle = beside(app, both()).await;
        let all = under(app, "k1").await;
        let before = rows(app, Field::Tokens).await;
        let [a, b] = before.as_slice() else { panic!("two credentials") };
        let part = |row: &SealedRow, n: usize| row.sealed.as_str().split('.').nth(n).unwrap().to_owned();
        let swaps = [
            (b.sealed.clone(), a.sealed.clone()),
            (mixed(&part(b, 2), &part(a, 3)), mixed(&part(a, 2), &part(b, 3))),
            (mixed(&part(a, 2), &part(b, 3)), mixed(&part(b, 2), &part(a, 3))),
        ];
        for (in_a, in_b) in swaps {
            put(app, a, &in_a).await;
            put(app, b, &in_b).await;
            let report = rotate(&middle.broker, |_| {}).await.unwrap();
            let named: BTreeSet<_> = report.failures.iter().map(|f| (f.column, f.record.as_str())).collect();
            let expected = [one.as_str(), two.as_str()].map(|id| ("credential.sealed", id));
            assert_eq!((report.failed, named), (2, expected.into()));
            assert!(report.failures.iter().all(|f| f.why.contains("does not open")), "{:?}", report.failures);
            assert_eq!(under(app, "k1").await, 2, "all others are done");
            let now: Vec<_> = rows(app, Field::Tokens).await.into_iter().map(|row| row.sealed).collect();
            assert!(now == [in_a.clone(), in_b.clone()], "they stay as they are");
            for id in [&one, &two] {
                assert_eq!(middle.call(&app.acme.key, id, "/me").await.status, 500);
            }
            put(app, &SealedRow { sealed: in_a, ..a.clone() }, &a.sealed).await;
            put(app, &SealedRow { sealed: in_b, ..b.clone() }, &b.sealed).await;
        }
        assert_eq!(rotated(&middle.broker).await, 2);
        assert_eq!(under(app, "k2").await, stored(app).await);
        assert!(all > 2);
    })
    .await;
}

fn mixed(wrapped: &str, body: &str) -> Sealed {
    Sealed::from_row(format!("v1.k1.{wrapped}.{body}"))
}

/// Puts a text into a row behind everybody's back.
async fn put(app: &TestApp, was: &SealedRow, text: &Sealed) {
    let mut conn = app.broker.store.begin(Actor::System, app.broker.clock.now()).await.unwrap();
    assert!(conn.any_replace_sealed(Field::Tokens, was, text).await.unwrap());
    conn.commit().await.unwrap();
}
