//! Users' API tokens: prefix and hash, never the token.

use std::time::Duration;

use super::{
    Conn, Page, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::token::UserToken,
    error::Result,
    id::{TokenId, UserId, WorkspaceId},
    time::Millis,
};

/// How fresh `last_used_at` is kept.
const TOUCH: Duration = Duration::from_secs(60);

impl Conn {
    /// Keeps a new token.
    pub async fn create_user_token(&mut self, ws: &WorkspaceId, token: &UserToken) -> Result<()> {
        let insert = sql("insert into user_token (id, workspace_id, user_id, kind, name, prefix, hash, \
                          read_only_at, expires_at, last_used_at, created_at) \
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
        let insert = insert.text(token.id.as_str()).text(ws.as_str()).text(token.user_id.as_str());
        let insert = insert.text(&token.kind).maybe_text(token.name.as_deref()).text(&token.prefix);
        let insert = insert.text(&token.hash).maybe_at(token.read_only.then_some(token.created_at));
        let insert = insert.maybe_at(token.expires_at).maybe_at(token.last_used_at).at(token.created_at);
        self.execute(insert).await?;
        self.audit(Some(ws), "user_token.create", token.id.as_str()).await
    }

    /// The tokens with this prefix, expired ones included: how a caller's workspace is found.
    pub async fn any_user_tokens_by_prefix(&mut self, prefix: &str) -> Result<Vec<UserToken>> {
        let query = sql("select * from user_token where prefix = $1 order by created_at, id").key(prefix);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// A user's tokens, oldest first.
    pub async fn user_tokens(
        &mut self,
        ws: &WorkspaceId,
        user: &UserId,
        page: &Page,
    ) -> Result<Vec<UserToken>> {
        let query = sql("select * from user_token where workspace_id = $1 and user_id = $2 \
                         order by created_at, id limit $3 offset $4");
        let query = query.text(ws.as_str()).text(user.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// How many tokens a user has.
    pub async fn count_user_tokens(&mut self, ws: &WorkspaceId, user: &UserId) -> Result<i64> {
        let query = sql("select count(*) as n from user_token where workspace_id = $1 and user_id = $2");
        self.row(query.text(ws.as_str()).text(user.as_str())).await?.map_or(Ok(0), |row| row.int("n"))
    }

    /// One of a user's tokens.
    pub async fn user_token(
        &mut self,
        ws: &WorkspaceId,
        user: &UserId,
        id: &TokenId,
    ) -> Result<Option<UserToken>> {
        let query = sql("select * from user_token where workspace_id = $1 and user_id = $2 and id = $3");
        let query = query.text(ws.as_str()).text(user.as_str()).text(id.as_str());
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Removes one of a user's tokens; `false` when there was none.
    pub async fn delete_user_token(&mut self, ws: &WorkspaceId, user: &UserId, id: &TokenId) -> Result<bool> {
        let delete = sql("delete from user_token where workspace_id = $1 and user_id = $2 and id = $3");
        let delete = delete.text(ws.as_str()).text(user.as_str()).text(id.as_str());
        if self.execute(delete).await? == 0 {
            return Ok(false);
        }
        self.note(Some(ws), Topic::User, user.as_str());
        self.audit(Some(ws), "user_token.delete", id.as_str()).await?;
        Ok(true)
    }

    /// Keeps that a token was used, unless that was less than a minute ago.
    pub async fn touch_user_token(&mut self, ws: &WorkspaceId, id: &TokenId, at: Millis) -> Result<()> {
        let update = sql("update user_token set last_used_at = $3 \
                          where workspace_id = $1 and id = $2 and (last_used_at is null or last_used_at < $4)");
        let update = update.text(ws.as_str()).text(id.as_str()).at(at).at(at.minus(TOUCH));
        self.execute(update).await.map(drop)
    }
}

fn read(row: &Row) -> Result<UserToken> {
    Ok(UserToken {
        id: row.id("id", TokenId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        user_id: row.id("user_id", UserId::from_row)?,
        kind: row.text("kind")?,
        name: row.maybe_text("name")?,
        prefix: row.text("prefix")?,
        hash: row.text("hash")?,
        read_only: row.maybe_at("read_only_at")?.is_some(),
        expires_at: row.maybe_at("expires_at")?,
        last_used_at: row.maybe_at("last_used_at")?,
        created_at: row.at("created_at")?,
    })
}
