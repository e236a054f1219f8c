//! Sessions: which cookie is one, how it ends, and who else's end with it.

use std::time::Duration;

use claviger_engine::{setup::password_hash, vault::hash};
use http::Method;

use super::{
    super::desk::{Desk, Seat, password, sid},
    MINUTE, with_cookie,
};
use crate::support::{Browser, Options, TestApp, on_each};

#[tokio::test]
async fn signing_in_ends_the_session_that_was_and_takes_on_none_that_is_shown() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        desk.user("bob", &[]).await;
        let browser = Browser::new();
        let forged = "A".repeat(43);
        browser.set_cookies("127.0.0.1", [("sid".to_owned(), forged.clone())].into());
        assert_eq!(desk.enter(&browser, "alice", &password("alice")).await.status, 200);
        let first = sid(&browser);
        assert_ne!(first, forged);
        desk.enter(&browser, "bob", "wrong").await.assert_hapi(401, "Unable");
        assert_eq!(with_cookie(&desk, &format!("sid={first}")).await.status, 200, "a try ends nothing");
        assert_eq!(desk.enter(&browser, "bob", &password("bob")).await.status, 200);
        with_cookie(&desk, &format!("sid={first}")).await.assert_hapi(401, "sign in");
        let now = with_cookie(&desk, &format!("sid={}", sid(&browser))).await;
        assert_eq!(now.json()["user"]["username"], "bob");
        let kept = app.read().await.session(&app.acme.workspace, &hash::token(&sid(&browser))).await;
        assert_eq!(kept.unwrap().expect("a row").user_id, desk.kept("bob").await.id);
    })
    .await;
}

#[tokio::test]
async fn only_one_whole_cookie_is_a_session() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let sid = desk.sign_in("alice").await.sid();
        let changed = format!("{}{}", if sid.starts_with('A') { 'B' } else { 'A' }, &sid[1..]);
        let mut words = Vec::new();
        for line in [
            format!("sid={changed}"),
            format!("sid={sid}; sid={sid}"),
            format!("sid={changed}; sid={sid}"),
            format!("sid={sid}x"),
            format!("sid=\"{sid}\""),
            format!("sid={}", hash::token(&sid)),
            format!("SID={sid}"),
            "sid=".to_owned(),
            "sid=undefined".to_owned(),
        ] {
            let answer = with_cookie(&desk, &line).await;
            answer.assert_hapi(401, "sign in");
            words.push(answer.text().to_owned());
        }
        words.push(desk.nobody().get("/api/session").await.text().to_owned());
        words.dedup();
        assert_eq!(words.len(), 1, "{words:?}");
        assert_eq!(with_cookie(&desk, &format!("sid={sid}")).await.status, 200);
        let two = [("cookie", &*format!("sid={sid}")), ("cookie", &*format!("sid={sid}"))];
        desk.nobody().call(Method::GET, "/api/session", &two, None).await.assert_hapi(401, "sign in");
    })
    .await;
}

/// Uses a session, and waits until it is kept that it was used now.
async fn used(app: &TestApp, seat: &Seat) {
    assert_eq!(seat.get("/api/session").await.status, 200);
    let (hash, now) = (hash::token(&seat.sid()), app.broker.clock.now());
    for _ in 0..1000 {
        let kept = app.read().await.session(&app.acme.workspace, &hash).await.unwrap().expect("a session");
        if kept.seen_at == now {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("its use was not kept");
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let idle = desk.sign_in("alice").await;
        app.pass(59 * MINUTE);
        used(app, &idle).await;
        app.pass(59 * MINUTE);
        used(app, &idle).await;
        app.pass(60 * MINUTE);
        idle.get("/api/session").await.assert_hapi(401, "sign in");

        let old = desk.sign_in("alice").await;
        for _ in 0..28 {
            app.pass(50 * MINUTE);
            used(app, &old).await;
        }
        app.pass(39 * MINUTE);
        used(app, &old).await;
        app.pass(MINUTE);
        old.get("/api/session").await.assert_hapi(401, "sign in");
    })
    .await;
}

#[tokio::test]
async fn sessions_that_are_over_are_forgotten() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        desk.sign_in("alice").await;
        app.pass(30 * MINUTE);
        let open = desk.sign_in("alice").await;
        let keep = claviger_engine::retention::Keep {
            flows: MINUTE,
            events: MINUTE,
            request_logs: MINUTE,
            rollups: MINUTE,
            request_log_rows: None,
            rollup_rows: None,
        };
        let prune = async || claviger_engine::retention::prune(&app.broker, &keep).await.unwrap().sessions;
        assert_eq!(prune().await, 0);
        app.pass(31 * MINUTE);
        assert_eq!(prune().await, 1);
        assert_eq!(open.get("/api/session").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn another_password_ends_sessions_and_being_disabled_ends_all() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        desk.user("bob", &[]).await;
        let (alice, bob) = (desk.sign_in("alice").await, desk.sign_in("bob").await);
        let token = desk.bearer("alice").await;
        let basic = desk.basic("alice");
        let (ws, id) = (&app.acme.workspace, desk.kept("alice").await.id);
        let hash = password_hash("another password".to_owned().into()).await.unwrap();
        app.change(async |to| to.conn.set_user_password(ws, &id, &hash).await).await;
        alice.get("/api/session").await.assert_hapi(401, "sign in");
        basic.get("/api/session").await.assert_hapi(401, "sign in");
        assert_eq!(token.get("/api/session").await.status, 200, "a token is not its password");
        desk.enter(&Browser::new(), "alice", &password("alice")).await.assert_hapi(401, "Unable");

        let browser = Browser::new();
        assert_eq!(desk.enter(&browser, "alice", "another password").await.status, 200);
        let line = format!("sid={}", sid(&browser));
        let shut = async |at| app.change(async |to| to.conn.disable_user(ws, &id, at).await).await;
        shut(Some(app.broker.clock.now())).await;
        let basic = desk.basic_with("alice", "another password");
        with_cookie(&desk, &line).await.assert_hapi(401, "sign in");
        token.get("/api/session").await.assert_hapi(401, "sign in");
        basic.get("/api/session").await.assert_hapi(401, "sign in");
        desk.enter(&Browser::new(), "alice", "another password").await.assert_hapi(401, "Unable");
        shut(None).await;
        with_cookie(&desk, &line).await.assert_hapi(401, "sign in");
        assert_eq!(token.get("/api/session").await.status, 200);
        assert_eq!(bob.get("/api/session").await.status, 200, "somebody else noticed nothing");
    })
    .await;
}

#[tokio::test]
async fn every_process_knows_a_session() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let seat = desk.sign_in("alice").await;
        let second = TestApp::start(app.broker.store.clone(), Options::default()).await;
        let hosts = [second.origin.clone()];
        app.change(async |to| to.conn.set_workspace_hosts(&app.acme.workspace, &hosts).await).await;
        let there = Desk { app: &second, tenant: &app.acme, origin: second.origin.clone() };
        let line = format!("sid={}", seat.sid());
        assert_eq!(with_cookie(&there, &line).await.status, 200);
        let own = [("cookie", line.as_str()), ("origin", second.origin.as_str())];
        assert_eq!(there.nobody().call(Method::POST, "/api/logout", &own, None).await.status, 204);
        seat.get("/api/session").await.assert_hapi(401, "sign in");
        second.stop().await;
    })
    .await;
}
