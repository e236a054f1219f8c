//! The OpenAPI document of this door, made from the handlers themselves.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{
    bring, connect, connection, error, hal, icons, integrations, owner, request, shares, sign_in, tokens,
    users,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger, Informer-style door",
        description = "Integrations, connections and requests under `/api`, for a workspace's own users. Collections are HAL: members under `_embedded`, the stretch they are in `start`, `count` and `total`, the rest behind `_links.next`. The answer calls itself `application/hal+json` where `Accept` names that, else `application/json`; where `Accept` names `application/json` and not HAL, the members are under `items` too. What goes wrong is answered as `{statusCode, error, message}`."
    ),
    paths(
        bring::bring,
        connect::start,
        connection::end,
        connection::list,
        connection::show,
        icons::registry,
        icons::remove,
        icons::set,
        icons::show,
        integrations::create,
        integrations::delete,
        integrations::list,
        integrations::pick,
        integrations::preview,
        integrations::show,
        integrations::update,
        owner::set,
        owner::show,
        request::named,
        request::path,
        shares::list,
        shares::remove,
        shares::set,
        shares::show,
        sign_in::by_domain,
        sign_in::sign_in,
        sign_in::sign_out,
        sign_in::show,
        users::show,
        tokens::list,
        tokens::create,
        tokens::show,
        tokens::delete
    ),
    components(schemas(error::Problem, hal::Link)),
    security(("session" = []), ("token" = []), ("password" = [])),
    modifiers(&Ways),
    tags(
        (name = "sessions", description = "Signing in and out, and who is signed in"),
        (name = "users", description = "Who somebody is"),
        (name = "tokens", description = "What a user's programs call with"),
        (name = "integrations", description = "Which services users can connect, and how"),
        (name = "connections", description = "Users' accounts at those services"),
        (name = "requests", description = "Calls of those services, with the caller's account"),
        (name = "sharing", description = "Who may do what with an integration, and whom it belongs to"),
        (name = "icons", description = "Pictures of integrations")
    )
)]
struct Door;

/// The ways in.
struct Ways;

impl Modify for Ways {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let cookie = ApiKeyValue::with_description("sid", "A session, from signing in");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        for (name, scheme, about) in [
            ("token", HttpAuthScheme::Bearer, "An API token"),
            ("password", HttpAuthScheme::Basic, "User name and password"),
        ] {
            let scheme = HttpBuilder::new().scheme(scheme).description(Some(about)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// The document, as JSON text with a newline at its end.
pub fn document() -> anyhow::Result<String> {
    Ok(Door::openapi().to_pretty_json()? + "\n")
}
