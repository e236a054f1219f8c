//! The page before the provider, or in its place: asks for what the provider needs to know, for a credential, or for a
//! confirming click.

use axum::{
    body::Bytes,
    extract::{
        Path, RawQuery, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use claviger_engine::{
    connect::{self, Ask, Form, Given, Look, Visitor, Wrong, device},
    error::Error,
    id::FlowId,
    secret::Secret,
};
use minijinja::{Value, context};

use super::{
    device as code, done,
    form::{self, TYPED},
    page::{Kind, Pages, redirect},
    picture,
};
use crate::{
    app::App,
    http::{browser, csrf, params::Params, session, site},
};

/// `GET /connect/{flow}`.
pub async fn show(
    State(app): State<App>,
    flow: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    let pages = app.pages.to(&headers, query.as_deref());
    let cookies = Cookies::of(&app, &headers);
    let asked = match FlowId::parse(&flow) {
        Some(flow) => match device::ended(&app.broker, &flow, cookies.visitor()).await {
            Ok(Some(outcome)) => return done::perform(&pages, StatusCode::FOUND, &outcome),
            Ok(None) => connect::open(&app.broker, &flow, cookies.visitor()).await,
            Err(error) => Err(error),
        },
        None => Err(unknown()),
    };
    match asked {
        Ok(ask) => page(&pages, &ask, &Given::default(), &Wrong::default()),
        Err(error) => pages.of(look(&app, &flow, &headers).await).engine_error(&error),
    }
}

/// `POST /connect/{flow}`.
pub async fn submit(
    State(app): State<App>,
    flow: Result<Path<String>, PathRejection>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    let pages = app.pages.to(&parts.headers, parts.uri.query()).of(look(&app, &flow, &parts.headers).await);
    let origin = site::find(&app, &parts).await.map_or(app.broker.urls.app.clone(), |site| site.origin);
    if !csrf::same_origin(&parts.headers, &origin) {
        let message = "This form was not sent from our page. Open the link again.";
        return pages.error(StatusCode::FORBIDDEN, "This can't be connected", message);
    }
    let body = match body.map_err(|unread| unread.status()) {
        Ok(body) if std::str::from_utf8(&body).is_ok() => body,
        Ok(_) => return pages.unreadable(StatusCode::BAD_REQUEST),
        Err(status) => return pages.unreadable(status),
    };
    match take(&app, &pages, &flow, &parts.headers, &String::from_utf8_lossy(&body)).await {
        Ok(response) => response,
        Err(error) => pages.engine_error(&error),
    }
}

/// In whose name the pages of a flow speak, also once it has ended; for the browser that carries it, and no other.
pub async fn look(app: &App, flow: &str, headers: &HeaderMap) -> Option<Look> {
    let browser = browser::read(headers, app.https);
    match connect::look_of(&app.broker, &FlowId::parse(flow)?, browser.as_ref()).await {
        Ok(look) => look,
        Err(error) => {
            tracing::error!(?error, "it is not known in whose name a page speaks");
            None
        }
    }
}

/// What a flow connects: its name, and its picture.
pub async fn service(app: &App, flow: &str) -> (Option<String>, Option<Value>) {
    let Some(flow) = FlowId::parse(flow) else { return (None, None) };
    let found = connect::service_of(&app.broker, &flow).await.unwrap_or_else(|error| {
        tracing::error!(?error, "it is not known what a page is about");
        None
    });
    found.map(|it| (it.name.clone(), picture::symbol(&flow, &it.symbol, &it.name))).unzip()
}

async fn take(
    app: &App,
    pages: &Pages,
    flow: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<Response, Error> {
    let cookies = Cookies::of(app, headers);
    let flow = FlowId::parse(flow).ok_or_else(unknown)?;
    let mut given = read(body)?;
    if given.inputs.remove("decision").is_some_and(|decision| decision == "cancel") {
        let outcome = match device::ended(&app.broker, &flow, cookies.visitor()).await? {
            Some(outcome) => outcome,
            None => connect::cancel(&app.broker, &flow, cookies.visitor()).await?,
        };
        return Ok(done::perform(pages, StatusCode::SEE_OTHER, &outcome));
    }
    Ok(match connect::submit(&app.broker, &flow, cookies.visitor(), &given).await? {
        Form::Provider(url) => redirect(StatusCode::SEE_OTHER, &url),
        // The page is one to be loaded again and again.
        Form::Stay(_) => redirect(StatusCode::SEE_OTHER, &format!("/connect/{flow}")),
        Form::Back(outcome) => done::perform(pages, StatusCode::SEE_OTHER, &outcome),
        Form::Wrong(ask, wrong) => page(pages, &ask, &given, &wrong),
    })
}

/// Names of a form of ours that no field has.
const TELLING: [&str; 3] = ["decision", "handle", "way"];

/// The form's values: a credential's are secrets from here on.
pub fn read(body: &str) -> Result<Given, Error> {
    let params = Params::parse(body);
    let mut given = Given::default();
    for name in params.names() {
        // What tells forms apart is short; what is typed in may be a document.
        let value = if TELLING.contains(&name) { params.get(name) } else { params.whole(name) };
        let value = value.map_err(|e| Error::invalid("form", format!("{name} is {e}")))?;
        let value = value.unwrap_or_default();
        match name.strip_prefix(TYPED) {
            Some(key) => given.typed.insert(key.to_owned(), Secret::new(value)).map(drop),
            None => given.inputs.insert(name.to_owned(), value).map(drop),
        };
    }
    Ok(given)
}

/// What a browser's cookies say.
pub(super) struct Cookies {
    browser: Option<Secret>,
    session: Option<Secret>,
}

impl Cookies {
    pub(super) fn of(app: &App, headers: &HeaderMap) -> Self {
        Self { browser: browser::read(headers, app.https), session: session::read(headers) }
    }

    pub(super) fn visitor(&self) -> Visitor<'_> {
        Visitor { browser: self.browser.as_ref(), session: self.session.as_ref() }
    }
}

fn unknown() -> Error {
    Error::invalid("flow", "this link is not one of ours; begin again")
}

/// The page with its form.
pub(super) fn page(pages: &Pages, ask: &Ask, given: &Given, wrong: &Wrong) -> Response {
    let form = form::context(ask, given, wrong);
    let Ask { product, integration, owner, confirm, member, shared, leaves, framed_by, .. } = ask;
    let (keys, symbol) = (!ask.keys.is_empty(), picture::symbol(&ask.flow, &ask.symbol, integration));
    let (coded, device) = (ask.device.is_some(), code::context(ask));
    let mut response = pages.of(Some(ask.look.clone())).render(
        form::status(wrong),
        Kind::Form { framed_by },
        "connect.html",
        context! { product, integration, symbol, owner, confirm, member, shared, leaves, keys, coded, device, form },
    );
    form::wait(wrong, &mut response);
    response
}
