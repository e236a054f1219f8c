//! The sandbox provider: a small OAuth 2 authorization server with an API behind it.
//!
//! It plays the third party when someone tries Claviger or tests it: consent page, token endpoint, revocation,
//! introspection, an echo API, and `POST /faults` that makes it misbehave the way real providers do. What it must never do:
//! use code of ours (a mistake shared by both sides would not show), listen anywhere but on loopback, or hold
//! anything of value. All state is in memory and bounded.
//!
//! Where to look next: [`Config`] for what is set at the start, [`Faults`] and [`Stats`] for what a test can turn and
//! read, `authorize.rs` and `token.rs` for the flow itself, `docs/sandbox.md` for how to use it.

mod account;
mod api;
mod authorize;
mod bearer;
mod client_auth;
mod config;
mod echo;
mod faults;
mod grants;
mod introspect;
mod log;
mod metadata;
mod page;
mod params;
mod random;
mod respond;
mod revoke;
mod state;
mod stats;
mod token;
mod userinfo;

#[cfg(test)]
mod tests;

pub use config::{Client, Config};
pub use faults::Faults;
pub use log::{Sending, Sent, TokenLog};
pub use stats::{Stats, TokenRequests};

use axum::Router;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{any, get, post};
use axum::serve::ListenerExt as _;
use state::Sandbox;
use std::io;
use std::sync::Arc;

/// The whole sandbox as a router with its own state. Two routers made from the same config share nothing.
pub fn app(config: Config) -> Router {
    let sandbox = Arc::new(Sandbox::new(config));
    let api = Router::new()
        .route("/api", any(echo::echo))
        .route("/api/", any(echo::echo))
        .route("/api/me", get(api::me).fallback(echo::echo))
        .route("/api/bytes/{n}", get(api::bytes))
        .route("/api/stream/{n}", get(api::stream))
        .route("/api/status/{code}", any(api::status))
        .route("/api/{*rest}", any(echo::echo))
        .layer(from_fn_with_state(Arc::clone(&sandbox), api::guard));
    Router::new()
        .route("/", get(page::index))
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .route("/authorize", get(authorize::ask).post(authorize::decide))
        .route("/token", post(token::token))
        .route("/revoke", post(revoke::revoke))
        .route("/introspect", post(introspect::introspect))
        .route("/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
        .route("/faults", get(faults::show).post(faults::set).delete(faults::clear))
        .route("/stats", get(stats::show).delete(stats::clear))
        .route("/tokens/log", get(log::show).delete(log::clear))
        .merge(api)
        .layer(map_response(respond::common_headers))
        .with_state(sandbox)
}

/// Serves the sandbox on `listener` until the future is dropped.
///
/// # Errors
/// `InvalidInput` when the listener is not on a loopback address: the sandbox gives an account to whoever clicks,
/// and its faults are open to every caller. Otherwise what the listener reports.
pub async fn serve(listener: tokio::net::TcpListener, config: Config) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the sandbox listens on loopback only, not on {address}"),
        ));
    }
    // Without this, small answers wait for the peer's delayed acknowledgement. Best effort: a socket that
    // refuses the option still works.
    let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
    axum::serve(listener, app(config)).await
}
