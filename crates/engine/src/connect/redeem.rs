//! Redeem: the product's server exchanges its one-time code for the connection.
//!
//! With completion `server` this is where the provider's code is redeemed at last, and only for the owner that
//! the product's server names; for anyone else it is destroyed.

use std::sync::Arc;

use super::{
    device, exchange, finish,
    grant::Kept,
    prove,
    record::{self, Draft},
};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        flow::{Flow, Handoff},
    },
    error::{Error, Result},
    id::{ConnectionId, IntegrationId, WorkspaceId},
    secret::Secret,
    vault::{Sealed, hash},
};

/// What the product's server shows.
#[derive(Clone)]
pub struct Redeem {
    /// The one-time code from the redirect.
    pub code: Secret,
    /// The redirect URI that the flow was begun with.
    pub redirect_uri: String,
    /// The owner as the product knows it. Asked for with completion `server`, compared whenever given.
    pub external_id: Option<String>,
    /// The one integration that the caller's key is limited to, if any.
    pub only: Option<IntegrationId>,
}

/// What it gets.
#[derive(Debug, Clone)]
pub struct Redeemed {
    /// The connection.
    pub connection_id: ConnectionId,
    /// Its owner, as the flow was begun for.
    pub external_id: Option<String>,
    /// The integration, in the words that the flow was begun with.
    pub integration: String,
}

/// Spends a one-time code. A code is spent whatever comes of it: a wrong guess destroys it, and with it the
/// provider's code that was kept behind it.
///
/// # Errors
/// `Invalid` naming `code`, `redirect_uri` or `external_id`; `Provider` when the provider does not redeem
/// (completion `server`).
pub async fn redeem(broker: &Arc<Broker>, workspace: &WorkspaceId, ask: Redeem) -> Result<Redeemed> {
    broker.to_its_end(spend(broker.clone(), workspace.clone(), ask)).await
}

async fn spend(broker: Arc<Broker>, workspace: WorkspaceId, ask: Redeem) -> Result<Redeemed> {
    let broker = &broker;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    let spent = || Error::invalid("code", "Invalid or expired authorization code");
    let flow = conn.take_code(&workspace, &hash::token(ask.code.expose()), now).await?.ok_or_else(spent)?;
    conn.forget_provider_code(&workspace, &flow.id).await?;
    conn.commit().await?;
    let integration = match vouched(&flow, &ask) {
        Ok(integration) => integration,
        Err(refused) => {
            if let Err(error) = device::abandon(broker, &flow).await {
                tracing::warn!(flow = %flow.id, %error, "tokens that nobody vouches for could not be revoked");
            }
            return Err(refused);
        }
    };
    let connection_id = match (&flow.connection_id, &flow.provider_code) {
        (Some(id), _) => id.clone(),
        (None, Some(sealed)) => complete(broker, &flow, sealed).await?,
        // The connection ended before its code was exchanged.
        (None, None) => return Err(spent()),
    };
    Ok(Redeemed { connection_id, external_id: flow.owner.key.clone(), integration: integration.to_owned() })
}

fn spent() -> Error {
    Error::invalid("code", "Invalid or expired authorization code")
}

/// Whether a flow is what the product's server takes it for; gives the integration in the flow's words.
fn vouched<'a>(flow: &'a Flow, ask: &Redeem) -> Result<&'a str> {
    if ask.only.as_ref().is_some_and(|only| *only != flow.integration_id) {
        return Err(spent());
    }
    let Handoff::Redirect { uri, integration, .. } = &flow.handoff else { return Err(spent()) };
    if *uri != ask.redirect_uri {
        return Err(Error::invalid(
            "redirect_uri",
            "Must be the redirect_uri that the authorization was begun with",
        ));
    }
    let deferred = flow.provider_code.is_some();
    if deferred && ask.external_id.is_none() {
        return Err(Error::invalid("external_id", "Is required: it says who is signed in at the product"));
    }
    if ask.external_id.is_some() && ask.external_id != flow.owner.key {
        return Err(Error::invalid(
            "external_id",
            "Is not the external_id that the authorization was begun with",
        ));
    }
    Ok(integration)
}

/// The late half of completion `server`: redeem at the provider what is to be redeemed, write the connection.
async fn complete(broker: &Arc<Broker>, flow: &Flow, sealed: &Sealed) -> Result<ConnectionId> {
    let kept = Kept::open(broker, flow, sealed)?;
    let integration = finish::current(broker, flow).await?;
    let provider = broker.provider(&integration)?;
    let (exchanged, untried) = match kept {
        Kept::Code(grant) => (exchange::exchange(broker, flow, &integration, &provider, grant).await?, true),
        Kept::Keys(accepted) => (*accepted, false),
    };
    let draft = Draft::of(flow, exchanged, broker.clock.now());
    if untried {
        prove::works(broker, &integration, &provider, &draft.connection, &draft.tokens).await?;
    }
    let connection = record::keep(broker, &integration, &draft, || async {
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        let written = record::write(broker, &mut conn, &draft).await?;
        if written.now {
            conn.set_flow_connection(&flow.workspace_id, &flow.id, &written.connection.id).await?;
        }
        conn.commit().await.map(|()| written.connection)
    })
    .await?;
    Ok(connection.id)
}
