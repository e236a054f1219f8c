//! API keys of a workspace. A key's text is on the page that answers its making, and on no other.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use claviger_engine::{
    desk::keys::{self, Wanted},
    domain::{
        api_key::{ApiKey, Scope},
        right::Action,
    },
    error::{Error, Result},
    store::Page,
};
use minijinja::{Value, context};

use super::{
    guard::{Answer, Visit},
    page,
    told::Told,
    view,
};
use crate::{app::App, hosted::page::sentence};

const AT: &str = "keys";
const PAGE: &str = "dashboard/keys.html";

/// For how long a key may be made: as a form says it, in words, and in days.
const LIVES: [(&str, &str, Option<u64>); 5] = [
    ("90", "90 days", Some(90)),
    ("30", "30 days", Some(30)),
    ("365", "a year", Some(365)),
    ("7", "7 days", Some(7)),
    ("never", "until it is revoked", None),
];

/// How many integrations a form offers to limit a key to.
const OFFERED: Page = Page { offset: 0, limit: 500 };

/// `GET …/keys`.
pub async fn show(State(app): State<App>, visit: Visit) -> Answer {
    let values = values(&app, &visit, None, None).await?;
    Ok(page::show(&app, &visit, AT, PAGE, values))
}

/// `POST …/keys`.
pub async fn create(State(app): State<App>, visit: Visit) -> Answer {
    let made = match wanted(&visit) {
        Ok(wanted) => keys::create(&app.broker, visit.seated()?, wanted).await,
        Err(error) => Err(error),
    };
    match made {
        Ok((key, text)) => {
            let made = context! { name => key.name, text => text.expose() };
            let values = values(&app, &visit, Some(made), None).await?;
            Ok(page::show(&app, &visit, AT, PAGE, values))
        }
        Err(Error::Invalid { field, message }) => {
            let values = values(&app, &visit, None, Some((field, sentence(&message)))).await?;
            Ok(page::show_as(&app, &visit, StatusCode::BAD_REQUEST, AT, PAGE, values))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST …/keys/revoke`.
pub async fn revoke(State(app): State<App>, visit: Visit) -> Answer {
    let id = visit.form.get("id").ok().flatten().unwrap_or_default();
    keys::revoke(&app.broker, visit.seated()?, &id).await?;
    Ok(page::done(&visit.below(AT), Told::Revoked))
}

fn wanted(visit: &Visit) -> Result<Wanted> {
    let given =
        |name: &'static str| visit.form.get(name).map_err(|e| Error::invalid(name, format!("is {e}")));
    let checked = |scope: &Scope| matches!(given(scope_field(*scope)), Ok(Some(_)));
    let life = given("life")?.unwrap_or_default();
    let (.., days) = LIVES
        .into_iter()
        .find(|(word, ..)| *word == life)
        .ok_or_else(|| Error::invalid("life", "choose for how long the key is good"))?;
    Ok(Wanted {
        name: given("name")?.unwrap_or_default(),
        scopes: Scope::ALL.into_iter().filter(checked).collect(),
        lasting: days.map(|days| Duration::from_secs(days * 86_400)),
        integration: given("integration")?,
    })
}

fn scope_field(scope: Scope) -> &'static str {
    match scope {
        Scope::Management => "scope-management",
        Scope::Proxy => "scope-proxy",
        Scope::ReadOnly => "scope-read-only",
    }
}

async fn values(
    app: &App,
    visit: &Visit,
    made: Option<Value>,
    error: Option<(&str, String)>,
) -> Result<Value> {
    let seat = visit.seated()?;
    let found = keys::list(&app.broker, seat).await?;
    let offered = app.broker.store.read().await?.integrations(&seat.workspace.id, &OFFERED).await?;
    let name_of = |key: &ApiKey| {
        let found = offered.iter().find(|it| Some(&it.id) == key.integration_id.as_ref());
        found.map(|it| it.name.clone())
    };
    let now = app.broker.clock.now();
    let rows: Vec<_> = found
        .iter()
        .map(|key| {
            let over = key.expires_at.is_some_and(|at| at <= now);
            context! {
                id => key.id.as_str(), name => &key.name, prefix => &key.prefix,
                scopes => key.scopes.iter().map(|it| it.as_str()).collect::<Vec<_>>(),
                limited => key.integration_id.as_ref().map(|_| name_of(key).unwrap_or_default()),
                made => view::when(now, key.created_at),
                used => view::maybe_when(now, key.last_used_at),
                ends => view::maybe_when(now, key.expires_at),
                over, revoked => key.revoked_at.is_some(),
            }
        })
        .collect();
    let lives: Vec<_> =
        LIVES.iter().map(|(word, name, _)| context! { word => *word, name => *name }).collect();
    let given = |name: &str| visit.form.get(name).ok().flatten().unwrap_or_default();
    let refused = error.is_some();
    let (field, message) = error.unwrap_or_default();
    Ok(context! {
        title => "API keys",
        may => seat.may(Action::ManageKeys),
        rows, lives, made, field, message,
        name => if refused { given("name") } else { String::new() },
        integrations => offered.iter().map(|it| context! { key => &it.key, name => &it.name }).collect::<Vec<_>>(),
        proxy => &app.broker.urls.proxy,
    })
}
