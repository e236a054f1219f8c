//! Embedding: our page in a frame of the product's, where a customer connects an account.
//!
//! No cookie of ours comes into a frame of another site, so such a flow belongs to a handle that is written into the page
//! and comes back with each form. What is typed in ends right there. Whatever needs the provider's own page, or a click
//! that no frame around it can steal, goes on in a window of its own: with a flow of its own, bound to that window's
//! browser as ever, whose end this flow waits for. Each click on the button is a new try.
//!
//! `stand` says how things stand with a flow, `act` what the page's buttons do.

mod act;
mod stand;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

pub use self::{
    act::{cancel, check, popup, submit},
    stand::{State, state},
};
use super::{
    connect::{Wanted, Wish, completion},
    integration::{self, Way},
};
use crate::{
    access::{Holder, chosen},
    broker::Broker,
    connect::{
        self, Ask, Bearer, Ended, Failure, Opened, Wrong,
        begin::{By, Fresh, Wishes, admit, create},
        load, used,
    },
    domain::{
        audit::Actor,
        connection::{Onto, Owner},
        customer::Customer,
        flow::{Flow, Handoff},
        integration::Integration,
        workspace::{Completion, Workspace},
    },
    error::{Error, Result},
    id::{FlowId, WorkspaceId},
    secret::{Secret, token},
};

/// The way of a flow for which none is chosen yet: no auth option has such a key, so nothing else takes the flow on.
const UNCHOSEN: &str = " ";
/// What the names of parameters begin with that are kept, in JSON, until a way is chosen.
const SAID: &str = "said:";

/// What a frame shows.
pub struct Framed {
    /// Whose it is.
    pub workspace_id: WorkspaceId,
    /// The origins that may frame it. Without any, none may.
    pub framed_by: Vec<String>,
    /// The flow that its forms go on with; `None` where there is nothing to go on with.
    pub flow: Option<FlowId>,
    /// What there is to see.
    pub shows: Shows,
}

/// What there is to see in a frame.
pub enum Shows {
    /// Several ways to authenticate, one of which is to be chosen.
    Ways {
        /// The integration's name.
        integration: String,
        /// The ways, the integration's own first.
        ways: Vec<Way>,
    },
    /// A form that ends here.
    Form(Ask, Wrong),
    /// A button that opens a window.
    Window {
        /// What is connected.
        ask: Ask,
        /// How the last window ended, where that was without a connection.
        failed: Option<Failure>,
    },
    /// How it ended.
    End(Ended),
    /// The person said no.
    Closed,
}

/// A page in a frame, and the handle that its forms come back with.
pub type Begun = (Framed, Option<Secret>);

/// Begins a flow of a frame for the token's customer; or makes the connection, where nobody has to be asked anything.
/// `address` is the caller's, for the limit on flows begun.
///
/// # Errors
/// `Denied` for a token that speaks of no customer; `Limited`; `NotFound` for an integration, an auth option or a
/// connection that is not there or not the customer's; `Invalid` naming the parameter at fault; `Conflict` when the
/// integration is switched off or not set up; `Provider`.
pub async fn open(broker: &Arc<Broker>, holder: &Holder, address: &str, wish: Result<Wish>) -> Result<Begun> {
    let customer = holder.customer()?;
    let mut conn = broker.store.read().await?;
    admit(broker, &mut conn, &holder.workspace.id, address).await?;
    drop(conn);
    let mut wish = wish?;
    let handle = token()?;
    let workspace = &holder.workspace;
    if wish.option.is_none() && wish.connection.is_none() && wish.parameters.is_empty() {
        let offered = offered(broker, holder, wish.integration.as_deref()).await?;
        match offered.ways.as_slice() {
            [] => return Err(not_set_up(&offered.integration)),
            [only] => wish.option = Some(only.key.clone().unwrap_or_default()),
            _ => {
                let fresh = undecided(customer, workspace, &offered.integration, &wish, &handle)?;
                let flow = begin(broker, fresh).await?;
                let shows = Shows::Ways { integration: offered.integration.name, ways: offered.ways };
                return Ok((Framed::of(workspace, Some(flow), shows), Some(handle)));
            }
        }
    }
    let wanted = wish.find(broker, customer).await?;
    if wanted.is_ready() {
        let made = wanted.make(broker, customer, None).await?;
        let shows = Shows::End(Ended::Connected(made.id.to_string()));
        return Ok((Framed::of(workspace, None, shows), None));
    }
    let wishes = Wishes {
        name: wanted.name.clone(),
        auth_option: wanted.option.clone(),
        custom_state: wanted.custom_state.clone(),
        inputs: wanted.inputs.clone(),
        ..Wishes::default()
    };
    let by = By::Frame(&handle);
    let fresh = fresh(Owner::customer(customer), workspace, &wanted.integration, wanted.onto.clone(), by);
    let flow = begin(broker, Fresh { wishes, ..fresh }).await?;
    let opened = load(broker, &flow, Bearer::frame(&handle)).await?;
    Ok((Framed::page(&opened, Wrong::default(), None), Some(handle)))
}

/// The id of the connection that is to be authorized anew: named by its id, or by an integration at which the customer has
/// one.
///
/// # Errors
/// As [`chosen::connection`].
pub async fn meant(broker: &Broker, holder: &Holder, selector: &str) -> Result<String> {
    let mut conn = broker.store.read().await?;
    let found = chosen::connection(&mut conn, holder, selector).await?;
    Ok(found.connection.id.to_string())
}

/// What a frame tells whose flow could not begin.
///
/// # Errors
/// Only our own.
pub fn failed(workspace: &Workspace, error: &Error) -> Framed {
    Framed::of(workspace, None, Shows::End(Ended::Failed(Failure::of(error))))
}

/// Takes a way for a flow for which none is chosen yet.
pub(super) async fn choose(broker: &Arc<Broker>, flow: &Flow, customer: &Customer, way: &str) -> Result<()> {
    let said = flow.inputs.iter().filter_map(|(name, text)| Some((name.strip_prefix(SAID)?, text)));
    let said = said.map(|(name, text)| (name.to_owned(), serde_json::from_str(text).unwrap_or(Value::Null)));
    let wish = Wish {
        integration: Some(flow.integration_id.to_string()),
        option: Some(way.to_owned()),
        connector_parameters: said.collect::<Map<_, _>>(),
        ..Wish::default()
    };
    let Wanted { integration, option, mut inputs, .. } = wish.find(broker, customer).await?;
    // As a flow begins: what the integration fixes, and over that what was said.
    let mut all = integration.config.inputs.clone();
    all.append(&mut inputs);
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    let ws = &flow.workspace_id;
    let chosen = conn.choose_flow_way(ws, &flow.id, option.as_deref(), &integration, &all).await?;
    conn.commit().await?;
    if chosen { Ok(()) } else { Err(used()) }
}

async fn offered(
    broker: &Arc<Broker>,
    holder: &Holder,
    selector: Option<&str>,
) -> Result<integration::Offered> {
    let text = "which integration to connect is missing: give integrationId or integrationKey";
    let selector = selector.ok_or_else(|| Error::invalid("integrationId", text))?;
    integration::show(broker, holder, selector).await
}

fn not_set_up(integration: &Integration) -> Error {
    Error::Conflict { message: format!("integration `{}` is not set up completely", integration.key) }
}

/// A flow for which a way is to be chosen.
fn undecided<'a>(
    customer: &Customer,
    workspace: &Workspace,
    integration: &'a Integration,
    wish: &Wish,
    handle: &'a Secret,
) -> Result<Fresh<'a>> {
    let said = wish.connector_parameters.iter();
    let inputs: BTreeMap<_, _> =
        said.map(|(name, value)| (format!("{SAID}{name}"), value.to_string())).collect();
    let wishes = Wishes {
        name: super::connect::named(wish.name.clone())?,
        auth_option: Some(UNCHOSEN.to_owned()),
        custom_state: super::connect::custom_state(wish.custom_state.clone())?,
        inputs,
        ..Wishes::default()
    };
    let onto = if wish.multiple { Onto::New } else { Onto::Only };
    let fresh = fresh(Owner::customer(customer), workspace, integration, onto, By::Frame(handle));
    Ok(Fresh { wishes, ..fresh })
}

/// A flow to be that ends in front of whoever is there, and tells no opener.
fn fresh<'a>(
    owner: Owner,
    workspace: &Workspace,
    integration: &'a Integration,
    onto: Onto,
    by: By<'a>,
) -> Fresh<'a> {
    Fresh {
        integration,
        owner,
        onto,
        completion: completion(workspace),
        handoff: Handoff::Popup { target: None, request: None, uri: None },
        by,
        session_hash: None,
        origin: None,
        wishes: Wishes::default(),
    }
}

async fn begin(broker: &Arc<Broker>, fresh: Fresh<'_>) -> Result<FlowId> {
    match create(broker, fresh).await? {
        connect::Next::Page(flow) => Ok(flow),
        connect::Next::Provider(_) | connect::Next::Back(_) => {
            Err(Error::internal("a flow left the frame that it began in"))
        }
    }
}

/// Whether a flow is one for which a way is to be chosen.
fn is_undecided(flow: &Flow) -> bool {
    flow.auth_option.as_deref() == Some(UNCHOSEN)
}

/// Whether a flow goes on in a window of its own: its provider has a page of its own, or the workspace wants a click,
/// and no frame is to get that.
fn needs_window(opened: &Opened) -> bool {
    let strict = completion(&opened.workspace) == Completion::Confirm;
    strict || opened.flow.completion == Completion::Confirm || opened.provider.kind().has_callback()
}

impl Framed {
    fn of(workspace: &Workspace, flow: Option<FlowId>, shows: Shows) -> Self {
        Self {
            workspace_id: workspace.id.clone(),
            framed_by: workspace.settings.allowed_origins.clone(),
            flow,
            shows,
        }
    }

    fn page(opened: &Opened, wrong: Wrong, failed: Option<Failure>) -> Self {
        let ask = opened.ask();
        let shows =
            if needs_window(opened) { Shows::Window { ask, failed } } else { Shows::Form(ask, wrong) };
        Self::of(&opened.workspace, Some(opened.flow.id.clone()), shows)
    }
}
