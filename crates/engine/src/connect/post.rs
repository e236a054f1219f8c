//! Post: the one way of a request to an authorization server: token, device, pushed request, revocation.
//!
//! What a provider wants of each such request besides what is in it happens here. Must never send anything twice that a
//! server may have taken the first time.

use bytes::Bytes;
use http::{Request, Response};

use super::{ANSWER_CAP, party::Party};
use crate::{broker::Broker, error::Result};

/// Sends a request, and reads the whole answer.
///
/// # Errors
/// `Provider` when it can't be reached or says too much.
pub(super) async fn fetch(
    broker: &Broker,
    _party: &Party,
    request: Request<Bytes>,
) -> Result<Response<Bytes>> {
    Ok(broker.outbound.fetch(request, ANSWER_CAP).await?)
}
