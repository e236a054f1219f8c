//! What the doctor says to installations that are well and to ones that are not.

use claviger_engine::{
    domain::audit::Actor,
    setup::{self, Change, NewUser, NewWorkspace},
    store::Store,
    time::Millis,
    vault::KeyRing,
};

use super::*;
use crate::{
    cli::open,
    config::{self, Given},
};

fn settings(pairs: &[(&str, &str)]) -> Settings {
    let pairs = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    config::load_from(&Given::default(), pairs).unwrap().settings
}

fn verdicts(findings: &[Finding], check: &str) -> Vec<Verdict> {
    findings.iter().filter(|f| f.check == check).map(|f| f.verdict).collect()
}

fn key() -> String {
    KeyRing::generate().unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_missing_database_is_not_made_by_looking() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.db");
    let url = format!("sqlite://{}", path.display());
    let findings = state::check(&settings(&[("CLAVIGER_DATABASE_URL", &url)])).await;
    assert_eq!(verdicts(&findings, "database"), [Verdict::Failure]);
    assert!(findings[0].remedy.contains("claviger migrate"));
    assert!(!path.exists());
}

#[tokio::test]
async fn the_right_key_is_told_from_a_wrong_one() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("a.db").display());
    let (right, wrong) = (key(), key());
    let with = |key: &str| settings(&[("CLAVIGER_DATABASE_URL", &url), ("CLAVIGER_MASTER_KEY", key)]);
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let (vault, catalog) = (open::vault(&with(&right)).unwrap(), open::catalog().unwrap());
    let mut conn = store.begin(Actor::Cli, Millis(1)).await.unwrap();
    let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now: Millis(1) };
    setup::workspace(&mut to, NewWorkspace { name: "A".into(), ..NewWorkspace::default() }).await.unwrap();
    conn.commit().await.unwrap();

    let well = state::check(&with(&right)).await;
    assert!(well.iter().all(|f| f.verdict == Verdict::Fine), "{well:?}");
    let ill = state::check(&with(&wrong)).await;
    assert_eq!(verdicts(&ill, "key"), [Verdict::Failure]);
    assert_eq!(verdicts(&ill, "database"), [Verdict::Fine]);
    for key in ["", "k1:short", "nonsense"] {
        let findings = state::check(&with(key)).await;
        assert_eq!(verdicts(&findings, "key"), [Verdict::Failure], "{key}");
        assert!(
            findings.iter().all(|f| !f.says.contains("short") && !f.says.contains("nonsense")),
            "{findings:?}"
        );
    }
}

#[tokio::test]
async fn users_whom_no_host_leads_to_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("a.db").display());
    let store = Store::open(&url).await.unwrap();
    store.migrate().await.unwrap();
    let (vault, catalog) = (open::idle_vault().unwrap(), open::catalog().unwrap());
    let mut conn = store.begin(Actor::Cli, Millis(1)).await.unwrap();
    let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now: Millis(1) };
    let mut made = Vec::new();
    for client_id in ["acme", "bolt"] {
        let new =
            NewWorkspace { name: "A".into(), client_id: Some(client_id.into()), ..NewWorkspace::default() };
        made.push(setup::workspace(&mut to, new).await.unwrap().0.id);
    }
    conn.commit().await.unwrap();
    let look = async |default: &str| {
        let pairs = [("CLAVIGER_DATABASE_URL", url.as_str()), ("CLAVIGER_DEFAULT_WORKSPACE", default)];
        people::check(&settings(&pairs), &store).await
    };
    assert_eq!(look("").await, [], "there are no users");

    let mut conn = store.begin(Actor::Cli, Millis(2)).await.unwrap();
    let mut to = Change { conn: &mut conn, vault: &vault, catalog: &catalog, now: Millis(2) };
    for workspace in &made {
        let user = NewUser {
            username: "ada".into(),
            display_name: None,
            email: None,
            password: None,
            superuser: false,
            permissions: Vec::new(),
        };
        setup::user(&mut to, workspace, user).await.unwrap();
    }
    conn.commit().await.unwrap();
    let both = look("").await;
    assert_eq!(verdicts(&both, "sign-in"), [Verdict::Warning]);
    assert!(both[0].says.contains("acme, bolt"), "{both:?}");
    let other = look("acme").await;
    assert_eq!(verdicts(&other, "sign-in"), [Verdict::Warning]);
    assert!(other[0].says.contains("bolt") && !other[0].says.contains("acme"), "{other:?}");
    assert_eq!(verdicts(&look("none").await, "sign-in"), [Verdict::Failure, Verdict::Warning]);

    let mut conn = store.begin(Actor::Cli, Millis(3)).await.unwrap();
    conn.set_workspace_hosts(&made[1], &["https://bolt.example".to_owned()]).await.unwrap();
    conn.commit().await.unwrap();
    assert_eq!(verdicts(&look("acme").await, "sign-in"), [Verdict::Fine]);
    assert_eq!(verdicts(&look("").await, "sign-in"), [Verdict::Warning], "acme has none yet");
    store.close().await;
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "x").unwrap();
    for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(state::privacy("key", &path).is_some(), warned, "{mode:o}");
    }
}

#[test]
fn clocks_apart_are_told() {
    let at = |ms: i64| state::clock(Millis(1_000_000), Millis(1_000_000 + ms)).verdict;
    assert_eq!([at(0), at(-1_500), at(1_500)], [Verdict::Fine; 3]);
    assert_eq!([at(5_000), at(-5_000)], [Verdict::Warning; 2]);
    assert_eq!([at(90_000), at(-90_000)], [Verdict::Failure; 2]);
}

#[test]
fn public_urls_are_https_and_apart() {
    let look = |app: &str, proxy: &str| {
        let pairs = [
            ("CLAVIGER_PUBLIC_URL", app),
            ("CLAVIGER_PROXY_PUBLIC_URL", proxy),
            ("CLAVIGER_TRUSTED_PROXIES", "10.0.0.1"),
        ];
        network::public_urls(&settings(&pairs))
    };
    let well = look("https://connect.example.com", "https://proxy.example.com");
    assert!(well.iter().all(|f| f.verdict == Verdict::Fine), "{well:?}");
    let plain = look("http://connect.example.com", "https://proxy.example.com");
    assert_eq!(verdicts(&plain, "public URL"), [Verdict::Failure]);
    for proxy in
        ["https://connect.example.com:8443", "https://proxy.connect.example.com", "https://example.com"]
    {
        let findings = look("https://connect.example.com", proxy);
        assert_eq!(verdicts(&findings, "proxy URL"), [Verdict::Warning], "{proxy}");
    }
    let unnamed = settings(&[
        ("CLAVIGER_PUBLIC_URL", "https://connect.example.com"),
        ("CLAVIGER_PROXY_PUBLIC_URL", "https://proxy.example.com"),
    ]);
    assert_eq!(verdicts(&network::public_urls(&unnamed), "public URL"), [Verdict::Fine, Verdict::Warning]);
}

#[tokio::test]
async fn a_port_is_free_or_taken_by_a_stranger() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let stranger = tokio::spawn(async move {
        while let Ok((stream, _)) = taken.accept().await {
            drop(stream);
        }
    });
    let pairs = [("CLAVIGER_LISTEN", addr.as_str()), ("CLAVIGER_PROXY_LISTEN", "127.0.0.1:0")];
    let findings = network::listeners(&settings(&pairs)).await;
    assert_eq!(verdicts(&findings, "listener"), [Verdict::Failure, Verdict::Fine]);
    assert!(findings[0].says.contains("CLAVIGER_LISTEN"), "{findings:?}");
    stranger.abort();
}

#[test]
fn a_lease_that_ends_before_an_answer_has_to_be_here_is_warned_of() {
    assert_eq!(short_lease(&settings(&[])), None);
    let short = settings(&[("CLAVIGER_REFRESH_LEASE", "29s")]);
    let found = short_lease(&short).unwrap();
    assert_eq!((found.check, found.verdict), ("refreshes", Verdict::Warning));
    assert!(found.says.contains("29s") && found.says.contains("outbound_total_timeout"), "{}", found.says);
    assert_eq!(short_lease(&settings(&[("CLAVIGER_REFRESH_LEASE", "30s")])), None);
}
