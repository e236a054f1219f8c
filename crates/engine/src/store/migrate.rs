//! Bringing the schema up to date: numbered texts, forward only, each applied once.
//!
//! Whoever migrates holds a lock that other processes wait for: a file beside an SQLite database, an advisory
//! lock on PostgreSQL. All missing migrations are one transaction. A database with a newer schema than this
//! program knows is refused, not touched.

use std::{fs::File, path::Path};

use sqlx::{Any, Transaction};

use super::{
    Kind, Store,
    fault::fault,
    open::private,
    statement::{Row, Statement, sql},
};
use crate::{
    error::{Error, Result},
    vault::hash,
};

/// Every migration: its number, its name, its text. A text that was released never changes again.
const MIGRATIONS: [(i64, &str, &str); 8] = [
    (1, "foundation", include_str!("../../migrations/0001_foundation.sql")),
    (2, "delivery", include_str!("../../migrations/0002_delivery.sql")),
    (3, "people", include_str!("../../migrations/0003_people.sql")),
    (4, "customers", include_str!("../../migrations/0004_customers.sql")),
    (5, "ways", include_str!("../../migrations/0005_ways.sql")),
    (6, "life", include_str!("../../migrations/0006_life.sql")),
    (7, "log", include_str!("../../migrations/0007_log.sql")),
    (8, "dashboard", include_str!("../../migrations/0008_dashboard.sql")),
];

/// What a migration did: the schema's number before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// Before; 0 for an empty database.
    pub from: i64,
    /// After.
    pub to: i64,
}

impl Store {
    /// Applies what is missing. Safe to call from several processes at once: one works, the others wait
    /// and find nothing to do. [`Error::Conflict`] when the schema is newer than this program, or one of
    /// its migrations is not the one this program knows.
    pub async fn migrate(&self) -> Result<Migrated> {
        let _guard = match &self.file {
            Some(file) => Some(lock_beside(file).await?),
            None => None,
        };
        let mut work = self.transaction().await?;
        if self.kind == Kind::Postgres {
            // Held until the transaction ends. The second number keeps schemas of one server apart.
            let lock = "select pg_advisory_xact_lock(1129070934, hashtext(current_schema()))";
            sqlx::raw_sql(lock).execute(&mut *work).await.map_err(fault)?;
        }
        let migrated = apply(self.kind, &mut work).await?;
        work.commit().await.map_err(fault)?;
        Ok(migrated)
    }

    /// The schema's number in the database (0 when empty), and the one this program brings.
    pub async fn schema(&self) -> Result<(i64, i64)> {
        let mut work = self.write.begin().await.map_err(fault)?;
        let applied = applied(self.kind, &mut work).await?;
        work.rollback().await.map_err(fault)?;
        Ok((newest(&applied), ours()))
    }
}

async fn apply(kind: Kind, work: &mut Transaction<'static, Any>) -> Result<Migrated> {
    let applied = applied(kind, work).await?;
    let from = newest(&applied);
    check(&applied)?;
    if from == 0 {
        let table = "create table if not exists schema_migration \
                     (number bigint not null primary key, name text not null, checksum text not null)";
        sqlx::raw_sql(table).execute(&mut **work).await.map_err(fault)?;
    }
    for (number, name, text) in MIGRATIONS.into_iter().filter(|(number, ..)| *number > from) {
        sqlx::raw_sql(text).execute(&mut **work).await.map_err(fault)?;
        let insert = sql("insert into schema_migration (number, name, checksum) values ($1, $2, $3)");
        let insert = insert.int(number).text(name).text(hash::token(text));
        insert.query().execute(&mut **work).await.map_err(fault)?;
    }
    Ok(Migrated { from, to: ours() })
}

/// What was applied already: number and checksum, in order.
async fn applied(kind: Kind, work: &mut Transaction<'static, Any>) -> Result<Vec<(i64, String)>> {
    let there = match kind {
        Kind::Sqlite => {
            sql("select name from sqlite_master where type = 'table' and name = 'schema_migration'")
        }
        Kind::Postgres => sql("select cast(table_name as text) as name from information_schema.tables \
                               where table_schema = current_schema() and table_name = 'schema_migration'"),
    };
    if all(there, work).await?.is_empty() {
        return Ok(Vec::new());
    }
    let rows = all(sql("select number, checksum from schema_migration order by number"), work).await?;
    rows.iter().map(|row| Ok((row.int("number")?, row.text("checksum")?))).collect()
}

async fn all(query: Statement, work: &mut Transaction<'static, Any>) -> Result<Vec<Row>> {
    Ok(query.query().fetch_all(&mut **work).await.map_err(fault)?.into_iter().map(Row).collect())
}

fn check(applied: &[(i64, String)]) -> Result<()> {
    let found = newest(applied);
    if found > ours() {
        return Err(Error::Conflict {
            message: format!(
                "the database's schema is number {found}, this program knows up to {}: use the newer program",
                ours()
            ),
        });
    }
    for (number, name, text) in MIGRATIONS {
        let differs = |(at, sum): &(i64, String)| *at == number && *sum != hash::token(text);
        if applied.iter().any(differs) {
            return Err(Error::Conflict {
                message: format!(
                    "migration {number} ({name}) of the database is not the one of this program: \
                     it was made by another build"
                ),
            });
        }
    }
    Ok(())
}

fn newest(applied: &[(i64, String)]) -> i64 {
    applied.last().map_or(0, |(number, _)| *number)
}

fn ours() -> i64 {
    MIGRATIONS.last().map_or(0, |(number, ..)| *number)
}

/// Waits for the lock file beside a database and holds it while the answer lives.
pub(super) async fn lock_beside(file: &Path) -> Result<File> {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    let locked = tokio::task::spawn_blocking(move || {
        let lock = private().create(true).truncate(false).open(&name)?;
        lock.lock()?;
        Ok::<_, std::io::Error>(lock)
    });
    let locked = locked.await.map_err(|error| Error::Internal(error.into()))?;
    locked.map_err(|error| Error::Internal(anyhow::Error::new(error).context("the database's lock file")))
}
