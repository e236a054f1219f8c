//! What may be given to a user, and what stays when something else changes.

use super::tests::{NOW, Room, new_workspace};
use super::*;
use crate::store::Page;

const ALL: Page = Page { offset: 0, limit: 100 };

fn ada(permissions: &[&str]) -> NewUser {
    NewUser {
        username: "ada".into(),
        display_name: Some("Ada".into()),
        email: Some("ada@example".into()),
        password: None,
        superuser: false,
        permissions: permissions.iter().map(|it| (*it).to_owned()).collect(),
    }
}

#[tokio::test]
async fn only_permissions_that_there_are_can_be_given_and_a_stored_one_stays() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let ws = workspace(&mut to, new_workspace()).await.unwrap().0.id;
    for wrong in ["integration:Write", "integration", "", "superuser", "*"] {
        let told = user(&mut to, &ws, ada(&["integration:write", wrong])).await.unwrap_err().to_string();
        assert!(told.contains("integration:write, integration:delete"), "{told}");
    }
    let given = ["integration:share", "integration:write", "integration:share"];
    let mut made = user(&mut to, &ws, ada(&given)).await.unwrap();
    assert_eq!(made.permissions, ["integration:write", "integration:share"], "each once, in order");

    made.permissions.push("reports:old".into());
    to.conn.update_user(&ws, &made).await.unwrap();
    let was = to.conn.user_by_name(&ws, "ada").await.unwrap().unwrap();
    let edit = |permissions: &[&str]| UserEdit {
        permissions: Some(permissions.iter().map(|it| (*it).to_owned()).collect()),
        ..UserEdit::default()
    };
    let now = update_user(&mut to, &was, edit(&["reports:old", "integration:delete"])).await.unwrap();
    assert_eq!(now.permissions, ["integration:delete", "reports:old"]);
    let now = update_user(&mut to, &now, edit(&["integration:delete"])).await.unwrap();
    assert!(update_user(&mut to, &now, edit(&["reports:old"])).await.is_err(), "not given anew");
    assert_eq!(to.conn.user(&ws, &was.id).await.unwrap().unwrap().permissions, ["integration:delete"]);
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_writes_nothing_else() {
    let room = Room::new().await;
    let mut conn = room.begin().await;
    let mut to = room.change(&mut conn);
    let ws = workspace(&mut to, new_workspace()).await.unwrap().0.id;
    let was = user(&mut to, &ws, ada(&["integration:write"])).await.unwrap();
    let rows = to.conn.audits(&ws, &ALL).await.unwrap().len();
    let same = UserEdit {
        display_name: Some("Ada".into()),
        superuser: Some(false),
        permissions: Some(vec!["integration:write".into()]),
        disabled: Some(false),
        ..UserEdit::default()
    };
    update_user(&mut to, &was, same).await.unwrap();
    assert_eq!(to.conn.audits(&ws, &ALL).await.unwrap().len(), rows, "nothing differs, nothing is written");

    for (edit, wrong) in [
        (UserEdit { display_name: Some("a\nb".into()), ..UserEdit::default() }, "display_name"),
        (UserEdit { email: Some("nowhere".into()), ..UserEdit::default() }, "email"),
    ] {
        let error = update_user(&mut to, &was, edit).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field, .. } if field == wrong), "{error}");
    }
    let edit = UserEdit { email: Some("a@b".into()), disabled: Some(true), ..UserEdit::default() };
    update_user(&mut to, &was, edit).await.unwrap();
    let now = to.conn.user(&ws, &was.id).await.unwrap().unwrap();
    assert_eq!((now.display_name.as_deref(), now.email.as_deref()), (Some("Ada"), Some("a@b")));
    assert_eq!((now.disabled_at, now.superuser), (Some(NOW), false));
    let edit = UserEdit { disabled: Some(false), superuser: Some(true), ..UserEdit::default() };
    update_user(&mut to, &now, edit).await.unwrap();
    let now = to.conn.user(&ws, &was.id).await.unwrap().unwrap();
    assert_eq!((now.disabled_at, now.superuser), (None, true));
}
