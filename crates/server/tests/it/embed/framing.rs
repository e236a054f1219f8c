//! Who may frame the page, and what it lets run.

use super::{Frame, SHOP, attribute, framed_by, front, options};
use crate::{
    membrane::front::{Front, KEY, keyed, provider},
    support::{on_each, on_each_with},
};

#[tokio::test]
async fn only_allowed_origins_frame_it() {
    on_each(async |app| {
        let nobody = Front::new(app, "user-1").await;
        let frame = Frame::connect(&nobody, "sandbox", &[]).await;
        assert_eq!(framed_by(&frame.page), "'none'", "no origin is allowed");
        app.settings(&app.acme, |settings| {
            settings.allowed_origins = vec![SHOP.to_owned(), "https://admin.shop.test:8443".to_owned()];
        })
        .await;
        let frame = Frame::connect(&nobody, "sandbox", &[]).await;
        assert_eq!(framed_by(&frame.page), "https://shop.test https://admin.shop.test:8443");
        assert_eq!(
            attribute(&frame.page, "data-origins").as_deref(),
            Some(r#"["https://shop.test","https://admin.shop.test:8443"]"#),
            "the script talks to nobody else"
        );
        assert_eq!(frame.page.header("x-frame-options"), None);
        let policy = frame.page.header("content-security-policy").unwrap();
        for part in ["default-src 'none'", "connect-src 'self'", "script-src 'nonce-", "base-uri 'none'"] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert!(!policy.contains("form-action"), "its window ends at another site");
        assert_eq!(frame.page.header("cache-control"), Some("no-store"));
        assert_eq!(frame.page.header("referrer-policy"), Some("same-origin"));

        // Taken away while the page is open.
        app.settings(&app.acme, |settings| settings.allowed_origins = Vec::new()).await;
        let again = frame.submit(&[("decision", "check")]).await;
        assert_eq!(framed_by(&again.page), "'none'");
    })
    .await;
}

#[tokio::test]
async fn hostile_names_are_text() {
    let bad = "</script><script>alert(1)</script>\"'&";
    on_each_with(options, async |app| {
        let (front, upstream) = (front(app, "user-1").await, provider().await);
        keyed(app, "it", "keyed", &upstream).await;
        let ws = &app.acme.workspace;
        let workspace = app.read().await.workspace(ws).await.unwrap().unwrap();
        app.change(async |to| to.conn.update_workspace(ws, bad, &workspace.settings).await).await;
        let frame = Frame::connect(&front, "it", &[("name", bad)]).await;
        let made = frame.submit(&[("decision", "continue"), ("credential-api_key", KEY)]).await;
        let (shows, told) = made.shows();
        assert_eq!((shows.as_str(), told.unwrap()["name"].as_str()), ("connected", Some(bad)));
        let window = Frame::connect(&front, "sandbox", &[]).await;
        for page in [&frame.page, &made.page, &window.page] {
            assert!(!page.text().contains("<script>alert"), "{}", page.text());
            assert_eq!(page.text().matches("<script").count(), 2, "ours alone: {}", page.text());
        }
    })
    .await;
}
