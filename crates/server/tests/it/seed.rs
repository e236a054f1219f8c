//! Made-up connections: they can be called with, tell nobody, and never come beside real ones unasked.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Command, Output, Stdio},
};

use claviger_engine::{
    domain::{audit::Actor, connection::Status},
    setup::{self, Seeding},
};

use crate::support::{Reply, Stub, TWO_INTEGRATIONS, on_each};

#[tokio::test]
async fn what_is_made_up_is_called_with_like_any_other_and_tells_nobody() {
    on_each(async |app| {
        let stub = Stub::start().await;
        stub.reply("/api/x", Reply::json("[]"));
        let at = app.integrate(&app.acme, "stub", &stub.origin).await;
        let integration = app.integration(&app.acme, &at).await;
        let wanted = Seeding { integration: &integration, numbers: 0..205, of: 205 };
        let made = setup::seed(&app.broker, wanted, Actor::Cli).await.unwrap();

        let owners: BTreeSet<_> = made.iter().filter_map(|made| made.owner.key.clone()).collect();
        assert_eq!((made.len(), owners.len()), (205, 205), "an owner each");
        assert!(made.iter().all(|made| made.created_at <= app.broker.clock.now()));
        let count = |what: fn(&claviger_engine::domain::connection::Connection) -> bool| {
            made.iter().filter(|made| what(made)).count()
        };
        assert_eq!(count(|made| made.status == Status::NeedsReauth), 6);
        assert_eq!(count(|made| made.frozen_at.is_some()), 2);
        for at in [0, 99, 204] {
            let answer = app.call(&app.acme.key, made[at].id.as_str(), "/x").await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "[]"));
        }
        let refused = app.call(&app.acme.key, made[17].id.as_str(), "/x").await;
        assert_eq!(refused.status, 401, "this one needs its owner");
        let seen = stub.seen();
        let shown: BTreeSet<_> = seen.iter().map(|seen| seen.headers["authorization"].as_bytes()).collect();
        assert_eq!(shown.len(), 3, "a credential each");
        assert!(app.events(&app.acme).await.is_empty());
    })
    .await;
}

fn claviger(folder: &Path, key: &str, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(words).current_dir(folder).env_clear().env("CLAVIGER_MASTER_KEY", key);
    command.stdin(Stdio::null()).output().unwrap()
}

/// How many lines it wrote to stdout, all different, and what it said.
fn done(output: &Output) -> (usize, String) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let ids: BTreeSet<_> = lines.lines().collect();
    assert_eq!(ids.len(), lines.lines().count());
    (ids.len(), said)
}

#[test]
fn the_command_counts_on_and_stays_away_from_real_connections() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key = claviger(folder, "", &["key", "generate"]).stdout;
    let key = String::from_utf8(key).unwrap().trim().to_owned();
    std::fs::write(folder.join("setup.yaml"), TWO_INTEGRATIONS).unwrap();
    done(&claviger(folder, &key, &["apply", "-f", "setup.yaml"]));
    let seed = |words: &[&str]| {
        claviger(folder, &key, &[&["seed", "--integration", "first", "--connections"], words].concat())
    };

    assert_eq!(done(&seed(&["120", "--ids"])).0, 115, "of 120, four need their owner and one is frozen");
    let (ids, said) = done(&seed(&["7", "--integration", "second"]));
    assert!(ids == 0 && said.contains("7 connections"), "{said}");
    for wrong in [["1", "--integration", "none"], ["1", "--workspace", "none"]] {
        assert_eq!(seed(&wrong).status.code(), Some(1));
    }
    assert_eq!(seed(&["0"]).status.code(), Some(2));

    make_real(folder);
    let refused = seed(&["1"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("--force"), "{said}");
    done(&seed(&["1", "--force"]));
}

/// Turns one of them into a customer's.
#[tokio::main(flavor = "current_thread")]
async fn make_real(folder: &Path) {
    use claviger_engine::{
        domain::connection::{Connection, Owner, OwnerKind},
        store::Store,
        time::Millis,
    };
    let url = format!("sqlite://{}", folder.join("claviger.db").display());
    let store = Store::open(&url).await.unwrap();
    let mut conn = store.begin(Actor::Cli, Millis(1_767_323_045_000)).await.unwrap();
    let workspace = conn.any_workspaces().await.unwrap().remove(0).id;
    let integration = conn.integration_by_selector(&workspace, "second").await.unwrap().unwrap();
    let owner = Owner { kind: OwnerKind::External, key: Some("customer-1".to_owned()) };
    let real = Connection { owner, ..Connection::unborn(&integration, Millis(1_767_323_045_000)) };
    conn.create_connection(&workspace, &real).await.unwrap();
    conn.commit().await.unwrap();
    store.close().await;
}
