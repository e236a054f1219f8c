//! At once: a connection for which nobody has to be asked, because whoever begins it brings all that it takes.
//!
//! The provider takes the credential first; what it refuses leaves nothing behind. Connection, credential and the end of
//! the request by which somebody listens are one transaction, as at a flow's end.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{Kind, Provider};

use super::{
    finish::tell,
    keys::{self, Accepted},
    parameters,
    record::{self, Draft},
};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Connection, Onto, Owner, Status},
        customer::Customer,
        integration::Integration,
    },
    error::{Error, Result},
    id::ConnectionId,
    secret::Secret,
    time::Millis,
};

/// A connection to be, everything about it admitted but its credential.
pub(crate) struct AtOnce {
    /// Through which integration, as of the auth option.
    pub integration: Integration,
    /// Its provider.
    pub provider: Arc<Provider>,
    /// For which customer.
    pub customer: Customer,
    /// Which connection it goes over.
    pub onto: Onto,
    /// What it is to be called.
    pub name: Option<String>,
    /// By which auth option, by key.
    pub auth_option: Option<String>,
    /// The provider's inputs, checked and complete.
    pub inputs: BTreeMap<String, String>,
    /// The credential's fields.
    pub typed: BTreeMap<String, Secret>,
    /// Hex SHA-256 of the id by which somebody listens for its end.
    pub request: Option<String>,
}

/// Whether nobody has to be asked anything more: no consent, no value.
pub(crate) fn is_ready(
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    typed: &BTreeMap<String, Secret>,
) -> bool {
    let whole = provider.keys().is_none_or(|keys| keys::wrong(keys, typed).is_empty());
    let asks = provider.kind().has_callback() || provider.kind() == Kind::DeviceCode;
    whole && !asks && provider.missing_inputs(inputs).is_empty()
}

/// Has the provider take the credential, and makes the connection.
///
/// Runs to its end even when the caller hangs up meanwhile.
///
/// # Errors
/// `Limited` after too many tries; `Invalid` naming what the provider refuses; `Provider` when it can't be asked;
/// `Conflict` when the integration is changed meanwhile, or the connection to go over is gone; `NotFound` when the
/// customer is.
pub(crate) async fn make(broker: &Arc<Broker>, new: AtOnce) -> Result<Connection> {
    let key = format!("{} {}", new.customer.id, new.integration.id);
    broker.tries.take(&key, broker.clock.now())?;
    broker.to_its_end(perform(broker.clone(), new)).await
}

async fn perform(broker: Arc<Broker>, new: AtOnce) -> Result<Connection> {
    let broker = &broker;
    let AtOnce { integration, provider, inputs, typed, .. } = &new;
    let accepted = keys::accept(broker, integration, provider, inputs.clone(), typed).await?;
    let draft = draft(&new, accepted, broker.clock.now());
    let actor = Actor::Customer(new.customer.id.to_string());
    record::put(broker, &new.integration, &draft, || async {
        let mut conn = broker.store.begin(actor.clone(), broker.clock.now()).await?;
        let (workspace, customer) = (&new.integration.workspace_id, &new.customer);
        conn.hold_customer(workspace, &customer.id).await?.ok_or(Error::NotFound { what: "customer" })?;
        let written = record::write(broker, &mut conn, &draft).await?;
        if let Some(request) = &new.request {
            tell(&mut conn, workspace, request, Some(&written.connection.id), None).await?;
        }
        conn.commit().await.map(|()| written.connection)
    })
    .await
}

fn draft(new: &AtOnce, accepted: Accepted, now: Millis) -> Draft {
    let Accepted { tokens, account, inputs } = accepted;
    let asked = parameters::scopes(&new.integration, &new.provider, &inputs);
    let connection = Connection {
        id: ConnectionId::new(),
        workspace_id: new.integration.workspace_id.clone(),
        integration_id: new.integration.id.clone(),
        owner: Owner::customer(&new.customer),
        status: Status::Active,
        status_reason: None,
        scopes_granted: tokens.scopes.clone().unwrap_or_else(|| asked.clone()),
        scopes_asked: asked,
        account,
        inputs,
        name: new.name.clone(),
        auth_option: new.auth_option.clone(),
        frozen_at: None,
        refreshed_at: None,
        expires_at: tokens.expires_at.map(Millis),
        authorized_at: now,
        created_at: now,
        updated_at: now,
    };
    Draft::new(connection, tokens, new.onto.clone(), new.integration.version)
}
