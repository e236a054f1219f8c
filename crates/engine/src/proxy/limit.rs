//! Phase 2: how often a connection may be used. Nothing is sent for a call over the limit.

use crate::{
    broker::Broker,
    error::{Error, Limit, Result},
    refresh::Subject,
};

/// Counts the call against its connection.
///
/// # Errors
/// `Limited`, with the time until the window ends.
pub(super) async fn take(broker: &Broker, subject: &Subject) -> Result<()> {
    let counted = broker.proxy_limit.admit(subject.connection.id.as_str(), broker.clock.now()).await;
    counted.map_err(|retry_after| Error::Limited { limit: Limit::Calls, retry_after })
}
