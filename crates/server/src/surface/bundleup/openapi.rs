//! The OpenAPI document of this door, made from the handlers themselves.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{authorize, connection, error};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger, BundleUp-style door",
        description = "Authorization and code exchange. Proxied calls have no schema: same method, path and query as the provider's own API, on the proxy origin, with `Authorization: Bearer <API key>` and `BU-Connection-Id`."
    ),
    paths(authorize::authorize, connection::exchange),
    components(schemas(connection::Exchange, connection::Exchanged, error::Problem, error::FieldErrors)),
    modifiers(&ApiKey),
    tags((name = "authorization", description = "From a link to a connection"))
)]
struct Door;

struct ApiKey;

impl Modify for ApiKey {
    fn modify(&self, document: &mut Document) {
        let scheme =
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key")).build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("api_key", SecurityScheme::Http(scheme));
    }
}

/// The document, as JSON text with a newline at its end.
pub fn document() -> anyhow::Result<String> {
    Ok(Door::openapi().to_pretty_json()? + "\n")
}
