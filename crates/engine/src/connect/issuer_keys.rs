//! Issuer keys: the public keys that issuers sign ID tokens with, kept for a while and looked at again for a new one.
//!
//! They are fetched from where the issuer's own metadata says (OpenID Connect Discovery §3), over the one way out. What is
//! kept is bounded, and so is how often a token with an unknown key makes us ask: a hostile one must not make us hammer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use claviger_protocol::id_token::{Keys, MAX_KEYS_BODY};

use crate::{
    broker::Broker,
    error::{Error, ProviderFault, Result},
    time::Millis,
};

/// How long keys are used before they are asked for again: an issuer takes one back by no longer listing it.
const LIFE: Duration = Duration::from_secs(600);
/// How long at least between two looks for a key that was not there.
const AGAIN: Duration = Duration::from_secs(60);
/// The most key sets remembered.
const MOST: usize = 128;

/// Key sets seen lately, by where they are.
#[derive(Default)]
pub(super) struct IssuerKeys(Mutex<HashMap<String, (Millis, Arc<Keys>)>>);

impl IssuerKeys {
    /// A set no older than that.
    fn get(&self, url: &str, now: Millis, most: Duration) -> Option<Arc<Keys>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(url).filter(|(at, _)| now.since(*at) < most).map(|(_, keys)| keys.clone())
    }

    fn put(&self, url: &str, now: Millis, keys: Arc<Keys>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (at, _)| now.since(*at) < LIFE);
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(url.to_owned(), (now, keys));
    }
}

/// The keys at this address, as seen lately.
///
/// # Errors
/// `Provider` when they can't be had.
pub(super) async fn known(broker: &Broker, url: &str) -> Result<Arc<Keys>> {
    within(broker, url, LIFE).await
}

/// The same, looked at once more because a key was not among them; the same again if that was done a moment ago.
///
/// # Errors
/// As [`known`].
pub(super) async fn anew(broker: &Broker, url: &str) -> Result<Arc<Keys>> {
    within(broker, url, AGAIN).await
}

async fn within(broker: &Broker, url: &str, most: Duration) -> Result<Arc<Keys>> {
    let (now, kept) = (broker.clock.now(), broker.discovery.keys());
    if let Some(keys) = kept.get(url, now, most) {
        return Ok(keys);
    }
    let keys = Arc::new(fetch(broker, url).await?);
    kept.put(url, now, keys.clone());
    Ok(keys)
}

async fn fetch(broker: &Broker, url: &str) -> Result<Keys> {
    let unreadable =
        |what: String| Error::Provider { fault: ProviderFault::Unreadable, message: format!("{url} {what}") };
    let request = http::Request::get(url)
        .header(http::header::ACCEPT, "application/json, application/jwk-set+json")
        .body(Bytes::new())
        .map_err(|_| unreadable("is no URL".to_owned()))?;
    let answer = broker.outbound.fetch(request, MAX_KEYS_BODY).await?;
    if answer.status() != http::StatusCode::OK {
        return Err(unreadable(format!("answered {}", answer.status().as_u16())));
    }
    Keys::read(answer.body()).ok_or_else(|| unreadable("is no set of keys".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_kept_for_a_while_and_never_too_many() {
        let kept = IssuerKeys::default();
        let at = |seconds: i64| Millis(seconds * 1000);
        kept.put("a", at(0), Arc::default());
        assert!(kept.get("a", at(599), LIFE).is_some() && kept.get("a", at(600), LIFE).is_none());
        assert!(kept.get("a", at(59), AGAIN).is_some() && kept.get("a", at(60), AGAIN).is_none());
        assert!(kept.get("b", at(0), LIFE).is_none());
        for n in 0..3 * MOST {
            kept.put(&n.to_string(), at(0), Arc::default());
            assert!(kept.0.lock().unwrap().len() <= MOST);
        }
    }
}
