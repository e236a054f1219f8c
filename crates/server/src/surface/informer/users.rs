//! `/api/users/{username}`: who somebody is; the user resource that signing in answers with, too.

use axum::{extract::State, http::StatusCode, response::Response};
use claviger_engine::{domain::user::User, member::user};
use serde::Serialize;

use super::{
    asked::Named,
    caller::Caller,
    error::{Answer, Problem},
    hal::{Format, Link, link, segment},
};
use crate::app::App;

/// A user.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = User)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    #[schema(example = "alice")]
    username: String,
    /// What people call it; its name when nobody said.
    #[schema(example = "Alice Example")]
    display_name: String,
    #[schema(example = "alice@example.com")]
    email: Option<String>,
    /// Who knows its password: always `local`.
    #[schema(example = "local")]
    domain: &'static str,
    /// Whether it can sign in.
    enabled: bool,
    /// Whether it may do everything in its workspace.
    superuser: bool,
    #[serde(rename = "_links")]
    links: Links,
}

/// Where a user is found.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = UserLinks)]
pub struct Links {
    #[serde(rename = "self")]
    own: Link,
}

impl Shown {
    /// A user, as this door shows it.
    pub fn of(user: &User) -> Self {
        let own = link(format!("/api/users/{}", segment(&user.username)));
        Self {
            display_name: user.display_name.clone().unwrap_or_else(|| user.username.clone()),
            username: user.username.clone(),
            email: user.email.clone(),
            domain: "local",
            enabled: user.disabled_at.is_none(),
            superuser: user.superuser,
            links: Links { own },
        }
    }
}

/// Shows a user: oneself, and to superusers everybody.
#[utoipa::path(
    get,
    path = "/api/users/{username}",
    operation_id = "show_user",
    tag = "users",
    params(("username" = String, Path, description = "The name it signs in with.")),
    responses(
        (status = 200, body = Shown),
        (status = 401, body = Problem, description = "No session, token or password that holds."),
        (status = 404, body = Problem, description = "There is no such user, or it is not yours to see.")
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(member): Caller,
    format: Format,
    Named(username): Named<String>,
) -> Answer {
    let found = user::show(&app.broker, &member, &username).await?;
    Ok::<Response, _>(format.object(StatusCode::OK, &Shown::of(&found)))
}
