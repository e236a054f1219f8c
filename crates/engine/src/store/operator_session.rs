//! Sessions of operators, and the one-time links by which the first operator is made. Operators belong to no workspace,
//! so these are `any_…`.

use super::{
    Conn,
    session::MOST,
    statement::{Row, sql},
};
use crate::{domain::operator_session::OperatorSession, error::Result, id::OperatorId, time::Millis};

impl Conn {
    /// Keeps a new session; of the operator's others the oldest go beyond a hundred.
    pub async fn any_create_operator_session(&mut self, session: &OperatorSession) -> Result<()> {
        let delete = sql("delete from operator_session where operator_id = $1 and hash not in (\
                          select hash from operator_session where operator_id = $1 \
                          order by created_at desc, hash limit $2)");
        self.execute(delete.text(session.operator_id.as_str()).int(MOST - 1)).await?;
        let insert =
            sql("insert into operator_session (hash, operator_id, proven_at, seen_at, ends_at, created_at) \
                          values ($1, $2, $3, $4, $5, $6)");
        let insert = insert.text(&session.hash).text(session.operator_id.as_str()).at(session.proven_at);
        self.execute(insert.at(session.seen_at).at(session.ends_at).at(session.created_at)).await?;
        self.audit(None, "operator.sign_in", session.operator_id.as_str()).await
    }

    /// A session by the hash of its cookie, ended or not.
    pub async fn any_operator_session(&mut self, hash: &str) -> Result<Option<OperatorSession>> {
        let query = sql("select * from operator_session where hash = $1").key(hash);
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// The sessions of an operator, the one that was used last first.
    pub async fn any_operator_sessions(&mut self, id: &OperatorId) -> Result<Vec<OperatorSession>> {
        let query =
            sql("select * from operator_session where operator_id = $1 order by seen_at desc, hash limit $2");
        self.rows(query.text(id.as_str()).int(MOST)).await?.iter().map(read).collect()
    }

    /// Keeps that a session was used `at`.
    pub async fn any_touch_operator_session(&mut self, hash: &str, at: Millis) -> Result<()> {
        let update = sql("update operator_session set seen_at = $2 where hash = $1 and seen_at < $2");
        self.execute(update.text(hash).at(at)).await.map(drop)
    }

    /// Keeps that the password was shown in a session now. `false` where there is no such session any more.
    pub async fn any_prove_operator_session(&mut self, hash: &str, id: &OperatorId) -> Result<bool> {
        let now = self.now;
        let update = sql("update operator_session set proven_at = $3 where hash = $1 and operator_id = $2");
        if self.execute(update.text(hash).text(id.as_str()).at(now)).await? == 0 {
            return Ok(false);
        }
        self.audit(None, "operator.prove", id.as_str()).await.map(|()| true)
    }

    /// Ends a session. `false` when there was none.
    pub async fn any_end_operator_session(&mut self, hash: &str) -> Result<bool> {
        let delete = sql("delete from operator_session where hash = $1 returning operator_id");
        let Some(row) = self.changed_row(delete.text(hash)).await? else { return Ok(false) };
        let id = row.id("operator_id", OperatorId::from_row)?;
        self.audit(None, "operator.sign_out", id.as_str()).await.map(|()| true)
    }

    /// Ends every session of an operator.
    pub async fn any_end_operator_sessions(&mut self, id: &OperatorId) -> Result<()> {
        self.forget_operator_sessions(id).await?;
        self.audit(None, "operator.sign_out_everywhere", id.as_str()).await
    }

    /// The same as part of a change that is signed itself.
    pub(super) async fn forget_operator_sessions(&mut self, id: &OperatorId) -> Result<()> {
        let delete = sql("delete from operator_session where operator_id = $1").text(id.as_str());
        self.execute(delete).await.map(drop)
    }

    /// Removes at most `limit` sessions that ended before `ended`, or were last used before `idle`. Says how many.
    pub async fn any_purge_operator_sessions(
        &mut self,
        ended: Millis,
        idle: Millis,
        limit: i64,
    ) -> Result<i64> {
        let delete = sql("delete from operator_session where hash in \
                          (select hash from operator_session where ends_at < $1 or seen_at < $2 limit $3)");
        self.execute(delete.at(ended).at(idle).int(limit)).await
    }

    /// Keeps a link by which the first operator is made; links that are over go.
    pub async fn any_create_setup_link(&mut self, hash: &str, ends_at: Millis) -> Result<()> {
        let now = self.now;
        self.execute(sql("delete from setup_link where ends_at <= $1").at(now)).await?;
        let insert = sql("insert into setup_link (hash, ends_at, created_at) values ($1, $2, $3)");
        self.execute(insert.text(hash).at(ends_at).at(now)).await.map(drop)
    }

    /// Until when a link is good.
    pub async fn any_setup_link(&mut self, hash: &str) -> Result<Option<Millis>> {
        let row = self.row(sql("select ends_at from setup_link where hash = $1").key(hash)).await?;
        row.map(|row| row.at("ends_at")).transpose()
    }

    /// Uses up a link, and with it all others. `false` when it is not there (any more): of two who use links at once, one
    /// is told so.
    pub async fn any_take_setup_link(&mut self, hash: &str) -> Result<bool> {
        let gone = self.changed_rows(sql("delete from setup_link returning hash")).await?;
        let mut taken = false;
        for row in &gone {
            taken |= row.text("hash")? == hash;
        }
        Ok(taken)
    }

    /// Whether there is any operator.
    pub async fn any_has_operators(&mut self) -> Result<bool> {
        Ok(self.row(sql("select id from operator limit 1")).await?.is_some())
    }
}

fn read(row: &Row) -> Result<OperatorSession> {
    Ok(OperatorSession {
        hash: row.text("hash")?,
        operator_id: row.id("operator_id", OperatorId::from_row)?,
        proven_at: row.at("proven_at")?,
        seen_at: row.at("seen_at")?,
        ends_at: row.at("ends_at")?,
        created_at: row.at("created_at")?,
    })
}
