//! What a newcomer does with `claviger dev`: sign in, connect in the browser, call by integration. With the binary
//! itself, from what it prints.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Method, header};
use serde_json::Value;

use super::support::{Answer, Browser};

/// A running `claviger dev`, stopped when dropped.
struct Dev {
    process: Child,
    facts: Value,
    _folder: tempfile::TempDir,
}

impl Drop for Dev {
    fn drop(&mut self) {
        self.process.kill().expect("stopped");
        self.process.wait().expect("gone");
    }
}

impl Dev {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listeners = ["--listen", "--proxy-listen", "--sandbox-listen"];
        let mut process = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .args(["dev", "--json", "--seed"])
            .args(listeners.iter().flat_map(|flag| [*flag, "127.0.0.1:0"]))
            .current_dir(folder.path())
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { facts: serde_json::from_str(&line).unwrap(), process, _folder: folder }
    }

    fn app(&self, path: &str) -> String {
        format!("{}{path}", self.facts["app_url"].as_str().unwrap())
    }

    fn password(&self) -> &str {
        self.facts["admin"]["password"].as_str().unwrap()
    }

    /// As `curl -u NAME:PASSWORD` asks.
    async fn ask(&self, username: &str, path: &str) -> Answer {
        let shown = BASE64_STANDARD.encode(format!("{username}:{}", self.password()));
        let browser = Browser::new();
        let request = browser.request(Method::GET, &self.app(path));
        browser.send(request.header(header::AUTHORIZATION, format!("Basic {shown}")), Bytes::new()).await
    }
}

#[tokio::test]
async fn a_newcomer_signs_in_connects_and_calls() {
    let dev = Dev::start();
    let browser = Browser::new();
    let sign_in = dev.app("/dev/sign-in");
    let page = browser.get(&sign_in).await;
    page.assert_page(200, "Sign in");
    let right = [("username", "Admin"), ("password", dev.password())];
    let elsewhere = browser.request(Method::POST, &sign_in).header("sec-fetch-site", "cross-site");
    assert_eq!(browser.form(elsewhere, &right).await.status, 403);
    assert_eq!(browser.submit(&sign_in, &[("username", "admin")]).await.status, 400);
    let wrong = browser.submit(&sign_in, &[("username", "admin"), ("password", "canary wrong")]).await;
    assert!(wrong.status == 401 && !wrong.text().contains("canary"), "{}", wrong.text());
    assert!(browser.cookies("127.0.0.1").is_empty());

    let signed_in = browser.submit(&sign_in, &right).await;
    assert_eq!(signed_in.status, 303);
    let begun = browser.get(&dev.app(signed_in.location())).await;
    assert_eq!(begun.status, 302, "{}", begun.text());
    let consented = browser.submit(begun.location(), &[("account", "bob"), ("decision", "allow")]).await;
    let back = browser.get(consented.location()).await;
    let done = browser.get(&dev.app(back.location().trim_start_matches(&dev.app("")))).await;
    done.assert_page(200, "Sandbox");

    let call = "/api/integrations/sandbox/request/me";
    let answer = dev.ask("admin", call).await;
    assert!(answer.status == 200 && answer.text().contains("bob@sandbox.example"), "{}", answer.text());
    let listed = dev.ask("admin", "/api/integrations").await;
    assert!(listed.status == 200 && listed.text().contains("\"sandbox\""), "{}", listed.text());

    // The user that --seed makes sees the integration through its team, and has no connection yet.
    let mut seeded = dev.ask("alice", call).await;
    for _ in 0..100 {
        if seeded.status != 401 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        seeded = dev.ask("alice", call).await;
    }
    assert!(seeded.status == 404 && seeded.text().contains("/connect"), "{}", seeded.text());
}
