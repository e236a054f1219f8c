//! Poll: the token endpoint is asked whether a code was entered (RFC 8628 §3.4, §3.5).
//!
//! Whoever moves the time of the next poll asks, so that of any number of processes one does. It is moved far enough for
//! the answer to come, and moved again when that has come: a process that dies in between costs a while, and the codes
//! are as good as before. Codes that gave tokens are spent: nobody is to ask with them again, however long it takes to
//! keep those. An answer that comes when somebody else has moved the time is about codes that count no more.

use std::{sync::Arc, time::Duration};

use claviger_protocol::oauth2::{
    device::{self, LONGEST_INTERVAL, Said},
    read,
};

use super::{
    conclude::{self, Got},
    kept::Held,
};
use crate::{
    access::Member,
    broker::Broker,
    connect::{
        begin::may_end_at,
        bound, endpoints, finish,
        handoff::{self, Refusal},
        party,
        persist::insist,
        post,
    },
    domain::{audit::Actor, flow::Flow},
    error::{Error, Result},
    time::Millis,
};

/// What it takes besides the requests until an answer is acted on.
const BESIDES: Duration = Duration::from_secs(15);
/// By how much a provider that asks for it is asked less often (RFC 8628 §3.5).
const SLOWER: u64 = 5;

/// Asks about one flow, unless somebody else does.
pub(super) async fn poll(broker: Arc<Broker>, flow: Flow) {
    if let Err(error) = perform(&broker, &flow).await {
        tracing::error!(flow = %flow.id, ?error, "it was not found out what came of a code");
    }
}

async fn perform(broker: &Arc<Broker>, flow: &Flow) -> Result<()> {
    let Some(due) = flow.poll_at else { return Ok(()) };
    if flow.taken_at.is_some() {
        return conclude::unvouched(broker, flow, due).await;
    }
    let now = broker.clock.now();
    let opened = Held::open(broker, flow);
    let next = match &opened {
        Ok(None) => None,
        Ok(Some(held)) if held.is_over(now) => None,
        Ok(Some(held)) => Some(now.plus(longest(broker).max(held.interval()))),
        // Whose key is missing must not keep the others waiting; it may come back.
        Err(_) => Some(now.plus(longest(broker))),
    };
    let ours = move_on(broker, flow, due, next).await?;
    let (Some(held), Some(claimed), true) = (opened?, next, ours) else { return Ok(()) };
    match ask(broker, flow, &held).await {
        Ok(Answer::Tokens(got)) => {
            let what = format!("that the code of {} is spent", flow.id);
            let spent = insist(&broker.clock, &what, || move_on(broker, flow, claimed, None)).await;
            if let Err(error) = spent {
                tracing::warn!(flow = %flow.id, ?error, "a spent code may be asked with again");
            }
            conclude::connect(broker, flow, *got).await
        }
        Ok(Answer::Refused(refusal)) => conclude::refuse(broker, flow, claimed, refusal).await,
        Ok(Answer::NotYet(said)) => go_on(broker, flow, held, claimed, said).await,
        // Ours: the codes are as good as before.
        Err(Error::Internal(error)) => Err(Error::Internal(error)),
        Err(error) => conclude::fail(broker, flow, Some(claimed), &error).await,
    }
}

/// How long it may take until an answer is acted on: a server may want the request twice, for the nonce of a proof
/// (RFC 9449 §8).
fn longest(broker: &Broker) -> Duration {
    broker.outbound.total_timeout() * 2 + BESIDES
}

/// Moves when the provider is asked next, unless somebody else has.
async fn move_on(broker: &Broker, flow: &Flow, was: Millis, next: Option<Millis>) -> Result<bool> {
    let mut conn = broker.store.begin(Actor::System, broker.clock.now()).await?;
    let ours = conn.any_move_poll(&flow.id, was, next).await?;
    conn.commit().await?;
    Ok(ours)
}

/// What came of asking.
enum Answer {
    Tokens(Box<Got>),
    NotYet(Said),
    Refused(String),
}

/// The token request. What a callback would be refused for ends the flow before it.
async fn ask(broker: &Arc<Broker>, flow: &Flow, held: &Held) -> Result<Answer> {
    let mut conn = broker.store.read().await?;
    if !may_end_at(broker, &mut conn, &flow.workspace_id, &flow.handoff).await? {
        return Err(Error::invalid("redirect_uri", finish::STRUCK_OFF));
    }
    drop(conn);
    let actor = bound::hold_away(broker, flow).await?.as_ref().map_or(Actor::System, Member::actor);
    let integration = finish::current(broker, flow).await?;
    let provider = endpoints::filled(&*broker.provider(&integration)?, &flow.inputs)?;
    let oauth2 = endpoints::oauth2(&provider)?;
    let at = flow.endpoints.as_ref().ok_or_else(|| Error::internal("a code was given by nobody"))?;
    let make = || async {
        let to = (at, at.token_url.as_str());
        let party = party::of(broker, &integration, &provider, to, &Default::default()).await?;
        let request = device::poll(oauth2, &at.token_url, &party.client(), &held.device_code)
            .map_err(|e| Error::internal(format!("poll of {}: {e}", integration.id)))?;
        Ok((party, request))
    };
    let (party, answer) = match post::token(broker, make).await {
        Ok(answered) => answered,
        Err(Error::Provider { message, .. }) => {
            tracing::warn!(flow = %flow.id, %message, "a provider can't say now what came of a code");
            return Ok(Answer::NotYet(Said::Busy));
        }
        Err(error) => return Err(error),
    };
    let now = broker.clock.now().0;
    let got = read::tokens(oauth2, answer.status(), answer.headers(), answer.body(), now);
    Ok(match got.and_then(|got| party.bind(got)) {
        Ok(tokens) => Answer::Tokens(Box::new(Got { tokens, integration, actor })),
        Err(error) => match device::said(&error) {
            // Not every server tells a code that is too old from one that was never any (RFC 6749 §5.2).
            Said::Refused if error.is_invalid_grant() && held.is_over(broker.clock.now()) => {
                Answer::NotYet(Said::Expired)
            }
            Said::Refused => {
                let sent = [Some(&held.device_code), party.secret()];
                Answer::Refused(error.hiding(&sent.into_iter().flatten().collect::<Vec<_>>()).words())
            }
            said => Answer::NotYet(said),
        },
    })
}

/// The person has not decided, or said no, or took too long; or the provider can't say.
async fn go_on(broker: &Arc<Broker>, flow: &Flow, mut held: Held, claimed: Millis, said: Said) -> Result<()> {
    let now = broker.clock.now();
    let before = held.interval;
    match said {
        Said::Denied => {
            let error = "access_denied";
            return conclude::declined(broker, flow, claimed, Refusal::of(error, handoff::ours(error))).await;
        }
        Said::Expired => held.expires_at = now.0,
        Said::SlowDown => held.interval += SLOWER,
        // Asked less and less often (RFC 8628 §3.5).
        Said::Busy => held.interval = (held.interval * 2).min(LONGEST_INTERVAL.max(held.interval)),
        Said::Pending | Said::Refused => {}
    }
    let next = if said == Said::Expired { None } else { Some(now.plus(held.interval())) };
    let mut conn = broker.store.begin(Actor::System, now).await?;
    if held.interval == before && said != Said::Expired {
        conn.any_move_poll(&flow.id, claimed, next).await?;
    } else {
        conn.any_renew_device(&flow.id, claimed, next, &held.seal(broker, flow)?).await?;
    }
    conn.commit().await
}
