//! What settings say when they are right, and above all when they are wrong.

use std::{fs, time::Duration};

use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn file(text: &str) -> (tempfile::TempDir, Given) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("claviger.toml");
    fs::write(&path, text).unwrap();
    (dir, Given { config: Some(path), ..Given::default() })
}

fn refusal(given: &Given, pairs: &[(&str, &str)]) -> String {
    match load_from(given, env(pairs)) {
        Ok(_) => panic!("accepted: {pairs:?}"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn the_defaults_name_every_setting_and_no_other() {
    let table: toml::Table = toml::from_str(DEFAULTS).unwrap();
    let mut named: Vec<&str> = table.keys().map(String::as_str).collect();
    let mut known: Vec<&str> = KEYS.iter().map(|k| k.name).collect();
    named.sort_unstable();
    known.sort_unstable();
    assert_eq!(named, known);
    let settings = load_from(&Given::default(), []).unwrap().settings;
    assert_eq!(settings.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(settings.proxy_rate_limit, Rate::Per { count: 100, window: Duration::from_secs(60) });
    assert!(!settings.rate_limit_headers);
    assert_eq!(settings.proxy_wait_limit, Some(Duration::from_secs(3600)));
    assert_eq!(settings.request_log, Sampling { share: 10_000, full_below: 10 });
    assert_eq!(
        (settings.keep.request_log_rows, settings.keep.rollup_rows),
        (Some(1_000_000), Some(2_000_000))
    );
    let timeouts = [
        settings.outbound_connect_timeout,
        settings.outbound_header_timeout,
        settings.outbound_idle_timeout,
        settings.outbound_total_timeout,
    ];
    assert_eq!(timeouts, [5, 60, 60, 30].map(Duration::from_secs));
    assert!(settings.master_key.is_none() && settings.metrics_listen.is_none() && settings.tls.is_none());
    settings.check_public_urls().unwrap();
}

#[test]
fn threads_are_a_number_or_as_many_as_there_are_cores() {
    let read = |text: &str| {
        let given = [("CLAVIGER_PROXY_THREADS".to_owned(), text.to_owned())];
        load_from(&Given::default(), given).map(|loaded| loaded.settings.proxy_threads).ok()
    };
    assert_eq!(
        ["1", "3", "1024", "0", "1025", "-1", "many"].map(read),
        [Some(1), Some(3), Some(1024), None, None, None, None]
    );
    assert!(read("auto").is_some_and(|cores| cores >= 1));
}

#[test]
fn every_default_has_a_comment() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    for (i, line) in lines.iter().enumerate().filter(|(_, l)| l.contains(" = ")) {
        let above = lines[i - 1];
        // tls_cert and tls_key share one comment.
        assert!(above.starts_with('#') || above.starts_with("tls_cert"), "no comment above: {line}");
    }
}

#[test]
fn the_documentation_names_every_setting() {
    let page = include_str!("../../../../docs/configuration.md");
    for key in &KEYS {
        assert!(page.contains(&format!("`{}`", key.name)), "docs/configuration.md lacks {}", key.name);
    }
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let (_dir, mut given) = file("listen = \"127.0.0.1:1001\"\nproxy_listen = \"127.0.0.1:1002\"\n");
    let pairs = [("CLAVIGER_PROXY_LISTEN", "127.0.0.1:2002"), ("CLAVIGER_SANDBOX_LISTEN", "127.0.0.1:2003")];
    given.flags.insert("sandbox_listen", Secret::new("127.0.0.1:3003"));
    let settings = load_from(&given, env(&pairs)).unwrap().settings;
    let ports = [settings.listen.port(), settings.proxy_listen.port(), settings.sandbox_listen.port()];
    assert_eq!(ports, [1001, 2002, 3003]);
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let settings = load_from(&Given::default(), env(&[("CLAVIGER_LISTEN", "")])).unwrap().settings;
    assert_eq!(settings.listen.port(), 8080);
}

#[test]
fn an_unknown_key_is_refused_by_name_and_an_unknown_variable_warned_of() {
    let (_dir, given) = file("lisen = \"127.0.0.1:1001\"\n");
    let text = refusal(&given, &[]);
    assert!(text.contains("\"lisen\"") && text.contains("did you mean listen?"), "{text}");
    let loaded = load_from(
        &Given::default(),
        env(&[("CLAVIGER_LISTN", "x"), ("CLAVIGER_API_KEY", "x"), ("CLAVIGER_TEST_POSTGRES", "x")]),
    );
    let warnings = loaded.unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("CLAVIGER_LISTN") && warnings[0].contains("CLAVIGER_LISTEN"),
        "{warnings:?}"
    );
}

#[test]
fn an_error_names_the_setting_its_origin_and_what_would_be_right() {
    let (_dir, given) = file("listen = \"here\"\n");
    let text = refusal(&given, &[]);
    for part in ["listen", "\"here\"", "claviger.toml", "127.0.0.1:8080"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    for (variable, wrong, right) in [
        ("CLAVIGER_PUBLIC_URL", "https://a.example/path", "no path"),
        ("CLAVIGER_PUBLIC_URL", "https://user@a.example", "user"),
        ("CLAVIGER_PUBLIC_URL", "ftp://a.example", "https"),
        ("CLAVIGER_PROXY_RATE_LIMIT", "100", "100/60s"),
        ("CLAVIGER_PROXY_RATE_LIMIT", "0/60s", "100/60s"),
        ("CLAVIGER_PROXY_RATE_LIMIT", "1/0s", "100/60s"),
        ("CLAVIGER_PROXY_WAIT_LIMIT", "0s", "above zero"),
        ("CLAVIGER_PROXY_WAIT_LIMIT", "never", "or off"),
        ("CLAVIGER_PROXY_CONNECTION_CALLS", "0", "above zero"),
        ("CLAVIGER_PROXY_PROVIDER_CALLS", "many", "or off"),
        ("CLAVIGER_CLIENT_CONNECTIONS", "-1", "or off"),
        ("CLAVIGER_CLIENT_HEADER_TIMEOUT", "0s", "above zero"),
        ("CLAVIGER_CLIENT_IDLE_TIMEOUT", "1", "above zero"),
        ("CLAVIGER_CLIENT_BODY_TIMEOUT", "off", "above zero"),
        ("CLAVIGER_CLIENT_READ_TIMEOUT", "soon", "above zero"),
        ("CLAVIGER_TRUSTED_PROXIES", "10.0.0.0/8,ten", "10.0.0.0/8"),
        ("CLAVIGER_OUTBOUND_ALLOW", "10.0.0.0/40", "10.0.0.0/8"),
        ("CLAVIGER_REQUEST_LOG_SAMPLE", "1", "1%"),
        ("CLAVIGER_REQUEST_LOG_SAMPLE", "101%", "1%"),
        ("CLAVIGER_REQUEST_LOG_FULL_BELOW", "-1", "0 or more"),
        ("CLAVIGER_REQUEST_LOG_MAX_ROWS", "0", "off"),
        ("CLAVIGER_ROLLUP_MAX_ROWS", "many", "off"),
        ("CLAVIGER_LOG_FORMAT", "xml", "json"),
        ("CLAVIGER_LOG", "loud", "debug"),
        ("CLAVIGER_SHUTDOWN_TIMEOUT", "soon", "20s"),
        ("CLAVIGER_OUTBOUND_CONNECT_TIMEOUT", "0s", "above zero"),
        ("CLAVIGER_OUTBOUND_HEADER_TIMEOUT", "60", "above zero"),
        ("CLAVIGER_OUTBOUND_IDLE_TIMEOUT", "0ms", "above zero"),
        ("CLAVIGER_OUTBOUND_TOTAL_TIMEOUT", "long", "above zero"),
        ("CLAVIGER_METRICS_LISTEN", "on", "off"),
        ("CLAVIGER_DATABASE_URL", "mysql://a", "sqlite://"),
        ("CLAVIGER_TLS_CERT", "a.pem", "tls_key"),
    ] {
        let text = refusal(&Given::default(), &[(variable, wrong)]);
        assert!(text.contains(right), "{variable}={wrong}: {text}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    let canary = "canary-3f9a";
    for text in [
        refusal(&Given::default(), &[("CLAVIGER_DATABASE_URL", &format!("mysql://u:{canary}@h"))]),
        refusal(&Given::default(), &[("CLAVIGER_MASTER_KEY", canary), ("CLAVIGER_MASTER_KEY_FILE", "f")]),
        refusal(&file(&format!("master_key = {canary}\n")).1, &[]),
        refusal(&file(&format!("master_key = {{ a = \"{canary}\" }}\n")).1, &[]),
    ] {
        assert!(!text.contains(canary), "{text}");
    }
    let url = format!("postgres://user:{canary}@db.example/claviger?password={canary}");
    let settings = load_from(&Given::default(), env(&[("CLAVIGER_DATABASE_URL", &url)])).unwrap().settings;
    assert_eq!(settings.database_shown(), "postgres://user:***@db.example/claviger");
}

#[test]
fn a_missing_file_is_an_error_only_when_it_was_asked_for() {
    let given = Given { config: Some("/nowhere/claviger.toml".into()), ..Given::default() };
    assert!(refusal(&given, &[]).contains("/nowhere/claviger.toml"));
}

#[test]
fn http_is_for_loopback_only() {
    for (url, fine) in [
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080", true),
        ("http://localhost", true),
        ("http://connect.localhost:1", true),
        ("https://connect.example.com", true),
        ("http://connect.example.com", false),
        ("http://localhost.example.com", false),
        ("http://10.0.0.1", false),
        ("http://0.0.0.0:8080", false),
    ] {
        for name in ["CLAVIGER_PUBLIC_URL", "CLAVIGER_PROXY_PUBLIC_URL"] {
            let settings = load_from(&Given::default(), env(&[(name, url)])).unwrap().settings;
            assert_eq!(settings.check_public_urls().is_ok(), fine, "{name}={url}");
        }
    }
}

#[test]
fn a_key_file_is_read_trimmed_and_its_absence_explained() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, "k1:abc\n").unwrap();
    let pairs = [("CLAVIGER_MASTER_KEY_FILE", path.to_str().unwrap())];
    let key = load_from(&Given::default(), env(&pairs)).unwrap().settings.master_key.unwrap();
    assert_eq!(key.read().ok().unwrap().expose(), "k1:abc");
    fs::remove_file(&path).unwrap();
    let text = key.read().err().unwrap().to_string();
    assert!(text.contains("master_key_file (from CLAVIGER_MASTER_KEY_FILE)"), "{text}");
}
