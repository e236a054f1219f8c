//! Attempt: one request to one endpoint, stamped and signed anew.
//!
//! It goes through `outbound`, so the address policy holds and no redirect is followed. Of the answer only its status
//! and first kilobyte are kept; neither is ever logged.

use std::time::Duration;

use http::{Request, Uri};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::super::{payload, secrets, sign};
use crate::{
    broker::Broker,
    domain::webhook::{Attempt, Errand},
    error::Result,
    id::AttemptId,
    outbound::{self, Body},
    time::Millis,
};

/// How long an attempt may take in all.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of the answer that are kept.
const ANSWER: usize = 1024;

/// Makes an attempt; whatever the endpoint does is its outcome.
///
/// # Errors
/// `Internal` for a fault of ours: a secret that does not open.
pub(super) async fn make(broker: &Broker, errand: &Errand) -> Result<Attempt> {
    let at = broker.clock.now();
    let began = Instant::now();
    let outcome = match request(broker, errand, at)? {
        Some(request) => send(broker, request, began + TIMEOUT).await,
        None => Err("the endpoint's URL is not one that can be sent to".to_owned()),
    };
    let took = began.elapsed();
    let attempt = Attempt {
        id: AttemptId::new(),
        delivery_id: errand.delivery.id.clone(),
        number: 0,
        status: outcome.as_ref().ok().map(|answer| answer.status),
        error: outcome.as_ref().err().cloned(),
        answer: outcome.ok().map(|answer| answer.text),
        duration_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
        at,
    };
    let word = match attempt.status {
        _ if arrived(&attempt) => "delivered",
        Some(_) => "refused",
        None => "failed",
    };
    broker.metrics.attempt(word, took.as_secs_f64());
    Ok(attempt)
}

/// Whether the endpoint took it: any 2xx, and nothing else.
pub(super) fn arrived(attempt: &Attempt) -> bool {
    attempt.status.is_some_and(|status| (200..300).contains(&status))
}

/// The signed request; `None` when the endpoint's URL is none.
fn request(broker: &Broker, errand: &Errand, at: Millis) -> Result<Option<Request<Body>>> {
    let Some(uri) = Url::parse(&errand.endpoint.url).ok().and_then(|url| url.as_str().parse::<Uri>().ok())
    else {
        return Ok(None);
    };
    let body = payload::body(&errand.event, errand.endpoint.format, at)?;
    let headers = {
        let secrets = secrets::open(&broker.vault, &errand.endpoint, at)?;
        sign::headers(&secrets, &errand.event.id, at, &body)?
    };
    let mut request = Request::new(outbound::full(body));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = uri;
    request.headers_mut().extend(headers);
    Ok(Some(request))
}

struct Answer {
    status: i64,
    text: String,
}

async fn send(
    broker: &Broker,
    request: Request<Body>,
    until: Instant,
) -> std::result::Result<Answer, String> {
    let answer = match timeout_at(until, broker.outbound.send(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failure)) => return Err(failure.message),
        Err(_) => return Err("no answer came in time".to_owned()),
    };
    let status = i64::from(answer.status().as_u16());
    let mut kept = Vec::new();
    // The status is there: a body that stalls or breaks changes nothing.
    let _stalled = timeout_at(until, begin_of(answer.into_body(), &mut kept)).await;
    Ok(Answer { status, text: shown(&kept) })
}

/// Reads the first bytes of a body, and no further.
async fn begin_of(mut body: Body, kept: &mut Vec<u8>) {
    while let Some(Ok(frame)) = body.frame().await {
        let Some(data) = frame.data_ref() else { continue };
        let room = ANSWER - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
        if kept.len() >= ANSWER {
            return;
        }
    }
}

/// An answer as it is kept: text, without control characters other than line breaks and tabs.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn an_answer_is_kept_as_text() {
        assert_eq!(shown(b"a\x00b\x1b[31m\r\nc\t\xff"), "ab[31m\nc\t\u{fffd}");
    }
}
