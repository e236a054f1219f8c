//! The board: how many attempts are under way, and who may begin the next. Pure.
//!
//! A dead endpoint holds a place for the whole timeout. So that it slows no other, an endpoint, a workspace and the
//! process each have a bound; past half of the latter two only an endpoint with nothing under way gets a place; and
//! whoever has the least under way comes first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use crate::id::{EndpointId, WorkspaceId};

/// Attempts under way to one endpoint, at most.
pub(super) const PER_ENDPOINT: usize = 8;
/// Attempts under way for one workspace, at most.
pub(super) const PER_WORKSPACE: usize = 64;
/// Attempts under way in this process, at most.
pub(super) const IN_ALL: usize = 128;

/// What is under way in this process.
#[derive(Default)]
pub(super) struct Board {
    workspaces: BTreeMap<WorkspaceId, usize>,
    endpoints: BTreeMap<EndpointId, usize>,
    all: usize,
}

impl Board {
    /// An attempt began.
    pub fn took_off(&mut self, workspace: &WorkspaceId, endpoint: &EndpointId) {
        *self.workspaces.entry(workspace.clone()).or_default() += 1;
        *self.endpoints.entry(endpoint.clone()).or_default() += 1;
        self.all += 1;
    }

    /// An attempt ended.
    pub fn landed(&mut self, workspace: &WorkspaceId, endpoint: &EndpointId) {
        less(&mut self.workspaces, workspace);
        less(&mut self.endpoints, endpoint);
        self.all = self.all.saturating_sub(1);
    }

    /// Whether nobody may begin anything.
    pub fn is_full(&self) -> bool {
        self.all >= IN_ALL
    }

    /// How many attempts each of those who wait may begin, in the order of their ids; who may begin none is not named.
    pub fn share(&self, waiting: &[(WorkspaceId, EndpointId)]) -> BTreeMap<EndpointId, usize> {
        // For each workspace its endpoints, least busy first; and of the workspaces the least busy first.
        let mut rows: BTreeMap<&WorkspaceId, BinaryHeap<Reverse<(usize, &EndpointId)>>> = BTreeMap::new();
        for (workspace, endpoint) in waiting {
            let busy = self.endpoints.get(endpoint).copied().unwrap_or_default();
            rows.entry(workspace).or_default().push(Reverse((busy, endpoint)));
        }
        let busy = |workspace| self.workspaces.get(workspace).copied().unwrap_or_default();
        let mut turns: BinaryHeap<_> =
            rows.keys().map(|workspace| Reverse((busy(workspace), *workspace))).collect();
        let (mut shares, mut all) = (BTreeMap::<EndpointId, usize>::new(), self.all);
        while let Some(Reverse((of_workspace, workspace))) = turns.pop() {
            let Some(row) = rows.get_mut(workspace) else { continue };
            let Some(Reverse((of_endpoint, endpoint))) = row.pop() else { continue };
            if !may_begin(of_endpoint, of_workspace, all) {
                // The least busy endpoint of this workspace: no other of it may either.
                continue;
            }
            all += 1;
            *shares.entry(endpoint.clone()).or_default() += 1;
            row.push(Reverse((of_endpoint + 1, endpoint)));
            turns.push(Reverse((of_workspace + 1, workspace)));
        }
        shares
    }
}

/// Whether an endpoint may begin one more, with so many under way of its own, of its workspace and in all.
fn may_begin(of_endpoint: usize, of_workspace: usize, all: usize) -> bool {
    let roomy = of_workspace < PER_WORKSPACE / 2 && all < IN_ALL / 2;
    of_endpoint < PER_ENDPOINT && of_workspace < PER_WORKSPACE && all < IN_ALL && (of_endpoint == 0 || roomy)
}

fn less<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
