//! Here: a code that is got, shown and waited for by whoever runs a command on this machine: no browser carries the flow.
//!
//! What may be connected for whom is asked as for any flow. Must never be offered to anybody but the operator.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    give,
    kept::{self, Device},
    poll,
};
use crate::{
    broker::Broker,
    connect::{
        Next, Outcome,
        begin::{By, Fresh, Wishes, create},
        bound, finish,
        look::Look,
        page::{Form, Opened},
    },
    domain::{
        connection::{Onto, Owner, OwnerKind},
        flow::Handoff,
        workspace::{Completion, Workspace},
    },
    error::{Error, Result},
    id::{ConnectionId, FlowId},
    secret::token,
};

use claviger_catalog::{Kind, pattern};

/// What the operator wants connected.
pub struct Here<'a> {
    /// Where.
    pub workspace: &'a Workspace,
    /// The integration's id or key.
    pub integration: &'a str,
    /// For whom. Of a shared integration by whose hand.
    pub owner: Owner,
    /// The provider's inputs.
    pub inputs: BTreeMap<String, String>,
}

/// How far it is.
#[derive(Debug)]
pub enum Step {
    /// The code is to be entered.
    Waiting(Device),
    /// There is a connection.
    Connected(ConnectionId),
    /// There is none, in words for whoever waits.
    Failed(String),
}

/// Begins a flow and gets its code. What owners have already is authorized anew, but for a product's own references: of
/// those any number may be connected.
///
/// # Errors
/// `NotFound` for an integration that is not there; `Conflict` for one that gives no codes, or is switched off or not set
/// up; `Invalid` naming an input; `Denied` for an owner who may not connect.
pub async fn begin(broker: &Arc<Broker>, wish: Here<'_>) -> Result<FlowId> {
    let workspace = &wish.workspace.id;
    let mut conn = broker.store.read().await?;
    let integration = conn.integration_by_selector(workspace, wish.integration).await?;
    let integration = integration.ok_or(Error::NotFound { what: "integration" })?;
    let integration = conn.as_option(workspace, integration, None).await?;
    let integration = integration.ok_or(Error::NotFound { what: "integration" })?;
    drop(conn);
    let provider = broker.provider(&integration)?;
    let refused = |why: &str| Error::Conflict { message: format!("`{}` {why}", integration.key) };
    if provider.kind() != Kind::DeviceCode {
        return Err(refused("is not connected by a code: open the product's page in a browser instead"));
    }
    if integration.disabled_at.is_some() {
        return Err(refused("is switched off"));
    }
    for input in provider.page_inputs(&integration.config.inputs) {
        match wish.inputs.get(&input.key) {
            Some(value) if pattern::admits(&input.pattern, value) => {}
            Some(_) => return Err(Error::invalid("input", format!("{}: does not look right", input.key))),
            None if input.is_needed() => {
                return Err(Error::invalid("input", format!("{}: is needed ({})", input.key, input.title)));
            }
            None => {}
        }
    }
    let owner = match wish.owner {
        Owner { kind: OwnerKind::User | OwnerKind::Shared, key: Some(name) } => {
            Owner::member(integration.mode, &name)
        }
        owner => owner,
    };
    let (onto, handle) = match owner.kind {
        OwnerKind::External => (Onto::New, token()?),
        OwnerKind::User | OwnerKind::Customer | OwnerKind::Shared => (Onto::Only, token()?),
    };
    let fresh = Fresh {
        integration: &integration,
        owner,
        onto,
        completion: Completion::Redirect,
        handoff: Handoff::Landing { integration: integration.name.clone() },
        // Nobody knows it: the flow is no browser's.
        by: By::Handle(&handle),
        session_hash: None,
        origin: None,
        wishes: Wishes { inputs: wish.inputs, ..Wishes::default() },
    };
    let Next::Page(id) = create(broker, fresh).await? else {
        return Err(Error::internal("a flow for a code began without a page"));
    };
    let flow = broker.store.read().await?.any_flow(&id).await?.ok_or(Error::NotFound { what: "flow" })?;
    let member = bound::hold_away(broker, &flow).await?;
    let device = kept::shown(broker, &flow, &provider)?;
    // There is no page, so nothing is shown on one.
    let (workspace, look) = (wish.workspace.clone(), Look::default());
    let opened =
        Opened { flow, workspace, integration, provider, member, owner_name: None, look, icon: None, device };
    match broker.to_its_end(give::give(broker.clone(), opened)).await? {
        Form::Back(outcome) => Err(Error::Conflict { message: words(&outcome) }),
        Form::Stay(_) | Form::Provider(_) | Form::Wrong(..) => Ok(id),
    }
}

/// Asks the provider when that is due, here and now, and says how far it is. Beside a running broker one of the two asks.
///
/// # Errors
/// `NotFound` when the flow is gone; `Internal` when the database fails.
pub async fn step(broker: &Arc<Broker>, id: &FlowId) -> Result<Step> {
    let now = broker.clock.now();
    let gone = Error::NotFound { what: "flow" };
    let flow = broker.store.read().await?.any_flow(id).await?.ok_or(gone)?;
    let flow = if flow.poll_at.is_some_and(|at| at <= now) {
        let asked = broker.tasks.spawn(poll::poll(broker.clone(), flow));
        let _panicked = asked.await;
        let found = broker.store.read().await?.any_flow(id).await?;
        found.ok_or(Error::NotFound { what: "flow" })?
    } else {
        flow
    };
    if let Some(connection) = &flow.connection_id {
        return Ok(Step::Connected(connection.clone()));
    }
    if let Some(sealed) = &flow.outcome {
        return Ok(Step::Failed(words(&finish::outcome(broker, &flow, sealed)?)));
    }
    let held =
        kept::Held::open(broker, &flow)?.ok_or_else(|| Error::internal("a code was given by nobody"))?;
    Ok(match held.shown(broker.clock.now()) {
        Device::Expired { .. } | Device::Asked => Step::Failed("the code was not entered in time".to_owned()),
        given => Step::Waiting(given),
    })
}

/// Why there is no connection.
fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Landing(landing) => {
            let ours = landing.failure.clone().unwrap_or_default();
            landing.said.as_ref().map_or(ours.clone(), |said| format!("{ours}: {said}"))
        }
        Outcome::Page { message } => message.clone(),
        Outcome::Redirect { .. } | Outcome::Message(_) => "it ended elsewhere".to_owned(),
    }
}
