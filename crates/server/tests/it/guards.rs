//! Guards that only a rare moment needs: a row that went away, was moved or was replaced while somebody was
//! using it.

use std::{sync::Arc, time::Duration};

use claviger_engine::{
    domain::{connection::Status, credential::Credential, event::EventKind, workspace::Completion},
    id::ConnectionId,
    time::Millis,
};
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{
    Browser, CB, Tenant, TestApp, Upstream,
    app::{at, new_integration},
    names, on_each,
    stub::TOKENS,
    upstream::{json as answer, say},
    value,
};

/// A provider whose token endpoint tells of each request, and answers when it is told to.
struct Held {
    up: Upstream,
    asked: Arc<Notify>,
    go: Arc<Notify>,
}

impl Held {
    /// Grants every code; refuses every refresh token. Only requests with `word` in their form are held.
    async fn start(word: &'static str) -> Self {
        let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told, wait) = (asked.clone(), go.clone());
        let up = Upstream::whole(move |head, body| {
            let (told, wait) = (told.clone(), wait.clone());
            async move {
                if head.target != "/token" {
                    return answer(r#"{"sub":"held-user","name":"Held User"}"#);
                }
                let form = body.collect().await.expect("a form").to_bytes();
                let form = String::from_utf8_lossy(&form).into_owned();
                if form.contains(word) {
                    told.notify_one();
                    wait.notified().await;
                }
                if form.contains("grant_type=refresh_token") {
                    let refused = r#"{"error":"invalid_grant"}"#;
                    return say(400, &[("content-type", "application/json")], refused);
                }
                answer(TOKENS)
            }
        })
        .await;
        Self { up, asked, go }
    }

    /// Does something while the provider thinks.
    async fn meanwhile(&self, work: impl Future<Output = ()>) {
        self.asked.notified().await;
        work.await;
        self.go.notify_one();
    }
}

#[tokio::test]
async fn a_connection_and_the_end_of_its_flow_are_written_together() {
    on_each(async |app| {
        let held = Held::start("grant_type=authorization_code").await;
        app.integrate_as(&app.acme, new_integration("held", "oauth2", at(&held.up.origin))).await;
        // The flow's row is purged while the code is redeemed, so its end can't be written.
        let purge = async || {
            let gone = app.change(async |to| to.conn.any_purge_flows(Millis(i64::MAX), 1000).await).await;
            assert!(gone > 0, "there was a flow");
        };
        let begin = async || {
            let browser = Browser::new();
            let extra = [("integration_id", "held"), ("external_id", "u")];
            let leg = browser.set_out(app, &app.acme, &extra).await;
            (browser, leg.back(&[("code", "c")]))
        };

        app.complete(&app.acme, Completion::Redirect).await;
        let (browser, back) = begin().await;
        let (done, ()) = tokio::join!(browser.get(&back), held.meanwhile(purge()));
        assert!(!done.status.is_success(), "{}", done.text());
        app.assert_nothing_connected(&app.acme).await;

        app.complete(&app.acme, Completion::Server).await;
        let (browser, back) = begin().await;
        let (_, pairs) = browser.get(&back).await.redirect();
        assert_eq!(names(&pairs), ["code"]);
        let body = json!({ "code": value(&pairs, "code"), "redirect_uri": CB, "external_id": "u" });
        let (done, ()) = tokio::join!(app.exchange(&app.acme.key, &body), held.meanwhile(purge()));
        assert!(!done.status.is_success(), "{}", done.text());
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

async fn connect(app: &TestApp, tenant: &Tenant) -> ConnectionId {
    let (_, pairs) = Browser::new().connect(app, tenant, &[]).await.redirect();
    ConnectionId::parse(value(&pairs, "connection_id")).expect("a connection id")
}

async fn credential(app: &TestApp, tenant: &Tenant, id: &ConnectionId) -> Credential {
    app.read().await.credential(&tenant.workspace, id).await.expect("read").expect("a credential")
}

/// Writes over a credential as another process would.
async fn replace(app: &TestApp, tenant: &Tenant, newer: Credential) {
    let seen = newer.version - 1;
    let wrote =
        app.change(async |to| to.conn.replace_credential(&tenant.workspace, &newer, seen).await).await;
    assert!(wrote);
}

#[tokio::test]
async fn a_credential_moved_to_another_connection_does_not_open() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let from = credential(app, &app.acme, &connect(app, &app.acme).await).await;
        for tenant in [&app.acme, &other] {
            let id = connect(app, tenant).await;
            assert_eq!(app.call(&tenant.key, id.as_str(), "/me").await.status, 200);
            let calls = app.sandbox.stats().await.api_calls;
            let own = credential(app, tenant, &id).await;
            let moved = Credential { sealed: from.sealed.clone(), version: own.version + 1, ..own };
            replace(app, tenant, moved).await;
            let refused = app.call(&tenant.key, id.as_str(), "/me").await;
            assert_eq!(refused.status, 500, "{}", refused.text());
            assert_eq!(app.sandbox.stats().await.api_calls, calls, "another's account is not called");
        }
    })
    .await;
}

#[tokio::test]
async fn a_refusal_of_a_token_that_was_replaced_meanwhile_ends_nothing() {
    on_each(async |app| {
        let held = Held::start("grant_type=refresh_token").await;
        let id = ConnectionId::parse(&held.up.connect(app).await).expect("a connection id");
        app.pass(Duration::from_secs(3600));
        let renewed = async {
            let own = credential(app, &app.acme, &id).await;
            let until = app.broker.clock.now().plus(Duration::from_secs(3600));
            let version = own.version + 1;
            replace(app, &app.acme, Credential { version, expires_at: Some(until), ..own }).await;
        };
        let (called, _) = tokio::join!(app.call(&app.acme.key, id.as_str(), "/x"), held.meanwhile(renewed));
        assert_eq!(called.status, 200, "it goes on with the newer token: {}", called.text());
        assert_eq!(app.connection(&app.acme, id.as_str()).await.status, Status::Active);
        let told: Vec<_> = app.events(&app.acme).await.into_iter().map(|event| event.kind).collect();
        assert_eq!(told, [EventKind::ConnectionCreated], "nothing expired");
        assert_eq!(app.call(&app.acme.key, id.as_str(), "/x").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn each_flow_has_a_state_and_a_challenge_of_its_own() {
    on_each(async |app| {
        let browser = Browser::new();
        let one = browser.set_out(app, &app.acme, &[]).await;
        let two = browser.set_out(app, &app.acme, &[]).await;
        for name in ["state", "code_challenge"] {
            assert_ne!(value(&one.params, name), value(&two.params, name), "{name}");
        }
        assert_eq!(value(&one.params, "code_challenge_method"), "S256");
    })
    .await;
}
