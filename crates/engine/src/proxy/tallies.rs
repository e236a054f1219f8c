//! Tallies: what calls came to, summed up in memory until the next batch is written.
//!
//! A call finds its connection's sums in one of a few shards and adds to them under that shard's lock: nothing is
//! allocated but for the first call of a connection since the last batch. Of very many connections at once the sums are
//! kept by integration alone, so that neither memory nor a batch grows beyond a bound.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher as _, RandomState},
    mem,
    sync::{Mutex, PoisonError},
};

use crate::{
    domain::{
        call_rollup::{FinishedCall, RollupKey, Sums},
        connection::Connection,
    },
    id::{ConnectionId, IntegrationId, WorkspaceId},
    time::Millis,
};

const SHARDS: usize = 16;
/// How many connections are told apart in a batch.
pub(super) const MOST: usize = 16_000;
/// A minute in milliseconds.
const MINUTE: i64 = 60_000;

/// The sums of all calls since the last batch.
pub(super) struct Tallies {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    /// How many connections a shard tells apart.
    room: usize,
}

#[derive(Default)]
struct Shard {
    connections: HashMap<ConnectionId, Tally>,
    others: HashMap<IntegrationId, Tally>,
}

/// The sums of one connection, or of those of an integration that are not told apart.
struct Tally {
    workspace_id: WorkspaceId,
    integration_id: IntegrationId,
    /// By minute and class of status: two or three.
    sums: Vec<((Millis, u8), Sums)>,
    /// When the provider was last asked.
    used: Option<Millis>,
}

/// What was summed up, ready to be written.
#[derive(Default)]
pub(super) struct Taken {
    pub sums: BTreeMap<RollupKey, Sums>,
    /// Which connections asked their provider, and when last, in the order of their ids.
    pub used: BTreeMap<ConnectionId, (WorkspaceId, Millis)>,
}

impl Tallies {
    pub fn new(most: usize) -> Self {
        Self { shards: Default::default(), hasher: RandomState::new(), room: most.div_ceil(SHARDS) }
    }

    /// A number that is a text's own and that nobody can foresee.
    pub fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// Adds a call through this connection. `hash` is that of its id.
    pub fn add(&self, hash: u64, connection: &Connection, call: &FinishedCall) {
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let Some(shard) = self.shards.get(at) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.tally(connection, self.room).add(call);
    }

    /// Takes everything out.
    pub fn take(&self) -> Taken {
        let mut taken = Taken::default();
        for shard in &self.shards {
            let shard = mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            for (id, tally) in shard.connections {
                if let Some(at) = tally.used {
                    taken.used.insert(id.clone(), (tally.workspace_id.clone(), at));
                }
                taken.add(Some(&id), &tally);
            }
            for tally in shard.others.values() {
                taken.add(None, tally);
            }
        }
        taken
    }
}

impl Shard {
    fn tally(&mut self, of: &Connection, room: usize) -> &mut Tally {
        let new = || Tally {
            workspace_id: of.workspace_id.clone(),
            integration_id: of.integration_id.clone(),
            sums: Vec::new(),
            used: None,
        };
        // Looked for before it is made: an entry would take a copy of the id each time.
        if !self.connections.contains_key(&of.id) && self.connections.len() < room {
            self.connections.insert(of.id.clone(), new());
        }
        match self.connections.get_mut(&of.id) {
            Some(tally) => tally,
            None => self.others.entry(of.integration_id.clone()).or_insert_with(new),
        }
    }
}

impl Tally {
    fn add(&mut self, call: &FinishedCall) {
        let key = (Millis(call.at.0.saturating_sub(call.at.0.rem_euclid(MINUTE))), call.class());
        let at = self.sums.iter().rposition(|(held, _)| *held == key).unwrap_or_else(|| {
            self.sums.push((key, Sums::default()));
            self.sums.len() - 1
        });
        if let Some((_, sums)) = self.sums.get_mut(at) {
            sums.add(call);
        }
        if call.attempts > 0 {
            self.used = self.used.max(Some(call.at));
        }
    }
}

impl Taken {
    fn add(&mut self, connection: Option<&ConnectionId>, tally: &Tally) {
        for ((minute, class), sums) in &tally.sums {
            let key = RollupKey {
                workspace_id: tally.workspace_id.clone(),
                minute: *minute,
                integration_id: tally.integration_id.clone(),
                connection_id: connection.cloned(),
                class: *class,
            };
            self.sums.entry(key).or_default().merge(sums);
        }
    }
}
