//! Where secrets go: who may say it, and what ends the trust.

use super::*;

#[tokio::test]
async fn hand_entered_endpoints_have_a_callback_of_their_own() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    for kind in [CallbackKind::Shared, CallbackKind::OauthCallback] {
        let asked = NewIntegration { callback: Some(kind), ..hand_entered() };
        assert_eq!(integration(&mut to, &ws.id, asked).await.map(drop).map_err(field), Err("callback"));
        let issuer = NewIntegration {
            provider: "oidc".into(),
            callback: Some(kind),
            config: Config { issuer: Some("https://idp.example".into()), ..Config::default() },
            ..hand_entered()
        };
        assert_eq!(integration(&mut to, &ws.id, issuer).await.map(drop).map_err(field), Err("callback"));
    }
    let made = integration(&mut to, &ws.id, hand_entered()).await.unwrap();
    assert_eq!(made.callback, CallbackKind::Own);
    let catalog = NewIntegration {
        key: "github".into(),
        provider: "github".into(),
        callback: Some(CallbackKind::Shared),
        config: Config::default(),
        ..hand_entered()
    };
    assert_eq!(integration(&mut to, &ws.id, catalog).await.unwrap().callback, CallbackKind::Shared);
}

/// A provider with inputs; `{here}` is the host of its endpoints.
const WITH_INPUTS: &str = r#"
key = "acme"
name = "Acme"
[[inputs]]
key = "subdomain"
title = "Subdomain"
pattern = "^[a-z.]+$"
[[inputs]]
key = "app_key"
title = "App key"
pattern = "^[a-z]+$"
asked_of = "operator"
[oauth2.endpoints]
authorize_url = "https://{here}/authorize"
token_url = "https://{here}/token"
"#;

fn of_acme(inputs: &[(&str, &str)]) -> NewIntegration {
    let inputs = inputs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    NewIntegration {
        key: "acme".into(),
        provider: "acme".into(),
        config: Config { inputs, ..Config::default() },
        ..hand_entered()
    }
}

#[tokio::test]
async fn whoever_chooses_the_endpoints_host_has_a_callback_of_their_own() {
    for (host, shareable) in
        [("login.acme.example", true), ("{subdomain}.acme.example", true), ("{subdomain}", false)]
    {
        let mut room = Room::new().await;
        room.catalog.add("acme.toml", &WITH_INPUTS.replace("{here}", host)).unwrap();
        let mut conn = room.begin().await;
        let mut to = room.change(&mut conn);
        let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
        let with = |callback| NewIntegration { callback, ..of_acme(&[("app_key", "k")]) };
        let shared = integration(&mut to, &ws.id, with(Some(CallbackKind::Shared))).await;
        if shareable {
            assert_eq!(shared.unwrap().callback, CallbackKind::Shared, "{host}");
        } else {
            assert_eq!(shared.map(drop).map_err(field), Err("callback"), "{host}");
            let own = integration(&mut to, &ws.id, with(None)).await.unwrap();
            assert_eq!(own.callback, CallbackKind::Own, "{host}");
        }
    }
}

#[tokio::test]
async fn what_only_the_operator_can_give_has_to_be_given() {
    let mut room = Room::new().await;
    room.catalog.add("acme.toml", &WITH_INPUTS.replace("{here}", "{subdomain}.acme.example")).unwrap();
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let error = integration(&mut to, &ws.id, of_acme(&[])).await.unwrap_err();
    assert!(error.to_string().contains("app_key"), "{error}");
    assert_eq!(field(error), "config.inputs");
    integration(&mut to, &ws.id, of_acme(&[("app_key", "k")])).await.unwrap();
}

#[tokio::test]
async fn inputs_move_secrets_too() {
    let mut room = Room::new().await;
    room.catalog.add("acme.toml", &WITH_INPUTS.replace("{here}", "{subdomain}.acme.example")).unwrap();
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let asked = of_acme(&[("app_key", "k"), ("subdomain", "one")]);
    let was = integration(&mut to, &ws.id, asked).await.unwrap();
    let connection = connected(&mut to, &was).await;
    let moved = NewIntegration { client_secret: None, ..of_acme(&[("app_key", "k"), ("subdomain", "two")]) };
    let now = update_integration(&mut to, &was, moved).await.unwrap();
    assert!(was.client_secret.is_some() && now.client_secret.is_none());
    let after = to.conn.connection(&ws.id, &connection).await.unwrap().unwrap();
    assert_eq!(after.status, Status::NeedsReauth);
}

/// Where a code for another device is asked for, the client's secret goes too.
#[test]
fn each_place_that_a_secret_is_sent_to_counts() {
    let was = hand_entered().config;
    let url = || Some("https://other.example/x".to_owned());
    for now in [
        Config { device_url: url(), ..was.clone() },
        Config { par_url: url(), ..was.clone() },
        Config { revoke_url: url(), ..was.clone() },
        Config { introspect_url: url(), ..was.clone() },
        Config { issuer: url(), ..was.clone() },
    ] {
        assert!(super::integration::moves_secrets(&was, &now), "{now:?}");
    }
    let same = Config { client_auth: Some("body".into()), jwks: Some("x".into()), ..was.clone() };
    assert!(!super::integration::moves_secrets(&was, &same));
}

#[tokio::test]
async fn moving_where_secrets_go_ends_the_trust_and_nothing_else_does() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let (ws, _) = workspace(&mut to, new_workspace()).await.unwrap();
    let moves: [fn(&mut NewIntegration); 7] = [
        |i| i.config.token_url = Some("https://other.example/token".into()),
        |i| i.config.authorize_url = Some("https://other.example/authorize".into()),
        |i| i.config.par_url = Some("https://other.example/par".into()),
        |i| i.config.userinfo_url = Some("https://other.example/me".into()),
        |i| i.config.base_url = Some("https://other.example".into()),
        |i| i.config.allowed_hosts = vec!["other.example".into()],
        |i| i.client_id = Some("other".into()),
    ];
    for (n, change) in moves.into_iter().enumerate() {
        let asked = || NewIntegration { key: format!("idp-{n}"), ..hand_entered() };
        let was = integration(&mut to, &ws.id, asked()).await.unwrap();
        let connection = connected(&mut to, &was).await;
        let kept = NewIntegration { client_secret: None, scopes: vec!["other".into()], ..asked() };
        let same = update_integration(&mut to, &was, kept).await.unwrap();
        assert!(same.client_secret.is_some() && same.version == 2, "{n}");
        let status = |found: Option<Connection>| found.unwrap().status;
        assert_eq!(status(to.conn.connection(&ws.id, &connection).await.unwrap()), Status::Active, "{n}");

        let mut moved = NewIntegration { client_secret: None, ..asked() };
        change(&mut moved);
        let after = update_integration(&mut to, &same, moved).await.unwrap();
        assert!(after.client_secret.is_none() && after.version == 3, "{n}");
        assert_eq!(
            status(to.conn.connection(&ws.id, &connection).await.unwrap()),
            Status::NeedsReauth,
            "{n}"
        );
    }
    assert_eq!(to.conn.events(&ws.id, &Page { offset: 0, limit: 50 }).await.unwrap().len(), moves.len());
    let was = to.conn.integration_by_selector(&ws.id, "idp-0").await.unwrap().unwrap();
    let other = NewIntegration { key: "idp-0".into(), provider: "sandbox".into(), ..hand_entered() };
    assert!(matches!(update_integration(&mut to, &was, other).await, Err(Error::Conflict { .. })));
}
