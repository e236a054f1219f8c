//! What the buttons of a framed page do. Each comes with the flow's handle, and what can't be done any more shows how
//! things stand instead.

use claviger_catalog::Kind;

use super::{
    Arc, Bearer, Broker, By, Completion, Ended, Error, Failure, Flow, FlowId, Framed, Fresh, Handoff, Result,
    Secret, Shows, Wishes, Workspace, Wrong, admit, choose, create, fresh, integration, is_undecided, load,
    needs_window,
    stand::{Stand, State, look},
    token, used,
};
use crate::{
    access::{Holder, Who},
    connect::{self, FLOW_LIFE, Form, Given, Next, Outcome, PAGE_LIFE},
    domain::{audit::Actor, customer::Customer},
    vault::hash,
};

/// What the page shows now. That a window ended without a connection is told once; then the button is there for another
/// try.
///
/// # Errors
/// `Invalid` for a flow that is not there, or not this handle's.
pub async fn check(broker: &Arc<Broker>, flow: &FlowId, handle: &Secret) -> Result<Framed> {
    let Stand { flow, workspace, state, over } = look(broker, flow, handle).await?;
    let failed = match state {
        State::Ended(Ended::Failed(failure)) if !over => Some(failure),
        State::Ended(ended) => return Ok(Framed::of(&workspace, None, Shows::End(ended))),
        State::Open | State::Changed => None,
    };
    if let (Some(_), Some(request)) = (&failed, &flow.request) {
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        conn.unfollow_request(&flow.workspace_id, &flow.id, request).await?;
        conn.commit().await?;
    }
    told(&workspace, page(broker, &workspace, &flow, handle, failed).await)
}

/// Takes the page's form: the way that was chosen, or the values that were filled in. The provider says whether it takes
/// a credential, and the flow ends. What needs a window is not taken here.
///
/// # Errors
/// As [`check`].
pub async fn submit(
    broker: &Arc<Broker>,
    flow: &FlowId,
    handle: &Secret,
    way: Option<&str>,
    given: &Given,
) -> Result<Framed> {
    let Stand { flow: at, workspace, state, over } = look(broker, flow, handle).await?;
    if over || state != State::Open {
        return check(broker, flow, handle).await;
    }
    told(&workspace, take(broker, &workspace, &at, handle, way, given).await)
}

async fn take(
    broker: &Arc<Broker>,
    workspace: &Workspace,
    flow: &Flow,
    handle: &Secret,
    way: Option<&str>,
    given: &Given,
) -> Result<Framed> {
    if is_undecided(flow) {
        if let Some(way) = way {
            choose(broker, flow, &customer(broker, flow).await?, way).await?;
        }
        return again(broker, workspace, &flow.id, handle).await;
    }
    let opened = load(broker, &flow.id, Bearer::frame(handle)).await?;
    if way.is_some() || needs_window(&opened) {
        return Ok(Framed::page(&opened, Wrong::default(), None));
    }
    let shows = match connect::submit_as(broker, &flow.id, Bearer::frame(handle), given).await? {
        Form::Wrong(ask, wrong) => Shows::Form(ask, wrong),
        Form::Stay(ask) => Shows::Form(ask, Wrong::default()),
        Form::Back(Outcome::Message(message)) => Shows::End(message.ended),
        Form::Provider(_) | Form::Back(_) => return Err(Error::internal("a flow left its frame")),
    };
    let flow = if matches!(shows, Shows::Form(..)) { Some(flow.id.clone()) } else { None };
    Ok(Framed::of(workspace, flow, shows))
}

/// The person said no: the flow ends. What a window of its has under way goes on without being heard.
///
/// # Errors
/// As [`check`].
pub async fn cancel(broker: &Arc<Broker>, flow: &FlowId, handle: &Secret) -> Result<Framed> {
    let Stand { flow, workspace, over, state } = look(broker, flow, handle).await?;
    if let State::Ended(ended @ Ended::Connected(_)) = state {
        return Ok(Framed::of(&workspace, None, Shows::End(ended)));
    }
    if !over {
        connect::decline(broker, &flow).await?;
    }
    Ok(Framed::of(&workspace, None, Shows::Closed))
}

/// Begins a flow for the window that the page opens, bound to that window's browser; this flow waits for its end from
/// now on, and no longer for the end of any before.
///
/// # Errors
/// As [`check`], and `Invalid` when there is nothing to open a window for: it ended, it took too long, or no way is
/// chosen; `Limited`; what stands in the way of the flow, which the frame is told as well.
pub async fn popup(
    broker: &Arc<Broker>,
    flow: &FlowId,
    handle: &Secret,
    browser: &Secret,
    address: &str,
) -> Result<Next> {
    let Stand { flow, over, state, .. } = look(broker, flow, handle).await?;
    if over || matches!(state, State::Ended(Ended::Connected(_))) || is_undecided(&flow) {
        return Err(used());
    }
    let ws = &flow.workspace_id;
    admit(broker, &mut broker.store.read().await?, ws, address).await?;
    let opened = load(broker, &flow.id, Bearer::frame(handle)).await?;
    let request = hash::token(token()?.expose());
    let now = broker.clock.now();
    // A page of ours may come first in the window, and then the provider's.
    let until = now.plus(PAGE_LIFE + FLOW_LIFE);
    let mut conn = broker.store.begin(Actor::System, now).await?;
    let follows = conn.claim_connect_request(ws, &request, until).await?
        && conn.follow_request(ws, &flow.id, &request, until).await?;
    if !follows {
        return Err(used());
    }
    conn.commit().await?;
    let wishes = Wishes {
        name: flow.name.clone(),
        auth_option: flow.auth_option.clone(),
        request: Some(request.clone()),
        custom_state: flow.custom_state.clone().filter(|_| opened.provider.kind() == Kind::OAuth2Code),
        inputs: flow.inputs.clone(),
        grant: None,
    };
    // The window was opened by a page of ours, so that is who may hear how it ended.
    let handoff = Handoff::Popup { target: Some(broker.urls.app.clone()), request: None, uri: None };
    let (owner, onto) = (flow.owner.clone(), flow.onto.clone());
    let window = fresh(owner, &opened.workspace, &opened.integration, onto, By::Browser(browser));
    // Wanted at the start, a click stays wanted.
    let completion =
        if flow.completion == Completion::Confirm { Completion::Confirm } else { window.completion };
    let next = match create(broker, Fresh { wishes, handoff, completion, ..window }).await {
        Ok(Next::Back(_)) => Err(Error::internal("there was nothing to open a window for")),
        next => next,
    };
    if let Err(error) = &next {
        let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
        connect::tell(&mut conn, ws, &request, None, Some(&Failure::of(error))).await?;
        conn.commit().await?;
    }
    next
}

/// What the page shows while nothing has ended.
async fn page(
    broker: &Arc<Broker>,
    workspace: &Workspace,
    flow: &Flow,
    handle: &Secret,
    failed: Option<Failure>,
) -> Result<Framed> {
    if !is_undecided(flow) {
        let opened = load(broker, &flow.id, Bearer::frame(handle)).await?;
        return Ok(Framed::page(&opened, Wrong::default(), failed));
    }
    let who = Who::Customer(Box::new(customer(broker, flow).await?));
    let holder = Holder { workspace: workspace.clone(), who, by: None };
    let offered = integration::show(broker, &holder, flow.integration_id.as_str()).await?;
    let shows = Shows::Ways { integration: offered.integration.name, ways: offered.ways };
    Ok(Framed::of(workspace, Some(flow.id.clone()), shows))
}

/// The same after something was changed.
async fn again(
    broker: &Arc<Broker>,
    workspace: &Workspace,
    flow: &FlowId,
    handle: &Secret,
) -> Result<Framed> {
    let flow = look(broker, flow, handle).await?.flow;
    page(broker, workspace, &flow, handle, None).await
}

/// For whom a flow is.
async fn customer(broker: &Broker, flow: &Flow) -> Result<Customer> {
    let key = flow.owner.key.as_deref().unwrap_or_default();
    let found = broker.store.read().await?.customer_by_key(&flow.workspace_id, key).await?;
    found.ok_or(Error::NotFound { what: "customer" })
}

/// What stands in the way is told in the frame, too: the handle was right.
fn told(workspace: &Workspace, shown: Result<Framed>) -> Result<Framed> {
    Ok(shown.unwrap_or_else(|error| super::failed(workspace, &error)))
}
