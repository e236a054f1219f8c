//! Processes that serve: what each says of itself, and when it was last seen.

use super::{
    Conn,
    statement::{Row, sql},
};
use crate::{domain::process::Process, error::Result, id::ProcessId, time::Millis};

impl Conn {
    /// Keeps what a process says of itself, over what it said before.
    pub async fn any_announce_process(&mut self, process: &Process) -> Result<()> {
        let upsert = sql("insert into process (id, version, key_ids, started_at, seen_at) \
                          values ($1, $2, $3, $4, $5) on conflict (id) do update set \
                          version = excluded.version, key_ids = excluded.key_ids, seen_at = excluded.seen_at");
        let upsert = upsert.text(process.id.as_str()).text(&process.version).json(&process.key_ids)?;
        self.execute(upsert.at(process.started_at).at(process.seen_at)).await.map(drop)
    }

    /// The processes seen at `since` or later, oldest first.
    pub async fn any_processes(&mut self, since: Millis) -> Result<Vec<Process>> {
        let query = sql("select * from process where seen_at >= $1 order by started_at, id").at(since);
        self.rows(query).await?.iter().map(read).collect()
    }

    /// Forgets a process that ends; `false` when it was not known.
    pub async fn any_forget_process(&mut self, id: &ProcessId) -> Result<bool> {
        Ok(self.execute(sql("delete from process where id = $1").text(id.as_str())).await? > 0)
    }

    /// Forgets processes that were last seen before `before`. Says how many.
    pub async fn any_purge_processes(&mut self, before: Millis) -> Result<i64> {
        self.execute(sql("delete from process where seen_at < $1").at(before)).await
    }
}

fn read(row: &Row) -> Result<Process> {
    Ok(Process {
        id: row.id("id", ProcessId::from_row)?,
        version: row.text("version")?,
        key_ids: row.json("key_ids")?,
        started_at: row.at("started_at")?,
        seen_at: row.at("seen_at")?,
    })
}
