//! Probe: whether a key that never ends is still taken, asked now and then where its integration wants that
//! (`verify_every`).
//!
//! Only by the calls that the provider's file names for it, and only for a credential that nothing can be had in place of:
//! of any other its refresh tells. A refusal ends the connection, in the provider's words; trouble never does.

use std::{sync::Arc, time::Duration};

use super::{Subject, ahead, due, load, run};
use crate::{
    broker::Broker,
    connect::{endpoints, verify},
    domain::{audit::Actor, connection::Status, integration::Config},
    error::{Error, Result},
    id::{ConnectionId, IntegrationId, WorkspaceId},
    store::Probed,
};

/// How long a connection is left alone after a verification that told nothing, or that was never finished.
const AGAIN: Duration = Duration::from_secs(1800);
/// Connections of one way to connect that are looked at together.
const PAGE: i64 = 200;

/// One verification to make.
pub(super) struct Probe {
    workspace_id: WorkspaceId,
    pub(super) connection_id: ConnectionId,
    pub(super) integration_id: IntegrationId,
    /// The provider's key.
    pub(super) provider: String,
}

/// All that are due by now.
pub(super) async fn due(broker: &Broker) -> Result<Vec<Probe>> {
    let ways = broker.store.read().await?.any_probed().await?;
    let mut found = Vec::new();
    for way in &ways {
        of_way(broker, way, &mut found).await?;
    }
    Ok(found)
}

async fn of_way(broker: &Broker, way: &Probed, found: &mut Vec<Probe>) -> Result<()> {
    let Some(every) =
        serde_json::from_str(&way.config).ok().and_then(|config: Config| config.verify_interval())
    else {
        return Ok(());
    };
    let now = broker.clock.now();
    let mut after = String::new();
    loop {
        let mut conn = broker.store.read().await?;
        let page = conn.unverified(way, now.minus(every), &after, now, PAGE).await?;
        drop(conn);
        let Some(last) = page.last() else { return Ok(()) };
        last.connection_id.as_str().clone_into(&mut after);
        for one in page {
            // Up to a tenth later, so that keys which came together are not asked about together.
            if one.since.plus(every + due::share(&one.connection_id, every) / 10) <= now {
                found.push(Probe {
                    workspace_id: way.workspace_id.clone(),
                    connection_id: one.connection_id,
                    integration_id: way.integration_id.clone(),
                    provider: way.provider.clone(),
                });
            }
        }
    }
}

/// Makes one, unless somebody else is at it.
///
/// # Errors
/// `NeedsReauth` when the provider refuses the credential: the connection says so then. `Provider` when nothing was told.
pub(super) async fn verify(broker: &Arc<Broker>, probe: &Probe) -> Result<()> {
    let Probe { workspace_id, connection_id, .. } = probe;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    let ours = conn.claim_verification(workspace_id, connection_id, now.plus(AGAIN), now).await?;
    conn.commit().await?;
    let subject = ahead::subject(broker, workspace_id, connection_id).await?;
    let Some(subject) = subject.filter(|it| ours && is_in_use(it)) else { return Ok(()) };
    let held = load(broker, &subject).await?;
    if endpoints::refreshable(&subject.provider, &held.usable.tokens) {
        return noted(broker, probe).await;
    }
    let (inputs, tokens) = (&subject.connection.inputs, &held.usable.tokens);
    match verify::tells(broker, &subject.integration, &subject.provider, inputs, tokens).await {
        Ok(true) => noted(broker, probe).await,
        // None of the calls told anything: it is asked again in a while.
        Ok(false) => Ok(()),
        Err(Error::Invalid { message, .. }) => {
            run::expire(broker, &subject, held.usable.version, &message).await?;
            Err(Error::NeedsReauth { message })
        }
        Err(other) => Err(other),
    }
}

fn is_in_use(subject: &Subject) -> bool {
    subject.connection.status == Status::Active && subject.connection.frozen_at.is_none()
}

async fn noted(broker: &Broker, probe: &Probe) -> Result<()> {
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    conn.note_verified(&probe.workspace_id, &probe.connection_id, now).await?;
    conn.commit().await
}
