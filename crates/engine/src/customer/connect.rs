//! Connecting: a customer's browser sets out to connect an account, with a token of its product.
//!
//! The order is the security of it: who calls is known, then the redirect URI, then the rest. Until the URI is known to be
//! registered every refusal is an error (a page); after it, it goes where the caller wants to be told. An id by which
//! somebody listens belongs to the first request that uses it, and that request's end is told under it, whatever it is.

mod bring;
mod wish;

use std::sync::Arc;

use crate::{
    access::Holder,
    broker::Broker,
    connect::{
        self, Ended, FLOW_LIFE, Failure, Message, Outcome, PAGE_LIFE, Told,
        begin::{By, Fresh, Wishes, admit, create, may_end_at},
        handoff, listen, outside,
    },
    domain::{
        audit::Actor,
        connection::{Connection, Owner},
        customer::Customer,
        flow::Handoff,
        workspace::{Completion, Workspace},
    },
    error::{Error, Result},
    id::FlowId,
    secret::{Secret, token},
};

pub use bring::{Held, bring};
pub use wish::Wish;
pub(super) use wish::{Wanted, custom_state, named};

/// Where a caller wants to be told of the end.
#[derive(Debug, Clone, Default)]
pub struct Back {
    /// A registered URI, with query and fragment of the caller's; otherwise a message is posted.
    pub redirect_uri: Option<String>,
    /// The id by which the caller knows its request, and by which it may listen.
    pub request: Option<String>,
    /// The origin of the page that asked, as the browser says.
    pub origin: Option<String>,
}

/// Who asks.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The browser's id, as its cookie says; `None` for a form, which may come from another site and so without it.
    pub browser: Option<&'a Secret>,
    /// The caller's address, for the limit on flows begun.
    pub address: &'a str,
    /// Whether it happens in a frame of another page, where nothing can be asked.
    pub framed: bool,
}

/// Where the browser goes next.
pub enum Next {
    /// To the provider. The URL carries the state.
    Provider(String),
    /// To our own page for this flow.
    Page(FlowId),
    /// Once round, to take over with this handle the flow that its form began.
    Adopt(FlowId, Secret),
    /// To the registered URI, which carries how it ended.
    Back(String),
    /// Nowhere: this page tells how it ended.
    Told(Told),
}

/// Begins a flow for the token's customer, or makes the connection at once where nobody has to be asked anything. `wish`
/// is what is wanted, or what is wrong with how it was said.
///
/// # Errors
/// `Invalid` naming `redirectUri` when that is not registered. Everything else that is wrong is an end, and goes back.
pub async fn begin(
    broker: &Arc<Broker>,
    holder: &Holder,
    back: Back,
    start: Start<'_>,
    wish: Result<Wish>,
) -> Result<Next> {
    let way = Way::find(broker, &holder.workspace, back).await?;
    let Start { browser, address, framed } = start;
    let (browser, address, holder) = (browser.cloned(), address.to_owned(), holder.clone());
    let work = broker.clone();
    // Whoever listens is told, though the browser goes away in the middle.
    let begun = async move {
        let start = Start { browser: browser.as_ref(), address: &address, framed };
        claim_and_set_out(&work, &holder, &way, start, wish).await
    };
    broker.to_its_end(begun).await
}

async fn claim_and_set_out(
    broker: &Arc<Broker>,
    holder: &Holder,
    way: &Way,
    start: Start<'_>,
    wish: Result<Wish>,
) -> Result<Next> {
    let claimed = async {
        let mut conn = broker.store.read().await?;
        admit(broker, &mut conn, &holder.workspace.id, start.address).await?;
        drop(conn);
        way.claim(broker).await
    };
    let ended = match claimed.await {
        Ok(true) => match set_out(broker, holder, way, start, wish).await {
            Ok(Set::Out(next)) => return Ok(*next),
            Ok(Set::Connected(connection)) => Ended::Connected(connection.id.to_string()),
            Err(error) => Ended::Failed(way.fail(broker, &error).await?),
        },
        Ok(false) => Ended::Failed(Failure::taken()),
        Err(error) => Ended::Failed(Failure::of(&error)),
    };
    way.end(ended)
}

/// Takes up what a provider gave before there was a flow: a page of ours asks whether that was meant, and only then the
/// code is redeemed. `selector` is the integration's id or key, `query` what the browser came back with.
///
/// # Errors
/// As [`begin`].
pub async fn outside(
    broker: &Arc<Broker>,
    holder: &Holder,
    back: Back,
    start: Start<'_>,
    selector: Option<&str>,
    query: &str,
) -> Result<Next> {
    if back.redirect_uri.is_none() {
        let text = "is needed where connecting begins at the provider, and must be registered";
        return Err(Error::invalid("redirectUri", text));
    }
    // Nobody listens: what began elsewhere has no id of the caller's.
    let back = Back { request: None, ..back };
    let way = Way::find(broker, &holder.workspace, back).await?;
    let taken_up = async {
        let browser = start.browser.ok_or_else(|| Error::internal("nobody carries this flow on"))?;
        let wish = Wish { integration: selector.map(str::to_owned), ..Wish::default() };
        let customer = holder.customer()?;
        let wanted = wish.find(broker, customer).await?;
        let mut conn = broker.store.read().await?;
        admit(broker, &mut conn, &holder.workspace.id, start.address).await?;
        drop(conn);
        let fresh = fresh(holder, customer, &way, &wanted, By::Browser(browser));
        outside::take_up(broker, fresh, query).await
    };
    match taken_up.await {
        Ok(Ok(flow)) => Ok(Next::Page(flow)),
        Ok(Err(failure)) => way.end(Ended::Failed(failure)),
        Err(error) => way.end(Ended::Failed(Failure::of(&error))),
    }
}

/// Tells a caller whose token is the workspace's own and over that it is, at its registered URI; `None` without one, for
/// nobody else is told anything.
///
/// # Errors
/// As [`begin`].
pub async fn expired(broker: &Broker, workspace: &Workspace, back: Back) -> Result<Option<String>> {
    if back.redirect_uri.is_none() {
        return Ok(None);
    }
    let way = Way::find(broker, workspace, back).await?;
    let error = Error::Unauthenticated { message: "the token has expired".to_owned() };
    match way.end(Ended::Failed(Failure::of(&error)))? {
        Next::Back(url) => Ok(Some(url)),
        _ => Ok(None),
    }
}

/// What came of a wish that nothing is wrong with.
enum Set {
    /// The browser goes on.
    Out(Box<Next>),
    /// There it is.
    Connected(Box<Connection>),
}

async fn set_out(
    broker: &Arc<Broker>,
    holder: &Holder,
    way: &Way,
    start: Start<'_>,
    wish: Result<Wish>,
) -> Result<Set> {
    let customer = holder.customer()?;
    let wanted = wish?.find(broker, customer).await?;
    if wanted.is_ready() {
        let made = wanted.make(broker, customer, way.request.clone()).await?;
        return Ok(Set::Connected(Box::new(made)));
    }
    if start.framed {
        wanted.whole()?;
        let text =
            format!("{} needs a window of its own: nothing can be asked in a frame", wanted.integration.name);
        return Err(Error::Conflict { message: text });
    }
    let handle = if start.browser.is_none() { Some(token()?) } else { None };
    let by = match (start.browser, &handle) {
        (Some(browser), _) => By::Browser(browser),
        (None, Some(handle)) => By::Handle(handle),
        (None, None) => return Err(Error::internal("nobody carries this flow on")),
    };
    let next = create(broker, fresh(holder, customer, way, &wanted, by)).await?;
    Ok(Set::Out(Box::new(match (next, handle) {
        (connect::Next::Page(flow), Some(handle)) => Next::Adopt(flow, handle),
        (connect::Next::Page(flow), None) => Next::Page(flow),
        (connect::Next::Provider(url), _) => Next::Provider(url),
        (connect::Next::Back(_), _) => return Err(Error::internal("a flow ended before it began")),
    })))
}

fn fresh<'a>(holder: &Holder, customer: &Customer, way: &Way, wanted: &'a Wanted, by: By<'a>) -> Fresh<'a> {
    Fresh {
        integration: &wanted.integration,
        owner: Owner::customer(customer),
        onto: wanted.onto.clone(),
        completion: completion(&holder.workspace),
        handoff: way.handoff.clone(),
        by,
        session_hash: None,
        origin: None,
        wishes: Wishes {
            name: wanted.name.clone(),
            auth_option: wanted.option.clone(),
            request: way.request.clone(),
            custom_state: wanted.custom_state.clone(),
            inputs: wanted.inputs.clone(),
            ..Wishes::default()
        },
    }
}

/// How a customer's flow completes. There is no server of the product's to complete it: who is asked is the person in
/// front of the browser.
pub(super) fn completion(workspace: &Workspace) -> Completion {
    match workspace.settings.completion {
        Completion::Redirect => Completion::Redirect,
        Completion::Confirm | Completion::Server => Completion::Confirm,
    }
}

/// The way back, which is known to be registered.
struct Way {
    workspace: Workspace,
    handoff: Handoff,
    /// The hash of the id by which somebody listens; not there when that can't be one.
    request: Option<String>,
    wrong_request: Option<Error>,
}

impl Way {
    async fn find(broker: &Broker, workspace: &Workspace, back: Back) -> Result<Self> {
        let allowed = &workspace.settings.allowed_origins;
        let target = match back.origin {
            _ if allowed.is_empty() => Some("*".to_owned()),
            origin => origin.filter(|origin| allowed.contains(origin)),
        };
        let (request, wrong_request) = match back.request.as_deref().map(listen::request_hash).transpose() {
            Ok(hash) => (hash, None),
            Err(error) => (None, Some(error)),
        };
        let known = back.request.filter(|_| request.is_some());
        let handoff = Handoff::Popup { target, request: known, uri: back.redirect_uri };
        let mut conn = broker.store.read().await?;
        if !may_end_at(broker, &mut conn, &workspace.id, &handoff).await? {
            let text = "this redirectUri is not registered; scheme, host, port and path must be those of a registered one";
            return Err(Error::invalid("redirectUri", text));
        }
        Ok(Self { workspace: workspace.clone(), handoff, request, wrong_request })
    }

    /// Takes the id by which somebody listens; `false` when it was used before.
    async fn claim(&self, broker: &Broker) -> Result<bool> {
        if let Some(Error::Invalid { field, message }) = &self.wrong_request {
            return Err(Error::invalid(field, message.clone()));
        }
        let Some(request) = &self.request else { return Ok(true) };
        let now = broker.clock.now();
        let mut conn = broker.store.begin(Actor::System, now).await?;
        let first =
            conn.claim_connect_request(&self.workspace.id, request, now.plus(PAGE_LIFE + FLOW_LIFE)).await?;
        conn.commit().await?;
        Ok(first)
    }

    /// Ends the request without a connection.
    async fn fail(&self, broker: &Broker, error: &Error) -> Result<Failure> {
        let failure = Failure::of(error);
        if let Some(request) = &self.request {
            let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
            connect::tell(&mut conn, &self.workspace.id, request, None, Some(&failure)).await?;
            conn.commit().await?;
        }
        Ok(failure)
    }

    fn end(&self, ended: Ended) -> Result<Next> {
        match handoff::popup(None, &self.handoff, ended) {
            Outcome::Redirect { url } => Ok(Next::Back(url)),
            Outcome::Message(message) => Ok(Next::Told(self.told(message))),
            Outcome::Landing(_) | Outcome::Page { .. } => Err(Error::internal("a popup ended elsewhere")),
        }
    }

    fn told(&self, message: Message) -> Told {
        Told {
            workspace_id: self.workspace.id.clone(),
            message,
            framed_by: self.workspace.settings.allowed_origins.clone(),
        }
    }
}
