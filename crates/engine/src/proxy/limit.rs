//! Phase 2: how often a connection may be used. Nothing is sent for a call over the limit.

use crate::{
    broker::Broker,
    error::{Error, Result},
    refresh::Subject,
};

/// Counts the call against its connection.
///
/// # Errors
/// `Limited`, with the time until the window ends.
pub(super) fn take(broker: &Broker, subject: &Subject) -> Result<()> {
    broker
        .proxy_limit
        .take(subject.connection.id.as_str(), broker.clock.now())
        .map_err(|retry_after| Error::Limited { retry_after })
}
