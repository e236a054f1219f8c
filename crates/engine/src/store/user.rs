//! Users of a workspace. Names are compared folded: trimmed, in lower case.

use super::{
    Conn, Page, Topic,
    conn::found,
    statement::{Row, sql},
};
use crate::{
    domain::user::User,
    error::Result,
    id::{UserId, WorkspaceId},
    time::Millis,
};

impl Conn {
    /// Keeps a new user. [`crate::error::Error::Conflict`] when the name is taken in the workspace.
    pub async fn create_user(&mut self, ws: &WorkspaceId, user: &User) -> Result<()> {
        let insert =
            sql("insert into app_user (id, workspace_id, username, username_folded, email, password_hash, \
                          superuser_at, permissions, disabled_at, created_at, updated_at, display_name) \
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");
        let insert = insert.text(user.id.as_str()).text(ws.as_str()).text(&user.username);
        let insert = insert.text(fold(&user.username)).maybe_text(user.email.as_deref());
        let insert = insert.maybe_text(user.password_hash.as_deref());
        let insert = insert.maybe_at(user.superuser.then_some(user.updated_at)).json(&user.permissions)?;
        let insert = insert.maybe_at(user.disabled_at).at(user.created_at).at(user.updated_at);
        let insert = insert.maybe_text(user.display_name.as_deref());
        self.execute(insert).await?;
        self.sign(Some(ws), Topic::User, "user.create", user.id.as_str()).await
    }

    /// A user by id.
    pub async fn user(&mut self, ws: &WorkspaceId, id: &UserId) -> Result<Option<User>> {
        let query = sql("select * from app_user where workspace_id = $1 and id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// A user by name.
    pub async fn user_by_name(&mut self, ws: &WorkspaceId, username: &str) -> Result<Option<User>> {
        let query = sql("select * from app_user where workspace_id = $1 and username_folded = $2");
        self.row(query.text(ws.as_str()).key(fold(username))).await?.as_ref().map(read).transpose()
    }

    /// The workspace's users, oldest first.
    pub async fn users(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<User>> {
        let query = sql("select * from app_user where workspace_id = $1 order by created_at, id \
                         limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// A user by id; no other process changes it, nor its password, until this unit of work ends.
    pub async fn hold_user(&mut self, ws: &WorkspaceId, id: &UserId) -> Result<Option<User>> {
        let update = sql("update app_user set updated_at = updated_at where workspace_id = $1 and id = $2 \
                          returning *");
        self.changed_row(update.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// Sets a user's password hash, and ends its sessions.
    pub async fn set_user_password(&mut self, ws: &WorkspaceId, id: &UserId, hash: &str) -> Result<()> {
        let update = sql("update app_user set password_hash = $3, updated_at = $4 \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(id.as_str()).text(hash).at(self.now);
        found(self.execute(update).await?, "user")?;
        self.end_sessions_of(ws, id).await?;
        self.sign(Some(ws), Topic::User, "user.password", id.as_str()).await
    }

    /// Changes a user's names, e-mail address, rights, and whether it is disabled: then its sessions end.
    pub async fn update_user(&mut self, ws: &WorkspaceId, user: &User) -> Result<()> {
        let update =
            sql("update app_user set email = $3, superuser_at = $4, permissions = $5, disabled_at = $6, \
                          updated_at = $7, display_name = $8 where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(user.id.as_str()).maybe_text(user.email.as_deref());
        let update = update.maybe_at(user.superuser.then_some(self.now)).json(&user.permissions)?;
        let update = update.maybe_at(user.disabled_at).at(self.now).maybe_text(user.display_name.as_deref());
        found(self.execute(update).await?, "user")?;
        if user.disabled_at.is_some() {
            self.end_sessions_of(ws, &user.id).await?;
        }
        self.sign(Some(ws), Topic::User, "user.update", user.id.as_str()).await
    }

    /// Shuts a user out since `at` and ends its sessions, or lets it in again with `None`.
    pub async fn disable_user(&mut self, ws: &WorkspaceId, id: &UserId, at: Option<Millis>) -> Result<()> {
        let update = sql("update app_user set disabled_at = $3, updated_at = $4 \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(id.as_str()).maybe_at(at).at(self.now);
        found(self.execute(update).await?, "user")?;
        if at.is_some() {
            self.end_sessions_of(ws, id).await?;
        }
        let verb = if at.is_some() { "user.disable" } else { "user.enable" };
        self.sign(Some(ws), Topic::User, verb, id.as_str()).await
    }
}

/// A name as it is compared.
pub(crate) fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

pub(super) fn read(row: &Row) -> Result<User> {
    Ok(User {
        id: row.id("id", UserId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        username: row.text("username")?,
        display_name: row.maybe_text("display_name")?,
        email: row.maybe_text("email")?,
        password_hash: row.maybe_text("password_hash")?,
        superuser: row.maybe_at("superuser_at")?.is_some(),
        permissions: row.json("permissions")?,
        disabled_at: row.maybe_at("disabled_at")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}
