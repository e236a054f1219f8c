//! Calls of users: by integration, with their own connection or the one for all.

use super::*;
use crate::{
    access::{By, Member},
    connect::tokens,
    domain::{
        connection::Owner,
        integration::{Integration, KeyLocation, KeyPlace, Mode},
        user::User,
    },
    id::UserId,
    secret::Secret,
};

const KEYS: &str = r#"
    key = "keys"
    name = "Keys"
    [api_key]
    place_chosen = true
"#;

/// A user who sees everything, or nothing.
fn member(world: &world::World, username: &str, superuser: bool) -> Arc<Member> {
    let workspace_id = world.connection.workspace_id.clone();
    let user = User {
        id: UserId::new(),
        workspace_id: workspace_id.clone(),
        username: username.into(),
        display_name: Some(format!("{username} {{token}}")),
        email: None,
        password_hash: None,
        superuser,
        permissions: Vec::new(),
        disabled_at: None,
        created_at: world::T0,
        updated_at: world::T0,
    };
    Arc::new(Member { workspace_id, user, teams: Vec::new(), by: By::Password })
}

async fn change(world: &world::World, edit: impl FnOnce(&mut Integration)) {
    let (ws, id) = (&world.connection.workspace_id, &world.connection.integration_id);
    let mut conn = world.broker.store.begin(Actor::System, world::T0).await.unwrap();
    let mut integration = conn.integration(ws, id).await.unwrap().unwrap();
    edit(&mut integration);
    conn.update_integration(ws, &integration).await.unwrap();
    conn.commit().await.unwrap();
}

/// Connects a user, or whoever it is for, with a token of its own.
async fn connect(world: &world::World, owner: Owner, token: &str) -> Connection {
    let connection = Connection { id: ConnectionId::new(), owner, ..world.connection.clone() };
    let held = claviger_protocol::oauth2::Tokens::of(Secret::new(token), "Bearer");
    let ws = &connection.workspace_id;
    let credential = tokens::seal(&world.broker, ws, &connection.id, &held, world::T0).unwrap();
    let mut conn = world.broker.store.begin(Actor::System, world::T0).await.unwrap();
    conn.create_connection(ws, &connection).await.unwrap();
    conn.create_credential(ws, &credential).await.unwrap();
    conn.commit().await.unwrap();
    connection
}

async fn ask(
    world: &world::World,
    member: &Arc<Member>,
    integration: &str,
    url: &str,
) -> Result<Response<Body>> {
    let caller = Caller::Member { member: Arc::clone(member), integration: integration.into() };
    let request = Request::get("/not-looked-at").header("x-user", "theirs").body(full("")).unwrap();
    let call = Call { caller, target: Target::Url(url.into()), ..world.call(request) };
    forward(&world.broker, call).await
}

#[tokio::test]
async fn each_user_calls_with_its_own_connection() {
    let world = world(|_, _| status(200)).await;
    let (alice, bob) = (member(&world, "alice", true), member(&world, "bob", true));
    let missing = ask(&world, &alice, "acme", "/x").await.unwrap_err();
    assert!(
        matches!(missing, Error::NotFound { what: "connection" }),
        "the product's own is not hers: {missing}"
    );
    let hers = connect(&world, Owner::member(Mode::PerUser, "alice"), "tok_canary_alice").await;
    let missing = ask(&world, &bob, "acme", "/x").await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { what: "connection" }), "{missing}");
    connect(&world, Owner::member(Mode::PerUser, "bob"), "tok_canary_bob").await;

    ask(&world, &alice, "acme", "files?pageSize=10").await.unwrap();
    let id = world.connection.integration_id.to_string();
    ask(&world, &bob, &id, &format!("http://{}/api/y?q", world.provider.addr)).await.unwrap();
    assert_eq!(world.provider.lines(), ["GET /api/files?pageSize=10", "GET /api/y?q"]);
    let tokens =
        world.provider.seen().iter().map(|seen| seen.headers["authorization"].clone()).collect::<Vec<_>>();
    assert_eq!(tokens, ["Bearer tok_canary_alice", "Bearer tok_canary_bob"]);

    let log = world.log().await;
    assert_eq!((&log[0].user_id, &log[0].api_key_id), (&Some(alice.user.id.clone()), &None));
    assert_eq!((log[0].path.as_str(), &log[0].connection_id), ("files", &hers.id));
    assert_eq!(log[1].path, format!("http://{}/api/y", world.provider.addr));
}

#[tokio::test]
async fn a_shared_integrations_connection_is_for_all_who_see_it() {
    let world = world(|_, _| status(200)).await;
    change(&world, |integration| integration.mode = Mode::Shared).await;
    connect(&world, Owner::member(Mode::Shared, "alice"), "tok_canary_shared").await;
    let bob = member(&world, "bob", true);
    ask(&world, &bob, "acme", "/x").await.unwrap();
    assert_eq!(world.provider.seen()[0].headers["authorization"], "Bearer tok_canary_shared");
    let stranger = member(&world, "eve", false);
    for integration in ["acme", "unknown", ""] {
        let error = ask(&world, &stranger, integration, "/x").await.unwrap_err();
        assert!(matches!(error, Error::NotFound { what: "integration" }), "{error}");
    }
    assert_eq!(world.provider.lines().len(), 1);
}

#[tokio::test]
async fn a_users_connection_that_can_not_be_used_is_not() {
    let world = world(|_, _| status(200)).await;
    let alice = member(&world, "alice", true);
    let owner = Owner::member(Mode::PerUser, "alice");
    let connection = connect(&world, owner, "tok_canary_alice").await;
    let (ws, id) = (&connection.workspace_id, &connection.id);
    let mut conn = world.broker.store.begin(Actor::System, world::T0).await.unwrap();
    conn.set_connection_status(ws, id, Status::NeedsReauth, Some("invalid_grant"), world::T0).await.unwrap();
    conn.commit().await.unwrap();
    let error = ask(&world, &alice, "acme", "/x").await.unwrap_err();
    assert!(matches!(&error, Error::NeedsReauth { message } if message == "invalid_grant"), "{error}");
    assert!(world.provider.lines().is_empty());
}

#[tokio::test]
async fn a_refused_url_is_on_record_without_its_secrets() {
    let world = world(|_, _| status(200)).await;
    let alice = member(&world, "alice", true);
    connect(&world, Owner::member(Mode::PerUser, "alice"), "tok_canary_alice").await;
    for url in ["https://user:canary@evil.test/x?canary", "https://evil.test/x#canary", "//evil.test", ""] {
        let error = ask(&world, &alice, "acme", url).await.unwrap_err();
        assert!(matches!(error, Error::TargetNotAllowed { .. }), "{url}: {error}");
    }
    let log = world.log().await;
    let paths: Vec<_> = log.iter().map(|row| (row.status, row.path.as_str())).collect();
    let elsewhere = "https://evil.test/x";
    assert_eq!(paths, [(400, elsewhere), (400, elsewhere), (400, "//evil.test"), (400, "")]);
    assert!(world.provider.lines().is_empty());
}

#[tokio::test]
async fn headers_say_who_calls() {
    let world = world(|_, _| status(200)).await;
    let headers =
        [("X-User", "${user.displayName}"), ("X-Mail", "${user.email}"), ("X-Tenant", "t=${tenant.id}")];
    change(&world, |integration| {
        integration.config.headers = headers.map(|(name, value)| (name.into(), value.into())).into();
    })
    .await;
    let alice = member(&world, "alice", true);
    connect(&world, Owner::member(Mode::PerUser, "alice"), "tok_canary_alice").await;
    ask(&world, &alice, "acme", "/x").await.unwrap();
    // A product's server is no user.
    let request = Request::get("/x").header("x-user", "theirs").header("x-mail", "theirs");
    forward(&world.broker, world.call(request.body(full("")).unwrap())).await.unwrap();
    let seen = world.provider.seen();
    assert_eq!(
        (&seen[0].headers["x-user"], &seen[0].headers["x-tenant"]),
        (&"alice {token}".parse().unwrap(), &"t=ours".parse().unwrap())
    );
    assert!(!seen[0].headers.contains_key("x-mail"), "she has none");
    assert_eq!(seen[1].headers["x-tenant"], "t=ours");
    assert!(!seen[1].headers.contains_key("x-user") && !seen[1].headers.contains_key("x-mail"));
}

#[tokio::test]
async fn a_name_that_would_break_a_header_sends_nothing() {
    let world = world(|_, _| status(200)).await;
    change(&world, |integration| {
        integration.config.headers = [("X-User".into(), "${user.displayName}".into())].into();
    })
    .await;
    connect(&world, Owner::member(Mode::PerUser, "alice"), "tok_canary_alice").await;
    let mut alice = member(&world, "alice", true);
    Arc::make_mut(&mut alice).user.display_name = Some("a\r\nX-Admin: 1".into());
    let error = ask(&world, &alice, "acme", "/x").await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "headers", .. }), "{error}");
    assert!(world.provider.lines().is_empty());
}

#[tokio::test]
async fn an_api_key_is_carried_where_the_integration_says() {
    let world = world(|_, _| status(200)).await;
    let mut subject = (**resolve::subject(&world.broker, &world.caller()).await.unwrap()).clone();
    let place = |location, name: &str, prefix: &str| {
        Some(KeyPlace { location, name: name.into(), prefix: prefix.into() })
    };
    let mut at = |provider: &str, chosen: Option<KeyPlace>| {
        subject.provider = Arc::new(claviger_catalog::Provider::parse("keys.toml", provider).unwrap());
        Arc::make_mut(&mut subject.integration).config.api_key = chosen;
        target::api(&subject).map(|api| (api.place.header, api.place.format, api.place.query))
    };
    let (header, query) = (KeyLocation::Header, KeyLocation::Query);
    assert_eq!(
        at(KEYS, place(header, "X-Key", "Key ")).unwrap(),
        ("X-Key".into(), "Key {token}".into(), None)
    );
    assert_eq!(at(KEYS, place(query, "api_key", "")).unwrap().2, Some("api_key".into()));
    assert_eq!(at(KEYS, None).unwrap().0, "X-API-Key");
    let fixed = KEYS.replace("place_chosen = true", "");
    assert_eq!(at(&fixed, place(header, "X-Key", "")).unwrap().0, "X-API-Key", "the file says where");
    for chosen in [
        place(header, "Host", ""),
        place(header, "Content-Length", ""),
        place(header, "Cookie", ""),
        place(header, "X-Forwarded-For", ""),
        place(header, "a b", ""),
        place(header, "", ""),
        place(header, "X-Key", "{token} "),
        place(header, "X-Key", "{other} "),
        place(header, "X-Key", "a\r\nb"),
        place(query, "", ""),
        place(query, "key", "Key "),
        place(query, "a\nb", ""),
    ] {
        let error = at(KEYS, chosen.clone()).unwrap_err();
        assert!(matches!(error, Error::TargetNotAllowed { .. }), "{chosen:?}: {error}");
    }
}

#[tokio::test]
async fn hosts_of_the_file_are_filled_and_join_the_integrations() {
    const FILE: &str = r#"
        key = "cloud"
        name = "Cloud"
        [[inputs]]
        key = "region"
        title = "Region"
        pattern = "^[a-z]+$"
        [oauth2.endpoints]
        authorize_url = "https://cloud.test/authorize"
        token_url = "https://cloud.test/token"
        [api]
        base_url = "https://api.cloud.test"
        allowed_hosts = ["files.{region}.cloud.test", "up.cloud.test"]
    "#;
    let world = world(|_, _| status(200)).await;
    let mut subject = (**resolve::subject(&world.broker, &world.caller()).await.unwrap()).clone();
    subject.provider = Arc::new(claviger_catalog::Provider::parse("cloud.toml", FILE).unwrap());
    Arc::make_mut(&mut subject.integration).config.allowed_hosts = vec!["own.test".into()];
    assert_eq!(target::allowed_hosts(&subject).unwrap(), ["own.test", "up.cloud.test"]);
    Arc::make_mut(&mut subject.connection).inputs = [("region".into(), "eu".into())].into();
    assert_eq!(
        target::allowed_hosts(&subject).unwrap(),
        ["own.test", "files.eu.cloud.test", "up.cloud.test"]
    );
    for region in ["eu.evil.test/", "EU", "a.b", "eu@x"] {
        Arc::make_mut(&mut subject.connection).inputs = [("region".into(), region.into())].into();
        let error = target::allowed_hosts(&subject).unwrap_err();
        assert!(matches!(error, Error::TargetNotAllowed { .. }), "{error}");
    }
}
