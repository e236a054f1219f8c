//! Ask: the refresh token goes to the provider, and it is judged what became of it there.
//!
//! What is not certain counts as lost: only an answer which says so proves that a token was not spent.

use std::time::Duration;

use claviger_catalog::{Grant, Provider, RefreshWith};
use claviger_protocol::oauth2::{TokenError, TokenErrorKind, Tokens};

use super::{
    Subject,
    run::Run,
    step::{Answer, Plan, Reuse},
};
use crate::{
    broker::Broker,
    connect::{endpoints, exchange, keys, renew},
    domain::integration::Integration,
    error::{Error, ProviderFault},
    fail,
    outbound::Guard,
    time::Millis,
    vault::hash,
};

/// The hash of the refresh token that a refresh spends; `None` where it spends none.
pub(super) fn token_hash(provider: &Provider, held: &Tokens) -> Option<String> {
    let oauth2 = provider.oauth2()?;
    let granted = matches!(oauth2.grant, Grant::AuthorizationCode | Grant::DeviceCode);
    let shown = granted && oauth2.refresh.with == RefreshWith::RefreshToken;
    let token = held.refresh_token.as_ref().filter(|_| shown)?;
    Some(hash::token(&format!("claviger refresh {}", token.expose())))
}

/// The hash of a refresh token that must not be sent twice, as far as is known of its provider.
pub(crate) fn spends(provider: &Provider, held: &Tokens) -> Option<String> {
    token_hash(provider, held).filter(|_| reuse(provider) != Reuse::Always)
}

/// What a provider's file says of a refresh token whose fate is not known.
pub(super) fn plan(broker: &Broker, subject: &Subject) -> Plan {
    // A provider may be at it for as long as an answer would have been waited for.
    let lease = broker.refresh.lease.max(broker.outbound.total_timeout());
    let introspects = endpoints::introspects(&subject.integration, &subject.provider);
    Plan { reuse: reuse(&subject.provider), introspects, lease }
}

/// When a refresh token may be sent again, as far as is known of its provider.
fn reuse(provider: &Provider) -> Reuse {
    match provider.oauth2().map(|oauth2| &oauth2.refresh) {
        Some(refresh) if refresh.rotates == Some(false) => Reuse::Always,
        Some(refresh) if refresh.reuse_seconds > 0 => {
            Reuse::Within(Duration::from_secs(refresh.reuse_seconds))
        }
        _ => Reuse::Never,
    }
}

impl Run {
    /// Shows the refresh token to the provider, or whatever there is to be shown, within the lease and before a time of the
    /// database's, where there is one.
    pub(super) async fn send(&mut self, before: Option<Millis>) -> Answer {
        fail::point("before_send");
        let Some(holding) = &self.holding else { return Answer::Unsent };
        let guard = holding.guard.clone();
        if let Some(before) = before {
            guard.shorten(holding.began.0, before.since(holding.began.1));
        }
        let (answer, word) = if guard.is_over() {
            self.failed = Some(stood_still());
            (Answer::Unsent, "failed")
        } else {
            self.ask(&guard).await
        };
        fail::point("after_send");
        self.broker.metrics.refresh(word);
        self.answer = Some(answer);
        answer
    }

    /// The answer, and the word under which it is counted.
    async fn ask(&mut self, guard: &Guard) -> (Answer, &'static str) {
        let Subject { connection, integration, provider, .. } = &self.subject;
        let (inputs, tokens) = (&connection.inputs, &self.held.usable.tokens);
        let owner = &connection.owner;
        let asked = renew::ask(&self.broker, integration, provider, owner, inputs, tokens, Some(guard)).await;
        let spends = self.token_hash.is_some();
        let refused = match asked {
            Ok(Ok(newer)) => {
                self.got = Some(newer);
                return (Answer::Tokens, "renewed");
            }
            Ok(Err(refused)) => refused,
            Err(error) => {
                self.failed = Some(error);
                return match (guard.left(), spends) {
                    (true, true) => (Answer::Lost, "unknown"),
                    (true, false) => (Answer::Failed, "failed"),
                    (false, _) => (Answer::Unsent, "failed"),
                };
            }
        };
        if ends(integration, provider, &refused) {
            self.failed = Some(exchange::refusal(refused, &[]));
            return (Answer::Refused, "refused");
        }
        // What was asked besides spends no refresh token.
        let lost = spends && guard.left() && is_lost(&refused, guard.status());
        self.retry_after = refused.retry_after.map(Duration::from_secs);
        self.failed = Some(exchange::refusal(refused, &[]));
        if lost { (Answer::Lost, "unknown") } else { (Answer::Failed, "failed") }
    }
}

/// Whether an answer does not say what became of the token: one that can't be read and is no refusal, or one of a gateway,
/// which may have sent the request on.
fn is_lost(refused: &TokenError, status: Option<u16>) -> bool {
    match refused.kind {
        TokenErrorKind::Oauth => false,
        TokenErrorKind::Transient => matches!(status, Some(502 | 504)),
        TokenErrorKind::Unreadable => !status.is_some_and(|status| (400..500).contains(&status)),
    }
}

fn stood_still() -> Error {
    let message = "this process stood still for too long, and sent nothing".to_owned();
    Error::Provider { fault: ProviderFault::TimedOut, message }
}

/// Whether a refusal says that only the connection's owner can help: the grant is over, or the client that it typed in is
/// not taken any more. Of the integration's own client, or our own key, its operator hears.
fn ends(integration: &Integration, provider: &Provider, refused: &TokenError) -> bool {
    let client = matches!(refused.code.as_deref(), Some("invalid_client" | "unauthorized_client"));
    let typed = refused.kind == TokenErrorKind::Oauth
        && client
        && provider.keys().is_some()
        && !keys::is_ours(refused, integration, provider);
    // What only we signed is nobody else's to mend.
    let signed =
        provider.keys().is_none() && provider.oauth2().is_some_and(|oauth2| oauth2.grant == Grant::JwtBearer);
    // RFC 8693 §2.2.2: a token that is not taken any more is an invalid request.
    let exchanged = provider.oauth2().is_some_and(|oauth2| oauth2.grant == Grant::TokenExchange)
        && refused.kind == TokenErrorKind::Oauth
        && refused.code.as_deref() == Some("invalid_request");
    (refused.is_invalid_grant() && !signed) || typed || exchanged
}
