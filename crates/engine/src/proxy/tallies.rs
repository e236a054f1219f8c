//! Tallies: what calls came to, summed up in memory until the next batch is written.
//!
//! A call finds its connection's sums in one of a few shards and adds to them under that shard's lock: nothing is
//! allocated but for the first call of a connection since the last batch. Of very many connections at once the sums are
//! kept by integration alone, so that neither memory nor a batch grows beyond a bound.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    mem,
    sync::{Mutex, PoisonError},
};

use crate::{
    domain::{
        call_rollup::{FinishedCall, RollupKey, Sums},
        connection::Connection,
    },
    id::{ConnectionId, IntegrationId, WorkspaceId},
    name::{ByName, Name},
    time::Millis,
};

/// Each with a lock of its own.
pub(super) const SHARDS: usize = 16;
/// How many connections are told apart in a batch.
pub(super) const MOST: usize = 16_000;
/// A minute in milliseconds.
const MINUTE: i64 = 60_000;

/// The sums of all calls since the last batch.
pub(super) struct Tallies {
    shards: [Mutex<Shard>; SHARDS],
    /// How many connections a shard tells apart.
    room: usize,
}

#[derive(Default)]
struct Shard {
    connections: ByName<Tally>,
    others: HashMap<IntegrationId, Tally>,
}

/// The sums of one connection, or of those of an integration that are not told apart.
struct Tally {
    connection_id: ConnectionId,
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
        Self { shards: Default::default(), room: most.div_ceil(SHARDS) }
    }

    /// Adds a call through this connection. `name` is that of its id.
    pub fn add(&self, name: Name, connection: &Connection, call: &FinishedCall) {
        let Some(shard) = self.shards.get(name.part(SHARDS)) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.tally(name, connection, self.room).add(call);
    }

    /// Takes everything out.
    pub fn take(&self) -> Taken {
        let mut taken = Taken::default();
        for shard in &self.shards {
            let shard = mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            for tally in shard.connections.values() {
                if let Some(at) = tally.used {
                    taken.used.insert(tally.connection_id.clone(), (tally.workspace_id.clone(), at));
                }
                taken.add(Some(&tally.connection_id), tally);
            }
            for tally in shard.others.values() {
                taken.add(None, tally);
            }
        }
        taken
    }
}

impl Shard {
    fn tally(&mut self, name: Name, of: &Connection, room: usize) -> &mut Tally {
        let new = || Tally {
            connection_id: of.id.clone(),
            workspace_id: of.workspace_id.clone(),
            integration_id: of.integration_id.clone(),
            sums: Vec::new(),
            used: None,
        };
        let has_room = self.connections.len() < room;
        match self.connections.entry(name) {
            Entry::Occupied(found) if found.get().connection_id == of.id => found.into_mut(),
            Entry::Vacant(free) if has_room => free.insert(new()),
            Entry::Occupied(_) | Entry::Vacant(_) => {
                self.others.entry(of.integration_id.clone()).or_insert_with(new)
            }
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
