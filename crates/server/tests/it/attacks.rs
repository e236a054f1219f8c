//! The attacks on a connection broker, T1 to T8, and what a callback may never get away with. Each ends with a
//! count of token requests: nothing may be redeemed that should not have been.

use std::{collections::BTreeMap, time::Duration};

use claviger_engine::{
    domain::{
        integration::{CallbackKind, Config},
        workspace::Completion,
    },
    setup::NewIntegration,
};
use serde_json::json;

use crate::support::{
    Answer, Browser, CB, COMPLETIONS, Leg, Stub, TestApp, app::new_integration, names, on_each, value,
};

const COOKIE: &str = "claviger-browser";

/// Whatever came of a flow: with completion `server` the product's server tries to redeem it for `owner`.
async fn redeem(app: &TestApp, answer: &Answer, owner: &str) -> Option<Answer> {
    let (_, pairs) = answer.redirect();
    let code = pairs.iter().find(|(name, _)| name == "code")?;
    let body = json!({ "code": code.1, "redirect_uri": CB, "external_id": owner });
    Some(app.exchange(&app.acme.key, &body).await)
}

#[tokio::test]
async fn t1_a_state_does_not_work_at_another_integrations_callback() {
    on_each(async |app| {
        let evil = Stub::start().await;
        let hostile = app.integrate(&app.acme, "evil", &evil.origin).await;
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            // The victim connects the hostile integration; its "authorization endpoint" bounces the browser to
            // the honest provider with the fresh state, and the honest code comes back on the honest path.
            let browser = Browser::new();
            let leg =
                browser.set_out(app, &app.acme, &[("integration_id", "evil"), ("external_id", "u")]).await;
            let honest = app.integration(&app.acme, &app.acme.integration).await;
            let callback = format!("{}{}", app.origin, honest.callback.path(&honest.id));
            let bounced = leg.url.replace(&evil.origin, &app.sandbox.origin).replace(
                &crate::support::encode(&[("redirect_uri", leg.redirect_uri())]),
                &crate::support::encode(&[("redirect_uri", &callback)]),
            );
            let bounced = Leg::of(&bounced);
            assert_eq!(bounced.redirect_uri(), callback);
            let back = browser.consent(&bounced, "alice", "allow").await;
            assert!(back.starts_with(&format!("{callback}?")) && back.contains(leg.state()));
            browser.get(&back).await.assert_refused("another integration's path");
            // The flow is over: the code is no use on the path that it was begun for either.
            let (_, query) = back.split_once('?').unwrap();
            browser.get(&format!("{}?{query}", leg.redirect_uri())).await.assert_refused("the flow is over");

            // And the other way round: a state of the honest one on the hostile path.
            let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
            let back = browser.consent(&leg, "alice", "allow").await;
            let back = back.replace(app.acme.integration.as_str(), hostile.as_str());
            browser.get(&back).await.assert_refused("the hostile path");
        }
        assert_eq!(evil.token_requests(), 0, "no code went to the hostile token endpoint");
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn t1_shared_callback_paths_do_not_mix_with_own_ones() {
    on_each(async |app| {
        let evil = Stub::start().await;
        app.integrate(&app.acme, "evil", &evil.origin).await;
        for (key, callback) in [("hub", CallbackKind::Shared), ("hub2", CallbackKind::OauthCallback)] {
            let config = Config::default();
            let input = NewIntegration { callback: Some(callback), ..new_integration(key, "github", config) };
            let shared = app.integrate_as(&app.acme, input).await;
            let browser = Browser::new();
            let leg =
                browser.set_out(app, &app.acme, &[("integration_id", "evil"), ("external_id", "u")]).await;
            let query = leg.back(&[("code", "honest")]).split_once('?').unwrap().1.to_owned();
            let path = callback.path(&shared);
            browser.get(&format!("{}{path}?{query}", app.origin)).await.assert_refused(&path);

            let leg = browser.set_out(app, &app.acme, &[("integration_id", key)]).await;
            assert_eq!(leg.redirect_uri(), format!("{}{path}", app.origin));
            let own = CallbackKind::Own.path(&shared);
            let query = leg.back(&[("code", "honest")]).split_once('?').unwrap().1.to_owned();
            browser
                .get(&format!("{}{own}?{query}", app.origin))
                .await
                .assert_refused("own instead of shared");
        }
        assert_eq!(evil.token_requests(), 0);
    })
    .await;
}

#[tokio::test]
async fn t2_a_state_does_not_work_at_another_workspaces_callback() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let evil = Stub::start().await;
        let hostile = app.integrate(&other, "evil", &evil.origin).await;
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            app.complete(&other, completion).await;
            let browser = Browser::new();
            for (from, theirs) in
                [(&app.acme, &hostile), (&app.acme, &other.integration), (&other, &app.acme.integration)]
            {
                let leg = browser.set_out(app, from, &[("external_id", "u")]).await;
                let back = browser.consent(&leg, "alice", "allow").await;
                let back = back.replace(from.integration.as_str(), theirs.as_str());
                browser.get(&back).await.assert_refused("another workspace's path");
            }
            let leg = browser.set_out(app, &other, &[("integration_id", "evil"), ("external_id", "u")]).await;
            let back = leg.back(&[("code", "c")]).replace(hostile.as_str(), app.acme.integration.as_str());
            browser.get(&back).await.assert_refused("a hostile workspace's state");
        }
        assert_eq!((evil.token_requests(), app.sandbox.exchanges().await), (0, 0));
        app.assert_nothing_connected(&app.acme).await;
        app.assert_nothing_connected(&other).await;
    })
    .await;
}

/// An integration found by issuer, the sandbox, whose metadata says that callbacks carry `iss`.
async fn by_issuer(app: &TestApp) {
    let config = Config { issuer: Some(app.sandbox.origin.clone()), ..Config::default() };
    app.integrate_as(&app.acme, new_integration("issuer", "oidc", config)).await;
}

#[tokio::test]
async fn t3_a_missing_wrong_or_doubled_issuer_is_refused() {
    on_each(async |app| {
        by_issuer(app).await;
        let ours = app.sandbox.origin.clone();
        let slash = format!("{ours}/");
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            for (why, iss) in [
                ("missing", vec![]),
                ("empty", vec![""]),
                ("another", vec!["https://evil.test"]),
                ("with a slash", vec![slash.as_str()]),
                ("twice the same", vec![ours.as_str(), ours.as_str()]),
                ("ours and another", vec![ours.as_str(), "https://evil.test"]),
                ("another and ours", vec!["https://evil.test", ours.as_str()]),
            ] {
                for answer in [vec![("code", "c")], vec![("error", "access_denied")]] {
                    let browser = Browser::new();
                    let leg = browser
                        .set_out(app, &app.acme, &[("integration_id", "issuer"), ("external_id", "u")])
                        .await;
                    let mut pairs = answer.clone();
                    pairs.extend(iss.iter().map(|iss| ("iss", *iss)));
                    browser.get(&leg.back(&pairs)).await.assert_refused(&format!("{why}, {answer:?}"));
                }
            }
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;

        app.complete(&app.acme, Completion::Redirect).await;
        let done = Browser::new()
            .connect(app, &app.acme, &[("integration_id", "issuer"), ("external_id", "u")])
            .await;
        assert!(
            names(&done.redirect().1).contains(&"connection_id"),
            "the right issuer passes: {}",
            done.location()
        );
    })
    .await;
}

#[tokio::test]
async fn t3_the_provider_itself_naming_another_issuer_is_refused() {
    on_each(async |app| {
        by_issuer(app).await;
        for fault in [json!({ "omit_iss": true }), json!({ "omit_iss": false, "iss": "https://evil.test" })] {
            app.sandbox.faults(fault).await;
            let done = Browser::new()
                .connect(app, &app.acme, &[("integration_id", "issuer"), ("external_id", "u")])
                .await;
            done.assert_refused("iss");
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}

#[tokio::test]
async fn t3_metadata_that_names_another_issuer_is_refused() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let metadata = json!({
            "issuer": app.sandbox.origin,
            "authorization_endpoint": format!("{}/authorize", app.sandbox.origin),
            "token_endpoint": format!("{}/token", stub.origin),
        });
        let reply = crate::support::Reply::json(&metadata.to_string());
        stub.reply("/.well-known/oauth-authorization-server", reply.clone());
        stub.reply("/.well-known/openid-configuration", reply);
        let config = Config { issuer: Some(stub.origin.clone()), ..Config::default() };
        app.integrate_as(&app.acme, new_integration("spoof", "oidc", config)).await;
        let began = Browser::new().get(&app.authorize_url(&app.acme, &[("integration_id", "spoof")])).await;
        let (target, pairs) = began.redirect();
        assert_eq!((target.as_str(), value(&pairs, "error")), (CB, "temporarily_unavailable"));
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);
    })
    .await;
}

#[tokio::test]
async fn t4_a_configuration_changed_meanwhile_ends_the_flow() {
    on_each(async |app| {
        let evil = Stub::start().await;
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("external_id", "u"), ("state", "s")]).await;
            let back = browser.consent(&leg, "alice", "allow").await;
            app.reconfigure(&app.acme, &app.acme.integration, |c| {
                c.token_url = Some(format!("{}/token", evil.origin));
            })
            .await;
            let done = browser.get(&back).await;
            let (target, pairs) = done.redirect();
            assert_eq!(
                (target.as_str(), value(&pairs, "error"), value(&pairs, "state")),
                (CB, "server_error", "s")
            );
            assert_eq!(names(&pairs), ["error", "error_description", "state"]);
            let origin = app.sandbox.origin.clone();
            app.reconfigure(&app.acme, &app.acme.integration, |c| {
                c.token_url = Some(format!("{origin}/token"));
            })
            .await;
        }
        // With completion `server` the change may also come between the callback and the exchange.
        let browser = Browser::new();
        app.complete(&app.acme, Completion::Server).await;
        let done = browser.connect(app, &app.acme, &[("external_id", "u")]).await;
        app.reconfigure(&app.acme, &app.acme.integration, |c| {
            c.token_url = Some(format!("{}/token", evil.origin));
        })
        .await;
        let answer = redeem(app, &done, "u").await.expect("a code");
        answer.assert_problem(409, "conflict");
        assert_eq!((evil.token_requests(), app.sandbox.exchanges().await), (0, 0));
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn t4_an_integration_switched_off_meanwhile_ends_the_flow() {
    on_each(async |app| {
        for completion in COMPLETIONS {
            let tenant = app.tenant("Soon off").await;
            app.complete(&tenant, completion).await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &tenant, &[("external_id", "u")]).await;
            let back = browser.consent(&leg, "alice", "allow").await;
            let mut integration = app.integration(&tenant, &tenant.integration).await;
            integration.disabled_at = Some(app.broker.clock.now());
            app.change(async |to| to.conn.update_integration(&tenant.workspace, &integration).await).await;
            assert_eq!(value(&browser.get(&back).await.redirect().1, "error"), "server_error");
            let again = browser.get(&app.authorize_url(&tenant, &[("external_id", "u")])).await;
            assert_eq!(value(&again.redirect().1, "error"), "invalid_request");
            app.assert_nothing_connected(&tenant).await;
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}

#[tokio::test]
async fn t4_an_integration_deleted_meanwhile_ends_the_flow() {
    on_each(async |app| {
        for completion in COMPLETIONS {
            let tenant = app.tenant("Soon less").await;
            app.complete(&tenant, completion).await;
            let browser = Browser::new();
            let leg = browser.set_out(app, &tenant, &[("external_id", "u")]).await;
            let back = browser.consent(&leg, "alice", "allow").await;
            let gone = app
                .change(async |to| to.conn.delete_integration(&tenant.workspace, &tenant.integration).await)
                .await;
            assert!(gone);
            browser.get(&back).await.assert_refused("its integration is gone");
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}

#[tokio::test]
async fn t5_a_flow_does_not_finish_in_another_browser() {
    on_each(async |app| {
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            let elsewhere = Browser::new();
            elsewhere.get(&app.authorize_url(&app.acme, &[("external_id", "u")])).await;
            for victim in [Browser::new(), elsewhere] {
                let attacker = Browser::new();
                let leg = attacker.set_out(app, &app.acme, &[("external_id", "mallory")]).await;
                let back = victim.consent(&leg, "alice", "allow").await;
                victim.get(&back).await.assert_page(400, "begun in another browser");
                // The attacker learns the callback and tries it where the flow was begun.
                attacker.get(&back).await.assert_refused("the flow is over");
            }
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn t5_the_browser_cookie_must_be_there_once_and_be_the_one() {
    on_each(async |app| {
        let host = "127.0.0.1";
        let random = "A".repeat(43);
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            for which in
                ["none", "empty", "random", "cut", "longer", "another name", "twice", "twice, other first"]
            {
                let browser = Browser::new();
                let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
                let back = browser.consent(&leg, "alice", "allow").await;
                let mine = browser.cookies(host)[COOKIE].clone();
                browser.set_cookies(host, BTreeMap::new());
                let line = match which {
                    "none" => None,
                    "empty" => Some(format!("{COOKIE}=")),
                    "random" => Some(format!("{COOKIE}={random}")),
                    "cut" => Some(format!("{COOKIE}={}", &mine[..42])),
                    "longer" => Some(format!("{COOKIE}={mine}A")),
                    "another name" => Some(format!("__Host-{COOKIE}={mine}")),
                    "twice" => Some(format!("{COOKIE}={mine}; {COOKIE}={mine}")),
                    _ => Some(format!("{COOKIE}={random}; {COOKIE}={mine}")),
                };
                let mut request = browser.request(http::Method::GET, &back);
                if let Some(line) = line {
                    request = request.header("cookie", line);
                }
                let answer = browser.send(request, bytes::Bytes::new()).await;
                answer.assert_page(400, "begun in another browser");
            }
        }
        assert_eq!(app.sandbox.exchanges().await, 0);
    })
    .await;
}

#[tokio::test]
async fn t6_a_sent_link_does_not_hand_the_victims_account_over_unseen() {
    on_each(async |app| {
        // `confirm`: the victim reads for whom it would be, before the provider is asked for anything.
        app.complete(&app.acme, Completion::Confirm).await;
        let victim = Browser::new();
        let sent = app.authorize_url(&app.acme, &[("external_id", "mallory@evil.test")]);
        let url = format!("{}{}", app.origin, victim.get(&sent).await.location());
        let page = victim.get(&url).await;
        assert!(page.text().contains("mallory@evil.test"), "{}", page.text());
        assert!(
            page.text().contains("If somebody sent you a link to this page, close it"),
            "{}",
            page.text()
        );
        assert_eq!(app.sandbox.stats().await.authorize_requests, 0);

        // `server`: the victim goes through with it; the product's server names its own signed-in user.
        app.complete(&app.acme, Completion::Server).await;
        let done = Browser::new().connect(app, &app.acme, &[("external_id", "mallory@evil.test")]).await;
        redeem(app, &done, "victim@app.test").await.expect("a code").assert_field("external_id");
        redeem(app, &done, "mallory@evil.test").await.expect("a code").assert_field("code");
        assert_eq!(app.sandbox.exchanges().await, 0, "no token request was made");
        app.assert_nothing_connected(&app.acme).await;

        // `redirect`, the contract's default, can't help it; a product that compares still notices.
        app.complete(&app.acme, Completion::Redirect).await;
        let done = Browser::new().connect(app, &app.acme, &[("external_id", "mallory@evil.test")]).await;
        redeem(app, &done, "victim@app.test").await.expect("a code").assert_field("external_id");
    })
    .await;
}

#[tokio::test]
async fn t7_a_link_or_an_authorization_request_used_twice_is_refused() {
    on_each(async |app| {
        for (n, completion) in COMPLETIONS.into_iter().enumerate() {
            app.complete(&app.acme, completion).await;
            let browser = Browser::new();
            if completion == Completion::Confirm {
                let began = browser.get(&app.authorize_url(&app.acme, &[("external_id", "u")])).await;
                let url = format!("{}{}", app.origin, began.location());
                assert_eq!(browser.submit(&url, &[("decision", "continue")]).await.status, 303);
                browser.submit(&url, &[("decision", "continue")]).await.assert_page(400, "used already");
            }
            // The same authorization request consented to twice gives two codes for one state.
            let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
            let first = browser.consent(&leg, "alice", "allow").await;
            let second = browser.consent(&leg, "bob", "allow").await;
            assert_ne!(first, second);
            assert_eq!(browser.get(&first).await.status, 302);
            browser.get(&second).await.assert_refused("a second code for the state");
            assert_eq!(app.connections(&app.acme).await.len(), (n + 1).min(2), "{completion:?}");
        }
        assert_eq!(app.sandbox.exchanges().await, 2, "one each for redirect and confirm");
    })
    .await;
}

#[tokio::test]
async fn t8_a_completion_twice_or_too_late_is_refused() {
    on_each(async |app| {
        for completion in COMPLETIONS {
            app.complete(&app.acme, completion).await;
            let before = (app.sandbox.exchanges().await, app.connections(&app.acme).await.len());
            // Too late at the callback.
            let browser = Browser::new();
            let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
            let back = browser.consent(&leg, "alice", "allow").await;
            app.pass(Duration::from_secs(600));
            browser.get(&back).await.assert_page(400, "took too long");
            assert_eq!((app.sandbox.exchanges().await, app.connections(&app.acme).await.len()), before);

            // In time, the last moment included.
            let leg = browser.set_out(app, &app.acme, &[("external_id", "u")]).await;
            let back = browser.consent(&leg, "alice", "allow").await;
            app.pass(Duration::from_millis(599_999));
            let done = browser.get(&back).await;
            assert_eq!(redeem(app, &done, "u").await.expect("a code").status, 200);
            let after = (before.0 + 1, before.1 + 1);
            assert_eq!((app.sandbox.exchanges().await, app.connections(&app.acme).await.len()), after);

            // Twice: at the exchange, and at the callback once the minute for repeats is over.
            redeem(app, &done, "u").await.expect("a code").assert_field("code");
            app.pass(Duration::from_millis(60_001));
            browser.get(&back).await.assert_refused("replayed");
            assert_eq!((app.sandbox.exchanges().await, app.connections(&app.acme).await.len()), after);

            // Too late at the exchange.
            let done = browser.connect(app, &app.acme, &[("external_id", "u")]).await;
            let connected = (app.sandbox.exchanges().await, app.connections(&app.acme).await.len());
            app.pass(Duration::from_secs(300));
            redeem(app, &done, "u").await.expect("a code").assert_field("code");
            assert_eq!((app.sandbox.exchanges().await, app.connections(&app.acme).await.len()), connected);
        }
    })
    .await;
}
