//! Teams and who is in them.

use super::*;
use crate::{
    domain::{
        share::{Level, Principal},
        team::Team,
        user::User,
    },
    id::UserId,
    store::Topic,
};

pub fn user(ws: &WorkspaceId, name: &str) -> User {
    User {
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
    }
}

pub fn team(ws: &WorkspaceId, slug: &str) -> Team {
    Team {
        id: slug.to_owned(),
        workspace_id: ws.clone(),
        name: format!("The {slug}"),
        created_at: T0,
        updated_at: T0,
    }
}

async fn noted(store: &Store, after: i64) -> Vec<(Topic, String)> {
    let changes = read(store).await.any_changes_after(after).await.unwrap();
    changes.into_iter().map(|change| (change.topic, change.target)).collect()
}

#[tokio::test]
async fn a_team_is_its_workspaces_and_its_slug_is_its_own() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let mut conn = begin(&store).await;
        conn.create_team(&ws, &team(&ws, "ops")).await.unwrap();
        conn.create_team(&ws, &team(&ws, "dev")).await.unwrap();
        conn.create_team(&other, &team(&other, "ops")).await.unwrap();
        conn.commit().await.unwrap();
        let message = conflict(begin(&store).await.create_team(&ws, &team(&ws, "ops")).await);
        assert_eq!(message, "a team with this slug already exists");

        let mut conn = begin(&store).await;
        conn.set_team_name(&ws, "ops", "Operations").await.unwrap();
        assert!(missing(conn.set_team_name(&ws, "none", "x").await));
        let found = conn.team(&ws, "ops").await.unwrap().unwrap();
        assert_eq!(
            (found.id.as_str(), found.name.as_str(), found.workspace_id),
            ("ops", "Operations", ws.clone())
        );
        assert_eq!(conn.team(&other, "ops").await.unwrap().unwrap().name, "The ops");
        assert!(conn.team(&ws, "none").await.unwrap().is_none());
        let slugs: Vec<_> = conn.teams(&ws, &ALL).await.unwrap().into_iter().map(|team| team.id).collect();
        assert_eq!(slugs, ["dev", "ops"]);
        assert_eq!(conn.teams(&ws, &Page { offset: 1, limit: 1 }).await.unwrap()[0].id, "ops");
        assert!(!conn.delete_team(&other, "dev").await.unwrap());
        assert!(conn.delete_team(&ws, "dev").await.unwrap());
        conn.commit().await.unwrap();
        assert!(read(&store).await.team(&ws, "dev").await.unwrap().is_none());
        let verbs = ["team.create ops", "team.create dev", "team.update ops", "team.delete dev"];
        assert!(audited(&store, &ws).await.ends_with(&verbs.map(str::to_owned)));
    })
    .await;
}

#[tokio::test]
async fn who_is_in_a_team_is_told_and_changes_what_its_user_is() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let (alice, bob) = (user(&ws, "alice"), user(&ws, "bob"));
        let foreign = user(&other, "alice");
        let mut conn = begin(&store).await;
        for made in [&alice, &bob] {
            conn.create_user(&ws, made).await.unwrap();
        }
        conn.create_user(&other, &foreign).await.unwrap();
        conn.create_team(&ws, &team(&ws, "ops")).await.unwrap();
        conn.create_team(&other, &team(&other, "ops")).await.unwrap();
        conn.commit().await.unwrap();
        conflict(begin(&store).await.add_team_member(&ws, "ops", &foreign.id).await);
        conflict(begin(&store).await.add_team_member(&ws, "none", &alice.id).await);

        let last = read(&store).await.any_last_change().await.unwrap();
        let mut conn = begin(&store).await;
        assert!(conn.add_team_member(&ws, "ops", &alice.id).await.unwrap());
        conn.commit().await.unwrap();
        assert_eq!(noted(&store, last).await, [(Topic::User, alice.id.to_string())]);

        let last = read(&store).await.any_last_change().await.unwrap();
        let mut conn = begin(&store).await;
        assert!(!conn.add_team_member(&ws, "ops", &alice.id).await.unwrap());
        assert!(!conn.remove_team_member(&ws, "ops", &bob.id).await.unwrap());
        assert!(!conn.remove_team_member(&other, "ops", &alice.id).await.unwrap());
        conn.commit().await.unwrap();
        assert_eq!(noted(&store, last).await, []);

        let mut conn = begin(&store).await;
        assert!(conn.add_team_member(&ws, "ops", &bob.id).await.unwrap());
        let mut names: Vec<_> = conn.team_members(&ws, "ops", &ALL).await.unwrap();
        names.sort_by(|a, b| a.username.cmp(&b.username));
        assert_eq!(names.iter().map(|user| user.username.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
        assert_eq!(conn.team_members(&ws, "ops", &Page { offset: 1, limit: 5 }).await.unwrap().len(), 1);
        assert!(conn.team_members(&other, "ops", &ALL).await.unwrap().is_empty());
        assert_eq!(conn.teams_of(&ws, &alice.id).await.unwrap(), ["ops"]);
        assert!(conn.teams_of(&other, &alice.id).await.unwrap().is_empty());
        assert!(conn.remove_team_member(&ws, "ops", &bob.id).await.unwrap());
        assert_eq!(conn.team_members(&ws, "ops", &ALL).await.unwrap().len(), 1);
        conn.commit().await.unwrap();
        let said = [
            format!("team.add ops {}", alice.id),
            format!("team.add ops {}", bob.id),
            format!("team.remove ops {}", bob.id),
        ];
        assert!(audited(&store, &ws).await.ends_with(&said));
    })
    .await;
}

#[tokio::test]
async fn a_team_that_goes_owns_nothing_and_shares_nothing() {
    on_each(async |store| {
        let Scene { ws, other, integration, foreign } = scene(&store).await;
        let alice = user(&ws, "alice");
        let ops = Principal::Team("ops".to_owned());
        let mut conn = begin(&store).await;
        conn.create_user(&ws, &alice).await.unwrap();
        conn.create_team(&ws, &team(&ws, "ops")).await.unwrap();
        conn.create_team(&other, &team(&other, "ops")).await.unwrap();
        conn.add_team_member(&ws, "ops", &alice.id).await.unwrap();
        conn.set_integration_owner(&ws, &integration.id, Some(&ops)).await.unwrap();
        conn.set_integration_owner(&other, &foreign.id, Some(&ops)).await.unwrap();
        conn.set_share(&ws, &integration.id, &ops, Level::Manage).await.unwrap();
        conn.commit().await.unwrap();

        let last = read(&store).await.any_last_change().await.unwrap();
        let mut conn = begin(&store).await;
        assert!(conn.delete_team(&ws, "ops").await.unwrap());
        let now = conn.integration(&ws, &integration.id).await.unwrap().unwrap();
        assert_eq!((now.owner, now.version), (None, integration.version), "flows under way go on");
        assert_eq!(conn.integration(&other, &foreign.id).await.unwrap().unwrap().owner, Some(ops.clone()));
        assert_eq!(conn.count_shares(&ws, &integration.id).await.unwrap(), 0);
        assert_eq!(conn.share_level(&ws, &integration.id, &alice.id).await.unwrap(), None);
        // A team of the same slug is another team.
        conn.create_team(&ws, &team(&ws, "ops")).await.unwrap();
        assert!(conn.team_members(&ws, "ops", &ALL).await.unwrap().is_empty());
        conn.commit().await.unwrap();
        assert_eq!(
            noted(&store, last).await,
            [
                (Topic::User, alice.id.to_string()),
                (Topic::Integration, integration.id.to_string()),
                (Topic::Team, "ops".to_owned()),
            ]
        );
    })
    .await;
}
