//! No URL leads anywhere but below the base, or to a host that the integration allows.

use std::{net::IpAddr, sync::Arc};

use claviger_engine::outbound::{Resolver, Script};

use super::*;
use crate::support::{Options, on_each, on_each_with, upstream::Names};

/// Addresses that nobody may be led to, in the spellings that programs know: private, loopback, metadata.
const INSIDE: [&str; 24] = [
    "10.0.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    // decimal, octal, hex, short
    "167772161",
    "012000000001",
    "0x0a000001",
    "0x0a.0.0.1",
    "012.0.0.1",
    "10.1",
    "10.0.1",
    "2852039166",
    // a dot at the end, zeros in front
    "10.0.0.1.",
    "010.000.000.001",
    // IPv6, mapped and translated
    "[::1]",
    "[fd00::1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:a00:1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a00:1::]",
    // zones
    "[fe80::1%25eth0]",
    "[fe80::1]",
];

#[tokio::test]
async fn a_whole_url_below_the_base_is_asked_for() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for (behind, params, want) in [
            ("/api", json!(null), "/api"),
            ("/api?a", json!({ "b": 1 }), "/api?a&b=1"),
            ("/api/x%2Fy?q=%20&u=@z", json!(null), "/api/x%2Fy?q=%20&u=@z"),
            ("/api/https://other.test/", json!(null), "/api/https://other.test/"),
        ] {
            let asked = json!({ "url": format!("{}{behind}", up.origin), "params": params });
            let answer = post(app, &alice, &asked).await;
            assert_eq!(answer.status, 200, "{behind}: {}", answer.text());
            let seen = up.calls().pop().unwrap();
            assert_eq!(
                (seen.target.as_str(), seen.all("authorization")),
                (want, vec!["Bearer canary_alice"])
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_allowed_host_gets_the_credential_and_no_other_does() {
    let names = Names::new(&["api.cloud.test", "up.cloud.test", "hooks.cloud.test", "evil.test"]);
    let up = Upstream::secure(&names, "api.cloud.test", |head: Head, _| async move {
        let (host, shown) = (head.all("host").concat(), head.all("authorization").concat());
        say(200, &[], format!("{host} {shown}"))
    })
    .await;
    let port = up.origin.rsplit(':').next().unwrap().to_owned();
    let file = format!(
        r#"
        key = "cloud"
        name = "Cloud"
        [oauth2.endpoints]
        authorize_url = "https://api.cloud.test:{port}/authorize"
        token_url = "https://api.cloud.test:{port}/token"
        [api]
        base_url = "https://api.cloud.test:{port}/v2"
        "#
    );
    let options = || Options { providers: vec![("cloud.toml", file.clone())], ..names.options() };
    on_each_with(options, async |app| {
        let hosts = ["up", "hooks"].map(|name| format!("{name}.cloud.test:{port}"));
        let config = Config { allowed_hosts: hosts.to_vec(), ..Config::default() };
        let id = app.integrate_as(&app.acme, new_integration("drive", "cloud", config)).await;
        let alice = someone(app, &app.acme, "alice", &[]).await;
        share(app, &id, &alice).await;
        connect(app, "drive", &alice, "alice").await;
        for url in ["api.cloud.test:{}/v2/x", "up.cloud.test:{}/any/path", "hooks.cloud.test:{}/"] {
            let url = format!("https://{}", url.replace("{}", &port));
            let answer = post(app, &alice, &json!({ "url": url })).await;
            let host = url.trim_start_matches("https://").split('/').next().unwrap();
            let want = format!("{host} Bearer canary_stub_access");
            assert_eq!((answer.status.as_u16(), answer.text()), (200, want.as_str()), "{url}");
        }
        let (seen, asked) = (up.seen().len(), names.asked());
        for url in [
            "https://evil.test:{}/x",
            "https://api.cloud.test:{}/",
            "https://api.cloud.test:{}/v20/x",
            "https://api.cloud.test:{}/v2/../x",
            "https://api.cloud.test:{}/v2/%2e%2e/x",
            "https://api.cloud.test/v2/x",
            "https://up.cloud.test/x",
            "https://up.cloud.test:443/x",
            "http://up.cloud.test:{}/x",
            "HTTPS://up.cloud.test:{}/x",
            "https://UP.cloud.test:{}/x",
            "https://up.cloud.test.:{}/x",
            "https://up%2ecloud.test:{}/x",
            "https://up.cloud\u{3002}test:{}/x",
            "https://\u{fc}p.cloud.test:{}/x",
            "https://up.cloud.test:{}@evil.test:{}/x",
            "https://user:pw@up.cloud.test:{}/x",
            "https://@up.cloud.test:{}/x",
            "https://evil.test:{}\\@up.cloud.test:{}/x",
            "https://evil.test:{}#@up.cloud.test:{}/x",
            "https://evil.test:{}?@up.cloud.test:{}/x",
            "https://evil.test:{}/@up.cloud.test:{}/x",
            "https://x.up.cloud.test:{}/x",
            "https://up.cloud.test.evil.test:{}/x",
            "https:/up.cloud.test:{}/x",
            "https:up.cloud.test:{}/x",
            "https:\\\\up.cloud.test:{}\\x",
            "//up.cloud.test:{}/x",
            "//evil.test:{}/x",
            "/\\evil.test:{}/x",
            "\\\\evil.test:{}\\x",
            "\thttps://evil.test:{}/x",
            " https://evil.test:{}/x",
            "ht\ntps://evil.test:{}/x",
            "https://up.cloud.test:{}/x\r\nX-Admin: 1",
            "https://up.cloud.test:{}/x#y",
            "wss://up.cloud.test:{}/x",
            "ftp://up.cloud.test:{}/x",
            "file:///etc/passwd",
            "javascript://up.cloud.test:{}/%0aalert(1)",
            "/../x",
            "/%2e%2e/x",
            "..",
        ] {
            let url = url.replace("{}", &port);
            let answer = post(app, &alice, &json!({ "url": url })).await;
            assert_problem(&answer, 400, "");
            assert!(answer.header("claviger-request-id").is_some(), "{url}");
        }
        assert_eq!((up.seen().len(), names.asked()), (seen, asked), "no name is even looked up");
        for relative in
            ["javascript:alert(1)", "data:text/html,x", "evil.test:{}/x", "@evil.test:{}/", ".evil.test:{}/"]
        {
            let relative = relative.replace("{}", &port);
            let answer = post(app, &alice, &json!({ "url": relative })).await;
            assert_eq!(answer.status, 200, "{relative}: {}", answer.text());
            assert!(answer.text().starts_with("api.cloud.test:"), "{}", answer.text());
            assert_eq!(up.seen().pop().unwrap().target, format!("/v2/{relative}"), "it stays below the base");
        }
    })
    .await;
}

#[tokio::test]
async fn no_spelling_of_an_inner_address_is_reached_by_a_url() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for host in INSIDE {
            for url in
                [format!("https://{host}/api/x"), format!("http://{host}/api/x"), format!("https://{host}")]
            {
                assert_problem(&post(app, &alice, &json!({ "url": url })).await, 400, "");
            }
            for relative in [
                format!("//{host}/x"),
                format!("/\\{host}/x"),
                format!("https:/{host}/x"),
                format!("http:{host}"),
            ] {
                assert_problem(&post(app, &alice, &json!({ "url": relative })).await, 400, "");
            }
        }
        assert_eq!(up.calls().len(), 0);
    })
    .await;
}

/// Whoever configures an integration is no more trusted with our network than who uses it.
#[tokio::test]
async fn no_spelling_of_an_inner_address_is_reached_by_configuration() {
    on_each(async |app| {
        let up = provider(echo).await;
        let alice = someone(app, &app.acme, "root", &[]).await;
        let mut asked = [0, 0];
        for (n, host) in INSIDE.iter().enumerate() {
            let mut based = at(&up.origin);
            based.base_url = Some(format!("https://{host}/api"));
            let mut allowing = at(&up.origin);
            allowing.allowed_hosts = vec![(*host).to_owned()];
            for (kind, config, url) in
                [(0, based, "/x".to_owned()), (1, allowing, format!("https://{host}/x"))]
            {
                let key = format!("inner-{n}-{kind}");
                // What is refused when it is configured need not be refused again.
                if try_integrate(app, new_integration(&key, "oauth2", config)).await.is_err() {
                    continue;
                }
                asked[kind] += 1;
                connect(app, &key, &alice, "root").await;
                let path = format!("/api/integrations/{key}/request");
                let answer = ask(app, &alice.token, Method::POST, &path, Some(&json!({ "url": url }))).await;
                assert_problem(&answer, 400, "");
            }
        }
        assert!(asked[0] > 10 && asked[1] > 3, "some are judged when they are used: {asked:?}");
        assert_eq!(up.calls().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    let inside: IpAddr = "10.1.2.3".parse().unwrap();
    let script = move || {
        let script = Script::default().answer("inside.test", &[inside]);
        let script = script.answer("mapped.test", &["::ffff:10.1.2.3".parse().unwrap()]);
        let script = script.answer("nat64.test", &["64:ff9b::a01:203".parse().unwrap()]);
        let script = script.answer("6to4.test", &["2002:a01:203::".parse().unwrap()]);
        let script = script.answer("mixed.test", &["93.184.216.34".parse().unwrap(), inside]);
        Options { resolver: Resolver::Scripted(Arc::new(script)), ..Options::default() }
    };
    on_each_with(script, async |app| {
        let up = provider(echo).await;
        let hosts = ["inside.test", "mapped.test", "nat64.test", "6to4.test", "mixed.test"];
        let id =
            configured(app, &up, |config| config.allowed_hosts = hosts.map(str::to_owned).to_vec()).await;
        let alice = connected(app, &id, "alice").await;
        for host in hosts {
            let answer = post(app, &alice, &json!({ "url": format!("https://{host}/x") })).await;
            assert_problem(&answer, 400, "");
            assert!(!answer.text().contains("10.1.2.3"), "{}", answer.text());
        }
    })
    .await;
}

#[tokio::test]
async fn no_path_leaves_the_base() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        for path in [
            "/..",
            "/../admin",
            "/a/./b",
            "/%2e%2e/admin",
            "/.%2E/admin",
            "/%252e%252e/admin",
            "/..%2fadmin",
            "/..%5cadmin",
            "/..;/admin",
            "/%00",
            "/a%0d%0ab",
        ] {
            assert_problem(&get(app, &alice, path).await, 400, "");
            assert_problem(&post(app, &alice, &json!({ "url": path })).await, 400, "");
        }
        assert_eq!(up.calls().len(), 0);
    })
    .await;
}
