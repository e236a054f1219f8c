//! Headers: the caller's, the integration's, and those that say who calls.

use claviger_engine::setup::{self, UserEdit};
use http::HeaderMap;

use super::*;
use crate::support::on_each;

/// Those that a client on the way adds by itself.
const FRAMING: [&str; 2] = ["host", "user-agent"];

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
    names.retain(|name| !FRAMING.contains(name));
    names.sort_unstable();
    names
}

#[tokio::test]
async fn the_headers_that_are_named_go_on_but_for_those_that_are_not_the_callers() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let named = json!({
            "Accept": "application/json", "X-Number": 7, "X-Yes": true, "X-Not": null, "X-Text": "caf\u{e9}",
            "Authorization": "Bearer theirs", "Cookie": "a=b", "Host": "evil.test", "Content-Length": 99,
            "Transfer-Encoding": "chunked", "Connection": "x-hop", "X-Hop": "1", "Forwarded": "for=1",
            "X-Forwarded-For": "1.2.3.4", "Proxy-Authorization": "x", "Expect": "100-continue", "Upgrade": "x",
            "BU-Connection-Id": "x", "Keep-Alive": "1", "TE": "gzip"
        });
        let answer = post(app, &alice, &json!({ "url": "x", "headers": named })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen = up.calls().pop().unwrap();
        assert_eq!(names(&seen.headers), ["accept", "authorization", "x-number", "x-text", "x-yes"]);
        assert_eq!(seen.all("authorization"), ["Bearer canary_alice"]);
        assert_eq!((seen.all("x-number"), seen.all("x-yes")), (vec!["7"], vec!["true"]));
        assert_eq!(seen.headers["x-text"].as_bytes(), "caf\u{e9}".as_bytes());
        assert_eq!(seen.all("host"), [up.origin.trim_start_matches("http://")]);
    })
    .await;
}

#[tokio::test]
async fn what_the_browser_sends_along_is_for_us() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = integrate(app, &up, |_| {}).await;
        let alice = connected(app, &id, "alice").await;
        let along = |method: Method| {
            let path = format!("{}/api/integrations/drive/request/x", app.origin);
            let path = if method == Method::POST { path.trim_end_matches("/x").to_owned() } else { path };
            http::Request::builder()
                .method(method)
                .uri(path)
                .header("authorization", format!("Bearer {}", alice.token))
                .header("cookie", "sid=canary_sid; a=b")
                .header("origin", "https://canary.test")
                .header("referer", "https://canary.test/page")
                .header("sec-fetch-site", "same-origin")
                .header("sec-ch-ua", "canary")
                .header("x-forwarded-for", "9.9.9.9")
                .header("accept", "text/x")
                .header("accept-language", "de")
                .header("if-none-match", "\"1\"")
                .header("x-mine", "1")
        };
        let body = Bytes::from(r#"{"url":"x"}"#);
        let answer = Browser::new().send(along(Method::POST), body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(names(&up.calls().pop().unwrap().headers), ["authorization"], "only what the body names");

        let answer = Browser::new().send(along(Method::GET), Bytes::new()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen = up.calls().pop().unwrap();
        let want = ["accept", "accept-language", "authorization", "if-none-match", "x-mine"];
        assert_eq!(names(&seen.headers), want);
        assert_eq!(seen.all("authorization"), ["Bearer canary_alice"]);
        assert!(!format!("{:?}", seen.headers).contains(&alice.token));
        let request = along(Method::GET).header("content-type", "text/plain");
        let answer = Browser::new().send(request, Bytes::from("a body")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (200, ""), "GET carries none");
        assert_eq!(names(&up.calls().pop().unwrap().headers), want);
    })
    .await;
}

#[tokio::test]
async fn an_integrations_headers_say_who_calls() {
    on_each(async |app| {
        let up = provider(echo).await;
        let headers = [
            ("X-User", "${user.username} <${user.email}>"),
            ("X-Name", "${user.displayName}"),
            ("X-Id", "${user.id}"),
            ("X-Tenant", "${tenant.id}/${tenant.name}"),
            ("X-Fixed", "v1"),
        ];
        let id = configured(app, &up, |config| {
            config.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        })
        .await;
        let alice = connected(app, &id, "alice").await;
        let bob = connected(app, &id, "bob").await;
        let edit = UserEdit {
            display_name: Some("\u{c1}lice {token} ${tenant.id}".into()),
            email: Some("alice@acme.test".into()),
            ..UserEdit::default()
        };
        app.change(async |to| setup::update_user(to, &alice.user, edit).await).await;
        let forged = json!({ "X-User": "root", "x-name": "root", "X-Fixed": "v0", "X-Tenant": "other" });
        for user in [&alice, &bob] {
            let answer = post(app, user, &json!({ "url": "x", "headers": forged })).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let [hers, his] = &up.calls()[..] else { panic!("two calls") };
        assert_eq!(hers.all("x-user"), ["alice <alice@acme.test>"]);
        assert_eq!(hers.headers["x-name"].as_bytes(), "\u{c1}lice {token} ${tenant.id}".as_bytes());
        assert_eq!(hers.all("x-id"), [alice.user.id.as_str()]);
        for seen in [hers, his] {
            assert_eq!(seen.all("x-tenant"), [format!("{}/Acme", app.acme.client_id)]);
            assert_eq!(seen.all("x-fixed"), ["v1"]);
        }
        assert!(!his.headers.contains_key("x-user") && !his.headers.contains_key("x-name"), "he has neither");
    })
    .await;
}

/// No door lets such a name in; a database that somebody else wrote to may hold one.
#[tokio::test]
async fn a_name_that_would_break_a_header_is_refused() {
    on_each(async |app| {
        let up = provider(echo).await;
        let id = configured(app, &up, |config| {
            config.headers.insert("X-Name".into(), "${user.displayName}".into());
        })
        .await;
        let alice = connected(app, &id, "alice").await;
        for name in ["a\r\nX-Admin: 1", "a\nb", "\u{7f}", "a\tb"] {
            let mut user = alice.user.clone();
            user.display_name = Some(name.into());
            app.change(async |to| to.conn.update_user(&app.acme.workspace, &user).await).await;
            let answer = post(app, &alice, &json!({ "url": "x" })).await;
            assert_problem(&answer, 400, "${user.displayName}");
            assert!(!answer.text().contains("Admin"));
        }
        assert_eq!(up.calls().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_header_that_nobody_fills_can_not_be_configured() {
    on_each(async |app| {
        let up = provider(echo).await;
        for (name, value) in [
            ("X-A", "${user.password}"),
            ("X-A", "${user.email} {token}"),
            ("X-A", "${user.email"),
            ("X-A", "a\r\nb: ${user.email}"),
            ("Authorization", "Bearer ${user.id}"),
            ("Cookie", "sid=${user.id}"),
            ("Host", "${user.username}.test"),
            ("X-Forwarded-For", "${user.id}"),
        ] {
            let mut input = new_integration("drive", "oauth2", at(&up.origin));
            input.config.headers.insert(name.into(), value.into());
            assert!(try_integrate(app, input).await.is_err(), "{name}: {value}");
        }
    })
    .await;
}
