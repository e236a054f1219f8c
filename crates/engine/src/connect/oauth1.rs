//! OAuth 1.0a (RFC 5849): temporary credentials before the browser leaves, a verifier when it is back, and a signature on
//! every request.
//!
//! The flow is the one of any other provider: our state is in the query of the callback that the provider is given, so
//! a consent and a refusal both come back with it. Must never take a verifier that came with other temporary credentials
//! than the flow's, nor send a request of a signing provider unsigned.

use bytes::Bytes;
use claviger_catalog::{Auth, OAuth1, Provider, Signature};
use claviger_protocol::{
    ProtocolError,
    oauth1::{
        Client, Stamp,
        dance::{self, Returned},
        read, sign,
    },
    oauth2::Tokens,
};
use http::{Request, request::Parts};

use super::{ANSWER_CAP, endpoints, exchange, tokens};
use crate::{
    broker::Broker,
    domain::{flow::Endpoints, integration::Integration},
    error::{Error, Result},
    secret::{Secret, token},
    vault::hash,
};

/// What signs the requests to one provider: the client that a workspace registered there, and how the file wants it.
pub(crate) struct Signer {
    oauth1: OAuth1,
    key: String,
    secret: Secret,
}

impl Signer {
    /// What signs calls with this provider's credentials; `None` where they are not signed. `provider` is filled.
    ///
    /// # Errors
    /// `Conflict` when the integration has no client yet.
    pub(crate) fn of(
        broker: &Broker,
        integration: &Integration,
        provider: &Provider,
    ) -> Result<Option<Self>> {
        match &provider.auth {
            Auth::OAuth1(oauth1) => Self::new(broker, integration, oauth1).map(Some),
            Auth::OAuth2(_) | Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) | Auth::WorkspaceToken(_) => {
                Ok(None)
            }
        }
    }

    fn new(broker: &Broker, integration: &Integration, oauth1: &OAuth1) -> Result<Self> {
        let key = integration.client_id.clone().ok_or_else(|| endpoints::no_client(integration))?;
        let secret = tokens::client_secret(broker, integration)?.ok_or_else(|| Error::Conflict {
            message: format!("integration `{}` has no client secret yet", integration.key),
        })?;
        let mut oauth1 = oauth1.clone();
        if let Some(chosen) = &integration.config.signature {
            let known = Signature::parse(chosen);
            oauth1.signature = known.ok_or_else(|| Error::internal("an unknown signature was stored"))?;
        }
        Ok(Self { oauth1, key, secret })
    }

    /// Signs a call in the making, of which everything else is said. `form` is its body, where that is a form.
    pub(crate) fn call(
        &self,
        broker: &Broker,
        tokens: &Tokens,
        parts: &mut Parts,
        form: Option<&[u8]>,
    ) -> Result<()> {
        let made = self
            .stamped(broker, |stamp| sign::call(&self.oauth1, &self.client(), tokens, parts, form, stamp))?;
        made.map_err(|error| unsigned(&error))
    }

    /// Signs a request of our own.
    pub(super) fn request(
        &self,
        broker: &Broker,
        tokens: &Tokens,
        request: Request<Bytes>,
    ) -> Result<Request<Bytes>> {
        let made = self
            .stamped(broker, |stamp| sign::request(&self.oauth1, &self.client(), tokens, request, stamp))?;
        made.map_err(|error| unsigned(&error))
    }

    /// The client's secret, which a provider could repeat that is called with `PLAINTEXT`.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    fn client(&self) -> Client<'_> {
        Client { key: &self.key, secret: &self.secret }
    }

    /// Does something with a nonce of its own and the time.
    fn stamped<T>(&self, broker: &Broker, work: impl FnOnce(Stamp<'_>) -> T) -> Result<T> {
        let nonce = token()?;
        Ok(work(Stamp { nonce: nonce.expose(), timestamp: broker.clock.now().0 / 1000 }))
    }
}

fn unsigned(error: &ProtocolError) -> Error {
    Error::Conflict { message: format!("the call can't be signed: {error}") }
}

/// Signs a request of our own to a provider's API, where its calls are signed. `provider` is filled.
pub(super) fn signed(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    tokens: &Tokens,
    request: Request<Bytes>,
) -> Result<Request<Bytes>> {
    match Signer::of(broker, integration, provider)? {
        Some(signer) => signer.request(broker, tokens, request),
        None => Ok(request),
    }
}

/// Asks for temporary credentials and says where the browser goes with them. Gives them too, as JSON, for the flow to
/// keep sealed until it is back. `oauth1` is filled.
///
/// # Errors
/// `Provider` when it gives none.
pub(super) async fn leave(
    broker: &Broker,
    integration: &Integration,
    oauth1: &OAuth1,
    at: &Endpoints,
    state: &Secret,
) -> Result<(String, Secret)> {
    let signer = Signer::new(broker, integration, oauth1)?;
    let url = at.request_token_url.as_deref().ok_or_else(|| Error::internal("no request token URL"))?;
    let callback = with_state(&at.redirect_uri, state);
    let made = |e| Error::internal(format!("temporary credentials of {}: {e}", integration.id));
    let request = signer
        .stamped(broker, |stamp| dance::temporary(&signer.oauth1, url, &signer.client(), &callback, stamp))?;
    let answer = broker.outbound.fetch(request.map_err(made)?, ANSWER_CAP).await?;
    let given = read::temporary(answer.status(), answer.headers(), answer.body(), broker.clock.now().0)
        .map_err(|error| exchange::refusal(error, &[Some(&signer.secret), Some(state)]))?;
    let extra = &integration.config.authorize_params;
    let away = dance::authorize_url(&signer.oauth1, &at.authorize_url, &signer.client(), &given, extra);
    Ok((away.map_err(made)?, given.to_json()))
}

/// The callback with our state in its query.
fn with_state(redirect_uri: &str, state: &Secret) -> String {
    let joint = if redirect_uri.contains('?') { '&' } else { '?' };
    let state: String = url::form_urlencoded::byte_serialize(state.expose().as_bytes()).collect();
    format!("{redirect_uri}{joint}state={state}")
}

/// What the browser brought back.
pub(super) enum Brought {
    /// The verifier.
    Verifier(Secret),
    /// Access was not granted, in the provider's word.
    Refused(String),
}

/// Reads a callback. `kept` is what [`leave`] gave.
///
/// # Errors
/// `Invalid` when it is of other temporary credentials, or neither a consent nor a refusal.
pub(super) fn brought(query: &str, kept: &Secret) -> Result<Brought> {
    let wrong = |message: &str| Error::invalid("callback", message);
    let kept = held(kept)?;
    let returned = dance::returned(query).map_err(|e| wrong(&e.to_string()))?;
    let (token, brought) = match returned {
        Returned::Verified { token, verifier } => (Some(token), Brought::Verifier(verifier)),
        Returned::Refused { token, problem } => (token, Brought::Refused(problem)),
    };
    // A refusal need not say of what: it came with our state.
    if token.is_some_and(|token| !hash::same(token.expose(), kept.access_token.expose())) {
        return Err(wrong("the answer is to another authorization"));
    }
    Ok(brought)
}

fn held(kept: &Secret) -> Result<Tokens> {
    Tokens::from_json(kept).map_err(|_| Error::internal("a flow's temporary credentials are unreadable"))
}

/// Exchanges the verifier for the token (RFC 5849 §2.3). `oauth1` is filled.
///
/// # Errors
/// `Provider` with what went wrong, in the provider's words where it has any.
pub(super) async fn exchange(
    broker: &Broker,
    integration: &Integration,
    oauth1: &OAuth1,
    at: &Endpoints,
    kept: &Secret,
    verifier: &Secret,
) -> Result<Tokens> {
    let signer = Signer::new(broker, integration, oauth1)?;
    let temporary = held(kept)?;
    let request = signer.stamped(broker, |stamp| {
        dance::token(&signer.oauth1, &at.token_url, &signer.client(), &temporary, verifier, stamp)
    })?;
    let request =
        request.map_err(|e| Error::internal(format!("token request of {}: {e}", integration.id)))?;
    let answer = broker.outbound.fetch(request, ANSWER_CAP).await?;
    let (status, now) = (answer.status(), broker.clock.now().0);
    read::tokens(&signer.oauth1, status, answer.headers(), answer.body(), now).map_err(|error| {
        let sent = [
            Some(&signer.secret),
            Some(verifier),
            Some(&temporary.access_token),
            temporary.token_secret.as_ref(),
        ];
        exchange::refusal(error, &sent)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Secret {
        Tokens { token_secret: Some(Secret::new("ts")), ..Tokens::of(Secret::new("temp 1"), "OAuth") }
            .to_json()
    }

    #[test]
    fn the_state_goes_into_the_callbacks_own_query() {
        let state = Secret::new("a:b c");
        for (uri, want) in [
            ("https://a.test/cb", "https://a.test/cb?state=a%3Ab+c"),
            ("https://a.test/cb?x=1", "https://a.test/cb?x=1&state=a%3Ab+c"),
        ] {
            assert_eq!(with_state(uri, &state), want);
        }
    }

    #[test]
    fn an_answer_is_the_flows_own_or_none() {
        let read = |query: &str| match brought(query, &kept()) {
            Ok(Brought::Verifier(verifier)) => format!("verifier {}", verifier.expose()),
            Ok(Brought::Refused(problem)) => format!("refused {problem}"),
            Err(Error::Invalid { field, .. }) => format!("wrong {field}"),
            Err(error) => panic!("{error}"),
        };
        for (query, want) in [
            ("state=s&oauth_token=temp+1&oauth_verifier=v%2B", "verifier v+"),
            ("state=s&oauth_token=temp%201&denied=temp+1", "refused user_refused"),
            ("state=s&denied=temp%201", "refused user_refused"),
            ("state=s&oauth_problem=user_refused", "refused user_refused"),
            ("state=s&oauth_token=temp+2&oauth_verifier=v", "wrong callback"),
            ("state=s&denied=temp+2", "wrong callback"),
            ("state=s&oauth_token=temp+1", "wrong callback"),
            ("state=s&oauth_token=temp+1&oauth_verifier=", "wrong callback"),
            ("state=s&oauth_verifier=v", "wrong callback"),
            ("state=s&oauth_token=temp+1&oauth_token=temp+1&oauth_verifier=v", "wrong callback"),
            ("state=s", "wrong callback"),
        ] {
            assert_eq!(read(query), want, "{query}");
        }
    }
}
