//! What an auth option and a lent app may be, and what a change of either ends.

use super::{
    auth_option::secret_aad,
    tests::{NOW, Room, connected, field, hand_entered, new_workspace},
    *,
};
use crate::{
    connect::tokens::client_secret_aad,
    domain::{
        auth_option::AuthOption,
        client_key::{ClientKey, Purpose},
        connection::{Connection, Status},
        integration::{CallbackKind, Config, Integration, Mode},
    },
    id::{ClientKeyId, ConnectionId},
};
use claviger_catalog::Alg;

fn github(key: &str) -> NewIntegration {
    NewIntegration {
        key: key.into(),
        provider: "github".into(),
        callback: Some(CallbackKind::OauthCallback),
        config: Config::default(),
        ..hand_entered()
    }
}

fn option() -> NewAuthOption {
    NewAuthOption {
        key: "idP-2".into(),
        title: Some("With our own".into()),
        description: None,
        provider: Some("oauth2".into()),
        client_id: Some("id-2".into()),
        client_secret: Some(Secret::new("secret-2")),
        scopes: Vec::new(),
        callback: None,
        config: hand_entered().config,
        nth: 0,
    }
}

fn app() -> NewOauthApp {
    NewOauthApp {
        key: "ours".into(),
        provider: "github".into(),
        client_id: "app-id".into(),
        client_secret: Some(Secret::new("app-secret")),
    }
}

fn proxied() -> NewAuthOption {
    NewAuthOption {
        key: "proxy".into(),
        provider: None,
        client_id: None,
        client_secret: None,
        config: Config { proxy_key: Some("ours".into()), ..Config::default() },
        ..option()
    }
}

/// A connection made by an option.
async fn connected_by(to: &mut Change<'_>, integration: &Integration, key: &str) -> ConnectionId {
    let id = connected(to, integration).await;
    let was = to.conn.connection(&integration.workspace_id, &id).await.unwrap().unwrap();
    let is = Connection { auth_option: Some(key.into()), ..was };
    to.conn.authorize_connection(&integration.workspace_id, &is).await.unwrap();
    id
}

async fn status(to: &mut Change<'_>, of: &Integration, id: &ConnectionId) -> Status {
    to.conn.connection(&of.workspace_id, id).await.unwrap().unwrap().status
}

#[tokio::test]
async fn an_option_is_held_to_the_rules_of_the_integrations_own_way() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let of = integration(&mut to, &ws.id, github("github")).await.unwrap();
    oauth_app(&mut to, &ws.id, app()).await.unwrap();
    let with = |change: &dyn Fn(&mut NewAuthOption)| {
        let mut asked = option();
        change(&mut asked);
        asked
    };
    let lent = |change: &dyn Fn(&mut NewAuthOption)| {
        let mut asked = proxied();
        change(&mut asked);
        asked
    };
    for (asked, at) in [
        (with(&|o| o.key = String::new()), "key"),
        (with(&|o| o.key = "-a".into()), "key"),
        (with(&|o| o.key = "a/b".into()), "key"),
        (with(&|o| o.key = "a".repeat(65)), "key"),
        (with(&|o| o.title = Some("\n".into())), "title"),
        (with(&|o| o.provider = Some("none".into())), "provider"),
        (with(&|o| o.provider = None), "config.authorize_url"),
        (with(&|o| o.config.token_url = None), "config.token_url"),
        (with(&|o| o.callback = Some(CallbackKind::OauthCallback)), "callback"),
        (with(&|o| o.config.outside_start = true), "config.outside_start"),
        (with(&|o| o.config.return_uri = Some("https://app.example/".into())), "config.return_uri"),
        (with(&|o| o.config.callback_uri = Some("https://app.example/cb".into())), "config.callback_uri"),
        (with(&|o| o.config.connector_parameters = vec!["nope".into()]), "config.connector_parameters"),
        (with(&|o| o.config.connector_parameters = vec!["scopes".into(); 2]), "config.connector_parameters"),
        (with(&|o| o.config.proxy_key = Some("ours".into())), "config.proxy_key"),
        (lent(&|o| o.client_id = Some("x".into())), "client_id"),
        (lent(&|o| o.client_secret = Some(Secret::new("x"))), "client_secret"),
        (lent(&|o| o.config.proxy_key = Some("theirs".into())), "config.proxy_key"),
        (lent(&|o| o.provider = Some("notion".into())), "config.proxy_key"),
    ] {
        let refused = auth_option(&mut to, &of, asked).await;
        assert_eq!(refused.map(drop).map_err(field), Err(at));
    }
    let made = auth_option(&mut to, &of, option()).await.unwrap();
    assert_eq!(made.callback, CallbackKind::Own, "its endpoints are typed in");
    let overlaid = made.clone().over(of.clone());
    let secret = made.client_secret.as_ref().unwrap();
    assert_eq!(room.vault.open(&client_secret_aad(&overlaid), secret).unwrap().expose(), "secret-2");
    let made = auth_option(&mut to, &of, proxied()).await.unwrap();
    assert_eq!((made.callback, made.provider.as_str()), (CallbackKind::OauthCallback, "github"));
    let found = to.conn.integration_as(&ws.id, &of.id, Some("proxy")).await.unwrap().unwrap();
    let secret = found.client_secret.as_ref().unwrap();
    assert_eq!(room.vault.open(&client_secret_aad(&found), secret).unwrap().expose(), "app-secret");
    for n in 2..auth_option::OPTIONS_MAX {
        let more = NewAuthOption { key: format!("k{n}"), ..proxied() };
        auth_option::auth_option(&mut to, &of, more).await.unwrap();
    }
    let more = NewAuthOption { key: "more".into(), ..proxied() };
    assert!(matches!(auth_option(&mut to, &of, more).await, Err(Error::Conflict { .. })));
}

#[tokio::test]
async fn an_app_is_lent_only_where_the_catalog_says_whose_the_endpoints_are() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    for (asked, at) in [
        (NewOauthApp { key: "A".into(), ..app() }, "key"),
        (NewOauthApp { provider: "none".into(), ..app() }, "provider"),
        (NewOauthApp { provider: "oauth2".into(), ..app() }, "provider"),
        (NewOauthApp { provider: "oidc".into(), ..app() }, "provider"),
        (NewOauthApp { provider: "apikey".into(), ..app() }, "provider"),
        (NewOauthApp { provider: "gitlab".into(), ..app() }, "provider"),
        (NewOauthApp { client_id: String::new(), ..app() }, "client_id"),
    ] {
        assert_eq!(oauth_app(&mut to, &ws.id, asked).await.map(drop).map_err(field), Err(at));
    }
    let lent = oauth_app(&mut to, &ws.id, app()).await.unwrap();
    let asked = NewIntegration {
        client_id: None,
        client_secret: None,
        config: Config { proxy_key: Some("ours".into()), ..Config::default() },
        ..github("proxied")
    };
    let of = integration(&mut to, &ws.id, asked).await.unwrap();
    let other = integration(&mut to, &ws.id, github("other")).await.unwrap();
    let by = auth_option(&mut to, &other, proxied()).await.unwrap();
    let own = connected(&mut to, &of).await;
    let optional = connected_by(&mut to, &other, &by.key).await;
    let else_where = connected(&mut to, &other).await;

    assert!(update_oauth_app(&mut to, &lent, app()).await.unwrap().is_empty(), "nothing changes");
    let rotated = NewOauthApp { client_secret: Some(Secret::new("app-secret-2")), ..app() };
    assert_eq!(update_oauth_app(&mut to, &lent, rotated).await.unwrap(), ["client_secret"]);
    assert_eq!(status(&mut to, &of, &own).await, Status::Active, "tokens outlive a secret");
    let version = to.conn.integration(&ws.id, &of.id).await.unwrap().unwrap().version;
    assert!(version > of.version, "flows under way end");
    let lent = to.conn.oauth_app(&ws.id, "ours").await.unwrap().unwrap();
    let moved = NewOauthApp { client_id: "app-id-2".into(), client_secret: None, ..app() };
    assert_eq!(update_oauth_app(&mut to, &lent, moved).await.unwrap(), ["client_id"]);
    let lent = to.conn.oauth_app(&ws.id, "ours").await.unwrap().unwrap();
    assert!(lent.client_secret.is_none(), "it was another client's");
    for (integration, id) in [(&of, &own), (&other, &optional)] {
        assert_eq!(status(&mut to, integration, id).await, Status::NeedsReauth);
    }
    assert_eq!(
        status(&mut to, &other, &else_where).await,
        Status::Active,
        "that one has a client of its own"
    );
    let other = NewOauthApp { provider: "notion".into(), ..app() };
    assert!(matches!(update_oauth_app(&mut to, &lent, other).await, Err(Error::Conflict { .. })));
}

async fn certificates(to: &mut Change<'_>, of: &Integration) -> usize {
    super::certificate::certificates(to, of).await.unwrap().len()
}

#[tokio::test]
async fn moving_an_option_ends_the_trust_in_its_own_connections_alone() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let of = integration(&mut to, &ws.id, github("github")).await.unwrap();
    let moves: [fn(&mut NewAuthOption); 5] = [
        |o| o.config.par_url = Some("https://other.example/par".into()),
        |o| o.config.token_url = Some("https://other.example/token".into()),
        |o| o.config.base_url = Some("https://other.example".into()),
        |o| o.config.allowed_hosts = vec!["other.example".into()],
        |o| o.client_id = Some("other".into()),
    ];
    for (n, change) in moves.into_iter().enumerate() {
        let asked = || NewAuthOption { key: format!("o{n}"), ..option() };
        let was = auth_option(&mut to, &of, asked()).await.unwrap();
        let by_it = connected_by(&mut to, &of, &was.key).await;
        let own = connected(&mut to, &of).await;
        let same = NewAuthOption { client_secret: None, scopes: vec!["x".into()], ..asked() };
        let kept = update_auth_option(&mut to, &of, &was, same).await.unwrap();
        let key = ClientKey {
            id: ClientKeyId::new(),
            workspace_id: ws.id.clone(),
            integration_id: of.id.clone(),
            option_id: Some(was.id.clone()),
            purpose: Purpose::Certificate,
            alg: Alg::default(),
            public: String::new(),
            secret: was.client_secret.clone().unwrap(),
            signs_from: NOW,
            created_at: NOW,
        };
        to.conn.create_client_key(&ws.id, &key).await.unwrap();
        assert!(kept.client_secret.is_some(), "{n}");
        assert_eq!(status(&mut to, &of, &by_it).await, Status::Active, "{n}");
        let mut moved = NewAuthOption { client_secret: None, ..asked() };
        change(&mut moved);
        update_auth_option(&mut to, &of, &kept, moved).await.unwrap();
        let now: AuthOption = to.conn.auth_option(&ws.id, &of.id, &was.key).await.unwrap().unwrap();
        assert!(now.client_secret.is_none(), "{n}");
        let elsewhere = now.client_id == was.client_id;
        assert_eq!(now.config.jwks.is_some(), elsewhere, "{n}: its keys are published at another address");
        assert_eq!(
            certificates(&mut to, &now.clone().over(of.clone())).await,
            usize::from(!elsewhere),
            "{n}"
        );
        assert_eq!(status(&mut to, &of, &by_it).await, Status::NeedsReauth, "{n}");
        assert_eq!(status(&mut to, &of, &own).await, Status::Active, "{n}");
    }
    let was = auth_option(&mut to, &of, option()).await.unwrap();
    let by_it = connected_by(&mut to, &of, &was.key).await;
    let now = to.conn.integration(&ws.id, &of.id).await.unwrap().unwrap();
    let moved = NewIntegration { client_id: Some("new".into()), ..github("github") };
    update_integration(&mut to, &now, moved).await.unwrap();
    assert_eq!(status(&mut to, &of, &by_it).await, Status::Active, "that client is not its");
    let mut set = option();
    set.config.jwks = Some("0".into());
    assert_eq!(
        update_auth_option(&mut to, &of, &was, set).await.map(drop).map_err(field),
        Err("config.jwks")
    );
    let other = NewAuthOption { provider: Some("oidc".into()), ..option() };
    let other = NewAuthOption {
        config: Config { issuer: Some("https://id.example".into()), ..Config::default() },
        ..other
    };
    assert!(matches!(update_auth_option(&mut to, &of, &was, other).await, Err(Error::Conflict { .. })));
    assert!(room.vault.open(&secret_aad(&was), was.client_secret.as_ref().unwrap()).is_ok());
    assert_eq!((now.mode, was.created_at), (Mode::PerUser, NOW));
}

#[tokio::test]
async fn where_browsers_come_back_to_hangs_on_the_callback() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let uri = |text: &str| Config { callback_uri: Some(text.into()), ..Config::default() };
    let outside = || Config { outside_start: true, ..Config::default() };
    let shared = |config| NewIntegration { callback: Some(CallbackKind::Shared), config, ..github("a") };
    let plain = |config| NewIntegration { config, ..github("a") };
    for (asked, at) in [
        (shared(uri("https://app.example/cb")), "config.callback_uri"),
        (plain(uri("http://app.example/cb")), "config.callback_uri"),
        (plain(uri("/cb")), "config.callback_uri"),
        (plain(uri("https://app.example/cb#x")), "config.callback_uri"),
        (shared(outside()), "config.outside_start"),
        (
            NewIntegration {
                provider: "bearer".into(),
                client_id: None,
                client_secret: None,
                scopes: Vec::new(),
                config: Config { base_url: Some("https://api.example".into()), ..outside() },
                ..github("a")
            },
            "config.outside_start",
        ),
    ] {
        assert_eq!(integration(&mut to, &ws.id, asked).await.map(drop).map_err(field), Err(at));
    }
    for (n, config) in
        [uri("https://app.example/cb?x=1"), uri("http://127.0.0.1:9/cb"), outside()].into_iter().enumerate()
    {
        let asked = NewIntegration { key: format!("a{n}"), ..plain(config) };
        integration(&mut to, &ws.id, asked).await.unwrap();
    }
}
