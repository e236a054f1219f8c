//! Apply: once and again, planned and pruned, and what it refuses.

use std::path::Path;

use claviger_engine::{
    store::Page,
    time::Millis,
    vault::{KeyRing, Vault},
};

use super::*;
use claviger_catalog::Catalog;

const FILE: &str = r#"
workspaces:
  - client_id: acme
    name: Acme
    settings:
      completion: confirm
      allowed_origins: ["https://app.acme.example"]
    redirect_uris:
      - https://app.acme.example/done
      - com.acme.app:/done
    integrations:
      - key: own-idp
        provider: oauth2
        client_id: id-1
        client_secret: canary-secret-1
        scopes: [read]
        config:
          authorize_url: https://idp.acme.example/authorize
          token_url: https://idp.acme.example/token
          base_url: https://api.acme.example/v1
      - key: github
        provider: github
        callback: shared
        client_id: id-2
        client_secret: ${file:github.secret}
    users:
      - username: ada
        email: ada@acme.example
        password: canary-password-1
        superuser: true
    webhooks:
      - name: main
        url: https://hooks.acme.example/claviger
        events: [connection.created, connection.deleted]
        secret: canary-webhook-secret-0001
"#;

pub(super) struct Room {
    pub(super) store: Store,
    vault: Vault,
    catalog: Catalog,
    dir: tempfile::TempDir,
}

impl Room {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("github.secret"), "canary-secret-2\n").unwrap();
        let store = Store::open(&format!("sqlite://{}", dir.path().join("a.db").display())).await.unwrap();
        store.migrate().await.unwrap();
        let vault = Vault::new(KeyRing::parse(KeyRing::generate().unwrap().expose()).unwrap());
        Self { store, vault, catalog: Catalog::builtin().unwrap(), dir }
    }

    /// Puts a file beside the YAML.
    pub(super) fn file(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).unwrap();
    }

    pub(super) async fn apply(&self, text: &str, prune: bool, commit: bool) -> anyhow::Result<Vec<String>> {
        let wanted = file::parse(text, self.dir.path())?;
        let now = Millis(1_767_323_045_678);
        let mut conn = self.store.begin(Actor::Cli, now).await?;
        let mut to = Change { conn: &mut conn, vault: &self.vault, catalog: &self.catalog, now };
        let steps = plan::carry_out(&mut to, &wanted, prune).await?;
        if commit {
            conn.commit().await?;
        }
        Ok(steps)
    }

    pub(super) async fn refusal(&self, text: &str) -> String {
        format!("{:#}", self.apply(text, false, true).await.unwrap_err())
    }
}

#[tokio::test]
async fn a_second_run_finds_nothing_to_do() {
    let room = Room::new().await;
    let steps = room.apply(FILE, true, true).await.unwrap();
    assert_eq!(
        steps,
        [
            "+ workspace acme",
            "+ workspace acme: redirect URI https://app.acme.example/done",
            "+ workspace acme: redirect URI com.acme.app:/done",
            "+ workspace acme: integration own-idp",
            "+ workspace acme: integration github",
            "+ workspace acme: user ada",
            "+ workspace acme: webhook main",
        ]
    );
    assert_eq!(room.apply(FILE, true, true).await.unwrap(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_plan_changes_nothing() {
    let room = Room::new().await;
    assert_eq!(room.apply(FILE, false, false).await.unwrap().len(), 7);
    assert!(room.store.read().await.unwrap().any_workspaces().await.unwrap().is_empty());
}

#[tokio::test]
async fn each_difference_is_named_and_made() {
    let room = Room::new().await;
    room.apply(FILE, false, true).await.unwrap();
    for (from, to, step) in [
        ("name: Acme", "name: Acme Inc", "~ workspace acme: name"),
        ("completion: confirm", "completion: server", "~ workspace acme: settings"),
        ("scopes: [read]", "scopes: [read, write]", "~ workspace acme: integration own-idp: scopes"),
        ("canary-secret-1", "canary-secret-9", "~ workspace acme: integration own-idp: client_secret"),
        ("api.acme.example/v1", "api.acme.example/v2", "~ workspace acme: integration own-idp: config"),
        ("superuser: true", "superuser: false", "~ workspace acme: user ada: superuser"),
        ("canary-password-1", "canary-password-9", "~ workspace acme: user ada: password"),
        (
            "secret: canary-webhook-secret-0001",
            "secret: canary-webhook-secret-0009",
            "~ workspace acme: webhook main: secret",
        ),
        (
            "[connection.created, connection.deleted]",
            "[connection.created]",
            "~ workspace acme: webhook main: events",
        ),
    ] {
        let changed = FILE.replace(from, to);
        assert_ne!(changed, FILE, "{from}");
        assert_eq!(room.apply(&changed, false, true).await.unwrap(), [step]);
        assert_eq!(room.apply(&changed, false, true).await.unwrap(), [] as [&str; 0], "{to}");
        assert_eq!(room.apply(FILE, false, true).await.unwrap(), [step]);
    }
}

#[tokio::test]
async fn only_prune_removes() {
    let room = Room::new().await;
    room.apply(FILE, false, true).await.unwrap();
    let bare = "workspaces:\n  - client_id: acme\n    name: Acme\n";
    assert_eq!(room.apply(bare, false, true).await.unwrap(), [] as [&str; 0]);
    let steps = room.apply(bare, true, true).await.unwrap();
    assert_eq!(
        steps,
        [
            "- workspace acme: redirect URI com.acme.app:/done",
            "- workspace acme: redirect URI https://app.acme.example/done",
            "- workspace acme: integration own-idp",
            "- workspace acme: integration github",
            "- workspace acme: user ada (disabled)",
            "- workspace acme: webhook main",
        ]
    );
    assert_eq!(room.apply("workspaces: []", true, true).await.unwrap(), ["- workspace acme"]);
    assert!(room.store.read().await.unwrap().any_workspaces().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_wrong_thing_undoes_the_whole_run() {
    let room = Room::new().await;
    let broken = FILE.replace("https://hooks.acme.example/claviger", "http://hooks.acme.example/claviger");
    let text = room.refusal(&broken).await;
    assert!(text.contains("workspace acme: webhook main") && text.contains("https"), "{text}");
    assert!(room.store.read().await.unwrap().any_workspaces().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_place_and_without_its_value() {
    let room = Room::new().await;
    for (from, to, says) in [
        ("superuser: true", "superusr: true", "workspaces[0].users[0]"),
        ("name: Acme", "nam: Acme", "workspaces[0]"),
        ("scopes: [read]", "scopes: canary-scopes", "workspaces[0].integrations[0].scopes"),
        ("${file:github.secret}", "${file:none.secret}", "integrations[1].client_secret"),
        ("${file:github.secret}", "${env:CLAVIGER_TEST_UNSET}", "CLAVIGER_TEST_UNSET"),
        ("${file:github.secret}", "${vault:x}", "${env:NAME}"),
        ("provider: github", "provider: nowhere", "provider"),
        ("key: github", "key: Git Hub", "key"),
        ("key: github", "key: own-idp", "named twice"),
        ("com.acme.app:/done", "https://app.acme.example/#done", "fragment"),
        ("completion: confirm", "completion: maybe", "completion"),
        ("canary-password-1", "canary", "password"),
        ("events: [connection.created, connection.deleted]", "events: [created]", "connection.created"),
        ("provider: github", "provider: oauth2", "config.authorize_url"),
        ("          token_url: https", "          token_url: http", "config.token_url"),
    ] {
        let broken = FILE.replacen(from, to, 1);
        assert_ne!(broken, FILE, "{from}");
        let text = room.refusal(&broken).await;
        assert!(text.contains(says), "{to}: {text}");
        assert!(!text.contains("canary"), "{to}: {text}");
    }
}

#[tokio::test]
async fn hand_entered_endpoints_never_share_a_callback() {
    let room = Room::new().await;
    let shared = FILE.replace("        scopes: [read]", "        callback: shared\n        scopes: [read]");
    let text = room.refusal(&shared).await;
    assert!(text.contains("callback") && text.contains("own"), "{text}");
}

#[tokio::test]
async fn moved_endpoints_drop_a_secret_that_is_not_given_anew() {
    let room = Room::new().await;
    room.apply(FILE, false, true).await.unwrap();
    let moved = FILE
        .replace("https://idp.acme.example/token", "https://other.example/token")
        .replace("        client_secret: canary-secret-1\n", "");
    assert_eq!(
        room.apply(&moved, false, true).await.unwrap(),
        ["~ workspace acme: integration own-idp: config"]
    );
    let mut conn = room.store.read().await.unwrap();
    let workspace = conn.any_workspace_by_client_id("acme").await.unwrap().unwrap().id;
    let all = conn.integrations(&workspace, &Page { offset: 0, limit: 10 }).await.unwrap();
    let own = all.iter().find(|i| i.key == "own-idp").unwrap();
    assert!(own.client_secret.is_none() && own.version == 2);
}

#[test]
fn the_examples_in_the_manual_can_be_read() {
    for page in
        [include_str!("../../../../../docs/operations.md"), include_str!("../../../../../docs/users.md")]
    {
        let yaml = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        let plain = yaml.replace("${env:", "$env:").replace("${file:", "$file:");
        file::parse(&plain, Path::new(".")).unwrap();
    }
}

#[tokio::test]
async fn api_keys_are_made_replaced_and_revoked_by_name() {
    let room = Room::new().await;
    let with = |text: &str, scopes: &str| {
        let keys = format!("    api_keys:\n      - {{ name: backend, secret: {text}, scopes: {scopes} }}\n");
        FILE.replace("    integrations:\n", &format!("{keys}    integrations:\n"))
    };
    let (first, second) = (format!("ck_{}", "a".repeat(40)), format!("ck_{}", "b".repeat(40)));
    room.apply(&with(&first, "[proxy]"), false, true).await.unwrap();
    let none: [&str; 0] = [];
    assert_eq!(room.apply(&with(&first, "[proxy]"), false, true).await.unwrap(), none);
    for (again, field) in
        [(with(&first, "[proxy, read-only]"), "scopes"), (with(&second, "[proxy, read-only]"), "replaced")]
    {
        let steps = room.apply(&again, false, true).await.unwrap();
        assert_eq!(steps, [format!("~ workspace acme: API key backend: {field}")]);
    }
    assert_eq!(room.apply(FILE, true, true).await.unwrap(), ["- workspace acme: API key backend (revoked)"]);
    for wrong in ["canary-short", "ck_canary.with.dots.and.enough.characters.in.it"] {
        let text = room.refusal(&with(wrong, "[proxy]")).await;
        assert!(text.contains("API key backend") && !text.contains("canary"), "{text}");
    }
    assert!(room.refusal(&with(&first, "[everything]")).await.contains("management, proxy, read-only"));
}

#[tokio::test]
async fn a_replaced_key_stays_limited_to_its_integration() {
    let room = Room::new().await;
    room.apply(FILE, false, true).await.unwrap();
    let now = Millis(1_767_323_045_678);
    let mut conn = room.store.begin(Actor::Cli, now).await.unwrap();
    let workspace = conn.any_workspace_by_client_id("acme").await.unwrap().unwrap().id;
    let only = conn.integration_by_selector(&workspace, "github").await.unwrap().unwrap().id;
    let mut to = Change { conn: &mut conn, vault: &room.vault, catalog: &room.catalog, now };
    let limited = claviger_engine::setup::NewApiKey {
        name: "backend".into(),
        scopes: vec![claviger_engine::domain::api_key::Scope::Proxy],
        integration_id: Some(only.clone()),
        expires_at: None,
    };
    claviger_engine::setup::api_key(&mut to, &workspace, limited).await.unwrap();
    conn.commit().await.unwrap();

    let keys = format!("    api_keys:\n      - {{ name: backend, secret: ck_{} }}\n", "a".repeat(40));
    let file = FILE.replace("    integrations:\n", &format!("{keys}    integrations:\n"));
    assert_eq!(
        room.apply(&file, false, true).await.unwrap(),
        ["~ workspace acme: API key backend: replaced"]
    );
    let there = room.store.read().await.unwrap().api_keys(&workspace).await.unwrap();
    let live: Vec<_> = there.iter().filter(|key| key.revoked_at.is_none()).collect();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].integration_id, Some(only));
}
