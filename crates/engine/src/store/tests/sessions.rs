//! Sessions, API tokens of users, and the hosts at which a workspace's users sign in.

use super::*;
use crate::{
    domain::{session::Session, token::UserToken, user::User},
    id::{TokenId, UserId},
    store::session::MOST,
};

fn user(ws: &WorkspaceId, name: &str) -> User {
    User {
        id: UserId::new(),
        workspace_id: ws.clone(),
        username: name.to_owned(),
        display_name: None,
        email: None,
        password_hash: Some("$argon2id$1".to_owned()),
        superuser: false,
        permissions: Vec::new(),
        disabled_at: None,
        created_at: T0,
        updated_at: T0,
    }
}

async fn users<const N: usize>(store: &Store, of: [(&WorkspaceId, &str); N]) -> [User; N] {
    let all = of.map(|(ws, name)| user(ws, name));
    let mut conn = begin(store).await;
    for one in &all {
        conn.create_user(&one.workspace_id, one).await.unwrap();
    }
    conn.commit().await.unwrap();
    all
}

fn session(of: &User, hash: &str, created_at: Millis) -> Session {
    Session {
        hash: hash.to_owned(),
        workspace_id: of.workspace_id.clone(),
        user_id: of.id.clone(),
        seen_at: created_at,
        ends_at: created_at.plus(std::time::Duration::from_secs(600)),
        created_at,
    }
}

#[tokio::test]
async fn a_session_is_found_in_its_workspace_and_ends_once() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let [alice, bob] = users(&store, [(&ws, "alice"), (&ws, "bob")]).await;
        let mut conn = begin(&store).await;
        conn.create_session(&ws, &session(&alice, "a", T0)).await.unwrap();
        conn.create_session(&ws, &session(&bob, "b", T0)).await.unwrap();
        let found = conn.session(&ws, "a").await.unwrap().unwrap();
        assert_eq!((&found.user_id, found.seen_at, found.ends_at), (&alice.id, T0, later(600)));
        for (at, hash) in [(&other, "a"), (&ws, "A"), (&ws, "a\0"), (&ws, "")] {
            assert!(conn.session(at, hash).await.unwrap().is_none(), "{hash:?}");
        }
        conn.touch_session(&other, "a", later(5)).await.unwrap();
        assert_eq!(conn.session(&ws, "a").await.unwrap().unwrap().seen_at, T0);
        conn.touch_session(&ws, "a", later(5)).await.unwrap();
        conn.touch_session(&ws, "a", later(4)).await.unwrap();
        assert_eq!(conn.session(&ws, "a").await.unwrap().unwrap().seen_at, later(5), "time does not go back");

        assert_eq!(conn.end_session(&other, "a").await.unwrap(), None);
        assert_eq!(conn.end_session(&ws, "a").await.unwrap(), Some(alice.id.clone()));
        assert_eq!(conn.end_session(&ws, "a").await.unwrap(), None);
        assert!(conn.session(&ws, "b").await.unwrap().is_some());
        conn.commit().await.unwrap();
        let expected = [
            format!("user.sign_in {}", alice.id),
            format!("user.sign_in {}", bob.id),
            format!("user.sign_out {}", alice.id),
        ];
        assert!(audited(&store, &ws).await.ends_with(&expected));
    })
    .await;
}

#[tokio::test]
async fn what_changes_about_a_user_ends_its_sessions_and_nobody_elses() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let [alice, bob, theirs] = users(&store, [(&ws, "alice"), (&ws, "bob"), (&other, "alice")]).await;
        let disabled = User { disabled_at: Some(T0), ..alice.clone() };
        for n in 0..5 {
            let mut conn = begin(&store).await;
            for (one, hash) in [(&alice, "a1"), (&alice, "a2"), (&bob, "b"), (&theirs, "t")] {
                conn.end_session(&one.workspace_id, hash).await.unwrap();
                conn.create_session(&one.workspace_id, &session(one, hash, T0)).await.unwrap();
            }
            let ends = match n {
                0 => conn.set_user_password(&ws, &alice.id, "$argon2id$2").await.map(|()| true),
                1 => conn.disable_user(&ws, &alice.id, Some(T0)).await.map(|()| true),
                2 => conn.disable_user(&ws, &alice.id, None).await.map(|()| false),
                3 => conn.update_user(&ws, &disabled).await.map(|()| true),
                _ => conn.update_user(&ws, &alice).await.map(|()| false),
            };
            let ends = ends.unwrap();
            for (at, hash, there) in
                [(&ws, "a1", !ends), (&ws, "a2", !ends), (&ws, "b", true), (&other, "t", true)]
            {
                assert_eq!(conn.session(at, hash).await.unwrap().is_some(), there, "{n} {hash}");
            }
            conn.commit().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_users_oldest_sessions_give_way() {
    on_each(async |store| {
        let Scene { ws, .. } = scene(&store).await;
        let [alice, bob] = users(&store, [(&ws, "alice"), (&ws, "bob")]).await;
        let mut conn = begin(&store).await;
        conn.create_session(&ws, &session(&bob, "b", T0)).await.unwrap();
        for n in 0..u64::try_from(MOST).unwrap() + 2 {
            conn.create_session(&ws, &session(&alice, &format!("a{n}"), later(n))).await.unwrap();
        }
        for (hash, there) in [("a0", false), ("a1", false), ("a2", true), ("a101", true), ("b", true)] {
            assert_eq!(conn.session(&ws, hash).await.unwrap().is_some(), there, "{hash}");
        }
        conn.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn sessions_that_are_over_are_removed_so_many_at_once() {
    on_each(async |store| {
        let Scene { ws, .. } = scene(&store).await;
        let [alice] = users(&store, [(&ws, "alice")]).await;
        let mut conn = begin(&store).await;
        for n in 0..4 {
            conn.create_session(&ws, &session(&alice, &format!("a{n}"), later(n))).await.unwrap();
        }
        assert_eq!(conn.any_purge_sessions(later(601), T0, 9).await.unwrap(), 1, "one has ended");
        assert_eq!(conn.any_purge_sessions(T0, later(2), 9).await.unwrap(), 1, "one was not used since");
        assert!(
            conn.session(&ws, "a0").await.unwrap().is_none()
                && conn.session(&ws, "a1").await.unwrap().is_none()
        );
        assert_eq!(conn.any_purge_sessions(T0, T0, 9).await.unwrap(), 0);
        assert_eq!(conn.any_purge_sessions(later(9999), T0, 1).await.unwrap(), 1);
        conn.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_held_user_is_as_it_is_now() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let [alice] = users(&store, [(&ws, "alice")]).await;
        let mut conn = begin(&store).await;
        assert!(conn.hold_user(&other, &alice.id).await.unwrap().is_none());
        conn.set_user_password(&ws, &alice.id, "$argon2id$2").await.unwrap();
        let held = conn.hold_user(&ws, &alice.id).await.unwrap().unwrap();
        assert_eq!((held.id, held.password_hash.as_deref()), (alice.id, Some("$argon2id$2")));
        conn.commit().await.unwrap();
    })
    .await;
}

fn token(of: &User, name: &str, at: Millis) -> UserToken {
    UserToken {
        id: TokenId::new(),
        workspace_id: of.workspace_id.clone(),
        user_id: of.id.clone(),
        kind: "personal".to_owned(),
        name: Some(name.to_owned()),
        prefix: "ut_12345678".to_owned(),
        hash: format!("hash of {name}"),
        read_only: name == "reads",
        expires_at: Some(later(600)),
        last_used_at: None,
        created_at: at,
    }
}

#[tokio::test]
async fn tokens_are_their_users_own() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let [alice, bob] = users(&store, [(&ws, "alice"), (&ws, "bob")]).await;
        let (reads, writes, bobs) =
            (token(&alice, "reads", T0), token(&alice, "writes", later(1)), token(&bob, "bob's", T0));
        let mut conn = begin(&store).await;
        for one in [&writes, &reads, &bobs] {
            conn.create_user_token(&ws, one).await.unwrap();
        }
        let ids = |tokens: Vec<UserToken>| tokens.into_iter().map(|token| token.id).collect::<Vec<_>>();
        let found = conn.any_user_tokens_by_prefix("ut_12345678").await.unwrap();
        assert_eq!(ids(found).len(), 3);
        assert!(conn.any_user_tokens_by_prefix("ut_12345679").await.unwrap().is_empty());
        let all = conn.user_tokens(&ws, &alice.id, &ALL).await.unwrap();
        assert_eq!((all[0].read_only, all[1].read_only), (true, false));
        assert_eq!((all[0].name.as_deref(), all[0].expires_at), (Some("reads"), Some(later(600))));
        assert_eq!(ids(all), [reads.id.clone(), writes.id.clone()]);
        let second = Page { offset: 1, limit: 1 };
        assert_eq!(
            ids(conn.user_tokens(&ws, &alice.id, &second).await.unwrap()),
            std::slice::from_ref(&writes.id)
        );
        assert_eq!(conn.count_user_tokens(&ws, &alice.id).await.unwrap(), 2);
        assert_eq!(conn.count_user_tokens(&other, &alice.id).await.unwrap(), 0);
        assert!(conn.user_token(&ws, &alice.id, &reads.id).await.unwrap().is_some());
        assert!(conn.user_token(&ws, &bob.id, &reads.id).await.unwrap().is_none());
        assert!(conn.user_token(&other, &alice.id, &reads.id).await.unwrap().is_none());

        for (at, want) in [(later(60), later(60)), (later(119), later(60)), (later(121), later(121))] {
            conn.touch_user_token(&ws, &reads.id, at).await.unwrap();
            let kept = conn.user_token(&ws, &alice.id, &reads.id).await.unwrap().unwrap();
            assert_eq!(kept.last_used_at, Some(want), "{at:?}");
        }
        assert!(!conn.delete_user_token(&ws, &bob.id, &reads.id).await.unwrap());
        assert!(!conn.delete_user_token(&other, &alice.id, &reads.id).await.unwrap());
        assert!(conn.delete_user_token(&ws, &alice.id, &reads.id).await.unwrap());
        assert!(!conn.delete_user_token(&ws, &alice.id, &reads.id).await.unwrap());
        conn.commit().await.unwrap();
        let expected = [format!("user_token.create {}", bobs.id), format!("user_token.delete {}", reads.id)];
        assert!(audited(&store, &ws).await.ends_with(&expected));
    })
    .await;
}

#[tokio::test]
async fn a_host_is_one_workspaces() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let origins = ["https://b.example.com:8443".to_owned(), "https://a.example.com".to_owned()];
        let mut conn = begin(&store).await;
        assert!(conn.set_workspace_hosts(&ws, &origins).await.unwrap());
        assert!(!conn.set_workspace_hosts(&ws, &[origins[1].clone(), origins[0].clone()]).await.unwrap());
        assert_eq!(conn.workspace_hosts(&ws).await.unwrap(), [origins[1].clone(), origins[0].clone()]);
        assert!(conn.workspace_hosts(&other).await.unwrap().is_empty());
        conn.commit().await.unwrap();

        let mut conn = begin(&store).await;
        let found = conn.any_workspace_host("b.example.com:8443").await.unwrap();
        assert_eq!(found, Some((ws.clone(), origins[0].clone())));
        for host in ["b.example.com", "B.example.com:8443", "https://a.example.com", "a.example.com\0", ""] {
            assert_eq!(conn.any_workspace_host(host).await.unwrap(), None, "{host:?}");
        }
        let taken = conn.set_workspace_hosts(&other, &["http://a.example.com".to_owned()]).await;
        assert!(
            conflict(taken).contains("a.example.com"),
            "one host is not two workspaces', by whatever scheme"
        );
        drop(conn);

        let mut conn = begin(&store).await;
        assert!(conn.set_workspace_hosts(&ws, &origins[..1]).await.unwrap());
        assert!(conn.set_workspace_hosts(&other, &origins[1..]).await.unwrap());
        assert_eq!(
            conn.any_workspace_host("a.example.com").await.unwrap().map(|(ws, _)| ws),
            Some(other.clone())
        );
        assert!(conn.any_only_workspace().await.unwrap().is_none(), "there are two");
    })
    .await;
}

#[tokio::test]
async fn the_only_workspace_is_known_by_being_alone() {
    on_each(async |store| {
        assert!(read(&store).await.any_only_workspace().await.unwrap().is_none());
        let mut conn = begin(&store).await;
        let only = workspace("only");
        conn.create_workspace(&only).await.unwrap();
        assert_eq!(conn.any_only_workspace().await.unwrap().unwrap().id, only.id);
        conn.create_workspace(&workspace("second")).await.unwrap();
        assert!(conn.any_only_workspace().await.unwrap().is_none());
        conn.commit().await.unwrap();
    })
    .await;
}
