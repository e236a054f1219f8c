//! Finish: the browser is back from the provider.
//!
//! The flow is taken first, by one atomic statement: whatever is wrong after that ends it, and no second
//! callback can start a second token request. Only when every check has passed is the provider asked.

use std::{sync::Arc, time::Duration};

use claviger_catalog::Provider;

use super::{
    CODE_LIFE, REPEAT_LIFE,
    begin::may_end_at,
    bound,
    brought::{self, Brought, ours, state_of},
    exchange,
    grant::{Grant, Kept},
    handoff::{self, Failure, Outcome, Refusal},
    prove,
    record::{self, Draft},
};
use crate::{
    access::Member,
    broker::Broker,
    domain::{
        audit::Actor,
        flow::{Flow, Handoff},
        integration::CallbackKind,
        integration::Integration,
        workspace::Completion,
    },
    error::{Error, Result},
    id::{ConnectionId, WorkspaceId},
    secret::{Secret, token},
    store::{Conn, FlowEnd},
    vault::{Aad, Field, Sealed, hash},
};

/// A browser at one of the callback paths.
#[derive(Clone)]
pub struct Callback {
    /// Which path it came to.
    pub kind: CallbackKind,
    /// The integration id in that path, for [`CallbackKind::Own`].
    pub integration: Option<String>,
    /// The query as it came, percent-encoded.
    pub query: String,
    /// The browser's id, as its cookie says; absent is as wrong as another's.
    pub browser: Option<Secret>,
    /// The session that the browser shows, for flows that a signed-in user began.
    pub session: Option<Secret>,
}

/// How often, and how long at most, a repeated callback looks whether the first one is done.
const WAIT_STEP: Duration = Duration::from_millis(50);
const WAIT_STEPS: u32 = 600;

/// The integration is not what it was when the flow began.
pub(super) const CHANGED: &str =
    "the integration was changed while the authorization was under way; begin again";
/// The flow's target was a registered one when it began, and is not any more.
pub(super) const STRUCK_OFF: &str = "the address to return to is not registered any more; begin again";

/// Ends a flow: checks the callback, redeems the code, writes the connection, and says where the browser goes.
///
/// Runs to its end even when the browser hangs up meanwhile.
///
/// # Errors
/// `Invalid` (shown on a page) when the state is missing, unknown, expired or spent.
pub async fn finish(broker: &Arc<Broker>, callback: Callback) -> Result<Outcome> {
    broker.to_its_end(taken(broker.clone(), callback)).await
}

async fn taken(broker: Arc<Broker>, callback: Callback) -> Result<Outcome> {
    let (broker, callback) = (&broker, &callback);
    let state = state_of(broker, &callback.query)?;
    let state_hash = hash::token(ours(state.expose()));
    let callback_hash = hash::token(&format!("{}?{}", callback.kind.as_str(), callback.query));
    // A look first: whoever makes up a state costs a read, and no turn at the writer.
    let known = broker.store.read().await?.any_flow_by_state(&state_hash).await?;
    if known.is_none() {
        return Err(unknown());
    }
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    let flow = conn.any_take_flow(&state_hash, &callback_hash, broker.clock.now()).await?;
    conn.commit().await?;
    let Some(flow) = flow else { return repeat(broker, callback, &state_hash, &callback_hash).await };

    let concluded = conclude(broker, callback, &flow).await;
    settle(broker, &flow, concluded).await
}

/// Writes how a flow ended, unless that is written, and says where its browser goes.
pub(super) async fn settle(broker: &Broker, flow: &Flow, concluded: Result<Concluded>) -> Result<Outcome> {
    let (counted, outcome, end) = match concluded {
        Ok(Concluded::Connected(outcome)) => {
            broker.metrics.flow("connected");
            return Ok(outcome);
        }
        Ok(Concluded::Deferred(outcome, end)) => ("deferred", outcome, end),
        Ok(Concluded::Refused(outcome, end)) => ("refused", outcome, end),
        Err(error) => {
            let (outcome, end) = explain(flow, &error);
            ("failed", outcome, end)
        }
    };
    broker.metrics.flow(counted);
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    end.write(broker, &mut conn, flow, &outcome).await?;
    conn.commit().await?;
    Ok(outcome)
}

/// What a flow's end adds to its row besides the outcome.
#[derive(Default)]
pub(super) struct End {
    /// Completion `server`: what came, to be redeemed later.
    pub provider_code: Option<Sealed>,
    /// Hex SHA-256 of the one-time code that goes to the product.
    pub code_hash: Option<String>,
    /// The connection that came of it.
    pub connection_id: Option<ConnectionId>,
    /// Why none did.
    pub failure: Option<Failure>,
}

impl End {
    /// Without a connection.
    pub(super) fn without(failure: impl Into<Failure>) -> Self {
        Self { failure: Some(failure.into()), ..Self::default() }
    }

    /// Writes it, with the outcome sealed, and tells whoever listens for it.
    pub(super) async fn write(
        &self,
        broker: &Broker,
        conn: &mut Conn,
        flow: &Flow,
        outcome: &Outcome,
    ) -> Result<()> {
        let sealed = broker.vault.seal(&outcome_aad(flow), &outcome.to_secret()?)?;
        let row = FlowEnd {
            outcome: &sealed,
            provider_code: self.provider_code.as_ref(),
            code_hash: self.code_hash.as_deref(),
            code_expires_at: self.code_hash.as_ref().map(|_| broker.clock.now().plus(CODE_LIFE)),
            connection_id: self.connection_id.as_ref(),
        };
        conn.finish_flow(&flow.workspace_id, &flow.id, &row).await?;
        let Some(request) = &flow.request else { return Ok(()) };
        tell(conn, &flow.workspace_id, request, self.connection_id.as_ref(), self.failure.as_ref()).await
    }
}

/// Writes how a connect request ended, in the transaction in which that becomes true. One that is not decided yet is not
/// told.
pub(crate) async fn tell(
    conn: &mut Conn,
    workspace: &WorkspaceId,
    request: &str,
    connection: Option<&ConnectionId>,
    failure: Option<&Failure>,
) -> Result<()> {
    if connection.is_none() && failure.is_none() {
        return Ok(());
    }
    let error = failure.map(Failure::to_text).transpose()?;
    conn.end_connect_request(workspace, request, connection, error.as_deref()).await.map(drop)
}

/// How a flow ended, as [`End::write`] sealed it.
pub(crate) fn outcome(broker: &Broker, flow: &Flow, sealed: &Sealed) -> Result<Outcome> {
    Outcome::from_secret(&broker.vault.open(&outcome_aad(flow), sealed)?)
}

/// What a flow's outcome is bound to.
pub(super) fn outcome_aad(flow: &Flow) -> Aad<'_> {
    Field::Outcome.of(&flow.workspace_id, flow.id.as_str())
}

/// How a callback was concluded.
pub(super) enum Concluded {
    /// There is a connection; the flow's end was written in the transaction that made it.
    Connected(Outcome),
    /// Completion `server`: the provider's code waits for the product's server.
    Deferred(Outcome, End),
    /// The provider did not grant access.
    Refused(Outcome, End),
}

/// All checks in order, then the exchange. An `Err` here has made no token request unless it says so.
async fn conclude(broker: &Arc<Broker>, callback: &Callback, flow: &Flow) -> Result<Concluded> {
    let (integration, member) = check(broker, callback, flow).await?;
    let actor = member.as_ref().map_or(Actor::System, Member::actor);
    let provider = broker.provider(&integration)?;
    let grant = match brought::read(broker, &callback.query, flow, &provider)? {
        Brought::Grant(grant) => grant,
        Brought::Refused { error, said } => {
            let refusal = Refusal { error: &error, text: handoff::ours(&error), said: said.as_deref() };
            return Ok(Concluded::Refused(handoff::refused(flow, refusal), End::without(refusal)));
        }
    };
    redeem(broker, flow, (&integration, &provider), actor, grant).await
}

/// Has the provider give tokens for what a callback brought, and makes the connection; or keeps it, for the product's
/// server to say for whom.
pub(super) async fn redeem(
    broker: &Arc<Broker>,
    flow: &Flow,
    (integration, provider): (&Integration, &Provider),
    actor: Actor,
    grant: Grant,
) -> Result<Concluded> {
    let mut conn = broker.store.read().await?;
    let workspace = conn.workspace(&flow.workspace_id).await?.ok_or(Error::NotFound { what: "workspace" })?;
    drop(conn);
    let ours = handoff::carries_code(&flow.handoff).then(token).transpose()?;
    let code_hash = ours.as_ref().map(|code| hash::token(code.expose()));

    if flow.completion == Completion::Server {
        let provider_code = Some(Kept::Code(grant).seal(broker, flow)?);
        let outcome = handoff::connected(flow, &workspace.settings, None, ours.as_ref());
        return Ok(Concluded::Deferred(outcome, End { provider_code, code_hash, ..End::default() }));
    }
    let exchanged = exchange::exchange(broker, flow, integration, provider, grant).await?;
    let draft = Draft::of(flow, exchanged, broker.clock.now());
    prove::works(broker, integration, provider, &draft.connection, &draft.tokens).await?;
    let outcome = |id: &ConnectionId| handoff::connected(flow, &workspace.settings, Some(id), ours.as_ref());
    let connection = record::keep(broker, integration, &draft, || async {
        let mut conn = broker.store.begin(actor.clone(), broker.clock.now()).await?;
        let written = record::write(broker, &mut conn, &draft).await?;
        if written.now {
            let id = &written.connection.id;
            let (code_hash, connection_id) = (code_hash.clone(), Some(id.clone()));
            let end = End { code_hash, connection_id, ..End::default() };
            end.write(broker, &mut conn, flow, &outcome(id)).await?;
        }
        conn.commit().await.map(|()| written.connection)
    })
    .await?;
    Ok(Concluded::Connected(outcome(&connection.id)))
}

/// Browser, path, target, session, integration and its version: whether this callback is this flow's, and whether the
/// flow may still end. Gives the user who began it, where a user did.
async fn check(
    broker: &Arc<Broker>,
    callback: &Callback,
    flow: &Flow,
) -> Result<(Integration, Option<Member>)> {
    let browser = callback.browser.as_ref().map(|b| hash::token(b.expose()));
    if !browser.is_some_and(|b| hash::same(&b, &flow.browser_hash)) {
        return Err(Error::invalid(
            "browser",
            "this authorization was begun in another browser; begin again in this one",
        ));
    }
    let own = flow.callback == CallbackKind::Own;
    let named = callback.integration.as_deref();
    if callback.kind != flow.callback || own && (named.is_none() || named != own_name(flow)) {
        return Err(Error::invalid("path", "this answer came back on another integration's path"));
    }
    let mut conn = broker.store.read().await?;
    if !may_end_at(broker, &mut conn, &flow.workspace_id, &flow.handoff).await? {
        return Err(Error::invalid("redirect_uri", STRUCK_OFF));
    }
    drop(conn);
    let member = bound::hold(broker, flow, callback.session.as_ref()).await?;
    Ok((current(broker, flow).await?, member))
}

/// What a callback path of the flow's own ends in, as the provider was given it: its integration's id, or its auth
/// option's.
fn own_name(flow: &Flow) -> Option<&str> {
    flow.endpoints.as_ref()?.redirect_uri.rsplit('/').next()
}

/// The flow's integration, if it is still as it was when the flow began.
pub(super) async fn current(broker: &Broker, flow: &Flow) -> Result<Integration> {
    let mut conn = broker.store.read().await?;
    conn.integration_as(&flow.workspace_id, &flow.integration_id, flow.auth_option.as_deref())
        .await?
        .filter(|i| i.version == flow.integration_version && i.disabled_at.is_none())
        .ok_or_else(|| Error::Conflict { message: CHANGED.into() })
}

/// What is wrong where a browser can't be trusted with a redirect.
const UNTRUSTED: [&str; 5] = ["browser", "path", "redirect_uri", "session", "state"];

fn is_popup(flow: &Flow) -> bool {
    matches!(flow.handoff, Handoff::Popup { .. })
}

/// What the browser gets for an error: a page where it can't be trusted with a redirect, else the product's
/// redirect with an error of OAuth's names.
pub(super) fn explain(flow: &Flow, error: &Error) -> (Outcome, End) {
    let back = |name: &str, text: &str| {
        let refusal = Refusal::of(name, text);
        (handoff::refused(flow, refusal), End::without(refusal))
    };
    match error {
        // The right browser is back on the right path: whoever waits for it is told.
        Error::Invalid { field, message } if is_popup(flow) && !UNTRUSTED.contains(field) => {
            back("invalid_request", message)
        }
        Error::Invalid { message, .. } => {
            let end = End::without(Refusal::of("invalid_request", message));
            (Outcome::Page { message: message.clone() }, end)
        }
        Error::Denied { message } => back("access_denied", message),
        Error::Conflict { message } => back("server_error", message),
        Error::Provider { message, .. } => {
            tracing::warn!(flow = %flow.id, integration = %flow.integration_id, %message, "an exchange failed");
            back("server_error", "the service did not complete the authorization; try again")
        }
        other => {
            tracing::error!(flow = %flow.id, error = ?other, "a flow failed");
            back("server_error", "something went wrong on our side; try again")
        }
    }
}

/// The state was no flow's to take: unknown, expired, spent, or this very callback again.
async fn repeat(
    broker: &Arc<Broker>,
    callback: &Callback,
    state_hash: &str,
    callback_hash: &str,
) -> Result<Outcome> {
    for _ in 0..WAIT_STEPS {
        let mut conn = broker.store.read().await?;
        let flow = conn.any_flow_by_state(state_hash).await?.ok_or_else(unknown)?;
        drop(conn);
        let Some(taken_at) = flow.taken_at else {
            return Err(Error::invalid("state", "this authorization took too long; begin again"));
        };
        let browser = callback.browser.as_ref().map(|b| hash::token(b.expose()));
        let same_browser = browser.is_some_and(|b| hash::same(&b, &flow.browser_hash));
        let same_callback = flow.callback_hash.as_deref().is_some_and(|h| hash::same(h, callback_hash));
        if !same_browser || !same_callback || broker.clock.now().since(taken_at) > REPEAT_LIFE {
            return Err(unknown());
        }
        if let Some(sealed) = &flow.outcome {
            let mut conn = broker.store.read().await?;
            if !may_end_at(broker, &mut conn, &flow.workspace_id, &flow.handoff).await? {
                return Err(Error::invalid("redirect_uri", STRUCK_OFF));
            }
            drop(conn);
            bound::hold(broker, &flow, callback.session.as_ref()).await?;
            return outcome(broker, &flow, sealed);
        }
        tokio::time::sleep(WAIT_STEP).await;
    }
    Err(unknown())
}

fn unknown() -> Error {
    Error::invalid("state", "this authorization is unknown or has ended; begin again")
}
