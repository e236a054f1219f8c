//! Users and operators.

use super::*;
use crate::{
    domain::user::{Operator, Role, User},
    id::{OperatorId, UserId},
};

fn user(ws: &WorkspaceId, name: &str) -> User {
    User {
        id: UserId::new(),
        workspace_id: ws.clone(),
        username: name.to_owned(),
        display_name: Some("Alice A.".to_owned()),
        email: Some("a@example.com".to_owned()),
        password_hash: None,
        superuser: true,
        permissions: vec!["integration:read".to_owned()],
        disabled_at: None,
        created_at: T0,
        updated_at: T0,
    }
}

#[tokio::test]
async fn users_are_found_by_folded_name_in_their_workspace() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let made = user(&ws, "Ärmel");
        let mut conn = begin(&store).await;
        conn.create_user(&ws, &made).await.unwrap();
        conn.create_user(&other, &user(&other, "ärmel")).await.unwrap();
        conn.commit().await.unwrap();
        let message = conflict(begin(&store).await.create_user(&ws, &user(&ws, " äRMEL ")).await);
        assert_eq!(message, "a user with this name already exists");

        let mut conn = begin(&store).await;
        let found = conn.user_by_name(&ws, "ÄRMEL").await.unwrap().unwrap();
        assert_eq!((&found.id, found.username.as_str(), found.superuser), (&made.id, "Ärmel", true));
        assert_eq!((&found.email, &found.permissions), (&made.email, &made.permissions));
        assert_ne!(conn.user_by_name(&other, "ÄRMEL").await.unwrap().unwrap().id, made.id);
        assert!(conn.user_by_name(&ws, "nobody").await.unwrap().is_none());
        assert!(conn.user(&other, &made.id).await.unwrap().is_none());
        assert_eq!(conn.users(&ws, &ALL).await.unwrap().len(), 1);

        conn.set_user_password(&ws, &made.id, "$argon2id$x").await.unwrap();
        conn.disable_user(&ws, &made.id, Some(later(1))).await.unwrap();
        assert!(missing(conn.set_user_password(&other, &made.id, "x").await));
        assert!(missing(conn.disable_user(&other, &made.id, None).await));
        let found = conn.user(&ws, &made.id).await.unwrap().unwrap();
        assert_eq!(
            (found.password_hash.as_deref(), found.disabled_at),
            (Some("$argon2id$x"), Some(later(1)))
        );
        let changed = User { email: None, superuser: false, permissions: Vec::new(), ..made.clone() };
        conn.update_user(&ws, &changed).await.unwrap();
        assert!(missing(conn.update_user(&other, &changed).await));
        let found = conn.user(&ws, &made.id).await.unwrap().unwrap();
        assert_eq!((found.email, found.superuser, found.permissions.len()), (None, false, 0));
        assert_eq!(found.disabled_at, None);
        conn.commit().await.unwrap();
        let verbs = ["user.create", "user.password", "user.disable", "user.update"];
        let expected: Vec<_> = verbs.iter().map(|verb| format!("{verb} {}", made.id)).collect();
        assert!(audited(&store, &ws).await.ends_with(&expected));
    })
    .await;
}

#[tokio::test]
async fn operators_have_a_role_per_workspace() {
    on_each(async |store| {
        let Scene { ws, other, .. } = scene(&store).await;
        let made = Operator {
            id: OperatorId::new(),
            username: "Root".to_owned(),
            password_hash: Some("$argon2id$a".to_owned()),
            roles: vec![(ws.clone(), Role::Owner)],
            disabled_at: None,
            created_at: T0,
        };
        let id = &made.id;
        let mut conn = begin(&store).await;
        conn.create_operator(&made).await.unwrap();
        conn.commit().await.unwrap();
        let twin = Operator { id: OperatorId::new(), username: "ROOT".to_owned(), ..made.clone() };
        let message = conflict(begin(&store).await.create_operator(&twin).await);
        assert_eq!(message, "an operator with this name already exists");

        let mut conn = begin(&store).await;
        conn.set_operator_role(&ws, id, Some(Role::Viewer)).await.unwrap();
        conn.set_operator_role(&other, id, Some(Role::Admin)).await.unwrap();
        let found = conn.any_operator_by_name("root").await.unwrap().unwrap();
        assert_eq!((&found.id, found.username.as_str()), (id, "Root"));
        assert_eq!(found.roles, [(ws.clone(), Role::Viewer), (other.clone(), Role::Admin)]);
        conn.set_operator_role(&ws, id, None).await.unwrap();
        conn.any_set_operator_password(id, "$argon2id$b").await.unwrap();
        conn.any_disable_operator(id, Some(T0)).await.unwrap();
        let found = conn.any_operator(id).await.unwrap().unwrap();
        assert_eq!(found.roles, [(other.clone(), Role::Admin)]);
        assert_eq!((found.password_hash.as_deref(), found.disabled_at), (Some("$argon2id$b"), Some(T0)));
        assert_eq!(conn.any_operators(&ALL).await.unwrap().len(), 1);
        assert!(conn.any_operator(&OperatorId::new()).await.unwrap().is_none());
        assert!(missing(conn.any_set_operator_password(&OperatorId::new(), "x").await));
        assert!(missing(conn.any_disable_operator(&OperatorId::new(), None).await));
        let none = conn.any_audits_of_none(&ALL).await.unwrap();
        let verbs: Vec<_> = none.iter().map(|row| row.verb.as_str()).collect();
        assert_eq!(verbs, ["operator.disable", "operator.password", "operator.create"]);
    })
    .await;
}
