//! `POST /connection`: a product's server exchanges its one-time code.

use axum::{Json, extract::State, response::IntoResponse as _};
use claviger_engine::{
    access,
    connect::{self, Redeem},
    domain::api_key::Scope,
    error::Result,
    secret::Secret,
};
use serde::Serialize;

use super::{
    asked::{Answer, Body, Caller},
    error,
};
use crate::{
    app::App,
    http::body::{Casing, Fields},
};

/// What a code is exchanged for.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Exchanged {
    /// Used with every proxied call.
    #[schema(example = "conn_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    connection_id: String,
    /// As given at `/authorize`; null when none was.
    #[schema(example = "user_42")]
    external_id: Option<String>,
    /// The integration as named at `/authorize`.
    #[schema(example = "github")]
    integration_id: String,
}

/// The body of the exchange.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Exchange {
    /// The one-time code of the redirect: good for five minutes, once.
    code: String,
    /// The redirect_uri that the authorization was begun with.
    redirect_uri: String,
    /// The product's signed-in customer. Needed with completion `server`; compared whenever given.
    external_id: Option<String>,
}

/// Exchanges a one-time code for the connection.
#[utoipa::path(
    post,
    path = "/connection",
    tag = "authorization",
    security(("api_key" = [])),
    request_body = Exchange,
    responses(
        (status = 200, body = Exchanged),
        (status = 400, body = error::FieldErrors, description = "A field is wrong, or the code is invalid, expired or spent."),
        (status = 401, body = error::Problem, description = "The API key is missing or invalid."),
        (status = 403, body = error::Problem, description = "The API key has neither of the scopes `management` and `proxy`."),
        (status = 413, body = error::Problem, description = "The body is too large."),
        (status = 502, body = error::Problem, description = "With completion `server`: the provider did not complete the authorization."),
        (status = 504, body = error::Problem, description = "With completion `server`: the provider did not answer in time.")
    )
)]
pub async fn exchange(State(app): State<App>, Caller(key): Caller, Body(body): Body) -> Answer {
    access::require(&key, Scope::Management).or_else(|_| access::require(&key, Scope::Proxy))?;
    let ask = Redeem { only: key.integration_id.clone(), ..read(&body)? };
    let done = connect::redeem(&app.broker, &key.workspace_id, ask).await?;
    let exchanged = Exchanged {
        connection_id: done.connection_id.to_string(),
        external_id: done.external_id,
        integration_id: done.integration,
    };
    Ok(Json(exchanged).into_response())
}

fn read(body: &[u8]) -> Result<Redeem> {
    let mut fields = Fields::read(body, Casing::Both)?;
    let code = fields.need("code")?;
    let redirect_uri = fields.need("redirect_uri")?;
    let external_id = fields.text("external_id")?;
    fields.done()?;
    Ok(Redeem { code: Secret::new(code), redirect_uri, external_id, only: None })
}
