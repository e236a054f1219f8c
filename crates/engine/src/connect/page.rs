//! The page before the provider, or in its place: what it shows, and what its buttons do.
//!
//! It opens only in the browser that began the flow, and its link works once: a flow that has left for the
//! provider has no page any more. [`landed`] is the page at the end, for flows that return to no product.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{Input, Provider, pattern};

use super::{
    FLOW_LIFE,
    ask::{Alert, Ask, Fault, Given, Wrong},
    begin::{By, may_end_at},
    bound, certificate,
    device::{self, Device},
    finish::{End, STRUCK_OFF, current, outcome},
    handoff::{self, Landing, Outcome, Refusal},
    keys,
    look::{self, Look, Symbol},
    outside,
    start::{self, Started},
    typed,
};
use crate::{
    access::Member,
    broker::Broker,
    domain::{
        audit::Actor,
        connection::OwnerKind,
        flow::Flow,
        integration::Integration,
        workspace::{Completion, Workspace},
    },
    error::{Error, Result},
    id::FlowId,
    secret::{Secret, token},
    store::Conn,
    time::Millis,
    vault::hash,
};

/// Who looks at a page, as far as its cookies say.
#[derive(Clone, Copy)]
pub struct Visitor<'a> {
    /// The browser's id.
    pub browser: Option<&'a Secret>,
    /// The session, for flows that a signed-in user began.
    pub session: Option<&'a Secret>,
}

/// Who shows that a flow is its to carry on, and how.
#[derive(Clone, Copy)]
pub(crate) struct Bearer<'a> {
    /// The browser, or the frame, as far as it says.
    pub by: Option<By<'a>>,
    /// The session, for flows that a signed-in user began.
    pub session: Option<&'a Secret>,
}

impl<'a> From<Visitor<'a>> for Bearer<'a> {
    fn from(visitor: Visitor<'a>) -> Self {
        Self { by: visitor.browser.map(By::Browser), session: visitor.session }
    }
}

impl<'a> Bearer<'a> {
    /// A page in a frame, with the handle that was written into it.
    pub(crate) fn frame(handle: &'a Secret) -> Self {
        Self { by: Some(By::Frame(handle)), session: None }
    }
}

/// What came of a submitted form.
pub enum Form {
    /// Off to the provider; the URL carries the state.
    Provider(String),
    /// Wrong values, or not now; the page is shown again with what is wrong.
    Wrong(Ask, Wrong),
    /// The flow stays on its page, which shows something else now: a code to enter elsewhere.
    Stay(Ask),
    /// The flow has ended: with a connection, where a credential was typed in, or with an error.
    Back(Outcome),
}

pub(crate) struct Opened {
    pub flow: Flow,
    pub workspace: Workspace,
    pub integration: Integration,
    pub provider: Arc<Provider>,
    /// The user of ours who began it, where one did.
    pub member: Option<Member>,
    /// What people call the owner, where the owner's key is none of their words.
    pub owner_name: Option<String>,
    /// In whose name its page speaks.
    pub look: Look,
    /// The hash of the integration's own icon, where it has one.
    pub icon: Option<String>,
    /// How far the code is that is entered elsewhere, where one is.
    pub device: Option<Device>,
}

/// Opens the page of a flow.
///
/// # Errors
/// `Invalid` when the flow is unknown, another browser's, used or expired: all the same to the caller. `Invalid` naming
/// `session`, and `Denied`, as at the end of a flow.
pub async fn open(broker: &Arc<Broker>, flow: &FlowId, visitor: Visitor<'_>) -> Result<Ask> {
    Ok(load(broker, flow, visitor.into()).await?.ask())
}

/// Takes the page's form: checks what was filled in. Then it mints state and verifier and sends the browser to the
/// provider, or, where a credential was typed in, has the provider say whether it takes it, and ends the flow. What could
/// not be done now leaves the page as it was.
///
/// # Errors
/// As [`open`].
pub async fn submit(
    broker: &Arc<Broker>,
    flow: &FlowId,
    visitor: Visitor<'_>,
    given: &Given,
) -> Result<Form> {
    submit_as(broker, flow, visitor.into(), given).await
}

/// The same, whoever carries the flow on.
pub(crate) async fn submit_as(
    broker: &Arc<Broker>,
    flow: &FlowId,
    bearer: Bearer<'_>,
    given: &Given,
) -> Result<Form> {
    let opened = match load(broker, flow, bearer).await {
        Ok(opened) => opened,
        // Used, perhaps by this very form a moment ago.
        Err(error) => match sent_before(broker, flow, bearer).await? {
            Some(outcome) => return Ok(Form::Back(outcome)),
            None => return Err(error),
        },
    };
    let ask = opened.ask();
    match go_on(broker, opened, given).await {
        // It asks again for all that it asked for, also for what was right.
        Ok(Form::Wrong(_, wrong)) => Ok(Form::Wrong(ask, wrong)),
        Err(error) => match Alert::of(&error) {
            Some(alert) => {
                tracing::warn!(%flow, ?error, "a form could not be taken now");
                Ok(Form::Wrong(ask, Wrong::alert(alert)))
            }
            None => Err(error),
        },
        done => done,
    }
}

async fn go_on(broker: &Arc<Broker>, mut opened: Opened, given: &Given) -> Result<Form> {
    let (inputs, mut wrong) = check(&opened, &given.inputs);
    let typed = keys::trimmed(&given.typed);
    if let Some(keys) = opened.provider.keys() {
        wrong.keys = keys::wrong(keys, &typed);
    }
    if wrong.keys.is_empty()
        && let Some((field, message)) = certificate::wrong(&opened.provider, &typed, broker.clock.now())
    {
        wrong.keys.insert(field, Fault::Said(message));
    }
    if !wrong.is_nothing() {
        return Ok(Form::Wrong(opened.ask(), wrong));
    }
    opened.flow.inputs = inputs;
    if let Some(code) = opened.flow.provider_code.take() {
        let broker = broker.clone();
        return broker.to_its_end(outside::finish(broker.clone(), opened, code)).await.map(Form::Back);
    }
    if opened.device.is_some() {
        let broker = broker.clone();
        return broker.to_its_end(device::give(broker.clone(), opened)).await;
    }
    if !opened.provider.kind().has_callback() {
        let broker = broker.clone();
        return broker.to_its_end(typed::finish(broker.clone(), opened, typed)).await;
    }
    depart(broker, &opened).await
}

/// The inputs with what was filled in, and what is wrong with that.
fn check(opened: &Opened, given: &BTreeMap<String, String>) -> (BTreeMap<String, String>, Wrong) {
    let mut wrong = Wrong::default();
    let mut inputs = opened.flow.inputs.clone();
    for input in opened.provider.page_inputs(&opened.flow.inputs) {
        let value = given.get(&input.key).map(|v| v.trim()).unwrap_or_default();
        if value.is_empty() && !input.is_needed() {
            continue;
        }
        match fault(input, value) {
            Some(fault) => wrong.inputs.insert(input.key.clone(), fault).map(drop),
            None => inputs.insert(input.key.clone(), value.to_owned()).map(drop),
        };
    }
    (inputs, wrong)
}

fn fault(input: &Input, value: &str) -> Option<Fault> {
    let listed = input.options.is_empty() || input.options.iter().any(|option| option.value == value);
    if value.is_empty() {
        Some(Fault::Missing)
    } else if !listed {
        Some(Fault::NotListed)
    } else if !pattern::admits(&input.pattern, value) {
        Some(Fault::Unlike { example: input.placeholder.clone() })
    } else {
        None
    }
}

/// Sends the browser to the provider; where that can't be reached, there is no page to try again from.
pub(super) async fn leave(broker: &Arc<Broker>, opened: &Opened) -> Result<Form> {
    match depart(broker, opened).await {
        Err(Error::Provider { message, .. } | Error::TargetNotAllowed { message }) => {
            let flow = &opened.flow;
            tracing::warn!(flow = %flow.id, %message, "a flow could not start");
            let text = "the service could not be reached; try again later";
            refuse(broker, flow, Refusal::of("temporarily_unavailable", text)).await.map(Form::Back)
        }
        done => done,
    }
}

/// Mints what the browser carries to the provider. From here on the flow lives as long as one without a page.
async fn depart(broker: &Arc<Broker>, opened: &Opened) -> Result<Form> {
    let Opened { flow, integration, provider, .. } = opened;
    let Started { url, state_hash, verifier, endpoints } =
        start::mint(broker, flow, integration, provider).await?;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    let workspace = &flow.workspace_id;
    let first = conn
        .start_flow(workspace, &flow.id, &state_hash, verifier.as_ref(), &endpoints, &flow.inputs)
        .await?;
    if first {
        conn.expire_flow_at(workspace, &flow.id, now.plus(FLOW_LIFE)).await?;
    }
    conn.commit().await?;
    if first { Ok(Form::Provider(url)) } else { Err(used()) }
}

/// The person said no: the flow ends and the product hears `access_denied`.
///
/// # Errors
/// As [`open`].
pub async fn cancel(broker: &Arc<Broker>, flow: &FlowId, visitor: Visitor<'_>) -> Result<Outcome> {
    decline(broker, &load(broker, flow, visitor.into()).await?.flow).await
}

/// Ends a flow whose person said no.
pub(crate) async fn decline(broker: &Arc<Broker>, flow: &Flow) -> Result<Outcome> {
    refuse(broker, flow, Refusal::of("access_denied", "the connection was declined")).await
}

/// Ends a flow that never left for its provider, without a connection.
pub(super) async fn refuse(broker: &Arc<Broker>, flow: &Flow, refusal: Refusal<'_>) -> Result<Outcome> {
    let outcome = handoff::refused(flow, refusal);
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if !take(&mut conn, flow, "", now).await? {
        return Err(used());
    }
    End::without(refusal).write(broker, &mut conn, flow, &outcome).await?;
    conn.commit().await?;
    Ok(outcome)
}

/// Takes a flow that never left for its provider; `false` when it was taken before, or is too old. Nobody learns the
/// state that it is taken by.
pub(super) async fn take(conn: &mut Conn, flow: &Flow, callback_hash: &str, now: Millis) -> Result<bool> {
    let (unused, at) = (hash::token(token()?.expose()), flow.endpoints.clone().unwrap_or_default());
    if !conn.start_flow(&flow.workspace_id, &flow.id, &unused, None, &at, &flow.inputs).await? {
        return Ok(false);
    }
    Ok(conn.any_take_flow(&unused, callback_hash, now).await?.is_some())
}

/// What the page at the end of a flow says.
///
/// # Errors
/// `Invalid` when the flow is unknown, another browser's, not ended, ended elsewhere, or long over.
pub async fn landed(broker: &Broker, flow: &FlowId, browser: Option<&Secret>) -> Result<Landing> {
    match ended(broker, flow, browser).await? {
        (_, Outcome::Landing(landing)) => Ok(landing),
        (_, Outcome::Redirect { .. } | Outcome::Message(_) | Outcome::Page { .. }) => Err(over()),
    }
}

/// How a flow ended a moment ago, for the browser that it ended in.
pub(super) async fn ended(
    broker: &Broker,
    flow: &FlowId,
    browser: Option<&Secret>,
) -> Result<(Flow, Outcome)> {
    let flow = broker.store.read().await?.any_flow(flow).await?.ok_or_else(over)?;
    let seen_lately = flow.taken_at.is_some_and(|at| broker.clock.now().since(at) <= FLOW_LIFE);
    let sealed = flow.outcome.as_ref().filter(|_| seen_lately && same_browser(&flow, browser));
    let outcome = outcome(broker, &flow, sealed.ok_or_else(over)?)?;
    Ok((flow, outcome))
}

pub(super) fn over() -> Error {
    Error::invalid("flow", "there is nothing to show here any more")
}

/// How this form ended when it was sent a moment ago: whoever clicks twice sees what came of the first click.
pub(super) async fn sent_before(
    broker: &Arc<Broker>,
    id: &FlowId,
    bearer: Bearer<'_>,
) -> Result<Option<Outcome>> {
    let mut conn = broker.store.read().await?;
    let Some(flow) = conn.any_flow(id).await? else { return Ok(None) };
    if !bearer.by.is_some_and(|by| by.carries(&flow)) {
        return Ok(None);
    }
    let Some(outcome) = typed::again(broker, &flow)? else { return Ok(None) };
    if !may_end_at(broker, &mut conn, &flow.workspace_id, &flow.handoff).await? {
        return Err(Error::invalid("flow", STRUCK_OFF));
    }
    drop(conn);
    bound::hold(broker, &flow, bearer.session).await?;
    Ok(Some(outcome))
}

pub(super) fn same_browser(flow: &Flow, browser: Option<&Secret>) -> bool {
    browser.is_some_and(|b| By::Browser(b).carries(flow))
}

pub(crate) async fn load(broker: &Arc<Broker>, id: &FlowId, bearer: Bearer<'_>) -> Result<Opened> {
    let mut conn = broker.store.read().await?;
    let flow = conn.any_flow(id).await?.ok_or_else(used)?;
    let same = bearer.by.is_some_and(|by| by.carries(&flow));
    if !same || flow.state_hash.is_some() || flow.expires_at <= broker.clock.now() {
        return Err(used());
    }
    if !may_end_at(broker, &mut conn, &flow.workspace_id, &flow.handoff).await? {
        return Err(Error::invalid("flow", STRUCK_OFF));
    }
    let workspace = conn.workspace(&flow.workspace_id).await?.ok_or_else(used)?;
    let owner_name = match (flow.owner.kind, &flow.owner.key) {
        (OwnerKind::Customer, Some(key)) => {
            conn.customer_by_key(&workspace.id, key).await?.and_then(|it| it.name)
        }
        _ => None,
    };
    let look = look::of(&mut conn, &workspace).await?;
    let icon = conn.icon_hash(&workspace.id, &flow.integration_id).await?;
    drop(conn);
    let member = bound::hold(broker, &flow, bearer.session).await?;
    let integration = current(broker, &flow).await?;
    let provider = broker.provider(&integration)?;
    let device = device::shown(broker, &flow, &provider)?;
    Ok(Opened { flow, workspace, integration, provider, member, owner_name, look, icon, device })
}

impl Opened {
    /// For whom the connection will be: a customer by the product's own word too, for a name is what anybody chose.
    fn owner(&self) -> Option<String> {
        let key = self.flow.owner.key.clone()?;
        Some(match &self.owner_name {
            Some(name) if *name != key => format!("{name} ({key})"),
            _ => key,
        })
    }

    pub(crate) fn ask(&self) -> Ask {
        let settings = &self.workspace.settings;
        let member = self.member.is_some();
        // What the workspace wants of its product's links is no matter of a user who is signed in.
        let strict = !member && settings.completion == Completion::Confirm;
        let confirm = strict || self.flow.completion == Completion::Confirm;
        let keys = self.provider.keys().map(|keys| keys.fields.clone()).unwrap_or_default();
        Ask {
            flow: self.flow.id.clone(),
            product: self.look.product.clone(),
            look: self.look.clone(),
            integration: self.integration.name.clone(),
            symbol: Symbol::of(self.icon.clone(), &self.integration.provider),
            owner: self.owner().filter(|_| confirm),
            confirm,
            member,
            shared: self.flow.owner.kind == OwnerKind::Shared,
            inputs: self.provider.page_inputs(&self.flow.inputs).into_iter().cloned().collect(),
            keys,
            leaves: self.provider.kind().has_callback(),
            device: self.device.clone(),
            framed_by: if confirm || member { Vec::new() } else { settings.allowed_origins.clone() },
        }
    }
}

pub(crate) fn used() -> Error {
    Error::invalid(
        "flow",
        "this link was used already, has expired, or belongs to another browser; begin again",
    )
}
