//! Finish: the browser is back from the provider.
//!
//! The flow is taken first, by one atomic statement: whatever is wrong after that ends it, and no second
//! callback can start a second token request. Only when every check has passed is the provider asked.

use std::{sync::Arc, time::Duration};

use claviger_protocol::oauth2::callback::{self, Answer};

use super::{
    CODE_LIFE, REPEAT_LIFE,
    begin::may_end_at,
    bound, endpoints, exchange,
    grant::{Grant, Kept},
    handoff::{self, Outcome, Refusal},
    record::{self, Draft},
};
use crate::{
    access::Member,
    broker::Broker,
    domain::{
        audit::Actor, flow::Flow, integration::CallbackKind, integration::Integration, workspace::Completion,
    },
    error::{Error, Result},
    id::ConnectionId,
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
    let state_hash = hash::token(state.expose());
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

    let (counted, outcome, end) = match conclude(broker, callback, &flow).await {
        Ok(Concluded::Connected(outcome)) => {
            broker.metrics.flow("connected");
            return Ok(outcome);
        }
        Ok(Concluded::Deferred(outcome, end)) => ("deferred", outcome, end),
        Ok(Concluded::Refused(outcome)) => ("refused", outcome, End::default()),
        Err(error) => ("failed", explain(&flow, &error), End::default()),
    };
    broker.metrics.flow(counted);
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    end.write(broker, &mut conn, &flow, &outcome).await?;
    conn.commit().await?;
    Ok(outcome)
}

/// The state, under whatever name a provider of the catalog gives it.
fn state_of(broker: &Broker, query: &str) -> Result<Secret> {
    let mut names: Vec<&str> = vec!["state"];
    let all: Vec<_> = broker.catalog.iter().collect();
    names.extend(
        all.iter().filter_map(|p| endpoints::oauth2(p).ok()).map(|o| o.callback.state_param.as_str()),
    );
    names.dedup();
    let mut first = None;
    for name in names {
        match callback::state(name, query) {
            Ok(state) => return Ok(state),
            Err(error) => first = first.or(Some(error)),
        }
    }
    let why = first.map_or_else(String::new, |e| e.to_string());
    Err(Error::invalid("state", why))
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
}

impl End {
    /// Writes it, with the outcome sealed.
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
        conn.finish_flow(&flow.workspace_id, &flow.id, &row).await
    }
}

/// How a flow ended, as [`End::write`] sealed it.
pub(super) fn outcome(broker: &Broker, flow: &Flow, sealed: &Sealed) -> Result<Outcome> {
    Outcome::from_secret(&broker.vault.open(&outcome_aad(flow), sealed)?)
}

/// What a flow's outcome is bound to.
pub(super) fn outcome_aad(flow: &Flow) -> Aad<'_> {
    Field::Outcome.of(&flow.workspace_id, flow.id.as_str())
}

/// How a callback was concluded.
enum Concluded {
    /// There is a connection; the flow's end was written in the transaction that made it.
    Connected(Outcome),
    /// Completion `server`: the provider's code waits for the product's server.
    Deferred(Outcome, End),
    /// The provider did not grant access.
    Refused(Outcome),
}

/// All checks in order, then the exchange. An `Err` here has made no token request unless it says so.
async fn conclude(broker: &Arc<Broker>, callback: &Callback, flow: &Flow) -> Result<Concluded> {
    let (integration, member) = check(broker, callback, flow).await?;
    let actor = member.as_ref().map_or(Actor::System, Member::actor);
    let provider = broker.provider(&integration)?;
    let oauth2 = endpoints::oauth2(&provider)?;
    let answer =
        callback::read(oauth2, &callback.query).map_err(|e| Error::invalid("callback", e.to_string()))?;
    let at = flow.endpoints.as_ref().ok_or_else(|| Error::internal("a started flow has no endpoints"))?;
    let (Answer::Code { iss, .. } | Answer::Error { iss, .. }) = &answer;
    callback::check_iss(at.issuer.as_deref(), at.iss_required, iss.as_deref())
        .map_err(|e| Error::invalid("iss", e.to_string()))?;
    let grant = match answer {
        Answer::Error { error, description, .. } => {
            let error = if is_oauth_error(&error) { error.as_str() } else { "server_error" };
            let text = "the service did not grant access";
            let refusal = Refusal { error, text, said: description.as_deref() };
            return Ok(Concluded::Refused(handoff::refused(flow, refusal)));
        }
        Answer::Code { code, saved, .. } => Grant { code, saved, state: state_of(broker, &callback.query)? },
    };
    let mut conn = broker.store.read().await?;
    let workspace = conn.workspace(&flow.workspace_id).await?.ok_or(Error::NotFound { what: "workspace" })?;
    drop(conn);
    let ours = handoff::carries_code(&flow.handoff).then(token).transpose()?;
    let code_hash = ours.as_ref().map(|code| hash::token(code.expose()));

    if flow.completion == Completion::Server {
        let provider_code = Some(Kept::Code(grant).seal(broker, flow)?);
        let outcome = handoff::connected(flow, &workspace.settings, None, ours.as_ref());
        return Ok(Concluded::Deferred(outcome, End { provider_code, code_hash, connection_id: None }));
    }
    let exchanged = exchange::exchange(broker, flow, &integration, &provider, grant).await?;
    let draft = Draft::of(flow, exchanged, broker.clock.now());
    let outcome = |id: &ConnectionId| handoff::connected(flow, &workspace.settings, Some(id), ours.as_ref());
    let connection = record::keep(broker, &integration, &draft, || async {
        let mut conn = broker.store.begin(actor.clone(), broker.clock.now()).await?;
        let written = record::write(broker, &mut conn, &draft).await?;
        if written.now {
            let id = &written.connection.id;
            let (code_hash, connection_id) = (code_hash.clone(), Some(id.clone()));
            let end = End { provider_code: None, code_hash, connection_id };
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
    if callback.kind != flow.callback || own && named != Some(flow.integration_id.as_str()) {
        return Err(Error::invalid("callback", "this answer came back on another integration's path"));
    }
    let mut conn = broker.store.read().await?;
    if !may_end_at(broker, &mut conn, &flow.workspace_id, &flow.handoff).await? {
        return Err(Error::invalid("redirect_uri", STRUCK_OFF));
    }
    drop(conn);
    let member = bound::hold(broker, flow, callback.session.as_ref()).await?;
    Ok((current(broker, flow).await?, member))
}

/// The flow's integration, if it is still as it was when the flow began.
pub(super) async fn current(broker: &Broker, flow: &Flow) -> Result<Integration> {
    let mut conn = broker.store.read().await?;
    conn.integration(&flow.workspace_id, &flow.integration_id)
        .await?
        .filter(|i| i.version == flow.integration_version && i.disabled_at.is_none())
        .ok_or_else(|| Error::Conflict { message: CHANGED.into() })
}

/// What the browser gets for an error: a page where it can't be trusted with a redirect, else the product's
/// redirect with an error of OAuth's names.
fn explain(flow: &Flow, error: &Error) -> Outcome {
    let back = |name: &str, text: &str| handoff::refused(flow, Refusal::of(name, text));
    match error {
        Error::Invalid { message, .. } => Outcome::Page { message: message.clone() },
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

/// RFC 6749 §4.1.2.1 and OpenID Connect Core §3.1.2.6.
fn is_oauth_error(name: &str) -> bool {
    matches!(
        name,
        "invalid_request"
            | "unauthorized_client"
            | "access_denied"
            | "unsupported_response_type"
            | "invalid_scope"
            | "server_error"
            | "temporarily_unavailable"
            | "interaction_required"
            | "login_required"
            | "account_selection_required"
            | "consent_required"
    )
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
