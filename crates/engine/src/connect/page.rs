//! The page before the provider: what it shows, and what its buttons do.
//!
//! It opens only in the browser that began the flow, and its link works once: a flow that has left for the
//! provider has no page any more.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{Input, Provider, pattern};

use super::{
    begin::may_end_at,
    finish::{STRUCK_OFF, current, outcome_aad},
    handoff::{self, Outcome},
    start,
};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        flow::{Endpoints, Flow},
        integration::Integration,
        workspace::{Completion, Workspace},
    },
    error::{Error, Result},
    id::FlowId,
    secret::{Secret, token},
    store::FlowEnd,
    vault::hash,
};

/// What the page shows.
pub struct Ask {
    /// The product's name.
    pub product: String,
    /// The integration's name.
    pub integration: String,
    /// For whom the connection will be, when the page is to confirm that.
    pub owner: Option<String>,
    /// Whether the page is there to confirm whose connection it will be.
    pub confirm: bool,
    /// The inputs still open.
    pub inputs: Vec<Input>,
    /// Origins that may frame the page: the workspace's, and none where the page is to confirm.
    pub framed_by: Vec<String>,
}

/// What came of a submitted form.
pub enum Form {
    /// Off to the provider; the URL carries the state.
    Provider(String),
    /// Wrong inputs, by key; the page is shown again with them.
    Wrong(Ask, BTreeMap<String, String>),
    /// Back to the product with an error.
    Back(Outcome),
}

struct Opened {
    flow: Flow,
    workspace: Workspace,
    integration: Integration,
    provider: Arc<Provider>,
}

/// Opens the page of a flow.
///
/// # Errors
/// `Invalid` when the flow is unknown, another browser's, used or expired: all the same to the caller.
pub async fn open(broker: &Broker, flow: &FlowId, browser: Option<&Secret>) -> Result<Ask> {
    Ok(load(broker, flow, browser).await?.ask())
}

/// Takes the page's form: checks the inputs, mints state and verifier, and sends the browser to the provider.
pub async fn submit(
    broker: &Arc<Broker>,
    flow: &FlowId,
    browser: Option<&Secret>,
    given: &BTreeMap<String, String>,
) -> Result<Form> {
    let mut opened = load(broker, flow, browser).await?;
    let mut wrong = BTreeMap::new();
    let mut inputs = opened.flow.inputs.clone();
    for input in opened.provider.page_inputs(&opened.flow.inputs) {
        let value = given.get(&input.key).map(|v| v.trim()).unwrap_or_default();
        if value.is_empty() && !input.is_needed() {
            continue;
        }
        if pattern::admits(&input.pattern, value) {
            inputs.insert(input.key.clone(), value.to_owned());
        } else {
            let example = input.placeholder.as_deref().map(|p| format!(", such as {p}")).unwrap_or_default();
            let what = if value.is_empty() { "This is needed" } else { "This does not look right" };
            wrong.insert(input.key.clone(), format!("{what}{example}."));
        }
    }
    if wrong.is_empty() {
        opened.flow.inputs = inputs;
    } else {
        return Ok(Form::Wrong(opened.ask(), wrong));
    }
    let started = match start::mint(broker, &opened.flow, &opened.integration, &opened.provider).await {
        Ok(started) => started,
        Err(Error::Provider { message, .. } | Error::TargetNotAllowed { message }) => {
            tracing::warn!(%flow, %message, "a flow could not start");
            let text = "the service could not be reached; try again later";
            return Ok(Form::Back(handoff::refused(&opened.flow.handoff, "temporarily_unavailable", text)));
        }
        Err(error) => return Err(error),
    };
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    let first = conn
        .start_flow(
            &opened.flow.workspace_id,
            flow,
            &started.state_hash,
            started.verifier.as_ref(),
            &started.endpoints,
            &opened.flow.inputs,
        )
        .await?;
    conn.commit().await?;
    if first { Ok(Form::Provider(started.url)) } else { Err(used()) }
}

/// The person said no: the flow ends and the product hears `access_denied`.
pub async fn cancel(broker: &Broker, flow: &FlowId, browser: Option<&Secret>) -> Result<Outcome> {
    let opened = load(broker, flow, browser).await?;
    let flow = opened.flow;
    let outcome = handoff::refused(&flow.handoff, "access_denied", "the connection was declined");
    let sealed = broker.vault.seal(&outcome_aad(&flow), &outcome.to_secret()?)?;
    let none = Endpoints::default();
    let (unused, now) = (hash::token(token()?.expose()), broker.clock.now());
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if !conn.start_flow(&flow.workspace_id, &flow.id, &unused, None, &none, &flow.inputs).await? {
        return Err(used());
    }
    conn.any_take_flow(&unused, "", now).await?;
    let end = FlowEnd {
        outcome: &sealed,
        provider_code: None,
        code_hash: None,
        code_expires_at: None,
        connection_id: None,
    };
    conn.finish_flow(&flow.workspace_id, &flow.id, &end).await?;
    conn.commit().await?;
    Ok(outcome)
}

async fn load(broker: &Broker, id: &FlowId, browser: Option<&Secret>) -> Result<Opened> {
    let mut conn = broker.store.read().await?;
    let flow = conn.any_flow(id).await?.ok_or_else(used)?;
    let same = browser.is_some_and(|b| hash::same(&hash::token(b.expose()), &flow.browser_hash));
    if !same || flow.state_hash.is_some() || flow.expires_at <= broker.clock.now() {
        return Err(used());
    }
    if !may_end_at(broker, &mut conn, &flow.workspace_id, &flow.handoff).await? {
        return Err(Error::invalid("flow", STRUCK_OFF));
    }
    let workspace = conn.workspace(&flow.workspace_id).await?.ok_or_else(used)?;
    drop(conn);
    let integration = current(broker, &flow).await?;
    let provider = broker.provider(&integration)?;
    Ok(Opened { flow, workspace, integration, provider })
}

impl Opened {
    fn ask(&self) -> Ask {
        let confirm = self.workspace.settings.completion == Completion::Confirm
            || self.flow.completion == Completion::Confirm;
        Ask {
            product: self.workspace.name.clone(),
            integration: self.integration.name.clone(),
            owner: self.flow.owner.key.clone().filter(|_| confirm),
            confirm,
            inputs: self.provider.page_inputs(&self.flow.inputs).into_iter().cloned().collect(),
            framed_by: if confirm { Vec::new() } else { self.workspace.settings.allowed_origins.clone() },
        }
    }
}

fn used() -> Error {
    Error::invalid(
        "flow",
        "this link was used already, has expired, or belongs to another browser; begin again",
    )
}
