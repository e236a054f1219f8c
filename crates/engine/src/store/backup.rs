//! Copying a live SQLite database, while everything goes on.
//!
//! `vacuum into` reads one moment of the database on a connection of its own: readers and the writer go on, only
//! the write-ahead log grows meanwhile. The copy is readable by its owner alone from its first byte, has another
//! name until it was checked and is on the disk, and is gone when anything fails. PostgreSQL has its own tools.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use futures_util::future::BoxFuture;
use sqlx::{AnyConnection, Connection as _};

use super::{
    Store,
    fault::fault,
    open::{private, sqlite_url},
    statement::{Row, sql},
};
use crate::error::{Error, Result};

/// A backup that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Its size in bytes.
    pub bytes: u64,
    /// The number of its schema.
    pub schema: i64,
}

/// The name under which a copy is made; it goes, whatever became of the copy.
struct Unfinished {
    path: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished backup could not be removed");
        }
    }
}

impl Store {
    /// Copies the database to `to`, as it is at this moment, checks the copy, and returns when it is on the disk.
    /// Until then it is called `to` with `.partial` behind it. Dropped or failed, nothing stays.
    ///
    /// # Errors
    /// [`Error::Conflict`] when `to` exists or another backup to it is under way; [`Error::NotSupported`] on
    /// PostgreSQL; [`Error::Invalid`] when the file can't be made there; `Internal` when the copy fails or does
    /// not pass its check.
    pub async fn backup(&self, to: &Path) -> Result<Backup> {
        let Some(file) = &self.file else {
            let message = "a PostgreSQL database is backed up with its own tools: pg_dump".to_owned();
            return Err(Error::NotSupported { message });
        };
        // A connection of its own, not the writer's: calls go on.
        let mut link = dial(&sqlite_url(file)?).await?;
        let schema = schema(&mut link).await?;
        if schema == 0 {
            return Err(invalid("there is nothing to back up: the database is empty"));
        }
        let to = std::path::absolute(to).map_err(|error| Error::Internal(error.into()))?;
        let partial = reserve(&to)?;
        let path = partial.path.to_str().ok_or_else(|| invalid("the path is not UTF-8"))?;
        let copied: BoxFuture<'_, _> = Box::pin(sql("vacuum into $1").text(path).query().execute(&mut link));
        copied.await.map_err(fault)?;
        link.close().await.map_err(fault)?;
        check(&partial.path, schema).await?;
        let settled = tokio::task::spawn_blocking(move || settle(partial, &to));
        let bytes = settled.await.map_err(|error| Error::Internal(error.into()))??;
        Ok(Backup { bytes, schema })
    }
}

/// Makes the empty file that the copy goes into, for its owner alone.
fn reserve(to: &Path) -> Result<Unfinished> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(exists(to));
    }
    let mut name = to.file_name().ok_or_else(|| invalid("it names no file"))?.to_owned();
    name.push(".partial");
    let path = to.with_file_name(name);
    match private().create_new(true).open(&path) {
        Ok(_) => Ok(Unfinished { path }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Conflict {
            message: format!(
                "{} exists: another backup is under way, or one was cut off. Remove it if nothing writes to it",
                path.display()
            ),
        }),
        Err(error) => Err(invalid(format!("{} can't be made: {error}", path.display()))),
    }
}

/// Asks the copy whether it is whole, and of which schema.
async fn check(copy: &Path, schema: i64) -> Result<()> {
    let url = sqlite_url(copy)?.replace("?mode=rw", "?mode=ro");
    let mut link = dial(&url).await?;
    let said = one(&mut link, "pragma quick_check").await?.text("quick_check")?;
    let found = self::schema(&mut link).await?;
    link.close().await.map_err(fault)?;
    if said != "ok" || found != schema {
        return Err(Error::internal(format!("the copy is not whole: {said}, schema number {found}")));
    }
    Ok(())
}

/// The number of a database's schema; 0 when it has none.
async fn schema(link: &mut AnyConnection) -> Result<i64> {
    let there = "select count(*) as n from sqlite_master where type = 'table' and name = 'schema_migration'";
    if one(link, there).await?.int("n")? == 0 {
        return Ok(0);
    }
    one(link, "select coalesce(max(number), 0) as number from schema_migration").await?.int("number")
}

async fn one(link: &mut AnyConnection, query: &'static str) -> Result<Row> {
    let row: BoxFuture<'_, _> = Box::pin(sql(query).query().fetch_one(link));
    row.await.map(Row).map_err(fault)
}

/// Brings the copy to the disk and gives it its name. Says its size.
fn settle(partial: Unfinished, to: &Path) -> Result<u64> {
    let failed = |error| Error::Internal(anyhow::Error::new(error).context("the backup's file"));
    let bytes = (|| {
        let file = File::open(&partial.path)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    })();
    let bytes = bytes.map_err(failed)?;
    // Not renamed: that would write over a file that came to be meanwhile.
    fs::hard_link(&partial.path, to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(to),
        io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied => invalid(format!(
            "{} can't be made: the file system there takes no hard links ({error}). Back up to another one",
            to.display()
        )),
        _ => failed(error),
    })?;
    // The first name goes, and the second must last.
    drop(partial);
    to.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()).map_err(failed)?;
    Ok(bytes)
}

fn exists(to: &Path) -> Error {
    Error::Conflict { message: format!("{} exists already", to.display()) }
}

async fn dial(url: &str) -> Result<AnyConnection> {
    let dialled: BoxFuture<'_, _> = Box::pin(AnyConnection::connect(url));
    dialled.await.map_err(fault)
}

fn invalid(message: impl Into<String>) -> Error {
    Error::invalid("file", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_came_to_be_meanwhile_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("b.db");
        let partial = reserve(&to).unwrap();
        fs::write(&partial.path, "copy").unwrap();
        fs::write(&to, "theirs").unwrap();
        let refused = settle(partial, &to);
        assert!(matches!(refused, Err(Error::Conflict { .. })), "{refused:?}");
        assert_eq!(fs::read(&to).unwrap(), b"theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing of the copy stays");
    }
}
