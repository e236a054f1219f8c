//! Discovery: server metadata by issuer (RFC 8414, OpenID Connect Discovery), kept for a while.
//!
//! Endpoints are resolved at run time from the issuer and never kept as configuration, so that a shared
//! callback path stays safe; the issuer in the answer must equal the one asked for (RFC 8414 §3.3).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use claviger_protocol::oauth2::discovery::{self, Metadata};

use super::{ANSWER_CAP, issuer_keys::IssuerKeys};
use crate::{
    broker::Broker,
    error::{Error, ProviderFault, Result},
    time::Millis,
};

/// How long metadata is used before it is asked for again.
const LIFE: Duration = Duration::from_secs(600);
/// The most issuers remembered.
const MOST: usize = 1024;

/// Server metadata seen lately, by issuer, and the keys that it points to.
#[derive(Default)]
pub struct Discovery {
    metadata: Mutex<HashMap<String, (Millis, Arc<Metadata>)>>,
    keys: IssuerKeys,
}

impl Discovery {
    pub(super) fn keys(&self) -> &IssuerKeys {
        &self.keys
    }

    fn get(&self, issuer: &str, now: Millis) -> Option<Arc<Metadata>> {
        let known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(issuer).filter(|(at, _)| now.since(*at) < LIFE).map(|(_, found)| found.clone())
    }

    fn put(&self, issuer: &str, now: Millis, found: Arc<Metadata>) {
        let mut known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (at, _)| now.since(*at) < LIFE);
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(issuer.to_owned(), (now, found));
    }
}

/// The metadata of an issuer.
///
/// # Errors
/// `Provider` when it can't be fetched, is too large, or names another issuer.
pub(super) async fn metadata(broker: &Broker, issuer: &str) -> Result<Arc<Metadata>> {
    let now = broker.clock.now();
    if let Some(found) = broker.discovery.get(issuer, now) {
        return Ok(found);
    }
    let urls = discovery::urls(issuer).map_err(|e| Error::invalid("issuer", e.to_string()))?;
    let mut last = Error::Provider { fault: ProviderFault::Unreadable, message: "no metadata found".into() };
    for url in urls {
        match fetch(broker, issuer, &url).await {
            Ok(found) => {
                let found = Arc::new(found);
                broker.discovery.put(issuer, now, found.clone());
                return Ok(found);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn fetch(broker: &Broker, issuer: &str, url: &str) -> Result<Metadata> {
    let request = http::Request::get(url)
        .header(http::header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| Error::invalid("issuer", "the issuer is not a URL"))?;
    let answer = broker.outbound.fetch(request, ANSWER_CAP).await?;
    if answer.status() != http::StatusCode::OK {
        let message = format!("{url} answered {}", answer.status().as_u16());
        return Err(Error::Provider { fault: ProviderFault::Unreadable, message });
    }
    discovery::read(issuer, answer.body())
        .map_err(|e| Error::Provider { fault: ProviderFault::Unreadable, message: format!("{url}: {e}") })
}
