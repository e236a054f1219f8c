//! Made-up connections, written many at a time.

use super::*;
use crate::domain::credential::Credential;

fn made(ws: &WorkspaceId, at: &IntegrationId, number: usize) -> (Connection, Credential) {
    let made = Connection { name: Some(format!("Name {number}")), ..connection(ws, at, None) };
    let made = Connection {
        owner: Owner { kind: OwnerKind::External, key: Some(format!("seed-{number:08}")) },
        ..made
    };
    let kept = credential(&made, 1);
    (made, kept)
}

#[tokio::test]
async fn many_at_a_time_are_each_as_one_alone() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let all: Vec<_> = (0..203).map(|number| made(&ws, &integration.id, number)).collect();
        let mut conn = begin(&store).await;
        let before = conn.any_last_change().await.unwrap();
        conn.create_connections(&ws, &integration.id, &all).await.unwrap();
        conn.any_measure_connections().await.unwrap();
        conn.commit().await.unwrap();

        let mut conn = read(&store).await;
        for (made, kept) in [&all[0], &all[99], &all[100], &all[202]] {
            let found = conn.connection(&ws, &made.id).await.unwrap().unwrap();
            assert_eq!((&found.owner, &found.account, &found.name), (&made.owner, &made.account, &made.name));
            assert_eq!((found.created_at, found.expires_at), (made.created_at, made.expires_at));
            let found = conn.credential(&ws, &made.id).await.unwrap().unwrap();
            assert_eq!(found.sealed.as_str(), kept.sealed.as_str());
            assert_eq!((found.version, found.obtained_at), (kept.version, kept.obtained_at));
        }
        assert_eq!(conn.any_seeded_connections().await.unwrap(), 203);
        let told = conn.any_last_change().await.unwrap() - before;
        assert_eq!(told, 1, "the change log hears of the integration, once");
        assert!(!conn.any_real_connection().await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_was_not_made_up_is_known_by_its_owner() {
    on_each(async |store| {
        let Scene { ws, integration, .. } = scene(&store).await;
        let of = |kind, key: Option<&str>| Owner { kind, key: key.map(str::to_owned) };
        for owner in [
            of(OwnerKind::External, None),
            of(OwnerKind::External, Some("seedling")),
            of(OwnerKind::User, Some("seed-00000001")),
        ] {
            let mut conn = begin(&store).await;
            let real = Connection { owner, ..connection(&ws, &integration.id, None) };
            conn.create_connection(&ws, &real).await.unwrap();
            assert!(conn.any_real_connection().await.unwrap(), "{:?}", real.owner);
            assert_eq!(conn.any_seeded_connections().await.unwrap(), 0);
        }
    })
    .await;
}
