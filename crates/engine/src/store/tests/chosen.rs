//! Connections chosen together, and those that are about to end.

use super::*;
use crate::{id::RevocationId, store::Choice};

async fn ids(conn: &mut Conn, ws: &WorkspaceId, choice: &Choice) -> Vec<String> {
    let found = conn.chosen_connections(ws, choice, None, 100).await.unwrap();
    found.into_iter().map(|it| it.id.to_string()).collect()
}

#[tokio::test]
async fn connections_are_chosen_by_what_they_have_in_common() {
    on_each(async |store| {
        let Scene { ws, other, integration: crm, foreign } = scene(&store).await;
        let mail = integration(&ws, "mail");
        let mut conn = begin(&store).await;
        conn.create_integration(&ws, &mail).await.unwrap();
        let plain = connection(&ws, &crm.id, Some("alice"));
        let users = Connection {
            owner: Owner { kind: OwnerKind::User, key: Some("alice".to_owned()) },
            created_at: later(100),
            ..connection(&ws, &mail.id, None)
        };
        let dead = Connection {
            status: Status::NeedsReauth,
            created_at: later(200),
            ..connection(&ws, &crm.id, Some("bob"))
        };
        let frozen = Connection { frozen_at: Some(later(1)), ..connection(&ws, &crm.id, None) };
        let theirs = connection(&other, &foreign.id, Some("alice"));
        let mut all = [&plain, &users, &dead, &frozen];
        for one in all {
            conn.create_connection(&ws, one).await.unwrap();
        }
        conn.create_connection(&other, &theirs).await.unwrap();
        conn.note_used(&ws, &plain.id, later(1000)).await.unwrap();
        conn.note_used(&ws, &users.id, later(2000)).await.unwrap();

        all.sort_by_key(|it| it.id.to_string());
        let any = Choice::default();
        assert_eq!(ids(&mut conn, &ws, &any).await, all.map(|it| it.id.to_string()));
        let first = conn.chosen_connections(&ws, &any, None, 3).await.unwrap();
        let rest = conn.chosen_connections(&ws, &any, Some(&first[2].id), 3).await.unwrap();
        assert_eq!((first.len(), rest.len(), &rest[0].id), (3, 1, &all[3].id));

        let of = |them: &[&Connection]| {
            let mut ids: Vec<_> = them.iter().map(|it| it.id.to_string()).collect();
            ids.sort();
            ids
        };
        let alice = || Some("alice".to_owned());
        for (choice, expected) in [
            (Choice { integration_id: Some(crm.id.clone()), ..any.clone() }, of(&[&plain, &dead, &frozen])),
            (Choice { owner_kind: Some(OwnerKind::User), ..any.clone() }, of(&[&users])),
            (Choice { owner_key: alice(), ..any.clone() }, of(&[&plain, &users])),
            (
                Choice { owner_kind: Some(OwnerKind::External), owner_key: alice(), ..any.clone() },
                of(&[&plain]),
            ),
            (Choice { status: Some(Status::NeedsReauth), ..any.clone() }, of(&[&dead])),
            (Choice { frozen: Some(true), ..any.clone() }, of(&[&frozen])),
            (Choice { frozen: Some(false), ..any.clone() }, of(&[&plain, &users, &dead])),
            (Choice { created_from: Some(later(100)), ..any.clone() }, of(&[&users, &dead])),
            (Choice { created_until: Some(later(100)), ..any.clone() }, of(&[&plain, &frozen])),
            (Choice { used_from: Some(later(2000)), ..any.clone() }, of(&[&users])),
            (Choice { used_until: Some(later(1001)), ..any.clone() }, of(&[&plain, &dead, &frozen])),
            (Choice { used_until: Some(later(200)), ..any.clone() }, of(&[&frozen])),
        ] {
            assert_eq!(ids(&mut conn, &ws, &choice).await, expected, "{choice:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn one_that_is_about_to_end_keeps_no_grant_alive_until_it_is_wanted_again() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (one, two) = (connection(&ws, &integration.id, None), connection(&ws, &integration.id, None));
        let mut conn = begin(&store).await;
        for it in [&one, &two] {
            conn.create_connection(&ws, it).await.unwrap();
        }
        let client = integration.client_id.clone().unwrap();
        let shares =
            async |conn: &mut Conn| !conn.any_providers_sharing(&one, &client, T0).await.unwrap().is_empty();
        let later_shares = async |conn: &mut Conn| {
            !conn.any_providers_sharing(&one, &client, later(1)).await.unwrap().is_empty()
        };
        assert!(shares(&mut conn).await);
        assert!(!conn.mark_ending(&other, &two.id).await.unwrap());
        assert!(shares(&mut conn).await);
        assert!(conn.mark_ending(&ws, &two.id).await.unwrap());
        assert!(!shares(&mut conn).await);
        assert!(later_shares(&mut conn).await, "who marked it died over it");
        conn.unmark_ending(&other, &two.id).await.unwrap();
        assert!(!shares(&mut conn).await);
        conn.unmark_ending(&ws, &two.id).await.unwrap();
        assert!(shares(&mut conn).await, "it did not end");
        conn.mark_ending(&ws, &two.id).await.unwrap();
        conn.authorize_connection(&ws, &two).await.unwrap();
        assert!(shares(&mut conn).await, "its owner wants it");
        conn.mark_ending(&ws, &two.id).await.unwrap();
        assert!(conn.freeze_connection(&ws, &two.id, Some(T0)).await.unwrap());
        assert!(!shares(&mut conn).await, "to freeze it changes nothing");
        assert!(!later_shares(&mut conn).await, "it is stopped, however long it waits for its end");
        conn.unmark_ending(&ws, &two.id).await.unwrap();
        assert!(!shares(&mut conn).await, "another run is to end it");
        assert!(conn.freeze_connection(&ws, &two.id, None).await.unwrap());
        assert!(shares(&mut conn).await, "an operator wants it");
    })
    .await;
}

#[tokio::test]
async fn what_last_became_of_a_connections_grant_is_found() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (of, bystander) = (ConnectionId::new(), ConnectionId::new());
        let mut conn = begin(&store).await;
        assert!(conn.revocation_of(&ws, &of).await.unwrap().is_none());
        for (id, outcome, at) in [(&of, "failed", 2), (&of, "skipped", 1), (&bystander, "revoked", 3)] {
            let row = RevocationId::new();
            conn.create_revocation(&ws, &row, id, &integration.id, outcome, "why", later(at)).await.unwrap();
        }
        let found = conn.revocation_of(&ws, &of).await.unwrap().unwrap();
        assert_eq!((found.outcome.as_str(), found.detail.as_str(), found.at), ("failed", "why", later(2)));
        assert!(conn.revocation_of(&other, &of).await.unwrap().is_none());
    })
    .await;
}
