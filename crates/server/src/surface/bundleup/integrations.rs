//! `/v1/integrations`: which services a product's customers can connect. Read only; operators set them up.

use axum::{
    extract::State,
    http::{StatusCode, Uri},
};
use claviger_engine::{
    error::Error,
    management::integration::{self, Seen, Standing, Wanted},
};
use serde::Serialize;

use super::{
    asked::{Answer, Caller, Named, Query},
    refusal, wire,
};
use crate::{app::App, http::paging};

/// An integration. Each field is there in snake case and in camel case.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Integration)]
pub struct Shown {
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    /// Its key, which names it as well as its id does.
    #[schema(example = "github")]
    identifier: String,
    #[schema(example = "GitHub")]
    name: String,
    /// What kind of service its provider is.
    #[schema(example = "git")]
    category: Option<String>,
    /// The provider's key in the catalog.
    #[schema(example = "github")]
    provider: String,
    /// How its connections authenticate: always `oauth2`.
    #[schema(example = "oauth2")]
    auth_type: &'static str,
    /// `active`, or `inactive`: no new connections can be made.
    #[schema(example = "active")]
    status: &'static str,
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
    updated_at: String,
}

/// Lists integrations, oldest first.
///
/// With a slash at the end of the path the answer is `{"data": […]}`, without one it is the array.
#[utoipa::path(
    get,
    path = "/v1/integrations",
    operation_id = "list_integrations",
    tag = "integrations",
    security(("api_key" = [])),
    params(
        ("limit" = Option<u8>, Query, description = "1 to 100, 10 unless given."),
        ("offset" = Option<u64>, Query, description = "How many to skip."),
        ("status" = Option<String>, Query, description = "`active`, `inactive`, or `beta`, which none is."),
        ("category" = Option<String>, Query, description = "Only of this category.")
    ),
    responses(
        (status = 200, body = [Shown]),
        refusal::BadParameter,
        refusal::NotReading
    )
)]
pub async fn list(State(app): State<App>, Caller(key): Caller, query: Query, uri: Uri) -> Answer {
    let standing = query.filter("status", &["status"])?.map(|text| {
        Standing::parse(&text)
            .ok_or_else(|| Error::invalid("status", "Must be one of active, inactive and beta"))
    });
    let wanted =
        Wanted { standing: standing.transpose()?, category: query.filter("category", &["category"])? };
    let page = paging::page(query.params())?;
    let seen = integration::list(&app.broker, &key, &wanted, &page).await?;
    Ok(wire::list(&uri, seen.into_iter().map(shown)))
}

/// Shows an integration.
#[utoipa::path(
    get,
    path = "/v1/integrations/{id}",
    operation_id = "show_integration",
    tag = "integrations",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The integration's id or key.")),
    responses(
        (status = 200, body = Shown),
        refusal::NotReading,
        refusal::NoIntegration
    )
)]
pub async fn show(State(app): State<App>, Caller(key): Caller, Named(id): Named<String>) -> Answer {
    let seen = integration::show(&app.broker, &key, &id).await?;
    Ok(wire::object(StatusCode::OK, &shown(seen)))
}

fn shown(seen: Seen) -> Shown {
    let Seen { integration, category } = seen;
    Shown {
        status: Standing::of(&integration).as_str(),
        id: integration.id.to_string(),
        identifier: integration.key,
        name: integration.name,
        category,
        provider: integration.provider,
        auth_type: "oauth2",
        created_at: integration.created_at.rfc3339(),
        updated_at: integration.updated_at.rfc3339(),
    }
}
