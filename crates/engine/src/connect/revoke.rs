//! Revoke: a provider is told that a grant's tokens are not to work any more, where that harms nobody else.
//!
//! What came of it is an answer and never an error: a connection ends whatever its provider says. Must never show a
//! token to another place than the one that it is of. Who calls it: `end`, and whoever holds tokens that can't be kept.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bytes::Bytes;
use claviger_catalog::{Auth, OAuth2, Provider};
use claviger_protocol::oauth2::{Tokens, revoke};
use http::{Response, header::RETRY_AFTER};

use super::{endpoints, party, post};
use crate::{
    broker::Broker,
    domain::{
        connection::{Connection, MOVED},
        integration::Integration,
        revocation::{Outcome, Told},
    },
    error::{Error, ProviderFault, Result},
};

/// How long to wait before each further try of a patient one, where the provider does not say.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// The longest that a patient one waits because the provider says so.
const LONGEST: Duration = Duration::from_secs(60);

/// For how long a connection is taken for ending that was said to be. Whoever said it may have died over it, and then it
/// lives on.
const ENDING: Duration = Duration::from_secs(3600);

/// Whether a provider that fails for now is asked again, shared by those who end many of its connections: once that
/// was in vain, nobody waits any more until it answers again.
#[derive(Debug)]
pub(super) struct Patience {
    left: AtomicBool,
    tries: usize,
}

impl Patience {
    /// Asks once.
    pub(super) fn none() -> Self {
        Self { left: AtomicBool::new(false), tries: 0 }
    }

    /// Asks again.
    pub(super) fn some() -> Self {
        Self { left: AtomicBool::new(true), tries: AGAIN.len() }
    }

    /// How long to wait before the next try; `None` when this was the last.
    fn pause(&self, made: usize, asked: Option<Duration>) -> Option<Duration> {
        let usual = AGAIN.get(made).filter(|_| made < self.tries && self.left.load(Ordering::Relaxed))?;
        let pause = asked.unwrap_or(*usual);
        (pause <= LONGEST).then_some(pause)
    }

    fn learn(&self, answered: bool) {
        self.left.store(answered, Ordering::Relaxed);
    }
}

/// Tells the provider that these tokens are not to work any more, unless another connection may live on the same
/// grant, or they are of another place than the integration's endpoints now are. Asks once.
pub(crate) async fn revoke_unless_shared(
    broker: &Broker,
    integration: &Integration,
    connection: &Connection,
    held: &Tokens,
) -> Told {
    revoke_patiently(broker, integration, connection, held, &Patience::none()).await
}

/// The same, and a provider that fails for now is asked again.
pub(super) async fn revoke_patiently(
    broker: &Broker,
    integration: &Integration,
    connection: &Connection,
    held: &Tokens,
    patience: &Patience,
) -> Told {
    if connection.status_reason.as_deref() == Some(MOVED) {
        let detail = "the integration was pointed elsewhere since, where its tokens are nobody's business";
        return Told::new(Outcome::Skipped, detail);
    }
    let told = match shared(broker, integration, connection).await {
        Ok(false) => try_revoke(broker, integration, connection, held, patience).await,
        Ok(true) => Ok(Told::new(Outcome::Skipped, "another connection shares this client and account")),
        Err(error) => Err(error),
    };
    match told {
        Ok(told) => told,
        Err(error) => {
            tracing::warn!(connection = %connection.id, %error, "the provider could not be told of a disconnect");
            Told::new(Outcome::Failed, error.to_string())
        }
    }
}

/// Whether another connection may live on this one's grant: one of the same client and account, at any provider of
/// the family, that is not about to end itself.
async fn shared(broker: &Broker, integration: &Integration, connection: &Connection) -> Result<bool> {
    let client = endpoints::account_client(integration);
    let mut conn = broker.store.read().await?;
    let since = broker.clock.now().minus(ENDING);
    let others = conn.any_providers_sharing(connection, client, since).await?;
    let family = broker.catalog.family(&integration.provider);
    Ok(others.iter().any(|provider| broker.catalog.family(provider) == family))
}

async fn try_revoke(
    broker: &Broker,
    integration: &Integration,
    connection: &Connection,
    held: &Tokens,
    patience: &Patience,
) -> Result<Told> {
    let provider = endpoints::filled(&*broker.provider(integration)?, &connection.inputs)?;
    let oauth2 = match takes_back(&provider) {
        Ok(oauth2) => oauth2,
        Err(why) => return Ok(Told::new(Outcome::Unsupported, why)),
    };
    let at = endpoints::resolve(broker, integration, &provider, &connection.inputs).await?;
    let calls = revoke::calls(oauth2, at.revoke_url.as_deref(), held);
    if calls.is_empty() {
        return Ok(Told::new(Outcome::Unsupported, "the provider offers no revocation"));
    }
    // Each token is revoked, whatever became of the one before; the worst outcome is kept.
    let mut worst = Told::new(Outcome::Revoked, "");
    for call in calls {
        let ask = || async {
            // An assertion is good for one request.
            let party = party::of(broker, integration, &provider, (&at, call.url()), &held.typed).await?;
            let request = revoke::request(oauth2, &call, &party.client(), held)
                .map_err(|e| Error::internal(e.to_string()))?;
            post::fetch(broker, &party, request).await
        };
        let answer = asked(broker, patience, ask).await?;
        match revoke::outcome(oauth2, answer.status(), answer.body()) {
            revoke::Outcome::Revoked => {}
            revoke::Outcome::Unsupported if worst.outcome == Outcome::Failed => {}
            revoke::Outcome::Unsupported => {
                worst = Told::new(Outcome::Unsupported, "the provider does not revoke such tokens");
            }
            revoke::Outcome::Failed(detail) => worst = Told::new(Outcome::Failed, detail),
        }
    }
    Ok(worst)
}

/// How a provider's tokens are taken back; the reason, where there is no way.
fn takes_back(provider: &Provider) -> std::result::Result<&OAuth2, &'static str> {
    match &provider.auth {
        Auth::OAuth2(oauth2) => Ok(oauth2),
        Auth::OAuth1(_) => Err("OAuth 1 has no revocation; access is taken back at the provider itself"),
        Auth::Keys(_) | Auth::SigV4(_) => Err("a key that was typed in is taken back at the provider itself"),
        Auth::Steps(_) => Err("a token that was fetched with what was typed in ends by itself"),
        Auth::WorkspaceToken(_) => Err("a token that was made here ends by itself"),
    }
}

/// Asks, again where there is patience with a provider that is away, busy or broken for now. To take a token back
/// twice does no harm (RFC 7009 §2.2).
async fn asked<F>(broker: &Broker, patience: &Patience, ask: impl Fn() -> F) -> Result<Response<Bytes>>
where
    F: Future<Output = Result<Response<Bytes>>>,
{
    let mut made = 0;
    loop {
        let answer = ask().await;
        if !may_pass(&answer) {
            patience.learn(true);
            return answer;
        }
        let Some(pause) = patience.pause(made, answer.as_ref().ok().and_then(wished)) else {
            patience.learn(false);
            return answer;
        };
        broker.clock.pause(pause).await;
        made += 1;
    }
}

/// Whether it may be otherwise in a while.
fn may_pass(answer: &Result<Response<Bytes>>) -> bool {
    match answer {
        Ok(answer) => matches!(answer.status().as_u16(), 429 | 500 | 502..=599),
        Err(Error::Provider { fault, .. }) => {
            matches!(fault, ProviderFault::Unreachable | ProviderFault::TimedOut)
        }
        Err(_) => false,
    }
}

/// How long the provider wants to be left alone, where it says so in seconds (RFC 9110 §10.2.3).
fn wished(answer: &Response<Bytes>) -> Option<Duration> {
    answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_when_it_was_in_vain_and_comes_back_with_an_answer() {
        let patience = Patience::some();
        let second = Duration::from_secs(1);
        assert_eq!((patience.pause(0, None), patience.pause(1, None)), (Some(second), Some(5 * second)));
        assert_eq!(patience.pause(2, None), None);
        assert_eq!(patience.pause(0, Some(7 * second)), Some(7 * second), "as the provider wishes");
        assert_eq!(patience.pause(0, Some(61 * second)), None, "but not for ever");
        patience.learn(false);
        assert_eq!(patience.pause(0, None), None);
        patience.learn(true);
        assert_eq!(patience.pause(0, None), Some(second));
        let none = Patience::none();
        none.learn(true);
        assert_eq!(none.pause(0, None), None);
    }
}
