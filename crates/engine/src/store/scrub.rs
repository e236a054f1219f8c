//! Scrub: what was erased does not stay readable in SQLite's files.
//!
//! The database file itself is overwritten with zeros where something was (`secure_delete`, set in `open`). The log that is
//! written ahead still has the pages as they were; here it is emptied. Of PostgreSQL's files nothing is known.

use sqlx::Row as _;

use super::{Kind, Store, fault::fault};
use crate::error::Result;

/// Everything in the log goes into the database file, and the log is cut to nothing. Waits for nobody.
const EMPTY: &str = "pragma wal_checkpoint(truncate)";

impl Store {
    /// Empties the log, unless it is empty or somebody is at it right now: then `false`.
    pub async fn scrub(&self) -> Result<bool> {
        if self.kind != Kind::Sqlite || !self.has_log() {
            return Ok(true);
        }
        let mut link = self.write.acquire().await.map_err(fault)?;
        sqlx::raw_sql("pragma busy_timeout = 0").execute(&mut *link).await.map_err(fault)?;
        let emptied = sqlx::raw_sql(EMPTY).fetch_one(&mut *link).await;
        sqlx::raw_sql("pragma busy_timeout = 10000").execute(&mut *link).await.map_err(fault)?;
        let busy: i64 = emptied.map_err(fault)?.try_get(0).map_err(fault)?;
        Ok(busy == 0)
    }

    fn has_log(&self) -> bool {
        let Some(file) = &self.file else { return false };
        let mut log = file.clone().into_os_string();
        log.push("-wal");
        std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
    }
}
