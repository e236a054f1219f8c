//! Auth options and lent apps: kept, read over an integration, and what ends with a change of them.

use super::*;
use crate::{
    domain::{auth_option::AuthOption, integration::AsOf, oauth_app::OauthApp},
    id::{AuthOptionId, OauthAppId},
};

pub(super) fn option(of: &Integration, key: &str, nth: i64) -> AuthOption {
    AuthOption {
        id: AuthOptionId::new(),
        workspace_id: of.workspace_id.clone(),
        integration_id: of.id.clone(),
        key: key.to_owned(),
        title: Some("Ä key".to_owned()),
        description: None,
        provider: "elsewhere".to_owned(),
        client_id: Some(format!("client-of-{key}")),
        client_secret: Some(sealed("v1.k.o.b")),
        scopes: vec!["all".to_owned()],
        callback: CallbackKind::Shared,
        config: Config { base_url: Some("https://else.example".to_owned()), ..Config::default() },
        nth,
        created_at: T0,
        updated_at: T0,
    }
}

pub(super) fn app(ws: &WorkspaceId, key: &str, provider: &str) -> OauthApp {
    OauthApp {
        id: OauthAppId::new(),
        workspace_id: ws.clone(),
        key: key.to_owned(),
        provider: provider.to_owned(),
        client_id: format!("app-{key}"),
        client_secret: Some(sealed("v1.k.p.b")),
        created_at: T0,
        updated_at: T0,
    }
}

#[tokio::test]
async fn options_are_kept_in_their_order_and_are_their_integrations_alone() {
    on_each(async |store| {
        let Scene { ws, other, integration: of, foreign } = scene(&store).await;
        let mut conn = begin(&store).await;
        let (second, first) = (option(&of, "b", 1), option(&of, "a", 0));
        for made in [&second, &first] {
            conn.create_auth_option(&ws, made).await.unwrap();
        }
        conn.create_auth_option(&other, &option(&foreign, "a", 0)).await.unwrap();
        conn.commit().await.unwrap();
        let mut conn = begin(&store).await;
        let keys: Vec<_> =
            conn.auth_options(&ws, &of.id).await.unwrap().into_iter().map(|it| it.key).collect();
        assert_eq!(keys, ["a", "b"]);
        let found = conn.auth_option(&ws, &of.id, "b").await.unwrap().unwrap();
        assert_eq!((found.id, found.title, found.config), (second.id.clone(), second.title, second.config));
        assert_eq!(
            (found.provider, found.client_id, found.client_secret, found.scopes, found.callback),
            (second.provider, second.client_id, second.client_secret, second.scopes, second.callback)
        );
        assert!(conn.auth_option(&ws, &of.id, "B").await.unwrap().is_none());
        assert!(conn.auth_option(&other, &of.id, "b").await.unwrap().is_none());
        assert!(conn.auth_options(&other, &of.id).await.unwrap().is_empty());
        assert_eq!(
            conn.integration(&ws, &of.id).await.unwrap().unwrap().version,
            of.version,
            "nothing ended"
        );
        conflict(conn.create_auth_option(&ws, &option(&of, "a", 3)).await);
    })
    .await;
}

#[tokio::test]
async fn an_integration_as_of_an_option_has_its_words_and_no_others() {
    on_each(async |store| {
        let Scene { ws, other, integration: of, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let made = option(&of, "key", 0);
        conn.create_auth_option(&ws, &made).await.unwrap();
        for own in [None, Some("")] {
            let found = conn.integration_as(&ws, &of.id, own).await.unwrap().unwrap();
            assert_eq!((found.provider, found.as_of), (of.provider.clone(), AsOf::default()));
        }
        let found = conn.integration_as(&ws, &of.id, Some("key")).await.unwrap().unwrap();
        assert_eq!(
            (found.id.clone(), found.name.clone(), found.version),
            (of.id.clone(), of.name, of.version)
        );
        assert_eq!(found.as_of, AsOf { option: Some(made.id.clone()), app: None });
        assert_eq!(found.callback_path(), "/oauth2/callback");
        let own = Integration { callback: CallbackKind::Own, ..found.clone() };
        assert_eq!(own.callback_path(), format!("/oauth2/callback/{}", made.id));
        assert_eq!((&found.provider, &found.client_id), (&made.provider, &made.client_id));
        assert_eq!((&found.client_secret, &found.scopes), (&made.client_secret, &made.scopes));
        assert_eq!(found.config, made.config, "nothing of the integration's endpoints stays");
        assert!(conn.update_integration(&ws, &found).await.is_err(), "it is read only");
        assert!(conn.integration_as(&ws, &of.id, Some("none")).await.unwrap().is_none());
        assert!(conn.integration_as(&other, &of.id, Some("key")).await.unwrap().is_none());
        assert!(conn.integration_as(&other, &of.id, None).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_change_of_an_option_ends_flows_and_keeps_a_secret_as_it_is_wrapped() {
    on_each(async |store| {
        let Scene { ws, other, integration: of, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let mut made = option(&of, "key", 0);
        conn.create_auth_option(&ws, &made).await.unwrap();
        made.client_secret = Some(sealed("v1.k2.other.b"));
        made.title = None;
        assert!(missing(conn.update_auth_option(&other, &made).await));
        conn.update_auth_option(&ws, &made).await.unwrap();
        let found = conn.auth_option(&ws, &of.id, "key").await.unwrap().unwrap();
        assert_eq!(
            (found.title, found.client_secret),
            (None, Some(sealed("v1.k.o.b"))),
            "the body is the same"
        );
        assert!(!conn.hold_integration(&ws, &of.id, of.version).await.unwrap());
        assert!(conn.hold_integration(&ws, &of.id, of.version + 1).await.unwrap());
        made.client_secret = Some(sealed("v1.k.n.new"));
        conn.update_auth_option(&ws, &made).await.unwrap();
        let found = conn.auth_option(&ws, &of.id, "key").await.unwrap().unwrap();
        assert_eq!(found.client_secret, made.client_secret);

        let used = Connection { auth_option: Some("key".to_owned()), ..connection(&ws, &of.id, None) };
        conn.create_connection(&ws, &used).await.unwrap();
        conn.create_connection(&ws, &connection(&ws, &of.id, None)).await.unwrap();
        let filter = |key: &str| crate::store::ConnectionFilter {
            auth_option: Some(key.to_owned()),
            ..Default::default()
        };
        let page = Page { offset: 0, limit: 9 };
        let by_it = conn.connections(&ws, &filter("key"), &page).await.unwrap();
        assert_eq!(by_it.iter().map(|it| &it.id).collect::<Vec<_>>(), [&used.id]);
        assert_eq!(conn.connections(&ws, &filter(""), &page).await.unwrap().len(), 1, "its own way");
        conflict(conn.delete_auth_option(&ws, &made).await);
        conn.delete_connection(&ws, &used.id).await.unwrap();
        assert!(!conn.delete_auth_option(&other, &made).await.unwrap());
        assert!(conn.delete_auth_option(&ws, &made).await.unwrap());
        assert!(!conn.delete_auth_option(&ws, &made).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_app_stands_in_for_the_client_of_whoever_names_it() {
    on_each(async |store| {
        let Scene { ws, other, integration: of, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let mut lent = app(&ws, "lent", "sandbox");
        conn.create_oauth_app(&ws, &lent).await.unwrap();
        let lending = Config { proxy_key: Some("lent".to_owned()), ..Config::default() };
        let own = Integration {
            client_id: None,
            client_secret: None,
            config: lending.clone(),
            ..integration(&ws, "p")
        };
        conn.create_integration(&ws, &own).await.unwrap();
        let blank =
            AuthOption { client_id: None, client_secret: None, config: lending, ..option(&of, "proxy", 0) };
        let by = AuthOption { provider: "sandbox".to_owned(), ..blank.clone() };
        let wrong = AuthOption { id: AuthOptionId::new(), key: "wrong".to_owned(), ..blank };
        for made in [&by, &wrong] {
            conn.create_auth_option(&ws, made).await.unwrap();
        }
        let found = conn.integration_as(&ws, &own.id, None).await.unwrap().unwrap();
        assert_eq!(found.as_of, AsOf { option: None, app: Some(lent.id.clone()) });
        assert_eq!(
            (&found.client_id, &found.client_secret),
            (&Some("app-lent".to_owned()), &lent.client_secret)
        );
        let found = conn.integration_as(&ws, &of.id, Some("proxy")).await.unwrap().unwrap();
        assert_eq!(found.as_of, AsOf { option: Some(by.id.clone()), app: Some(lent.id.clone()) });
        let found = conn.integration_as(&ws, &of.id, Some("wrong")).await.unwrap().unwrap();
        assert_eq!((found.client_id, found.as_of.app), (None, None), "it is an app of another provider");
        assert_eq!(conn.integration(&ws, &own.id).await.unwrap().unwrap().client_id, None, "never shown");

        let mut users = conn.integrations_of_app(&ws, "lent").await.unwrap();
        users.sort();
        let mut both = [of.id.clone(), own.id.clone()];
        both.sort();
        assert_eq!(users, both);
        assert!(conn.integrations_of_app(&other, "lent").await.unwrap().is_empty());
        assert!(conn.oauth_app(&other, "lent").await.unwrap().is_none());
        assert!(conn.oauth_apps(&other).await.unwrap().is_empty());
        assert_eq!(conn.oauth_apps(&ws).await.unwrap().len(), 1);
        let before = conn.integration(&ws, &of.id).await.unwrap().unwrap().version;
        lent.client_secret = Some(sealed("v1.k.q.new"));
        assert!(missing(conn.update_oauth_app(&other, &lent).await));
        conn.update_oauth_app(&ws, &lent).await.unwrap();
        assert_eq!(conn.oauth_app(&ws, "lent").await.unwrap().unwrap().client_secret, lent.client_secret);
        assert!(!conn.hold_integration(&ws, &own.id, own.version).await.unwrap(), "its flows end");
        assert!(!conn.hold_integration(&ws, &of.id, before).await.unwrap(), "and those of the option");
        conflict(conn.delete_oauth_app(&ws, &lent).await);
        for gone in [&by, &wrong] {
            assert!(conn.delete_auth_option(&ws, gone).await.unwrap());
        }
        assert!(conn.delete_integration(&ws, &own.id).await.unwrap());
        assert!(!conn.delete_oauth_app(&other, &lent).await.unwrap());
        assert!(conn.delete_oauth_app(&ws, &lent).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn connections_made_by_options_and_apps_share_grants_too() {
    on_each(async |store| {
        let Scene { ws, integration: of, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        let by = option(&of, "key", 0);
        let lent = app(&ws, "lent", "sandbox");
        let proxied = AuthOption {
            id: AuthOptionId::new(),
            key: "proxy".to_owned(),
            client_id: None,
            config: Config { proxy_key: Some("lent".to_owned()), ..Config::default() },
            ..by.clone()
        };
        for made in [&by, &proxied] {
            conn.create_auth_option(&ws, made).await.unwrap();
        }
        conn.create_oauth_app(&ws, &lent).await.unwrap();
        let of_way =
            |key: &str| Connection { auth_option: Some(key.to_owned()), ..connection(&ws, &of.id, None) };
        let asks = Connection { id: ConnectionId::new(), ..connection(&ws, &of.id, None) };
        for (key, client, want) in
            [("key", "client-of-key", vec!["elsewhere"]), ("proxy", "app-lent", vec!["elsewhere"])]
        {
            assert!(conn.any_providers_sharing(&asks, client, T0).await.unwrap().is_empty(), "{key}");
            conn.create_connection(&ws, &of_way(key)).await.unwrap();
            assert_eq!(conn.any_providers_sharing(&asks, client, T0).await.unwrap(), want, "{key}");
            let unknown = Connection { account: Account::default(), ..asks.clone() };
            assert_eq!(conn.any_providers_sharing(&unknown, client, T0).await.unwrap(), want, "{key}");
        }
        let own = of.client_id.as_deref().unwrap();
        assert!(
            conn.any_providers_sharing(&asks, own, T0).await.unwrap().is_empty(),
            "those are other clients"
        );
    })
    .await;
}
