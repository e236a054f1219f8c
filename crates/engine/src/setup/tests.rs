//! What may be set up and what may not. The single refusals by field; the ends of trust by what they leave.

mod trust;

use std::collections::BTreeMap;

use claviger_catalog::Catalog;

use super::*;
use crate::{
    domain::{
        audit::Actor,
        connection::{Account, Connection, Owner, OwnerKind, Status},
        integration::{CallbackKind, Config, Integration, Mode},
    },
    id::ConnectionId,
    store::{Page, Store},
    vault::KeyRing,
};

pub(super) const NOW: Millis = Millis(1_767_323_045_678);

pub(super) struct Room {
    pub store: Store,
    pub vault: Vault,
    catalog: Catalog,
    _dir: tempfile::TempDir,
}

impl Room {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}", dir.path().join("a.db").display())).await.unwrap();
        store.migrate().await.unwrap();
        let vault = Vault::new(KeyRing::parse(KeyRing::generate().unwrap().expose()).unwrap());
        Self { store, vault, catalog: Catalog::builtin().unwrap(), _dir: dir }
    }

    pub async fn begin(&self) -> Conn {
        self.store.begin(Actor::Cli, NOW).await.unwrap()
    }

    pub fn change<'a>(&'a self, conn: &'a mut Conn) -> Change<'a> {
        Change { conn, vault: &self.vault, catalog: &self.catalog, now: NOW }
    }
}

pub(super) fn new_workspace() -> NewWorkspace {
    NewWorkspace { name: "Acme".into(), ..NewWorkspace::default() }
}

pub(super) fn hand_entered() -> NewIntegration {
    NewIntegration {
        key: "idp".into(),
        provider: "oauth2".into(),
        name: None,
        description: None,
        tags: Vec::new(),
        mode: Mode::PerUser,
        client_id: Some("id".into()),
        client_secret: Some(Secret::new("secret-1")),
        scopes: vec!["read".into()],
        callback: None,
        config: Config {
            authorize_url: Some("https://idp.example/authorize".into()),
            token_url: Some("https://idp.example/token".into()),
            base_url: Some("https://api.example/v1".into()),
            ..Config::default()
        },
    }
}

pub(super) fn field(error: Error) -> &'static str {
    match error {
        Error::Invalid { field, .. } => field,
        other => panic!("not Invalid: {other:?}"),
    }
}

#[test]
fn redirect_uris_are_absolute_plain_and_go_somewhere() {
    for fine in [
        "https://app.example/done",
        "https://app.example",
        "https://app.example:8443/a/b?x=1&y=%20",
        "http://localhost:3000/cb",
        "http://[::1]:3000/cb",
        "HTTPS://APP.example/done",
        "com.example.app:/done",
        "com.example.app://done/x",
        "https://app.example/a@b",
    ] {
        assert!(check::redirect_uri(fine).is_ok(), "{fine}");
    }
    let long = format!("https://app.example/{}", "a".repeat(2048));
    for wrong in [
        "",
        "/done",
        "//app.example/done",
        "app.example/done",
        "https:app.example/done",
        "https:/app.example/done",
        "https:///app.example/done",
        "https://",
        "https://app.example/done#",
        "https://app.example/#x",
        "com.example.app:/done#x",
        "https://app.example\\@evil.example/",
        "https://app.example/a b",
        " https://app.example/",
        "https://app.example/\n",
        "https://app.example/\0",
        "https://app.example/\u{e9}",
        "https://\u{430}pp.example/",
        "https://user@app.example/",
        "https://user:pw@app.example/",
        "https://@app.example/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://app.example/x",
        "about:blank",
        "ws://app.example/",
        "wss://app.example/",
        "https://[::1/",
        "https://app.example:99999/",
        long.as_str(),
    ] {
        assert!(check::redirect_uri(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn an_error_about_a_url_quotes_no_user_name_and_no_password() {
    for text in
        ["https://user:canary@h.test/", "https://canary@h.test/", "http:canary@h.test", "ftp://a:canary@h/@"]
    {
        let error = check::url("url", text).expect_err("not this one").to_string();
        assert!(!error.contains("canary"), "{error}");
        // `ftp` may be an app's own scheme, and so be registered.
        let quoted = check::redirect_uri(text).err().map(|error| error.to_string());
        assert!(quoted.is_some() || text.starts_with("ftp:"), "{text}");
        assert!(!quoted.unwrap_or_default().contains("canary"));
    }
}

#[test]
fn an_error_about_a_redirect_uri_quotes_no_query() {
    let text = check::redirect_uri("https://u@app.example/?code=canary").unwrap_err().to_string();
    assert!(text.contains("app.example") && !text.contains("canary"), "{text}");
}

#[test]
fn urls_of_ours_are_https_or_loopback() {
    for fine in ["https://a.example", "https://a.example:1/x?y", "http://127.0.0.1:1/x", "http://localhost/"]
    {
        assert!(check::url("url", fine).is_ok(), "{fine}");
    }
    for wrong in [
        "http://a.example",
        "http://localhost.example/",
        "http://10.0.0.1/",
        "ftp://a.example",
        "a.example",
        "https://u@a.example/",
        "https://a.example/#x",
        "https://a.example/ x",
        "https://a.example\\x",
    ] {
        assert!(check::url("url", wrong).is_err(), "{wrong}");
    }
}

#[test]
fn keys_are_slugs() {
    for fine in ["a", "0", "github", "our-idp_2", &"a".repeat(64)] {
        assert!(check::slug(fine).is_ok(), "{fine}");
    }
    let id = IntegrationId::new();
    for wrong in ["", "-a", "_a", "A", "a b", "a.b", "a/b", "\u{e4}", &"a".repeat(65), id.as_str()] {
        assert!(check::slug(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn a_workspace_has_a_client_id_of_its_own_and_a_sealed_secret() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (made, secret) = workspace(&mut to, new_workspace()).await.unwrap();
    let opened = room.vault.open(&jwt_secret_aad(&made.id), made.jwt_secret.as_ref().unwrap()).unwrap();
    assert_eq!(opened.expose(), secret.expose());
    let again = NewWorkspace { client_id: Some(made.client_id.clone()), ..new_workspace() };
    assert!(matches!(workspace(&mut to, again).await, Err(Error::Conflict { .. })));
    for (wrong, at) in [
        (NewWorkspace { name: " ".into(), ..new_workspace() }, "name"),
        (NewWorkspace { client_id: Some("a b".into()), ..new_workspace() }, "client_id"),
        (NewWorkspace { jwt_secret: Some(Secret::new("short")), ..new_workspace() }, "jwt_secret"),
        (
            NewWorkspace {
                settings: Settings {
                    allowed_origins: vec!["https://a.example/".into()],
                    ..Settings::default()
                },
                ..new_workspace()
            },
            "settings.allowed_origins",
        ),
    ] {
        assert_eq!(workspace(&mut to, wrong).await.map(drop).map_err(field), Err(at));
    }
}

#[tokio::test]
async fn a_key_is_kept_as_a_hash_and_bound_to_its_workspace() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (mine, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let (theirs, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let foreign = integration(&mut to, &theirs.id, hand_entered()).await.unwrap();
    let ask = |integration_id| NewApiKey {
        name: "default".into(),
        scopes: vec![Scope::Proxy],
        integration_id,
        expires_at: None,
    };
    let (key, text) = api_key(&mut to, &mine.id, ask(None)).await.unwrap();
    assert!(text.expose().starts_with(&key.prefix) && key.hash == hash::token(text.expose()));
    let limited = api_key(&mut to, &mine.id, ask(Some(foreign.id))).await;
    assert!(matches!(limited.map(drop), Err(Error::NotFound { what: "integration" })));
    let powerless = NewApiKey { scopes: Vec::new(), ..ask(None) };
    assert_eq!(api_key(&mut to, &mine.id, powerless).await.map(drop).map_err(field), Err("scopes"));
}

#[tokio::test]
async fn a_header_that_may_be_added_is_taken_as_it_is() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let mut asked = hand_entered();
    for (name, value) in
        [("X-Tenant", "acme"), ("X-Key", "{token}"), ("X-Json", "{\"a\": 1}"), ("Accept", "*/*")]
    {
        asked.config.headers.insert(name.into(), value.into());
    }
    let wanted = asked.config.headers.clone();
    assert_eq!(integration(&mut to, &ws.id, asked).await.unwrap().config.headers, wanted);
}

#[tokio::test]
async fn each_wrong_field_of_an_integration_is_named() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let with = |change: &dyn Fn(&mut NewIntegration)| {
        let mut asked = hand_entered();
        change(&mut asked);
        asked
    };
    let map = |k: &str, v: &str| BTreeMap::from([(k.to_owned(), v.to_owned())]);
    let cases: Vec<(NewIntegration, &str)> = vec![
        (with(&|i| i.key = "A".into()), "key"),
        (with(&|i| i.provider = "nowhere".into()), "provider"),
        (with(&|i| i.client_id = Some(String::new())), "client_id"),
        (with(&|i| i.scopes = vec!["a b".into()]), "scopes"),
        (with(&|i| i.name = Some("a\nb".into())), "name"),
        (with(&|i| i.config.token_url = None), "config.token_url"),
        (with(&|i| i.config.authorize_url = Some("http://idp.example/a".into())), "config.authorize_url"),
        (with(&|i| i.config.revoke_url = Some("/revoke".into())), "config.revoke_url"),
        (with(&|i| i.config.introspect_url = Some("/introspect".into())), "config.introspect_url"),
        (with(&|i| i.config.base_url = Some("https://u:p@api.example".into())), "config.base_url"),
        (with(&|i| i.config.base_url = Some("https://api.example/?a=b".into())), "config.base_url"),
        (with(&|i| i.config.allowed_hosts = vec!["https://a.example".into()]), "config.allowed_hosts"),
        (with(&|i| i.config.allowed_hosts = vec!["a.example/x".into()]), "config.allowed_hosts"),
        (with(&|i| i.config.allowed_hosts = vec!["u@a.example".into()]), "config.allowed_hosts"),
        (with(&|i| i.config.headers = map("Host", "a.example")), "config.headers"),
        (with(&|i| i.config.headers = map("X-A", "a\r\nX-B: b")), "config.headers"),
        (with(&|i| i.config.headers = map("Proxy-Authorization", "x")), "config.headers"),
        (with(&|i| i.config.headers = map("authorization", "Basic x")), "config.headers"),
        (with(&|i| i.config.headers = map("Cookie", "a=b")), "config.headers"),
        (with(&|i| i.config.headers = map("BU-Connection-Id", "x")), "config.headers"),
        (with(&|i| i.config.headers = map("Forwarded", "for=1")), "config.headers"),
        (with(&|i| i.config.headers = map("X-Forwarded-Host", "a.example")), "config.headers"),
        (with(&|i| i.config.headers = map("Content-Length", "1")), "config.headers"),
        (with(&|i| i.config.headers = map("Connection", "close")), "config.headers"),
        (with(&|i| i.config.headers = map("Upgrade", "h2c")), "config.headers"),
        (with(&|i| i.config.headers = map("a b", "x")), "config.headers"),
        (with(&|i| i.config.headers = map("X-Tenant", "{subdomain}")), "config.headers"),
        (with(&|i| i.config.headers = map("X-Client", "{client_id}")), "config.headers"),
        (
            with(&|i| i.config.authorize_params = map("redirect_uri", "https://evil.example")),
            "config.authorize_params",
        ),
        (with(&|i| i.config.authorize_params = map("state", "x")), "config.authorize_params"),
        (with(&|i| i.config.client_auth = Some("plain".into())), "config.client_auth"),
        (with(&|i| i.config.inputs = map("subdomain", "x")), "config.inputs"),
        // A catalog provider's endpoints are the catalog's.
        (with(&|i| i.provider = "github".into()), "config.authorize_url"),
        (
            with(&|i| {
                i.provider = "oidc".into();
                i.config = Config::default();
            }),
            "config.issuer",
        ),
    ];
    for (asked, at) in cases {
        assert_eq!(integration(&mut to, &ws.id, asked).await.map(drop).map_err(field), Err(at));
    }
}

pub(super) async fn connected(to: &mut Change<'_>, integration: &Integration) -> ConnectionId {
    let connection = Connection {
        id: ConnectionId::new(),
        workspace_id: integration.workspace_id.clone(),
        integration_id: integration.id.clone(),
        owner: Owner { kind: OwnerKind::External, key: Some("alice".into()) },
        status: Status::Active,
        status_reason: None,
        scopes_asked: Vec::new(),
        scopes_granted: Vec::new(),
        account: Account::default(),
        inputs: BTreeMap::new(),
        name: None,
        auth_option: None,
        frozen_at: None,
        authorized_at: NOW,
        refreshed_at: None,
        expires_at: None,
        created_at: NOW,
        updated_at: NOW,
    };
    to.conn.create_connection(&integration.workspace_id, &connection).await.unwrap();
    connection.id
}

#[tokio::test]
async fn users_have_their_rules() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let ask = |username: &str, email: Option<&str>, password: &str| NewUser {
        username: username.into(),
        display_name: None,
        email: email.map(Into::into),
        password: Some(Secret::new(password)),
        superuser: false,
        permissions: Vec::new(),
    };
    for (wrong, at) in [
        (ask("", None, "long enough password"), "username"),
        (ask("a b", None, "long enough password"), "username"),
        (ask("a:b", None, "long enough password"), "username"),
        (ask("ada", Some("nobody"), "long enough password"), "email"),
        (ask("ada", None, "short"), "password"),
    ] {
        assert_eq!(user(&mut to, &ws.id, wrong).await.map(drop).map_err(field), Err(at));
    }
    let made = user(&mut to, &ws.id, ask("ada", Some("ada@example"), "long enough password")).await.unwrap();
    let hash = made.password_hash.unwrap();
    assert!(hash::password_matches(&Secret::new("long enough password"), &hash));
    assert!(!hash::password_matches(&Secret::new("long enough passwore"), &hash));
    let twice = user(&mut to, &ws.id, ask("ADA", None, "long enough password")).await;
    assert!(matches!(twice, Err(Error::Conflict { .. })), "names are compared folded");
}
