//! Workspaces, redirect URIs, API keys, integrations.

use super::*;
use crate::domain::icon::Icon;

#[tokio::test]
async fn a_workspace_reads_back() {
    on_each(async |store| {
        let mut ws = workspace("Ünïcode 🔑");
        ws.settings.allowed_origins = vec!["https://app.example".to_owned()];
        let mut conn = begin(&store).await;
        conn.create_workspace(&ws).await.unwrap();
        let same = Workspace { id: WorkspaceId::new(), ..ws.clone() };
        conn.commit().await.unwrap();
        let message = conflict(begin(&store).await.create_workspace(&same).await);
        assert_eq!(message, "a workspace with this client id already exists");

        let settings = Settings { completion: Completion::Server, ..ws.settings.clone() };
        let mut conn = begin(&store).await;
        conn.update_workspace(&ws.id, "new\0 name", &settings).await.unwrap();
        conn.set_jwt_secret(&ws.id, &sealed("v1.jwt")).await.unwrap();
        assert!(missing(conn.update_workspace(&WorkspaceId::new(), "x", &settings).await));
        assert!(missing(conn.set_jwt_secret(&WorkspaceId::new(), &sealed("x")).await));
        conn.commit().await.unwrap();

        let mut conn = read(&store).await;
        let found = conn.any_workspace_by_client_id(&ws.client_id).await.unwrap().unwrap();
        assert_eq!((found.id.clone(), found.name.as_str()), (ws.id.clone(), "new name"));
        assert_eq!((found.settings, found.jwt_secret), (settings, Some(sealed("v1.jwt"))));
        assert!(conn.any_workspace_by_client_id("nobody").await.unwrap().is_none());
        assert!(conn.any_workspace_by_client_id(&format!("{}\0", ws.client_id)).await.unwrap().is_none());
        assert!(conn.workspace(&WorkspaceId::new()).await.unwrap().is_none());
        assert_eq!(conn.any_workspaces().await.unwrap().len(), 1);
        drop(conn);
        let id = &ws.id;
        assert_eq!(
            audited(&store, id).await,
            [
                format!("workspace.create {id}"),
                format!("workspace.update {id}"),
                format!("workspace.jwt_secret {id}")
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_workspace_goes_with_all_that_is_its_own() {
    on_each(async |store| {
        let scene = scene(&store).await;
        let held = connection(&scene.ws, &scene.integration.id, None);
        let mut conn = begin(&store).await;
        conn.create_connection(&scene.ws, &held).await.unwrap();
        conn.commit().await.unwrap();
        let message = conflict(begin(&store).await.delete_workspace(&scene.ws).await);
        assert!(message.contains("still has connections"), "{message}");
        let mut conn = begin(&store).await;
        assert!(conn.delete_connection(&scene.ws, &held.id).await.unwrap());
        assert!(conn.delete_workspace(&scene.ws).await.unwrap());
        assert!(!conn.delete_workspace(&scene.ws).await.unwrap());
        conn.commit().await.unwrap();
        let mut conn = read(&store).await;
        assert!(conn.workspace(&scene.ws).await.unwrap().is_none());
        assert!(conn.integration(&scene.ws, &scene.integration.id).await.unwrap().is_none());
        assert!(conn.integration(&scene.other, &scene.foreign.id).await.unwrap().is_some());
        drop(conn);
        assert!(audited(&store, &scene.ws).await.contains(&format!("workspace.delete {}", scene.ws)));
    })
    .await;
}

#[tokio::test]
async fn redirect_uris_match_exactly_and_by_workspace() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let uri = "https://app.example/done?x=1";
        let mut conn = begin(&store).await;
        conn.add_redirect_uri(&ws, uri).await.unwrap();
        conn.commit().await.unwrap();
        let message = conflict(begin(&store).await.add_redirect_uri(&ws, uri).await);
        assert_eq!(message, "this redirect URI is already registered");

        let mut conn = read(&store).await;
        assert!(conn.has_redirect_uri(&ws, uri).await.unwrap());
        assert!(!conn.has_redirect_uri(&other, uri).await.unwrap());
        for near in [
            "https://app.example/done",
            "https://app.example/done?x=1\0",
            "https://app.example/done?x=1 ",
            "https://APP.example/done?x=1",
            "https://app.example/done?x=%31",
            "",
        ] {
            assert!(!conn.has_redirect_uri(&ws, near).await.unwrap(), "{near:?}");
        }
        assert_eq!(conn.redirect_uris(&ws).await.unwrap(), [uri]);
        assert!(conn.redirect_uris(&other).await.unwrap().is_empty());
        drop(conn);

        let mut conn = begin(&store).await;
        assert!(!conn.remove_redirect_uri(&other, uri).await.unwrap());
        assert!(conn.remove_redirect_uri(&ws, uri).await.unwrap());
        assert!(!conn.remove_redirect_uri(&ws, uri).await.unwrap());
        conn.commit().await.unwrap();
        assert!(!read(&store).await.has_redirect_uri(&ws, uri).await.unwrap());
        let audit = audited(&store, &ws).await;
        let expected = [format!("redirect_uri.create {uri}"), format!("redirect_uri.delete {uri}")];
        assert_eq!(audit[audit.len() - 2..], expected);
    })
    .await;
}

#[tokio::test]
async fn api_keys_are_found_used_and_revoked() {
    on_each(async |store| {
        let Scene { ws, other, integration, foreign } = scene(&store).await;
        let mut key = api_key(&ws, "ck_AAAAAAAA");
        key.integration_id = Some(integration.id.clone());
        let twin = api_key(&other, "ck_AAAAAAAA");
        let mut conn = begin(&store).await;
        conn.create_api_key(&ws, &key).await.unwrap();
        conn.create_api_key(&other, &twin).await.unwrap();
        conn.commit().await.unwrap();
        // A key of one workspace can't be limited to an integration of another.
        let crossed = ApiKey { integration_id: Some(foreign.id.clone()), ..api_key(&ws, "ck_B") };
        conflict(begin(&store).await.create_api_key(&ws, &crossed).await);

        let mut conn = begin(&store).await;
        let found = conn.any_api_key_by_prefix("ck_AAAAAAAA").await.unwrap();
        assert_eq!(found.len(), 2);
        assert!(conn.any_api_key_by_prefix("ck_BBBBBBBB").await.unwrap().is_empty());
        let mine = conn.api_keys(&ws).await.unwrap();
        assert_eq!(mine.len(), 1);
        assert_eq!((&mine[0].id, &mine[0].hash, &mine[0].scopes), (&key.id, &key.hash, &key.scopes));
        assert_eq!(
            (mine[0].integration_id.as_ref(), mine[0].expires_at),
            (Some(&integration.id), key.expires_at)
        );

        for (at, kept) in [(0, 0), (59, 0), (61, 61)] {
            conn.touch_api_key(&ws, &key.id, later(at)).await.unwrap();
            conn.touch_api_key(&other, &key.id, later(at + 1000)).await.unwrap();
            assert_eq!(conn.api_keys(&ws).await.unwrap()[0].last_used_at, Some(later(kept)));
        }
        assert!(!conn.set_api_key_scopes(&other, &key.id, &[Scope::ReadOnly]).await.unwrap());
        assert!(conn.set_api_key_scopes(&ws, &key.id, &[Scope::ReadOnly]).await.unwrap());
        assert_eq!(conn.any_api_key_by_prefix(&key.prefix).await.unwrap()[0].scopes, [Scope::ReadOnly]);
        assert!(!conn.revoke_api_key(&other, &key.id, later(9)).await.unwrap());
        assert!(conn.revoke_api_key(&ws, &key.id, later(10)).await.unwrap());
        assert!(!conn.revoke_api_key(&ws, &key.id, later(11)).await.unwrap());
        assert!(!conn.set_api_key_scopes(&ws, &key.id, &[Scope::Proxy]).await.unwrap());
        assert_eq!(conn.api_keys(&ws).await.unwrap()[0].revoked_at, Some(later(10)));
        conn.commit().await.unwrap();
        let audit = audited(&store, &ws).await;
        let expected = ["create", "update", "revoke"].map(|verb| format!("api_key.{verb} {}", key.id));
        assert_eq!(audit[audit.len() - 3..], expected);
    })
    .await;
}

#[tokio::test]
async fn integrations_are_found_by_id_and_key_in_their_workspace() {
    on_each(async |store| {
        let Scene { ws, other, integration: mine, foreign } = scene(&store).await;
        let message = conflict(begin(&store).await.create_integration(&ws, &integration(&ws, "crm")).await);
        assert_eq!(message, "an integration with this key already exists");

        let mut conn = read(&store).await;
        let found = conn.integration(&ws, &mine.id).await.unwrap().unwrap();
        assert_eq!((&found.key, &found.name, &found.config), (&mine.key, &mine.name, &mine.config));
        assert_eq!((found.mode, found.callback, &found.scopes), (mine.mode, mine.callback, &mine.scopes));
        assert_eq!((&found.client_id, &found.client_secret), (&mine.client_id, &mine.client_secret));
        assert!(conn.integration(&ws, &foreign.id).await.unwrap().is_none());
        let by_key = conn.integration_by_selector(&ws, "crm").await.unwrap().unwrap();
        let by_id = conn.integration_by_selector(&ws, mine.id.as_str()).await.unwrap().unwrap();
        assert!(by_key.id == mine.id && by_id.id == mine.id);
        let by_other = conn.integration_by_selector(&other, "crm").await.unwrap().unwrap();
        assert_eq!(by_other.id, foreign.id);
        for wrong in [foreign.id.as_str(), "CRM", "crm\0", "", "nothing"] {
            assert!(conn.integration_by_selector(&ws, wrong).await.unwrap().is_none(), "{wrong:?}");
        }
        drop(conn);

        // A key that looks like another integration's id does not hide it.
        let mut conn = begin(&store).await;
        conn.create_integration(&ws, &integration(&ws, mine.id.as_str())).await.unwrap();
        assert_eq!(conn.integration_by_selector(&ws, mine.id.as_str()).await.unwrap().unwrap().id, mine.id);
        assert_eq!(conn.integrations(&ws, &ALL).await.unwrap().len(), 2);
        assert_eq!(conn.integrations(&ws, &Page { offset: 1, limit: 5 }).await.unwrap().len(), 1);
        assert_eq!(conn.integrations(&ws, &Page { offset: 0, limit: 1 }).await.unwrap().len(), 1);
        assert_eq!(conn.integrations(&other, &ALL).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn integrations_change_by_version_and_go_when_unused() {
    on_each(async |store| {
        let Scene { ws, other, integration: mine, .. } = scene(&store).await;
        let changed = Integration { name: "New".to_owned(), disabled_at: Some(T0), ..mine.clone() };
        let mut conn = store.begin(Actor::Cli, later(7)).await.unwrap();
        assert_eq!(conn.update_integration(&ws, &changed).await.unwrap(), 2);
        let found = conn.integration(&ws, &mine.id).await.unwrap().unwrap();
        assert_eq!((found.version, found.name.as_str(), found.updated_at), (2, "New", later(7)));
        assert_eq!((found.disabled_at, found.created_at), (Some(T0), T0));
        assert!(conflict(conn.update_integration(&ws, &changed).await).contains("meanwhile"));
        let current = Integration { version: 2, ..changed.clone() };
        assert!(missing(conn.update_integration(&other, &current).await));
        assert!(!conn.hold_integration(&ws, &mine.id, 2).await.unwrap(), "it is switched off");
        let enabled = Integration { disabled_at: None, ..current.clone() };
        assert_eq!(conn.update_integration(&ws, &enabled).await.unwrap(), 3);
        for (whose, version, held) in [(&ws, 3, true), (&ws, 2, false), (&other, 3, false)] {
            assert_eq!(conn.hold_integration(whose, &mine.id, version).await.unwrap(), held);
        }
        let limited = ApiKey { integration_id: Some(mine.id.clone()), ..api_key(&ws, "ck_C") };
        let held = connection(&ws, &mine.id, None);
        conn.create_api_key(&ws, &limited).await.unwrap();
        conn.create_flow(&ws, &flow(&mine, later(60))).await.unwrap();
        conn.create_connection(&ws, &held).await.unwrap();
        conn.commit().await.unwrap();

        let message = conflict(begin(&store).await.delete_integration(&ws, &mine.id).await);
        assert_eq!(message, "the integration still has connections");
        let mut conn = begin(&store).await;
        assert!(!conn.delete_integration(&other, &mine.id).await.unwrap());
        conn.delete_connection(&ws, &held.id).await.unwrap();
        assert!(conn.delete_integration(&ws, &mine.id).await.unwrap());
        assert!(!conn.delete_integration(&ws, &mine.id).await.unwrap());
        assert!(conn.api_keys(&ws).await.unwrap().is_empty());
        conn.commit().await.unwrap();
        let audit = audited(&store, &ws).await;
        for (verb, times) in [("create", 1), ("update", 2), ("delete", 1)] {
            assert_eq!(
                audit.iter().filter(|row| **row == format!("integration.{verb} {}", mine.id)).count(),
                times,
                "{audit:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_logo_is_one_workspaces() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let logo = Icon {
            media_type: "image/png".into(),
            body: vec![0, 255, 7],
            hash: "a".repeat(64),
            updated_at: T0,
        };
        let mut conn = begin(&store).await;
        assert_eq!((conn.logo(&ws).await.unwrap(), conn.logo_hash(&ws).await.unwrap()), (None, None));
        assert!(!conn.delete_logo(&ws).await.unwrap());
        conn.set_logo(&ws, &logo).await.unwrap();
        let next = Icon { body: vec![1], hash: "b".repeat(64), updated_at: later(1), ..logo };
        conn.set_logo(&ws, &next).await.unwrap();
        assert_eq!(conn.logo_hash(&ws).await.unwrap(), Some(next.hash.clone()));
        assert_eq!(conn.logo(&ws).await.unwrap(), Some(next.clone()));
        assert_eq!((conn.logo(&other).await.unwrap(), conn.logo_hash(&other).await.unwrap()), (None, None));
        assert!(!conn.delete_logo(&other).await.unwrap());
        assert!(conn.delete_logo(&ws).await.unwrap());
        assert_eq!(conn.logo(&ws).await.unwrap(), None);
        conn.commit().await.unwrap();
        conflict(begin(&store).await.set_logo(&WorkspaceId::new(), &next).await);
    })
    .await;
}
