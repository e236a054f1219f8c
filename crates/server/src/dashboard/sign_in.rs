//! Signing in at the dashboard.

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use claviger_engine::{
    access::{self, Visitor},
    error::{Error, Result},
    secret::Secret,
};
use minijinja::context;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::{
    page,
    told::{self, Told},
};
use crate::{
    app::App,
    hosted::page::redirect,
    http::{
        client::{ClientAddr, subscriber},
        csrf, operator,
        params::Params,
    },
};

/// Where it is.
pub const PATH: &str = "/dashboard/sign-in";
/// Where whoever signed in goes, unless another page was wanted.
pub const HOME: &str = "/dashboard/";

/// The sign-in page that leads on to a page of the dashboard.
pub fn leading_to(wanted: &str) -> String {
    match inside(wanted) {
        Some(wanted) if wanted != HOME => {
            format!("{PATH}?next={}", utf8_percent_encode(wanted, NON_ALPHANUMERIC))
        }
        _ => PATH.to_owned(),
    }
}

/// A page of the dashboard, as a path below it that no browser reads as another place.
fn inside(path: &str) -> Option<&str> {
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\' && b != b'#');
    if !plain || path.len() > 1024 || !path.starts_with(HOME) {
        return None;
    }
    // As browsers read it: to them, `%2e%2e` is `..` too.
    let origin = Url::parse("https://origin.invalid/").ok()?;
    let read = origin.join(path).ok()?;
    (read.origin() == origin.origin() && read.path().starts_with(HOME)).then_some(path)
}

/// `GET /dashboard/sign-in`.
pub async fn show(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let params = Params::parse(query.as_deref().unwrap_or_default());
    let next = params.get("next").ok().flatten();
    let told = Told::read(&headers);
    let mut response = form(&app, StatusCode::OK, next.as_deref(), "", None, told).await;
    if told.is_some() {
        response.headers_mut().append(SET_COOKIE, told::forget());
    }
    response
}

/// `POST /dashboard/sign-in`.
pub async fn submit(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::parse(&String::from_utf8_lossy(&body));
    let (next, name) = (params.get("next").ok().flatten(), params.get("username").ok().flatten());
    let again = async |status, why: &str| {
        form(&app, status, next.as_deref(), name.as_deref().unwrap_or_default(), Some(why), None).await
    };
    if !csrf::same_origin(&headers, &app.broker.urls.app) {
        let why = "This form was not sent from this page. Sign in here.";
        return again(StatusCode::FORBIDDEN, why).await;
    }
    let (limited_as, address) = (subscriber(address), address.to_string());
    let visitor = Visitor { limited_as: &limited_as, address: &address };
    match enter(&app, &visitor, &params, &headers).await {
        Ok(cookie) => {
            let to = next.as_deref().and_then(inside).unwrap_or(HOME);
            let mut response = redirect(StatusCode::SEE_OTHER, to);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Err(Error::Unauthenticated { .. }) => {
            again(StatusCode::UNAUTHORIZED, "The name or the password is not right.").await
        }
        Err(Error::Invalid { .. }) => {
            again(StatusCode::BAD_REQUEST, "A name and a password are needed.").await
        }
        Err(error) => page::failed(&app, None, &error),
    }
}

async fn enter(
    app: &App,
    visitor: &Visitor<'_>,
    params: &Params,
    headers: &HeaderMap,
) -> Result<axum::http::HeaderValue> {
    let need = |name: &'static str| params.need(name).map_err(|e| Error::invalid(name, e.to_string()));
    let (username, password) = (need("username")?, Secret::new(need("password")?));
    let old = operator::read(headers, app.https);
    let entered = access::sign_in_operator(&app.broker, visitor, &username, password, old.as_ref()).await?;
    operator::set(&entered.sid, app.https)
}

async fn form(
    app: &App,
    status: StatusCode,
    next: Option<&str>,
    username: &str,
    error: Option<&str>,
    told: Option<Told>,
) -> Response {
    let peopled = match app.broker.store.read().await {
        Ok(mut conn) => conn.any_has_operators().await.unwrap_or(true),
        Err(_) => true,
    };
    let values = context! {
        username, error, peopled,
        next => next.and_then(inside),
        told => told.map(Told::sentence),
        title => "Sign in",
    };
    page::outside(app, status, "dashboard/sign_in.html", values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_the_dashboard_and_nowhere_else() {
        for fine in ["/dashboard/", "/dashboard/w/acme/logs?status=5", "/dashboard/account"] {
            assert_eq!(inside(fine), Some(fine));
        }
        for wrong in [
            "",
            "/",
            "/dashboard",
            "//evil.test/dashboard/",
            "https://evil.test/dashboard/",
            "/dashboard/../api",
            "/dashboard/..",
            "/dashboard/%2e%2e/authorize?client_id=x",
            "/dashboard/.%2E/authorize",
            "/dashboard/w/%2E./../../api",
            "/dashboard/x\\y",
            "/dashboard/\u{e4}",
            "/dashboard/a b",
            "/dashboard/\r\nx: y",
        ] {
            assert_eq!(inside(wrong), None, "{wrong}");
            assert_eq!(leading_to(wrong), PATH);
        }
        assert_eq!(leading_to("/dashboard/w/a?b=c"), "/dashboard/sign-in?next=%2Fdashboard%2Fw%2Fa%3Fb%3Dc");
    }
}
