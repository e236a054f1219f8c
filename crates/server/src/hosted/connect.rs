//! The page before the provider, or in its place: asks for what the provider needs to know, for a credential, or for a
//! confirming click.

use axum::{
    body::Bytes,
    extract::{
        Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use claviger_engine::{
    connect::{self, Ask, Form, Given, Visitor, Wrong},
    error::Error,
    id::FlowId,
    secret::Secret,
};
use minijinja::context;

use super::{
    done,
    form::{self, TYPED},
    page::{Kind, redirect},
    text::Language,
};
use crate::{
    app::App,
    http::{browser, csrf, params::Params, session, site},
};

/// `GET /connect/{flow}`.
pub async fn show(
    State(app): State<App>,
    flow: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    let cookies = Cookies::of(&app, &headers);
    let asked = match FlowId::parse(&flow) {
        Some(flow) => connect::open(&app.broker, &flow, cookies.visitor()).await,
        None => Err(unknown()),
    };
    match asked {
        Ok(ask) => page(&app, StatusCode::OK, &ask, &Given::default(), &Wrong::default()),
        Err(error) => app.pages.engine_error(&error),
    }
}

/// `POST /connect/{flow}`.
pub async fn submit(
    State(app): State<App>,
    flow: Result<Path<String>, PathRejection>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let origin = site::find(&app, &parts).await.map_or(app.broker.urls.app.clone(), |site| site.origin);
    if !csrf::same_origin(&parts.headers, &origin) {
        let message = "This form was not sent from our page. Open the link again.";
        return app.pages.error(StatusCode::FORBIDDEN, "This can't be connected", message);
    }
    let body = match body.map_err(|unread| unread.status()) {
        Ok(body) if std::str::from_utf8(&body).is_ok() => body,
        Ok(_) => return app.pages.unreadable(StatusCode::BAD_REQUEST),
        Err(status) => return app.pages.unreadable(status),
    };
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    match take(&app, &flow, &parts.headers, &String::from_utf8_lossy(&body)).await {
        Ok(response) => response,
        Err(error) => app.pages.engine_error(&error),
    }
}

async fn take(app: &App, flow: &str, headers: &HeaderMap, body: &str) -> Result<Response, Error> {
    let cookies = Cookies::of(app, headers);
    let flow = FlowId::parse(flow).ok_or_else(unknown)?;
    let mut given = read(body)?;
    if given.inputs.remove("decision").is_some_and(|decision| decision == "cancel") {
        let outcome = connect::cancel(&app.broker, &flow, cookies.visitor()).await?;
        return Ok(done::perform(&app.pages, StatusCode::SEE_OTHER, &outcome));
    }
    Ok(match connect::submit(&app.broker, &flow, cookies.visitor(), &given).await? {
        Form::Provider(url) => redirect(StatusCode::SEE_OTHER, &url),
        Form::Back(outcome) => done::perform(&app.pages, StatusCode::SEE_OTHER, &outcome),
        Form::Wrong(ask, wrong) => page(app, StatusCode::UNPROCESSABLE_ENTITY, &ask, &given, &wrong),
    })
}

/// The form's values: a credential's are secrets from here on.
fn read(body: &str) -> Result<Given, Error> {
    let params = Params::parse(body);
    let mut given = Given::default();
    for name in params.names() {
        let value = params.get(name).map_err(|e| Error::invalid("form", format!("{name} is {e}")))?;
        let value = value.unwrap_or_default();
        match name.strip_prefix(TYPED) {
            Some(key) => given.typed.insert(key.to_owned(), Secret::new(value)).map(drop),
            None => given.inputs.insert(name.to_owned(), value).map(drop),
        };
    }
    Ok(given)
}

/// What a browser's cookies say.
struct Cookies {
    browser: Option<Secret>,
    session: Option<Secret>,
}

impl Cookies {
    fn of(app: &App, headers: &HeaderMap) -> Self {
        Self { browser: browser::read(headers, app.https), session: session::read(headers) }
    }

    fn visitor(&self) -> Visitor<'_> {
        Visitor { browser: self.browser.as_ref(), session: self.session.as_ref() }
    }
}

fn unknown() -> Error {
    Error::invalid("flow", "this link is not one of ours; begin again")
}

fn page(app: &App, status: StatusCode, ask: &Ask, given: &Given, wrong: &Wrong) -> Response {
    let form = form::context(Language::default(), ask, given, wrong);
    let Ask { product, integration, owner, confirm, member, shared, leaves, framed_by, .. } = ask;
    let keys = !ask.keys.is_empty();
    app.pages.render(
        status,
        Kind::Form { framed_by },
        "connect.html",
        context! { product, integration, owner, confirm, member, shared, leaves, keys, form },
    )
}
