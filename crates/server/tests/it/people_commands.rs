//! The commands for users, teams and tokens: what they print, and what they say to wrong input.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use claviger_engine::{
    domain::{audit::Actor, token::UserToken},
    id::TokenId,
    store::Store,
    time::Millis,
};

/// A folder with a database that has one workspace.
struct Place {
    folder: tempfile::TempDir,
    key: String,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = command(folder.path(), &["key", "generate"]).output().unwrap();
        let place = Self { key: String::from_utf8(key.stdout).unwrap().trim().to_owned(), folder };
        place.done(&["workspace", "create", "--client-id", "acme"]);
        place
    }

    /// Exit code, stdout and stderr of a command that reads `input`.
    fn run_with(&self, words: &[&str], input: &str) -> (Option<i32>, String, String) {
        let mut running = command(self.folder.path(), words)
            .env("CLAVIGER_MASTER_KEY", &self.key)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = running.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// What a command prints that is done.
    fn done(&self, words: &[&str]) -> String {
        let (code, out, err) = self.run_with(words, "");
        assert_eq!(code, Some(0), "{words:?}: {err}");
        out
    }

    /// What a command says that is not done.
    fn refused(&self, words: &[&str]) -> String {
        let (code, out, err) = self.run_with(words, "");
        assert_eq!((code, out.as_str()), (Some(1), ""), "{words:?}: {err}");
        err
    }
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
    command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn users_are_made_changed_and_listed() {
    let place = Place::new();
    let made = place.done(&["user", "create", "ada", "--display-name", "Ada Lovelace", "--superuser"]);
    let password = made.lines().find_map(|line| line.strip_prefix("password ")).unwrap();
    assert!(made.starts_with("username ada\n") && password.len() == 20, "{made}");
    let (code, out, err) = place.run_with(
        &["user", "create", "bob", "--password-stdin", "--permission", "integration:write"],
        "canary password of bob\n",
    );
    assert_eq!((code, out.as_str()), (Some(0), "username bob\n"), "{err}");
    assert!(!err.contains("canary"), "{err}");
    let listed = || place.done(&["user", "list"]);
    assert_eq!(listed(), "ada  superuser  active  -  Ada Lovelace\nbob  integration:write  active  -  -\n");

    place.done(&[
        "user",
        "grant",
        "BOB",
        "--permission",
        "integration:share",
        "--permission",
        "integration:write",
    ]);
    let granted = place.done(&["user", "grant", "bob", "--withdraw", "integration:write", "--superuser"]);
    assert_eq!(granted, "bob  superuser\n");
    assert_eq!(place.done(&["user", "grant", "bob", "--no-superuser"]), "bob  integration:share\n");
    assert_eq!(place.done(&["user", "grant", "bob", "--withdraw", "integration:share"]), "bob  -\n");
    assert_eq!(place.done(&["user", "disable", "bob"]), "disabled bob\n");
    assert!(listed().ends_with("bob  -  disabled  -  -\n"), "{}", listed());
    assert_eq!(place.done(&["user", "enable", "bob"]), "enabled bob\n");
    assert!(listed().ends_with("bob  -  active  -  -\n"), "{}", listed());
    place.done(&["user", "disable", "bob"]);
    assert!(place.done(&["user", "reset", "bob"]).contains("password "));
    assert!(listed().ends_with("bob  -  active  -  -\n"), "a reset lets it in again: {}", listed());
}

#[test]
fn wrong_input_about_users_is_named() {
    let place = Place::new();
    place.done(&["user", "create", "ada"]);
    let all = "integration:write, integration:delete, integration:share, integration:changeOwner";
    for words in [
        &["user", "create", "eve", "--permission", "integration:wrte"] as &[_],
        &["user", "grant", "ada", "--permission", "everything"],
        &["user", "grant", "ada", "--withdraw", "integration:wrte"],
    ] {
        let told = place.refused(words);
        assert!(told.contains(all), "{words:?}: {told}");
    }
    for verb in [&["reset"] as &[_], &["disable"], &["enable"], &["grant", "--superuser"]] {
        let words = [&["user"], verb, &["nobody"]].concat();
        let told = place.refused(&words);
        assert!(told.contains("there is no user \"nobody\""), "{words:?}: {told}");
    }
    assert!(place.refused(&["user", "create", "ADA"]).contains("a user with this name already exists"));
    assert!(place.refused(&["user", "create", "team:ada"]).contains("username"));
    assert!(place.refused(&["user", "list", "--workspace", "none"]).contains("client id none"));
    let (code, _, told) = place.run_with(&["user", "create", "eve", "--password-stdin"], "canary\n");
    assert!(code == Some(1) && told.contains("password") && !told.contains("canary"), "{told}");
    let (code, _, told) = place.run_with(&["user", "grant", "ada"], "");
    assert!(code == Some(2) && told.contains("--permission"), "{told}");
    assert_eq!(place.done(&["user", "list"]), "ada  -  active  -  -\n", "nothing came of any of it");
}

#[test]
fn teams_are_made_filled_and_deleted() {
    let place = Place::new();
    for name in ["ada", "bob"] {
        place.done(&["user", "create", name]);
    }
    assert_eq!(place.done(&["team", "create", "ops", "--name", "Operations"]), "team ops\n");
    place.done(&["team", "create", "sales"]);
    assert_eq!(place.done(&["team", "add", "ops", "ada", "bob"]), "added to ops: ada, bob\n");
    place.done(&["team", "add", "sales", "ada"]);
    assert_eq!(place.done(&["team", "list"]), "ops  ada,bob  Operations\nsales  ada  sales\n");
    assert!(place.done(&["user", "list"]).starts_with("ada  -  active  ops,sales  -\n"));
    let (code, _, told) = place.run_with(&["team", "add", "ops", "ada"], "");
    assert!(code == Some(0) && told.contains("ada is in ops already"), "{told}");
    assert_eq!(place.done(&["team", "remove", "ops", "bob"]), "removed from ops: bob\n");
    assert_eq!(place.done(&["team", "delete", "sales"]), "deleted sales\n");
    assert_eq!(place.done(&["team", "list"]), "ops  ada  Operations\n");

    for (words, says) in [
        (&["team", "create", "Ops"] as &[_], "team: must be"),
        (&["team", "create", "ops"], "a team with this slug already exists"),
        (&["team", "create", "x", "--name", " "], "name"),
        (&["team", "add", "none", "ada"], "there is no team \"none\""),
        (&["team", "add", "ops", "bob", "carl"], "there is no user \"carl\""),
        (&["team", "remove", "ops", "carl"], "there is no user \"carl\""),
        (&["team", "delete", "none"], "there is no team \"none\""),
    ] {
        let told = place.refused(words);
        assert!(told.contains(says), "{words:?}: {told}");
    }
    assert_eq!(place.done(&["team", "list"]), "ops  ada  Operations\n", "all or nothing");
}

#[tokio::test]
async fn tokens_are_listed_and_revoked_without_being_shown() {
    let place = Place::new();
    for name in ["ada", "bob"] {
        place.done(&["user", "create", name]);
    }
    let url = format!("sqlite://{}", place.folder.path().join("claviger.db").display());
    let store = Store::open(&url).await.unwrap();
    let mut conn = store.begin(Actor::Cli, Millis(1_767_323_045_678)).await.unwrap();
    let workspace = conn.any_workspace_by_client_id("acme").await.unwrap().unwrap().id;
    let mut ids = Vec::new();
    for (name, token) in [("ada", "ut_aaaaaaaa"), ("ada", "ut_bbbbbbbb"), ("bob", "ut_cccccccc")] {
        let user = conn.user_by_name(&workspace, name).await.unwrap().unwrap();
        let token = UserToken {
            id: TokenId::new(),
            workspace_id: workspace.clone(),
            user_id: user.id,
            kind: "personal".into(),
            name: Some("report".into()),
            prefix: token.into(),
            hash: format!("hash-of-{token}"),
            read_only: name == "bob",
            expires_at: (name == "bob").then_some(Millis(1_767_323_045_679)),
            last_used_at: None,
            created_at: Millis(1_767_323_045_678),
        };
        ids.push(token.id.to_string());
        conn.create_user_token(&workspace, &token).await.unwrap();
    }
    conn.commit().await.unwrap();
    store.close().await;

    let listed = place.done(&["token", "list"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(
        listed.contains(&format!("{}  ut_aaaaaaaa…  ada  personal  report  active\n", ids[0])),
        "{listed}"
    );
    assert!(listed.contains("bob  personal read-only  report  expired 2026-01-02T03:04:05.679Z"), "{listed}");
    assert!(!listed.contains("hash"), "{listed}");
    assert_eq!(place.done(&["token", "list", "BOB"]).lines().count(), 1);
    // All of a token that was found somewhere, its first characters as they are shown, its id.
    let whole = "ut_aaaaaaaacanary";
    let told = place.done(&["token", "revoke", whole]);
    assert_eq!(told, format!("revoked {} of ada\n", ids[0]));
    assert_eq!(place.done(&["token", "revoke", "ut_bbbbbbbb…"]), format!("revoked {} of ada\n", ids[1]));
    assert_eq!(place.done(&["token", "revoke", &ids[2]]), format!("revoked {} of bob\n", ids[2]));
    assert_eq!(place.done(&["token", "list"]), "");
    let again = place.refused(&["token", "revoke", whole]);
    assert!(again.contains("token list") && !again.contains("canary"), "{again}");
    assert!(place.refused(&["token", "revoke", ""]).contains("token list"));
    assert!(place.refused(&["token", "list", "carl"]).contains("there is no user \"carl\""));
}
