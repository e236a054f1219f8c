//! Device codes by the other doors: a product's token, a signed-in user, and calls that can show no page.

use claviger_engine::domain::{
    audit::Actor,
    share::{Level, Principal},
};
use serde_json::json;

use super::{after, click, entered, integrate, provider};
use crate::{
    informer::desk::{Desk, Way},
    membrane::front::{Front, connected, failed},
    support::{Browser, on_each},
};

#[tokio::test]
async fn a_popup_tells_the_end_when_it_looks_again() {
    on_each(async |app| {
        let (stub, browser, front) = (provider().await, Browser::new(), Front::new(app, "user-1").await);
        integrate(app, &stub).await;
        let begun = front.open(&browser, &[("integrationKey", "tv")]).await;
        assert!(begun.location().starts_with("/connect/flow_"), "{}", begun.location());
        let url = format!("{}{}", app.origin, begun.location());
        click(&browser, &url).await;
        entered(&stub);
        assert_eq!(after(app, 5).await, 1);
        let first = connected(&browser.get(&url).await);
        assert_eq!(front.connections().await.len(), 1);

        // Authorized anew it keeps its id, and its customer must still be there.
        let again = front.open(&browser, &[("integrationKey", ""), ("connectionId", &first)]).await;
        let url = format!("{}{}", app.origin, again.location());
        click(&browser, &url).await;
        assert_eq!(after(app, 5).await, 1);
        assert_eq!(connected(&browser.get(&url).await), first);
        let again = front.open(&browser, &[("integrationKey", "tv")]).await;
        let url = format!("{}{}", app.origin, again.location());
        click(&browser, &url).await;
        crate::membrane::front::end(app, &first).await;
        let asked = stub.token_requests();
        assert_eq!(after(app, 5).await, 1);
        assert_eq!(stub.token_requests(), asked + 1, "the customer's newest is gone, and so it is a new one");
        assert_ne!(connected(&browser.get(&url).await), first);
    })
    .await;
}

#[tokio::test]
async fn a_call_that_shows_no_page_is_refused() {
    on_each(async |app| {
        let (stub, front) = (provider().await, Front::new(app, "user-1").await);
        integrate(app, &stub).await;
        let request = http::Request::builder().method("POST").uri(format!("{}/connections", app.origin));
        let request = request.header("authorization", format!("Bearer {}", front.token));
        let request = request.header("content-type", "application/json");
        let body = json!({ "integrationKey": "tv", "name": "TV" }).to_string();
        let refused = Browser::new().send(request, body.into()).await;
        assert_eq!((refused.status.as_u16(), stub.seen().len()), (400, 0), "{}", refused.text());
        assert!(refused.text().contains("browser"), "{}", refused.text());

        // In a frame nothing can be asked at that path.
        let browser = Browser::new();
        let request = browser.request(http::Method::GET, &front.url(&[("integrationKey", "tv")]));
        let framed = browser.send(request.header("sec-fetch-dest", "iframe"), bytes::Bytes::new()).await;
        failed(&framed);
        assert_eq!(stub.seen().len(), 0);
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_users_code_needs_the_users_session() {
    on_each(async |app| {
        let (stub, desk) = (provider().await, Desk::new(app));
        let integration = integrate(app, &stub).await;
        let ada = desk.user("ada", &[]).await;
        let principal = Principal::User(ada.id.clone());
        app.change(async |to| {
            to.conn.set_share(&app.acme.workspace, &integration, &principal, Level::Use).await
        })
        .await;
        for lasts in [true, false] {
            let seat = desk.sign_in("ada").await;
            let Way::Cookie(browser) = &seat.way else { panic!("a cookie") };
            let begun = browser.get(&format!("{}/api/integrations/tv/connect", app.origin)).await;
            assert_eq!(begun.status, 302, "{}", begun.text());
            let url = format!("{}{}", app.origin, begun.location());
            click(browser, &url).await;
            entered(&stub);
            let asked = stub.token_requests();
            if !lasts {
                assert!(seat.post("/api/auth/logout", &json!({})).await.status.is_success());
            }
            assert_eq!(after(app, 5).await, 1);
            assert_eq!(stub.token_requests() - asked, usize::from(lasts), "signed out, nothing is redeemed");
            let end = browser.get(&url).await;
            match lasts {
                true => assert!(end.location().ends_with("/done"), "{}", end.location()),
                false => assert_eq!(end.status, 400, "{}", end.text()),
            }
        }
        let made = app.connections(&app.acme).await;
        assert_eq!((made.len(), made[0].owner.key.as_deref()), (1, Some("ada")));
        let audits =
            app.read().await.audits(&app.acme.workspace, &crate::support::app::ALL).await.expect("read");
        assert!(audits.iter().any(|it| it.actor == Actor::User(ada.id.to_string()).to_text()));
    })
    .await;
}
