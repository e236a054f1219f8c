//! Connections of users: at most one per user and integration, and one for all of a shared integration.

use super::*;
use crate::{
    domain::{
        share::{Level, Principal},
        team::Team,
        user::User,
    },
    id::UserId,
    store::{Kind, Viewer},
};

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

#[tokio::test]
async fn authorizing_anew_puts_all_but_whose_it_is_and_since_when() {
    on_each(async |store| {
        let Scene { ws, other, integration: mine, .. } = scene(&store).await;
        let made = of(&ws, &mine.id, Mode::PerUser, "alice");
        let mut conn = begin(&store).await;
        conn.create_connection(&ws, &made).await.unwrap();
        conn.set_connection_status(&ws, &made.id, Status::NeedsReauth, Some("gone"), T0).await.unwrap();
        conn.freeze_connection(&ws, &made.id, Some(later(1))).await.unwrap();
        let anew = Connection {
            scopes_asked: vec!["a".to_owned()],
            scopes_granted: vec!["b".to_owned()],
            account: Account {
                id: Some("acct-9".to_owned()),
                name: None,
                email: Some("e@x.test".to_owned()),
            },
            inputs: BTreeMap::new(),
            refreshed_at: Some(later(5)),
            expires_at: None,
            authorized_at: later(6),
            updated_at: later(7),
            // Not for it to change:
            owner: Owner::member(Mode::PerUser, "mallory"),
            frozen_at: None,
            created_at: later(8),
            ..made.clone()
        };
        assert!(missing(conn.authorize_connection(&other, &anew).await));
        conn.authorize_connection(&ws, &anew).await.unwrap();
        conn.commit().await.unwrap();
        let is = read(&store).await.connection(&ws, &made.id).await.unwrap().unwrap();
        assert_eq!((is.status, is.status_reason), (Status::Active, None));
        assert_eq!((is.scopes_asked, is.scopes_granted), (anew.scopes_asked, anew.scopes_granted));
        assert_eq!((is.account, is.inputs), (anew.account, anew.inputs));
        assert_eq!((is.refreshed_at, is.expires_at), (anew.refreshed_at, None));
        assert_eq!((is.authorized_at, is.updated_at), (anew.authorized_at, anew.updated_at));
        assert_eq!((is.owner, is.created_at), (made.owner, T0));
        assert_eq!(is.frozen_at, Some(later(1)), "an operator's freeze stays");
        let audit = audited(&store, &ws).await;
        assert_eq!(audit.last(), Some(&format!("connection.authorize {}", made.id)));
    })
    .await;
}

#[tokio::test]
async fn a_users_list_holds_what_it_may_use_and_sees() {
    on_each(async |store| {
        let Scene { ws, other, integration: mine, foreign } = scene(&store).await;
        let user = |name: &str| User {
            id: UserId::new(),
            workspace_id: ws.clone(),
            username: name.to_owned(),
            display_name: None,
            email: None,
            password_hash: None,
            superuser: false,
            permissions: Vec::new(),
            disabled_at: None,
            created_at: T0,
            updated_at: T0,
        };
        let (alice, bob, carol) = (user("alice"), user("bob"), user("carol"));
        let at = |key: &str, mode, owner| Integration { mode, owner, ..integration(&ws, key) };
        let owned = at("owned", Mode::PerUser, Some(Principal::User(alice.id.clone())));
        let team = at("team", Mode::Shared, Some(Principal::Team("ops".to_owned())));
        let unseen = at("unseen", Mode::Shared, None);
        let turned = at("turned", Mode::Shared, Some(Principal::User(alice.id.clone())));
        let mut conn = begin(&store).await;
        for one in [&alice, &bob, &carol] {
            conn.create_user(&ws, one).await.unwrap();
        }
        let ops = Team {
            workspace_id: ws.clone(),
            id: "ops".to_owned(),
            name: "Ops".to_owned(),
            created_at: T0,
            updated_at: T0,
        };
        conn.create_team(&ws, &ops).await.unwrap();
        conn.add_team_member(&ws, "ops", &bob.id).await.unwrap();
        for one in [&owned, &team, &unseen, &turned] {
            conn.create_integration(&ws, one).await.unwrap();
        }
        conn.set_share(&ws, &mine.id, &Principal::User(alice.id.clone()), Level::Use).await.unwrap();
        conn.set_share(&ws, &team.id, &Principal::User(alice.id.clone()), Level::Use).await.unwrap();
        conn.set_share(&ws, &mine.id, &Principal::Team("ops".to_owned()), Level::Use).await.unwrap();
        let mut made = Vec::new();
        for (n, (integration, mode, name)) in (0..).zip([
            (&mine, Mode::PerUser, "alice"),
            (&mine, Mode::PerUser, "bob"),
            (&owned, Mode::PerUser, "alice"),
            (&owned, Mode::PerUser, "bob"),
            (&team, Mode::Shared, "carol"),
            (&unseen, Mode::Shared, "carol"),
            // Of before its integration became a shared one.
            (&turned, Mode::PerUser, "alice"),
        ]) {
            let one = Connection { created_at: later(n), ..of(&ws, &integration.id, mode, name) };
            conn.create_connection(&ws, &one).await.unwrap();
            made.push(one.id);
        }
        conn.create_connection(&ws, &connection(&ws, &mine.id, Some("alice"))).await.unwrap();
        let theirs = of(&other, &foreign.id, Mode::PerUser, "alice");
        conn.create_connection(&other, &theirs).await.unwrap();
        conn.commit().await.unwrap();

        let mut conn = read(&store).await;
        let everything = |username| Viewer { username, sees_as: None };
        fn sees(user: &User) -> Viewer<'_> {
            Viewer { username: &user.username, sees_as: Some(&user.id) }
        }
        for (viewer, want) in [
            (sees(&alice), vec![4, 2, 0]),
            (sees(&bob), vec![4, 1]),
            (sees(&carol), vec![]),
            (everything("bob"), vec![5, 4, 3, 1]),
            (everything("nobody"), vec![5, 4]),
            (everything("bob\0"), vec![5, 4]),
        ] {
            let found = conn.connections_for(&ws, &viewer, &ALL).await.unwrap();
            let ids: Vec<_> = found.iter().map(|one| &one.connection.id).collect();
            assert_eq!(ids, want.iter().map(|n: &usize| &made[*n]).collect::<Vec<_>>(), "{viewer:?}");
            assert_eq!(conn.count_connections_for(&ws, &viewer).await.unwrap(), want.len() as i64);
            let page = Page { offset: 1, limit: 1 };
            let second = conn.connections_for(&ws, &viewer, &page).await.unwrap();
            assert_eq!(second.first().map(|one| &one.connection.id), ids.get(1).copied());
        }
        let found = conn.connections_for(&ws, &sees(&alice), &ALL).await.unwrap();
        assert_eq!((found[0].name.as_str(), found[0].provider.as_str()), ("Sandbox ÄÖ", "sandbox"));
        let elsewhere = conn.connections_for(&other, &sees(&alice), &ALL).await.unwrap();
        assert!(elsewhere.is_empty(), "she is nobody there");
    })
    .await;
}

#[tokio::test]
async fn a_users_list_is_found_by_the_indexes_of_their_kinds() {
    use crate::store::connection_list::LISTED;
    on_each(async |store| {
        if store.kind() == Kind::Postgres {
            return; // What it does depends on how many there are; here there are none.
        }
        let texts = ["w", "alice", "user:u", "u"].map(Some);
        let plan = super::connections::explain(&store, LISTED, &texts, &[30, 0]).await;
        let by = ["owner_kind=? AND owner_key=?", "(workspace_id=? AND owner_kind=?)"];
        assert!(by.iter().all(|by| plan.contains(by)), "{plan}");
        assert!(!plan.contains("SCAN connection") && !plan.contains("SCAN i"), "{plan}");
    })
    .await;
}
