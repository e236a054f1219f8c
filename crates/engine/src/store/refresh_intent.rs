//! Which refresh tokens were sent, by hash, and what came of it.
//!
//! Of one token at most one row is open, whichever connections it is of: an index sees to it. Only hashes are here.

use super::{
    Conn, Page,
    statement::{Row, sql},
};
use crate::{
    domain::refresh::{Closed, Intent},
    error::Result,
    id::{ConnectionId, IntentId, WorkspaceId},
    time::Millis,
};

impl Conn {
    /// Keeps that a refresh token is about to be sent. `Conflict` when another row of the same token is open.
    pub async fn create_refresh_intent(&mut self, ws: &WorkspaceId, intent: &Intent) -> Result<()> {
        let insert =
            sql("insert into refresh_intent (id, workspace_id, connection_id, version, token_hash, \
                          fence, tries, sent_at) values ($1, $2, $3, $4, $5, $6, $7, $8)");
        let insert = insert.text(intent.id.as_str()).text(ws.as_str()).text(intent.connection_id.as_str());
        let insert = insert.int(intent.version).text(&intent.token_hash).int(intent.fence).int(intent.tries);
        self.execute(insert.at(intent.sent_at)).await.map(drop)
    }

    /// The open row of a token, whichever connection it is of: it must not be sent by anybody.
    pub async fn any_open_intent(&mut self, token_hash: &str) -> Result<Option<Intent>> {
        let query = sql("select * from refresh_intent where token_hash = $1 and closed_at is null");
        self.row(query.text(token_hash)).await?.as_ref().map(read).transpose()
    }

    /// The last row of a token that was spent, or may have been, by a connection other than `but`: nobody is to send it
    /// again, though none is open.
    pub async fn any_spent_intent(
        &mut self,
        token_hash: &str,
        but: Option<&ConnectionId>,
    ) -> Result<Option<Intent>> {
        let query = sql("select * from refresh_intent where token_hash = $1 and closed_at is not null \
                         and outcome in ('renewed', 'late', 'given_up') and connection_id <> $2 \
                         order by sent_at desc, id desc limit 1");
        let query = query.text(token_hash).text(but.map_or("", ConnectionId::as_str));
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Whether whoever sent an open row's token still has the refresh of its connection to itself.
    pub async fn any_intent_is_under_way(&mut self, intent: &Intent, now: Millis) -> Result<bool> {
        let query = sql("select fence from refresh_state where connection_id = $1 and fence = $2 \
                         and owner is not null and lease_until > $3");
        let query = query.text(intent.connection_id.as_str()).int(intent.fence).at(now);
        Ok(self.row(query).await?.is_some())
    }

    /// A row by id.
    pub async fn refresh_intent(&mut self, ws: &WorkspaceId, id: &IntentId) -> Result<Option<Intent>> {
        let query = sql("select * from refresh_intent where workspace_id = $1 and id = $2");
        self.row(query.text(ws.as_str()).text(id.as_str())).await?.as_ref().map(read).transpose()
    }

    /// Notes, once, that what the provider did is not known.
    pub async fn any_doubt_intent(&mut self, id: &IntentId, why: &str, now: Millis) -> Result<()> {
        let update = sql("update refresh_intent set unknown_at = $2, unknown_why = $3 \
                          where id = $1 and unknown_at is null");
        self.execute(update.text(id.as_str()).at(now).text(why)).await.map(drop)
    }

    /// Closes an open row; `false` when it is closed.
    pub async fn any_close_intent(&mut self, id: &IntentId, as_: Closed, now: Millis) -> Result<bool> {
        let update = sql("update refresh_intent set closed_at = $2, outcome = $3 \
                          where id = $1 and closed_at is null");
        Ok(self.execute(update.text(id.as_str()).at(now).text(as_.as_str())).await? > 0)
    }

    /// Says better what came of a row that was given up.
    pub async fn correct_intent(&mut self, ws: &WorkspaceId, id: &IntentId, as_: Closed) -> Result<()> {
        let update = sql("update refresh_intent set outcome = $3 \
                          where workspace_id = $1 and id = $2 and outcome = 'given_up'");
        self.execute(update.text(ws.as_str()).text(id.as_str()).text(as_.as_str())).await.map(drop)
    }

    /// Opens a row again whose token was to be sent once more and was not, unless its connection has a newer credential.
    pub async fn reopen_intent(&mut self, ws: &WorkspaceId, id: &IntentId) -> Result<()> {
        let update = sql("update refresh_intent set closed_at = null, outcome = null \
                          where workspace_id = $1 and id = $2 and outcome = 'resent' and exists \
                          (select 1 from credential c where c.connection_id = refresh_intent.connection_id \
                          and c.version = refresh_intent.version)");
        self.execute(update.text(ws.as_str()).text(id.as_str())).await.map(drop)
    }

    /// Closes a row whose answer was written: as [`Closed::Kept`] where the token is still good, or as `Renewed`, which is
    /// [`Closed::Late`] where nobody waited for it any more.
    pub async fn answer_intent(
        &mut self,
        ws: &WorkspaceId,
        id: &IntentId,
        as_: Closed,
        now: Millis,
    ) -> Result<()> {
        let update = sql("update refresh_intent set closed_at = $3, outcome = case \
                          when $4 = 'renewed' and unknown_at is not null then 'late' else $4 end \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(id.as_str()).at(now).text(as_.as_str());
        self.execute(update).await.map(drop)
    }

    /// Gives up rows of tokens that a newer credential took the place of: nobody will ever know.
    pub async fn give_up_intents(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        version: i64,
        now: Millis,
    ) -> Result<()> {
        let update = sql("update refresh_intent set closed_at = $4, outcome = 'given_up', \
                          unknown_at = coalesce(unknown_at, $4), unknown_why = coalesce(unknown_why, \
                          'the process that sent it ended, and a newer credential took its place') \
                          where workspace_id = $1 and connection_id = $2 and version < $3 and closed_at is null");
        let update = update.text(ws.as_str()).text(id.as_str()).int(version).at(now);
        self.execute(update).await.map(drop)
    }

    /// The last sending of a token later than the one under `fence` of which nobody ever knew what came.
    pub async fn unknown_after(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        token_hash: &str,
        fence: i64,
    ) -> Result<Option<Intent>> {
        let query = sql("select * from refresh_intent where workspace_id = $1 and connection_id = $2 \
                         and token_hash = $3 and fence > $4 and unknown_at is not null \
                         and (outcome is null or outcome = 'given_up') order by fence desc limit 1");
        let query = query.text(ws.as_str()).text(id.as_str()).text(token_hash).int(fence);
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Refresh tokens of a workspace that were sent, and of which nobody knows what the provider did with them; the latest
    /// first.
    pub async fn unknown_refreshes(&mut self, ws: &WorkspaceId, page: &Page) -> Result<Vec<Intent>> {
        let query = sql("select * from refresh_intent where workspace_id = $1 and unknown_at is not null \
                         and closed_at is null order by unknown_at desc, id desc limit $2 offset $3");
        let query = query.text(ws.as_str()).int(page.limit).int(page.offset);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// The same of all workspaces.
    pub async fn any_unknown_refreshes(&mut self, page: &Page) -> Result<Vec<Intent>> {
        let query = sql("select * from refresh_intent where unknown_at is not null and closed_at is null \
                         order by unknown_at desc, id desc limit $1 offset $2");
        self.rows(query.int(page.limit).int(page.offset)).await?.iter().map(read).collect()
    }

    /// The same with those that were found out since, or given up.
    pub async fn any_refreshes_ever_unknown(&mut self, page: &Page) -> Result<Vec<Intent>> {
        let query = sql("select * from refresh_intent where unknown_at is not null \
                         order by unknown_at desc, id desc limit $1 offset $2");
        self.rows(query.int(page.limit).int(page.offset)).await?.iter().map(read).collect()
    }

    /// Since when it is not known what became of a connection's refresh token, where it is not.
    pub async fn unknown_since(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<Option<Millis>> {
        let query =
            sql("select unknown_at from refresh_intent where workspace_id = $1 and connection_id = $2 \
                         and unknown_at is not null and closed_at is null order by unknown_at limit 1");
        let row = self.row(query.text(ws.as_str()).text(id.as_str())).await?;
        row.map_or(Ok(None), |row| row.maybe_at("unknown_at"))
    }

    /// How many there are that nobody knows of.
    pub async fn any_count_unknown_refreshes(&mut self) -> Result<i64> {
        let query = sql("select count(*) as n from refresh_intent \
                         where unknown_at is not null and closed_at is null");
        self.row(query).await?.map_or(Ok(0), |row| row.int("n"))
    }

    /// Removes at most `limit` rows that were closed before `before`. Says how many.
    pub async fn any_purge_refresh_intents(&mut self, before: Millis, limit: i64) -> Result<i64> {
        let delete = sql("delete from refresh_intent where id in (select id from refresh_intent \
                          where closed_at is not null and closed_at < $1 order by closed_at limit $2)");
        self.execute(delete.at(before).int(limit)).await
    }
}

fn read(row: &Row) -> Result<Intent> {
    Ok(Intent {
        id: row.id("id", IntentId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        version: row.int("version")?,
        token_hash: row.text("token_hash")?,
        fence: row.int("fence")?,
        tries: row.int("tries")?,
        sent_at: row.at("sent_at")?,
        unknown_at: row.maybe_at("unknown_at")?,
        unknown_why: row.maybe_text("unknown_why")?,
        closed_at: row.maybe_at("closed_at")?,
        outcome: row.maybe_text("outcome")?,
    })
}
