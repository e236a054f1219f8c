//! Integrations, as the holder of a product's token sees them: what can be connected, in which ways, and what its customer
//! has connected there already.
//!
//! Whoever holds a token of the workspace may read them; how they are configured is not shown. What users make is not
//! offered here.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{Grant, Input, KeyField, Kind, Provider};

use super::connection::{self, shown};
use crate::{
    access::{Holder, Who, chosen},
    broker::Broker,
    connect::{self, client_key, endpoints},
    domain::{auth_option::AuthOption, integration::Integration, oauth_app::OauthApp},
    error::{Error, Result},
    store::{Conn, CustomerConnectionFilter, Page},
};

/// How many connections are ended by one call, and looked at for the one that a list shows.
const MOST: Page = Page { offset: 0, limit: 1000 };

/// An integration, as customers are offered it.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The integration.
    pub integration: Integration,
    /// The ways to authenticate, its own first where it is configured. None when none is.
    pub ways: Vec<Way>,
    /// What the customer who asks connected there last.
    pub connection: Option<connection::Shown>,
}

/// A way to authenticate at an integration.
#[derive(Debug, Clone)]
pub struct Way {
    /// The key of its auth option; `None` for the integration's own way.
    pub key: Option<String>,
    /// What people call it.
    pub title: String,
    /// What it is for.
    pub description: Option<String>,
    /// What connecting is.
    pub kind: Kind,
    /// Whether the OAuth client is one that whoever runs the server lends.
    pub lent: bool,
    /// What its provider has to be told and is not yet.
    pub inputs: Vec<Input>,
    /// The credential's fields, where it is typed in.
    pub fields: Vec<KeyField>,
    /// Where its provider sends browsers back to, where one goes there.
    pub redirect_uri: Option<String>,
    /// Where its provider finds our public keys, where it needs any.
    pub jwks_uri: Option<String>,
    /// What a caller may say about one connection besides.
    pub tunable: Vec<String>,
}

/// The integrations on offer, oldest first.
///
/// # Errors
/// Only our own.
pub async fn list(
    broker: &Arc<Broker>,
    holder: &Holder,
    search: Option<&str>,
    page: &Page,
) -> Result<Vec<Offered>> {
    let ws = &holder.workspace.id;
    let mut conn = broker.store.read().await?;
    let found = conn.offered_integrations(ws, search, page).await?;
    let mine = connected(broker, &mut conn, holder, None).await?;
    let mut options: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for option in conn.all_auth_options(ws).await? {
        options.entry(option.integration_id.clone()).or_default().push(option);
    }
    let apps = conn.oauth_apps(ws).await?;
    let one = |integration: Integration| {
        // The newest comes first.
        let connection = mine.iter().find(|mine| mine.connection.integration_id == integration.id).cloned();
        let ways = ways(broker, &integration, options.remove(&integration.id).unwrap_or_default(), &apps);
        Offered { integration, ways, connection }
    };
    Ok(found.into_iter().map(one).collect())
}

/// One integration on offer, by id or key.
///
/// # Errors
/// `NotFound` for one that is not there or not on offer.
pub async fn show(broker: &Arc<Broker>, holder: &Holder, selector: &str) -> Result<Offered> {
    let mut conn = broker.store.read().await?;
    let integration = find(&mut conn, holder, selector).await?;
    offered(broker, &mut conn, holder, integration).await
}

/// The integration of a connection of the holder's, on offer or not any more.
///
/// # Errors
/// As [`chosen::connection`].
pub async fn of_connection(broker: &Arc<Broker>, holder: &Holder, selector: &str) -> Result<Offered> {
    let mut conn = broker.store.read().await?;
    let found = chosen::connection(&mut conn, holder, selector).await?;
    let integration = conn.integration(&holder.workspace.id, &found.connection.integration_id).await?;
    let integration = integration.ok_or_else(connection::missing)?;
    offered(broker, &mut conn, holder, integration).await
}

/// Ends what the customer connected at an integration, all of it: [`connect::archive`].
///
/// # Errors
/// `Denied` for a token that speaks for no customer; as [`show`] and [`connect::archive`].
pub async fn disconnect(broker: &Arc<Broker>, holder: &Holder, selector: &str) -> Result<Offered> {
    holder.customer()?;
    let ws = &holder.workspace.id;
    let mut conn = broker.store.read().await?;
    let integration = find(&mut conn, holder, selector).await?;
    let mine = connected(broker, &mut conn, holder, Some(&integration)).await?;
    drop(conn);
    for one in mine {
        match connect::archive(broker, ws, &one.connection.id, holder.actor()).await {
            // Ended by somebody else meanwhile.
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut conn = broker.store.read().await?;
    offered(broker, &mut conn, holder, integration).await
}

async fn find(conn: &mut Conn, holder: &Holder, selector: &str) -> Result<Integration> {
    let found = conn.offered_integration(&holder.workspace.id, selector).await?;
    found.ok_or(Error::NotFound { what: "integration" })
}

async fn offered(
    broker: &Broker,
    conn: &mut Conn,
    holder: &Holder,
    integration: Integration,
) -> Result<Offered> {
    let mine = connected(broker, conn, holder, Some(&integration)).await?;
    let ws = &integration.workspace_id;
    let (options, apps) = (conn.auth_options(ws, &integration.id).await?, conn.oauth_apps(ws).await?);
    let ways = ways(broker, &integration, options, &apps);
    Ok(Offered { integration, ways, connection: mine.into_iter().next() })
}

/// What the customer who asks has connected, newest first; nothing for whoever is none.
async fn connected(
    broker: &Broker,
    conn: &mut Conn,
    holder: &Holder,
    at: Option<&Integration>,
) -> Result<Vec<connection::Shown>> {
    let Who::Customer(customer) = &holder.who else { return Ok(Vec::new()) };
    let filter = CustomerConnectionFilter {
        owner_key: Some(customer.key.clone()),
        integration_id: at.map(|integration| integration.id.clone()),
        ..CustomerConnectionFilter::default()
    };
    let ws = &holder.workspace.id;
    let found = conn.customer_connections(ws, &filter, &MOST).await?;
    shown(broker, conn, ws, found).await
}

/// The ways to authenticate that are configured.
fn ways(broker: &Broker, integration: &Integration, options: Vec<AuthOption>, apps: &[OauthApp]) -> Vec<Way> {
    let lent = |of: Integration| {
        let key = of.config.proxy_key.as_ref();
        let app = apps.iter().find(|app| Some(&app.key) == key).cloned();
        OauthApp::lend(app, of)
    };
    let own = way(broker, &lent(integration.clone()), None);
    let further = options.into_iter().filter_map(|option| {
        let of = lent(option.clone().over(integration.clone()));
        way(broker, &of, Some(option))
    });
    own.into_iter().chain(further).collect()
}

/// What an integration's own way is called: the service by its name, where the provider is one.
fn own_title(provider: &Provider, of: &Integration) -> String {
    let generic = provider.category.as_deref() == Some("generic");
    if generic { of.name.clone() } else { provider.name.clone() }
}

/// An integration as of an option, or of its own way, as people are offered it; `None` while it lacks what it needs.
fn way(broker: &Broker, of: &Integration, option: Option<AuthOption>) -> Option<Way> {
    let provider = broker.catalog.get(&of.provider)?;
    let kind = provider.kind();
    let needs_client = kind.has_callback()
        || matches!(kind, Kind::ClientCredentials | Kind::DeviceCode)
            && provider.oauth2().is_none_or(|oauth2| oauth2.grant != Grant::JwtBearer);
    if needs_client && of.client_id.is_none() || !provider.missing_settings(&of.config.inputs).is_empty() {
        return None;
    }
    let (key, title, description) = match option {
        Some(option) => (Some(option.key), option.title, option.description),
        None => (None, Some(own_title(&provider, of)), None),
    };
    Some(Way {
        key,
        title: title.unwrap_or_else(|| provider.name.clone()),
        description,
        kind,
        lent: of.config.proxy_key.is_some(),
        redirect_uri: kind.has_callback().then(|| endpoints::redirect_uri(&broker.urls.app, of)),
        jwks_uri: client_key::published(&broker.urls.app, &provider, of),
        inputs: provider.page_inputs(&of.config.inputs).into_iter().cloned().collect(),
        fields: provider.keys().map(|keys| keys.fields.clone()).unwrap_or_default(),
        tunable: of.config.connector_parameters.clone(),
    })
}
