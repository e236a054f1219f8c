//! Typed: a flow at a provider whose credential is typed in ends on our own page, not at a callback; and one for which
//! nobody has to be asked anything ends where it begins.
//!
//! The provider is asked before the flow is taken, so that a wrong key leaves the page as it was. Flow, connection and
//! outcome are one transaction; the same form sent twice makes one connection, and its sender gets to the same place.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::Provider;

use super::{
    FLOW_LIFE, REPEAT_LIFE,
    ask::{Alert, Wrong},
    bound,
    device::POLLED,
    finish::{End, outcome},
    grant::Kept,
    handoff::{self, Outcome, Refusal},
    keys::{self, Accepted},
    look::Look,
    page::{Form, Opened, refuse, take, used},
    record::{self, Draft},
};
use crate::{
    access::Member,
    broker::Broker,
    domain::{
        audit::Actor, connection::Connection, flow::Flow, integration::Integration, workspace::Completion,
    },
    error::{Error, Limit, Result},
    id::ConnectionId,
    limit::{Limiter, Rate},
    secret::{Secret, token},
    store::Conn,
    time::Millis,
    vault::{Sealed, hash},
};

/// How often the provider is asked on behalf of one flow: whoever guesses begins anew, and beginning is limited too.
const TRIES: u32 = 20;

/// What stands in place of a callback's hash in a flow that ended here. No hash of what was typed: that could be
/// guessed from it.
pub(super) const SUBMITTED: &str = "submitted";

/// How often credentials were tried, by flow, and by user and integration where no flow is.
#[derive(Debug)]
pub struct Tries(Limiter);

impl Tries {
    /// Counts one more of what a user brings to an integration, which its provider will be asked about.
    ///
    /// # Errors
    /// `Limited`
    pub(crate) fn take(&self, key: &str, now: Millis) -> Result<()> {
        self.0.take(key, now).map_err(|retry_after| Error::Limited { limit: Limit::Tries, retry_after })
    }
}

impl Default for Tries {
    fn default() -> Self {
        Self(Limiter::new(Rate::Per { count: TRIES, window: FLOW_LIFE }))
    }
}

/// Has the provider say whether it takes what was typed, and ends the flow if it does.
pub(super) async fn finish(
    broker: Arc<Broker>,
    opened: Opened,
    typed: BTreeMap<String, Secret>,
) -> Result<Form> {
    let broker = &broker;
    let Opened { flow, integration, provider, .. } = &opened;
    if broker.tries.take(flow.id.as_str(), broker.clock.now()).is_err() {
        return give_up(broker, flow).await.map(Form::Back);
    }
    let accepted = keys::accept(broker, integration, provider, flow.inputs.clone(), &typed).await;
    match accepted {
        Ok(accepted) => conclude(broker, &opened, accepted).await.map(Form::Back),
        Err(Error::Provider { message, .. } | Error::TargetNotAllowed { message }) => {
            tracing::warn!(flow = %flow.id, integration = %integration.id, %message, "a key could not be tried");
            Ok(Form::Wrong(opened.ask(), Wrong::alert(Alert::Unreachable)))
        }
        Err(error) if keys::at_once(provider) => fail(broker, &opened, error).await.map(Form::Back),
        Err(Error::Invalid { field, message }) if ours(&opened, field).is_some() => {
            let field = ours(&opened, field).unwrap_or_default();
            Ok(Form::Wrong(opened.ask(), Wrong::key(field, message)))
        }
        Err(error) => Err(error),
    }
}

/// Makes the connection of a flow that just began, and ends it: nobody has to be asked anything.
pub(super) async fn at_once(
    broker: &Arc<Broker>,
    flow: Flow,
    integration: Integration,
    provider: Arc<Provider>,
) -> Result<Outcome> {
    let workspace = broker.store.read().await?.workspace(&flow.workspace_id).await?;
    let workspace = workspace.ok_or(Error::NotFound { what: "workspace" })?;
    let member = bound::whose(broker, &flow).await?;
    // There is no page, so nothing is shown on one.
    let (look, begun) = (Look::default(), flow.clone());
    let opened = Opened {
        flow,
        workspace,
        integration,
        provider,
        member,
        owner_name: None,
        look,
        icon: None,
        device: None,
    };
    match broker.to_its_end(finish(broker.clone(), opened, BTreeMap::new())).await? {
        Form::Back(outcome) => Ok(outcome),
        Form::Wrong(_, Wrong { alert: Some(Alert::Unreachable), .. }) => {
            let text = "the service could not be reached; try again later";
            let outcome = refuse(broker, &begun, Refusal::of("temporarily_unavailable", text)).await?;
            broker.metrics.flow("failed");
            Ok(outcome)
        }
        Form::Provider(_) | Form::Wrong(..) | Form::Stay(_) => {
            Err(Error::internal("there was something to ask after all"))
        }
    }
}

/// No connection came of a flow in which there is nothing to correct.
async fn fail(broker: &Arc<Broker>, opened: &Opened, error: Error) -> Result<Outcome> {
    let Opened { flow, integration, .. } = opened;
    let refusal = match &error {
        Error::Invalid { .. } | Error::Conflict { .. } => {
            Refusal::of("server_error", "the service does not accept how this integration is set up")
        }
        _ => return Err(error),
    };
    tracing::warn!(flow = %flow.id, integration = %integration.id, %error, "a connection could not be made");
    let outcome = refuse(broker, flow, refusal).await?;
    broker.metrics.flow("failed");
    Ok(outcome)
}

/// The field that is typed in and has this name in errors: of several, the first secret one.
fn ours(opened: &Opened, field: &str) -> Option<String> {
    let named = opened.provider.keys()?.fields.iter().filter(|one| keys::named(&one.key) == field);
    let found = named.clone().find(|one| one.secret).or_else(|| named.clone().next());
    found.map(|one| one.key.clone())
}

/// How this very form ended when it was sent before, a moment ago and by the same browser; `None` when it was not.
pub(super) fn again(broker: &Broker, flow: &Flow) -> Result<Option<Outcome>> {
    let life = match flow.callback_hash.as_deref() {
        Some(SUBMITTED) => REPEAT_LIFE,
        // Nobody sent a form: the page finds it out when it looks.
        Some(POLLED) => FLOW_LIFE,
        _ => return Ok(None),
    };
    if flow.taken_at.is_none_or(|taken_at| broker.clock.now().since(taken_at) > life) {
        return Ok(None);
    }
    flow.outcome.as_ref().map(|sealed| outcome(broker, flow, sealed)).transpose()
}

/// Takes the flow and writes what came of it, at once.
async fn conclude(broker: &Arc<Broker>, opened: &Opened, accepted: Accepted) -> Result<Outcome> {
    let Opened { flow, workspace, integration, member, .. } = opened;
    let ours = handoff::carries_code(&flow.handoff).then(token).transpose()?;
    let end = Ending { broker, opened, code_hash: ours.as_ref().map(|code| hash::token(code.expose())) };
    let connected =
        |id: Option<&ConnectionId>| handoff::connected(flow, &workspace.settings, id, ours.as_ref());
    let done = if flow.completion == Completion::Server {
        let kept = Kept::Keys(Box::new(accepted)).seal(broker, flow)?;
        let outcome = connected(None);
        end.defer(kept, &outcome).await.map(|()| ("deferred", outcome))
    } else {
        let draft = Draft::of(flow, accepted, broker.clock.now());
        let actor = member.as_ref().map_or(Actor::System, Member::actor);
        let transaction = || end.record(&draft, actor.clone(), |id| connected(Some(id)));
        let written = record::put(broker, integration, &draft, transaction).await;
        written.map(|connection| ("connected", connected(Some(&connection.id))))
    };
    match done {
        Ok((counted, outcome)) => {
            broker.metrics.flow(counted);
            Ok(outcome)
        }
        // Taken by another at the same time: the same form, sent twice.
        Err(error) => match current(broker, flow).await? {
            Some(outcome) => Ok(outcome),
            None => Err(error),
        },
    }
}

async fn current(broker: &Broker, flow: &Flow) -> Result<Option<Outcome>> {
    let found = broker.store.read().await?.any_flow(&flow.id).await?;
    found.map_or(Ok(None), |flow| again(broker, &flow))
}

/// The end of a flow on our own page.
struct Ending<'a> {
    broker: &'a Arc<Broker>,
    opened: &'a Opened,
    code_hash: Option<String>,
}

impl Ending<'_> {
    /// With a connection.
    async fn record(
        &self,
        draft: &Draft,
        actor: Actor,
        outcome: impl Fn(&ConnectionId) -> Outcome,
    ) -> Result<Connection> {
        let mut conn = self.taken(actor).await?;
        let written = record::write(self.broker, &mut conn, draft).await?;
        let id = &written.connection.id;
        let (code_hash, connection_id) = (self.code_hash.clone(), Some(id.clone()));
        let end = End { code_hash, connection_id, ..End::default() };
        end.write(self.broker, &mut conn, &self.opened.flow, &outcome(id)).await?;
        conn.commit().await.map(|()| written.connection)
    }

    /// With what is to be recorded once the product's server vouches for the owner.
    async fn defer(&self, kept: Sealed, outcome: &Outcome) -> Result<()> {
        let mut conn = self.taken(Actor::System).await?;
        let code_hash = self.code_hash.clone();
        let end = End { provider_code: Some(kept), code_hash, ..End::default() };
        end.write(self.broker, &mut conn, &self.opened.flow, outcome).await?;
        conn.commit().await
    }

    async fn taken(&self, actor: Actor) -> Result<Conn> {
        let now = self.broker.clock.now();
        let mut conn = self.broker.store.begin(actor, now).await?;
        if take(&mut conn, &self.opened.flow, SUBMITTED, now).await? { Ok(conn) } else { Err(used()) }
    }
}

/// Too many tries: the flow is over.
async fn give_up(broker: &Arc<Broker>, flow: &Flow) -> Result<Outcome> {
    let refusal = Refusal::of("access_denied", "the credentials were tried too often; begin again");
    let outcome = refuse(broker, flow, refusal).await?;
    broker.metrics.flow("refused");
    Ok(outcome)
}
