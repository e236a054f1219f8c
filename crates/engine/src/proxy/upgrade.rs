//! Upgrade: a call that becomes a WebSocket (RFC 6455 §4).
//!
//! Its handshake is a call like any other: found, counted, given its credential and made again by the same rules. Once
//! the provider agrees, bytes pass both ways and are not looked into, until one side goes, the call is cut, or the
//! process ends. It must never switch to anything else, nor where the caller did not ask for it.

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::upgrade::{OnUpgrade, on};

use super::{echoes::Echoes, record::Entry, relay};
use crate::{
    broker::Broker,
    error::{Error, ProviderFault, Result},
    id::RequestId,
    outbound::{Body, Broke, Passed, empty, join},
    watch::Ticket,
};

/// The one protocol that is switched to.
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
/// What clients offer unasked, and nobody has to take up (RFC 9113 §3.1 took it back).
const IGNORED: &str = "h2c";

/// The caller's side of a call that is to become a WebSocket.
pub(super) struct Switch(OnUpgrade);

/// What a call came to.
pub(super) enum Answer {
    /// The provider's answer, its head as the caller gets it; and what its trailers must not repeat.
    Passed(Response<Body>, Echoes),
    /// Both sides agreed to go on as a WebSocket.
    Agreed(Box<Agreed>),
}

impl Answer {
    /// The headers that the caller gets.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        match self {
            Self::Passed(answer, _) => answer.headers_mut(),
            Self::Agreed(agreed) => agreed.head.headers_mut(),
        }
    }
}

/// Both sides, and the head by which the caller learns that they agreed.
pub(super) struct Agreed {
    head: Response<Body>,
    caller: OnUpgrade,
    provider: OnUpgrade,
}

/// Whether the call is to become a WebSocket; the caller's side of its connection then. `offered` says whether this
/// caller can have one.
///
/// # Errors
/// `NotSupported` for another protocol, and for a WebSocket that this caller or this request can't have.
pub(super) fn asked(request: &mut Request<Body>, offered: bool) -> Result<Option<Switch>> {
    let side = request.extensions_mut().remove::<OnUpgrade>();
    let wanted = wanted(request.headers());
    // In other versions the header means nothing (RFC 9110 §7.8).
    if request.version() != Version::HTTP_11 || wanted.iter().all(|one| one.eq_ignore_ascii_case(IGNORED)) {
        return Ok(None);
    }
    let websocket = matches!(&wanted[..], [one] if one.eq_ignore_ascii_case("websocket"));
    let refused = |message: &str| Err(Error::NotSupported { message: message.to_owned() });
    match side {
        _ if !websocket => refused("A connection can be upgraded to a WebSocket only"),
        _ if request.method() != Method::GET => refused("A WebSocket begins with a GET"),
        _ if !offered => refused("WebSockets are offered at the proxy only"),
        None => refused("This connection can't be upgraded"),
        Some(side) => Ok(Some(Switch(side))),
    }
}

/// The protocols that this connection is asked to switch to.
fn wanted(headers: &HeaderMap) -> Vec<&str> {
    let list = |name| {
        let values = headers.get_all(name).iter();
        values
            .flat_map(|value| value.to_str().unwrap_or("?").split(','))
            .map(str::trim)
            .filter(|one| !one.is_empty())
    };
    let asked = list(header::CONNECTION).any(|one| one.eq_ignore_ascii_case("upgrade"));
    if asked { list(header::UPGRADE).collect() } else { Vec::new() }
}

/// Asks the provider for the same.
pub(super) fn ask(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, WEBSOCKET);
}

/// The provider's answer as the caller gets it.
///
/// # Errors
/// `Provider` for a switch that was not asked for.
pub(super) fn answer(
    mut from: Response<Body>,
    switch: Option<Switch>,
    echoes: Echoes,
    request_id: &RequestId,
) -> Result<Answer> {
    if from.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Answer::Passed(relay::answer(from, &echoes, request_id), echoes));
    }
    let to_websocket = from
        .headers()
        .get(header::UPGRADE)
        .is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()));
    let Some(Switch(caller)) = switch.filter(|_| to_websocket) else {
        let message = "it switched to another protocol than was asked for".to_owned();
        return Err(Error::Provider { fault: ProviderFault::Unreadable, message });
    };
    let provider = on(&mut from);
    let mut head = relay::answer(from, &echoes, request_id).map(|_| empty());
    ask(head.headers_mut());
    head.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(Answer::Agreed(Box::new(Agreed { head, caller, provider })))
}

/// Hands the head on. Its row is complete when the WebSocket that it began has ended.
pub(super) fn begin(broker: &Broker, agreed: Agreed, ticket: Ticket, mut entry: Entry) -> Response<Body> {
    let Agreed { head, caller, provider } = agreed;
    entry.answered(head.status());
    broker.tasks.spawn(carry(caller, provider, ticket, entry));
    head
}

/// Carries bytes both ways until it ends, and says so in the row.
async fn carry(caller: OnUpgrade, provider: OnUpgrade, ticket: Ticket, mut entry: Entry) {
    let passed = Passed::default();
    let both = async {
        let caller = caller.await.map_err(|_| Broke::Caller)?;
        let provider = provider.await.map_err(|_| Broke::Provider)?;
        join(caller, provider, &passed).await
    };
    let ended = tokio::select! {
        biased;
        _why = ticket.cut() => Some("access_ended"),
        ended = both => match ended {
            Ok(()) => None,
            Err(Broke::Caller) => Some("caller_gone"),
            Err(Broke::Provider) => Some("upstream_broken"),
        },
    };
    entry.passed(&passed, ended);
}

#[cfg(test)]
#[path = "upgrade_tests.rs"]
mod tests;
