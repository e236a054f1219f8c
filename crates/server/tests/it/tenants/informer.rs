//! The same at the Informer-style door: users, integrations, tokens and teams of one workspace are nothing at another's,
//! and neither are sessions.

use bytes::Bytes;
use claviger_engine::{
    domain::{
        share::{Level, Principal},
        user::Permission,
    },
    id::{ConnectionId, IntegrationId, TokenId, UserId, WorkspaceId},
    setup::{self, NewIntegration},
};
use http::{Method, header};
use serde_json::{Value, json};

use super::said;
use crate::{
    informer::{
        Someone,
        desk::{Desk, password, sid},
        someone,
    },
    openapi,
    support::{
        Answer, Browser, Stub, Tenant, TestApp,
        app::{at, new_integration},
        on_each,
    },
};

/// A method and path of this door, with a body that is right there.
struct Place {
    method: Method,
    path: String,
    body: Option<Value>,
}

/// Every endpoint, about an integration and about whatever else it can name.
fn everywhere(integration: &str, other: &str) -> Vec<Place> {
    let (one, that) = (segment(integration), segment(other));
    let below = |what: &str| format!("/api/integrations/{one}{what}");
    let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
    let fixed = |path: &str| path.to_owned();
    let sign_in = json!({ "username": "nobody", "password": "wrong" });
    let new = json!({ "name": "New", "type": other, "clientId": "c", "clientSecret": "s" });
    let share = Some(json!({ "accessLevel": 3 }));
    let all = vec![
        (&get, fixed("/api/integrations"), None),
        (&post, fixed("/api/integrations"), Some(new)),
        (&get, fixed("/api/integrations-list"), None),
        (&get, fixed("/api/integration-connections"), None),
        (&get, fixed("/api/integration-icon-registry"), None),
        (&get, below(""), None),
        (&put, below(""), Some(json!({ "description": "new" }))),
        (&put, below(""), Some(json!({ "returnUri": other }))),
        (&delete, below(""), None),
        (&get, below("/icon"), None),
        (&put, below("/icon"), Some(json!("<svg xmlns='http://www.w3.org/2000/svg'/>"))),
        (&delete, below("/icon"), None),
        (&get, below("/shares"), None),
        (&get, below(&format!("/shares/{that}")), None),
        (&put, below(&format!("/shares/{that}")), share),
        (&delete, below(&format!("/shares/{that}")), None),
        (&get, below("/owner"), None),
        (&put, below("/owner"), Some(json!({ "userId": other }))),
        (&put, below("/owner"), Some(json!({ "teamId": other }))),
        (&put, below("/owner"), Some(json!({ "ownerId": other }))),
        (&get, below("/connect"), None),
        (&post, below("/connect"), Some(json!({ "code": "c" }))),
        (&get, below("/connection"), None),
        (&get, below(&format!("/connection?ownerId={that}")), None),
        (&delete, below("/connection"), None),
        (&delete, below(&format!("/connection?ownerId={that}")), None),
        (&post, below("/request"), Some(json!({ "url": "/me" }))),
        (&get, below("/request/me"), None),
        (&post, below("/directories/preview"), Some(json!({ "folderId": "root" }))),
        (&get, fixed("/api/session"), None),
        (&get, format!("/api/users/{that}"), None),
        (&get, fixed("/api/tokens"), None),
        (&post, fixed("/api/tokens"), Some(json!({ "name": "new" }))),
        (&get, format!("/api/tokens/{that}"), None),
        (&delete, format!("/api/tokens/{that}"), None),
        (&post, fixed("/api/login/local"), Some(sign_in.clone())),
        (&post, fixed("/api/auth/login"), Some(sign_in)),
        (&post, fixed("/api/logout"), None),
    ];
    let place = |(method, path, body): (&Method, _, _)| Place { method: method.clone(), path, body };
    all.into_iter().map(place).collect()
}

/// What anybody may ask.
const OPEN: [&str; 3] = ["/api/login/local", "/api/auth/login", "/api/logout"];

fn segment(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}

impl Place {
    fn names(&self, id: &str) -> bool {
        self.path.contains(&segment(id))
            || self.body.as_ref().is_some_and(|body| body.to_string().contains(id))
    }

    /// As a request that nobody signed yet.
    fn request(&self, browser: &Browser, origin: &str) -> http::request::Builder {
        let kind = if self.path.ends_with("/icon") { "image/svg+xml" } else { "application/json" };
        let request = browser.request(self.method.clone(), &format!("{origin}{}", self.path));
        request.header(header::CONTENT_TYPE, kind)
    }

    fn bytes(&self) -> Bytes {
        match &self.body {
            None => Bytes::new(),
            Some(Value::String(text)) => text.clone().into(),
            Some(body) => body.to_string().into(),
        }
    }
}

/// Somebody who calls at a host.
struct Caller<'a> {
    who: &'static str,
    browser: Browser,
    origin: &'a str,
    token: &'a str,
}

impl Caller<'_> {
    async fn ask(&self, place: &Place) -> Answer {
        let request = place.request(&self.browser, self.origin);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        self.browser.send(request, place.bytes()).await
    }

    async fn get(&self, path: String) -> Answer {
        self.ask(&Place { method: Method::GET, path, body: None }).await
    }
}

/// A workspace with people: a user who owns an integration and has connected it, a team, and a superuser.
struct House {
    user: Someone,
    root: Someone,
    integration: IntegrationId,
    ids: Vec<(&'static str, String)>,
}

/// Where the second workspace's users reach us.
fn host(app: &TestApp) -> (String, Browser) {
    let port = app.origin.rsplit(':').next().expect("a port");
    let here = format!("127.0.0.1:{port}").parse().expect("an address");
    (format!("http://bi.theirs.test:{port}"), Browser::knowing("bi.theirs.test", here))
}

async fn live_at(app: &TestApp, tenant: &Tenant, origin: &str) {
    let origins = [origin.to_owned()];
    app.change(async |to| to.conn.set_workspace_hosts(&tenant.workspace, &origins).await).await;
}

async fn house(app: &TestApp, tenant: &Tenant, name: &str, stub: &Stub) -> House {
    let ws = &tenant.workspace;
    let user = someone(app, tenant, &format!("{name}-user"), &Permission::ALL).await;
    let root = someone(app, tenant, &format!("root-{name}"), &[]).await;
    let input = NewIntegration {
        name: Some(format!("The drive of {name}")),
        ..new_integration(&format!("{name}-drive"), "oauth2", at(&stub.origin))
    };
    let integration = app.integrate_as(tenant, input).await;
    let (team, back) = (format!("{name}-team"), format!("https://{name}.test/back"));
    app.register(tenant, &back).await;
    app.change(async |to| {
        setup::team(to, ws, &team, "Team").await?;
        setup::join_team(to, ws, &team, &user.user.username).await?;
        let owner = Principal::User(user.user.id.clone());
        to.conn.set_integration_owner(ws, &integration, Some(&owner)).await?;
        to.conn.set_share(ws, &integration, &Principal::Team(team.clone()), Level::Use).await
    })
    .await;
    let path = format!("/api/integrations/{integration}/connect");
    let body = json!({ "code": "canary_brought" });
    let made = crate::informer::ask(app, &user.token, Method::POST, &path, Some(&body)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let mut conn = app.read().await;
    let token = conn.user_tokens(ws, &user.user.id, &crate::support::app::ALL).await.unwrap().remove(0);
    let ids = vec![
        ("integration", integration.to_string()),
        ("slug", format!("{name}-drive")),
        ("connection", made.json()["id"].as_str().expect("an id").to_owned()),
        ("user's name", user.user.username.clone()),
        ("user's principal", format!("user:{}", user.user.username)),
        ("user's id", user.user.id.to_string()),
        ("team", team.clone()),
        ("team's principal", format!("team:{team}")),
        ("token", token.id.to_string()),
        ("redirect URI", back),
        ("workspace", ws.to_string()),
        ("client id", tenant.client_id.clone()),
    ];
    House { user, root, integration, ids }
}

/// Ids that nothing has, of every kind, and as long as those of a workspace called `theirs`.
fn strangers() -> Vec<String> {
    vec![
        IntegrationId::new().to_string(),
        "nobody-drive".to_owned(),
        ConnectionId::new().to_string(),
        "nobody-user".to_owned(),
        "user:nobody-user".to_owned(),
        UserId::new().to_string(),
        "nobody-team".to_owned(),
        "team:nobody-team".to_owned(),
        TokenId::new().to_string(),
        "https://nobody.test/back".to_owned(),
        WorkspaceId::new().to_string(),
        "cl_000000000000000000000000".to_owned(),
    ]
}

#[test]
fn every_endpoint_of_the_document_is_tried() {
    let (known, tried) = (openapi::informer(), everywhere("I", "X"));
    for one in &known {
        let found = tried.iter().any(|place| one.is(&place.method, &place.path));
        assert!(found, "{} {} is not in `everywhere`", one.method, one.path);
    }
    for Place { method, path, .. } in tried {
        assert!(known.iter().any(|one| one.is(&method, &path)), "{method} {path} is not in the document");
    }
}

#[tokio::test]
async fn every_id_of_another_workspace_answers_like_one_that_does_not_exist() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let other = app.tenant("Other").await;
        let (there, browser) = host(app);
        live_at(app, &other, &there).await;
        let (theirs, ours) =
            (house(app, &other, "theirs", &stub).await, house(app, &app.acme, "ours", &stub).await);
        let heard = stub.seen().len();
        let (user, root) = (ours.user.token.as_str(), ours.root.token.as_str());
        let callers = [
            Caller { who: "a superuser", browser: Browser::new(), origin: &app.origin, token: root },
            Caller { who: "an owner", browser: Browser::new(), origin: &app.origin, token: user },
            Caller { who: "a superuser at the other's host", browser, origin: &there, token: root },
        ];
        let own = ours.integration.as_str();
        for caller in &callers {
            for ((kind, foreign), stranger) in theirs.ids.iter().zip(strangers()) {
                let places = |id: &str| {
                    let all = everywhere(id, id).into_iter().chain(everywhere(own, id));
                    all.filter(|place| place.names(id)).collect::<Vec<_>>()
                };
                let (foreigns, strangers) = (places(foreign), places(&stranger));
                assert!(foreigns.len() > 25 && foreigns.len() == strangers.len());
                for (place, likewise) in foreigns.iter().zip(&strangers) {
                    let (got, want) = (caller.ask(place).await, caller.ask(likewise).await);
                    let at = format!("{} {} with their {kind}, as {}", place.method, place.path, caller.who);
                    assert_eq!(said(&got, foreign), said(&want, &stranger), "{at}");
                    let refused = [400, 403, 404].contains(&got.status.as_u16());
                    assert!(refused, "{at}: {} {}", got.status, got.text());
                }
            }
        }
        assert_eq!(stub.seen().len(), heard, "no provider was called");
        let at_home = crate::informer::ask(
            app,
            &theirs.user.token,
            Method::GET,
            "/api/integrations/theirs-drive/connection",
            None,
        )
        .await;
        assert_eq!(at_home.status, 200, "the other's things are there: {}", at_home.text());
    })
    .await;
}

#[tokio::test]
async fn a_list_holds_nothing_of_another_workspaces_however_it_is_narrowed() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let other = app.tenant("Other").await;
        let theirs = house(app, &other, "theirs", &stub).await;
        let ours = house(app, &app.acme, "ours", &stub).await;
        let lists = openapi::informer().into_iter().filter(|one| one.method == Method::GET && one.is_whole());
        for (list, who) in lists.flat_map(|list| [(list.clone(), &ours.user), (list, &ours.root)]) {
            let path = &list.path;
            let caller = Caller { who: "", browser: Browser::new(), origin: &app.origin, token: &who.token };
            let whole = caller.get(path.clone()).await;
            assert_eq!(whole.status, 200, "{path}: {}", whole.text());
            let common = path == "/api/integration-icon-registry";
            // The superuser has connected nothing.
            let none = path == "/api/integration-connections" && who.user.superuser;
            let holds = |id: &str| whole.text().contains(id);
            let own = ours.ids.iter().any(|(_, id)| holds(id)) || holds(&who.user.username);
            let tokens = path == "/api/tokens";
            assert!(own || common || none || tokens, "{path} holds its own: {}", whole.text());
            for ((kind, foreign), stranger) in theirs.ids.iter().zip(strangers()) {
                assert!(!holds(foreign), "{path} holds a {kind}");
                for name in &list.query {
                    let got = caller.get(format!("{path}?{name}={}", segment(foreign))).await;
                    let want = caller.get(format!("{path}?{name}={}", segment(&stranger))).await;
                    assert_eq!(said(&got, foreign), said(&want, &stranger), "{path} {name} {kind}");
                    let nothing = got.status == 400 || got.json()["total"] == 0;
                    assert!(nothing, "{path} {name} {kind}: {}", got.text());
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_or_a_password_is_good_at_its_own_workspaces_host_only() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let other = app.tenant("Other").await;
        let (there, browser) = host(app);
        live_at(app, &other, &there).await;
        let ours = house(app, &app.acme, "ours", &stub).await;
        let (here, away) = (Desk::new(app), Desk { app, tenant: &other, origin: there.clone() });
        away.superuser("their-root").await;
        here.superuser("our-root").await;
        assert_eq!(away.enter(&browser, "their-root", &password("their-root")).await.status, 200);
        let theirs = browser.cookies("bi.theirs.test")["sid"].clone();
        let ours_too = here.sign_in("our-root").await.sid();

        // With a session of the one, everything at the other.
        let id = ours.integration.as_str();
        for (sid, origin) in [(&theirs, &app.origin), (&ours_too, &there)] {
            for place in everywhere(id, "ours-user") {
                if OPEN.contains(&place.path.as_str()) {
                    continue;
                }
                let request = place.request(&browser, origin);
                let request = request.header("sec-fetch-site", "same-origin").header("origin", origin);
                let mut request = request;
                let headers = request.headers_mut().expect("a good request");
                headers.insert(header::COOKIE, format!("sid={sid}").parse().expect("a header"));
                let answer = browser.send(request, place.bytes()).await;
                answer.assert_hapi(401, "");
            }
        }
        // Signing out at the other ends nothing.
        let out = browser.request(Method::POST, &format!("{}/api/logout", app.origin));
        let out = out.header("sec-fetch-site", "same-origin").header("cookie", format!("sid={theirs}"));
        assert_eq!(browser.send(out, Bytes::new()).await.status, 204);
        let still = browser.get(&format!("{there}/api/session")).await;
        assert_eq!((still.status.as_u16(), &still.json()["user"]["username"]), (200, &json!("their-root")));

        // The right password at the wrong host is as wrong as a name that nobody has.
        let guest = Browser::new();
        let wrong = here.enter(&guest, "their-root", &password("their-root")).await;
        let nobody = here.enter(&guest, "no-root-at-all", &password("no-root-at-all")).await;
        wrong.assert_hapi(401, "");
        assert_eq!(said(&wrong, "their-root"), said(&nobody, "no-root-at-all"));
        assert_eq!(sid(&guest), "");
        let wrong = here.basic("their-root").get("/api/session").await;
        let nobody = here.basic("no-root-at-all").get("/api/session").await;
        wrong.assert_hapi(401, "");
        assert_eq!(said(&wrong, "their-root"), said(&nobody, "no-root-at-all"));
    })
    .await;
}

#[tokio::test]
async fn those_of_the_same_name_are_not_the_same() {
    on_each(async |app| {
        let stub = Stub::start().await;
        let other = app.tenant("Other").await;
        let theirs = house(app, &other, "same", &stub).await;
        let ours = house(app, &app.acme, "same", &stub).await;
        let ask = async |who: &Someone, method: Method, path: &str| {
            crate::informer::ask(app, &who.token, method, path, None).await
        };
        let path = "/api/integrations/same-drive/connection";
        let id = |answer: &Answer| answer.json()["id"].as_str().expect("an id").to_owned();
        let (mine, yours) =
            (ask(&ours.user, Method::GET, path).await, ask(&theirs.user, Method::GET, path).await);
        assert_eq!((id(&mine), id(&yours)), (ours.ids[2].1.clone(), theirs.ids[2].1.clone()));
        let named = format!("{path}?ownerId=same-user");
        assert_eq!(id(&ask(&ours.root, Method::GET, &named).await), id(&mine));

        assert_eq!(ask(&ours.root, Method::DELETE, &named).await.status, 204);
        assert_eq!(ask(&ours.user, Method::GET, path).await.status, 404);
        assert_eq!(id(&ask(&theirs.user, Method::GET, path).await), id(&yours));
        assert_eq!(ask(&ours.root, Method::DELETE, "/api/integrations/same-drive").await.status, 204);
        assert_eq!(ask(&ours.user, Method::GET, "/api/integrations/same-drive").await.status, 404);
        assert_eq!(ask(&theirs.user, Method::GET, "/api/integrations/same-drive").await.status, 200);
        let share = "/api/integrations/same-drive/shares/team:same-team";
        assert_eq!(ask(&theirs.user, Method::GET, share).await.status, 200);
    })
    .await;
}
