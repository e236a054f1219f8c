//! Users: made, changed, let in and shut out.
//!
//! Only permissions that there are can be given; one that was stored before it went out of use is kept until it is
//! taken away. What a change ends (the user's sessions) ends in the same unit of work.

use super::{Change, check};
use crate::{
    domain::user::{Permission, User},
    error::{Error, Result},
    id::{UserId, WorkspaceId},
    secret::Secret,
    vault::hash,
};

/// A user to be.
pub struct NewUser {
    /// The name it signs in with.
    pub username: String,
    /// What people call it.
    pub display_name: Option<String>,
    /// Its e-mail address.
    pub email: Option<String>,
    /// Its password; without one it can't sign in yet.
    pub password: Option<Secret>,
    /// Whether it may do everything in its workspace.
    pub superuser: bool,
    /// What else it may do, as [`Permission::as_str`] spells it.
    pub permissions: Vec<String>,
}

/// Makes a user.
///
/// # Errors
/// `Invalid` for a bad name, address, password or permission; `Conflict` when the name is taken.
pub async fn user(to: &mut Change<'_>, workspace: &WorkspaceId, input: NewUser) -> Result<User> {
    let user = User {
        id: UserId::new(),
        workspace_id: workspace.clone(),
        username: check::username(&input.username)?,
        display_name: input.display_name.as_deref().map(|n| check::name("display_name", n)).transpose()?,
        email: input.email.as_deref().map(check::email).transpose()?,
        permissions: permissions(input.permissions, &[])?,
        password_hash: match input.password {
            Some(plain) => Some(password_hash(plain).await?),
            None => None,
        },
        superuser: input.superuser,
        disabled_at: None,
        created_at: to.now,
        updated_at: to.now,
    };
    to.conn.create_user(workspace, &user).await?;
    Ok(user)
}

/// What is to change about a user; what is absent stays.
#[derive(Default)]
pub struct UserEdit {
    /// What people call it.
    pub display_name: Option<String>,
    /// Its e-mail address.
    pub email: Option<String>,
    /// What [`password_hash`] made of its new password. Ends its sessions.
    pub password_hash: Option<String>,
    /// Whether it may do everything in its workspace.
    pub superuser: Option<bool>,
    /// Everything else that it may do.
    pub permissions: Option<Vec<String>>,
    /// Whether it is shut out. Ends its sessions; its tokens stop for as long.
    pub disabled: Option<bool>,
}

/// Changes a user. Writes nothing where nothing differs.
///
/// # Errors
/// `Invalid` for a bad name or address, and for a permission that there is not and that the user does not have.
pub async fn update_user(to: &mut Change<'_>, was: &User, edit: UserEdit) -> Result<User> {
    let mut now = was.clone();
    if let Some(name) = &edit.display_name {
        now.display_name = Some(check::name("display_name", name)?);
    }
    if let Some(address) = &edit.email {
        now.email = Some(check::email(address)?);
    }
    now.superuser = edit.superuser.unwrap_or(was.superuser);
    if let Some(wanted) = edit.permissions {
        now.permissions = permissions(wanted, &was.permissions)?;
    }
    let plain = |user: &User| (user.display_name.clone(), user.email.clone(), user.superuser);
    if plain(&now) != plain(was) || sorted(&now.permissions) != sorted(&was.permissions) {
        to.conn.update_user(&was.workspace_id, &now).await?;
    }
    if let Some(hash) = edit.password_hash {
        to.conn.set_user_password(&was.workspace_id, &was.id, &hash).await?;
        now.password_hash = Some(hash);
    }
    if let Some(disabled) = edit.disabled.filter(|disabled| *disabled != was.disabled_at.is_some()) {
        now.disabled_at = disabled.then_some(to.now);
        to.conn.disable_user(&was.workspace_id, &was.id, now.disabled_at).await?;
    }
    Ok(now)
}

/// Permissions as they are kept: each once, in the order of [`Permission::ALL`], those out of use behind.
fn permissions(mut wanted: Vec<String>, kept: &[String]) -> Result<Vec<String>> {
    let known = |text: &String| Permission::parse(text).is_some() || kept.contains(text);
    if let Some(unknown) = wanted.iter().find(|text| !known(text)) {
        let all = Permission::ALL.map(Permission::as_str).join(", ");
        return Err(Error::invalid("permissions", format!("{unknown:?} is none of {all}")));
    }
    let place = |text: &String| Permission::ALL.iter().position(|it| it.as_str() == text);
    wanted.sort_by_key(|text| (place(text).unwrap_or(usize::MAX), text.clone()));
    wanted.dedup();
    Ok(wanted)
}

fn sorted(permissions: &[String]) -> Vec<String> {
    let mut sorted = permissions.to_vec();
    sorted.sort();
    sorted
}

/// Checks and hashes a password, away from the threads that serve.
///
/// # Errors
/// `Invalid` when it is shorter than [`check::PASSWORD_MIN`] characters.
pub async fn password_hash(plain: Secret) -> Result<String> {
    check::password(&plain)?;
    tokio::task::spawn_blocking(move || hash::password(&plain))
        .await
        .map_err(|_| Error::internal("hashing a password was interrupted"))?
}
