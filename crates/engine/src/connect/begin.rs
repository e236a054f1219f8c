//! Begin: from a caller's wish to the first place the browser is sent.
//!
//! The order is the security of it: workspace, then the redirect target, then the rest. Until the target is
//! known to be registered, every refusal is an error (a page); after it, a refusal goes to that target.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use claviger_catalog::{Kind, Provider};
use url::Url;

use super::{
    FLOW_LIFE, PAGE_LIFE, PENDING_FLOWS,
    grant::{Grant, Kept},
    handoff::{self, Outcome, Refusal},
    keys, start, target, typed,
};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Connection, Onto, Owner},
        flow::{Flow, Handoff},
        integration::Integration,
        workspace::Completion,
    },
    error::{Error, Limit, Result},
    id::{ConnectionId, FlowId, WorkspaceId},
    secret::Secret,
    store::Conn,
    vault::hash,
};

/// What a door asks for.
pub struct Begin<'a> {
    /// The workspace's public client id.
    pub client_id: &'a str,
    /// The integration's id or key.
    pub integration: &'a str,
    /// For whom the connection is to be.
    pub owner: Owner,
    /// The connection to authorize anew, by id, where it is not to be a new one. Only with completion `server`: whoever
    /// sends a link could otherwise put an account of theirs in a customer's place.
    pub connection: Option<&'a str>,
    /// What to do with the browser at the end. Its target is checked before anything else.
    pub handoff: Handoff,
    /// The browser's id, as its cookie says.
    pub browser: &'a Secret,
    /// The caller's address, for the limit on flows begun.
    pub address: &'a str,
}

/// Where the browser goes next.
pub enum Next {
    /// To the provider. The URL carries the state.
    Provider(String),
    /// To our own page for this flow, which asks for inputs, for consent, or for both.
    Page(FlowId),
    /// Back with an error, for the flow did not begin; or with a connection, where nobody has to be asked anything.
    Back(Outcome),
}

/// Begins a flow.
///
/// # Errors
/// `Invalid` for an unknown client, integration or unregistered redirect target (all shown on a page, never
/// redirected), `Limited` when too many flows were begun.
pub async fn begin(broker: &Arc<Broker>, wish: Begin<'_>) -> Result<Next> {
    let mut conn = broker.store.read().await?;
    let workspace = conn.any_workspace_by_client_id(wish.client_id).await?.ok_or_else(|| {
        Error::invalid("client_id", "no application has this client_id; check it in the settings")
    })?;
    if !may_end_at(broker, &mut conn, &workspace.id, &wish.handoff).await? {
        return Err(Error::invalid(
            "redirect_uri",
            "this redirect_uri is not registered; it must equal a registered one character for character",
        ));
    }
    let integration = conn.integration_by_selector(&workspace.id, wish.integration).await?;
    // What users make is theirs and whom they share it with: nobody vouches for it to a product's customers.
    let integration = integration.filter(|integration| integration.owner.is_none()).ok_or_else(|| {
        Error::invalid("integration_id", "this application has no integration with this id or key")
    })?;
    let integration = conn.as_option(&workspace.id, integration, None).await?;
    let integration = integration.ok_or(Error::NotFound { what: "integration" })?;
    admit(broker, &mut conn, &workspace.id, wish.address).await?;
    let onto = match wish.connection {
        Some(id) => onto(&mut conn, &integration, &wish.owner, id).await?,
        None => Some(Onto::New),
    };
    drop(conn);

    let refused = |error, text| Ok(Next::Back(handoff::not_begun(&wish.handoff, Refusal::of(error, text))));
    if integration.disabled_at.is_some() {
        return refused("invalid_request", "this integration is switched off");
    }
    let completion = workspace.settings.completion;
    if completion == Completion::Server && wish.owner.key.is_none() {
        let text = "external_id is required: it is compared when the code is exchanged";
        return refused("invalid_request", text);
    }
    if wish.connection.is_some() && completion != Completion::Server {
        let text = "connection_id is taken only where the application's server completes: set completion to `server`";
        return refused("invalid_request", text);
    }
    let Some(onto) = onto else {
        return refused(
            "invalid_request",
            "connection_id names no connection of this external_id and integration",
        );
    };
    // Such a connection speaks for its owner with the workspace's own signature; whom a link names is only a claim.
    let vouches = broker.provider(&integration)?.kind() == Kind::WorkspaceToken;
    if vouches && completion != Completion::Server {
        let text =
            "this integration speaks for whoever connects it: the workspace's completion has to be `server`";
        return refused("invalid_request", text);
    }
    let fresh = Fresh {
        integration: &integration,
        owner: wish.owner.clone(),
        onto,
        completion,
        handoff: wish.handoff.clone(),
        by: By::Browser(wish.browser),
        session_hash: None,
        origin: None,
        wishes: Wishes::default(),
    };
    match create(broker, fresh).await {
        Ok(next) => Ok(next),
        Err(Error::Provider { message, .. }) => {
            tracing::warn!(integration = %integration.id, %message, "a flow could not begin");
            refused("temporarily_unavailable", "the service could not be reached; try again later")
        }
        Err(error) => {
            tracing::error!(integration = %integration.id, ?error, "a flow could not begin");
            let text = "this integration is not set up completely, or something went wrong on our side";
            refused("server_error", text)
        }
    }
}

/// Which connection a caller means to authorize anew: one of this integration and this very owner; `None` when it is not
/// there, or is another's.
async fn onto(conn: &mut Conn, of: &Integration, owner: &Owner, id: &str) -> Result<Option<Onto>> {
    let Some(id) = ConnectionId::parse(id).filter(|_| owner.key.is_some()) else { return Ok(None) };
    let found = conn.connection(&of.workspace_id, &id).await?;
    let same = |it: &Connection| it.owner == *owner && it.integration_id == of.id;
    Ok(found.filter(same).map(|it| Onto::This(it.id)))
}

/// Counts a flow that is about to begin.
///
/// # Errors
/// `Limited` when this address, or the workspace, has begun too many.
pub(crate) async fn admit(
    broker: &Broker,
    conn: &mut Conn,
    workspace: &WorkspaceId,
    address: &str,
) -> Result<()> {
    let now = broker.clock.now();
    let pending = conn.pending_flows(workspace, now, FLOW_LIFE).await?;
    let limited = |retry_after| Error::Limited { limit: Limit::Flows, retry_after };
    broker.flow_limit.admit_at_once(address, now).map_err(limited)?;
    if pending >= PENDING_FLOWS {
        return Err(limited(FLOW_LIFE));
    }
    Ok(())
}

/// Who carries a flow on.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    /// The browser with this id.
    Browser(&'a Secret),
    /// Whichever browser shows this first: a form of another site's page comes without our cookie.
    Handle(&'a Secret),
    /// Whoever shows this, each time: a page in a frame of another site's has no cookie at all.
    Frame(&'a Secret),
}

impl By<'_> {
    /// What the flow keeps of it. What is a handle in one place is neither a browser's id nor a handle in another.
    pub(crate) fn hash(self) -> String {
        match self {
            Self::Browser(id) => hash::token(id.expose()),
            Self::Handle(handle) => hash::token(&format!("handle:{}", handle.expose())),
            Self::Frame(handle) => hash::token(&format!("frame:{}", handle.expose())),
        }
    }

    /// Whether the flow is this one's to carry on.
    pub(crate) fn carries(self, flow: &Flow) -> bool {
        hash::same(&self.hash(), &flow.browser_hash)
    }
}

/// A flow to be, everything about it admitted.
pub(crate) struct Fresh<'a> {
    /// What is connected.
    pub integration: &'a Integration,
    /// For whom.
    pub owner: Owner,
    /// Which connection what comes of it goes over.
    pub onto: Onto,
    /// How it completes.
    pub completion: Completion,
    /// What to do with the browser at the end.
    pub handoff: Handoff,
    /// Who carries it on.
    pub by: By<'a>,
    /// Hex SHA-256 of the session cookie that it is bound to.
    pub session_hash: Option<String>,
    /// The origin that the provider sends the browser back to, when that is not the public URL.
    pub origin: Option<String>,
    /// What only some doors can tell.
    pub wishes: Wishes,
}

/// What a caller may wish of a flow beyond what every flow has.
#[derive(Default)]
pub(crate) struct Wishes {
    /// What the connection is to be called.
    pub name: Option<String>,
    /// By which of the integration's auth options, by key; the integration is as of that option.
    pub auth_option: Option<String>,
    /// Hex SHA-256 of the id by which somebody listens for its end.
    pub request: Option<String>,
    /// What the provider's `state` is to carry behind ours.
    pub custom_state: Option<String>,
    /// The provider's inputs that are known already, each checked.
    pub inputs: BTreeMap<String, String>,
    /// What a provider gave before there was a flow: it is redeemed once somebody has confirmed it.
    pub grant: Option<Grant>,
}

/// How long a flow waits: a page for a while; a handle in a URL no longer than a state.
fn life(asks: bool, by: By<'_>) -> Duration {
    if asks && !matches!(by, By::Handle(_)) { PAGE_LIFE } else { FLOW_LIFE }
}

/// Writes a flow: with its state when the browser goes straight to the provider, without when a page of ours comes
/// first.
pub(crate) async fn create(broker: &Arc<Broker>, fresh: Fresh<'_>) -> Result<Next> {
    let Fresh { integration, completion, .. } = fresh;
    let provider = broker.provider(integration)?;
    let mut inputs = integration.config.inputs.clone();
    inputs.extend(fresh.wishes.inputs);
    let asks = asks(completion, &provider, &inputs) || !matches!(fresh.by, By::Browser(_));
    let now = broker.clock.now();
    let mut flow = Flow {
        id: FlowId::new(),
        workspace_id: integration.workspace_id.clone(),
        integration_id: integration.id.clone(),
        integration_version: integration.version,
        browser_hash: fresh.by.hash(),
        state_hash: None,
        verifier: None,
        owner: fresh.owner,
        onto: fresh.onto,
        name: fresh.wishes.name,
        auth_option: fresh.wishes.auth_option,
        request: fresh.wishes.request,
        custom_state: fresh.wishes.custom_state,
        completion,
        handoff: fresh.handoff,
        callback: integration.callback,
        inputs,
        endpoints: None,
        expires_at: now.plus(life(asks, fresh.by)),
        taken_at: None,
        callback_hash: None,
        outcome: None,
        provider_code: None,
        code_hash: None,
        code_expires_at: None,
        code_used_at: None,
        session_hash: fresh.session_hash,
        origin: fresh.origin,
        connection_id: None,
        device: None,
        poll_at: None,
        created_at: now,
    };
    let at_once = !asks && keys::at_once(&provider);
    if let Some(grant) = fresh.wishes.grant {
        flow.provider_code = Some(Kept::Code(grant).seal(broker, &flow)?);
    }
    let next = if asks || at_once {
        Next::Page(flow.id.clone())
    } else {
        let started = start::mint(broker, &flow, integration, &provider).await?;
        flow.state_hash = Some(started.state_hash);
        flow.verifier = started.verifier;
        flow.endpoints = Some(started.endpoints);
        Next::Provider(started.url)
    };
    let mut conn = broker.store.begin(Actor::System, now).await?;
    conn.create_flow(&flow.workspace_id, &flow).await?;
    conn.commit().await?;
    broker.metrics.flow("begun");
    if at_once {
        return typed::at_once(broker, flow, integration.clone(), provider).await.map(Next::Back);
    }
    Ok(next)
}

/// Whether a page of ours comes first: for a confirming click, for a credential, or for what the provider's address
/// hangs on.
pub(super) fn asks(completion: Completion, provider: &Provider, inputs: &BTreeMap<String, String>) -> bool {
    completion == Completion::Confirm
        || provider.keys().is_some()
        || provider.kind() == Kind::DeviceCode
        || !provider.missing_inputs(inputs).is_empty()
}

/// Whether a flow may send the browser to its target: a registered one, loopback in `dev`, or our own page. Asked at
/// the start and again at the end, for a target may be struck off meanwhile.
pub(crate) async fn may_end_at(
    broker: &Broker,
    conn: &mut Conn,
    workspace: &WorkspaceId,
    handoff: &Handoff,
) -> Result<bool> {
    let uri = match handoff {
        Handoff::Redirect { uri, .. } => uri,
        Handoff::Popup { uri: Some(uri), .. } => {
            let registered = conn.redirect_uris(workspace).await?;
            return Ok(target::is_one_of(uri, &registered)
                || broker.dev
                    && uri.bytes().all(|b| b.is_ascii_graphic())
                    && is_loopback(target::place(uri)));
        }
        Handoff::Popup { uri: None, .. } | Handoff::Landing { .. } => return Ok(true),
    };
    Ok(conn.has_redirect_uri(workspace, uri).await? || broker.dev && is_loopback(uri))
}

/// `dev` takes any plain loopback address, on any port (RFC 8252 §7.3).
fn is_loopback(uri: &str) -> bool {
    let plain = uri.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    plain
        && Url::parse(uri).is_ok_and(|url| {
            let loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
            let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
            url.scheme() == "http" && loopback && bare && !uri.contains('@')
        })
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn dev_takes_loopback_and_nothing_that_looks_like_it() {
        for good in ["http://127.0.0.1:3000/cb", "http://localhost/cb?x=1", "http://[::1]:9/"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1.evil.test/",
            "http://localhost.evil.test/",
            "http://127.0.0.1@evil.test/",
            "http://evil.test/127.0.0.1",
            "http://evil.test#127.0.0.1",
            "https://127.0.0.1/",
            "http://127.0.0.1/#x",
            "http://127.0.0.1\\@evil.test/",
            "http://\t127.0.0.1/",
            "javascript:alert(1)//127.0.0.1",
            "//127.0.0.1/",
            "",
        ] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }
}
