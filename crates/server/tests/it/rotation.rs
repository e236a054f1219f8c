//! Root keys are rotated while everything goes on; afterwards the old one is not needed for anything.

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

/// What is under way when the keys change: a browser at the provider, and a code that is still to be exchanged.
struct UnderWay {
    browser: Browser,
    leg: Leg,
    code: String,
}

/// Fills every column that holds sealed texts.
async fn fill(app: &TestApp) -> (String, UnderWay) {
    let ws = &app.acme.workspace;
    app.change(async |to| {
        let new = NewWebhook {
            name: "hook".into(),
            url: "https://hooks.test/x".into(),
            events: vec![EventKind::ConnectionCreated],
            format: Default::default(),
            secret: None,
        };
        let (hook, _) = setup::webhook(to, ws, new).await?;
        setup::roll_webhook_secret(to, &hook, HOUR).await
    })
    .await;
    ways(app).await;
    rarer(app).await;
    let id = connected(app).await;
    before(app, &id).await;
    app.complete(&app.acme, Completion::Server).await;
    let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
    let code = value(&pairs, "code").to_owned();
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[]).await;
    for held in held(&mut app.read().await).await.unwrap() {
        assert!(held.by_root.values().sum::<i64>() > 0, "{} is filled", held.column);
    }
    (id, UnderWay { browser, leg, code })
}

/// A refresh leaves the credential before it, until the new one has worked.
async fn before(app: &TestApp, id: &str) {
    let (ws, id) = (&app.acme.workspace, ConnectionId::parse(id).unwrap());
    let mut credential = app.read().await.credential(ws, &id).await.unwrap().unwrap();
    let aad = Field::PreviousTokens.of(ws, id.as_str());
    credential.previous = Some(app.broker.vault.seal(&aad, &Secret::new("{}")).unwrap());
    // It is known to work, so that no call erases the one before.
    credential.worked_at = Some(app.broker.clock.now());
    credential.version += 1;
    let seen = credential.version - 1;
    assert!(app.change(async |to| to.conn.replace_credential(ws, &credential, seen).await).await);
}

/// What customers have: an option with a client of its own, an app that is lent, and what a product left with us.
async fn ways(app: &TestApp) {
    let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
    let lent = NewOauthApp {
        key: "lent".into(),
        provider: "github".into(),
        client_id: "app".into(),
        client_secret: Some(Secret::new("the app's")),
    };
    let option = NewAuthOption {
        key: "more".into(),
        title: None,
        description: None,
        provider: None,
        client_id: Some("more".into()),
        client_secret: Some(Secret::new("the option's")),
        scopes: Vec::new(),
        callback: None,
        config: at("https://more.test"),
        nth: 0,
    };
    let of = app.integration(&app.acme, &app.acme.integration).await;
    let id = CustomerId::new();
    let left =
        app.broker.vault.seal(&Field::CustomerCredentials.of(ws, id.as_str()), &Secret::new("{}")).unwrap();
    let customer = Customer {
        id,
        workspace_id: ws.clone(),
        key: "customer".into(),
        name: None,
        fields: Default::default(),
        credentials: Some(left),
        seen_at: now,
        created_at: now,
        updated_at: now,
    };
    app.change(async |to| {
        setup::oauth_app(to, ws, lent).await?;
        setup::auth_option(to, &of, option).await?;
        to.conn.create_customer(ws, &customer).await
    })
    .await;
}

/// What the rarer ways to authenticate keep: a key of ours, and a code that somebody has yet to enter.
async fn rarer(app: &TestApp) {
    let (ws, now) = (&app.acme.workspace, app.broker.clock.now());
    let sealed =
        |field: Field, id: &str| app.broker.vault.seal(&field.of(ws, id), &Secret::new("{}")).unwrap();
    app.complete(&app.acme, Completion::Confirm).await;
    let began = Browser::new().get(&app.authorize_url(&app.acme, &[])).await;
    app.complete(&app.acme, Completion::Redirect).await;
    let flow = FlowId::parse(began.location().strip_prefix("/connect/").expect("a page")).expect("a flow");
    let id = ClientKeyId::new();
    let key = ClientKey {
        secret: sealed(Field::ClientKey, id.as_str()),
        id,
        workspace_id: ws.clone(),
        integration_id: app.acme.integration.clone(),
        option_id: None,
        purpose: Purpose::Signing,
        alg: Alg::ES256,
        public: "{}".to_owned(),
        signs_from: now,
        created_at: now,
    };
    let device = sealed(Field::Device, flow.as_str());
    let later = now.plus(HOUR);
    let (endpoints, inputs) = (Endpoints::default(), Default::default());
    let given = DeviceGiven {
        was: None,
        device: &device,
        endpoints: &endpoints,
        inputs: &inputs,
        poll_at: later,
        expires_at: later,
    };
    app.change(async |to| {
        to.conn.create_client_key(ws, &key).await?;
        to.conn.give_device(ws, &flow, &given).await
    })
    .await;
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

fn process_with(keys: &[&str], at: Millis) -> Process {
    Process {
        id: ProcessId::new(),
        version: "0".into(),
        key_ids: keys.iter().map(|&key| key.to_owned()).collect(),
        started_at: at,
        seen_at: at,
    }
}

/// A process that says of itself what it likes.
async fn announce(broker: &Broker, keys: &[&str]) -> Process {
    let now = broker.clock.now();
    let process = process_with(keys, now);
    let mut conn = broker.store.begin(Actor::System, now).await.unwrap();
    conn.any_announce_process(&process).await.unwrap();
    conn.commit().await.unwrap();
    process
}

fn conflict(result: claviger_engine::error::Result<rotate::Report>) -> String {
    match result {
        Err(Error::Conflict { message }) => message,
        other => panic!("expected a conflict, got {other:?}"),
    }
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
async fn processes_that_are_not_ready_are_named_and_nothing_is_touched() {
    on_each_old(async |app| {
        fill(app).await;
        let middle = beside(app, both()).await;
        let all = under(app, "k1").await;
        let refused = async || conflict(rotate(&middle.broker, |_| {}).await);
        let ready = announce(&middle.broker, &["k2", "k1"]).await;
        let lacks = announce(&middle.broker, &["k1"]).await;
        let message = refused().await;
        assert!(message.contains(&format!("{} holds k1 only", lacks.id)), "{message}");
        assert!(!message.contains(ready.id.as_str()) && message.contains("Restart"), "{message}");
        assert_eq!(conflict(rotate::rehearse(&middle.broker, |_| {}).await), message);

        // Silent for long enough, it counts as gone.
        middle.pass(process::ALIVE);
        assert!(refused().await.contains(lacks.id.as_str()));
        middle.pass(Duration::from_millis(1));
        let seals = announce(&middle.broker, &["k1", "k2"]).await;
        let message = refused().await;
        assert!(message.contains(seals.id.as_str()) && message.contains("seals with"), "{message}");
        assert!(!message.contains(lacks.id.as_str()), "{message}");
        assert_eq!(under(app, "k1").await, all);
        middle.pass(process::ALIVE + Duration::from_millis(1));
        assert_eq!(rotated(&middle.broker).await, all);
    })
    .await;
}

#[tokio::test]
async fn a_process_that_comes_in_the_middle_stops_it() {
    on_each_old(async |app| {
        bulk(app, 250).await;
        let middle = beside(app, both()).await;
        // Holds what the first batch is about to change, and tells of itself when it lets go.
        let now = app.broker.clock.now();
        let mut conn = app.broker.store.begin(Actor::System, now).await.unwrap();
        let acme = conn.workspace(&app.acme.workspace).await.unwrap().unwrap();
        conn.update_workspace(&acme.id, &acme.name, &acme.settings).await.unwrap();
        conn.any_announce_process(&process_with(&["k1"], now)).await.unwrap();
        let broker = middle.broker.clone();
        let running = tokio::spawn(async move { rotate(&broker, |_| {}).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        conn.commit().await.unwrap();
        assert!(conflict(running.await.unwrap()).contains("holds k1 only"));
        assert!(under(app, "k1").await > 0);
        assert_eq!(opened(app, &both()).await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_serving_process_is_there_from_before_its_start_until_after_its_end() {
    on_each_old(async |app| {
        let middle = beside(app, both()).await;
        let presence = process::announce(&app.broker).await.unwrap();
        let other = process::announce(&middle.broker).await.unwrap();
        let alive = process::alive(&app.broker).await.unwrap();
        let mut keys: Vec<_> = alive.iter().map(|process| process.key_ids.join(",")).collect();
        keys.sort();
        assert_eq!(keys, ["k1", "k2,k1"]);
        assert!(conflict(rotate(&middle.broker, |_| {}).await).contains("holds k1 only"));
        presence.leave().await;
        rotated(&middle.broker).await;
        other.leave().await;
        assert_eq!(process::alive(&app.broker).await.unwrap(), []);
        let all = trial::contents(&app.broker.store).await;
        assert!(all.iter().all(|(place, _)| !place.starts_with("process.")), "no row stays");
    })
    .await;
}

#[tokio::test]
async fn a_serving_process_says_again_and_again_that_it_lives() {
    on_each_old(async |app| {
        let presence = process::announce(&app.broker).await.unwrap();
        let limit = std::time::Instant::now() + Duration::from_secs(20);
        for _ in 0..2 {
            let silent = app.broker.clock.now().plus(process::ALIVE);
            // Each second of the clock takes a moment: it is heard of again long after one beat would be forgotten.
            while !process::alive(&app.broker).await.unwrap().iter().any(|one| one.seen_at > silent) {
                assert!(std::time::Instant::now() < limit, "it is silent");
                app.pass(Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        presence.leave().await;
    })
    .await;
}

#[tokio::test]
async fn a_process_that_took_no_leave_goes_out_of_date() {
    on_each_old(async |app| {
        drop(process::announce(&app.broker).await.unwrap());
        assert_eq!(process::alive(&app.broker).await.unwrap().len(), 1);
        for _ in 0..60 {
            app.pass(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(process::alive(&app.broker).await.unwrap(), []);
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

/// The command with these root keys, over a database in `folder`.
fn claviger(folder: &Path, keys: &str, words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    let output = command.env("CLAVIGER_MASTER_KEY", keys).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    for secret in [old(), new()] {
        let secret = secret.split_once(':').unwrap().1.to_owned();
        assert!(!out.contains(&secret) && !err.contains(&secret), "{words:?} shows a key");
    }
    (output.status.code(), out, err)
}

#[test]
fn the_command_line_rotates_and_tells_when_the_old_key_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let run = |keys: &str, words: &[&str]| claviger(folder.path(), keys, words);
    let json = |keys: &str, words: &[&str]| -> Value {
        let (_, out, err) = run(keys, words);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}{err}"))
    };
    assert_eq!(run("", &["key", "generate"]).1[..3], *"k1:");
    assert_eq!(run("", &["key", "generate", "--id", "k_2"]).1[..4], *"k_2:");
    assert_eq!(run("", &["key", "generate", "--id", "k.2"]).0, Some(1));
    let (code, _, err) = run(&both(), &["key", "rotate"]);
    assert!(code == Some(1) && err.contains("does not exist yet"), "{err}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no database is made");

    assert_eq!(run(&old(), &["workspace", "create"]).0, Some(0));
    let listed = json(&both(), &["key", "list", "--json"]);
    let keys = |listed: &Value| {
        let keys = listed["keys"].as_array().unwrap().iter();
        keys.map(|key| format!("{} {} {} {}", key["id"], key["given"], key["seals"], key["stored"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&listed), ["\"k2\" true true 0", "\"k1\" true false 1"]);
    assert_eq!(
        keys(&json(&new(), &["key", "list", "--json"])),
        ["\"k2\" true true 0", "\"k1\" false false 1"]
    );
    let (_, out, _) = run(&both(), &["doctor"]);
    assert!(out.contains("warn  key") && out.contains("claviger key rotate"), "{out}");
    let (code, out, _) = run(&new(), &["doctor"]);
    assert!(code == Some(1) && out.contains("FAIL  key") && out.contains("1 by k1"), "{out}");

    let (code, out, err) = run(&new(), &["key", "rotate"]);
    assert!(
        code == Some(1) && err.contains("workspace.jwt_secret of ws_") && err.contains("not given"),
        "{out}{err}"
    );
    let dry = json(&both(), &["key", "rotate", "--dry-run", "--json"]);
    assert_eq!((&dry["wrapped"]["workspace.jwt_secret"], &dry["dry_run"]), (&json!(1), &json!(true)));
    let done = json(&both(), &["key", "rotate", "--json"]);
    assert_eq!((&done["wrapped"], &done["failed"]), (&json!({ "workspace.jwt_secret": 1 }), &json!(0)));
    let (code, out, _) = run(&both(), &["key", "rotate"]);
    assert!(code == Some(0) && out.contains("nothing to do"), "{out}");
    let (_, out, err) = run(&both(), &["key", "list"]);
    assert!(out.contains("k2") && err.contains("k1 wraps nothing here any more"), "{out}{err}");
    let (_, out, _) = run(&new(), &["doctor"]);
    assert!(out.contains("ok    key"), "{out}");
}
