//! Who may do what: each route, by each role, as the table of rights says; and nothing in a workspace of others.

use claviger::dashboard::route::{self, Needs};
use claviger_engine::domain::{right::Action, user::Role};

use super::desk::{Seated, operator};
use crate::support::{Answer, Browser, on_each};

const ROLES: [Role; 4] = [Role::Owner, Role::Admin, Role::Developer, Role::Viewer];

async fn ask(seat: &Seated<'_>, method: &str, path: &str, client_id: &str) -> Answer {
    let url = format!("{}{}", seat.app.origin, path.replace("{client_id}", client_id).replace("{id}", "x"));
    match method {
        "GET" => seat.browser.get(&url).await,
        _ => seat.browser.submit(&url, &[("csrf", &seat.token().await)]).await,
    }
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    on_each(async |app| {
        let globex = app.tenant("Globex").await;
        for role in ROLES {
            let seat = Seated::new(app, role.as_str(), role).await;
            for route in route::all() {
                let Needs::Right(action) = route.needs else { continue };
                let what = format!("{} {} as {}", route.method, route.path, role.as_str());
                let answer = ask(&seat, route.method, route.path, &app.acme.client_id).await;
                if role.may(action) {
                    assert_ne!(answer.status, 403, "{what}");
                    assert!(!answer.status.is_server_error(), "{what}: {}", answer.text());
                } else {
                    answer.assert_page(403, "Not yours to do");
                }
                let foreign = ask(&seat, route.method, route.path, &globex.client_id).await;
                let unknown = ask(&seat, route.method, route.path, "nosuch").await;
                assert_eq!((foreign.status.as_u16(), unknown.status.as_u16()), (404, 404), "{what}");
                assert_eq!(plain(&foreign), plain(&unknown), "{what}: a foreign one is like none");
            }
            let home = seat.get("").await;
            assert_eq!(home.text().contains(">Audit log</a>"), role.may(Action::ReadAudit));
        }
    })
    .await;
}

/// A page without what differs each time it is written.
fn plain(page: &Answer) -> String {
    let nonce = page.text().split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    page.text().replace(nonce, "")
}

#[tokio::test]
async fn nobody_is_let_in_who_is_not_signed_in() {
    on_each(async |app| {
        for route in route::all() {
            let path = route.path.replace("{client_id}", &app.acme.client_id).replace("{id}", "x");
            let (browser, url) = (Browser::new(), format!("{}{path}", app.origin));
            let answer = match route.method {
                "GET" => browser.get(&url).await,
                _ => browser.submit(&url, &[]).await,
            };
            assert!(answer.location().starts_with("/dashboard/sign-in"), "{} {path}", route.method);
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_at_once() {
    on_each(async |app| {
        let id = operator(app, "root", &[(&app.acme.workspace, Role::Owner)]).await;
        let seat = Seated::known(app, "root").await;
        assert_eq!(seat.get("settings").await.status, 200);
        let set = async |role| {
            app.change(async |to| to.conn.set_operator_role(&app.acme.workspace, &id, role).await).await;
        };
        set(Some(Role::Viewer)).await;
        assert_eq!(seat.post("settings/auth-responses", &[]).await.status, 403);
        set(None).await;
        assert_eq!(seat.get("settings").await.status, 404);
        let home = seat.browser.get(&format!("{}/dashboard/", app.origin)).await;
        home.assert_page(200, "No workspace is yours yet");
    })
    .await;
}
