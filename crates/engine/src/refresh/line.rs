//! Line: where refreshes wait before they begin, without a lease and without anything of the database.
//!
//! As many connections as there are may be called at one moment, and each of them needs the database several times over.
//! Those of one provider get so many places and wait for them in the order they came; each provider has a line of its own,
//! so that one which is slow holds nobody else up. Of the claims, whoever's they are, only some are at the database at
//! once: the others leave its connections to the requests that need no refresh. Neither is ever held over the other's
//! limit: a claim's turn ends with its transaction. See `flight` for who waits for the same connection.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use claviger_catalog::{EndpointSource, Provider};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::id::IntegrationId;

/// Refreshes under way at one provider, for each connection that the database allows: most of the time they wait for the
/// provider.
const EACH: usize = 4;
/// Which part of the database's connections claims may have at once.
const CLAIMS: usize = 2;
/// Which part prolonging leases may have.
const PROLONGED: usize = 8;

/// A process's lines. How long they are goes by the connections that it may have to the database.
#[derive(Default)]
pub(super) struct Line {
    places: Mutex<HashMap<String, Weak<Semaphore>>>,
    claims: OnceLock<Arc<Semaphore>>,
    prolonged: OnceLock<Arc<Semaphore>>,
}

/// A place, until it is dropped. There is none only where the semaphore was closed, which nobody does.
pub(super) type Place = Option<OwnedSemaphorePermit>;

impl Line {
    /// Waits for one of a provider's places.
    pub async fn place(&self, of: &str, connections: usize) -> Place {
        self.turns(of, connections).acquire_owned().await.ok()
    }

    /// Waits for the turn to claim.
    pub async fn claim(&self, connections: usize) -> Place {
        some(&self.claims, connections / CLAIMS).acquire_owned().await.ok()
    }

    /// Waits for the turn to prolong a lease.
    pub async fn prolong(&self, connections: usize) -> Place {
        some(&self.prolonged, connections / PROLONGED).acquire_owned().await.ok()
    }

    fn turns(&self, of: &str, connections: usize) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = places.get(of).and_then(Weak::upgrade) {
            return turns;
        }
        places.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new((connections * EACH).max(1)));
        places.insert(of.to_owned(), Arc::downgrade(&turns));
        turns
    }
}

fn some(of: &OnceLock<Arc<Semaphore>>, many: usize) -> Arc<Semaphore> {
    Arc::clone(of.get_or_init(|| Arc::new(Semaphore::new(many.max(1)))))
}

/// Where a provider's connections wait: those of one company behind one another, and those of an integration whose
/// endpoints are its own by themselves.
pub(super) fn place(provider: &Provider, integration: &IntegrationId) -> String {
    match provider.endpoint_source() {
        EndpointSource::File => provider.family.clone(),
        EndpointSource::Issuer | EndpointSource::Integration => integration.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, poll};

    use super::*;

    #[tokio::test]
    async fn each_provider_has_its_places_and_whoever_came_first_has_the_next() {
        let line = Line::default();
        let mut under_way = Vec::new();
        for _ in 0..2 * EACH {
            under_way.push(line.place("slow", 2).now_or_never().expect("there is a place"));
        }
        let (mut first, mut second) = (Box::pin(line.place("slow", 2)), Box::pin(line.place("slow", 2)));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending(), "all are taken");
        assert!(line.place("other", 2).now_or_never().is_some(), "another provider's are not");
        under_way.pop();
        assert!(poll!(&mut second).is_pending(), "it is not its turn");
        let Some(place) = first.now_or_never() else { panic!("it came first") };
        assert!(poll!(&mut second).is_pending());
        drop(place);
        assert!(second.now_or_never().is_some());
        drop(under_way);
        assert!(line.place("third", 2).now_or_never().is_some());
        assert_eq!(line.places.lock().unwrap().len(), 1, "lines that nobody stands in are forgotten");
    }

    #[tokio::test]
    async fn claims_leave_half_of_the_database_to_others_and_there_is_always_one() {
        let line = Line::default();
        let held: Vec<_> = (0..8).map(|_| line.claim(16).now_or_never().expect("a turn")).collect();
        assert!(line.claim(16).now_or_never().is_none(), "half of them");
        assert!(line.prolong(16).now_or_never().is_some(), "a lease is prolonged all the same");
        drop(held);
        assert!(line.claim(16).now_or_never().is_some());
        let small = Line::default();
        let (_claim, _prolonged) =
            (small.claim(1).now_or_never().unwrap(), small.prolong(1).now_or_never().unwrap());
        assert!(small.claim(1).now_or_never().is_none());
    }
}
