//! The proxy: one call of a product, made with a connection's credential.
//!
//! [`forward`] reads top to bottom: resolve · limit · target · credential · prepare · send · react · relay ·
//! record, a file each. Bodies stream both ways and are never held whole; what the caller sent and what the
//! provider answered pass byte for byte, but for the headers that `prepare` and `relay` name. It must never
//! send a credential outside of its base URL, and never log a header, a query or a body.

mod credential;
mod headers;
mod limit;
mod prepare;
mod react;
mod record;
mod relay;
mod replay;
mod resolve;
mod send;
mod target;

use std::sync::Arc;

use http::{Request, Response, StatusCode};

pub(crate) use self::headers::not_addable;
pub use self::{credential::Refused, record::Recorder};
use self::{react::Verdict, record::Entry, replay::Replay};
use crate::{
    broker::Broker,
    domain::api_key::ApiKey,
    error::{Error, Result},
    id::{ConnectionId, RequestId},
    outbound::{Body, Failure},
    refresh::Subject,
};

/// One call to make.
pub struct Call {
    /// The key that the caller showed, already found to hold.
    pub key: Arc<ApiKey>,
    /// The connection to use; it need not be the key's.
    pub connection: ConnectionId,
    /// How often to try again; `None` for the default of 2, and never more than 5.
    pub max_retries: Option<u8>,
    /// What to send: method, path and query below the base URL, headers, body.
    pub request: Request<Body>,
    /// The id that the answer and the log row carry.
    pub request_id: RequestId,
    /// How the caller's door says an error of ours, status and code, so that the log row says the same.
    pub said: fn(&Error) -> (u16, &'static str),
}

/// Makes the call and hands back the provider's answer, its body still streaming. Dropping either aborts the
/// exchange with the provider.
///
/// # Errors
/// `Denied`, `NotFound`, `NeedsReauth`, `Limited`, `TargetNotAllowed` before anything is sent; `Provider` when
/// the provider can't be reached. An error status of the provider is an answer.
pub async fn forward(broker: &Arc<Broker>, call: Call) -> Result<Response<Body>> {
    let subject = resolve::subject(broker, &call.key, &call.connection).await?;
    let mut entry = Entry::open(broker, &call, &subject);
    match exchange(broker, &subject, call, &mut entry).await {
        Ok(answer) => Ok(record::watch(answer, entry)),
        Err(error) => {
            entry.failed(&error);
            Err(error)
        }
    }
}

async fn exchange(
    broker: &Arc<Broker>,
    subject: &Subject,
    call: Call,
    entry: &mut Entry,
) -> Result<Response<Body>> {
    limit::take(broker, subject)?;
    let api = target::api(subject)?;
    let uri = target::join(&api, &call.request)?;
    broker.outbound.check_url(&uri)?;
    let mut usable = credential::usable(broker, subject).await?;
    let (caller, body) = call.request.into_parts();
    let body = Replay::new(body, entry.bytes_in());
    let mut renewed = false;
    let mut tries = react::Tries::new(&caller.method, call.max_retries, subject.provider.rate_limit.as_ref());
    loop {
        let prepared = prepare::head(&caller, &uri, &api, &usable.tokens, body.size_hint())?;
        entry.attempts += 1;
        let outcome = send::attempt(broker, prepared.parts, &body).await;
        if refused_the_token(&outcome) {
            if renewed {
                broker.refused.remember(&subject.connection.id, usable.version, broker.clock.now());
            } else if tries.may_refresh()
                && let Some(newer) = credential::after_401(broker, subject, &usable).await?
                && body.replayable()
            {
                (usable, renewed) = (newer, true);
                continue;
            }
        }
        match tries.judge(&outcome, body.replayable(), broker.clock.now()) {
            Verdict::Retry(after) => {
                drop(outcome);
                tokio::time::sleep(after).await;
            }
            Verdict::Done => return Ok(relay::answer(outcome?, prepared.echoes, &call.request_id)),
        }
    }
}

fn refused_the_token(outcome: &std::result::Result<Response<Body>, Failure>) -> bool {
    matches!(outcome, Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED)
}

#[cfg(test)]
mod tests;
