//! Several processes over one database: what ends at one ends calls under way at every other, and nothing else does.

use std::time::Duration;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use claviger_engine::{
    domain::{
        api_key::Scope,
        audit::Actor,
        connection::Status,
        share::{Level, Principal},
    },
    id::{ApiKeyId, ConnectionId},
    setup::{self, NewApiKey},
    time::Millis,
    watch::{self, Look},
};
use futures_util::stream;
use http::{Method, Request};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    informer::{self, Someone, someone},
    membrane,
    support::{
        Browser, Options, TestApp, Upstream,
        app::ALL,
        on_each_with,
        upstream::{Head, say},
        wire::{self, Open, nothing},
    },
};

/// The root key of every process.
const KEY: &str = "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
/// Longer than anything here takes; only a failing story waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> Options {
    Options { keys: Some(KEY.to_owned()), ..Options::default() }
}

/// A second process over the same database, and where it is with the changes of all.
struct Node {
    app: TestApp,
    look: Look,
}

impl Node {
    async fn beside(app: &TestApp) -> Self {
        let mut node =
            Self { app: TestApp::start(app.broker.store.clone(), options()).await, look: Look::new() };
        node.look().await;
        node
    }

    async fn look(&mut self) {
        watch::once(&self.app.broker, &mut self.look).await.unwrap();
    }

    /// A call with a key that is made here, its answer not yet at its end.
    async fn open(&self, key: &str, connection: &str) -> Open {
        let call =
            Request::builder().uri(format!("{}/held", self.app.proxy)).header("bu-connection-id", connection);
        begun(call.header("authorization", format!("Bearer {key}"))).await
    }

    /// The same with a user's token.
    async fn open_as(&self, user: &Someone, integration: &str) -> Open {
        let call = format!("{}/api/integrations/{integration}/request/held", self.app.origin);
        begun(Request::builder().uri(call).header("authorization", format!("Bearer {}", user.token))).await
    }

    /// The same with a customer's token, by the one connection that it has at an integration `up`.
    async fn open_as_customer(&self, token: &str) -> Open {
        let call = Request::builder().uri(format!("{}/connections/up/proxy/held", self.app.origin));
        begun(call.header("authorization", format!("Bearer {token}"))).await
    }

    /// How many calls are under way here.
    fn under_way(&self) -> usize {
        self.app.broker.watch.len()
    }
}

async fn begun(call: http::request::Builder) -> Open {
    let mut open = wire::open(call.body(nothing()).unwrap()).await;
    assert_eq!(open.answer.status(), 200);
    assert_eq!(open.next().await.unwrap(), "first");
    open
}

async fn broke(open: Open) -> bool {
    tokio::time::timeout(PATIENCE, open.broke()).await.expect("it goes on")
}

/// An API whose every answer begins, and never ends.
async fn endless(_: Head, _: Body) -> Response {
    let pieces = stream::unfold(true, async |first| {
        if !first {
            std::future::pending::<()>().await;
        }
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"first")), false))
    });
    say(200, &[], Body::from_stream(pieces))
}

fn id(connection: &str) -> ConnectionId {
    ConnectionId::parse(connection).unwrap()
}

async fn freeze(app: &TestApp, connection: &str, at: Option<Millis>) {
    let done = app
        .change(async |to| to.conn.freeze_connection(&app.acme.workspace, &id(connection), at).await)
        .await;
    assert!(done);
}

async fn key(app: &TestApp) -> (ApiKeyId, String) {
    let new = NewApiKey {
        name: "another".to_owned(),
        scopes: vec![Scope::Proxy],
        integration_id: None,
        expires_at: None,
    };
    let (key, text) = app.change(async |to| setup::api_key(to, &app.acme.workspace, new).await).await;
    (key.id, text.expose().to_owned())
}

async fn delete(app: &TestApp, connection: &str) {
    let request =
        Request::builder().method(Method::DELETE).uri(format!("{}/v1/connections/{connection}", app.origin));
    let request = request.header("authorization", format!("Bearer {}", app.acme.key));
    let done = Browser::new().send(request, Bytes::new()).await;
    assert!(done.status.is_success(), "{}", done.text());
}

#[tokio::test]
async fn what_is_frozen_or_ended_or_revoked_at_one_node_is_cut_at_the_others() {
    on_each_with(options, async |app| {
        let up =
            [Upstream::start(endless).await, Upstream::start(endless).await, Upstream::start(endless).await];
        let mut node = Node::beside(app).await;
        let mut ids = Vec::new();
        for up in &up {
            ids.push(up.connect(app).await);
        }
        let (other, text) = key(app).await;
        let [frozen, ended, kept] = ids.as_slice() else { panic!("three") };
        let own = &app.acme.key;
        let (one, two) = (node.open(own, frozen).await, node.open(own, ended).await);
        let (three, mut four) = (node.open(&text, kept).await, node.open(own, kept).await);
        node.look().await;
        assert_eq!(node.under_way(), 4);

        freeze(app, frozen, Some(app.broker.clock.now())).await;
        node.look().await;
        assert!(broke(one).await && node.under_way() == 3);
        delete(app, ended).await;
        node.look().await;
        assert!(broke(two).await && node.under_way() == 2);
        let now = app.broker.clock.now();
        app.change(async |to| to.conn.revoke_api_key(&app.acme.workspace, &other, now).await).await;
        node.look().await;
        assert!(broke(three).await && node.under_way() == 1);
        let on = tokio::time::timeout(Duration::from_millis(50), four.next()).await;
        assert!(on.is_err(), "the one that stands on none of them goes on");
        drop(four);

        node.app.broker.logs.flush().await;
        let logs = app.read().await.request_logs(&app.acme.workspace, &ALL).await.unwrap();
        let cut = logs.iter().filter(|log| log.error.as_deref() == Some("access_ended"));
        assert_eq!(cut.count(), 3, "and the log says why");
    })
    .await;
}

#[tokio::test]
async fn a_call_is_cut_before_its_answer_with_the_reason() {
    on_each_with(options, async |app| {
        let up = Upstream::start(|_, _| std::future::pending::<Response>()).await;
        let connection = up.connect(app).await;
        let mut node = Node::beside(app).await;
        let request =
            Request::builder().uri(format!("{}/x", node.app.proxy)).header("bu-connection-id", &connection);
        let request = request.header("authorization", format!("Bearer {}", app.acme.key));
        let waiting = tokio::spawn(async move { Browser::new().send(request, Bytes::new()).await });
        while up.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        freeze(app, &connection, Some(app.broker.clock.now())).await;
        node.look().await;
        let answer = tokio::time::timeout(PATIENCE, waiting).await.expect("it waits on").unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.text().contains("frozen")),
            (403, true),
            "{}",
            answer.text()
        );
        assert_eq!(node.under_way(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_changes_without_an_end_cuts_nothing() {
    on_each_with(options, async |app| {
        let up = Upstream::start(endless).await;
        let connection = up.connect(app).await;
        let mut node = Node::beside(app).await;
        let mut open = node.open(&app.acme.key, &connection).await;
        let (ws, of, now) = (&app.acme.workspace, id(&connection), app.broker.clock.now());
        // The provider says what its token is good for; and what it is called, and another key, are nothing to it.
        app.change(async |to| {
            to.conn.set_connection_status(ws, &of, Status::NeedsReauth, Some("why"), now).await
        })
        .await;
        let (other, _) = key(app).await;
        app.change(async |to| to.conn.revoke_api_key(ws, &other, now).await).await;
        app.settings(&app.acme, |settings| settings.include_external_id = false).await;
        node.look().await;
        assert!(tokio::time::timeout(Duration::from_millis(50), open.next()).await.is_err(), "it goes on");
        assert_eq!(node.under_way(), 1);
        freeze(app, &connection, Some(now)).await;
        freeze(app, &connection, None).await;
        node.look().await;
        assert_eq!(node.under_way(), 1, "what is thawed before anybody looked was never frozen here");
    })
    .await;
}

#[tokio::test]
async fn users_are_cut_off_with_what_they_stand_on() {
    on_each_with(options, async |app| {
        let up = Upstream::start(endless).await;
        app.integrate(&app.acme, "up", &up.origin).await;
        let found =
            app.read().await.integration_by_selector(&app.acme.workspace, "up").await.unwrap().unwrap();
        let mut users = Vec::new();
        for name in ["alice", "bob", "carol", "dora"] {
            let user = someone(app, &app.acme, name, &[]).await;
            share(app, &found.id, &user, Some(Level::Use)).await;
            let code = json!({ "code": "canary-code" });
            let path = "/api/integrations/up/connect";
            let made = informer::ask(app, &user.token, Method::POST, path, Some(&code)).await;
            assert!(made.status.is_success(), "{}", made.text());
            users.push(user);
        }
        let mut node = Node::beside(app).await;
        let mut open = Vec::new();
        for user in &users {
            open.push(node.open_as(user, "up").await);
        }
        let [alice, bob, carol, dora] = users.as_slice() else { panic!("four") };
        let ws = &app.acme.workspace;
        let now = app.broker.clock.now();
        app.change(async |to| to.conn.disable_user(ws, &alice.user.id, Some(now)).await).await;
        let tokens = app.read().await.user_tokens(ws, &bob.user.id, &ALL).await.unwrap();
        app.change(async |to| to.conn.delete_user_token(ws, &bob.user.id, &tokens[0].id).await).await;
        share(app, &found.id, carol, None).await;
        node.look().await;
        let mut last = open.pop().unwrap();
        for (open, who) in open.into_iter().zip(["disabled", "without its token", "shut out"]) {
            assert!(broke(open).await, "{who}");
        }
        assert!(
            tokio::time::timeout(Duration::from_millis(50), last.next()).await.is_err(),
            "{:?}",
            dora.user.id
        );
        assert_eq!(node.under_way(), 1);
    })
    .await;
}

async fn share(
    app: &TestApp,
    integration: &claviger_engine::id::IntegrationId,
    user: &Someone,
    level: Option<Level>,
) {
    let (ws, principal) = (&app.acme.workspace, Principal::User(user.user.id.clone()));
    let mut conn = app.broker.store.begin(Actor::Cli, app.broker.clock.now()).await.unwrap();
    match level {
        Some(level) => conn.set_share(ws, integration, &principal, level).await.map(drop),
        None => conn.delete_share(ws, integration, &principal).await.map(drop),
    }
    .unwrap();
    conn.commit().await.unwrap();
}

/// A customer with a connection at an API whose answers never end, and its token.
async fn customer(app: &TestApp) -> (Upstream, String) {
    let up = Upstream::start(endless).await;
    app.integrate(&app.acme, "up", &up.origin).await;
    membrane::planted::plant(app, &app.acme, "up", "alice", "canary_alice").await;
    (up, membrane::customer(app, &app.acme, "alice").await)
}

#[tokio::test]
async fn a_customers_calls_end_with_its_connection() {
    on_each_with(options, async |app| {
        let (_up, alice) = customer(app).await;
        let mut node = Node::beside(app).await;
        let open = node.open_as_customer(&alice).await;
        node.look().await;
        assert_eq!(node.under_way(), 1);
        let gone = membrane::ask(app, &alice, Method::DELETE, "/connections/up", None).await;
        assert!(gone.status.is_success(), "{}", gone.text());
        node.look().await;
        assert!(broke(open).await && node.under_way() == 0);
    })
    .await;
}

#[tokio::test]
async fn a_customers_calls_end_with_what_its_token_was_signed_with() {
    on_each_with(options, async |app| {
        let (_up, alice) = customer(app).await;
        let mut node = Node::beside(app).await;
        let open = node.open_as_customer(&alice).await;
        app.settings(&app.acme, |settings| settings.include_external_id = false).await;
        node.look().await;
        assert_eq!(node.under_way(), 1, "another setting is nothing to it");
        app.settings(&app.acme, |settings| settings.jwt.secret = false).await;
        node.look().await;
        assert!(broke(open).await && node.under_way() == 0);
    })
    .await;
}

#[tokio::test]
async fn changes_that_were_forgotten_meanwhile_are_not_missed() {
    on_each_with(options, async |app| {
        let up = Upstream::start(endless).await;
        let connection = up.connect(app).await;
        let mut node = Node::beside(app).await;
        let open = node.open(&app.acme.key, &connection).await;
        freeze(app, &connection, Some(app.broker.clock.now())).await;
        app.pass(Duration::from_secs(2 * 3600));
        let before = app.broker.clock.now();
        app.change(async |to| to.conn.any_purge_changes(before, 1000).await).await;
        node.look().await;
        assert!(broke(open).await);
    })
    .await;
}

#[tokio::test]
async fn while_nothing_can_be_looked_up_nothing_is_forgotten() {
    on_each_with(options, async |app| {
        let up = Upstream::start(endless).await;
        let connection = up.connect(app).await;
        let mut node = Node::beside(app).await;
        let open = node.open(&app.acme.key, &connection).await;
        freeze(app, &connection, Some(app.broker.clock.now())).await;
        for table in ["change_head", "api_key"] {
            claviger_engine::store::trial::lose_table(&app.broker.store, table).await;
            let _failed = watch::once(&node.app.broker, &mut node.look).await;
            assert_eq!(node.under_way(), 1, "without {table}");
            claviger_engine::store::trial::find_table(&app.broker.store, table).await;
        }
        node.look().await;
        assert!(broke(open).await);
    })
    .await;
}

#[tokio::test]
async fn a_serving_process_looks_by_itself() {
    on_each_with(options, async |app| {
        let up = Upstream::start(endless).await;
        let connection = up.connect(app).await;
        let node = Node::beside(app).await;
        let stop = CancellationToken::new();
        let job = tokio::spawn(watch::run(node.app.broker.clone(), stop.clone()));
        let open = node.open(&app.acme.key, &connection).await;
        freeze(app, &connection, Some(app.broker.clock.now())).await;
        assert!(node.app.passing(broke(open)).await);
        stop.cancel();
        node.app.passing(job).await.unwrap();
    })
    .await;
}
