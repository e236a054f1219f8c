//! Signing in and out, and who is signed in.
//!
//! Another site's page must not sign somebody in (as the attacker, for whom the victim then connects an account), so
//! a browser has to come from our own page and to send JSON. Informer's `jwt` and `wsToken` are not given: they are
//! credentials for parts of it that are not here. `sid` is in the body only for callers that are no pages, since a
//! page's script has no use for what its cookie keeps from it.

use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE, request::Parts},
    response::{IntoResponse, Response},
};
use claviger_engine::{
    access::{self, Attempt},
    domain::user::User,
    error::{Error, Result},
    secret::Secret,
};
use serde::Serialize;

use super::{
    asked::{Json, Named, Query},
    caller::{At, Caller, require_own_page},
    error::{Answer, Problem, Refused},
    users,
};
use crate::{
    app::App,
    http::{
        body::Fields,
        client::{ClientAddr, subscriber},
        csrf, session,
        site::Site,
    },
};

/// The one domain there is: passwords are kept here.
const DOMAIN: &str = "local";

/// Who is signed in.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Session)]
pub struct Shown {
    user: users::Shown,
    /// The session, as the cookie `sid` holds it. Only after signing in, and not for pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    /// Always `en`.
    #[schema(example = "en")]
    locale: &'static str,
    /// Always `en`.
    #[schema(example = "en")]
    lang: &'static str,
}

impl Shown {
    fn of(user: &User, sid: Option<&Secret>) -> Self {
        let sid = sid.map(|sid| sid.expose().to_owned());
        Self { user: users::Shown::of(user), sid, locale: "en", lang: "en" }
    }
}

/// A name and a password.
#[derive(utoipa::ToSchema)]
#[schema(as = SignIn)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Wanted {
    /// In any casing.
    username: String,
    password: String,
}

/// Where somebody signs in, and from where.
pub struct Visit {
    site: Site,
    headers: HeaderMap,
    address: String,
}

impl FromRequestParts<App> for Visit {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> std::result::Result<Self, Refused> {
        let At(site) = At::from_request_parts(parts, app).await?;
        let Ok(ClientAddr(from)) = ClientAddr::from_request_parts(parts, app).await;
        Ok(Self { site, headers: parts.headers.clone(), address: subscriber(from) })
    }
}

/// Signs in at a domain, of which there is one: `local`.
#[utoipa::path(
    post,
    path = "/api/login/{domain}",
    operation_id = "sign_in_by_domain",
    tag = "sessions",
    security(()),
    params(
        ("domain" = String, Path, description = "Always `local`."),
        ("redirect" = Option<bool>, Query, description = "Only `false`: the answer is JSON.")
    ),
    request_body = Wanted,
    responses(
        (status = 200, body = Shown, description = "Signed in: the cookie `sid` is set."),
        (status = 400, body = Problem, description = "Another domain, or a field is wrong."),
        (status = 401, body = Problem, description = "Wrong, unknown, or disabled: all the same."),
        (status = 403, body = Problem, description = "From another origin."),
        (status = 415, body = Problem, description = "The body does not say that it is JSON."),
        (status = 429, body = Problem, description = "Too many tries; `Retry-After` says when to go on.")
    )
)]
pub async fn by_domain(
    State(app): State<App>,
    visit: Visit,
    Named(domain): Named<String>,
    query: Query,
    Json(body): Json,
) -> Answer {
    if domain != DOMAIN {
        return Err(Error::invalid("domain", format!("Must be {DOMAIN}")).into());
    }
    if query.flag("redirect")? == Some(true) {
        return Err(Error::invalid("redirect", "Is not offered: the answer is JSON").into());
    }
    Ok(enter(&app, &visit, body.fields()?).await?)
}

/// Signs in.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    operation_id = "sign_in",
    tag = "sessions",
    security(()),
    request_body = Wanted,
    responses(
        (status = 200, body = Shown, description = "Signed in: the cookie `sid` is set."),
        (status = 400, body = Problem, description = "A field is wrong."),
        (status = 401, body = Problem, description = "Wrong, unknown, or disabled: all the same."),
        (status = 403, body = Problem, description = "From another origin."),
        (status = 415, body = Problem, description = "The body does not say that it is JSON."),
        (status = 429, body = Problem, description = "Too many tries; `Retry-After` says when to go on.")
    )
)]
pub async fn sign_in(State(app): State<App>, visit: Visit, Json(body): Json) -> Answer {
    Ok(enter(&app, &visit, body.fields()?).await?)
}

async fn enter(app: &App, visit: &Visit, mut fields: Fields) -> Result<Response> {
    let site = &visit.site;
    if csrf::is_foreign(&visit.headers, &site.origin) {
        let message = format!("Signing in starts at {}, not on another site's page", site.origin);
        return Err(Error::Denied { message });
    }
    if fields.value("mfaConfig")?.is_some() {
        return Err(Error::invalid("mfaConfig", "Is not offered: there is no second factor"));
    }
    let username = fields.need("username")?;
    let password = fields.secret("password", &["password"])?;
    let password = password.ok_or_else(|| Error::invalid("password", "Is required"))?;
    fields.done()?;
    let attempt =
        Attempt { workspace: &site.workspace, username: &username, password, address: &visit.address };
    let old = session::read(&visit.headers);
    let entered = access::sign_in(&app.broker, attempt, old.as_ref()).await?;
    let sid = (!csrf::is_from_page(&visit.headers)).then_some(&entered.sid);
    let cookie = session::set(&entered.sid, site.https())?;
    let shown = axum::Json(Shown::of(&entered.user, sid));
    Ok(([(SET_COOKIE, cookie)], shown).into_response())
}

/// Signs out: the session ends and its cookie goes. Without one there is nothing to do, which is fine.
#[utoipa::path(
    post,
    path = "/api/logout",
    operation_id = "sign_out",
    tag = "sessions",
    security((), ("session" = [])),
    responses(
        (status = 204, description = "There is no session any more."),
        (status = 403, body = Problem, description = "From another origin.")
    )
)]
pub async fn sign_out(State(app): State<App>, visit: Visit) -> Answer {
    if session::is_shown(&visit.headers) {
        require_own_page(&visit.headers, &visit.site)?;
    }
    if let Some(sid) = session::read(&visit.headers) {
        access::sign_out(&app.broker, &visit.site.workspace, &sid).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, session::clear(visit.site.https()))]).into_response())
}

/// Says who calls.
#[utoipa::path(
    get,
    path = "/api/session",
    operation_id = "show_session",
    tag = "sessions",
    responses(
        (status = 200, body = Shown),
        (status = 401, body = Problem, description = "No session, token or password that holds.")
    )
)]
pub async fn show(Caller(member): Caller) -> Answer {
    Ok(axum::Json(Shown::of(&member.user, None)).into_response())
}
