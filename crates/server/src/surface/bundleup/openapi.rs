//! The OpenAPI document of this door, made from the handlers themselves.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, RefOr, Schema,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{authorize, connection, connections, deliveries, error, integrations, webhooks};
use crate::http::body::camel;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger, BundleUp-style door",
        description = "Authorization, code exchange, and the management API under `/v1`. Every path under `/v1` is there with and without a slash at its end. Objects are written with each field in snake case and in camel case, and bodies are read in either. Proxied calls have no schema: same method, path and query as the provider's own API, on the proxy origin, with `Authorization: Bearer <API key>` and `BU-Connection-Id`."
    ),
    paths(
        authorize::authorize,
        connection::exchange,
        connections::list,
        connections::import,
        connections::show,
        connections::end,
        connections::reconnect,
        integrations::list,
        integrations::show,
        webhooks::list,
        webhooks::create,
        webhooks::show,
        webhooks::update,
        webhooks::delete,
        webhooks::roll,
        deliveries::list,
        deliveries::show,
        deliveries::redeliver,
        deliveries::redeliver_since
    ),
    components(schemas(
        connection::Exchange,
        connection::Exchanged,
        connections::Shown,
        connections::Account,
        connections::Health,
        connections::Imported,
        connections::Reconnect,
        connections::Link,
        integrations::Shown,
        webhooks::Shown,
        webhooks::Revealed,
        webhooks::Wanted,
        webhooks::Rolled,
        deliveries::Shown,
        deliveries::Whole,
        deliveries::Tried,
        deliveries::Since,
        deliveries::Queued,
        error::Problem,
        error::FieldErrors
    )),
    modifiers(&ApiKey, &Casings, &Verbs),
    tags(
        (name = "authorization", description = "From a link to a connection"),
        (name = "connections", description = "The customers' connections: list, show, import, renew, end"),
        (name = "integrations", description = "Which services customers can connect"),
        (name = "webhooks", description = "Where events are sent, what was sent, and sending it again")
    )
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

/// Objects that are written in both casings.
const BOTH: [&str; 6] = ["Connection", "Health", "Integration", "ReconnectLink", "Webhook", "Delivery"];

/// Describes each field of such an object under its other casing too.
struct Casings;

impl Modify for Casings {
    fn modify(&self, document: &mut Document) {
        let schemas = &mut document.components.get_or_insert_default().schemas;
        for name in BOTH {
            if let Some(RefOr::T(Schema::Object(object))) = schemas.get_mut(name) {
                let twin = |name: &String| Some(camel(name)).filter(|twin| twin != name);
                let twins: Vec<_> = object
                    .properties
                    .iter()
                    .filter_map(|(name, of)| Some((twin(name)?, of.clone())))
                    .collect();
                let required: Vec<_> = object.required.iter().filter_map(twin).collect();
                object.properties.extend(twins);
                object.required.extend(required);
            }
        }
    }
}

/// Describes `PATCH` as what it is: `PUT` by another name.
struct Verbs;

impl Modify for Verbs {
    fn modify(&self, document: &mut Document) {
        for item in document.paths.paths.values_mut() {
            item.patch = item.put.clone().map(|mut patch| {
                patch.operation_id = patch.operation_id.map(|id| format!("{id}_by_patch"));
                patch
            });
        }
    }
}

/// The document, as JSON text with a newline at its end.
pub fn document() -> anyhow::Result<String> {
    Ok(Door::openapi().to_pretty_json()? + "\n")
}
