//! Databases for tests: an SQLite file always, and a schema of its own on PostgreSQL when
//! `CLAVIGER_TEST_POSTGRES` names a server. Never part of a release build.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it; a failure here ends one")]

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;

use super::Store;

/// Names the PostgreSQL server: `postgres://user@host/database`.
const SERVER: &str = "CLAVIGER_TEST_POSTGRES";

/// An empty database that nobody else uses.
pub struct Database {
    /// What [`Store::open`] and the configuration take.
    pub url: String,
    /// The schema to drop, and where.
    schema: Option<(String, String)>,
    _directory: Option<tempfile::TempDir>,
}

/// One fresh, empty database of each kind that is at hand.
pub async fn databases() -> Vec<Database> {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("claviger.db").display());
    let mut all = vec![Database { url, schema: None, _directory: Some(directory) }];
    #[expect(clippy::disallowed_methods, reason = "tests are told of a server by the environment")]
    if let Ok(server) = std::env::var(SERVER) {
        let schema = format!("t_{}", crate::id::LogId::new().as_str().trim_start_matches("log_"));
        statement(&server, format!("create schema {schema}")).await;
        let joint = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{joint}options[search_path]={schema}");
        all.push(Database { url, schema: Some((server, schema)), _directory: None });
    }
    all
}

impl Database {
    /// Removes it. Not called, a PostgreSQL schema stays behind.
    pub async fn remove(self) {
        if let Some((server, schema)) = &self.schema {
            statement(server, format!("drop schema {schema} cascade")).await;
        }
    }
}

/// Runs a test once per database, migrated and empty, and removes the database also when the test fails.
pub async fn on_each(test: impl AsyncFn(Store)) {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        store.migrate().await.unwrap();
        let kind = store.kind();
        let ended = AssertUnwindSafe(test(store.clone())).catch_unwind().await;
        store.close().await;
        database.remove().await;
        if let Err(panic) = ended {
            tracing::error!(?kind, "the test failed on this database");
            resume_unwind(panic);
        }
    }
}

async fn statement(server: &str, text: String) {
    use sqlx::Connection as _;
    sqlx::any::install_default_drivers();
    let mut link =
        sqlx::AnyConnection::connect(server).await.expect("CLAVIGER_TEST_POSTGRES can't be reached");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut link).await.unwrap();
    link.close().await.unwrap();
}
