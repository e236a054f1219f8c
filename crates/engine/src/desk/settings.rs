//! Settings of a workspace, and its redirect URIs.

use crate::{
    access::Seat,
    broker::Broker,
    domain::{
        right::Action,
        workspace::{Completion, Settings, Workspace},
    },
    error::{Error, Result},
    setup::{self, Change},
};

/// What a workspace is set to.
pub struct Shown {
    /// The workspace as it is now.
    pub workspace: Workspace,
    /// Its redirect URIs, oldest first.
    pub redirect_uris: Vec<String>,
}

/// Reads them.
///
/// # Errors
/// `Denied`; `NotFound` when the workspace is gone.
pub async fn show(broker: &Broker, seat: &Seat) -> Result<Shown> {
    seat.require(broker, Action::See)?;
    let mut conn = broker.store.read().await?;
    let workspace = conn.workspace(&seat.workspace.id).await?.ok_or_else(missing)?;
    let redirect_uris = conn.redirect_uris(&workspace.id).await?;
    Ok(Shown { workspace, redirect_uris })
}

/// How an authorization ends for the product.
#[derive(Debug, Clone, Copy)]
pub struct AuthResponses {
    /// "Include connection ID in Auth responses".
    pub include_connection_id: bool,
    /// "Include external ID in Auth responses".
    pub include_external_id: bool,
}

/// Sets the two toggles of authorization responses.
///
/// # Errors
/// `Denied`; `NotFound` when the workspace is gone.
pub async fn set_auth_responses(broker: &Broker, seat: &Seat, wanted: AuthResponses) -> Result<()> {
    change(broker, seat, |settings| {
        settings.include_connection_id = wanted.include_connection_id;
        settings.include_external_id = wanted.include_external_id;
    })
    .await
}

/// Sets how authorizations complete.
///
/// # Errors
/// `Denied`; `NotFound` when the workspace is gone.
pub async fn set_completion(broker: &Broker, seat: &Seat, wanted: Completion) -> Result<()> {
    change(broker, seat, |settings| settings.completion = wanted).await
}

/// Registers a redirect URI. `false` when it was registered before.
///
/// # Errors
/// `Denied`; `Invalid` for what is no redirect URI.
pub async fn add_redirect_uri(broker: &Broker, seat: &Seat, uri: &str) -> Result<bool> {
    let mut conn = seat.begin(broker, Action::ChangeSettings).await?;
    let added = setup::redirect_uri(&mut Change::of(broker, &mut conn), &seat.workspace.id, uri).await?;
    conn.commit().await?;
    Ok(added)
}

/// Takes a redirect URI away.
///
/// # Errors
/// `Denied`; `NotFound` when it is not registered.
pub async fn remove_redirect_uri(broker: &Broker, seat: &Seat, uri: &str) -> Result<()> {
    let mut conn = seat.begin(broker, Action::ChangeSettings).await?;
    if !conn.remove_redirect_uri(&seat.workspace.id, uri).await? {
        return Err(Error::NotFound { what: "redirect URI" });
    }
    conn.commit().await
}

/// Changes settings as they are now, whoever else changes others of them. Writes nothing where nothing differs.
async fn change(broker: &Broker, seat: &Seat, edit: impl FnOnce(&mut Settings)) -> Result<()> {
    let mut conn = seat.begin(broker, Action::ChangeSettings).await?;
    let ws = &seat.workspace.id;
    conn.hold_workspace(ws).await?;
    let was = conn.workspace(ws).await?.ok_or_else(missing)?;
    let mut settings = was.settings.clone();
    edit(&mut settings);
    if settings == was.settings {
        return Ok(());
    }
    setup::check::settings(&settings)?;
    conn.update_workspace(ws, &was.name, &settings).await?;
    conn.commit().await
}

fn missing() -> Error {
    Error::NotFound { what: "workspace" }
}
