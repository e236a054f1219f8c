//! Phase 7, before the verdict: whether an answer says that the token is over, with 401 or as the provider's file says
//! (`[[api.expired]]`).
//!
//! Where only a body can tell, its beginning is read and then handed on in front of the rest, byte for byte. It must never
//! hold back a body that is long, slow or none of those that can tell, and cost nothing where a file has no such rule.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use claviger_catalog::Expired;
use claviger_protocol::{expired, oauth2::Tokens};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use crate::{
    connect::endpoints,
    outbound::{Body, BoxError, Failure},
    refresh::Subject,
};

/// A longer body tells nothing.
const MOST: usize = 64 * 1024;
/// How long a body may take to be all there; a slower one tells nothing.
const PATIENCE: Duration = Duration::from_secs(2);

type Outcome = Result<Response<Body>, Failure>;

/// The rules of the provider's file that hold for a call with these tokens: none where there is nothing to get others
/// with.
pub(super) fn rules<'a>(subject: &'a Subject, tokens: &Tokens) -> &'a [Expired] {
    let rules = &subject.provider.api.expired[..];
    if rules.is_empty() || !endpoints::refreshable(&subject.provider, tokens) { &[] } else { rules }
}

/// Asks for an answer that can be read, where one has to be.
pub(super) fn ask_plain(rules: &[Expired], headers: &mut HeaderMap) {
    if rules.iter().any(Expired::reads_body) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
}

/// Whether the outcome says that the token is over; and the outcome, its body from its beginning.
pub(super) async fn look(rules: &[Expired], outcome: Outcome) -> (Outcome, bool) {
    look_for(PATIENCE, rules, outcome).await
}

async fn look_for(patience: Duration, rules: &[Expired], outcome: Outcome) -> (Outcome, bool) {
    let Ok(answer) = outcome else { return (outcome, false) };
    if answer.status() == StatusCode::UNAUTHORIZED {
        return (Ok(answer), true);
    }
    if rules.is_empty() {
        return (Ok(answer), false);
    }
    let (status, headers) = (answer.status(), answer.headers());
    if expired::told(rules, status, headers, None) {
        return (Ok(answer), true);
    }
    if !expired::reads_body(rules, status) || !may_tell(rules, &answer) {
        return (Ok(answer), false);
    }
    let (head, body) = answer.into_parts();
    let read = Read::begin(body, patience).await;
    let told = read.whole().is_some_and(|body| expired::told(rules, head.status, &head.headers, Some(&body)));
    (Ok(Response::from_parts(head, Body::new(read))), told)
}

/// Whether the body, by what its head says, is short, plain, and of the type that is looked for.
fn may_tell(rules: &[Expired], answer: &Response<Body>) -> bool {
    let said = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plain = ["", "identity"].contains(&said(header::CONTENT_ENCODING));
    let json = said(header::CONTENT_TYPE).to_ascii_lowercase().contains("json");
    let of_type = json
        || rules
            .iter()
            .any(|rule| rule.status == answer.status().as_u16() && rule.reads_body() && rule.path.is_none());
    let short = answer.body().size_hint().lower() <= u64::try_from(MOST).unwrap_or(u64::MAX);
    plain && of_type && short
}

/// A body whose beginning was read: that first, then the rest.
struct Read {
    first: VecDeque<Result<Frame<Bytes>, BoxError>>,
    rest: Body,
    /// Whether `first` is all of it.
    whole: bool,
}

impl Read {
    /// Reads on until it is all there, or longer or slower than what can tell.
    async fn begin(mut rest: Body, patience: Duration) -> Self {
        let mut first = VecDeque::new();
        let until = tokio::time::Instant::now() + patience;
        let mut bytes = 0;
        let whole = loop {
            if rest.is_end_stream() {
                break true;
            }
            match tokio::time::timeout_at(until, rest.frame()).await {
                Ok(None) => break true,
                Ok(Some(frame)) => {
                    bytes += frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
                    let broken = frame.is_err();
                    first.push_back(frame);
                    if broken || bytes > MOST {
                        break false;
                    }
                }
                Err(_) => break false,
            }
        };
        Self { first, rest, whole }
    }

    /// All of its bytes, where they are all there.
    fn whole(&self) -> Option<Bytes> {
        let mut whole = BytesMut::new();
        for frame in self.first.iter().flatten() {
            whole.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
        }
        self.whole.then(|| whole.freeze())
    }

    fn waiting(&self) -> u64 {
        let bytes = self.first.iter().flatten().filter_map(Frame::data_ref).map(Bytes::len).sum::<usize>();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl http_body::Body for Read {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.first.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None if self.whole => Poll::Ready(None),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_empty() && (self.whole || self.rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = self.waiting();
        if self.whole {
            return SizeHint::with_exact(waiting);
        }
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(waiting.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper() {
            hint.set_upper(waiting.saturating_add(upper));
        }
        hint
    }
}

#[cfg(test)]
#[path = "expired_tests.rs"]
mod tests;
