//! The commands: what they choose, refuse, print and leave in files.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use claviger_engine::{
    domain::{
        audit::Actor,
        connection::{Account, Connection, Owner, OwnerKind, Status},
    },
    id::ConnectionId,
    store::{Choice, Store},
    time::Millis,
};

use crate::support::TWO_INTEGRATIONS;

/// Then they were made: 2026-01-02.
const MADE: Millis = Millis(1_767_323_045_000);

/// A folder with a database of one workspace, two integrations and a connection of each of these owners at the first.
struct Place {
    folder: tempfile::TempDir,
    key: String,
    ids: Vec<ConnectionId>,
}

impl Place {
    async fn new(owners: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = command(folder.path(), &["key", "generate"]).output().unwrap();
        let key = String::from_utf8(key.stdout).unwrap().trim().to_owned();
        let mut place = Self { folder, key, ids: Vec::new() };
        std::fs::write(place.folder.path().join("setup.yaml"), TWO_INTEGRATIONS).unwrap();
        place.done(&["apply", "-f", "setup.yaml"]);
        let store = place.store().await;
        let mut conn = store.begin(Actor::Cli, MADE).await.unwrap();
        let workspace = conn.any_workspaces().await.unwrap().remove(0).id;
        let integration = conn.integration_by_selector(&workspace, "first").await.unwrap().unwrap();
        for owner in owners {
            let made = Connection {
                id: ConnectionId::new(),
                workspace_id: workspace.clone(),
                integration_id: integration.id.clone(),
                owner: Owner { kind: OwnerKind::External, key: Some((*owner).to_owned()) },
                status: Status::Active,
                status_reason: None,
                scopes_asked: Vec::new(),
                scopes_granted: Vec::new(),
                account: Account::default(),
                inputs: Default::default(),
                name: None,
                auth_option: None,
                frozen_at: None,
                authorized_at: MADE,
                refreshed_at: None,
                expires_at: None,
                created_at: MADE,
                updated_at: MADE,
            };
            conn.create_connection(&workspace, &made).await.unwrap();
            place.ids.push(made.id);
        }
        conn.commit().await.unwrap();
        store.close().await;
        place
    }

    async fn store(&self) -> Store {
        Store::open(&format!("sqlite://{}", self.folder.path().join("claviger.db").display())).await.unwrap()
    }

    /// How many there are, and how many of them are frozen.
    async fn there(&self) -> (usize, usize) {
        let store = self.store().await;
        let mut conn = store.read().await.unwrap();
        let workspace = conn.any_workspaces().await.unwrap().remove(0).id;
        let all = conn.chosen_connections(&workspace, &Choice::default(), None, 99).await.unwrap();
        drop(conn);
        store.close().await;
        (all.len(), all.iter().filter(|it| it.frozen_at.is_some()).count())
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let mut command = command(self.folder.path(), words);
        let output = command.env("CLAVIGER_MASTER_KEY", &self.key).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    fn done(&self, words: &[&str]) -> String {
        let (code, out, err) = self.run(words);
        assert_eq!(code, Some(0), "{words:?}: {out}{err}");
        out
    }

    fn refused(&self, words: &[&str]) -> String {
        let (code, out, err) = self.run(words);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{words:?}: {err}");
        err
    }
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    command.env("CLAVIGER_DATABASE_URL", "sqlite://claviger.db");
    command
}

#[tokio::test]
async fn nobody_means_all_by_saying_nothing() {
    let place = Place::new(&["a", "b"]).await;
    for verb in ["freeze", "unfreeze", "revoke"] {
        let told = place.refused(&[verb, "--yes"]);
        assert!(told.contains("say which connections"), "{told}");
    }
    let told = place.refused(&["freeze", "--all"]);
    assert!(told.contains("2 connections of Acme would be frozen: say --yes"), "{told}");
    assert!(place.refused(&["freeze", "--integration", "third", "--yes"]).contains("no integration"));
    for wrong in [
        ["freeze", "--all", "--integration", "first"],
        ["freeze", "--owner", "nobody:x", "--yes"],
        ["freeze", "--before", "yesterday", "--yes"],
        ["freeze", "--status", "dead", "--yes"],
    ] {
        assert_eq!(place.run(&wrong).0, Some(2), "{wrong:?}");
    }
    assert_eq!(place.there().await, (2, 0));
}

#[tokio::test]
async fn what_is_shown_before_is_what_is_done() {
    let place = Place::new(&["a", "b", "=c"]).await;
    let id = |n: usize| place.ids[n].as_str();
    let shown = place.done(&["freeze", "--owner", "external:a", "--dry-run"]);
    assert_eq!(shown, format!("{}  chosen  first  external:a\n", id(0)));
    assert_eq!(place.there().await, (3, 0));
    assert_eq!(place.done(&["freeze", "--before", "2026-01-02", "--yes"]), "", "they are younger");
    assert_eq!(place.done(&["freeze", "--integration", "second", "--yes"]), "");
    let done = place.done(&["freeze", "--owner", "external:a", "--yes"]);
    assert_eq!(done, format!("{}  frozen  first  external:a\n", id(0)));
    place.done(&["freeze", "--after", "2026-01-02", "--before", "2026-01-03", "--yes", "--out", "r.txt"]);
    assert_eq!(place.there().await, (3, 3));
    let report = std::fs::read_to_string(place.folder.path().join("r.txt")).unwrap();
    assert_eq!(
        report.lines().map(|line| line.split("  ").nth(1).unwrap()).collect::<Vec<_>>(),
        ["unchanged", "frozen", "frozen"]
    );
    assert_eq!(place.done(&["unfreeze", "--status", "frozen", "--yes"]).lines().count(), 3);
    assert_eq!(place.there().await, (3, 0));
}

#[tokio::test]
async fn a_list_is_worked_off_and_its_report_is_whole_however_often_it_is_run() {
    let place = Place::new(&["a", "=b"]).await;
    place.done(&["revoke", "--all", "--dry-run", "--format", "csv", "--out", "list.csv"]);
    let list = std::fs::read_to_string(place.folder.path().join("list.csv")).unwrap();
    assert!(
        list.lines().count() == 3 && list.contains(",'=b,") && list.starts_with("connection_id,"),
        "{list}"
    );
    let run = || place.done(&["revoke", "--ids", "list.csv", "--yes", "--format", "json"]);
    let outcomes = |out: String| {
        let mut all: Vec<_> = out
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(line["outcome"], "skipped", "{line}");
                line["connection_id"].as_str().unwrap().to_owned()
            })
            .collect();
        all.sort();
        all
    };
    let first = outcomes(run());
    assert_eq!(first, place.ids.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(place.there().await, (0, 0));
    assert_eq!(outcomes(run()), first, "told as they ended");

    let never = ConnectionId::new();
    std::fs::write(place.folder.path().join("typo.txt"), never.as_str()).unwrap();
    let (code, out, err) = place.run(&["revoke", "--ids", "typo.txt", "--yes"]);
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.starts_with(&format!("{never}  missing")) && err.contains("1 missing"), "{out}{err}");
}
