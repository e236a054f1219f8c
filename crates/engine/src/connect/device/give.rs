//! Give: a click gets a code for whoever connects (RFC 8628 §3.1).

use std::{collections::BTreeMap, sync::Arc};

use claviger_protocol::oauth2::{TokenErrorKind, device};

use super::kept::{self, Device, Held};
use crate::{
    broker::Broker,
    connect::{
        FLOW_LIFE, endpoints, exchange, grown,
        handoff::Refusal,
        page::{Form, Opened, refuse, used},
        party, post,
    },
    domain::{audit::Actor, flow::Endpoints},
    error::{Error, Result},
    store::DeviceGiven,
    time::Millis,
};

/// Has the provider give a code, unless there is one that is good still, and keeps it. A provider that refuses to ends the
/// flow; one that can't be reached leaves it as it was.
pub(in crate::connect) async fn give(broker: Arc<Broker>, mut opened: Opened) -> Result<Form> {
    let broker = &broker;
    if !matches!(opened.device, Some(Device::Asked | Device::Expired { again: true })) {
        return Ok(Form::Stay(opened.ask()));
    }
    let flow = &opened.flow;
    let before = Held::open(broker, flow)?.map_or(0, |held| held.codes);
    let (given, endpoints) = match ask(broker, &opened).await {
        Ok(given) => given,
        Err(Error::Conflict { message }) => {
            tracing::warn!(flow = %flow.id, %message, "a provider gave no code to enter");
            let text = "the service does not accept how this integration is set up";
            return refuse(broker, flow, Refusal::of("server_error", text)).await.map(Form::Back);
        }
        Err(error) => return Err(error),
    };
    keep(broker, &opened, &Held::of(given, before + 1, broker.clock.now()), &endpoints).await?;
    // Of two clicks at once the first one's code counts.
    let flow = broker.store.read().await?.any_flow(&opened.flow.id).await?.ok_or_else(used)?;
    opened.device = kept::shown(broker, &flow, &opened.provider)?;
    opened.flow = flow;
    Ok(Form::Stay(opened.ask()))
}

/// The device authorization request. `Conflict` where the provider refuses it.
async fn ask(broker: &Arc<Broker>, opened: &Opened) -> Result<(device::Device, Endpoints)> {
    let Opened { flow, integration, provider, .. } = opened;
    let mut at = endpoints::resolve(broker, integration, provider, &flow.inputs).await?;
    let provider = endpoints::filled(provider, &flow.inputs)?;
    let oauth2 = endpoints::oauth2(&provider)?;
    grown::scopes(broker, flow, oauth2, &mut at.scopes).await?;
    let url = at.device_url.as_deref().ok_or_else(|| endpoints::missing(integration, "device_url"))?;
    let party = party::of(broker, integration, &provider, (&at, url), &BTreeMap::new()).await?;
    let extra = &integration.config.authorize_params;
    let request = device::request(oauth2, url, &party.client(), &at.scopes, extra)
        .map_err(|e| Error::internal(format!("device request of {}: {e}", integration.id)))?;
    let answer = post::fetch(broker, &party, request).await?;
    let now = broker.clock.now().0;
    match device::read(oauth2, url, answer.status(), answer.headers(), answer.body(), now) {
        Ok(given) => Ok((given, at)),
        Err(error) if error.kind == TokenErrorKind::Oauth => {
            let hidden = error.hiding(&party.secret().into_iter().collect::<Vec<_>>());
            Err(Error::Conflict { message: hidden.words() })
        }
        Err(error) => Err(exchange::refusal(error, &[party.secret()])),
    }
}

/// The flow lives as long as its code, and then for a while, for its page to say so.
async fn keep(broker: &Broker, opened: &Opened, held: &Held, endpoints: &Endpoints) -> Result<()> {
    let flow = &opened.flow;
    let now = broker.clock.now();
    let given = DeviceGiven {
        was: flow.device.as_ref(),
        device: &held.seal(broker, flow)?,
        endpoints,
        inputs: &flow.inputs,
        poll_at: now.plus(held.interval()),
        expires_at: Millis(held.expires_at).plus(FLOW_LIFE),
    };
    let mut conn = broker.store.begin(Actor::System, now).await?;
    conn.give_device(&flow.workspace_id, &flow.id, &given).await?;
    conn.commit().await
}
