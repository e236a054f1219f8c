//! The OpenAPI document of this door, made from the handlers themselves.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{connections, customers, embed, error, events, integrations, popup, proxy, wire};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claviger, Membrane-style door",
        description = "Popups that connect a product's customers, and what the product's tokens read and change: integrations, connections, calls, customers. A token is a JWT that the product signs. `/connect` is `/connection-popup` by another name; its parameters, results and messages are in connect.md. Every path is there with and without a slash at its end; bodies are JSON, and may be left out where nothing in them is needed. Lists are `{items, cursor}`: the next page is asked for with the last one's `cursor`. Unknown parameters and fields are let pass. Pages of any origin may call, without cookies. What goes wrong is answered as `{type, key, message, data}`."
    ),
    paths(
        popup::open,
        popup::submit,
        embed::connect,
        embed::refresh,
        embed::screen,
        embed::screen_of,
        events::stream,
        integrations::list,
        integrations::show,
        integrations::find,
        integrations::spec,
        integrations::disconnect,
        integrations::options,
        connections::list,
        connections::create,
        connections::show,
        connections::update,
        connections::archive,
        connections::refresh,
        proxy::forward,
        customers::own,
        customers::update_own,
        customers::list,
        customers::create,
        customers::show,
        customers::update,
        customers::delete
    ),
    components(schemas(error::Problem, wire::Connection, wire::Integration, wire::AuthOption, wire::Values)),
    security(("token" = [])),
    modifiers(&Token, &Verbs),
    tags(
        (name = "connecting", description = "Popups, redirects and streams that connect an account"),
        (name = "integrations", description = "Which services customers can connect, and in which ways"),
        (name = "connections", description = "Customers' accounts at those services, and calls with them"),
        (name = "customers", description = "Who a product's customers are")
    )
)]
struct Door;

/// The way in.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let about = "A token that the product signed, of a customer or an admin";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// What can be changed with `PATCH` and with `PUT`: both do the same.
const EITHER: [&str; 2] = ["/connections/{selector}", "/customers/{id}"];

/// Describes `PUT` as what it is: `PATCH` by another name.
struct Verbs;

impl Modify for Verbs {
    fn modify(&self, document: &mut Document) {
        for path in EITHER {
            let Some(item) = document.paths.paths.get_mut(path) else { continue };
            item.put = item.patch.clone().map(|mut put| {
                put.operation_id = put.operation_id.map(|id| format!("{id}_by_put"));
                put
            });
        }
    }
}

/// The document, as JSON text with a newline at its end.
pub fn document() -> anyhow::Result<String> {
    Ok(Door::openapi().to_pretty_json()? + "\n")
}
