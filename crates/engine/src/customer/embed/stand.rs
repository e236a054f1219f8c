//! How things stand with a flow of a frame: open, connected or failed, here or in the window that it opened.
//!
//! Only who shows the flow's handle is told. A flow of another handle is one that does not exist.

use super::{Arc, Bearer, Broker, By, Ended, Error, Failure, Flow, FlowId, Result, Secret, Workspace, used};
use crate::{
    connect::{FLOW_LIFE, Outcome, device, ended_request, outcome},
    time::Millis,
};

/// How it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing has ended.
    Open,
    /// Nothing has ended, but the page has something else to show: a code that was to be entered elsewhere has expired.
    Changed,
    /// It ended, here or in the last window.
    Ended(Ended),
}

/// A flow and how it stands.
pub(super) struct Stand {
    pub flow: Flow,
    pub workspace: Workspace,
    pub state: State,
    /// Whether the flow can't go on, whatever became of its window.
    pub over: bool,
}

/// How it stands with a flow, for the page that waits for its window.
///
/// # Errors
/// `Invalid` for a flow that is not there, or not this handle's.
pub async fn state(broker: &Arc<Broker>, flow: &FlowId, handle: &Secret) -> Result<State> {
    let found = look(broker, flow, handle).await?;
    let coded = found.state == State::Open && found.flow.device.is_some();
    let waits = !coded || device::waits(broker, &found.flow)?;
    Ok(if waits { found.state } else { State::Changed })
}

pub(super) async fn look(broker: &Arc<Broker>, id: &FlowId, handle: &Secret) -> Result<Stand> {
    let bearer = Bearer::frame(handle);
    let mut conn = broker.store.read().await?;
    let flow = conn.any_flow(id).await?.filter(|flow| bearer.by.is_some_and(|by: By<'_>| by.carries(flow)));
    let flow = flow.ok_or_else(used)?;
    let workspace = conn.workspace(&flow.workspace_id).await?.ok_or_else(used)?;
    drop(conn);
    let now = broker.clock.now();
    let over = flow.taken_at.is_some() || flow.expires_at <= now;
    let state = match ended(broker, &flow, now).await? {
        Some(ended) => State::Ended(ended),
        None if over => State::Ended(Ended::Failed(Failure::of(&too_late()))),
        None => State::Open,
    };
    Ok(Stand { flow, workspace, state, over })
}

/// How it ended, here or there.
async fn ended(broker: &Arc<Broker>, flow: &Flow, now: Millis) -> Result<Option<Ended>> {
    if let (Some(taken_at), Some(sealed)) = (flow.taken_at, &flow.outcome) {
        let lately = now.since(taken_at) <= FLOW_LIFE;
        return Ok(match outcome(broker, flow, sealed)? {
            Outcome::Message(message) if lately => Some(message.ended),
            _ => None,
        });
    }
    match flow.request.as_deref() {
        Some(request) => Ok(ended_request(broker, request).await?.map(|heard| heard.ended)),
        None => Ok(None),
    }
}

fn too_late() -> Error {
    Error::Conflict { message: "this page was open for too long; begin again".to_owned() }
}
