//! Reconnect links: found by the hash of their token, and used once.

use super::{
    Conn, Topic,
    statement::{Row, sql},
};
use crate::{
    domain::reconnect_link::ReconnectLink,
    error::Result,
    id::{ConnectionId, LinkId, WorkspaceId},
    time::Millis,
};

impl Conn {
    /// Keeps a new link.
    pub async fn create_reconnect_link(&mut self, ws: &WorkspaceId, link: &ReconnectLink) -> Result<()> {
        let insert =
            sql("insert into reconnect_link (id, workspace_id, connection_id, token_hash, redirect_uri, \
                          expires_at, created_at) values ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert.text(link.id.as_str()).text(ws.as_str()).text(link.connection_id.as_str());
        let insert = insert.text(&link.token_hash).maybe_text(link.redirect_uri.as_deref());
        self.execute(insert.at(link.expires_at).at(link.created_at)).await?;
        self.sign(Some(ws), Topic::Connection, "reconnect_link.create", link.connection_id.as_str()).await
    }

    /// A link by the hash of its token, used or not: its holder shows nothing else.
    pub async fn any_reconnect_link(&mut self, token_hash: &str) -> Result<Option<ReconnectLink>> {
        let query = sql("select * from reconnect_link where token_hash = $1").key(token_hash);
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Uses a link in the browser of this hash: once, and only while it is good. Within `again` of that the same browser
    /// may once more, for a button is pressed twice at times. `None` when it can't be used.
    pub async fn any_use_reconnect_link(
        &mut self,
        token_hash: &str,
        browser_hash: &str,
        again: Millis,
    ) -> Result<Option<ReconnectLink>> {
        let update = sql("update reconnect_link set used_at = coalesce(used_at, $3), browser_hash = $2 \
                          where token_hash = $1 and expires_at > $3 and (used_at is null \
                          or browser_hash = $2 and used_at > $4) returning *");
        let update = update.key(token_hash).text(browser_hash).at(self.now).at(again);
        self.changed_row(update).await?.as_ref().map(read).transpose()
    }

    /// Makes a link good again whose use at this time by this browser came to nothing. A use before that, whose flow may
    /// be under way, is not taken back by a second press of the button.
    pub async fn release_reconnect_link(
        &mut self,
        ws: &WorkspaceId,
        id: &LinkId,
        browser_hash: &str,
        used_at: Millis,
    ) -> Result<()> {
        let update = sql("update reconnect_link set used_at = null, browser_hash = null \
                          where workspace_id = $1 and id = $2 and browser_hash = $3 and used_at = $4");
        let update = update.text(ws.as_str()).text(id.as_str()).text(browser_hash).at(used_at);
        self.execute(update).await.map(drop)
    }

    /// Forgets the links that stopped being good before this.
    pub async fn any_forget_reconnect_links(&mut self, before: Millis) -> Result<i64> {
        self.execute(sql("delete from reconnect_link where expires_at < $1").at(before)).await
    }
}

fn read(row: &Row) -> Result<ReconnectLink> {
    Ok(ReconnectLink {
        id: row.id("id", LinkId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        connection_id: row.id("connection_id", ConnectionId::from_row)?,
        token_hash: row.text("token_hash")?,
        redirect_uri: row.maybe_text("redirect_uri")?,
        expires_at: row.at("expires_at")?,
        used_at: row.maybe_at("used_at")?,
        browser_hash: row.maybe_text("browser_hash")?,
        created_at: row.at("created_at")?,
    })
}
