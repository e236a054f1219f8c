//! Calls from end to end: a broker, a database, a provider, and what each of them saw.

mod log;
mod member;
mod stream;
mod waits;
mod world;

use std::time::Duration;

use claviger_protocol::oauth2::Tokens;
use http::header;

use self::world::{Seen, api_key, status, text, workspace, world, world_with};
use super::{shown::Shown, *};
use crate::{
    domain::{
        api_key::Scope,
        audit::Actor,
        connection::{Connection, Status},
        request_log::RequestLog,
    },
    error::Error,
    id::{IntegrationId, LogId, WorkspaceId},
    limit::Rate,
    outbound::full,
    refresh::Usable,
    secret::Secret,
    time::Clock,
};

fn tokens_answer() -> Response<Body> {
    let json =
        r#"{"access_token":"tok_canary_second","token_type":"Bearer","refresh_token":"ref_canary_second"}"#;
    Response::builder().header("content-type", "application/json").body(full(json)).unwrap()
}

/// Takes the second token only.
fn wants_second(_: usize, seen: &Seen) -> Response<Body> {
    if seen.line == "POST /token" {
        return tokens_answer();
    }
    status(if seen.headers["authorization"] == "Bearer tok_canary_second" { 200 } else { 401 })
}

#[tokio::test]
async fn a_call_goes_out_with_the_credential_and_its_answer_comes_back() {
    let world = world(|_, _| {
        let answer = Response::builder().status(201).header("x-theirs", "1").header("set-cookie", "sid=1");
        answer.header("x-echo", "tok_canary_first").body(full("made")).unwrap()
    })
    .await;
    let request = Request::post("/users/a%2Fb?x=%20&y")
        .header("authorization", "Bearer ck_canary_key")
        .header("bu-connection-id", "conn_x")
        .header("cookie", "a=b")
        .header("host", "proxy.test")
        .header("content-length", "4")
        .header("x-mine", "1");
    let call = world.call(request.body(full("body")).unwrap());
    let id = call.request_id.clone();
    let answer = forward(&world.broker, call).await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["claviger-request-id"], id.as_str());
    assert_eq!(answer.headers()["x-theirs"], "1");
    assert!(!answer.headers().contains_key("set-cookie") && !answer.headers().contains_key("x-echo"));
    assert_eq!(text(answer).await, "made");

    let seen = &world.provider.seen()[0];
    assert_eq!((seen.line.as_str(), &seen.body[..]), ("POST /api/users/a%2Fb?x=%20&y", &b"body"[..]));
    assert_eq!(seen.headers["authorization"], "Bearer tok_canary_first");
    assert_eq!(seen.headers["host"], world.provider.addr.to_string());
    assert_eq!(
        (&seen.headers["x-mine"], &seen.headers["x-team"]),
        (&"1".parse().unwrap(), &"blue".parse().unwrap())
    );
    assert!(!seen.headers.contains_key("cookie") && !seen.headers.contains_key("bu-connection-id"));

    let row = &world.log().await[0];
    assert_eq!((row.request_id.clone(), row.api_key_id.clone()), (id, Some(world.key.id.clone())));
    assert_eq!((row.method.as_str(), row.path.as_str()), ("POST", "/users/a%2Fb"), "no query is kept");
    assert_eq!((row.status, row.error.as_deref(), row.attempts), (201, None, 1));
    assert_eq!((row.bytes_in, row.bytes_out), (4, 4));
}

#[tokio::test]
async fn what_is_not_the_callers_to_use_is_refused_before_anything_is_sent() {
    let world = world(|_, _| status(200)).await;
    let attempt = async |change: &dyn Fn(&mut ApiKey, &mut ConnectionId)| {
        let (mut key, mut connection) = (world.key.clone(), world.connection.id.clone());
        change(&mut key, &mut connection);
        let call = world.call(Request::get("/x").body(full("")).unwrap());
        forward(&world.broker, Call { caller: Caller::Key { key: Arc::new(key), connection }, ..call })
            .await
            .unwrap_err()
    };
    let other = workspace("theirs");
    let mut conn = world.broker.store.begin(Actor::System, world::T0).await.unwrap();
    conn.create_workspace(&other).await.unwrap();
    conn.commit().await.unwrap();

    let foreign = attempt(&|key, _| *key = api_key(&other.id)).await;
    let unknown = attempt(&|_, id| *id = ConnectionId::new()).await;
    let limited = attempt(&|key, _| key.integration_id = Some(IntegrationId::new())).await;
    for error in [&foreign, &unknown, &limited] {
        assert!(matches!(error, Error::NotFound { what: "connection" }), "{error}");
    }
    assert_eq!(foreign.to_string(), unknown.to_string(), "indistinguishable");
    let scope = attempt(&|key, _| key.scopes = vec![Scope::Management, Scope::ReadOnly]).await;
    assert!(matches!(scope, Error::Denied { .. }), "{scope}");
    assert!(world.provider.lines().is_empty());
    assert!(world.log().await.is_empty(), "nothing is known of the connection");
}

#[tokio::test]
async fn a_connection_that_needs_its_owner_is_not_used() {
    let world = world(|_, _| status(200)).await;
    let (ws, id) = (&world.connection.workspace_id, &world.connection.id);
    let mut conn = world.broker.store.begin(Actor::System, world::T0).await.unwrap();
    conn.set_connection_status(ws, id, Status::NeedsReauth, Some("invalid_grant"), world::T0).await.unwrap();
    conn.commit().await.unwrap();
    let error = world.send("GET", "/x", "").await.unwrap_err();
    assert!(matches!(&error, Error::NeedsReauth { message } if message == "invalid_grant"), "{error}");
    assert!(world.provider.lines().is_empty());
}

#[tokio::test]
async fn a_target_outside_of_the_base_is_refused_and_recorded() {
    let world = world(|_, _| status(200)).await;
    for path in ["/../admin", "/%2e%2e/admin", "http://evil.test/", "/a\\b"] {
        let error = world.send("GET", path, "").await.unwrap_err();
        assert!(matches!(error, Error::TargetNotAllowed { .. }), "{path}: {error}");
    }
    assert!(world.provider.lines().is_empty());
    let log = world.log().await;
    assert_eq!(log.len(), 4);
    assert_eq!(
        (log[0].status, log[0].error.as_deref(), log[0].attempts),
        (400, Some("target_not_allowed"), 0)
    );
}

/// The token is of the host that the connection was made at; the integration's values only fill gaps.
#[tokio::test]
async fn a_connections_own_inputs_win_over_its_integrations() {
    const FILE: &str = r#"
        key = "acme"
        name = "Acme"
        [[inputs]]
        key = "subdomain"
        title = "Subdomain"
        pattern = "^[a-z]+$"
        [oauth2.endpoints]
        authorize_url = "https://{subdomain}.acme.test/authorize"
        token_url = "https://{subdomain}.acme.test/token"
        [api]
        base_url = "https://{subdomain}.acme.test/api"
    "#;
    let world = world(|_, _| status(200)).await;
    let mut subject = (**resolve::subject(&world.broker, &world.caller()).await.unwrap()).clone();
    subject.provider = Arc::new(claviger_catalog::Provider::parse("acme.toml", FILE).unwrap());
    let integration = Arc::make_mut(&mut subject.integration);
    integration.config.base_url = None;
    integration.config.inputs = [("subdomain".to_owned(), "theirs".to_owned())].into();
    for (own, host) in [(Some("mine"), "mine"), (Some(""), "theirs"), (None, "theirs")] {
        let inputs = own.map(|own| ("subdomain".to_owned(), own.to_owned()));
        Arc::make_mut(&mut subject.connection).inputs = inputs.into_iter().collect();
        let base = target::api(&subject).unwrap().base_url;
        assert_eq!(base, Some(format!("https://{host}.acme.test/api")), "{own:?}");
    }
}

/// What shows a credential is made once, and made anew for another version of it and for the one before.
#[tokio::test]
async fn each_credential_is_shown_as_itself() {
    let world = world(|_, _| status(200)).await;
    let ready = resolve::subject(&world.broker, &world.caller()).await.unwrap();
    let first = crate::refresh::fresh(&world.broker, &ready).await.unwrap();
    let value = |shown: &Shown| {
        let (mut parts, ()) = Request::new(()).into_parts();
        shown.put(&ready.route().unwrap().api, &first.tokens, &mut parts).unwrap();
        parts.headers["authorization"].clone()
    };
    let shown = ready.shown(&first).unwrap();
    assert!(Arc::ptr_eq(&shown, &ready.shown(&first).unwrap()));
    let tokens = Arc::new(Tokens { access_token: Secret::new("another"), ..(*first.tokens).clone() });
    for (version, previous) in [(first.version + 1, false), (first.version, true)] {
        let other = Usable { tokens: tokens.clone(), version, previous, ..first.clone() };
        assert_eq!(value(&ready.shown(&other).unwrap()), "Bearer another");
        assert_eq!(value(&ready.shown(&first).unwrap()), value(&shown));
    }
}

/// Values may name another host: tokens that came with others don't go there, remembered or read.
#[tokio::test]
async fn a_token_goes_where_the_values_say_that_it_came_with() {
    let world = world(|_, _| status(200)).await;
    let ready = resolve::subject(&world.broker, &world.caller()).await.unwrap();
    let mut other = Subject::clone(&ready);
    let connection = Arc::make_mut(&mut other.connection);
    connection.inputs.insert("host".to_owned(), "elsewhere.test".to_owned());
    for _ in 0..2 {
        let error = crate::refresh::fresh(&world.broker, &other).await.err().unwrap();
        assert!(error.is_busy(), "{error}");
        crate::refresh::fresh(&world.broker, &ready).await.unwrap();
    }
}

#[tokio::test]
async fn over_the_limit_nothing_is_sent() {
    let rate = Rate::Per { count: 2, window: Duration::from_secs(60) };
    let world = world_with(rate, |_, _| status(200)).await;
    for _ in 0..2 {
        world.send("GET", "/x", "").await.unwrap();
    }
    let error = world.send("GET", "/x", "").await.unwrap_err();
    assert!(matches!(error, Error::Limited { retry_after, .. } if retry_after.as_secs() == 60), "{error}");
    assert_eq!(world.provider.lines().len(), 2);
    world.broker.clock.advance(Duration::from_secs(60));
    world.send("GET", "/x", "").await.unwrap();
}

#[tokio::test]
async fn a_passing_failure_is_retried_for_safe_methods_only() {
    let flaky = |count: usize, _: &Seen| {
        let answer = Response::builder().status(if count.is_multiple_of(3) { 200 } else { 503 });
        answer.header(header::RETRY_AFTER, "0").body(full(count.to_string())).unwrap()
    };
    let world = world(flaky).await;
    assert_eq!(text(world.send("GET", "/x", "").await.unwrap()).await, "3");
    assert_eq!(world.send("POST", "/x", "once").await.unwrap().status(), 503);
    assert_eq!(world.provider.lines().len(), 4);
    let call = world.call(Request::get("/x").body(full("")).unwrap());
    let answer = forward(&world.broker, Call { max_retries: Some(0), ..call }).await.unwrap();
    assert_eq!(answer.status(), 503);
    drop(answer);
    let log = world.log().await;
    assert_eq!(
        log.iter().map(|row| (row.status, row.attempts)).collect::<Vec<_>>(),
        [(200, 3), (503, 1), (503, 1)]
    );
}

#[tokio::test]
async fn a_long_wait_is_handed_back_at_once() {
    let world = world(|_, _| {
        Response::builder().status(429).header(header::RETRY_AFTER, "11").body(full("later")).unwrap()
    })
    .await;
    let answer = world.send("GET", "/x", "").await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"11".parse().unwrap()));
    assert_eq!(world.provider.lines().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_handed_back() {
    let world = world(|_, _| {
        Response::builder().status(302).header("location", "http://169.254.169.254/").body(full("")).unwrap()
    })
    .await;
    let answer = world.send("GET", "/x", "").await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["location"]),
        (302, &"http://169.254.169.254/".parse().unwrap())
    );
    assert_eq!(world.provider.lines().len(), 1);
}

#[tokio::test]
async fn a_401_refreshes_once_and_sends_the_body_again() {
    let world = world(wants_second).await;
    world.broker.clock.advance(Duration::from_secs(61));
    let answer = world.send("POST", "/x", "a body").await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(world.provider.lines(), ["POST /api/x", "POST /token", "POST /api/x"]);
    assert_eq!(world.provider.seen()[2].body, "a body");
    drop(answer);
    assert_eq!(world.log().await[0].attempts, 2);
}

#[tokio::test]
async fn a_401_on_a_fresh_token_is_passed_on() {
    let world = world(wants_second).await;
    assert_eq!(world.send("GET", "/x", "").await.unwrap().status(), 401);
    assert_eq!(world.provider.lines(), ["GET /api/x"]);
}

#[tokio::test]
async fn a_body_that_is_gone_is_not_sent_again() {
    let world = world(wants_second).await;
    world.broker.clock.advance(Duration::from_secs(61));
    let answer = world.send("POST", "/x", vec![b'x'; replay::KEPT + 1]).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(world.provider.lines(), ["POST /api/x", "POST /token"], "the next call has the newer token");
    assert_eq!(world.send("POST", "/x", "short").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_second_401_is_passed_on() {
    let clock = Arc::new(std::sync::OnceLock::<Clock>::new());
    let moved = Arc::clone(&clock);
    let world = world(move |_, seen| {
        // Each token is old by the time it is refused.
        moved.get().unwrap().advance(Duration::from_secs(61));
        if seen.line == "POST /token" { tokens_answer() } else { status(401) }
    })
    .await;
    clock.set(world.broker.clock.clone()).unwrap();
    assert_eq!(world.send("GET", "/x", "").await.unwrap().status(), 401);
    assert_eq!(world.provider.lines(), ["GET /api/x", "POST /token", "GET /api/x"]);
}

#[tokio::test]
async fn a_401_in_spite_of_a_refresh_is_not_refreshed_again() {
    let world = world(|_, seen| if seen.line == "POST /token" { tokens_answer() } else { status(401) }).await;
    for _ in 0..3 {
        world.broker.clock.advance(Duration::from_secs(61));
        assert_eq!(world.send("GET", "/x", "").await.unwrap().status(), 401);
    }
    let lines = world.provider.lines();
    assert_eq!(lines, ["GET /api/x", "POST /token", "GET /api/x", "GET /api/x", "GET /api/x"]);
}

#[tokio::test]
async fn a_row_that_can_not_be_written_takes_no_other_with_it() {
    let world = world(|_, _| status(200)).await;
    world.send("GET", "/x", "").await.unwrap();
    let row = world.log().await.remove(0);
    let like = |workspace_id: &WorkspaceId| RequestLog {
        id: LogId::new(),
        workspace_id: workspace_id.clone(),
        ..row.clone()
    };
    for workspace in [&row.workspace_id, &WorkspaceId::new(), &row.workspace_id] {
        world.broker.logs.add(like(workspace));
    }
    assert_eq!(world.log().await.len(), 3);
    assert_eq!(world.broker.logs.dropped(), 1);
}

#[tokio::test]
async fn a_frozen_connection_is_not_used() {
    let world = world(|_, _| status(200)).await;
    let frozen = Connection {
        id: ConnectionId::new(),
        frozen_at: Some(world::T0),
        status: Status::NeedsReauth,
        ..world.connection.clone()
    };
    let mut conn = world.broker.store.begin(Actor::System, world::T0).await.unwrap();
    conn.create_connection(&frozen.workspace_id, &frozen).await.unwrap();
    conn.commit().await.unwrap();
    let call = world.call(Request::get("/x").body(full("")).unwrap());
    let caller = Caller::Key { key: Arc::new(world.key.clone()), connection: frozen.id };
    let error = forward(&world.broker, Call { caller, ..call }).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    assert!(world.provider.lines().is_empty());
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_its_own_error() {
    let world = world(|_, _| status(200)).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let (ws, id) = (&world.connection.workspace_id, &world.connection.integration_id);
    let mut conn = world.broker.store.begin(Actor::System, world::T0).await.unwrap();
    let mut integration = conn.integration(ws, id).await.unwrap().unwrap();
    integration.config.base_url = Some(format!("http://{gone}"));
    conn.update_integration(ws, &integration).await.unwrap();
    conn.commit().await.unwrap();
    let error = world.send("POST", "/x", "body").await.unwrap_err();
    assert!(matches!(error, Error::Provider { .. }), "{error}");
    let row = &world.log().await[0];
    assert_eq!(
        (row.status, row.error.as_deref(), row.attempts, row.bytes_in),
        (502, Some("upstream_unreachable"), 3, 0)
    );
}
