//! The popup: a flow that a form of another site began is taken over by the browser, and its end is told to whoever
//! opened the window.
//!
//! A form's request comes without our cookie, so such a flow belongs to whoever shows its handle first, once: from then on
//! it is bound to that browser like any other. What is told is only who may be told; how it reads is the door's.

use std::sync::Arc;

use super::{
    PAGE_LIFE,
    begin::{By, Next, asks},
    finish::outcome,
    handoff::{Message, Outcome},
    page::{self, Bearer, Form, over, used},
};
use crate::{
    broker::Broker,
    domain::audit::Actor,
    error::Result,
    id::{FlowId, WorkspaceId},
    secret::Secret,
};

/// What the page at the end has to tell.
pub struct Told {
    /// Whose flow it was.
    pub workspace_id: WorkspaceId,
    /// What is told, and to whom.
    pub message: Message,
    /// Origins that may frame the page; without any, all may: it has nothing to click.
    pub framed_by: Vec<String>,
}

/// Takes a flow over for the browser that shows its handle first, and sends that browser on: to the provider, or to the
/// page before it.
///
/// # Errors
/// `Invalid` when the flow is unknown, another browser's, used or expired: all the same to the caller.
pub async fn adopt(broker: &Arc<Broker>, flow: &FlowId, handle: &Secret, browser: &Secret) -> Result<Next> {
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    let (with, to) = (By::Handle(handle).hash(), By::Browser(browser).hash());
    let adopted = conn.any_adopt_flow(flow, &with, &to).await?;
    conn.commit().await?;
    if !adopted && let Some(outcome) = before(broker, flow, browser).await? {
        return Ok(Next::Back(outcome));
    }
    // A page that is loaded once more goes on where it was; any other browser finds nothing.
    let opened = page::load(broker, flow, Bearer { by: Some(By::Browser(browser)), session: None }).await?;
    if asks(opened.flow.completion, &opened.provider, &opened.flow.inputs) {
        if adopted {
            let (now, flow) = (broker.clock.now(), &opened.flow);
            let mut conn = broker.store.begin(Actor::System, now).await?;
            conn.expire_flow_at(&flow.workspace_id, &flow.id, now.plus(PAGE_LIFE)).await?;
            conn.commit().await?;
        }
        return Ok(Next::Page(opened.flow.id.clone()));
    }
    match page::leave(broker, &opened).await? {
        Form::Provider(url) => Ok(Next::Provider(url)),
        Form::Back(outcome) => Ok(Next::Back(outcome)),
        Form::Wrong(..) | Form::Stay(_) => Err(used()),
    }
}

/// How the flow ended, where this browser has been through it already.
async fn before(broker: &Broker, flow: &FlowId, browser: &Secret) -> Result<Option<Outcome>> {
    let found = broker.store.read().await?.any_flow(flow).await?;
    let Some(flow) = found.filter(|flow| page::same_browser(flow, Some(browser))) else { return Ok(None) };
    // The way to a product's address is gone once: it may be struck off by now.
    let ended = flow.outcome.as_ref().map(|sealed| outcome(broker, &flow, sealed)).transpose()?;
    Ok(ended.filter(|outcome| matches!(outcome, Outcome::Message(_))))
}

/// What the page at the end of a flow tells to whoever opened its window.
///
/// # Errors
/// `Invalid` when the flow is unknown, another browser's, not ended, ended elsewhere, or long over.
pub async fn told(broker: &Broker, flow: &FlowId, browser: Option<&Secret>) -> Result<Told> {
    let (flow, Outcome::Message(message)) = page::ended(broker, flow, browser).await? else {
        return Err(over());
    };
    let workspace = broker.store.read().await?.workspace(&flow.workspace_id).await?.ok_or_else(over)?;
    Ok(Told { workspace_id: workspace.id, message, framed_by: workspace.settings.allowed_origins })
}
