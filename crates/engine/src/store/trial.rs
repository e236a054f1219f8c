//! Databases for tests: an SQLite file, and a schema of its own on PostgreSQL when `CLAVIGER_TEST_POSTGRES` names a server;
//! that alone when `CLAVIGER_TEST_SQLITE` is `off` besides. Never part of a release build.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "only tests use it; a failure here ends one")]

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt as _;
use sqlx::Row as _;

use super::{Kind, Store};

/// Names the PostgreSQL server: `postgres://user@host/database`.
const SERVER: &str = "CLAVIGER_TEST_POSTGRES";
/// `off` where SQLite was tried before.
const SQLITE: &str = "CLAVIGER_TEST_SQLITE";

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
    let Some(server) = told(SERVER) else { return vec![Database::file()] };
    let schema = format!("t_{}", crate::id::LogId::new().as_str().trim_start_matches("log_"));
    statement(&server, format!("create schema {schema}")).await;
    let joint = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{joint}options[search_path]={schema}");
    let postgres = Database { url, schema: Some((server, schema)), _directory: None };
    if told(SQLITE).as_deref() == Some("off") { vec![postgres] } else { vec![Database::file(), postgres] }
}

#[expect(clippy::disallowed_methods, reason = "tests are told by the environment which databases there are")]
fn told(variable: &str) -> Option<String> {
    std::env::var(variable).ok()
}

impl Database {
    fn file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("claviger.db").display());
        Self { url, schema: None, _directory: Some(directory) }
    }

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

/// Takes a table away, so that the next change that needs it fails at that point.
pub async fn lose_table(store: &Store, table: &'static str) {
    let text = format!("alter table {table} rename to {table}_lost");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&store.write).await.unwrap();
}

/// Gives a table back that [`lose_table`] took away.
pub async fn find_table(store: &Store, table: &'static str) {
    let text = format!("alter table {table}_lost rename to {table}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&store.write).await.unwrap();
}

/// Gives a table a column more, as a newer program's migration does.
pub async fn widen_table(store: &Store, table: &'static str) {
    let text = format!("alter table {table} add column of_the_future text");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&store.write).await.unwrap();
}

/// Makes every change one of a kind that only a newer program knows.
pub async fn rename_topics(store: &Store, topic: &'static str) {
    sqlx::query("update change_log set topic = $1").bind(topic).execute(&store.write).await.unwrap();
}

async fn statement(server: &str, text: String) {
    use sqlx::Connection as _;
    sqlx::any::install_default_drivers();
    let mut link =
        sqlx::AnyConnection::connect(server).await.expect("CLAVIGER_TEST_POSTGRES can't be reached");
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut link).await.unwrap();
    link.close().await.unwrap();
}

/// Every value of every table as text, each with its place, for sweeps that look for what must not be there.
pub async fn contents(store: &Store) -> Vec<(String, String)> {
    let columns = match store.kind() {
        Kind::Sqlite => {
            "select t.name as tbl, c.name as col from sqlite_master t, pragma_table_info(t.name) c \
             where t.type = 'table' and t.name not like 'sqlite_%'"
        }
        Kind::Postgres => {
            "select cast(table_name as text) as tbl, cast(column_name as text) as col \
             from information_schema.columns where table_schema = current_schema()"
        }
    };
    let mut link = store.write.acquire().await.unwrap();
    let mut all = Vec::new();
    for column in sqlx::query(columns).fetch_all(&mut *link).await.unwrap() {
        let (table, name): (String, String) = (column.get("tbl"), column.get("col"));
        let query =
            format!("select cast(\"{name}\" as text) as value from \"{table}\" where \"{name}\" is not null");
        for row in sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut *link).await.unwrap() {
            all.push((format!("{table}.{name}"), row.get("value")));
        }
    }
    all
}

/// The database's file; none for a server.
pub fn file(store: &Store) -> Option<&std::path::Path> {
    store.file.as_deref()
}

/// The bytes of the database's own files, by name; none for a server. Reading them here lets go of every lock
/// that this process holds on them (POSIX says so): never while another process uses the database.
pub fn files(store: &Store) -> Vec<(String, Vec<u8>)> {
    let Some(file) = &store.file else { return Vec::new() };
    let directory = std::fs::read_dir(file.parent().unwrap()).unwrap();
    let files = directory.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}
