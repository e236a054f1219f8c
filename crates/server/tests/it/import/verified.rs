//! Imports whose tokens the provider has to accept first.

use claviger_engine::{error::ProviderFault, store::trial};
use serde_json::json;

use super::*;
use crate::{refresh::mint::Mint, support::Reply};

fn verified<'a>(integration: &'a str, access: &str, refresh: Option<&str>) -> Import<'a> {
    Import { verify: true, ..brought(integration, access, refresh) }
}

async fn tokens_kept(app: &TestApp) -> usize {
    let kept = trial::contents(&app.broker.store).await;
    kept.iter().filter(|(place, _)| place == "credential.sealed").count()
}

#[tokio::test]
async fn a_refresh_verifies_and_its_tokens_are_the_ones_kept() {
    on_each(async |app| {
        let (access, refresh) = had(app).await;
        let made = import(app, verified("sandbox", &access, Some(&refresh))).await.expect("a connection");
        let stats = app.sandbox.stats().await;
        assert_eq!((stats.token_requests.refresh_token, stats.userinfo_calls), (1, 1));
        assert_eq!(made.account.id.as_deref(), Some("acct_bob"));
        assert_eq!(made.scopes_granted, ["read"], "as the provider said");
        assert_eq!(made.refreshed_at, Some(app.broker.clock.now()));
        assert_eq!(made.expires_at, Some(app.broker.clock.now().plus(Duration::from_secs(3600))));
        let me = app.call(&app.acme.key, made.id.as_str(), "/me").await;
        assert_eq!((me.status.as_u16(), &me.json()["id"]), (200, &json!("acct_bob")));
        app.pass(Duration::from_secs(3600));
        assert_eq!(app.call(&app.acme.key, made.id.as_str(), "/me").await.status, 200);
        let stats = app.sandbox.stats().await;
        assert_eq!((stats.token_requests.refresh_token, stats.refresh_reuse_detections), (2, 0));

        let (field, message) = wrong(import(app, verified("sandbox", &access, Some(&refresh))).await);
        assert_eq!(field, "refresh_token", "it was spent: {message}");
        assert_eq!(app.connections(&app.acme).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_providers_words_and_stores_nothing() {
    on_each(async |app| {
        let token = "canary_refresh_that_never_was_1";
        let body = json!({
            "error": "invalid_grant", "error_description": format!("no grant behind {token}"),
        });
        app.sandbox.faults(json!({ "token_status": 400, "token_body": body.to_string() })).await;
        let (field, message) = wrong(import(app, verified("sandbox", "canary_access", Some(token))).await);
        assert_eq!(field, "refresh_token");
        assert!(message.contains("invalid_grant") && message.contains("no grant behind"), "{message}");
        assert!(!message.contains(token), "{message}");

        app.sandbox
            .faults(json!({ "token_status": 401, "token_body": r#"{"error":"invalid_client"}"# }))
            .await;
        let done = import(app, verified("sandbox", "canary_access", Some(token))).await;
        let Err(Error::Conflict { message }) = done else { panic!("{done:?}") };
        assert!(message.contains("invalid_client") && message.contains("client id and secret"), "{message}");
        app.assert_nothing_connected(&app.acme).await;
        assert_eq!(tokens_kept(app).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_can_not_say_is_no_verdict_and_stores_nothing() {
    on_each(async |app| {
        let unreachable = ProviderFault::Unreachable;
        for (faults, want) in [
            (json!({ "token_status": 503 }), unreachable),
            (json!({ "token_status": 429 }), unreachable),
            (json!({ "token_status": null, "token_html": true }), ProviderFault::Unreadable),
        ] {
            app.sandbox.faults(faults.clone()).await;
            let done = import(app, verified("sandbox", "a", Some("r"))).await;
            let Err(Error::Provider { fault, .. }) = done else { panic!("{faults}: {done:?}") };
            assert_eq!(fault, want, "{faults}");
        }
        app.integrate(&app.acme, "gone", "http://127.0.0.1:1").await;
        for refresh in [Some("r"), None] {
            let done = import(app, verified("gone", "a", refresh)).await;
            assert!(matches!(done, Err(Error::Provider { fault, .. }) if fault == unreachable), "{done:?}");
        }
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

/// A provider whose token is verified by two calls, with or without an identity.
fn checked(identity: &str) -> Options {
    let file = format!(
        r#"
key = "checked"
name = "Checked"
category = "testing"

[oauth2.endpoints]
source = "integration"

[[verify.calls]]
url = "/paid/ping"
method = "POST"

[[verify.calls]]
url = "/free/ping"
{identity}"#
    );
    Options { providers: vec![("checked.toml", file)], ..Options::default() }
}

const IDENTITY: &str = "\n[identity]\nsource = \"userinfo\"\nid = \"sub\"\nname = [\"name\"]\n";

fn say(status: u16) -> Reply {
    let words = r#"{"error":{"message":"no entry for canary_access"}}"#;
    Reply::Say(status, "application/json", words.to_owned())
}

#[tokio::test]
async fn without_a_refresh_token_the_providers_calls_verify() {
    on_each_with(
        || checked(IDENTITY),
        async |app| {
            let provider = Stub::start().await;
            app.integrate_as(&app.acme, new_integration("checked", "checked", at(&provider.origin))).await;
            let given = || verified("checked", "canary_access", None);
            for (paid, free, want) in [
                (200, 401, Ok(())),
                (403, 204, Ok(())),
                (404, 200, Ok(())),
                (401, 200, Err("access_token")),
                (404, 401, Err("access_token")),
            ] {
                provider.reply("/api/paid/ping", say(paid));
                provider.reply("/api/free/ping", say(free));
                let done = import(app, given()).await;
                match want {
                    Ok(()) => {
                        let account = done.expect("a connection").account;
                        assert_eq!(account.id.as_deref(), Some("stub-user"), "{paid} {free}");
                    }
                    Err(want) => {
                        let (field, message) = wrong(done);
                        assert_eq!(field, want, "{paid} {free}");
                        assert!(message.contains("401") && message.contains("no entry for"), "{message}");
                        assert!(!message.contains("canary"), "{message}");
                    }
                }
            }
            assert_eq!(app.connections(&app.acme).await.len(), 3);
            let seen = provider.seen();
            let first = seen.iter().find(|seen| seen.path == "/api/paid/ping").expect("a call");
            assert_eq!(first.headers["authorization"], "Bearer canary_access");
            assert_eq!(provider.token_requests(), 0);

            provider.reply("/api/paid/ping", say(500));
            let done = import(app, given()).await;
            assert!(matches!(done, Err(Error::Provider { .. })), "{done:?}");
            // None of the calls tells: the identity does.
            provider.reply("/api/paid/ping", say(404));
            provider.reply("/api/free/ping", say(403));
            assert!(import(app, given()).await.is_ok());
            provider.reply("/userinfo", say(401));
            assert_eq!(wrong(import(app, given()).await).0, "access_token");
            provider.reply("/userinfo", say(403));
            assert_eq!(wrong(import(app, given()).await).0, "verify");
            provider.reply("/userinfo", Reply::json(r#"{"ok":false,"error":"invalid_auth"}"#));
            assert_eq!(wrong(import(app, given()).await).0, "verify", "a success that names nobody is none");
            assert_eq!(app.connections(&app.acme).await.len(), 4);
        },
    )
    .await;
}

#[tokio::test]
async fn a_provider_without_any_way_to_verify_says_so() {
    let file = "key = \"mute\"\nname = \"Mute\"\ncategory = \"testing\"\n\
                [oauth2.endpoints]\nsource = \"integration\"\n";
    let options = || Options { providers: vec![("mute.toml", file.to_owned())], ..Options::default() };
    on_each_with(options, async |app| {
        let provider = Stub::start().await;
        app.integrate_as(&app.acme, new_integration("mute", "mute", at(&provider.origin))).await;
        let (field, message) = wrong(import(app, verified("mute", "a", None)).await);
        assert_eq!(field, "verify");
        assert!(message.contains("no way to verify"), "{message}");
        assert_eq!(provider.seen().len(), 0);
        assert!(import(app, verified("mute", "a", Some("r"))).await.is_ok(), "by refresh it is possible");
        assert!(
            import(app, brought("mute", "a", None)).await.is_ok(),
            "and without a word of the provider's"
        );
    })
    .await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_during_the_refresh_costs_no_token() {
    on_each(async |app| {
        let mut mint = Mint::start().await;
        app.integrate(&app.acme, "mint", &mint.up.origin).await;
        mint.hold();
        let (broker, workspace) = (app.broker.clone(), app.acme.workspace.clone());
        let caller = tokio::spawn(async move {
            let given = verified("mint", "access-0", Some("refresh-0"));
            connect::import(&broker, &workspace, given, Actor::System).await
        });
        mint.waiting.recv().await.expect("a refresh");
        caller.abort();
        assert!(caller.await.is_err_and(|ended| ended.is_cancelled()));
        mint.permits.add_permits(1);
        app.broker.settle(Duration::from_secs(5)).await;
        let kept = app.connections(&app.acme).await;
        assert_eq!(kept.len(), 1, "the new tokens are not lost");
        assert_eq!(app.call(&app.acme.key, kept[0].id.as_str(), "/x").await.status, 200);
        assert_eq!(
            (mint.spent(), mint.used()),
            (vec!["refresh-0".to_owned()], vec!["Bearer access-1".to_owned()])
        );
    })
    .await;
}

#[tokio::test]
async fn tokens_of_a_spent_refresh_are_kept_or_revoked() {
    on_each(async |app| {
        let mint = Mint::start().await;
        app.integrate(&app.acme, "mint", &mint.up.origin).await;
        let given = || verified("mint", "access-0", Some("refresh-0"));
        let revoked = || mint.up.seen().iter().filter(|seen| seen.target == "/revoke").count();
        // The database comes back after a while.
        trial::lose_table(&app.broker.store, "change_log").await;
        let (made, ()) = tokio::join!(import(app, given()), async {
            while mint.spent().is_empty() {
                tokio::task::yield_now().await;
            }
            app.pass(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(50)).await;
            trial::find_table(&app.broker.store, "change_log").await;
            app.drift(60).await;
        });
        assert_eq!(app.call(&app.acme.key, made.expect("kept").id.as_str(), "/x").await.status, 200);
        assert_eq!(revoked(), 0);
        // It does not: nobody holds these tokens, so they must not stay good.
        trial::lose_table(&app.broker.store, "event").await;
        let done = app.passing(import(app, given())).await;
        assert!(matches!(done, Err(Error::Internal(_))), "{done:?}");
        assert_eq!(app.connections(&app.acme).await.len(), 1);
        assert_eq!(revoked(), 0, "not while another connection may live on the grant");
        let id = app.connections(&app.acme).await[0].id.clone();
        app.change(async |to| to.conn.delete_connection(&app.acme.workspace, &id).await).await;
        let done = app.passing(import(app, given())).await;
        assert!(matches!(done, Err(Error::Internal(_))), "{done:?}");
        assert_eq!((app.connections(&app.acme).await.len(), tokens_kept(app).await), (0, 0));
        assert!(revoked() > 0, "no grant stays that nobody knows of");
    })
    .await;
}

#[tokio::test]
async fn an_integration_that_changes_meanwhile_connects_nothing() {
    on_each(async |app| {
        let mut mint = Mint::start().await;
        let id = app.integrate(&app.acme, "mint", &mint.up.origin).await;
        mint.hold();
        let (done, ()) = tokio::join!(import(app, verified("mint", "access-0", Some("refresh-0"))), async {
            mint.waiting.recv().await.expect("a refresh");
            app.reconfigure(&app.acme, &id, |config| {
                config.token_url = Some("https://other.test/token".into());
            })
            .await;
            mint.permits.add_permits(1);
        });
        assert!(matches!(done, Err(Error::Conflict { .. })), "{done:?}");
        app.assert_nothing_connected(&app.acme).await;
        assert!(mint.up.seen().iter().any(|seen| seen.target == "/revoke"));
    })
    .await;
}
