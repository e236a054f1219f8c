//! Bring: a connection of what a customer's caller has already, without a browser: values that are typed in elsewhere, or
//! an OAuth 2 grant's tokens. Its provider takes them first.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::Kind;

use super::{Wish, wish::Wanted};
use crate::{
    access::Holder,
    broker::Broker,
    connect::{Import, Place, import_as},
    domain::connection::{Connection, Owner},
    error::{Error, Result},
    secret::Secret,
};

/// Tokens that somebody holds.
pub struct Held {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token; it is used once, to prove it.
    pub refresh_token: Option<Secret>,
    /// In how many seconds the access token expires.
    pub expires_in: Option<u64>,
    /// The scopes that were granted.
    pub scopes: Option<Vec<String>>,
}

/// Makes a connection for the token's customer. `held` counts where the provider would ask for consent.
///
/// # Errors
/// `Denied` for a token that speaks of no customer; `NotFound` for an integration, an auth option or a connection that is
/// not there or not the customer's; `Invalid` naming what is missing, wrong or refused; `Conflict` when the integration is
/// switched off or changed meanwhile, or needs a browser; `Limited`; `Provider`.
pub async fn bring(
    broker: &Arc<Broker>,
    holder: &Holder,
    wish: Wish,
    held: Option<Held>,
) -> Result<Connection> {
    let customer = holder.customer()?;
    let wanted = wish.find(broker, customer).await?;
    match held.filter(|_| wanted.provider.kind() == Kind::OAuth2Code) {
        Some(held) => {
            let tries = format!("{} {}", customer.id, wanted.integration.id);
            broker.tries.take(&tries, broker.clock.now())?;
            import(broker, holder, Owner::customer(customer), wanted, held).await
        }
        None => {
            wanted.whole()?;
            if !wanted.is_ready() {
                let text =
                    format!("{} is connected in a browser: open /connection-popup", wanted.integration.name);
                return Err(Error::Conflict { message: text });
            }
            wanted.make(broker, customer, None).await
        }
    }
}

async fn import(
    broker: &Arc<Broker>,
    holder: &Holder,
    owner: Owner,
    wanted: Wanted,
    held: Held,
) -> Result<Connection> {
    let Wanted { integration, onto, option, name, inputs, .. } = wanted;
    let given = Import {
        integration: integration.id.as_str(),
        only: None,
        owner,
        access_token: held.access_token,
        refresh_token: held.refresh_token,
        expires_in: held.expires_in,
        scopes: held.scopes,
        inputs: BTreeMap::new(),
        verify: true,
    };
    let place = Place { onto, option, name, known: inputs };
    let made = import_as(broker, &holder.workspace.id, given, place, holder.actor()).await;
    made.map(|made| made.connection).map_err(|error| match error {
        Error::Invalid { field: "verify", .. } => {
            let text =
                "This provider offers no way to tell whether such tokens work; connect in a browser instead";
            Error::invalid("credentials", text)
        }
        other => other,
    })
}
