//! Nothing but a registered redirect URI is ever redirected to, in success or in error, however alike it looks.

use claviger_engine::domain::workspace::Completion;
use http::Method;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use crate::support::{
    Answer, Browser, CB, COMPLETIONS, Options, TestApp, encode, on_each, on_each_with, value,
};

/// What looks like `https://app.test/cb` and is not.
pub const LOOK_ALIKES: &[&str] = &[
    // scheme
    "http://app.test/cb",
    "HTTPS://app.test/cb",
    "Https://app.test/cb",
    "https:app.test/cb",
    "https:/app.test/cb",
    "https:///app.test/cb",
    "//app.test/cb",
    "app.test/cb",
    "ftp://app.test/cb",
    "javascript:alert(1)//app.test/cb",
    "javascript://app.test/cb%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "https+x://app.test/cb",
    "view-source:https://app.test/cb",
    // host
    "https://app.test.evil.test/cb",
    "https://evil.test/app.test/cb",
    "https://evil.test/?https://app.test/cb",
    "https://evil-app.test/cb",
    "https://xapp.test/cb",
    "https://a.app.test/cb",
    "https://*.test/cb",
    "https://app.tes/cb",
    "https://app.testt/cb",
    "https://app.test./cb",
    "https://.app.test/cb",
    "https://app..test/cb",
    "https://APP.test/cb",
    "https://app.TEST/cb",
    "https://\u{430}pp.test/cb",
    "https://app.te\u{15f}t/cb",
    "https://\u{ff41}pp.test/cb",
    "https://app\u{3002}test/cb",
    "https://app\u{ff0e}test/cb",
    "https://ap\u{ad}p.test/cb",
    "https://xn--pp-6kc.test/cb",
    "https://app%2etest/cb",
    "https://%61pp.test/cb",
    "https://app.test%00.evil.test/cb",
    "https://app.test%2f@evil.test/cb",
    "https://localhost/cb",
    "https://127.0.0.1/cb",
    "http://127.0.0.1:1/cb",
    "http://[::1]/cb",
    // port
    "https://app.test:443/cb",
    "https://app.test:80/cb",
    "https://app.test:/cb",
    "https://app.test:0443/cb",
    "https://app.test:8443/cb",
    // userinfo
    "https://app.test@evil.test/cb",
    "https://app.test:x@evil.test/cb",
    "https://@app.test/cb",
    "https://evil@app.test/cb",
    "https://app.test\\@evil.test/cb",
    "https://evil.test\\@app.test/cb",
    "https://app.test%40evil.test/cb",
    "https://evil.test#@app.test/cb",
    "https://evil.test?@app.test/cb",
    // path
    "https://app.test",
    "https://app.test/",
    "https://app.test/c",
    "https://app.test/cb/",
    "https://app.test/cb/x",
    "https://app.test/cbx",
    "https://app.test/CB",
    "https://app.test//cb",
    "https://app.test/./cb",
    "https://app.test/x/../cb",
    "https://app.test/cb/..",
    "https://app.test/cb/../evil",
    "https://app.test/cb/%2e%2e/evil",
    "https://app.test/%63b",
    "https://app.test/c%62",
    "https://app.test/cb%2f",
    "https://app.test%2fcb",
    "https://app.test/cb;x=1",
    "https://app.test/cb.",
    "https://app.test\\cb",
    "https:\\\\app.test\\cb",
    "/cb",
    "\\\\app.test\\cb",
    "/\\app.test/cb",
    // query and fragment
    "https://app.test/cb?",
    "https://app.test/cb?x=1",
    "https://app.test/cb?next=https://evil.test",
    "https://app.test/cb&x=1",
    "https://app.test/cb#",
    "https://app.test/cb#x",
    "https://app.test/cb#/../evil",
    "https://app.test/cb%3Fx=1",
    "https://app.test/cb%23x",
    // white space, control characters, encodings
    " https://app.test/cb",
    "https://app.test/cb ",
    "\thttps://app.test/cb",
    "https://app.test/cb\t",
    "https://app.test/cb\n",
    "\nhttps://app.test/cb",
    "https://app.test/\ncb",
    "ht\ttps://app.test/cb",
    "https://app\t.test/cb",
    "https://app.test/cb\r\nLocation: https://evil.test",
    "https://app.test/cb\u{a0}",
    "https://app.test/cb\u{200b}",
    "https://app.test/cb\u{202e}",
    "\u{feff}https://app.test/cb",
    "https://app.test/cb%0d%0aset-cookie:a=b",
    "https%3A%2F%2Fapp.test%2Fcb",
    "https://app.test/c\u{0062}\u{0301}",
    // more than one
    "https://app.test/cb,https://evil.test",
    "https://app.test/cb https://evil.test",
    "https://app.test/cbhttps://app.test/cb",
    "[\"https://app.test/cb\"]",
    "*",
    "https://*",
    "about:blank",
    "null",
];

async fn refuse(app: &TestApp, browser: &Browser, uri: &str) {
    // Each also with something else wrong, which must not open another way out.
    for more in [&[][..], &[("integration_id", "nosuch")], &[("external_id", "u"), ("state", "s")]] {
        let mut pairs = vec![("redirect_uri", uri)];
        pairs.extend_from_slice(more);
        let answer = browser.get(&app.authorize_url(&app.acme, &pairs)).await;
        answer.assert_page(400, "redirect_uri");
        assert!(answer.headers.get("refresh").is_none(), "{uri}");
        assert!(!answer.text().contains("http-equiv=\"refresh\""), "{uri}");
    }
}

#[tokio::test]
async fn a_look_alike_is_never_redirected_to() {
    assert!(LOOK_ALIKES.len() >= 60);
    on_each(async |app| {
        let browser = Browser::new();
        for uri in LOOK_ALIKES {
            refuse(app, &browser, uri).await;
        }
        let well = browser.get(&app.authorize_url(&app.acme, &[])).await;
        assert_eq!(well.status, 302, "the registered one is");
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);
    })
    .await;
}

#[tokio::test]
async fn dev_takes_loopback_and_no_look_alike() {
    let dev = || Options { dev: true, ..Options::default() };
    on_each_with(dev, async |app| {
        let browser = Browser::new();
        let loopback = ["http://127.0.0.1:1/cb", "http://[::1]/cb"];
        for uri in LOOK_ALIKES.iter().filter(|uri| !loopback.contains(uri)) {
            refuse(app, &browser, uri).await;
        }
        for uri in loopback {
            assert_eq!(
                browser.get(&app.authorize_url(&app.acme, &[("redirect_uri", uri)])).await.status,
                302
            );
        }
        for uri in [
            "http://127.0.0.1.evil.test/",
            "http://127.0.0.1@evil.test/",
            "http://2130706433.evil.test/",
            "https://127.0.0.1/",
        ] {
            refuse(app, &browser, uri).await;
        }
    })
    .await;
}

#[tokio::test]
async fn another_workspaces_redirect_uri_is_not_ours() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        app.register(&other, "https://other.test/cb").await;
        refuse(app, &Browser::new(), "https://other.test/cb").await;
    })
    .await;
}

#[tokio::test]
async fn a_redirect_uri_given_twice_is_refused() {
    on_each(async |app| {
        for second in [CB, "https://evil.test/"] {
            for name in ["redirect_uri", "redirect%5Furi"] {
                let url = app.authorize_url(&app.acme, &[]);
                let value = encode(&[("", second)]);
                let answer = Browser::new().get(&format!("{url}&{name}{value}")).await;
                answer.assert_page(400, "given more than once");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_redirect_uri_struck_off_meanwhile_is_not_redirected_to() {
    on_each(async |app| {
        let gone = "https://app.test/gone";
        let strike = async || {
            app.change(async |to| to.conn.remove_redirect_uri(&app.acme.workspace, gone).await).await;
        };
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            for decision in ["allow", "deny"] {
                app.register(&app.acme, gone).await;
                let browser = Browser::new();
                let leg =
                    browser.set_out(app, &app.acme, &[("redirect_uri", gone), ("external_id", "u")]).await;
                let back = browser.consent(&leg, "alice", decision).await;
                strike().await;
                browser.get(&back).await.assert_page(400, "not registered any more");
            }
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;

        app.register(&app.acme, gone).await;
        let browser = Browser::new();
        app.complete(&app.acme, Completion::Confirm).await;
        let began = browser.get(&app.authorize_url(&app.acme, &[("redirect_uri", gone)])).await;
        let url = format!("{}{}", app.origin, began.location());
        strike().await;
        browser.get(&url).await.assert_page(400, "not registered any more");
        for decision in ["continue", "cancel"] {
            let answer = browser.submit(&url, &[("decision", decision)]).await;
            answer.assert_page(400, "not registered any more");
        }

        app.register(&app.acme, gone).await;
        app.complete(&app.acme, Completion::Redirect).await;
        let leg = browser.set_out(app, &app.acme, &[("redirect_uri", gone), ("external_id", "u")]).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        assert_eq!(browser.get(&back).await.status, 302);
        strike().await;
        browser.get(&back).await.assert_page(400, "not registered any more");
    })
    .await;
}

/// One change of a registered URI.
#[derive(Debug, Clone)]
enum Change {
    Insert(usize, char),
    Remove(usize),
    Replace(usize, char),
    Swap(usize),
    Encode(usize),
    Case(usize),
    Append(String),
    Prepend(String),
    Double,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let special = prop::sample::select(
        "/\\@:?#.%&=;, \t\n\r\0[]*-_~+aA0\u{430}\u{3002}\u{202e}".chars().collect::<Vec<_>>(),
    );
    let one = prop_oneof![
        (any::<usize>(), special.clone()).prop_map(|(at, c)| Change::Insert(at, c)),
        any::<usize>().prop_map(Change::Remove),
        (any::<usize>(), special).prop_map(|(at, c)| Change::Replace(at, c)),
        any::<usize>().prop_map(Change::Swap),
        any::<usize>().prop_map(Change::Encode),
        any::<usize>().prop_map(Change::Case),
        "[ -~]{1,20}".prop_map(Change::Append),
        "[ -~]{1,20}".prop_map(Change::Prepend),
        Just(Change::Double),
    ];
    prop::collection::vec(one, 0..4)
}

fn apply(uri: &str, changes: &[Change]) -> String {
    let mut chars: Vec<char> = uri.chars().collect();
    for change in changes {
        let length = chars.len().max(1);
        match change {
            Change::Insert(at, c) => chars.insert(at % (chars.len() + 1), *c),
            Change::Remove(at) if !chars.is_empty() => drop(chars.remove(at % length)),
            Change::Replace(at, c) if !chars.is_empty() => chars[at % length] = *c,
            Change::Swap(at) if chars.len() > 1 => chars.swap(at % (length - 1), at % (length - 1) + 1),
            Change::Encode(at) if !chars.is_empty() => {
                let at = at % length;
                let encoded: String = chars[at].to_string().bytes().map(|b| format!("%{b:02x}")).collect();
                chars.splice(at..=at, encoded.chars());
            }
            Change::Case(at) if !chars.is_empty() => {
                let c = &mut chars[at % length];
                *c = if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            }
            Change::Append(text) => chars.extend(text.chars()),
            Change::Prepend(text) => drop(chars.splice(0..0, text.chars())),
            Change::Double => chars.extend(chars.clone()),
            _ => {}
        }
    }
    chars.into_iter().collect()
}

#[tokio::test]
async fn a_mutated_redirect_uri_is_redirected_to_only_when_equal() {
    on_each(async |app| {
        let registered = ["https://app.test/cb", "https://app.test/cb?tenant=7", "com.example.app:/done"];
        for uri in &registered[1..] {
            app.register(&app.acme, uri).await;
        }
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let strategy = (prop::sample::select(registered.to_vec()), changes());
        let (mut equal, mut unequal) = (0, 0);
        for _ in 0..300 {
            let (uri, changes) = strategy.new_tree(&mut runner).expect("a tree").current();
            let mutated = apply(uri, &changes);
            // A refused integration makes a flow that began go nowhere but to the page or the target itself.
            let began =
                Browser::new().get(&app.authorize_url(&app.acme, &[("redirect_uri", &mutated)])).await;
            if registered.contains(&mutated.as_str()) {
                assert_eq!(began.status, 302, "{mutated:?}");
                equal += 1;
            } else {
                assert_eq!(began.status, 400, "{mutated:?} of {uri} by {changes:?}");
                assert!(began.headers.get("location").is_none(), "{mutated:?} of {uri} by {changes:?}");
                unequal += 1;
            }
        }
        assert!(equal > 10 && unequal > 150, "both happen: {equal} and {unequal}");
    })
    .await;
}

/// Asserts how a redirect is answered: its status by method, never kept, no referrer.
#[track_caller]
fn assert_redirect(answer: &Answer, method: &Method, what: &str) {
    let want = if method == Method::GET { 302 } else { 303 };
    assert_eq!(answer.status, want, "{what}: {}", answer.text());
    assert!(!answer.location().is_empty(), "{what}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{what}");
    assert!(answer.body.is_empty(), "{what} says nothing more");
}

#[tokio::test]
async fn every_redirect_is_302_or_303_and_leaves_no_trace() {
    on_each(async |app| {
        let browser = Browser::new();
        let (get, post) = (Method::GET, Method::POST);
        let began = browser.get(&app.authorize_url(&app.acme, &[])).await;
        assert_redirect(&began, &get, "to the provider");
        let leg = browser.set_out(app, &app.acme, &[]).await;
        let back = browser.consent(&leg, "alice", "allow").await;
        assert_redirect(&browser.get(&back).await, &get, "to the product");
        assert_redirect(&browser.get(&back).await, &get, "to the product, repeated");
        let leg = browser.set_out(app, &app.acme, &[]).await;
        let denied = browser.consent(&leg, "alice", "deny").await;
        assert_redirect(&browser.get(&denied).await, &get, "to the product with an error");
        let request = browser.request(Method::POST, leg.redirect_uri());
        assert_redirect(&browser.form(request, &[("state", "x")]).await, &post, "round once more");

        app.complete(&app.acme, Completion::Server).await;
        let deferred = browser.connect(app, &app.acme, &[("external_id", "u")]).await;
        assert_redirect(&deferred, &get, "with a deferred code");
        let refused = browser.get(&app.authorize_url(&app.acme, &[])).await;
        assert_redirect(&refused, &get, "a refusal for want of an owner");

        app.complete(&app.acme, Completion::Confirm).await;
        for decision in ["continue", "cancel"] {
            let began = browser.get(&app.authorize_url(&app.acme, &[])).await;
            assert_redirect(&began, &get, "to the confirm page");
            let url = format!("{}{}", app.origin, began.location());
            assert_redirect(&browser.submit(&url, &[("decision", decision)]).await, &post, decision);
        }

        let mut integration = app.integration(&app.acme, &app.acme.integration).await;
        integration.disabled_at = Some(app.broker.clock.now());
        app.change(async |to| to.conn.update_integration(&app.acme.workspace, &integration).await).await;
        let refused = browser.get(&app.authorize_url(&app.acme, &[("state", "s")])).await;
        assert_redirect(&refused, &get, "an error before it began");
        let (target, pairs) = refused.redirect();
        assert_eq!((target.as_str(), value(&pairs, "state")), (CB, "s"));
    })
    .await;
}
