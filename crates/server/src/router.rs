//! The map of every URL.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware,
    response::Response,
    routing::{MethodRouter, any, get, post},
};
use claviger_engine::{limit::patience::patient, outbound};
use http::Request;
use http_body_util::BodyExt as _;
use tower::{Service, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    app::App,
    dashboard::{self, page},
    health,
    hosted::{
        assets, audience, callback, connect, dev_sign_in, device, done, jwks, landing, page::redirect,
        picture, reconnect,
    },
    http::{count, request_id},
    listen::Arriving,
    surface::{
        bundleup::{self, connections, deliveries, error, integrations, not_yet, webhooks},
        informer::{self, connection, icons, owner, shares, sign_in, tokens, users},
        membrane,
    },
};

/// The most bytes of a body at the app origin.
const BODY: usize = 64 * 1024;

/// The same of a form of ours: a document in it has 64 kB, and is written with percents.
const FORM: usize = 256 * 1024;

/// The app origin: all doors, hosted pages, health.
pub fn app(app: App) -> Router {
    let mut router = Router::new()
        .route("/", get(health::root))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        // The BundleUp-style door.
        .route("/authorize", get(bundleup::authorize::authorize).layer(middleware::from_fn(audience::layer)))
        .route("/connection", post(bundleup::connection::exchange))
        .merge(management())
        .route("/v1/mcp", any(not_yet::mcp))
        .route("/mcp", any(not_yet::mcp))
        .merge(informer())
        .merge(pictures())
        .merge(membrane())
        .merge(popups())
        .merge(embeds())
        .merge(scripts())
        .merge(dashboard(&app))
        // Browsers ask for it by themselves.
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        // Pages of ours, for every door.
        .route("/oauth2/callback", get(callback::shared).post(callback::posted))
        .route("/oauth2/callback/{integration_id}", get(callback::own).post(callback::posted))
        .route("/oauth-callback", get(membrane::outside::callback).post(callback::posted))
        .route("/oauth2/jwks/{id}", get(jwks::show))
        .route(
            "/connect/{flow}",
            get(connect::show)
                .post(connect::submit)
                .layer(DefaultBodyLimit::max(FORM))
                .layer(middleware::from_fn(audience::layer)),
        )
        .route(
            "/reconnect/{token}",
            get(reconnect::show).post(reconnect::submit).layer(middleware::from_fn(audience::layer)),
        )
        .route("/connect/{flow}/done", get(done::show))
        .route("/connect/{flow}/icon", get(picture::icon))
        .route("/connect/{flow}/state", get(device::state))
        .route("/brand/{client_id}/logo", get(picture::logo));
    for noun in not_yet::UNIFIED {
        router = below_v1(router, noun, || any(not_yet::unified));
    }
    if app.dev.is_some() {
        router = router.route("/dev/landing", get(landing::show));
        router = router.route(dev_sign_in::PATH, get(dev_sign_in::show).post(dev_sign_in::submit));
    }
    router
        .fallback(missing)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::map_request_with_state(app.clone(), patient_body))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(app.clone(), count::layer))
        .layer(middleware::from_fn(request_id::layer))
        .with_state(app)
}

/// The BundleUp-style door's management API. Every path is there with and without a slash at its end, and neither
/// redirects to the other: a client would lose its body.
fn management() -> Router<App> {
    let routes = [
        ("/v1/connections", get(connections::list).post(connections::import)),
        ("/v1/connections/{id}", get(connections::show).delete(connections::end)),
        ("/v1/connections/{id}/reconnect", post(connections::reconnect)),
        ("/v1/integrations", get(integrations::list)),
        ("/v1/integrations/{id}", get(integrations::show)),
        ("/v1/webhooks", get(webhooks::list).post(webhooks::create)),
        (
            "/v1/webhooks/{id}",
            get(webhooks::show).put(webhooks::update).patch(webhooks::update).delete(webhooks::delete),
        ),
        ("/v1/webhooks/{id}/secret", post(webhooks::roll)),
        ("/v1/webhooks/{id}/redeliver", post(deliveries::redeliver_since)),
        ("/v1/webhooks/{id}/deliveries", get(deliveries::list)),
        ("/v1/webhooks/{id}/deliveries/{delivery}", get(deliveries::show)),
        ("/v1/webhooks/{id}/deliveries/{delivery}/redeliver", post(deliveries::redeliver)),
    ];
    with_and_without_slash(routes).layer(middleware::map_response(not_for_keeping))
}

/// The Informer-style door. Whatever else is asked below `/api` is refused in its shape. A route that takes more or
/// less than [`BODY`] says so itself: `post(handler).layer(DefaultBodyLimit::max(bytes))`.
fn informer() -> Router<App> {
    let requests = get(informer::request::path).post(informer::request::named);
    let requests = requests.layer(DefaultBodyLimit::max(informer::request::BODY));
    let routes = [
        ("/api/integrations", get(informer::integrations::list).post(informer::integrations::create)),
        (
            "/api/integrations/{id}",
            get(informer::integrations::show)
                .put(informer::integrations::update)
                .delete(informer::integrations::delete),
        ),
        ("/api/integrations/{id}/directories/preview", post(informer::integrations::preview)),
        ("/api/integrations-list", get(informer::integrations::pick)),
        ("/api/integrations/{id}/connect", get(informer::connect::start).post(informer::bring::bring)),
        ("/api/integrations/{id}/connection", get(connection::show).delete(connection::end)),
        ("/api/integrations/{id}/owner", get(owner::show).put(owner::set)),
        ("/api/integrations/{id}/request", requests),
        ("/api/integrations/{id}/shares", get(shares::list)),
        (
            "/api/integrations/{id}/shares/{principal}",
            get(shares::show).put(shares::set).delete(shares::remove),
        ),
        ("/api/integration-connections", get(connection::list)),
        ("/api/integration-icon-registry", get(icons::registry)),
        ("/api/login/{domain}", post(sign_in::by_domain)),
        ("/api/auth/login", post(sign_in::sign_in)),
        ("/api/logout", post(sign_in::sign_out)),
        ("/api/auth/logout", post(sign_in::sign_out)),
        ("/api/session", get(sign_in::show)),
        ("/api/users/{username}", get(users::show)),
        ("/api/tokens", get(tokens::list).post(tokens::create)),
        ("/api/tokens/{id}", get(tokens::show).delete(tokens::delete)),
    ];
    with_and_without_slash(routes)
        .route("/api/integrations/{id}/request/{*path}", get(informer::request::path))
        .route("/api", any(informer::missing))
        .route("/api/{*rest}", any(informer::missing))
        .method_not_allowed_fallback(informer::wrong_method)
        .layer(middleware::map_response(not_for_keeping))
}

/// The Membrane-style door: pages that a customer's browser opens, the stream that tells how they ended, and what a
/// product's tokens read and change.
fn membrane() -> Router<App> {
    let customer = get(membrane::customers::show_selected)
        .patch(membrane::customers::update_selected)
        .put(membrane::customers::update_selected)
        .delete(membrane::customers::delete_selected);
    let routes = [
        ("/self", get(membrane::customers::own).patch(membrane::customers::update_own)),
        ("/customers", get(membrane::customers::list).post(membrane::customers::create)),
        (
            "/customers/{id}",
            get(membrane::customers::show)
                .patch(membrane::customers::update)
                .put(membrane::customers::update)
                .delete(membrane::customers::delete),
        ),
        ("/customer", customer),
        ("/sse/connection-events/{requestId}", get(membrane::events::stream)),
    ];
    let nouns = [
        "self",
        "customers/{id}",
        "customer",
        "integrations/{selector}",
        "integration",
        "connections/{selector}",
        "connection-options",
    ];
    let api = nouns.into_iter().fold(with_and_without_slash(routes), |router, noun| {
        router.route(&format!("/{noun}/{{*rest}}"), any(membrane::missing))
    });
    api.merge(membrane_connections())
        .method_not_allowed_fallback(membrane::wrong_method)
        .layer(middleware::from_fn(membrane::cors::layer))
        .layer(middleware::map_response(not_for_keeping))
}

/// The Membrane-style door's pages: where a customer's browser is sent, and where it ends.
fn popups() -> Router<App> {
    let start = || get(membrane::popup::open).post(membrane::popup::submit);
    with_and_without_slash([("/connection-popup", start()), ("/connect", start())])
        .route("/connection-popup/{flow}", get(membrane::popup::flow))
        .layer(middleware::from_fn(audience::layer))
        .layer(middleware::map_response(not_for_keeping))
}

/// That door's pages for frames: what opens them, and what their forms ask for.
fn embeds() -> Router<App> {
    use membrane::embed;
    let routes = [
        ("/embed/integrations/{selector}/connect", get(embed::connect)),
        ("/embed/connections/{selector}/refresh", get(embed::refresh)),
        ("/screens/connect", get(embed::screen).post(embed::screen)),
        ("/screens/integrations/{selector}/connect", get(embed::screen_of).post(embed::screen_of)),
    ];
    with_and_without_slash(routes)
        .route(
            "/embed/{flow}",
            get(embed::act::gone).post(embed::act::submit).layer(DefaultBodyLimit::max(FORM)),
        )
        .route("/embed/{flow}/popup", get(embed::act::gone).post(embed::act::window))
        .route("/embed/{flow}/state", post(embed::act::state))
        .layer(middleware::from_fn(audience::layer))
        .layer(middleware::map_response(not_for_keeping))
}

/// The dashboard: the ways in, and every page behind its guard.
fn dashboard(app: &App) -> Router<App> {
    use dashboard::{first_run, route, sign_in};
    Router::new()
        .route("/dashboard", get(async || redirect(StatusCode::FOUND, sign_in::HOME)))
        .route(sign_in::PATH, get(sign_in::show).post(sign_in::submit))
        .route("/dashboard/setup/{link}", get(first_run::show).post(first_run::submit))
        .merge(route::router(app))
        .route("/dashboard/{*rest}", get(page::missing))
}

/// Files of ours: for the dashboard, for pages of ours in frames, and for pages of products.
fn scripts() -> Router<App> {
    assets::ALL.iter().chain(dashboard::assets::ALL).fold(Router::new(), |router, asset| {
        router.route(asset.path, get(async |headers: HeaderMap| assets::serve(asset, &headers)))
    })
}

/// What that door's tokens read and change of integrations and connections, and the calls that they make.
fn membrane_connections() -> Router<App> {
    use membrane::{connections, integrations, proxy};
    let not_here = || any(integrations::not_here);
    let routes = [
        ("/integrations", get(integrations::list).post(integrations::not_here)),
        ("/integration", get(integrations::find)),
        (
            "/integrations/{selector}",
            get(integrations::show)
                .patch(integrations::not_here)
                .put(integrations::not_here)
                .delete(integrations::not_here),
        ),
        ("/integrations/{selector}/connector-spec", get(integrations::spec)),
        ("/integrations/{selector}/disconnect", post(integrations::disconnect)),
        ("/integrations/{selector}/restore", not_here()),
        ("/integrations/{selector}/setup", not_here()),
        ("/connection-options", post(integrations::options)),
        ("/connections", get(connections::list).post(connections::create)),
        (
            "/connections/{selector}",
            get(connections::show)
                .patch(connections::update)
                .put(connections::update)
                .delete(connections::archive),
        ),
        ("/connections/{selector}/refresh-credentials", post(connections::refresh)),
        ("/connections/{selector}/proxy", any(proxy::forward)),
    ];
    with_and_without_slash(routes).route("/connections/{selector}/proxy/{*path}", any(proxy::forward))
}

/// Icons, which a browser may keep for a while; everything else about them it may not.
fn pictures() -> Router<App> {
    let icon = get(icons::show).put(icons::set).post(icons::set).delete(icons::remove);
    let icon = icon.layer(DefaultBodyLimit::max(icons::UPLOAD));
    with_and_without_slash([("/api/integrations/{id}/icon", icon)])
        .route("/images/icons/integrations/{file}", get(icons::initial))
        .method_not_allowed_fallback(informer::wrong_method)
        .layer(middleware::map_response(not_for_keeping_unless_said))
}

fn with_and_without_slash<const N: usize>(routes: [(&str, MethodRouter<App>); N]) -> Router<App> {
    routes.into_iter().fold(Router::new(), |router, (path, methods)| {
        router.route(&format!("{path}/"), methods.clone()).route(path, methods)
    })
}

/// The proxy origin: every path is a provider's, so there is nothing to route.
pub fn proxy(
    app: App,
) -> impl Service<Request<Arriving>, Response = http::Response<outbound::Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let app = Arc::new(app);
    service_fn(move |request| {
        let app = app.clone();
        async move { Ok(bundleup::proxy::forward(&app, request).await) }
    })
}

/// The metrics listener: one path, for the operator's network only.
pub fn metrics(app: App) -> Router {
    Router::new().route("/metrics", get(health::metrics)).with_state(app)
}

fn below_v1(router: Router<App>, noun: &str, handler: impl Fn() -> MethodRouter<App>) -> Router<App> {
    router
        .route(&format!("/v1/{noun}"), handler())
        .route(&format!("/v1/{noun}/"), handler())
        .route(&format!("/v1/{noun}/{{*rest}}"), handler())
}

/// Whoever stalls in a body holds its connection no longer than the sender of a proxied one. Where a body is proxied, its
/// own patience ends first, and says so.
async fn patient_body(State(app): State<App>, request: Request<Body>) -> Request<Body> {
    let limit = app.broker.bounds.body.map(|limit| limit + Duration::from_secs(1));
    request.map(|body| {
        let body = outbound::Body::new(body.map_err(Into::into));
        Body::new(patient(body, limit).0)
    })
}

async fn not_for_keeping(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn not_for_keeping_unless_said(response: Response) -> Response {
    if response.headers().contains_key(header::CACHE_CONTROL) {
        return response;
    }
    not_for_keeping(response).await
}

async fn missing() -> Response {
    error::problem(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path")
}

async fn wrong_method() -> Response {
    error::problem(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This path does not take this method",
    )
}
