//! How a page of the dashboard is written: the shell around it, with what is the same on each; and the pages that stand
//! in for one, where something is wrong.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::Response,
};
use claviger_engine::{domain::right::Action, error::Error};
use minijinja::{Value, context};

use super::{
    guard::{Passed, Visit},
    told,
};
use crate::{
    app::App,
    hosted::page::{Kind, redirect, sentence},
};

/// The field in which a password comes that was asked for once more.
pub const PROOF: &str = "proof";

/// A page of a workspace that the navigation leads to: where it is below the workspace, its name, and who sees it.
const NAVIGATION: &[(&str, &str, Action)] = &[
    ("", "Overview", Action::See),
    ("keys", "API keys", Action::See),
    ("settings", "Settings", Action::See),
    ("audit", "Audit log", Action::ReadAudit),
];
/// No entry of the navigation.
pub const NOWHERE: &str = "-";

/// Writes a page in the shell. `at` is the entry of the navigation that it belongs to.
pub fn show(app: &App, visit: &Visit, at: &str, name: &str, values: Value) -> Response {
    show_as(app, visit, StatusCode::OK, at, name, values)
}

/// The same with another status.
pub fn show_as(
    app: &App,
    visit: &Visit,
    status: StatusCode,
    at: &str,
    name: &str,
    values: Value,
) -> Response {
    let shell = shell(app, visit, at);
    let mut response = app.pages.render(status, Kind::Dashboard, name, context! { ..values, ..shell });
    if visit.told.is_some() {
        response.headers_mut().append(header::SET_COOKIE, told::forget());
    }
    response
}

/// Goes to another page, which says once what was done.
pub fn done(to: &str, told: told::Told) -> Response {
    let mut response = redirect(StatusCode::SEE_OTHER, to);
    if let Some(cookie) = told.cookie() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A page without the shell: for whoever is not signed in.
pub fn outside(app: &App, status: StatusCode, name: &str, values: Value) -> Response {
    app.pages.render(status, Kind::Dashboard, name, values)
}

/// The page for an engine error, in the shell where somebody is signed in.
pub fn failed(app: &App, visit: Option<&Visit>, error: &Error) -> Response {
    let (status, title, message) = match error {
        Error::NotFound { what } => (
            StatusCode::NOT_FOUND,
            "Not found",
            format!("There is no such {what} here. It may be gone, or belong to another workspace."),
        ),
        Error::Denied { message } => (
            StatusCode::FORBIDDEN,
            "Not yours to do",
            format!("{} Ask an owner of this workspace.", sentence(message)),
        ),
        Error::Invalid { message, .. } => (StatusCode::BAD_REQUEST, "That can't be", sentence(message)),
        Error::Conflict { message } => (StatusCode::CONFLICT, "That can't be", sentence(message)),
        Error::Unauthenticated { message } => (StatusCode::UNAUTHORIZED, "Sign in again", sentence(message)),
        Error::Limited { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many tries", "Wait a few minutes and try again.".to_owned())
        }
        Error::Provider { message, .. } => {
            (StatusCode::BAD_GATEWAY, "The provider did not answer well", sentence(message))
        }
        Error::NeedsReauth { message } => {
            (StatusCode::CONFLICT, "Its owner must authorize again", sentence(message))
        }
        Error::NotSupported { message } => (StatusCode::BAD_REQUEST, "Not offered", sentence(message)),
        Error::TargetNotAllowed { .. } | Error::Internal(_) if error.is_busy() => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Try again in a moment",
            "The database did not answer in time; try again.".to_owned(),
        ),
        other => {
            tracing::error!(error = ?other, "a page of the dashboard failed");
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong on our side",
                "Try again. If it stays so, the server's log says more.".to_owned(),
            )
        }
    };
    let mut response = problem(app, visit, status, title, &message);
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A page that says what is wrong.
pub fn problem(app: &App, visit: Option<&Visit>, status: StatusCode, title: &str, message: &str) -> Response {
    let values = context! { title, message };
    match visit {
        Some(visit) => show_as(app, visit, status, NOWHERE, "dashboard/problem.html", values),
        None => outside(app, status, "dashboard/outside.html", values),
    }
}

/// The page where there is none.
pub async fn missing(State(app): State<App>) -> Response {
    let message = "There is no page at this address.";
    problem(&app, None, StatusCode::NOT_FOUND, "Not found", message)
}

/// The page for a form that can't be read.
pub fn unreadable(app: &App) -> Response {
    problem(app, None, StatusCode::BAD_REQUEST, "That can't be read", "Go back and try again.")
}

/// The page for a form that was not sent from a page of this session.
pub fn foreign(app: &App, visit: &Visit) -> Response {
    let message = "This form was not sent from a page of yours, or your session began anew since. Nothing was \
                   changed. Open the page again and send it from there.";
    problem(app, Some(visit), StatusCode::FORBIDDEN, "Nothing was changed", message)
}

/// The page that asks for the password once more, and keeps the form that it stands in the way of.
pub fn prove(app: &App, passed: &Passed, path: &str, wrong: bool) -> Response {
    let kept = passed.form.names().filter(|name| !matches!(*name, "csrf" | PROOF));
    let kept: Vec<_> = kept
        .filter_map(|name| Some(context! { name, value => passed.form.get(name).ok().flatten()? }))
        .collect();
    let values = context! {
        path, wrong, kept, csrf => &passed.csrf, name => &passed.by.operator.username,
        title => "Confirm that it is you",
    };
    let status = if wrong { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    outside(app, status, "dashboard/prove.html", values)
}

/// What the shell shows: who, where, and where else one can go.
fn shell(app: &App, visit: &Visit, at: &str) -> Value {
    let seat = visit.seat();
    let place = seat.map(|seat| {
        let base = format!("/dashboard/w/{}", seat.workspace.client_id);
        let open = NAVIGATION.iter().filter(|(.., action)| seat.may(*action));
        let entries: Vec<_> = open
            .map(|(path, name, _)| context! { href => format!("{base}/{path}"), name => *name, here => *path == at })
            .collect();
        context! {
            base, entries, client_id => &seat.workspace.client_id,
            name => &seat.workspace.name, role => seat.role.as_str(),
        }
    });
    context! {
        place, at,
        csrf => &visit.csrf,
        told => visit.told.map(told::Told::sentence),
        operator => &visit.by.operator.username,
        many => visit.by.operator.roles.len() > 1,
        dev => app.broker.dev,
    }
}
