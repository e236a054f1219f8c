//! Routes: every URL of the dashboard that takes a signed-in operator, with what it takes. The router is built of this
//! list, and so are the tests of who may do what.

use axum::{
    Router,
    handler::Handler,
    middleware,
    routing::{MethodRouter, get, post},
};
use claviger_engine::domain::right::Action;

use super::{account, audit, guard, home, keys, overview, settings};
use crate::app::App;

/// What it takes to be at a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// That somebody is signed in.
    Operator,
    /// A role in the path's workspace that lets one do this.
    Right(Action),
}

/// One URL and one method.
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path, with placeholders as the router writes them.
    pub path: &'static str,
    /// What it takes.
    pub needs: Needs,
    handler: MethodRouter<App>,
}

fn look<H: Handler<T, App>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Route {
    Route { method: "GET", path, needs, handler: get(handler) }
}

fn act<H: Handler<T, App>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Route {
    Route { method: "POST", path, needs, handler: post(handler) }
}

/// All there are.
pub fn all() -> Vec<Route> {
    use Action::{ChangeSettings, ManageKeys, ReadAudit, See};
    use Needs::{Operator, Right};
    vec![
        look("/dashboard/", Operator, home::show),
        look("/dashboard/account", Operator, account::show),
        act("/dashboard/account/password", Operator, account::set_password),
        act("/dashboard/sign-out", Operator, account::sign_out),
        act("/dashboard/sign-out-everywhere", Operator, account::sign_out_everywhere),
        look("/dashboard/w/{client_id}/", Right(See), overview::show),
        look("/dashboard/w/{client_id}/settings", Right(See), settings::show),
        act(
            "/dashboard/w/{client_id}/settings/auth-responses",
            Right(ChangeSettings),
            settings::set_auth_responses,
        ),
        act("/dashboard/w/{client_id}/settings/completion", Right(ChangeSettings), settings::set_completion),
        act(
            "/dashboard/w/{client_id}/settings/redirect-uris",
            Right(ChangeSettings),
            settings::add_redirect_uri,
        ),
        act(
            "/dashboard/w/{client_id}/settings/redirect-uris/remove",
            Right(ChangeSettings),
            settings::remove_redirect_uri,
        ),
        look("/dashboard/w/{client_id}/keys", Right(See), keys::show),
        act("/dashboard/w/{client_id}/keys", Right(ManageKeys), keys::create),
        act("/dashboard/w/{client_id}/keys/revoke", Right(ManageKeys), keys::revoke),
        look("/dashboard/w/{client_id}/audit", Right(ReadAudit), audit::show),
    ]
}

/// The routes, each behind the guard.
pub fn router(app: &App) -> Router<App> {
    all().into_iter().fold(Router::new(), |router, route| {
        let gate = guard::Gate { app: app.clone(), needs: route.needs };
        let guarded = route.handler.layer(middleware::from_fn_with_state(gate, guard::pass));
        router.route(route.path, guarded)
    })
}
