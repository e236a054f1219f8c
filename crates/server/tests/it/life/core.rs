//! One refresh at a time over any number of processes, and none of its tokens lost: what each of them does when another is
//! at it, when an answer is missing, when it comes late, and when it can't be written.

use std::{sync::Arc, time::Duration};

use claviger_engine::{
    broker::{Broker, Urls},
    domain::{connection::Status, event::EventKind},
    error::Error,
    id::ConnectionId,
    refresh::{self, Subject},
    time::Millis,
    vault::KeyRing,
};
use http_body_util::BodyExt as _;

use crate::{
    refresh::mint::Mint,
    support::{
        Browser, Options, TestApp, Upstream,
        app::{ALL, at, broker, new_integration},
        decode, on_each_with,
        upstream::{json, say},
        value,
    },
};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// An answer that nobody can read, and a token was spent for.
pub(super) const LOST: (u16, &str) = (200, "{");

/// Root keys that two processes hold.
fn keys() -> String {
    KeyRing::generate().unwrap().expose().to_owned()
}

fn options(keys: &str) -> Options {
    let providers = [("always", "rotates = false"), ("grace", "reuse_seconds = 60")].map(|(key, rule)| {
        let file = match key {
            "always" => "always.toml",
            _ => "grace.toml",
        };
        let text = format!(
            "key = \"{key}\"\nname = \"{key}\"\ncategory = \"testing\"\n[oauth2.endpoints]\n\
             source = \"integration\"\n[oauth2.refresh]\n{rule}\n[api]\nbase_url = \"https://x.example/\"\n"
        );
        (file, text)
    });
    Options { keys: Some(keys.to_owned()), providers: providers.to_vec(), ..Options::default() }
}

/// Tells a story on each database, to a server whose root keys are known.
pub(super) async fn told(story: impl AsyncFn(&TestApp, &str)) {
    let keys = keys();
    on_each_with(|| options(&keys), async |app| story(app, &keys).await).await;
}

/// Another process over the same database, whose clock stands where it is told.
fn twin(app: &TestApp, keys: &str, now: Millis) -> Arc<Broker> {
    let urls = Urls { app: app.origin.clone(), proxy: app.proxy.clone() };
    broker(app.broker.store.clone(), options(keys), urls, now)
}

pub(super) async fn subject(app: &TestApp, id: &str) -> Subject {
    let connection = app.connection(&app.acme, id).await;
    let integration = app.integration(&app.acme, &connection.integration_id).await;
    Subject {
        workspace_id: app.acme.workspace.clone(),
        provider: app.broker.provider(&integration).unwrap(),
        connection: Arc::new(connection),
        integration: Arc::new(integration),
    }
}

/// Connects an account at a provider of the story's files.
pub(super) async fn connected(app: &TestApp, mint: &Mint, provider: &str) -> String {
    app.integrate_as(&app.acme, new_integration(provider, provider, at(&mint.up.origin))).await;
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", provider)]).await;
    let (_, pairs) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
    value(&pairs, "connection_id").to_owned()
}

pub(super) async fn unknown(app: &TestApp) -> usize {
    let mut conn = app.read().await;
    let ours = conn.unknown_refreshes(&app.acme.workspace, &ALL).await.unwrap();
    let all = conn.any_unknown_refreshes(&ALL).await.unwrap();
    assert_eq!(ours, all);
    assert_eq!(conn.any_count_unknown_refreshes().await.unwrap(), ours.len() as i64);
    ours.len()
}

async fn kinds(app: &TestApp) -> Vec<EventKind> {
    let mut kinds: Vec<_> = app.events(&app.acme).await.into_iter().map(|event| event.kind).collect();
    kinds.reverse();
    kinds
}

#[tokio::test]
async fn two_processes_over_one_database_refresh_a_token_once() {
    told(async |app, keys| {
        let mut mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        let (other, subject) = (twin(app, keys, app.broker.clock.now()), subject(app, &id).await);
        mint.hold();
        let here = app.call(&app.acme.key, &id, "/x");
        let there = async {
            mint.waiting.recv().await.unwrap();
            let mut waiting = Box::pin(refresh::fresh(&other, &subject));
            let looked = tokio::time::timeout(Duration::from_millis(400), &mut waiting).await;
            assert!(looked.is_err(), "it waits while the first one asks");
            mint.permits.add_permits(1);
            waiting.await
        };
        let (here, there) = tokio::join!(here, there);
        assert_eq!(here.status, 200, "{}", here.text());
        let there = there.unwrap();
        assert_eq!((there.version, there.tokens.access_token.expose()), (2, "access-2"));
        assert_eq!(mint.spent(), ["refresh-1"], "once");
        assert_eq!(unknown(app).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_token_whose_answer_is_missing_is_sent_by_nobody_and_lives_as_long_as_the_one_before() {
    told(async |app, keys| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.instead.lock().unwrap().push_back(LOST);
        app.pass(HOUR - Duration::from_secs(200));
        let sent_at = app.broker.clock.now();
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200, "the old one is good");
        assert_eq!((mint.spent().len(), unknown(app).await), (1, 1));
        for _ in 0..3 {
            app.pass(Duration::from_secs(20));
            assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        }
        assert_eq!(mint.spent(), ["refresh-1"], "an open intent forbids it");
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);

        app.pass(Duration::from_secs(140));
        let other = twin(app, keys, app.broker.clock.now());
        let subject = subject(app, &id).await;
        let refused = refresh::fresh(&other, &subject).await;
        assert!(matches!(refused, Err(Error::NeedsReauth { .. })), "{:?}", refused.err());
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        let ended = app.connection(&app.acme, &id).await;
        let reason = ended.status_reason.unwrap();
        let true_one = format!("a refresh was sent at {} and no answer", sent_at.rfc3339());
        assert!(reason.starts_with(&true_one), "{reason}");
        assert_eq!((ended.status, mint.spent().len(), unknown(app).await), (Status::NeedsReauth, 1, 0));
        assert_eq!(kinds(app).await, [EventKind::ConnectionCreated, EventKind::ConnectionExpired]);
        let every = app.read().await.any_refreshes_ever_unknown(&ALL).await.unwrap();
        assert_eq!((every.len(), every[0].outcome.as_deref()), (1, Some("given_up")));
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_not_spent_by_its_use_is_sent_again_at_once() {
    told(async |app, _| {
        let mint = Mint::start().await;
        let id = connected(app, &mint, "always").await;
        mint.instead.lock().unwrap().push_back(LOST);
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!((mint.spent(), unknown(app).await), (vec!["refresh-1".to_owned(); 2], 0));
        let every = app.read().await.any_refreshes_ever_unknown(&ALL).await.unwrap();
        assert_eq!((every.len(), every[0].outcome.as_deref()), (1, Some("resent")));
    })
    .await;
}

#[tokio::test]
async fn within_a_providers_grace_a_token_is_sent_once_more_and_no_more() {
    told(async |app, _| {
        let mint = Mint::start().await;
        let id = connected(app, &mint, "grace").await;
        mint.instead.lock().unwrap().push_back(LOST);
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!((mint.spent().len(), unknown(app).await), (2, 0));

        mint.instead.lock().unwrap().extend([LOST, LOST]);
        app.pass(HOUR);
        app.call(&app.acme.key, &id, "/x").await;
        app.pass(Duration::from_secs(5));
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        assert_eq!(mint.spent().len(), 4, "twice, within the grace, and then never");
        let reason = app.connection(&app.acme, &id).await.status_reason.unwrap();
        assert!(reason.contains("it was sent once more, without an answer"), "{reason}");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_comes_late_counts_and_heals() {
    told(async |app, keys| {
        let mut mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        let later = app.broker.clock.now().plus(app.broker.refresh.lease).plus(Duration::from_secs(1));
        let (other, subject) = (twin(app, keys, later), subject(app, &id).await);
        mint.hold();
        let here = app.call(&app.acme.key, &id, "/x");
        let there = async {
            mint.waiting.recv().await.unwrap();
            // The first one's lease is over, by this one's clock.
            let given_up = refresh::fresh(&other, &subject).await;
            assert!(matches!(given_up, Err(Error::NeedsReauth { .. })), "{:?}", given_up.err());
            let ended = app.connection(&app.acme, &id).await;
            assert_eq!(ended.status, Status::NeedsReauth);
            app.pass(app.broker.refresh.lease + Duration::from_secs(2));
            mint.permits.add_permits(1);
        };
        let (here, ()) = tokio::join!(here, there);
        assert_eq!(here.status, 200, "{}", here.text());
        let healed = app.connection(&app.acme, &id).await;
        assert_eq!((healed.status, healed.status_reason), (Status::Active, None));
        assert_eq!((mint.spent().len(), unknown(app).await), (1, 0));
        let [created, expired, updated] =
            [EventKind::ConnectionCreated, EventKind::ConnectionExpired, EventKind::ConnectionUpdated];
        assert_eq!(kinds(app).await, [created, expired, updated]);
        let every = app.read().await.any_refreshes_ever_unknown(&ALL).await.unwrap();
        assert_eq!((every.len(), every[0].outcome.as_deref()), (1, Some("late")));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_that_comes_late_is_not_believed() {
    told(async |app, keys| {
        let mut mint = Mint::start().await;
        let id = connected(app, &mint, "grace").await;
        app.pass(HOUR);
        let later = app.broker.clock.now().plus(app.broker.refresh.lease).plus(Duration::from_millis(1));
        let (other, subject) = (twin(app, keys, later), subject(app, &id).await);
        mint.hold();
        mint.instead.lock().unwrap().push_back((400, r#"{"error":"invalid_grant"}"#));
        let here = app.call(&app.acme.key, &id, "/x");
        let there = async {
            mint.waiting.recv().await.unwrap();
            let again = refresh::fresh(&other, &subject);
            let both = async {
                // The second one sends it once more, as the provider's grace has it, and holds the lease.
                mint.waiting.recv().await.unwrap();
                mint.permits.add_permits(1);
                while !mint.instead.lock().unwrap().is_empty() {
                    tokio::task::yield_now().await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active, "one is at it");
                mint.permits.add_permits(1);
            };
            tokio::join!(again, both).0
        };
        let (_, there) = tokio::join!(here, there);
        assert_eq!(there.unwrap().version, 2);
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
        assert_eq!((mint.spent().len(), kinds(app).await), (2, vec![EventKind::ConnectionCreated]));
    })
    .await;
}

#[tokio::test]
async fn a_failing_provider_is_left_alone_by_all_processes_and_marks_nothing() {
    told(async |app, keys| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        app.pass(HOUR);
        for round in 1..=6 {
            mint.instead.lock().unwrap().push_back((503, "{}"));
            app.call(&app.acme.key, &id, "/x").await.assert_problem(502, "upstream_unreachable");
            app.call(&app.acme.key, &id, "/x").await.assert_problem(502, "upstream_unreachable");
            let other = twin(app, keys, app.broker.clock.now());
            let there = refresh::fresh(&other, &subject(app, &id).await).await;
            assert!(matches!(there, Err(Error::Provider { .. })), "{:?}", there.err());
            assert_eq!(mint.spent().len(), round, "it rests, everywhere");
            let ws = &app.acme.workspace;
            let of = ConnectionId::parse(&id).unwrap();
            let state = app.read().await.refresh_state(ws, &of).await.unwrap().unwrap();
            assert_eq!((state.failures, state.owner), (round as i64, None));
            let longest = Duration::from_secs(1 << (round - 1));
            let wait = state.retry_at.unwrap().since(app.broker.clock.now());
            assert!(wait <= longest && wait >= longest / 2, "{round}: {wait:?}");
            app.pass(longest);
        }
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!((unknown(app).await, kinds(app).await), (0, vec![EventKind::ConnectionCreated]));
    })
    .await;
}

#[tokio::test]
async fn how_long_a_provider_asks_to_be_left_alone_is_how_long_it_is() {
    told(async |app, _| {
        let up = Upstream::whole(|head, body: axum::body::Body| async move {
            let form = body.collect().await.expect("a body").to_bytes();
            let form = decode(std::str::from_utf8(&form).unwrap_or_default());
            let refresh = form.iter().any(|(_, value)| value == "refresh_token");
            match (head.target.as_str(), refresh) {
                ("/token", true) => say(429, &[("retry-after", "90")], "{}"),
                ("/token", false) => json(crate::support::stub::TOKENS),
                _ => json(r#"{"sub":"u"}"#),
            }
        })
        .await;
        let id = up.connect(app).await;
        app.pass(HOUR);
        let asked = || up.seen().iter().filter(|head| head.target == "/token").count();
        for (passes, times) in [(0, 2), (89, 2), (1, 3)] {
            app.pass(Duration::from_secs(passes));
            app.call(&app.acme.key, &id, "/x").await.assert_problem(502, "upstream_unreachable");
            assert_eq!(asked(), times, "after {passes} more seconds");
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_token_that_does_not_work_yet_is_helped_out_by_the_one_before() {
    told(async |app, _| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        let of = ConnectionId::parse(&id).unwrap();
        let kept = async || app.read().await.credential(&app.acme.workspace, &of).await.unwrap().unwrap();
        mint.refused.lock().unwrap().push("Bearer access-2".into());
        app.pass(HOUR - Duration::from_secs(200));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(mint.used(), ["Bearer access-2", "Bearer access-1"]);
        app.broker.logs.flush().await;
        let unproven = kept().await;
        assert!(unproven.previous.is_some() && unproven.worked_at.is_none());

        mint.refused.lock().unwrap().clear();
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        app.broker.logs.flush().await;
        let proven = kept().await;
        assert!(proven.previous.is_none() && proven.previous_until.is_none(), "it is erased");
        assert_eq!((proven.version, proven.worked_at), (2, Some(app.broker.clock.now())));

        mint.refused.lock().unwrap().push("Bearer access-2".into());
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 401, "now it is the call's fault");
        assert_eq!(mint.used()[2..], ["Bearer access-2", "Bearer access-2"]);
        assert_eq!(mint.spent(), ["refresh-1"]);
    })
    .await;
}

#[tokio::test]
async fn the_one_before_is_of_no_help_once_it_is_over() {
    told(async |app, _| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.refused.lock().unwrap().push("Bearer access-2".into());
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 401);
        assert_eq!(mint.used(), ["Bearer access-2"]);
    })
    .await;
}

#[tokio::test]
async fn authorizing_anew_forgets_what_was_not_known() {
    told(async |app, _| {
        let mint = Mint::start().await;
        let id = mint.up.connect(app).await;
        mint.instead.lock().unwrap().push_back(LOST);
        app.pass(HOUR - Duration::from_secs(200));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(unknown(app).await, 1);
        let (ws, of) = (&app.acme.workspace, ConnectionId::parse(&id).unwrap());
        let now = app.broker.clock.now();
        app.change(async |to| to.conn.forget_refreshes(ws, &of, now).await).await;
        assert_eq!(unknown(app).await, 0);
        let state = app.read().await.refresh_state(ws, &of).await.unwrap().unwrap();
        assert_eq!((state.failures, state.retry_at, state.failure), (0, None, None));
    })
    .await;
}
