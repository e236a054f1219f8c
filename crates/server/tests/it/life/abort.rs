//! A process dies at each point of a refresh, and another one goes on: what becomes of the connection is the table in
//! docs/refresh.md, which is read here.

use std::time::Duration;

use bytes::Bytes;
use claviger_engine::{
    domain::{connection::Status, event::EventKind, integration::Config},
    fail::POINTS,
    store::{Store, trial},
    vault::KeyRing,
};
use http::{Method, Request};
use serde_json::json;

use super::child::{Orders, Process};
use crate::support::{
    Browser, Options, TestApp,
    app::{at, new_integration},
    sandbox, value,
};

const PAGE: &str = include_str!("../../../../../docs/refresh.md");
const HOUR: Duration = Duration::from_secs(3600);
/// Longer than a lease, and than a failure's rest.
const LATER: Duration = Duration::from_secs(60);

/// What providers say of a refresh token whose fate is not known, in the order of the table's last columns; each the key
/// of an integration.
const KINDS: [&str; 3] = ["silent", "asked", "lenient"];

/// A row of the table.
struct Row {
    point: String,
    answer: String,
    sent: u64,
    unknown: bool,
    ends: [String; 3],
}

fn rows() -> Vec<Row> {
    let table = PAGE.split("<!-- points -->").nth(1).expect("the table");
    let lines = table.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [point, _, answer, sent, unknown, silent, asked, lenient] = cells[..] else {
                panic!("not a row: {line}")
            };
            Row {
                point: point.trim_matches('`').to_owned(),
                answer: answer.to_owned(),
                sent: sent.parse().expect("how often it was sent"),
                unknown: unknown == "yes",
                ends: [silent, asked, lenient].map(str::to_owned),
            }
        })
        .collect()
}

#[test]
fn the_table_has_every_point_and_no_other() {
    let points: Vec<String> = rows().into_iter().map(|row| row.point).collect();
    assert_eq!(points, POINTS);
}

/// The sandbox's file for a provider that takes a refresh token twice within ten minutes.
fn lenient() -> (String, String) {
    let file = include_str!("../../../../catalog/providers/sandbox.toml");
    let text = file.replace("key = \"sandbox\"", "key = \"lenient\"");
    ("lenient.toml".to_owned(), text.replace("rotates = true", "rotates = true\nreuse_seconds = 600"))
}

/// A server that only watches, in this process, and the provider.
struct Scene {
    app: TestApp,
    orders: Orders,
}

impl Scene {
    async fn set(store: Store, database: &str) -> Self {
        let keys = KeyRing::generate().expect("keys").expose().to_owned();
        let (_, text) = lenient();
        let providers = vec![("lenient.toml", text)];
        let app =
            TestApp::start(store, Options { keys: Some(keys.clone()), providers, ..Options::default() });
        let app = app.await;
        let origin = app.sandbox.origin.clone();
        let asked = Config { introspect_url: Some(format!("{origin}/introspect")), ..at(&origin) };
        for (key, provider, config) in [
            ("silent", "sandbox", at(&origin)),
            ("asked", "sandbox", asked),
            ("lenient", "lenient", at(&origin)),
        ] {
            app.integrate_as(&app.acme, new_integration(key, provider, config)).await;
        }
        let orders =
            Orders { database: database.to_owned(), keys, providers: vec![lenient()], now: 0, dies_at: None };
        Self { app, orders }
    }

    /// A process as of now, which may die.
    fn process(&self, dies_at: Option<&str>) -> Process {
        let (now, dies_at) = (self.app.broker.clock.now().0, dies_at.map(str::to_owned));
        Process::start(&Orders { now, dies_at, ..self.orders.clone() })
    }

    /// A new connection, and the code that made it.
    async fn connect(&self, key: &str) -> (String, String) {
        let browser = Browser::new();
        let leg = browser.set_out(&self.app, &self.app.acme, &[("integration_id", key)]).await;
        let callback = browser.consent(&leg, "alice", "allow").await;
        let (_, pairs) = browser.get(&callback).await.redirect();
        let query = callback.split_once('?').expect("a query").1;
        let code = value(&crate::support::decode(query), "code").to_owned();
        (value(&pairs, "connection_id").to_owned(), code)
    }

    /// Takes a grant back at the provider: its code, shown twice, ends it.
    async fn take_back(&self, code: &str) {
        let request =
            Request::builder().method(Method::POST).uri(format!("{}/token", self.app.sandbox.origin));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", sandbox::CLIENT),
            ("client_secret", sandbox::SECRET),
        ];
        let answer = Browser::new().form(request, &form).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }

    /// Has the provider answer refreshes this way.
    async fn answers(&self, kind: &str, answer: &str) {
        let url = format!("{}/faults", self.app.sandbox.origin);
        assert_eq!(Browser::new().send(Request::delete(url), Bytes::new()).await.status, 200);
        let mut faults = match answer {
            "503" => json!({ "token_grant": "refresh_token", "token_status": 503 }),
            "breaks off" => json!({ "token_grant": "refresh_token", "token_broken": true }),
            _ => json!({}),
        };
        if kind == "lenient" {
            faults["reuse_grace_seconds"] = 600.into();
        }
        self.app.sandbox.faults(faults).await;
    }

    async fn sent(&self) -> u64 {
        self.app.sandbox.stats().await.token_requests.refresh_token
    }

    /// What becomes of a connection at its next call, in the table's words.
    async fn ends(&self, with: &Process, id: &str) -> String {
        let before = self.sent().await;
        let answer = tokio::task::block_in_place(|| with.call(&self.app.acme.key, id));
        let (status, body) = answer.expect("an answer");
        let connection = self.app.connection(&self.app.acme, id).await;
        let reason = connection.status_reason.unwrap_or_default();
        let (word, state) = match (status, self.sent().await - before) {
            (200, 0) => ("goes on", Status::Active),
            (200, 1) => ("refreshed", Status::Active),
            (401, 0) if reason.starts_with("a refresh was sent at ") => ("unknown", Status::NeedsReauth),
            (401, 1) if reason.contains("invalid_grant") => ("refused", Status::NeedsReauth),
            (401, 0) if reason.contains("invalid_grant") => ("stays refused", Status::NeedsReauth),
            (504, 0) if body.contains("a refresh was sent at ") => ("later", Status::Active),
            (_, sent) => return format!("{status} {body} with {sent} sent, {reason:?}"),
        };
        assert_eq!(connection.status, state, "{word}: {body}");
        word.to_owned()
    }
}

/// How many sendings were marked as unknown, ever.
async fn unknown(store: &Store) -> usize {
    let all = trial::contents(store).await;
    all.iter().filter(|(place, _)| place == "refresh_intent.unknown_at").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_a_refresh_that_dies_is_the_table() {
    for database in trial::databases().await {
        let store = Store::open(&database.url).await.unwrap();
        store.migrate().await.unwrap();
        dies_everywhere(store.clone(), &database.url).await;
        store.close().await;
        database.remove().await;
    }
}

async fn dies_everywhere(store: Store, url: &str) {
    let scene = Scene::set(store.clone(), url).await;
    let mut made = Vec::new();
    for row in rows() {
        for (kind, end) in KINDS.into_iter().zip(row.ends.clone()) {
            let (id, code) = scene.connect(kind).await;
            if row.answer == "refusal" {
                scene.take_back(&code).await;
            }
            made.push((row.point.clone(), row.answer.clone(), row.sent, kind, end, id));
        }
    }
    scene.app.pass(HOUR);
    for (point, answer, sent, kind, _, id) in &made {
        scene.answers(kind, answer).await;
        let before = scene.sent().await;
        let process = scene.process(Some(point));
        let answered = tokio::task::block_in_place(|| process.call(&scene.app.acme.key, id));
        assert_eq!(answered, None, "{point}, {kind}: it was to die");
        process.died();
        assert_eq!(scene.sent().await - before, *sent, "{point}, {kind}: sent before");
    }
    let mut ends = Vec::new();
    for _ in 0..2 {
        scene.app.pass(LATER);
        let again = scene.process(None);
        for (n, (.., kind, _, id)) in made.iter().enumerate() {
            match ends.get(n).map(String::as_str) {
                Some("later") => {
                    scene.answers(kind, "tokens").await;
                    ends[n] = format!("{} later", scene.ends(&again, id).await);
                }
                Some(_) => {}
                None => {
                    scene.answers(kind, "tokens").await;
                    ends.push(scene.ends(&again, id).await);
                }
            }
        }
        again.stop();
    }
    let wrong = made.iter().zip(ends).filter(|((.., end, _), got)| end != got);
    let wrong =
        wrong.map(|((point, _, _, kind, end, _), got)| format!("{point}, {kind}: {got} instead of {end}"));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let listed = rows().iter().filter(|row| row.unknown).count() * KINDS.len();
    assert_eq!(unknown(&store).await, listed, "each is listed, and no other");
    let log = Browser::new().get(&format!("{}/tokens/log", scene.app.sandbox.origin)).await.json();
    assert_eq!(log["outside"], 0, "no token twice outside its rule: {log}");
    let lost = ["unknown", "refused", "stays refused"];
    let lost = made.iter().filter(|(.., end, _)| lost.contains(&end.as_str())).count();
    let events = scene.app.events(&scene.app.acme).await;
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::ConnectionExpired).count(), lost);
    scene.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_old_token_is_good_calls_go_on_with_it() {
    for database in trial::databases().await {
        let store = Store::open(&database.url).await.unwrap();
        store.migrate().await.unwrap();
        let scene = Scene::set(store.clone(), &database.url).await;
        let (id, _) = scene.connect("silent").await;
        scene.app.pass(HOUR - Duration::from_secs(200));
        let process = scene.process(Some("after_send"));
        assert_eq!(tokio::task::block_in_place(|| process.call(&scene.app.acme.key, &id)), None);
        process.died();
        scene.app.pass(LATER);
        let again = scene.process(None);
        assert_eq!(scene.ends(&again, &id).await, "goes on");
        assert_eq!(scene.ends(&again, &id).await, "goes on");
        again.stop();
        assert_eq!(unknown(&store).await, 1, "and the operator can see it");
        scene.app.pass(HOUR);
        let again = scene.process(None);
        assert_eq!(scene.ends(&again, &id).await, "unknown", "with its end the connection needs its owner");
        again.stop();
        assert_eq!(scene.sent().await, 1, "and the token was never sent again");
        scene.app.stop().await;
        store.close().await;
        database.remove().await;
    }
}
