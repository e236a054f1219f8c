//! A backup is made of a live server, and another server goes on from it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    sync::atomic::{AtomicUsize, Ordering},
};

use claviger_engine::{
    store::{Kind, Store, trial},
    vault::KeyRing,
};

use crate::support::{Browser, Options, TestApp, on_each_with, value};

fn backup(url: &str, to: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    // As an operator in the folder would say it.
    command.arg("backup").arg(to.file_name().unwrap()).current_dir(to.parent().unwrap());
    command.env_clear().env("CLAVIGER_DATABASE_URL", url).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn options(keys: &str) -> Options {
    Options { keys: Some(keys.to_owned()), ..Options::default() }
}

/// Connects and calls for as long as it is let.
async fn load(app: &TestApp, connection: &str, calls: &AtomicUsize) {
    loop {
        for _ in 0..5 {
            assert_eq!(app.call(&app.acme.key, connection, "/me").await.status, 200);
            calls.fetch_add(1, Ordering::Relaxed);
        }
        let answer = Browser::new().connect(app, &app.acme, &[]).await;
        value(&answer.redirect().1, "connection_id");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_goes_on_from_the_backup_of_a_busy_one() {
    let keys = KeyRing::generate().unwrap();
    on_each_with(
        || options(keys.expose()),
        async |app| {
            if app.broker.store.kind() == Kind::Postgres {
                return;
            }
            let folder = tempfile::tempdir().unwrap();
            let to = folder.path().join("copy.db");
            let (_, pairs) = Browser::new().connect(app, &app.acme, &[]).await.redirect();
            let before = value(&pairs, "connection_id").to_owned();
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[]).await;

            let calls = AtomicUsize::new(0);
            let database = trial::file(&app.broker.store).unwrap();
            let url = format!("sqlite://{}", database.display());
            let copying = tokio::task::spawn_blocking({
                let (url, to) = (url.clone(), to.clone());
                move || backup(&url, &to)
            });
            let copied = tokio::select! {
                copied = copying => copied.unwrap(),
                () = load(app, &before, &calls) => unreachable!("it has no end"),
            };
            assert!(copied.status.success(), "{}", said(&copied));
            assert!(calls.load(Ordering::Relaxed) > 0, "calls went on meanwhile");
            assert!(said(&copied).contains("The root key is not in it"), "{}", said(&copied));
            assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the copy alone");

            // The flow that was on its way comes to its end.
            let callback = browser.consent(&leg, "alice", "allow").await;
            value(&browser.get(&callback).await.redirect().1, "connection_id");

            let again = backup(&url, &to);
            assert_eq!(again.status.code(), Some(1));
            assert!(said(&again).contains("exists already"), "{}", said(&again));

            let copy = Store::open(&format!("sqlite://{}", to.display())).await.unwrap();
            copy.migrate().await.unwrap();
            let second = TestApp::start(copy.clone(), options(keys.expose())).await;
            let answer = second.call(&app.acme.key, &before, "/me").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            second.stop().await;
            copy.close().await;
        },
    )
    .await;
}

#[test]
fn a_postgresql_database_is_left_to_its_own_tools() {
    let folder = tempfile::tempdir().unwrap();
    let refused = backup("postgres://u:canary_password@nowhere.invalid/db", &folder.path().join("b.db"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("pg_dump --format=custom"), "{}", said(&refused));
    assert!(!said(&refused).contains("canary_password"), "{}", said(&refused));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn nothing_is_made_where_there_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let refused = backup("sqlite://typo.db", &folder.path().join("b.db"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("typo.db does not exist"), "{}", said(&refused));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
