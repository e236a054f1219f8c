//! Health: what is known of a connection's life, and what is noted of it by the way.
//!
//! Notes here change nothing that a call depends on, so that no other process is told of them.

use std::collections::BTreeMap;

use super::{
    Conn,
    conn::found,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::health::{Expiring, Health},
    error::Result,
    id::{ConnectionId, WorkspaceId},
    time::Millis,
};

/// The longest time ahead that an owner is told of a refresh token's death, in milliseconds; a quarter of the token's
/// life where that is shorter.
const AHEAD: i64 = 7 * 86_400_000;

/// How many connections are asked for at once: as many as a list has on a page.
const TOGETHER: usize = 100;

/// How these connections are doing: places for [`TOGETHER`] ids, of which the last may be empty.
pub(super) const OF_SOME: &str = "select n.id, n.last_used_at, n.verified_at, n.account_note, c.obtained_at, \
         c.expires_at, c.refresh_expires_at, coalesce(s.failures, 0) as failures, s.retry_at, s.failure, \
         (select min(i.unknown_at) from refresh_intent i where i.workspace_id = n.workspace_id \
         and i.connection_id = n.id and i.unknown_at is not null and i.closed_at is null) as unknown_at \
         from connection n \
         left join credential c on c.workspace_id = n.workspace_id and c.connection_id = n.id \
         left join refresh_state s on s.workspace_id = n.workspace_id and s.connection_id = n.id \
         where n.workspace_id = $1 and n.id in (\
         $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, \
         $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, \
         $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, \
         $62, $63, $64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77, $78, $79, $80, $81, \
         $82, $83, $84, $85, $86, $87, $88, $89, $90, $91, $92, $93, $94, $95, $96, $97, $98, $99, $100, $101)";

impl Conn {
    /// How a connection is doing; nothing but blanks for one that is not there.
    pub async fn health(&mut self, ws: &WorkspaceId, id: &ConnectionId) -> Result<Health> {
        Ok(self.healths(ws, &[id]).await?.remove(id).unwrap_or_default())
    }

    /// How each of these connections is doing, by its id; those that are not there are left out. A page of a list takes
    /// one statement.
    pub async fn healths(
        &mut self,
        ws: &WorkspaceId,
        ids: &[&ConnectionId],
    ) -> Result<BTreeMap<ConnectionId, Health>> {
        let mut healths = BTreeMap::new();
        for ids in ids.chunks(TOGETHER) {
            let places = ids.iter().map(|id| Some(id.as_str())).chain(std::iter::repeat(None)).take(TOGETHER);
            let query = places.fold(sql(OF_SOME).text(ws.as_str()), Statement::maybe_text);
            for row in self.rows(query).await? {
                healths.insert(row.id("id", ConnectionId::from_row)?, read(&row)?);
            }
        }
        Ok(healths)
    }

    /// Notes that a connection was used; an older note is written over, a newer one stays.
    pub async fn note_used(&mut self, ws: &WorkspaceId, id: &ConnectionId, at: Millis) -> Result<()> {
        let update = sql("update connection set last_used_at = $3 where workspace_id = $1 and id = $2 \
                          and (last_used_at is null or last_used_at < $3)");
        self.execute(update.text(ws.as_str()).text(id.as_str()).at(at)).await.map(drop)
    }

    /// Notes of a connection that was just authorized how long its refresh token has to live, in milliseconds and where
    /// that is known, and what came of comparing its account with the one before.
    pub async fn note_grant(
        &mut self,
        ws: &WorkspaceId,
        id: &ConnectionId,
        refresh_life: Option<i64>,
        account_note: Option<&str>,
    ) -> Result<()> {
        let update = sql("update connection set refresh_life = $3, account_note = $4 \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(id.as_str()).maybe_int(refresh_life);
        found(self.execute(update.maybe_text(account_note)).await?, "connection")
    }

    /// The active connections whose refresh token dies soon and whose owners were not told of this death, soonest first.
    ///
    /// A token that each refresh puts further off is not about to die while there are refreshes: what counts is the life
    /// that the first one had. Of one death it is told once, though its time shifts a little with each refresh.
    pub async fn any_expiring(&mut self, now: Millis, limit: i64) -> Result<Vec<Expiring>> {
        let query = sql("select c.workspace_id, c.connection_id, c.refresh_expires_at from credential c \
                         join connection n on n.workspace_id = c.workspace_id and n.id = c.connection_id \
                         where c.refresh_expires_at is not null and c.refresh_expires_at > $1 \
                         and c.refresh_expires_at <= $1 + $2 and n.status = 'active' \
                         and c.refresh_expires_at - $1 \
                         <= coalesce(n.refresh_life, c.refresh_expires_at - c.obtained_at) / 4 \
                         and (n.expiring_told is null or c.refresh_expires_at - n.expiring_told \
                         > case when coalesce(n.refresh_life, c.refresh_expires_at - c.obtained_at) / 4 < $2 \
                         then coalesce(n.refresh_life, c.refresh_expires_at - c.obtained_at) / 4 else $2 end) \
                         order by c.refresh_expires_at, c.connection_id limit $3");
        let expiring = |row: &Row| {
            Ok(Expiring {
                workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
                connection_id: row.id("connection_id", ConnectionId::from_row)?,
                dies_at: row.at("refresh_expires_at")?,
            })
        };
        self.rows(query.at(now).int(AHEAD).int(limit)).await?.iter().map(expiring).collect()
    }

    /// Notes of which death an owner is told; `false` when that was done meanwhile, or the token is another by now.
    pub async fn note_expiring(&mut self, ws: &WorkspaceId, told: &Expiring) -> Result<bool> {
        let update = sql("update connection set expiring_told = $3 where workspace_id = $1 and id = $2 \
                          and status = 'active' and (expiring_told is null or expiring_told < $3) \
                          and exists (select 1 from credential c where c.workspace_id = $1 \
                          and c.connection_id = $2 and c.refresh_expires_at = $3)");
        let update = update.text(ws.as_str()).text(told.connection_id.as_str()).at(told.dies_at);
        Ok(self.execute(update).await? > 0)
    }
}

fn read(row: &Row) -> Result<Health> {
    Ok(Health {
        last_used_at: row.maybe_at("last_used_at")?,
        obtained_at: row.maybe_at("obtained_at")?,
        expires_at: row.maybe_at("expires_at")?,
        refresh_expires_at: row.maybe_at("refresh_expires_at")?,
        failures: row.int("failures")?,
        retry_at: row.maybe_at("retry_at")?,
        failure: row.maybe_text("failure")?,
        unknown_since: row.maybe_at("unknown_at")?,
        verified_at: row.maybe_at("verified_at")?,
        account_note: row.maybe_text("account_note")?,
    })
}
