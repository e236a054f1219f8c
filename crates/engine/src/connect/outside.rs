//! Outside: a provider sends a browser with a code that nobody here asked for: an installation from its shop.
//!
//! No state ties it to anybody, so it stands on what the browser brings and the person confirms: a product's token, a
//! registered way back, and a click on a page that says for whom the account will be connected. Off unless the integration
//! says otherwise. The code lies sealed until that click, and is redeemed once.

use std::sync::Arc;

use claviger_catalog::{Auth, Kind, Pkce, Provider};
use claviger_protocol::oauth2::callback::{self, Answer};

use super::{
    begin::{Fresh, Next, create},
    endpoints,
    finish::{redeem, settle},
    grant::{Grant, Kept},
    handoff::{self, Failure, Outcome, Refusal},
    page::{Opened, take, used},
    typed::SUBMITTED,
};
use crate::{
    broker::Broker,
    domain::{audit::Actor, integration::CallbackKind, workspace::Completion},
    error::{Error, Result},
    id::FlowId,
    secret::Secret,
    vault::Sealed,
};

/// Begins a flow that a page of ours goes on with, or says why there is none.
///
/// # Errors
/// `Denied` unless the integration lets flows begin so; `Conflict` when its provider knows no codes, or can't be asked
/// without more values; `Invalid` when the provider's answer can't be read or is another issuer's.
pub(crate) async fn take_up(
    broker: &Arc<Broker>,
    mut fresh: Fresh<'_>,
    query: &str,
) -> Result<std::result::Result<FlowId, Failure>> {
    let integration = fresh.integration;
    if !integration.config.outside_start {
        let message = format!("connecting `{}` can't begin at the provider", integration.key);
        return Err(Error::Denied { message });
    }
    let provider = broker.provider(integration)?;
    if provider.kind() != Kind::OAuth2Code || integration.callback != CallbackKind::OauthCallback {
        let message = format!("`{}` takes no codes at this address", integration.key);
        return Err(Error::Conflict { message });
    }
    let oauth2 = endpoints::oauth2(&provider)?;
    let answer = callback::read(oauth2, query).map_err(|e| Error::invalid("code", e.to_string()))?;
    let (code, iss, saved) = match answer {
        Answer::Code { code, iss, saved } => (code, iss, saved),
        Answer::Error { error, description, .. } => {
            let refusal =
                Refusal { error: &error, text: handoff::ours(&error), said: description.as_deref() };
            return Ok(Err(refusal.into()));
        }
    };
    fresh.wishes.inputs.extend(saved.clone());
    let at = endpoints::resolve(broker, integration, &provider, &fresh.wishes.inputs).await?;
    callback::check_iss(at.issuer.as_deref(), at.iss_required, iss.as_deref())
        .map_err(|e| Error::invalid("iss", e.to_string()))?;
    fresh.completion = Completion::Confirm;
    fresh.wishes.grant = Some(Grant { code, saved, state: Secret::new(String::new()) });
    match create(broker, fresh).await? {
        Next::Page(flow) => Ok(Ok(flow)),
        Next::Provider(_) | Next::Back(_) => Err(Error::internal("a code went on without being confirmed")),
    }
}

/// The provider as it is for a code that was not asked for: neither a challenge nor a state of ours went before it.
fn unbound(provider: &Provider) -> Provider {
    let mut provider = provider.clone();
    if let Auth::OAuth2(oauth2) = &mut provider.auth {
        oauth2.pkce = Pkce::Unsupported;
        oauth2.token.resend_state = false;
    }
    provider
}

/// Redeems the code of a flow whose page was confirmed: the flow is taken first, so that it happens once.
pub(super) async fn finish(broker: Arc<Broker>, mut opened: Opened, code: Sealed) -> Result<Outcome> {
    let broker = &broker;
    let Opened { flow, integration, provider, .. } = &mut opened;
    let Kept::Code(grant) = Kept::open(broker, flow, &code)? else {
        return Err(Error::internal("a flow that began outside kept something else than a code"));
    };
    flow.endpoints = Some(endpoints::resolve(broker, integration, provider, &flow.inputs).await?);
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if !take(&mut conn, flow, SUBMITTED, now).await? {
        return Err(used());
    }
    conn.commit().await?;
    let redeemed = redeem(broker, flow, (integration, &unbound(provider)), Actor::System, grant).await;
    settle(broker, flow, redeemed).await
}
