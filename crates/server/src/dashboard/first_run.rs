//! First run: the one-time link that `serve` prints leads here, and the first operator is made.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use claviger_engine::{
    access::Visitor,
    error::{Error, Result},
    secret::Secret,
    setup::first::{self, FirstOperator},
};
use minijinja::context;

use super::{page, sign_in};
use crate::{
    app::App,
    hosted::page::{redirect, sentence},
    http::{
        client::{ClientAddr, subscriber},
        csrf, operator,
        params::Params,
    },
};

/// Below it are set-up links: the rest of the path is the link's token.
pub const PREFIX: &str = "/dashboard/setup/";

/// `GET /dashboard/setup/{link}`.
pub async fn show(State(app): State<App>, Path(link): Path<String>) -> Response {
    match first::open(&app.broker, &Secret::new(link)).await {
        Ok(empty) => form(&app, StatusCode::OK, empty, &Params::parse(""), None),
        Err(error) => gone(&app, &error),
    }
}

/// `POST /dashboard/setup/{link}`.
pub async fn submit(
    State(app): State<App>,
    Path(link): Path<String>,
    ClientAddr(address): ClientAddr,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let link = Secret::new(link);
    let empty = match first::open(&app.broker, &link).await {
        Ok(empty) => empty,
        Err(error) => return gone(&app, &error),
    };
    let params = Params::parse(&String::from_utf8_lossy(&body));
    if !csrf::same_origin(&headers, &app.broker.urls.app) {
        let why = ("form", "This form was not sent from this page. Send it from here.".to_owned());
        return form(&app, StatusCode::FORBIDDEN, empty, &params, Some(why));
    }
    let (limited_as, address) = (subscriber(address), address.to_string());
    let visitor = Visitor { limited_as: &limited_as, address: &address };
    match enter(&app, &visitor, &link, &params).await {
        Ok(cookie) => {
            let mut response = redirect(StatusCode::SEE_OTHER, sign_in::HOME);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Err(Error::Invalid { field, message }) => {
            form(&app, StatusCode::BAD_REQUEST, empty, &params, Some((field, sentence(&message))))
        }
        Err(error) => gone(&app, &error),
    }
}

async fn enter(
    app: &App,
    visitor: &Visitor<'_>,
    link: &Secret,
    params: &Params,
) -> Result<axum::http::HeaderValue> {
    let given = |name: &'static str| {
        let value = params.get(name).map_err(|e| Error::invalid(name, format!("is {e}")))?;
        Ok::<String, Error>(value.unwrap_or_default())
    };
    let (password, again) = (given("password")?, given("again")?);
    if password != again {
        return Err(Error::invalid("again", "the two passwords differ"));
    }
    let input = FirstOperator {
        username: given("username")?,
        password: Secret::new(password),
        workspace: given("name")?,
    };
    let entered = first::operator(&app.broker, visitor, link, input).await?;
    operator::set(&entered.sid, app.https)
}

fn form(
    app: &App,
    status: StatusCode,
    empty: bool,
    params: &Params,
    error: Option<(&str, String)>,
) -> Response {
    let given = |name: &str| params.get(name).ok().flatten().unwrap_or_default();
    let (field, message) = error.unwrap_or_default();
    let values = context! {
        empty, field, message,
        name => given("name"), username => given("username"),
        title => "Set up Claviger",
    };
    page::outside(app, status, "dashboard/first_run.html", values)
}

fn gone(app: &App, error: &Error) -> Response {
    if matches!(error, Error::NotFound { .. }) {
        let message = "This link was used, or is older than a day. While nobody is set up, each start of `claviger \
                       serve` prints a new one; after that, sign in.";
        return page::problem(app, None, StatusCode::NOT_FOUND, "This link is not good any more", message);
    }
    page::failed(app, None, error)
}
