//! Whose users sign in: by the host at which they come, or by the setting.

use bytes::Bytes;
use claviger_engine::setup::NewUser;
use http::Method;
use serde_json::json;

use super::super::desk::{Desk, new_user, password, send};
use crate::support::{Browser, Options, TestApp, on_each, on_each_with};

/// A tenant that has a host of its own, and a browser that knows where it is.
async fn hosted(app: &TestApp, name: &str) -> (crate::support::Tenant, String, Browser) {
    let tenant = app.tenant(name).await;
    let address = app.origin.trim_start_matches("http://").parse().expect("an address");
    let host = format!("{}.test", name.to_lowercase());
    let origin = app.origin.replace("127.0.0.1", &host);
    let all = [origin.clone()];
    app.change(async |to| to.conn.set_workspace_hosts(&tenant.workspace, &all).await).await;
    (tenant, origin, Browser::knowing(&host, address))
}

#[tokio::test]
async fn a_workspaces_users_sign_in_at_its_own_host_and_are_known_there_only() {
    on_each(async |app| {
        let (other, origin, browser) = hosted(app, "Other").await;
        let (here, there) = (Desk::new(app), Desk { app, tenant: &other, origin: origin.clone() });
        here.user("alice", &[]).await;
        there
            .make(NewUser { password: Some("a password there".to_owned().into()), ..new_user("alice", &[]) })
            .await;
        there.enter(&browser, "alice", &password("alice")).await.assert_hapi(401, "Unable");
        assert_eq!(there.enter(&browser, "alice", "a password there").await.status, 200);
        let theirs = browser.cookies("other.test")["sid"].clone();
        let ours = here.sign_in("alice").await.sid();
        let who = async |browser: &Browser, origin: &str, sid: &str| {
            let request = http::Request::builder().uri(format!("{origin}/api/session"));
            browser.send(request.header("cookie", format!("sid={sid}")), Bytes::new()).await
        };
        assert_eq!(who(&browser, &origin, &theirs).await.status, 200);
        who(&browser, &origin, &ours).await.assert_hapi(401, "sign in");
        assert_eq!(who(&browser, &app.origin, &ours).await.status, 200);
        who(&browser, &app.origin, &theirs).await.assert_hapi(401, "sign in");

        // Our own pages there are those of its host.
        for (from, status) in [(&app.origin, 403), (&origin, 201)] {
            let request = http::Request::builder().method(Method::POST).uri(format!("{origin}/api/tokens"));
            let request = request.header("cookie", format!("sid={theirs}")).header("origin", from);
            let made = send(&browser, request, Some(&json!({}))).await;
            assert_eq!(made.status, status, "{from}: {}", made.text());
        }
        let out = http::Request::builder().method(Method::POST).uri(format!("{origin}/api/logout"));
        let out = out.header("cookie", format!("sid={ours}")).header("origin", &origin);
        assert_eq!(browser.send(out, Bytes::new()).await.status, 204);
        assert_eq!(who(&browser, &app.origin, &ours).await.status, 200, "it is not that site's to end");
    })
    .await;
}

#[tokio::test]
async fn whose_users_they_are_is_set_or_plain() {
    let alone = || Options { default_workspace: false, ..Options::default() };
    on_each_with(alone, async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let seat = desk.sign_in("alice").await;
        let token = desk.bearer("alice").await;
        app.tenant("Other").await;
        let body = json!({ "username": "alice", "password": password("alice") });
        desk.nobody().post("/api/auth/login", &body).await.assert_hapi(400, "default_workspace");
        desk.basic("alice").get("/api/session").await.assert_hapi(400, "default_workspace");
        seat.get("/api/session").await.assert_hapi(400, "default_workspace");
        assert_eq!(token.get("/api/session").await.status, 200, "a token says whose it is");
        desk.nobody().get("/api/session").await.assert_hapi(401, "sign in");
    })
    .await;
}
