//! Signing in and out, and what a session is good for.

use serde_json::json;

use super::desk::{Desk, sid};
use crate::support::{Browser, on_each};

#[tokio::test]
async fn whoever_signs_in_is_somebody_until_signing_out() {
    on_each(async |app| {
        let desk = Desk::new(app);
        desk.user("alice", &[]).await;
        let browser = Browser::new();
        let answer = desk.enter(&browser, " ALICE ", &super::desk::password("alice")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let shown = json!({
            "user": {
                "username": "alice",
                "displayName": "alice",
                "email": "alice@example.com",
                "domain": "local",
                "enabled": true,
                "superuser": false,
                "_links": { "self": { "href": "/api/users/alice" } },
            },
            "locale": "en",
            "lang": "en",
        });
        assert_eq!(answer.json(), shown, "a page's script gets no sid, and nobody a jwt or a wsToken");
        let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
        assert_eq!(cookie.replace(&sid(&browser), "…"), "sid=…; Path=/; HttpOnly; SameSite=Lax");
        assert_eq!(answer.header("cache-control"), Some("no-store"));

        let alice = desk.sign_in("alice").await;
        let who = alice.get("/api/session").await;
        assert_eq!((who.status.as_u16(), who.json()), (200, shown));
        let sid = alice.sid();
        let out = alice.post("/api/logout", &json!({})).await;
        assert_eq!((out.status.as_u16(), out.text()), (204, ""));
        assert!(out.header("set-cookie").expect("a cookie").starts_with("sid=; Path=/; Max-Age=0; HttpOnly"));
        alice.get("/api/session").await.assert_hapi(401, "sign in");
        let replayed = [("cookie", &*format!("sid={sid}"))];
        let again = desk.nobody().call(http::Method::GET, "/api/session", &replayed, None).await;
        again.assert_hapi(401, "sign in");
    })
    .await;
}
