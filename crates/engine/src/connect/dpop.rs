//! DPoP (RFC 9449): the key that a connection's tokens are bound to, the proofs that it signs, and the nonces that
//! servers want in them.
//!
//! A key is made for the first token request of a connection, sealed with its tokens, and stays across refreshes. Each
//! request gets a proof of its own, a repeated one too: servers refuse a proof that they have seen. Must never let a key
//! out, nor show one server's nonce to another.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use claviger_catalog::OAuth2;
use claviger_protocol::{
    dpop::{self, Claims, Key},
    oauth2::Tokens,
};
use http::{HeaderMap, HeaderValue, Uri, request::Parts};

use crate::{
    broker::Broker,
    domain::integration::Integration,
    error::{Error, Result},
    secret::{self, Secret},
};

/// How many servers' nonces are remembered; beyond it the one heard of first is forgotten.
const MOST: usize = 1_000;

/// What servers last said to put into the next proof, by origin (RFC 9449 §8.2). In memory, of this process: whoever
/// knows none is told one and asks again.
#[derive(Debug, Default)]
pub struct Nonces(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    by_origin: HashMap<String, String>,
    order: VecDeque<String>,
}

impl Nonces {
    fn of(&self, origin: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_origin.get(origin).cloned()
    }

    fn remember(&self, origin: String, nonce: &str) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.by_origin.insert(origin.clone(), nonce.to_owned()).is_none() {
            remembered.order.push_back(origin);
        }
        if remembered.order.len() > MOST
            && let Some(first) = remembered.order.pop_front()
        {
            remembered.by_origin.remove(&first);
        }
    }
}

/// What signs the proofs of one connection.
pub(crate) struct Prover {
    kept: Secret,
    key: Key,
}

impl Prover {
    /// With a key that was not there before.
    pub(super) fn fresh() -> Result<Self> {
        Self::with(&Key::text(&secret::p256()?))
    }

    /// With a key that is kept already.
    pub(super) fn with(kept: &Secret) -> Result<Self> {
        let key = Key::read(kept).map_err(|e| Error::internal(e.to_string()))?;
        Ok(Self { kept: kept.clone(), key })
    }

    /// What proves calls with these tokens; `None` where the token is shown alone.
    pub(crate) fn of(tokens: &Tokens) -> Result<Option<Self>> {
        tokens.proof_key().map(Self::with).transpose()
    }

    /// The key, as it is sealed with the tokens.
    pub(super) fn kept(&self) -> &Secret {
        &self.kept
    }

    /// Puts a fresh proof into a request of which method and URL are said already. `token` is the one that it shows; none
    /// at a token endpoint.
    pub(crate) fn prove(&self, broker: &Broker, parts: &mut Parts, token: Option<&Secret>) -> Result<()> {
        let jti = secret::token()?;
        let nonce = dpop::origin(&parts.uri).and_then(|origin| broker.nonces.of(&origin));
        let made = dpop::proof(
            &self.key,
            &Claims {
                method: &parts.method,
                uri: &parts.uri,
                jti: jti.expose(),
                iat: broker.clock.now().0 / 1000,
                nonce: nonce.as_deref(),
                access_token: token,
            },
        );
        let value = made.ok().and_then(|proof| HeaderValue::from_str(&proof).ok());
        parts.headers.insert(dpop::PROOF, value.ok_or_else(|| Error::internal("no proof could be made"))?);
        Ok(())
    }
}

/// Whether the tokens of an integration's connections are to be bound to a key. `oauth2` is its provider's.
pub(super) fn wanted(integration: &Integration, oauth2: &OAuth2) -> bool {
    integration.config.dpop.unwrap_or(oauth2.dpop.is_some())
}

/// Remembers the nonce that an answer of the server at this URL gives, if it gives one.
pub(crate) fn learn(broker: &Broker, uri: &Uri, headers: &HeaderMap) {
    if let (Some(nonce), Some(origin)) = (dpop::nonce(headers), dpop::origin(uri)) {
        broker.nonces.remember(origin, nonce);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_origin_has_its_own_last_nonce_and_only_so_many_are_kept() {
        let nonces = Nonces::default();
        nonces.remember("https://a.test".to_owned(), "1");
        nonces.remember("https://b.test".to_owned(), "2");
        nonces.remember("https://a.test".to_owned(), "3");
        assert_eq!(nonces.of("https://a.test").as_deref(), Some("3"));
        assert_eq!(nonces.of("https://b.test").as_deref(), Some("2"));
        assert_eq!(nonces.of("https://a.test:8443"), None);
        for n in 0..MOST {
            nonces.remember(format!("https://{n}.test"), "n");
        }
        assert_eq!((nonces.of("https://a.test"), nonces.of("https://b.test")), (None, None));
        let remembered = nonces.0.lock().unwrap();
        assert_eq!((remembered.by_origin.len(), remembered.order.len()), (MOST, MOST));
    }

    #[test]
    fn a_key_is_new_for_each_connection_and_kept_as_it_is() {
        let (one, other) = (Prover::fresh().unwrap(), Prover::fresh().unwrap());
        assert_ne!(one.key.thumbprint(), other.key.thumbprint());
        let again = Prover::with(one.kept()).unwrap();
        assert_eq!(again.key.thumbprint(), one.key.thumbprint());
        assert!(Prover::of(&Tokens::of(Secret::new("t"), "DPoP")).unwrap().is_none());
    }
}
