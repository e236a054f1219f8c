//! The look: in whose name a page of a flow speaks, as far as anybody may know who has its link.
//!
//! Nothing secret: a product's name, colour and logo, and the picture of what is connected.

use crate::{
    broker::Broker,
    domain::{
        icon::Icon,
        workspace::{Brand, Workspace},
    },
    error::{Error, Result},
    id::{FlowId, WorkspaceId},
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

/// The look of the pages of a flow, whatever became of it; `None` when nothing is known of it.
///
/// # Errors
/// `Internal`
pub async fn look_of(broker: &Broker, flow: &FlowId) -> Result<Option<Look>> {
    let flow = broker.store.read().await?.any_flow(flow).await?;
    match flow {
        Some(flow) => look(broker, &flow.workspace_id).await,
        None => Ok(None),
    }
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
