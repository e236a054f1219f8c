//! Prove: a credential that a provider just gave is tried before a connection is made of it.
//!
//! The calls of the provider's file tell. One that does not work makes nothing: its tokens are revoked, for nobody else
//! holds them, and whoever connects is told in the provider's words. So it is with a provider that can't say now.

use claviger_catalog::Provider;
use claviger_protocol::oauth2::Tokens;

use super::{end, endpoints, verify};
use crate::{
    broker::Broker,
    domain::{connection::Connection, integration::Integration},
    error::{Error, Result},
};

/// Tries the tokens of a connection that is about to be. Where the file names no call, or none of them tells, they are
/// as good as the provider's word.
///
/// # Errors
/// `Denied` when the provider refuses them; `Provider` when it can't say now.
pub(super) async fn works(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    connection: &Connection,
    tokens: &Tokens,
) -> Result<()> {
    if !verify::has_calls(provider) {
        return Ok(());
    }
    let inputs = &connection.inputs;
    let told = match endpoints::filled(provider, inputs) {
        Ok(filled) => verify::by_calls(broker, integration, &filled, inputs, tokens).await,
        Err(error) => Err(error),
    };
    let Err(error) = told else { return Ok(()) };
    end::revoke_unless_shared(broker, integration, connection, tokens).await;
    Err(match error {
        Error::Invalid { field: "access_token", message } => {
            let answer = message.strip_prefix(verify::REFUSED).unwrap_or(&message);
            let message = format!("The service does not accept the new credential{answer}");
            Error::Denied { message }
        }
        Error::Provider { fault, message } => {
            let message = format!("the service could not be reached to try the new credential: {message}");
            Error::Provider { fault, message }
        }
        other => other,
    })
}
