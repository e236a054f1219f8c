//! Answers that come late: a code that gave tokens is spent while those are being kept, and what is said of a code that
//! another one took the place of is said of no flow.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use claviger_engine::{
    connect::device,
    domain::{audit::Actor, integration::Config},
    error::Result,
    time::Millis,
    vault::Sealed,
};
use serde_json::json;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
};

use super::{after, assert_back, click, codes, id, open, state};
use crate::support::{
    Browser, TestApp, Upstream,
    app::new_integration,
    names, on_each,
    stub::TOKENS,
    upstream::{Head, json as says, say},
};

/// A provider that answers at one path only when it is let.
struct Slow {
    up: Upstream,
    /// What the token endpoint says from now on.
    said: Arc<Mutex<(u16, String)>>,
    came: Arc<Notify>,
    go: Arc<Semaphore>,
}

impl Slow {
    async fn start(held: &'static str) -> Self {
        let said = Arc::new(Mutex::new((200, TOKENS.to_owned())));
        let (came, go) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let (told, coming, going) = (said.clone(), came.clone(), go.clone());
        let up = Upstream::whole(move |head: Head, _: Body| {
            let (told, coming, going) = (told.clone(), coming.clone(), going.clone());
            async move {
                // What it says is settled when it is asked.
                let (status, text) = told.lock().unwrap().clone();
                if head.target == held {
                    coming.notify_one();
                    going.acquire().await.expect("a turn").forget();
                }
                match head.target.as_str() {
                    "/device" => says(&codes().to_string()),
                    "/token" => say(status, &[("content-type", "application/json")], text),
                    "/userinfo" => says(r#"{"sub":"u"}"#),
                    _ => say(200, &[], ""),
                }
            }
        });
        Self { up: up.await, said, came, go }
    }

    fn says(&self, error: &str) {
        *self.said.lock().unwrap() = (400, json!({ "error": error }).to_string());
    }

    fn gives(&self) {
        *self.said.lock().unwrap() = (200, TOKENS.to_owned());
    }

    async fn integrate(&self, app: &TestApp) {
        let at = |path: &str| Some(format!("{}{path}", self.up.origin));
        let config = Config {
            device_url: at("/device"),
            token_url: at("/token"),
            revoke_url: at("/revoke"),
            userinfo_url: at("/userinfo"),
            base_url: at("/api"),
            ..Config::default()
        };
        app.integrate_as(&app.acme, new_integration("tv", "device", config)).await;
    }

    /// The job looks while the provider is slow: it comes back once that has been asked.
    async fn asked(&self, app: &TestApp) -> JoinHandle<Result<usize>> {
        app.pass(Duration::from_secs(5));
        let broker = app.broker.clone();
        let round = tokio::spawn(async move { device::round(&broker).await });
        self.came.notified().await;
        round
    }

    fn count(&self, path: &str) -> usize {
        self.up.seen().iter().filter(|head| head.target == path).count()
    }
}

async fn poll_at(app: &TestApp, url: &str) -> Option<Millis> {
    app.read().await.any_flow(&id(url)).await.expect("read").expect("a flow").poll_at
}

#[tokio::test]
async fn a_spent_code_is_not_asked_with_while_its_tokens_are_kept() {
    on_each(async |app| {
        let (slow, browser) = (Slow::start("/userinfo").await, Browser::new());
        slow.integrate(app).await;
        let url = open(app, &browser).await;
        click(&browser, &url).await;
        let round = slow.asked(app).await;
        // Whoever asked again would hear that the code is spent.
        slow.says("invalid_grant");
        assert_eq!(poll_at(app, &url).await, None);
        assert_eq!((after(app, 300).await, slow.count("/token")), (0, 1), "nobody asks meanwhile");
        assert_eq!(state(&browser, &url).await, "open");
        slow.go.add_permits(9);
        round.await.expect("it ends").expect("a round");
        assert!(names(&assert_back(&browser.get(&url).await)).contains(&"connection_id"));
        assert_eq!((app.connections(&app.acme).await.len(), slow.count("/revoke")), (1, 0));
    })
    .await;
}

/// Two requests, for the nonce of a proof, and a while besides.
#[tokio::test]
async fn nobody_else_asks_while_an_answer_may_still_come() {
    on_each(async |app| {
        let (slow, browser) = (Slow::start("/token").await, Browser::new());
        slow.integrate(app).await;
        let url = open(app, &browser).await;
        click(&browser, &url).await;
        let round = slow.asked(app).await;
        let longest = app.broker.outbound.total_timeout() * 2;
        assert!(poll_at(app, &url).await.expect("a time") > app.broker.clock.now().plus(longest));
        assert_eq!((after(app, longest.as_secs()).await, slow.count("/token")), (0, 1));
        slow.go.add_permits(9);
        round.await.expect("it ends").expect("a round");
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_said_of_an_old_code_does_not_end_a_flow_with_another() {
    for said in ["access_denied", "invalid_client"] {
        on_each(async |app| {
            let (slow, browser) = (Slow::start("/token").await, Browser::new());
            slow.integrate(app).await;
            let url = open(app, &browser).await;
            click(&browser, &url).await;
            slow.says(said);
            let round = slow.asked(app).await;
            app.pass(Duration::from_secs(900));
            assert!(browser.get(&url).await.text().contains("Get a new code"));
            click(&browser, &url).await;
            slow.go.add_permits(9);
            round.await.expect("it ends").expect("a round");
            assert_eq!(state(&browser, &url).await, "open", "{said}: the other code is good");
            slow.gives();
            assert_eq!(after(app, 5).await, 1);
            assert!(names(&assert_back(&browser.get(&url).await)).contains(&"connection_id"), "{said}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_grant_that_is_invalid_when_the_code_is_too_old_has_expired() {
    on_each(async |app| {
        let (slow, browser) = (Slow::start("/token").await, Browser::new());
        slow.integrate(app).await;
        let url = open(app, &browser).await;
        click(&browser, &url).await;
        slow.says("invalid_grant");
        let round = slow.asked(app).await;
        app.pass(Duration::from_secs(895));
        slow.go.add_permits(9);
        round.await.expect("it ends").expect("a round");
        assert!(browser.get(&url).await.text().contains("Get a new code"));
        slow.gives();
        click(&browser, &url).await;
        assert_eq!(after(app, 5).await, 1);
        assert!(names(&assert_back(&browser.get(&url).await)).contains(&"connection_id"));
    })
    .await;
}

/// A root key is lost: what it sealed must not keep the rest waiting.
#[tokio::test]
async fn a_flow_whose_code_is_unreadable_does_not_stand_in_the_way() {
    on_each(async |app| {
        let (slow, browser) = (Slow::start("/nowhere").await, Browser::new());
        slow.integrate(app).await;
        let url = open(app, &browser).await;
        click(&browser, &url).await;
        let due = poll_at(app, &url).await.expect("a time");
        let mut conn = app.broker.store.begin(Actor::System, app.broker.clock.now()).await.expect("begin");
        let sealed = Sealed::from_row("v1.gone.gone".to_owned());
        assert!(conn.any_renew_device(&id(&url), due, Some(due), &sealed).await.expect("write"));
        conn.commit().await.expect("commit");
        assert_eq!((after(app, 5).await, slow.count("/token")), (1, 0));
        assert_eq!(after(app, 0).await, 0, "another is looked at");
        assert_eq!(after(app, 90).await, 1, "and this one again, for its key may come back");
        assert_eq!(after(app, 3600).await, 0, "until it is over");
    })
    .await;
}
