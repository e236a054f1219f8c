//! Who may do what: every endpoint about an integration × every kind of user × every permission, from one table.
//!
//! The table is the one of docs/users.md. An endpoint that the OpenAPI document has and the table has not fails the
//! first test.

use std::collections::BTreeSet;

use claviger_engine::{
    domain::{
        icon::Icon,
        integration::Integration,
        share::{Level, Principal},
        user::Permission,
    },
    id::IntegrationId,
    setup,
};
use http::Method;
use serde_json::Value;

use super::{Someone, ask, someone, token};
use crate::support::{Answer, TestApp, on_each};

/// What an endpoint takes of whoever asks.
#[derive(Clone, Copy)]
enum Takes {
    /// To be somebody.
    Signed,
    /// The permission, whatever the integration.
    Permission(Permission),
    /// To reach so far with the integration, and the permission if there is one.
    Reach(Level, Option<Permission>),
    /// To own the integration, or to be a superuser; and the permission.
    Owning(Permission),
}

use Takes::{Owning, Reach, Signed};

/// One endpoint.
struct Row {
    method: &'static str,
    path: &'static str,
    takes: Takes,
    body: &'static str,
}

const fn row(method: &'static str, path: &'static str, takes: Takes, body: &'static str) -> Row {
    Row { method, path, takes, body }
}

const USE: Takes = Reach(Level::Use, None);
const EDIT: Takes = Reach(Level::Edit, Some(Permission::Write));
const MANAGE: Takes = Reach(Level::Manage, None);
const SHARE: Takes = Reach(Level::Manage, Some(Permission::Share));

const TABLE: [Row; 24] = [
    row("GET", "/api/integrations", Signed, ""),
    row("GET", "/api/integrations-list", Signed, ""),
    row("GET", "/api/integration-icon-registry", Signed, ""),
    row("GET", "/api/integration-connections", Signed, ""),
    row("POST", "/api/integrations", Takes::Permission(Permission::Write), NEW),
    row("GET", "/api/integrations/{id}", USE, ""),
    row("PUT", "/api/integrations/{id}", EDIT, r#"{"description":"new"}"#),
    row("DELETE", "/api/integrations/{id}", Reach(Level::Manage, Some(Permission::Delete)), ""),
    row("GET", "/api/integrations/{id}/icon", USE, ""),
    row("PUT", "/api/integrations/{id}/icon", EDIT, SVG),
    row("DELETE", "/api/integrations/{id}/icon", EDIT, ""),
    row("GET", "/api/integrations/{id}/shares", MANAGE, ""),
    row("GET", "/api/integrations/{id}/shares/{principalId}", MANAGE, ""),
    row("PUT", "/api/integrations/{id}/shares/{principalId}", SHARE, r#"{"accessLevel":2}"#),
    row("DELETE", "/api/integrations/{id}/shares/{principalId}", SHARE, ""),
    row("GET", "/api/integrations/{id}/owner", USE, ""),
    row("PUT", "/api/integrations/{id}/owner", Owning(Permission::ChangeOwner), r#"{"userId":"heir"}"#),
    row("GET", "/api/integrations/{id}/connect", USE, ""),
    row("POST", "/api/integrations/{id}/connect", USE, r#"{"refreshToken":"none"}"#),
    row("GET", "/api/integrations/{id}/connection", USE, ""),
    row("DELETE", "/api/integrations/{id}/connection", USE, ""),
    row("POST", "/api/integrations/{id}/request", USE, r#"{"method":"POST","url":"/me"}"#),
    row("GET", "/api/integrations/{id}/request/{path}", USE, ""),
    // Not offered, which only those are told who see the integration.
    row("POST", "/api/integrations/{id}/directories/preview", USE, "{}"),
];

/// What is about users themselves and not about integrations: stories of its own tell who may do that.
const APART: [&str; 6] =
    ["/api/login", "/api/logout", "/api/auth", "/api/session", "/api/tokens", "/api/users"];

const SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg'/>";
const NEW: &str = r#"{"name":"One more","type":"sandbox","clientId":"x","clientSecret":"y"}"#;

/// How a user stands to an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tie {
    None,
    Share(Level),
    /// Shared with a team of the user's.
    TeamShare(Level),
    Owner,
    /// It belongs to a team of the user's.
    TeamOwner,
}

/// Who asks.
struct Role {
    name: String,
    tie: Tie,
    may: Vec<Permission>,
    superuser: bool,
    /// Whether the token only reads.
    reads: bool,
    /// Whether it is somebody at all.
    known: bool,
}

fn roles() -> Vec<Role> {
    let ties = [
        Tie::None,
        Tie::Share(Level::Use),
        Tie::Share(Level::Edit),
        Tie::Share(Level::Manage),
        Tie::TeamShare(Level::Use),
        Tie::TeamShare(Level::Manage),
        Tie::Owner,
        Tie::TeamOwner,
    ];
    let sets: Vec<Vec<Permission>> = [Vec::new(), Permission::ALL.to_vec()]
        .into_iter()
        .chain(Permission::ALL.iter().map(|one| vec![*one]))
        .chain(Permission::ALL.iter().map(|one| Permission::ALL.into_iter().filter(|it| it != one).collect()))
        .collect();
    let role = |name: &str, tie, may: &[Permission]| Role {
        name: name.to_owned(),
        tie,
        may: may.to_vec(),
        superuser: name.starts_with("root"),
        reads: name.ends_with("reader"),
        known: !matches!(name, "nobody" | "disabled"),
    };
    let mut all = Vec::new();
    for (n, tie) in ties.into_iter().enumerate() {
        // Which of the four it is makes no difference to a team's member that it makes to nobody else.
        let sets = if matches!(tie, Tie::TeamShare(_)) { &sets[..2] } else { &sets[..] };
        all.extend(sets.iter().enumerate().map(|(m, may)| role(&format!("user-{n}-{m}"), tie, may)));
    }
    all.push(role("nobody", Tie::None, &[]));
    all.push(role("disabled", Tie::Owner, &Permission::ALL));
    all.push(role("root", Tie::None, &[]));
    all.push(role("root-reader", Tie::None, &[]));
    all.push(role("reader", Tie::Owner, &Permission::ALL));
    all
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Unknown,
    Invisible,
    Denied,
    Let,
}

fn expected(row: &Row, role: &Role) -> Fate {
    if !role.known {
        return Fate::Unknown;
    }
    // Setting out to connect writes, whatever the method says.
    let writes = row.method != "GET" || row.path.ends_with("/connect");
    if role.reads && writes {
        return Fate::Denied;
    }
    let may = |permission: Permission| role.superuser || role.may.contains(&permission);
    let reach = match role.tie {
        _ if role.superuser => Some(Level::Manage),
        Tie::Owner | Tie::TeamOwner => Some(Level::Manage),
        Tie::Share(level) | Tie::TeamShare(level) => Some(level),
        Tie::None => None,
    };
    let owns = role.superuser || matches!(role.tie, Tie::Owner | Tie::TeamOwner);
    let well = match (row.takes, reach) {
        (Signed, _) => true,
        (Takes::Permission(permission), _) => may(permission),
        (Reach(..) | Owning(_), None) => return Fate::Invisible,
        (Reach(least, permission), Some(level)) => level >= least && permission.is_none_or(may),
        (Owning(permission), Some(_)) => owns && may(permission),
    };
    if well { Fate::Let } else { Fate::Denied }
}

fn fate(answer: &Answer) -> Fate {
    let message = || answer.json()["message"].as_str().unwrap_or_default().to_owned();
    match answer.status.as_u16() {
        401 => Fate::Unknown,
        403 => Fate::Denied,
        404 if message() == "integration not found" => Fate::Invisible,
        500 => panic!("{}: {}", answer.status, answer.text()),
        _ => Fate::Let,
    }
}

/// The endpoints that there are, as `METHOD path`.
fn offered() -> BTreeSet<String> {
    let text = claviger::surface::informer::openapi::document().expect("a document");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let mut all = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            all.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    all.retain(|place| !APART.iter().any(|apart| place.contains(apart)));
    all
}

fn place(row: &Row) -> String {
    format!("{} {}", row.method, row.path)
}

#[test]
fn every_endpoint_is_in_the_table() {
    let known: BTreeSet<_> = TABLE.iter().map(place).collect();
    assert_eq!(known.len(), TABLE.len(), "each once");
    assert_eq!(known, offered(), "the table, and what there is");
}

#[tokio::test]
async fn each_user_may_do_what_the_table_says_and_nothing_else() {
    on_each(async |app| {
        someone(app, &app.acme, "heir", &[]).await;
        let bob = someone(app, &app.acme, "bob", &[]).await;
        let mut wrong = Vec::new();
        for role in roles() {
            let who = enter(app, &role).await;
            let places = furnish(app, &role, &who, &bob, TABLE.len()).await;
            for (row, id) in TABLE.iter().zip(&places) {
                let path = row.path.replace("{id}", id.as_str()).replace("{principalId}", "bob");
                let body = match row.body {
                    "" => None,
                    text => Some(serde_json::from_str(text).unwrap_or(Value::String(text.to_owned()))),
                };
                let method: Method = row.method.parse().expect("a method");
                let answer = put(app, &who.token, method, &path.replace("{path}", "me"), body).await;
                let (was, want) = (fate(&answer), expected(row, &role));
                if was != want {
                    let (may, tie, told) = (&role.may, role.tie, answer.text());
                    wrong.push(format!(
                        "{} {tie:?} {may:?}: {}: {was:?}, not {want:?}: {told}",
                        role.name,
                        place(row)
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
    })
    .await;
}

/// Asks with a body that is JSON, or a picture.
async fn put(app: &TestApp, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    match body {
        Some(Value::String(picture)) => {
            super::send(app, token, method, path, "image/svg+xml", picture.into()).await
        }
        body => ask(app, token, method, path, body.as_ref()).await,
    }
}

/// The user of a role, with a team.
async fn enter(app: &TestApp, role: &Role) -> Someone {
    let ws = &app.acme.workspace;
    let mut who = someone(app, &app.acme, &role.name, &role.may).await;
    app.change(async |to| {
        setup::team(to, ws, &format!("of-{}", role.name), "Team").await?;
        setup::join_team(to, ws, &format!("of-{}", role.name), &role.name).await
    })
    .await;
    if role.reads {
        who.token = token(app, &app.acme, &who.user.id, true).await;
    }
    match role.name.as_str() {
        "nobody" => who.token = String::new(),
        "disabled" => {
            let now = app.broker.clock.now();
            app.change(async |to| to.conn.disable_user(ws, &who.user.id, Some(now)).await).await;
        }
        _ => {}
    }
    who
}

/// An integration for each endpoint, tied to the role's user, shared with bob, with an icon: what one request does is
/// not what the next finds.
async fn furnish(
    app: &TestApp,
    role: &Role,
    who: &Someone,
    bob: &Someone,
    count: usize,
) -> Vec<IntegrationId> {
    let ws = &app.acme.workspace;
    let pattern = app.integration(&app.acme, &app.acme.integration).await;
    let (user, team) = (Principal::User(who.user.id.clone()), Principal::Team(format!("of-{}", role.name)));
    let bob = Principal::User(bob.user.id.clone());
    let icon = Icon {
        media_type: "image/png".to_owned(),
        body: vec![1],
        hash: "0".repeat(64),
        updated_at: app.broker.clock.now(),
    };
    app.change(async |to| {
        let mut made = Vec::new();
        for n in 0..count {
            let id = IntegrationId::new();
            let key = format!("{}-{n}", role.name);
            // The pattern's secret is sealed for the pattern.
            let integration = Integration { id: id.clone(), key, client_secret: None, ..pattern.clone() };
            to.conn.create_integration(ws, &integration).await?;
            to.conn.set_share(ws, &id, &bob, Level::Use).await?;
            to.conn.set_icon(ws, &id, &icon).await?;
            match role.tie {
                Tie::None => {}
                Tie::Share(level) => drop(to.conn.set_share(ws, &id, &user, level).await?),
                Tie::TeamShare(level) => drop(to.conn.set_share(ws, &id, &team, level).await?),
                Tie::Owner => to.conn.set_integration_owner(ws, &id, Some(&user)).await?,
                Tie::TeamOwner => to.conn.set_integration_owner(ws, &id, Some(&team)).await?,
            }
            made.push(id);
        }
        Ok(made)
    })
    .await
}

#[test]
fn the_table_has_every_outcome() {
    let fates: Vec<_> = roles()
        .iter()
        .flat_map(|role| TABLE.iter().map(|row| expected(row, role)).collect::<Vec<_>>())
        .collect();
    for fate in [Fate::Unknown, Fate::Invisible, Fate::Denied, Fate::Let] {
        assert!(fates.iter().filter(|it| **it == fate).count() > 20, "{fate:?}");
    }
}
