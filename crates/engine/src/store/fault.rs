//! What a database's error becomes: a conflict where the caller can do something about it, else internal.
//!
//! The texts name tables, columns and codes, never a value: a value may be what somebody typed.

use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::error::{DatabaseError, ErrorKind};

use super::Kind;
use crate::error::{Error, Result};

/// How long PostgreSQL may take for one statement: a server behind a cut line never answers, and never says so.
const ANSWER: Duration = Duration::from_secs(20);
/// What is said when it did not come.
pub(super) const SILENT: &str = "no answer within";

/// Waits for the database's answer: of a file as long as it takes, of a server no longer than makes sense. What came of a
/// change whose answer did not come is not known.
pub(super) async fn in_time<T>(kind: Kind, work: BoxFuture<'_, sqlx::Result<T>>) -> Result<T> {
    let answered = match kind {
        Kind::Sqlite => work.await,
        Kind::Postgres => tokio::time::timeout(ANSWER, work)
            .await
            .map_err(|_| Error::internal(format!("database: {SILENT} {ANSWER:?}")))?,
    };
    answered.map_err(fault)
}

/// Turns an error of the database or its driver into ours.
pub(super) fn fault(error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(error) => refused(error.as_ref()),
        // Its own text would print the value that did not fit.
        sqlx::Error::ColumnDecode { index, .. } => {
            Error::internal(format!("database: column {index} holds something unexpected"))
        }
        sqlx::Error::Decode(_) => Error::internal("database: a row holds something unexpected"),
        sqlx::Error::Encode(_) => Error::internal("database: a value could not be bound"),
        sqlx::Error::PoolTimedOut => Error::busy(),
        other => Error::Internal(anyhow::Error::new(other).context("database")),
    }
}

/// What the store says of a row that is not as it wrote it.
pub(super) fn unreadable(column: &str) -> Error {
    Error::internal(format!("database: column {column} holds something unexpected"))
}

fn refused(error: &dyn DatabaseError) -> Error {
    let about = error.constraint().unwrap_or(error.message());
    match error.kind() {
        ErrorKind::UniqueViolation => Error::Conflict { message: taken(about).to_owned() },
        ErrorKind::ForeignKeyViolation => Error::Conflict {
            message: "it names something that does not exist in this workspace, or others still need it"
                .into(),
        },
        _ => {
            let code = error.code().unwrap_or_default().into_owned();
            // PostgreSQL's classes 22 and 23 quote the offending value.
            let quotes = code.len() == 5 && (code.starts_with("22") || code.starts_with("23"));
            let text = if quotes { "a value was refused" } else { error.message() };
            Error::internal(format!("database: {text} (code {code})"))
        }
    }
}

/// Says what is taken, from the constraint's name (PostgreSQL) or columns (SQLite).
fn taken(about: &str) -> &'static str {
    const KNOWN: [(&str, &str, &str); 8] = [
        ("integration", "slug", "an integration with this key already exists"),
        ("redirect_uri", "uri", "this redirect URI is already registered"),
        ("redirect_uri", "pkey", "this redirect URI is already registered"),
        ("app_user", "username", "a user with this name already exists"),
        ("team.", "id", "a team with this slug already exists"),
        ("team_pkey", "", "a team with this slug already exists"),
        ("operator", "username", "an operator with this name already exists"),
        ("workspace", "client_id", "a workspace with this client id already exists"),
    ];
    KNOWN
        .into_iter()
        .find(|(table, column, _)| {
            let about = about.strip_prefix("UNIQUE constraint failed: ").unwrap_or(about);
            about.starts_with(table) && about.contains(column)
        })
        .map_or("it already exists", |(_, _, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_without_a_free_connection_is_no_fault_of_the_request() {
        assert!(fault(sqlx::Error::PoolTimedOut).is_busy());
        assert!(!fault(sqlx::Error::PoolClosed).is_busy());
    }
}
