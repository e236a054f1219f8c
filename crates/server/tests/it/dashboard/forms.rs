//! Forms: where they must come from, and what asks for the password once more.

use std::time::Duration;

use claviger_engine::domain::user::Role;
use http::Method;

use super::desk::{PASSWORD, Seated, csrf};
use crate::support::on_each;

#[tokio::test]
async fn a_form_is_taken_from_our_own_page_with_the_sessions_token_only() {
    on_each(async |app| {
        let seat = Seated::new(app, "root", Role::Owner).await;
        let other = Seated::known(app, "root").await;
        let (mine, theirs) = (seat.token().await, other.token().await);
        assert_ne!(mine, theirs);
        let url = seat.url("settings/completion");
        let send = async |headers: &[(&str, &str)], token: Option<&str>| {
            let mut request = seat.browser.request(Method::POST, &url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let mut pairs = vec![("completion", "server")];
            pairs.extend(token.map(|token| ("csrf", token)));
            seat.browser.form(request, &pairs).await.status.as_u16()
        };
        let ours = [("sec-fetch-site", "same-origin")];
        for (headers, token) in [
            (&ours[..], None),
            (&ours, Some("")),
            (&ours, Some(theirs.as_str())),
            (&[("sec-fetch-site", "cross-site")], Some(mine.as_str())),
            (&[("sec-fetch-site", "same-site")], Some(mine.as_str())),
            (&[("origin", "https://evil.test")], Some(mine.as_str())),
            (&[("origin", "null")], Some(mine.as_str())),
            (&[], Some(mine.as_str())),
        ] {
            assert_eq!(send(headers, token).await, 403, "{headers:?} {token:?}");
        }
        let settings = async || {
            app.read()
                .await
                .workspace(&app.acme.workspace)
                .await
                .unwrap()
                .unwrap()
                .settings
                .completion
                .as_str()
        };
        assert_eq!(settings().await, "redirect", "nothing was changed");
        assert_eq!(send(&[("origin", &app.origin)], Some(&mine)).await, 303);
        assert_eq!(settings().await, "server");
        assert_eq!(send(&ours, Some(&mine)).await, 303);
    })
    .await;
}

#[tokio::test]
async fn what_is_grave_asks_for_the_password_and_keeps_the_form() {
    on_each(async |app| {
        let seat = Seated::new(app, "root", Role::Owner).await;
        let key = [("name", "My \"server\""), ("scope-proxy", "on"), ("life", "30")];
        seat.post("keys", &key).await.assert_page(200, "ck_");
        app.pass(Duration::from_secs(599));
        seat.post("keys", &key).await.assert_page(200, "ck_");
        app.pass(Duration::from_secs(1));
        let asked = seat.post("keys", &key).await;
        asked.assert_page(200, "Confirm that it is you");
        assert!(asked.text().contains("name=\"name\" value=\"My &quot;server&quot;\""), "{}", asked.text());
        assert!(asked.text().contains("name=\"scope-proxy\" value=\"on\""));
        let keys = async || app.read().await.api_keys(&app.acme.workspace).await.unwrap().len();
        let before = keys().await;
        let again = async |proof: &str| {
            let token = csrf(&asked);
            let pairs: Vec<_> = key.into_iter().chain([("csrf", token.as_str()), ("proof", proof)]).collect();
            seat.browser.submit(&seat.url("keys"), &pairs).await
        };
        again("wrong").await.assert_page(401, "The password is not right.");
        assert_eq!(keys().await, before);
        again(PASSWORD).await.assert_page(200, "ck_");
        assert_eq!(keys().await, before + 1);
        seat.post("keys", &key).await.assert_page(200, "ck_");
        // What is not grave never asks.
        app.pass(Duration::from_secs(3000));
        assert_eq!(seat.post("settings/auth-responses", &[]).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    on_each(async |app| {
        let seat = Seated::new(app, "root", Role::Owner).await;
        let long = "x".repeat(70_000);
        let answer = seat.post("settings/redirect-uris", &[("uri", &long)]).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
    })
    .await;
}
