//! Shares, owners and icons of integrations.

use super::{
    teams::{team, user},
    *,
};
use crate::{
    domain::{
        icon::Icon,
        share::{Level, Principal},
    },
    id::UserId,
};

#[tokio::test]
async fn a_share_is_written_once_per_principal_and_keeps_when_it_began() {
    on_each(async |store| {
        let Scene { ws, other, integration, foreign } = scene(&store).await;
        let (alice, bob) = (user(&ws, "alice"), user(&ws, "bob"));
        let (one, ops) = (Principal::User(alice.id.clone()), Principal::Team("ops".to_owned()));
        let id = &integration.id;
        let mut conn = begin(&store).await;
        for made in [&alice, &bob] {
            conn.create_user(&ws, made).await.unwrap();
        }
        conn.create_team(&ws, &team(&ws, "ops")).await.unwrap();
        conn.add_team_member(&ws, "ops", &bob.id).await.unwrap();
        conn.add_team_member(&ws, "ops", &alice.id).await.unwrap();
        let made = conn.set_share(&ws, id, &one, Level::Use).await.unwrap();
        assert_eq!(
            (made.principal, made.level, made.created_at, made.updated_at),
            (one.clone(), Level::Use, T0, T0)
        );
        conn.commit().await.unwrap();

        let mut conn = store.begin(Actor::Cli, later(5)).await.unwrap();
        let changed = conn.set_share(&ws, id, &one, Level::Edit).await.unwrap();
        assert_eq!((changed.level, changed.created_at, changed.updated_at), (Level::Edit, T0, later(5)));
        conn.set_share(&ws, id, &ops, Level::Manage).await.unwrap();
        conn.commit().await.unwrap();

        let mut conn = store.begin(Actor::Cli, later(9)).await.unwrap();
        let all = conn.shares(&ws, id, &ALL).await.unwrap();
        let got: Vec<_> = all.iter().map(|share| (&share.principal, share.level)).collect();
        assert_eq!(got, [(&one, Level::Edit), (&ops, Level::Manage)]);
        assert_eq!(conn.shares(&ws, id, &Page { offset: 1, limit: 1 }).await.unwrap()[0].principal, ops);
        assert_eq!(conn.count_shares(&ws, id).await.unwrap(), 2);
        let found = conn.share(&ws, id, &one).await.unwrap().unwrap();
        assert_eq!((found.workspace_id, found.integration_id), (ws.clone(), id.clone()));
        // The higher of its own share and its team's.
        assert_eq!(conn.share_level(&ws, id, &alice.id).await.unwrap(), Some(Level::Manage));
        assert_eq!(conn.share_level(&ws, id, &bob.id).await.unwrap(), Some(Level::Manage));
        assert!(conn.delete_share(&ws, id, &ops).await.unwrap());
        assert_eq!(conn.share_level(&ws, id, &alice.id).await.unwrap(), Some(Level::Edit));
        assert_eq!(conn.share_level(&ws, id, &bob.id).await.unwrap(), None);
        assert!(!conn.delete_share(&ws, id, &ops).await.unwrap());
        // Another workspace's.
        assert!(conn.shares(&other, id, &ALL).await.unwrap().is_empty());
        assert_eq!(conn.count_shares(&other, id).await.unwrap(), 0);
        assert!(conn.share(&other, id, &one).await.unwrap().is_none());
        assert!(!conn.delete_share(&other, id, &one).await.unwrap());
        assert!(conn.share(&ws, &foreign.id, &one).await.unwrap().is_none());
        conn.commit().await.unwrap();
        let nobody = Principal::User(UserId::new());
        conflict(begin(&store).await.set_share(&ws, id, &nobody, Level::Use).await);
        conflict(begin(&store).await.set_share(&other, id, &one, Level::Use).await);
        let said = [
            format!("integration.share {id} user:{}", alice.id),
            format!("integration.share {id} team:ops"),
            format!("integration.unshare {id} team:ops"),
        ];
        assert!(audited(&store, &ws).await.ends_with(&said));
    })
    .await;
}

#[tokio::test]
async fn an_owner_is_one_that_exists_and_ends_no_flow() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let (alice, foreign) = (user(&ws, "alice"), user(&other, "eve"));
        let id = &integration.id;
        let mut conn = begin(&store).await;
        conn.create_user(&ws, &alice).await.unwrap();
        conn.create_user(&other, &foreign).await.unwrap();
        conn.create_team(&ws, &team(&ws, "ops")).await.unwrap();
        for owner in [Some(Principal::User(alice.id.clone())), Some(Principal::Team("ops".to_owned())), None]
        {
            conn.set_integration_owner(&ws, id, owner.as_ref()).await.unwrap();
            let now = conn.integration(&ws, id).await.unwrap().unwrap();
            assert_eq!((now.owner, now.version), (owner, integration.version));
        }
        for wrong in [Principal::User(foreign.id.clone()), Principal::Team("none".to_owned())] {
            assert!(missing(conn.set_integration_owner(&ws, id, Some(&wrong)).await), "{wrong:?}");
        }
        assert!(missing(conn.set_integration_owner(&other, id, None).await));
        conn.commit().await.unwrap();
        let changes = read(&store).await.any_changes_after(0).await.unwrap();
        let last = changes.iter().filter(|change| change.target == id.as_str()).count();
        assert_eq!(last, 2, "made, and handed over");
        assert!(audited(&store, &ws).await.ends_with(&[format!("integration.owner {id}")]));
    })
    .await;
}

#[tokio::test]
async fn an_icon_is_kept_byte_for_byte_and_goes_with_its_integration() {
    on_each(async |store| {
        let Scene { ws, other, integration, .. } = scene(&store).await;
        let id = &integration.id;
        let icon = Icon {
            media_type: "image/png".to_owned(),
            body: (0..=255).collect(),
            hash: "a".repeat(64),
            updated_at: T0,
        };
        let mut conn = begin(&store).await;
        assert_eq!(conn.icon(&ws, id).await.unwrap(), None);
        assert!(!conn.delete_icon(&ws, id).await.unwrap());
        conn.set_icon(&ws, id, &icon).await.unwrap();
        assert_eq!(conn.icon(&ws, id).await.unwrap(), Some(icon.clone()));
        let next = Icon { body: vec![0], hash: "b".repeat(64), updated_at: later(1), ..icon };
        conn.set_icon(&ws, id, &next).await.unwrap();
        assert_eq!(conn.icon(&ws, id).await.unwrap(), Some(next.clone()));
        assert_eq!(conn.icon_hash(&ws, id).await.unwrap(), Some(next.hash.clone()));
        let all = BTreeMap::from([(id.to_string(), next.hash.clone())]);
        assert_eq!(conn.icon_hashes(&ws).await.unwrap(), all);
        assert!(conn.icon_hashes(&other).await.unwrap().is_empty());
        assert_eq!(conn.icon(&other, id).await.unwrap(), None);
        assert_eq!(conn.icon_hash(&other, id).await.unwrap(), None);
        assert!(!conn.delete_icon(&other, id).await.unwrap());
        assert!(conn.delete_icon(&ws, id).await.unwrap());
        assert_eq!(conn.icon(&ws, id).await.unwrap(), None);
        conn.set_icon(&ws, id, &next).await.unwrap();
        assert!(conn.delete_integration(&ws, id).await.unwrap());
        assert_eq!(conn.icon_hash(&ws, id).await.unwrap(), None);
        conn.commit().await.unwrap();
        conflict(begin(&store).await.set_icon(&other, id, &next).await);
    })
    .await;
}
