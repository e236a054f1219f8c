//! The proxy: one call of a product or of a user, made with a connection's credential.
//!
//! [`forward`] reads top to bottom: resolve · limit · target · credential · prepare · send · react · relay ·
//! record, a file each. Bodies stream both ways and are never held whole; what the caller sent and what the
//! provider answered pass byte for byte, but for the headers that `prepare` and `relay` name. It must never
//! send a credential to another host than the base URL's and those that are allowed beside it, and never log a
//! header, a query or a body.

mod credential;
mod echoes;
mod expired;
mod fill;
mod headers;
mod limit;
mod named;
mod prepare;
mod proof;
mod proven;
mod quota;
mod react;
mod ready;
mod record;
mod recorder;
mod relay;
mod replay;
mod resolve;
mod sample;
mod send;
mod shown;
mod sign;
mod still;
mod subjects;
mod tallies;
mod target;
mod trace;
mod upgrade;
mod used;
mod waits;
mod writing;

use std::sync::Arc;

use http::{Request, Response};

pub(crate) use self::headers::{not_a_place, not_addable};
pub(crate) use self::still::still;
pub use self::{
    credential::Refused, limit::Bounds, quota::Quota, recorder::Recorder, sample::Sampling,
    subjects::Subjects, waits::Waits,
};
use self::{proof::Heard, react::Verdict, ready::Ready, record::Entry, replay::Replay, upgrade::Answer};
use crate::{
    access::{By, Holder, Member, Signer, Who},
    broker::Broker,
    domain::{api_key::ApiKey, user::User},
    error::{Error, Result},
    id::{ConnectionId, RequestId},
    limit::patience::patient,
    outbound::Body,
    refresh::{Subject, Usable},
    watch::{self, Standing},
};

/// Where calls with a connection go, filled; `None` while that can't be told.
pub(crate) fn base_url(subject: &Subject) -> Option<String> {
    target::api(subject).ok()?.base_url
}

/// One call to make.
pub struct Call {
    /// Who calls, with which connection.
    pub caller: Caller,
    /// Where it goes.
    pub target: Target,
    /// How often to try again; `None` for the default of 2, and never more than 5.
    pub max_retries: Option<u8>,
    /// What to send: method, headers, body, and for [`Target::Path`] path and query.
    pub request: Request<Body>,
    /// The id that the answer and the log row carry.
    pub request_id: RequestId,
    /// How the caller's door says an error of ours, status and code, so that the log row says the same.
    pub said: fn(&Error) -> (u16, &'static str),
}

/// Who calls, and what tells the connection.
#[derive(Clone)]
pub enum Caller {
    /// A product's server, which names the connection.
    Key {
        /// The key that it showed, already found to hold.
        key: Arc<ApiKey>,
        /// The connection to use; it need not be the key's.
        connection: ConnectionId,
    },
    /// A user, who names an integration: its own connection there, or the one for all of a shared integration.
    Member {
        /// The user that calls, already found to be who it says.
        member: Arc<Member>,
        /// The integration's id or key; it need not be one that the user sees.
        integration: String,
    },
    /// The holder of a product's token, who names a connection: a customer its own.
    Customer {
        /// Who holds the token, already found to hold.
        holder: Arc<Holder>,
        /// The connection's id, or an integration's id or key; neither need be one that the holder sees.
        selector: String,
    },
}

impl Caller {
    /// Who calls and what it showed, in words that no other caller has.
    pub(crate) fn who(&self) -> String {
        match self {
            Self::Key { key, .. } => key.id.to_string(),
            Self::Member { member, .. } => match &member.by {
                By::Session(hash) => hash.clone(),
                By::Token { id, .. } => id.to_string(),
                // Salted: of one user and one password of it.
                By::Password => member.user.password_hash.clone().unwrap_or_default(),
            },
            Self::Customer { holder, .. } => {
                let who = match &holder.who {
                    Who::Customer(customer) => customer.id.as_str(),
                    Who::Admin => "admin",
                    Who::Workspace => "workspace",
                };
                let by = match &holder.by {
                    Some(Signer::Secret(hash)) => hash.as_str(),
                    Some(Signer::Key(id)) => id.as_str(),
                    None => "nothing",
                };
                format!("{who} by {by}")
            }
        }
    }

    /// The user that calls, where one does.
    fn user(&self) -> Option<&User> {
        match self {
            Self::Key { .. } | Self::Customer { .. } => None,
            Self::Member { member, .. } => Some(&member.user),
        }
    }

    /// Whether a 401 of the provider's is handed back also when there will be no other token: whoever calls at that door
    /// reads the provider's own words.
    fn wants_the_401(&self) -> bool {
        matches!(self, Self::Customer { .. })
    }

    /// Whether a call may become a WebSocket. Browsers send cookies along with a handshake from any page, so none may
    /// where a session could be enough.
    fn may_switch(&self) -> bool {
        matches!(self, Self::Key { .. })
    }
}

/// Where a call goes.
pub enum Target {
    /// Below the base URL, by the path and the query of the request.
    Path,
    /// By a URL in words: relative to the base URL, or whole. The request's own path is not looked at.
    Url(String),
}

/// Makes the call and hands back the provider's answer, its body still streaming. Dropping either aborts the
/// exchange with the provider.
///
/// # Errors
/// `Denied`, `NotFound`, `NeedsReauth`, `Limited`, `TargetNotAllowed`, `Invalid` (a header of the integration that the
/// user's name can't stand in) before anything is sent; `Provider` when the provider can't be reached. An error status
/// of the provider is an answer.
pub async fn forward(broker: &Arc<Broker>, call: Call) -> Result<Response<Body>> {
    let turn = broker.watch.turn();
    let subject = resolve::subject(broker, &call.caller).await?;
    let mut entry = Entry::open(broker, &call, &subject);
    let ticket = broker.watch.enter(turn, standing(&subject, &call.caller));
    // On the heap, where nobody moves it: it is large, and everything around it is moved with it.
    let exchange = Box::pin(exchange(broker, &subject, call, &mut entry));
    match watch::until_cut(&ticket, exchange).await {
        Ok(mut answer) => {
            let now = || broker.clock.now();
            broker.quota.tell(answer.headers_mut(), &broker.proxy_limit, &subject.connection.id, now);
            Ok(match answer {
                Answer::Passed(answer, echoes) => relay::pass(answer, echoes, ticket, entry),
                Answer::Agreed(agreed) => upgrade::begin(broker, *agreed, ticket, entry),
            })
        }
        Err(error) => {
            entry.failed(&error);
            Err(error)
        }
    }
}

/// What the call stands on while it lasts.
fn standing(subject: &Subject, caller: &Caller) -> Standing {
    Standing {
        workspace: subject.workspace_id.clone(),
        connection: subject.connection.id.clone(),
        integration: subject.integration.id.clone(),
        caller: caller.clone(),
    }
}

async fn exchange(
    broker: &Arc<Broker>,
    subject: &Ready,
    mut call: Call,
    entry: &mut Entry,
) -> Result<Answer> {
    headers::check_framing(call.request.headers())?;
    let switch = upgrade::asked(&mut call.request, call.caller.may_switch())?;
    limit::take(broker, subject, entry.began()).await?;
    let route = subject.route()?;
    let uri = match &call.target {
        Target::Path => route.base.join(&call.request)?,
        Target::Url(text) => named::uri(&route.base, subject, text)?,
    };
    let to = route.destination(&broker.outbound, &uri)?;
    broker.waits.check(subject, &uri, entry.began())?;
    entry.permit = Some(limit::enter(broker, subject, &to)?);
    let filled = fill::headers(broker, subject, call.caller.user()).await?;
    let mut usable = credential::usable(broker, subject).await?;
    let (caller, body) = call.request.into_parts();
    let (body, late) = patient(body, broker.bounds.body);
    let begun = sign::begin(broker, subject, &caller, &uri, body).await;
    let (signing, body) = begun.map_err(|error| if late.is_set() { limit::stalled() } else { error })?;
    let body = Replay::new(body);
    entry.reading = body.read();
    let way = send::way(broker, subject, &usable.tokens).await?;
    let way = way.as_deref().unwrap_or(&broker.outbound);
    let mut proofs = proof::Proofs::of(&usable.tokens)?;
    let rules = expired::rules(subject, &usable.tokens);
    let mut renewed = false;
    let mut tries = react::Tries::new(&caller.method, call.max_retries, subject.provider.rate_limit.as_ref());
    loop {
        let shown = subject.shown(&usable)?;
        let credential = (&*usable.tokens, &*shown);
        let mut prepared = prepare::head(&caller, &uri, &route.api, &filled, credential, body.size_hint())?;
        if let Some(signing) = &signing {
            signing.sign(broker, &usable.tokens, &mut prepared)?;
        }
        proofs.add(broker, &usable.tokens, &mut prepared)?;
        expired::ask_plain(rules, &mut prepared.parts.headers);
        entry.asks();
        let outcome = send::attempt(way, &to, prepared.parts, &body, switch.as_ref()).await;
        let now = entry.hears(outcome.is_ok());
        if outcome.is_err() && late.is_set() {
            return Err(limit::stalled());
        }
        broker.waits.hear(subject, &uri, &outcome, now);
        let heard = proofs.hear(broker, &uri, &outcome, body.replayable());
        if heard == Heard::Again {
            continue;
        }
        let (outcome, over) = expired::look(rules, outcome).await;
        if heard == Heard::Nothing && over {
            if renewed && !usable.previous {
                broker.refused.remember(&subject.connection.id, usable.version, now);
            } else if tries.may_refresh()
                && let Some(newer) = Box::pin(newer(broker, subject, &usable, &call.caller)).await?
                && body.replayable()
            {
                (usable, renewed) = (newer, true);
                proofs.renew(&usable.tokens)?;
                continue;
            }
        }
        if let Some(proven) = proven::by(subject, &usable, &outcome, over) {
            broker.logs.prove(proven, now);
        }
        match tries.judge(&outcome, body.replayable(), now) {
            Verdict::Retry(after) => {
                drop(outcome);
                tokio::time::sleep(after).await;
            }
            Verdict::Done => {
                let answer = body.blame(outcome)?;
                return upgrade::answer(answer, switch, prepared.echoes, &call.request_id);
            }
        }
    }
}

/// A newer token after a 401 or what means the same, if there is one: [`credential::after_401`].
async fn newer(
    broker: &Arc<Broker>,
    subject: &Subject,
    used: &Usable,
    caller: &Caller,
) -> Result<Option<Usable>> {
    match credential::after_401(broker, subject, used).await {
        Err(Error::NeedsReauth { .. }) if caller.wants_the_401() => Ok(None),
        told => told,
    }
}

#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod tests;
