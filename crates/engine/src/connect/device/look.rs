//! Look: how a flow stands whose code is entered elsewhere, for the page that waits for it.

use std::sync::Arc;

use super::kept::Held;
use crate::{
    broker::Broker,
    connect::{
        handoff::Outcome,
        page::{Bearer, Visitor, sent_before},
    },
    domain::flow::Flow,
    error::Result,
    id::FlowId,
};

/// How a flow stands, as far as whoever waits has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// The code is still to be entered.
    Waiting,
    /// The page has something else to show: the flow has ended, or the code has expired.
    Otherwise,
}

/// How a flow ended while its page was waiting; `None` when it has not, or when it is none of this visitor's.
///
/// # Errors
/// As [`crate::connect::open`].
pub async fn ended(broker: &Arc<Broker>, flow: &FlowId, visitor: Visitor<'_>) -> Result<Option<Outcome>> {
    ended_for(broker, flow, visitor.into()).await
}

/// The same, whoever carries the flow on.
pub(crate) async fn ended_for(
    broker: &Arc<Broker>,
    flow: &FlowId,
    bearer: Bearer<'_>,
) -> Result<Option<Outcome>> {
    let found = broker.store.read().await?.any_flow(flow).await?;
    let polled = found.is_some_and(|flow| flow.callback_hash.as_deref() == Some(super::POLLED));
    if polled { sent_before(broker, flow, bearer).await } else { Ok(None) }
}

/// How a flow stands for this visitor. Of a flow that is none of theirs nobody learns whether it is there.
///
/// # Errors
/// `Internal` when the database fails.
pub async fn stands(broker: &Broker, flow: &FlowId, visitor: Visitor<'_>) -> Result<Stands> {
    let found = broker.store.read().await?.any_flow(flow).await?;
    let bearer = Bearer::from(visitor);
    let ours = found.filter(|flow| flow.taken_at.is_none() && bearer.by.is_some_and(|by| by.carries(flow)));
    let Some(flow) = ours else { return Ok(Stands::Otherwise) };
    Ok(if waits(broker, &flow)? { Stands::Waiting } else { Stands::Otherwise })
}

/// Whether there is a code that is still to be entered.
pub(crate) fn waits(broker: &Broker, flow: &Flow) -> Result<bool> {
    let held = Held::open(broker, flow)?;
    Ok(held.is_some_and(|held| !held.is_over(broker.clock.now())))
}
