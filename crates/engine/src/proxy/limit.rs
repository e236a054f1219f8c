//! Phase 2: how often a connection may be used, and how many calls may be under way at once. Nothing is sent for a call
//! over a limit.

use std::time::Duration;

use super::ready::Ready;
use crate::{
    broker::Broker,
    error::{Error, Limit, Result},
    limit::at_once::{AtOnce, Place},
    outbound::Destination,
    time::Millis,
};

/// What a caller hears to wait whose call is one too many at the moment: nobody knows when another one ends.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What one call may take of this process.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// Calls at once with one connection.
    pub connection: AtOnce,
    /// Calls at once to one host, whosever they are.
    pub provider: AtOnce,
    /// How long the body of a request may stall while it is waited for.
    pub body: Option<Duration>,
}

/// The places of a call under way, until its answer's body has ended or the caller is gone.
pub(super) struct Permit {
    _connection: Place,
    _provider: Place,
}

/// Counts the call against its connection.
///
/// # Errors
/// `Limited`, with the time until the window ends.
pub(super) async fn take(broker: &Broker, subject: &Ready, now: Millis) -> Result<()> {
    let counted = broker.proxy_limit.admit_named(subject.name(), subject.connection.id.as_str(), now).await;
    counted.map_err(|retry_after| Error::Limited { limit: Limit::Calls, retry_after })
}

/// Takes the call's places.
///
/// # Errors
/// `Limited` when all are taken.
pub(super) fn enter(broker: &Broker, subject: &Ready, to: &Destination) -> Result<Permit> {
    let full = |limit| move || Error::Limited { limit, retry_after: A_MOMENT };
    let bounds = &broker.bounds;
    let connection = bounds.connection.enter(subject.name());
    let _connection = connection.ok_or_else(full(Limit::ConnectionCalls))?;
    let _provider = bounds.provider.enter(to.name()).ok_or_else(full(Limit::ProviderCalls))?;
    Ok(Permit { _connection, _provider })
}

/// The caller's body stalled.
pub(super) fn stalled() -> Error {
    Error::Limited { limit: Limit::Body, retry_after: Duration::ZERO }
}
