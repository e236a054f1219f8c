//! Opening and migrating.

use std::sync::Arc;

use sqlx::any::AnyPoolOptions;

use super::*;
use crate::store::{
    Kind, Migrated,
    open::{postgres_pool, sqlite_pool, sqlite_url},
    reach::reached,
    trial::databases,
};

/// The schema's number in this program.
const OURS: i64 = 8;
/// What migrating an empty database did.
const FRESH: Migrated = Migrated { from: 0, to: OURS };

#[tokio::test]
async fn it_migrates_once_however_many_start_at_once() {
    for database in databases().await {
        let starts: Vec<_> = (0..6)
            .map(|_| {
                let url = database.url.clone();
                tokio::spawn(async move {
                    let store = Store::open(&url).await.unwrap();
                    let migrated = store.migrate().await.unwrap();
                    (store, migrated)
                })
            })
            .collect();
        let mut worked = 0;
        for start in starts {
            let (store, migrated) = start.await.unwrap();
            worked += usize::from(migrated == FRESH);
            assert!(migrated.from == migrated.to || migrated.from == 0, "{migrated:?}");
            assert_eq!(store.schema().await.unwrap(), (OURS, OURS));
            store.close().await;
        }
        assert_eq!(worked, 1);
        database.remove().await;
    }
}

#[tokio::test]
async fn a_migration_waits_while_another_process_holds_the_lock() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let open = async |name: &str| Store::open(&format!("sqlite://{}", at(name).display())).await.unwrap();
    let store = open("held.db").await;
    let held = crate::store::migrate::lock_beside(&at("held.db")).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.migrate().await.unwrap() }
    });
    // Others, whose lock is free, get done meanwhile.
    for name in ["a.db", "b.db", "c.db"] {
        assert_eq!(open(name).await.migrate().await.unwrap(), FRESH);
    }
    assert!(!waiting.is_finished());
    assert_eq!(store.schema().await.unwrap(), (0, OURS));
    drop(held);
    assert_eq!(waiting.await.unwrap(), FRESH);
}

#[tokio::test]
async fn an_empty_database_has_no_schema_and_is_not_writable() {
    for database in databases().await {
        let store = Store::open(&database.url).await.unwrap();
        assert_eq!(store.schema().await.unwrap(), (0, OURS));
        assert!(store.check_writable().await.is_err());
        store.migrate().await.unwrap();
        store.check_writable().await.unwrap();
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn a_connection_whose_transaction_ended_by_itself_is_not_used_again() {
    on_each(async |store| {
        let mut transaction = store.transaction().await.unwrap();
        // As SQLite does at a commit that finds the disk full.
        sqlx::raw_sql("rollback").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        store.check_writable().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_newer_or_altered_schema_is_refused() {
    on_each(async |store| {
        let run = async |text: &'static str| {
            sqlx::raw_sql(text).execute(&store.write).await.unwrap();
        };
        run("update schema_migration set checksum = 'other'").await;
        assert!(conflict(store.migrate().await).contains("migration 1 (foundation)"));
        run("insert into schema_migration (number, name, checksum) values (99, 'future', 'x')").await;
        let message = conflict(store.migrate().await);
        assert!(message.contains("99") && message.contains("newer program"), "{message}");
        assert_eq!(store.schema().await.unwrap(), (99, OURS));
    })
    .await;
}

#[tokio::test]
async fn the_database_tells_its_time_and_kind() {
    on_each(async |store| {
        let (before, at) = (crate::time::system_now(), store.database_time().await.unwrap());
        assert!(at.since(before).as_secs() < 60 && before.since(at).as_secs() < 60);
        assert_eq!(store.kind() == Kind::Sqlite, store.file.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_wrong_url_is_refused_without_repeating_it() {
    for url in [
        "",
        "mysql://u:hunter2@h/d",
        "sqlite://",
        "sqlite::memory:",
        "sqlite://a.db?cache=hunter2",
        "postgres://u:hunter2@:::",
    ] {
        let Err(error) = Store::open(url).await else { panic!("{url} was opened") };
        assert!(matches!(error, Error::Invalid { field: "database_url", .. }), "{url}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    let Err(error) = Store::open("sqlite:///no/such/directory/x.db").await else { panic!("it was opened") };
    assert!(error.to_string().contains("/no/such/directory/x.db"), "{error}");
}

/// What is said where these give no connection in a moment.
async fn unreached(kind: Kind, pool: AnyPoolOptions, url: &str) -> String {
    sqlx::any::install_default_drivers();
    let pool = pool.acquire_timeout(std::time::Duration::from_millis(300));
    match reached(kind, pool, url.parse().unwrap()).await {
        Err(Error::Invalid { field: "database_url", message }) => message,
        Err(other) => panic!("not Invalid: {other:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn a_server_that_can_not_be_reached_is_told_with_the_reason() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("postgres://somebody:hunter2@{free}/d");
    let message = unreached(Kind::Postgres, postgres_pool(1, Arc::default()), &url).await;
    for part in ["PostgreSQL gave no connection within 0.3 seconds", "refused", "max_connections"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(!message.contains("hunter2") && !message.contains("somebody"), "{message}");
}

#[tokio::test]
async fn a_file_that_can_not_be_written_is_told_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.db");
    let store = Store::open(&format!("sqlite://{}", file.display())).await.unwrap();
    store.migrate().await.unwrap();
    store.close().await;
    // The log can't be written there, whoever asks.
    std::fs::create_dir(directory.path().join("a.db-wal")).unwrap();
    let url = sqlite_url(&file).unwrap();
    let message = unreached(Kind::Sqlite, sqlite_pool(1, false), &url).await;
    for part in ["could not be opened within 0.3 seconds", "unable to open", "disk has room"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_sqlite_file_is_its_owners_alone_and_durable() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a b?ä%.db");
    let name = file.to_str().unwrap().replace('%', "%25").replace('?', "%3F");
    let store = Store::open(&format!("sqlite://{name}")).await.unwrap();
    store.migrate().await.unwrap();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    assert!(file.exists());
    for (pragma, expected) in [
        ("select journal_mode as v from pragma_journal_mode", "wal"),
        ("select cast(synchronous as text) as v from pragma_synchronous", "2"),
        ("select cast(foreign_keys as text) as v from pragma_foreign_keys", "1"),
        ("select cast(timeout as text) as v from pragma_busy_timeout", "10000"),
    ] {
        let mut conn = begin(&store).await;
        let row = conn.row(crate::store::statement::sql(pragma)).await.unwrap().unwrap();
        assert_eq!(row.text("v").unwrap(), expected, "{pragma}");
    }
}
