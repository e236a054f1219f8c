use super::*;
use crate::{
    domain::workspace::Settings,
    id::{UserId, WorkspaceId},
    time::Millis,
};

fn user(display_name: Option<&str>, email: Option<&str>) -> User {
    User {
        id: UserId::new(),
        workspace_id: WorkspaceId::new(),
        username: "alice".into(),
        display_name: display_name.map(Into::into),
        email: email.map(Into::into),
        password_hash: None,
        superuser: false,
        permissions: Vec::new(),
        disabled_at: None,
        created_at: Millis(0),
        updated_at: Millis(0),
    }
}

fn workspace() -> Workspace {
    Workspace {
        id: WorkspaceId::new(),
        name: "Acme \u{dc}ber {token}".into(),
        client_id: "acme".into(),
        jwt_secret: None,
        settings: Settings::default(),
        created_at: Millis(0),
        updated_at: Millis(0),
    }
}

fn filled(template: &str, user: Option<&User>) -> Result<Option<Vec<u8>>> {
    fill(template, user, Some(&workspace())).map(|value| value.map(|value| value.as_bytes().to_vec()))
}

#[test]
fn variables_are_filled_in_one_pass() {
    let alice = user(Some("Al\u{ed}ce ${tenant.id} {token}"), Some("alice@acme.test"));
    for (template, want) in [
        ("${user.email}", "alice@acme.test".to_owned()),
        ("<${user.username}>;t=${tenant.id}", "<alice>;t=acme".to_owned()),
        ("${user.displayName}", "Al\u{ed}ce ${tenant.id} {token}".to_owned()),
        ("${tenant.name}", "Acme \u{dc}ber {token}".to_owned()),
        ("a$b}${user.id}", format!("a$b}}{}", alice.id)),
    ] {
        assert_eq!(filled(template, Some(&alice)).unwrap(), Some(want.into_bytes()), "{template}");
    }
}

#[test]
fn a_header_without_its_value_is_left_out() {
    let nobody = user(None, Some(""));
    for template in ["${user.displayName}", "x ${user.email}", "${tenant.id}${user.email}"] {
        assert_eq!(filled(template, Some(&nobody)).unwrap(), None, "{template}");
    }
    for template in ["${user.username}", "${user.id}", "${user.email}", "${user.displayName}"] {
        assert_eq!(filled(template, None).unwrap(), None, "{template}");
    }
    assert_eq!(filled("${tenant.id}", None).unwrap(), Some(b"acme".to_vec()));
}

#[test]
fn a_value_can_not_break_a_header() {
    for name in ["a\r\nX-Admin: 1", "a\nb", "\r", "a\0b", "a\tb", "\u{7f}", "a\u{85}b"] {
        let user = user(Some(name), None);
        let error = filled("${user.displayName}", Some(&user)).unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "headers", .. }), "{error}");
        assert!(!error.to_string().contains(name));
    }
}

#[test]
fn only_what_is_filled_can_be_written() {
    for value in ["${user.email}", "a ${tenant.id} b ${user.username}", "$ ${user.id}", "{ ${tenant.name} }"]
    {
        assert_eq!(not_fillable(value), None, "{value}");
    }
    for value in [
        "${user.password}",
        "${user.custom.x}",
        "${token}",
        "${{token}}",
        "${}",
        "${ user.email}",
        "${USER.EMAIL}",
        "${user.email",
        "${user.email} {token}",
        "Bearer {access_token} ${tenant.id}",
        "${user.email}{tenant}",
        "${${user.email}}",
    ] {
        assert!(not_fillable(value).is_some(), "{value}");
    }
}
