//! Sessions: found by the hash of their cookie, in their own workspace only.

use super::{
    Conn, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::session::Session,
    error::Result,
    id::{UserId, WorkspaceId},
    time::Millis,
};

/// The most sessions of one user: beyond it the oldest end.
pub const MOST: i64 = 100;

impl Conn {
    /// Keeps a new session; of the user's others the oldest go beyond a hundred.
    pub async fn create_session(&mut self, ws: &WorkspaceId, session: &Session) -> Result<()> {
        let delete = sql("delete from session where workspace_id = $1 and user_id = $2 and hash not in (\
                          select hash from session where workspace_id = $1 and user_id = $2 \
                          order by created_at desc, hash limit $3)");
        let delete = delete.text(ws.as_str()).text(session.user_id.as_str()).int(MOST - 1);
        self.execute(delete).await?;
        let insert = sql("insert into session (hash, workspace_id, user_id, seen_at, ends_at, created_at) \
                          values ($1, $2, $3, $4, $5, $6)");
        let insert = insert.text(&session.hash).text(ws.as_str()).text(session.user_id.as_str());
        self.execute(insert.at(session.seen_at).at(session.ends_at).at(session.created_at)).await?;
        self.audit(Some(ws), "user.sign_in", session.user_id.as_str()).await
    }

    /// A session by the hash of its cookie, ended or not.
    pub async fn session(&mut self, ws: &WorkspaceId, hash: &str) -> Result<Option<Session>> {
        let query = sql("select * from session where workspace_id = $1 and hash = $2");
        self.row(query.text(ws.as_str()).key(hash)).await?.as_ref().map(read).transpose()
    }

    /// Keeps that a session was used `at`.
    pub async fn touch_session(&mut self, ws: &WorkspaceId, hash: &str, at: Millis) -> Result<()> {
        let update = sql("update session set seen_at = $3 \
                          where workspace_id = $1 and hash = $2 and seen_at < $3");
        self.execute(update.text(ws.as_str()).text(hash).at(at)).await.map(drop)
    }

    /// Ends a session; whose it was, or `None` when there was none.
    pub async fn end_session(&mut self, ws: &WorkspaceId, hash: &str) -> Result<Option<UserId>> {
        let delete = sql("delete from session where workspace_id = $1 and hash = $2 returning user_id");
        let Some(row) = self.changed_row(delete.text(ws.as_str()).text(hash)).await? else { return Ok(None) };
        let user = row.id("user_id", UserId::from_row)?;
        self.sign(Some(ws), Topic::User, "user.sign_out", user.as_str()).await?;
        Ok(Some(user))
    }

    /// Ends all sessions of a user. Part of a change that is signed itself.
    pub(super) async fn end_sessions_of(&mut self, ws: &WorkspaceId, user: &UserId) -> Result<()> {
        let delete = sql("delete from session where workspace_id = $1 and user_id = $2");
        self.execute(delete.text(ws.as_str()).text(user.as_str())).await.map(drop)
    }

    /// Removes at most `limit` sessions that ended before `ended`, or were last used before `idle`. Says how many.
    pub async fn any_purge_sessions(&mut self, ended: Millis, idle: Millis, limit: i64) -> Result<i64> {
        let delete = sql("delete from session where hash in \
                          (select hash from session where ends_at < $1 or seen_at < $2 limit $3)");
        self.execute(delete.at(ended).at(idle).int(limit)).await
    }
}

fn read(row: &Row) -> Result<Session> {
    Ok(Session {
        hash: row.text("hash")?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        user_id: row.id("user_id", UserId::from_row)?,
        seen_at: row.at("seen_at")?,
        ends_at: row.at("ends_at")?,
        created_at: row.at("created_at")?,
    })
}
