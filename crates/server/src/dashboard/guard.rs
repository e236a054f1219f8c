//! The guard in front of every page that takes a signed-in operator.
//!
//! In this order: who is it; which workspace, and may its role do this here; does a form come from our own page, with
//! the session's token; and for what is grave, was the password shown not long ago. Whoever is not signed in is sent to
//! sign in; whoever lacks proof is asked for the password, with the form kept. Errors that a page ends in become pages.

use std::sync::Arc;

use axum::{
    body::to_bytes,
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use claviger_engine::{
    access::{self, Proof, Seat, SignedOperator},
    domain::right::Action,
    error::{Error, Result},
    secret::Secret,
    vault::hash,
};

use super::{page, route::Needs, sign_in, told::Told};
use crate::{
    app::App,
    hosted::page::redirect,
    http::{
        client::{ClientAddr, subscriber},
        csrf, operator,
        params::Params,
    },
};

/// The most bytes of a form.
const FORM: usize = 64 * 1024;
/// Below it are the pages of workspaces, each under its client id.
const WORKSPACES: &str = "/dashboard/w/";

/// What stands at a route.
#[derive(Clone)]
pub struct Gate {
    pub(super) app: App,
    pub(super) needs: Needs,
}

/// Whoever passed the guard, and what it brought.
#[derive(Clone)]
pub struct Visit(Arc<Passed>);

/// What the guard found out.
pub struct Passed {
    /// Who.
    pub by: SignedOperator,
    /// From where, as limits count addresses.
    pub limited_as: String,
    /// What forms of this session must carry.
    pub csrf: String,
    /// The form; empty where there is none.
    pub form: Params,
    /// What the page is to say once.
    pub told: Option<Told>,
    /// The seat that the page's workspace gives.
    seat: Option<Seat>,
}

impl std::ops::Deref for Visit {
    type Target = Passed;

    fn deref(&self) -> &Passed {
        &self.0
    }
}

impl Passed {
    /// The seat in the page's workspace, where it is a workspace's page.
    pub fn seat(&self) -> Option<&Seat> {
        self.seat.as_ref()
    }

    /// The same for a page that is a workspace's.
    ///
    /// # Errors
    /// `Internal` for a route that is not behind [`Needs::Right`].
    pub fn seated(&self) -> Result<&Seat> {
        self.seat().ok_or_else(|| Error::internal("a workspace's page without its workspace"))
    }

    /// A page of the workspace.
    pub fn below(&self, page: &str) -> String {
        let client_id = self.seat().map_or("", |seat| seat.workspace.client_id.as_str());
        format!("{WORKSPACES}{client_id}/{page}")
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Failed> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Error::internal("a page of the dashboard without its guard").into())
    }
}

/// An engine error that a page ends in. The guard makes a page of it.
pub struct Failed(Arc<Error>);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// What a page of the dashboard answers with.
pub type Answer = std::result::Result<Response, Failed>;

/// Lets a request pass, or answers it.
pub async fn pass(State(Gate { app, needs }): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let address = ClientAddr::from_request_parts(&mut parts, &app).await;
    let Ok(ClientAddr(address)) = address;
    let Some(sid) = operator::read(&parts.headers, app.https) else { return to_sign_in(&parts) };
    let by = match access::operator(&app.broker, &sid, &address.to_string()).await {
        Ok(by) => by,
        Err(Error::Unauthenticated { .. }) => return to_sign_in(&parts),
        Err(error) => return page::failed(&app, None, &error),
    };
    let posted = parts.method == Method::POST;
    let form = if posted { to_bytes(body, FORM).await } else { Ok(Default::default()) };
    let Ok(form) = form else { return page::unreadable(&app) };
    let form = Params::parse(&String::from_utf8_lossy(&form));
    let told = Told::read(&parts.headers);
    let csrf = csrf_token(&sid);
    let mut passed = Passed { by, limited_as: subscriber(address), csrf, form, told, seat: None };
    if posted && !from_our_page(&parts.headers, &app, &passed) {
        return page::foreign(&app, &Visit(Arc::new(passed)));
    }
    if let Needs::Right(action) = needs {
        match enter(&app, &mut passed, &parts, action).await {
            Ok(None) => {}
            Ok(Some(response)) => return response,
            Err(error) => return page::failed(&app, Some(&Visit(Arc::new(passed))), &error),
        }
    }
    let visit = Visit(Arc::new(passed));
    parts.extensions.insert(visit.clone());
    let response = next.run(Request::from_parts(parts, axum::body::Body::empty())).await;
    match response.extensions().get::<Arc<Error>>().cloned() {
        Some(error) => page::failed(&app, Some(&visit), &error),
        None => response,
    }
}

/// Gives the visit its seat, if its role lets it do this; an answer where the password is asked for first.
async fn enter(app: &App, passed: &mut Passed, parts: &Parts, action: Action) -> Result<Option<Response>> {
    let path = parts.uri.path();
    let client_id = path.strip_prefix(WORKSPACES).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let seat = Seat::take(&app.broker, passed.by.clone(), client_id).await?;
    let (may, grave) = (seat.may(action), action.right().proof);
    passed.seat = Some(seat);
    if !may || !grave || passed.by.is_proven(app.broker.clock.now()) {
        if let Some(seat) = &passed.seat {
            seat.require(&app.broker, action)?;
        }
        return Ok(None);
    }
    let shown = passed.form.get(page::PROOF).ok().flatten().map(Secret::new);
    let right = match shown {
        None => None,
        Some(password) => Some(access::prove(&app.broker, &passed.by, password, &passed.limited_as).await?),
    };
    if right != Some(Proof::Right) {
        return Ok(Some(page::prove(app, passed, path, right.is_some())));
    }
    passed.by.session.proven_at = app.broker.clock.now();
    passed.seat = Some(Seat::take(&app.broker, passed.by.clone(), client_id).await?);
    Ok(None)
}

/// Sends whoever is not signed in to the sign-in page, and from there back to the page that was wanted.
fn to_sign_in(parts: &Parts) -> Response {
    if parts.method == Method::POST {
        return redirect(StatusCode::SEE_OTHER, sign_in::PATH);
    }
    let wanted = parts.uri.path_and_query().map_or("", |it| it.as_str());
    redirect(StatusCode::FOUND, &sign_in::leading_to(wanted))
}

/// What forms of a session must carry. Whoever can't read the session's cookie can't make it.
fn csrf_token(sid: &Secret) -> String {
    hash::token(&format!("csrf {}", sid.expose()))
}

fn from_our_page(headers: &HeaderMap, app: &App, passed: &Passed) -> bool {
    let carried = passed.form.get("csrf").ok().flatten().unwrap_or_default();
    csrf::same_origin(headers, &app.broker.urls.app) && hash::same(&carried, &passed.csrf)
}
