//! Ahead: one credential of the sweep, made anew before a call has to wait for it.

use std::sync::Arc;

use super::{Subject, due, fresh, load, run, run::Cause};
use crate::{
    broker::Broker,
    connect::endpoints,
    error::Result,
    id::{ConnectionId, WorkspaceId},
    store::Due,
};

/// Makes it anew, unless that was done meanwhile or somebody is at it. One that has ended with nothing to make it anew
/// with is told so, as a call would have been.
///
/// # Errors
/// `NeedsReauth` when the provider refuses for good, `Provider` when it can't be asked now: that is written where it
/// belongs already.
pub(super) async fn refresh(broker: &Arc<Broker>, one: &Due) -> Result<()> {
    let now = broker.clock.now();
    let still_due = broker.store.read().await?.is_still_due(one, now).await?;
    if !still_due {
        return Ok(());
    }
    let Some(subject) = subject(broker, &one.workspace_id, &one.connection_id).await? else { return Ok(()) };
    let held = load(broker, &subject).await?;
    if held.usable.version != one.version {
        return Ok(());
    }
    if endpoints::refreshable(&subject.provider, &held.usable.tokens) {
        // Whether it is due is asked once more, of the database's clock.
        let cause = match due::lead(&subject.provider, one) {
            lead @ Some(_) if !due::is_idle(&subject.provider, one, now) => Cause::Due(lead),
            _ => Cause::Asked,
        };
        return run::renew_for(broker, &subject, one.version, cause).await.map(drop);
    }
    if one.expires_at.is_some_and(|at| at <= now) {
        return fresh(broker, &subject).await.map(drop);
    }
    Ok(())
}

/// A connection and what it hangs on; `None` when it is gone.
pub(super) async fn subject(broker: &Broker, ws: &WorkspaceId, id: &ConnectionId) -> Result<Option<Subject>> {
    let mut conn = broker.store.read().await?;
    let Some(connection) = conn.connection(ws, id).await? else { return Ok(None) };
    let (of, option) = (&connection.integration_id, connection.auth_option.as_deref());
    let Some(integration) = conn.integration_as(ws, of, option).await? else { return Ok(None) };
    drop(conn);
    Ok(Some(Subject {
        workspace_id: ws.clone(),
        provider: broker.provider(&integration)?,
        connection: Arc::new(connection),
        integration: Arc::new(integration),
    }))
}
