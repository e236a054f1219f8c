//! Auth options and apps in the file: once and again, changed, pruned, and what is refused.

use claviger_engine::domain::integration::Integration;

use super::tests::Room;

const FILE: &str = r#"
workspaces:
  - client_id: acme
    name: Acme
    apps:
      - { key: ours, provider: notion, client_id: app, client_secret: canary-app-secret }
    integrations:
      - key: notion
        provider: notion
        callback: oauth-callback
        client_id: id-1
        client_secret: canary-secret-1
        auth_options:
          - { key: proxy, title: With ours, config: { proxy_key: ours } }
          - key: idp
            provider: oauth2
            client_id: id-2
            client_secret: canary-secret-2
            config: { authorize_url: https://idp.example/a, token_url: https://idp.example/t }
    webhooks:
      - { name: main, url: https://hooks.example/in, events: [connection.created], format: membrane }
"#;

async fn notion(room: &Room) -> Integration {
    let mut conn = room.store.read().await.unwrap();
    let workspace = conn.any_workspace_by_client_id("acme").await.unwrap().unwrap();
    conn.integration_by_selector(&workspace.id, "notion").await.unwrap().unwrap()
}

#[tokio::test]
async fn options_and_apps_are_made_once_and_changed_and_pruned() {
    let room = Room::new().await;
    let first = room.apply(FILE, false, true).await.unwrap();
    for made in [
        "+ workspace acme: app ours",
        "+ workspace acme: integration notion: auth option proxy",
        "+ workspace acme: integration notion: auth option idp",
    ] {
        assert!(first.iter().any(|step| step == made), "{first:?}");
    }
    assert!(first.iter().all(|step| !step.contains("canary")));
    assert_eq!(room.apply(FILE, true, true).await.unwrap(), Vec::<String>::new(), "nothing to do");
    let of = notion(&room).await;

    for (from, to, step) in [
        ("canary-app-secret", "canary-app-2", "~ workspace acme: app ours: client_secret"),
        ("With ours", "Ours", "~ workspace acme: integration notion: auth option proxy: title"),
        (
            "canary-secret-2",
            "canary-3",
            "~ workspace acme: integration notion: auth option idp: client_secret",
        ),
        ("idp.example/t", "idp.example/u", "~ workspace acme: integration notion: auth option idp: config"),
        ("format: membrane", "format: bundleup", "~ workspace acme: webhook main: format"),
    ] {
        let changed = FILE.replace(from, to);
        assert_eq!(room.apply(&changed, true, true).await.unwrap(), [step]);
        room.apply(FILE, true, true).await.unwrap();
        assert_eq!(room.apply(FILE, true, true).await.unwrap(), Vec::<String>::new(), "{to}");
    }
    assert!(notion(&room).await.version > of.version, "flows under way end");
    let turned =
        FILE.replace("          - { key: proxy, title: With ours, config: { proxy_key: ours } }\n", "");
    let turned = turned.replace(
        "    webhooks:",
        "          - { key: proxy, title: With ours, config: { proxy_key: ours } }\n    webhooks:",
    );
    let steps = room.apply(&turned, false, true).await.unwrap();
    assert_eq!(steps.len(), 2, "each has another place: {steps:?}");

    let fewer = FILE.split("        auth_options:").next().unwrap().to_owned() + "        auth_options: []\n";
    let steps = room.apply(&fewer, false, true).await.unwrap();
    assert!(steps.is_empty(), "nothing goes without --prune: {steps:?}");
    let without = fewer.replace("    apps:\n      - { key: ours, provider: notion, client_id: app, client_secret: canary-app-secret }\n", "");
    let steps = room.apply(&without, true, true).await.unwrap();
    let gone: Vec<_> = steps.iter().filter(|step| step.starts_with("- ")).map(String::as_str).collect();
    assert_eq!(
        gone,
        [
            "- workspace acme: integration notion: auth option idp",
            "- workspace acme: integration notion: auth option proxy",
            "- workspace acme: app ours",
            "- workspace acme: webhook main",
        ]
    );
}

#[tokio::test]
async fn what_is_wrong_about_them_is_said_with_its_place_and_no_secret() {
    let room = Room::new().await;
    for (from, to, said) in [
        ("proxy_key: ours", "proxy_key: theirs", "auth option proxy"),
        ("proxy_key: ours", "proxy_keys: ours", "auth_options[0].config"),
        ("- key: idp", "- key: proxy", "named twice"),
        ("{ key: ours, provider: notion,", "{ key: ours, provider: oauth2,", "app ours"),
        (
            "client_secret: canary-secret-2",
            "client_secret: \"${env:CLAVIGER_NO_SUCH}\"",
            "auth_options[1].client_secret",
        ),
        (
            "client_secret: canary-app-secret",
            "client_secret: \"${env:CLAVIGER_NO_SUCH}\"",
            "apps[0].client_secret",
        ),
        ("format: membrane", "format: canary", "format"),
    ] {
        let text = FILE.replace(from, to);
        assert_ne!(text, FILE, "{from}");
        let refusal = room.refusal(&text).await;
        assert!(refusal.contains(said) && !refusal.contains("canary"), "{said}: {refusal}");
    }
    let app_in_use = FILE.split("    apps:").next().unwrap().to_owned()
        + "    integrations:\n"
        + FILE.split("    integrations:\n").nth(1).unwrap();
    room.apply(FILE, false, true).await.unwrap();
    let kept = room.apply(&app_in_use, true, false).await.unwrap_err();
    assert!(format!("{kept:#}").contains("still connects with the app"), "{kept:#}");
}
