//! Phase 4: a token that is good for the call, and a second one when the provider does not take the first.

use std::sync::Arc;

use crate::{
    broker::Broker,
    error::{Error, Result},
    refresh::{self, Subject, Usable},
};

/// A token good for now, refreshed first when it is about to expire.
///
/// # Errors
/// `NeedsReauth` when there is none and none can be had; `Provider` when the provider can't be asked.
pub(super) async fn usable(broker: &Arc<Broker>, subject: &Subject) -> Result<Usable> {
    refresh::fresh(broker, subject).await
}

/// The provider answered 401: a newer token to resend with, or `None` to hand the 401 back.
///
/// # Errors
/// `NeedsReauth` when the provider refused to refresh. Anything else that goes wrong is logged, and the 401
/// stands: it is the better answer.
pub(super) async fn after_401(
    broker: &Arc<Broker>,
    subject: &Subject,
    used: &Usable,
) -> Result<Option<Usable>> {
    match refresh::rejected(broker, subject, used).await {
        Err(error @ Error::NeedsReauth { .. }) => Err(error),
        Err(error) => {
            tracing::warn!(connection = %subject.connection.id, error = ?error, "no refresh after a 401");
            Ok(None)
        }
        answer => answer,
    }
}
