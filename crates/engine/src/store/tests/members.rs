//! Connections of users: at most one per user and integration, and one for all of a shared integration.

use super::*;
use crate::store::Kind;

fn of(ws: &WorkspaceId, integration: &IntegrationId, mode: Mode, username: &str) -> Connection {
    Connection { owner: Owner::member(mode, username), ..connection(ws, integration, None) }
}

#[tokio::test]
async fn a_users_connection_and_the_shared_one_are_found_by_integration() {
    on_each(async |store| {
        let Scene { ws, other, integration: mine, foreign } = scene(&store).await;
        let second = Integration { mode: Mode::Shared, ..integration(&ws, "second") };
        let alice = of(&ws, &mine.id, Mode::PerUser, "alice");
        let bob = of(&ws, &mine.id, Mode::PerUser, "bob");
        let shared = of(&ws, &second.id, Mode::Shared, "alice");
        let theirs = of(&other, &foreign.id, Mode::PerUser, "alice");
        let mut conn = begin(&store).await;
        conn.create_integration(&ws, &second).await.unwrap();
        for made in [&alice, &bob, &shared, &theirs, &connection(&ws, &mine.id, Some("alice"))] {
            conn.create_connection(&made.workspace_id, made).await.unwrap();
        }
        conn.commit().await.unwrap();

        let mut conn = read(&store).await;
        let (user, all) =
            (|name| Owner::member(Mode::PerUser, name), |name| Owner::member(Mode::Shared, name));
        let nameless = Owner { kind: OwnerKind::Shared, key: None };
        let external = Owner { kind: OwnerKind::External, key: Some("alice".to_owned()) };
        for (ws, at, owner, want) in [
            (&ws, &mine, user("alice"), Some(&alice)),
            (&ws, &mine, user("bob"), Some(&bob)),
            (&ws, &mine, user("carol"), None),
            (&ws, &mine, user("alice\0"), None),
            (&ws, &mine, all("alice"), None),
            (&ws, &mine, external, None),
            (&ws, &second, user("alice"), None),
            (&ws, &second, all("bob"), Some(&shared)),
            (&ws, &second, nameless, Some(&shared)),
            (&ws, &foreign, user("alice"), None),
            (&other, &mine, user("alice"), None),
            (&other, &foreign, user("alice"), Some(&theirs)),
        ] {
            let found = conn.connection_of(ws, &at.id, &owner).await.unwrap().map(|found| found.id);
            assert_eq!(found.as_ref(), want.map(|want| &want.id), "{owner:?}");
        }
        drop(conn);
        for twin in [of(&ws, &mine.id, Mode::PerUser, "alice"), of(&ws, &second.id, Mode::Shared, "bob")] {
            conflict(begin(&store).await.create_connection(&ws, &twin).await);
        }
    })
    .await;
}

#[tokio::test]
async fn they_are_found_by_the_index_that_keeps_them_single() {
    use crate::store::connection::{OF_USER, SHARED};
    on_each(async |store| {
        let texts = [Some("w"), Some("i"), Some("k")];
        for (query, texts, index) in
            [(OF_USER, &texts[..], "connection_of_user"), (SHARED, &texts[..2], "connection_shared")]
        {
            let plan = super::connections::explain(&store, query, texts, &[]).await;
            let whole = match store.kind() {
                Kind::Sqlite => plan.contains("integration_id=?"),
                Kind::Postgres => plan.contains("integration_id ="),
            };
            assert!(plan.contains(index) && whole, "{plan}");
        }
    })
    .await;
}
