//! The operator's own account: where it is signed in, its password, and the ways out.

use axum::{
    extract::State,
    http::{StatusCode, header::SET_COOKIE},
    response::Response,
};
use claviger_engine::{
    access::{self, Proof},
    error::{Error, Result},
    secret::Secret,
    setup,
};
use minijinja::{Value, context};

use super::{
    guard::{Answer, Visit},
    page, sign_in,
    told::Told,
    view,
};
use crate::{app::App, hosted::page::sentence, http::operator};

const PAGE: &str = "dashboard/account.html";

/// `GET /dashboard/account`.
pub async fn show(State(app): State<App>, visit: Visit) -> Answer {
    let values = values(&app, &visit, None).await?;
    Ok(page::show(&app, &visit, page::NOWHERE, PAGE, values))
}

async fn values(app: &App, visit: &Visit, error: Option<(&str, String)>) -> Result<Value> {
    let now = app.broker.clock.now();
    let found = app.broker.store.read().await?.any_operator_sessions(&visit.by.operator.id).await?;
    let sessions: Vec<_> = found
        .iter()
        .map(|it| {
            context! {
                here => it.hash == visit.by.session.hash,
                began => view::when(now, it.created_at),
                seen => view::when(now, it.seen_at),
            }
        })
        .collect();
    let (field, message) = error.unwrap_or_default();
    Ok(context! { sessions, field, message, title => "Your account" })
}

/// `POST /dashboard/account/password`: another password. Every session ends; a new one begins here.
pub async fn set_password(State(app): State<App>, visit: Visit) -> Answer {
    let given = |name: &str| Secret::new(visit.form.get(name).ok().flatten().unwrap_or_default());
    let (was, wanted, again) = (given("current"), given("password"), given("again"));
    let changed = if wanted.expose() == again.expose() {
        change(&app, &visit, was, wanted).await
    } else {
        Err(Error::invalid("again", "the two passwords differ"))
    };
    match changed {
        Ok(sid) => {
            let mut response = page::done("/dashboard/account", Told::Password);
            response.headers_mut().append(SET_COOKIE, operator::set(&sid, app.https)?);
            Ok(response)
        }
        Err(Error::Invalid { field, message }) => {
            let values = values(&app, &visit, Some((field, sentence(&message)))).await?;
            Ok(page::show_as(&app, &visit, StatusCode::BAD_REQUEST, page::NOWHERE, PAGE, values))
        }
        Err(error) => Err(error.into()),
    }
}

async fn change(app: &App, visit: &Visit, current: Secret, wanted: Secret) -> Result<Secret> {
    // The present one first: hashing takes time and memory, and only who knows it may have that spent.
    if access::prove(&app.broker, &visit.by, current, &visit.limited_as).await? == Proof::Wrong {
        return Err(Error::invalid("current", "this is not your password"));
    }
    let hash = setup::password_hash(wanted).await?;
    access::set_operator_password(&app.broker, &visit.by, hash).await
}

/// `POST /dashboard/sign-out`.
pub async fn sign_out(State(app): State<App>, visit: Visit) -> Answer {
    access::sign_out_operator(&app.broker, &visit.by).await?;
    Ok(leave(&app))
}

/// `POST /dashboard/sign-out-everywhere`.
pub async fn sign_out_everywhere(State(app): State<App>, visit: Visit) -> Answer {
    access::sign_out_operator_everywhere(&app.broker, &visit.by).await?;
    Ok(leave(&app))
}

fn leave(app: &App) -> Response {
    let mut response = page::done(sign_in::PATH, Told::SignedOut);
    response.headers_mut().append(SET_COOKIE, operator::clear(app.https));
    response
}
