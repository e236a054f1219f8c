//! Conclude: what came of a code ends its flow, as a callback would.
//!
//! Flow, connection and outcome are one transaction. Nobody else holds the tokens: those that can't be kept are revoked.

use std::sync::Arc;

use claviger_protocol::oauth2::Tokens;

use crate::{
    broker::Broker,
    connect::{
        CODE_LIFE, end as revoke,
        exchange::{self, Exchanged, Failed},
        finish::{self, End, explain},
        grant::Kept,
        handoff::{self, Outcome, Refusal},
        page::{take, used},
        persist::persist,
        prove,
        record::{self, Draft},
    },
    domain::{
        audit::Actor,
        connection::Account,
        flow::Flow,
        integration::Integration,
        workspace::{Completion, Settings},
    },
    error::{Error, Result},
    id::ConnectionId,
    secret::{Secret, token},
    store::Conn,
    time::Millis,
    vault::hash,
};

/// What stands in place of a callback's hash in a flow that ended so.
pub(in crate::connect) const POLLED: &str = "polled";

/// Tokens that a provider gave for a code, and with which integration they were asked for.
pub(super) struct Got {
    pub tokens: Tokens,
    pub integration: Integration,
    /// By whose hand.
    pub actor: Actor,
}

/// The provider gave tokens.
pub(super) async fn connect(broker: &Arc<Broker>, flow: &Flow, got: Got) -> Result<()> {
    match keep(broker, flow, got).await {
        Ok(counted) => {
            broker.metrics.flow(counted);
            Ok(())
        }
        Err(error) => fail(broker, flow, None, &error).await,
    }
}

/// It gives none, and said why. `claimed` is when it would have been asked next, as seen by whoever asked.
pub(super) async fn refuse(broker: &Arc<Broker>, flow: &Flow, claimed: Millis, words: String) -> Result<()> {
    tracing::warn!(flow = %flow.id, integration = %flow.integration_id, message = %words, "a code was not redeemed");
    let text = "the service did not complete the authorization; try again";
    ends(broker, flow, claimed, Refusal::of("server_error", text), "failed").await
}

/// The person said no.
pub(super) async fn declined(
    broker: &Arc<Broker>,
    flow: &Flow,
    claimed: Millis,
    refusal: Refusal<'_>,
) -> Result<()> {
    ends(broker, flow, claimed, refusal, "refused").await
}

/// Something stood in the way; of what was not `claimed`, between the tokens and their being kept.
pub(super) async fn fail(
    broker: &Arc<Broker>,
    flow: &Flow,
    claimed: Option<Millis>,
    error: &Error,
) -> Result<()> {
    let (outcome, end) = explain(flow, error);
    write(broker, flow, claimed, (&outcome, &end), "failed").await
}

async fn ends(
    broker: &Arc<Broker>,
    flow: &Flow,
    claimed: Millis,
    refusal: Refusal<'_>,
    counted: &'static str,
) -> Result<()> {
    let (outcome, end) = (handoff::refused(flow, refusal), End::without(refusal));
    write(broker, flow, Some(claimed), (&outcome, &end), counted).await
}

/// Ends a flow without a connection, unless it has ended, or has got another code since this was `claimed`.
async fn write(
    broker: &Arc<Broker>,
    flow: &Flow,
    claimed: Option<Millis>,
    (outcome, end): (&Outcome, &End),
    counted: &'static str,
) -> Result<()> {
    let now = broker.clock.now();
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if let Some(claimed) = claimed
        && !conn.any_move_poll(&flow.id, claimed, None).await?
    {
        return Ok(());
    }
    if !take(&mut conn, flow, POLLED, now).await? {
        return Ok(());
    }
    end.write(broker, &mut conn, flow, outcome).await?;
    conn.commit().await?;
    broker.metrics.flow(counted);
    Ok(())
}

/// A transaction in which the flow is taken. `Invalid` when it has ended.
async fn begin(broker: &Broker, flow: &Flow, actor: Actor) -> Result<Conn> {
    let now = broker.clock.now();
    let mut conn = broker.store.begin(actor, now).await?;
    if take(&mut conn, flow, POLLED, now).await? { Ok(conn) } else { Err(used()) }
}

/// Finds out whose account it is, and writes the connection; or what will be one once the product's server vouches for
/// its owner.
async fn keep(broker: &Arc<Broker>, flow: &Flow, got: Got) -> Result<&'static str> {
    let Got { tokens, integration, actor } = got;
    let provider = broker.provider(&integration)?;
    let at = flow.endpoints.clone().unwrap_or_default();
    let inputs = || flow.inputs.clone();
    let whole = exchange::completed(broker, &integration, &provider, inputs(), &at, tokens.clone()).await;
    let exchanged = match whole {
        Ok(exchanged) => exchanged,
        Err(failed) => {
            let alone = Exchanged { tokens, account: Account::default(), inputs: inputs() };
            give_up(broker, flow, &integration, alone).await;
            return Err(match failed {
                Failed::Told(error) => exchange::refusal(error, &[]),
                Failed::Ours(error) => error,
            });
        }
    };
    let ended = Ended::of(broker, flow).await?;
    if flow.completion == Completion::Server {
        return defer(broker, flow, &integration, exchanged, &ended).await.map(|()| "deferred");
    }
    let draft = Draft::of(flow, exchanged, broker.clock.now());
    prove::works(broker, &integration, &provider, &draft.connection, &draft.tokens).await?;
    record::keep(broker, &integration, &draft, || async {
        let mut conn = begin(broker, flow, actor.clone()).await?;
        let written = record::write(broker, &mut conn, &draft).await?;
        let id = &written.connection.id;
        let end = End { connection_id: Some(id.clone()), ..ended.end() };
        end.write(broker, &mut conn, flow, &ended.outcome(flow, Some(id))).await?;
        conn.commit().await.map(|()| written.connection)
    })
    .await?;
    Ok("connected")
}

/// Keeps the tokens sealed until the product's server names the owner.
async fn defer(
    broker: &Arc<Broker>,
    flow: &Flow,
    integration: &Integration,
    exchanged: Exchanged,
    ended: &Ended,
) -> Result<()> {
    let kept = Kept::Keys(Box::new(exchanged));
    let end = End { provider_code: Some(kept.seal(broker, flow)?), ..ended.end() };
    let written = persist(&broker.clock, &format!("the tokens of {}", flow.id), || async {
        let mut conn = begin(broker, flow, Actor::System).await?;
        end.write(broker, &mut conn, flow, &ended.outcome(flow, None)).await?;
        // Once nobody can spend the code any more.
        let later = broker.clock.now().plus(CODE_LIFE);
        conn.look_at_flow(&flow.workspace_id, &flow.id, later).await?;
        conn.commit().await
    })
    .await;
    let Err(error) = written else { return Ok(()) };
    // A commit that looked like a failure may have been none.
    let found = broker.store.read().await?.any_flow(&flow.id).await?;
    if found.is_some_and(|found| found.provider_code.is_some()) {
        return Ok(());
    }
    if let Kept::Keys(exchanged) = kept {
        give_up(broker, flow, integration, *exchanged).await;
    }
    Err(error)
}

/// Nobody vouched for the owner while the code was good.
pub(super) async fn unvouched(broker: &Arc<Broker>, flow: &Flow, due: Millis) -> Result<()> {
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    let ours = conn.any_drop_unvouched(&flow.id, due).await?;
    conn.commit().await?;
    if ours { abandon(broker, flow).await } else { Ok(()) }
}

/// Has the provider forget the tokens that a flow kept for an owner whom nobody vouches for. What else a flow may have
/// kept is a code, which dies by itself, or was typed in by whoever still has it.
pub(in crate::connect) async fn abandon(broker: &Broker, flow: &Flow) -> Result<()> {
    let Some(sealed) = flow.provider_code.as_ref().filter(|_| flow.callback_hash.as_deref() == Some(POLLED))
    else {
        return Ok(());
    };
    let Kept::Keys(exchanged) = Kept::open(broker, flow, sealed)? else { return Ok(()) };
    // Of another version it may be another place.
    let integration = finish::current(broker, flow).await?;
    give_up(broker, flow, &integration, *exchanged).await;
    Ok(())
}

/// Has the provider forget tokens that nothing is made of.
async fn give_up(broker: &Broker, flow: &Flow, integration: &Integration, exchanged: Exchanged) {
    let draft = Draft::of(flow, exchanged, broker.clock.now());
    revoke::revoke_unless_shared(broker, integration, &draft.connection, &draft.tokens).await;
}

/// What the browser is given at the end.
struct Ended {
    settings: Settings,
    code: Option<Secret>,
}

impl Ended {
    async fn of(broker: &Broker, flow: &Flow) -> Result<Self> {
        let workspace = broker.store.read().await?.workspace(&flow.workspace_id).await?;
        let settings = workspace.ok_or(Error::NotFound { what: "workspace" })?.settings;
        Ok(Self { settings, code: handoff::carries_code(&flow.handoff).then(token).transpose()? })
    }

    fn end(&self) -> End {
        let code_hash = self.code.as_ref().map(|code| hash::token(code.expose()));
        End { code_hash, ..End::default() }
    }

    fn outcome(&self, flow: &Flow, connection: Option<&ConnectionId>) -> Outcome {
        handoff::connected(flow, &self.settings, connection, self.code.as_ref())
    }
}
