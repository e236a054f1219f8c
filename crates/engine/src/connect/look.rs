//! The look: in whose name a page of a flow speaks, as far as anybody may know who has its link.
//!
//! Nothing secret: a product's name, colour and logo, and the picture of what is connected.

use super::page::same_browser;
use crate::{
    broker::Broker,
    domain::{
        icon::Icon,
        workspace::{Brand, Workspace},
    },
    error::{Error, Result},
    id::{FlowId, WorkspaceId},
    secret::Secret,
    store::Conn,
};

/// In whose name a page speaks.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// The product's name.
    pub product: String,
    /// The workspace's public client id, by which its logo is found.
    pub client_id: String,
    /// How its pages look.
    pub brand: Brand,
    /// The hash of its logo, where it has one.
    pub logo: Option<String>,
}

/// The picture of what is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symbol {
    /// One that somebody uploaded, by its hash: [`icon`] gives it.
    Own(String),
    /// The one of its provider, by key.
    Provider(String),
}

/// What a flow connects, as far as its pages show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The integration's name.
    pub name: String,
    /// Its picture.
    pub symbol: Symbol,
}

impl Symbol {
    /// The icon that was uploaded, by its hash, else what there is for the provider.
    pub(crate) fn of(icon: Option<String>, provider: &str) -> Self {
        icon.map_or_else(|| Self::Provider(provider.to_owned()), Self::Own)
    }
}

/// The look of a workspace's pages.
pub(crate) async fn of(conn: &mut Conn, workspace: &Workspace) -> Result<Look> {
    let brand = workspace.settings.brand.clone();
    Ok(Look {
        product: brand.name.clone().unwrap_or_else(|| workspace.name.clone()),
        client_id: workspace.client_id.clone(),
        brand,
        logo: conn.logo_hash(&workspace.id).await?,
    })
}

/// The look of a workspace's pages; `None` when it is gone.
///
/// # Errors
/// `Internal`
pub async fn look(broker: &Broker, workspace: &WorkspaceId) -> Result<Option<Look>> {
    let mut conn = broker.store.read().await?;
    match conn.workspace(workspace).await? {
        Some(workspace) => of(&mut conn, &workspace).await.map(Some),
        None => Ok(None),
    }
}

/// The look of the pages of a flow, whatever became of it, for the browser that carries it; `None` for any other, and
/// when nothing is known of it.
///
/// # Errors
/// `Internal`
pub async fn look_of(broker: &Broker, flow: &FlowId, browser: Option<&Secret>) -> Result<Option<Look>> {
    let flow = broker.store.read().await?.any_flow(flow).await?;
    match flow.filter(|flow| same_browser(flow, browser)) {
        Some(flow) => look(broker, &flow.workspace_id).await,
        None => Ok(None),
    }
}

/// What a flow connects, whatever became of it; `None` when nothing is known of it.
///
/// # Errors
/// `Internal`
pub async fn service_of(broker: &Broker, flow: &FlowId) -> Result<Option<Service>> {
    let mut conn = broker.store.read().await?;
    let Some(flow) = conn.any_flow(flow).await? else { return Ok(None) };
    let (ws, id) = (&flow.workspace_id, &flow.integration_id);
    let Some(integration) = conn.integration(ws, id).await? else { return Ok(None) };
    let symbol = Symbol::of(conn.icon_hash(ws, id).await?, &integration.provider);
    Ok(Some(Service { name: integration.name, symbol }))
}

/// A workspace's logo.
///
/// # Errors
/// `NotFound` for an unknown client id, and for a workspace without a logo.
pub async fn logo(broker: &Broker, client_id: &str) -> Result<Icon> {
    let missing = || Error::NotFound { what: "logo" };
    let mut conn = broker.store.read().await?;
    let workspace = conn.any_workspace_by_client_id(client_id).await?.ok_or_else(missing)?;
    conn.logo(&workspace.id).await?.ok_or_else(missing)
}

/// The uploaded icon of what a flow connects. Whoever knows the flow's link sees it on its page.
///
/// # Errors
/// `NotFound` for an unknown flow, and an integration without an icon of its own.
pub async fn icon(broker: &Broker, flow: &FlowId) -> Result<Icon> {
    let missing = || Error::NotFound { what: "icon" };
    let mut conn = broker.store.read().await?;
    let flow = conn.any_flow(flow).await?.ok_or_else(missing)?;
    conn.icon(&flow.workspace_id, &flow.integration_id).await?.ok_or_else(missing)
}
