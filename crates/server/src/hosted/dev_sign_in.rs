//! The sign-in page of `claviger dev`: stands in for the product whose users sign in at the Informer-style door, and
//! sends the browser on to connect an account as that user.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use claviger_engine::{
    access::{self, Attempt},
    error::{Error, Result},
    secret::Secret,
};
use minijinja::context;

use super::page::{Kind, redirect, sentence};
use crate::{
    app::{App, Dev},
    http::{
        client::{ClientAddr, subscriber},
        csrf,
        params::Params,
        session,
    },
};

/// Where it is.
pub const PATH: &str = "/dev/sign-in";
/// Where the browser goes next: the integration that is ready.
const NEXT: &str = "/api/integrations/sandbox/connect";

/// `GET /dev/sign-in`.
pub async fn show(State(app): State<App>) -> Response {
    page(&app, StatusCode::OK, None)
}

/// `POST /dev/sign-in`.
pub async fn submit(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(dev) = &app.dev else {
        return app.pages.error(StatusCode::NOT_FOUND, "Not found", "There is no such page.");
    };
    if csrf::is_foreign(&headers, &app.broker.urls.app) {
        return page(&app, StatusCode::FORBIDDEN, Some("This form was not sent from this page."));
    }
    match take(&app, dev, &subscriber(address), &headers, &body).await {
        Ok(response) => response,
        Err(Error::Unauthenticated { .. }) => {
            page(&app, StatusCode::UNAUTHORIZED, Some("The name or the password is not right."))
        }
        Err(Error::Invalid { message, .. }) => page(&app, StatusCode::BAD_REQUEST, Some(&sentence(&message))),
        Err(error) => app.pages.engine_error(&error),
    }
}

async fn take(app: &App, dev: &Dev, address: &str, headers: &HeaderMap, body: &[u8]) -> Result<Response> {
    let params = Params::parse(&String::from_utf8_lossy(body));
    let given = |name: &'static str| {
        params.need(name).map_err(|_| Error::invalid("form", "a name and a password are needed"))
    };
    let (username, password) = (given("username")?, Secret::new(given("password")?));
    let attempt = Attempt { workspace: &dev.workspace, username: &username, password, address };
    let signed_in = access::sign_in(&app.broker, attempt, session::read(headers).as_ref()).await?;
    let mut response = redirect(StatusCode::SEE_OTHER, NEXT);
    response.headers_mut().insert(SET_COOKIE, session::set(&signed_in.sid, app.https)?);
    Ok(response)
}

fn page(app: &App, status: StatusCode, error: Option<&str>) -> Response {
    app.pages.render(status, Kind::Form { framed_by: &[] }, "sign_in.html", context! { error })
}
