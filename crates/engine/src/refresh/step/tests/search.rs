//! Every state that a bounded number of things leads to, each once: breadth first, with two nodes.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    moves::Move,
    world::{Broken, Rule, Seen, Settings, World},
};

/// What may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Left {
    /// Calls that begin a refresh.
    starts: u8,
    /// Things that go wrong.
    faults: u8,
    /// Ticks that pass.
    ticks: u8,
}

const NODES: usize = 2;

fn moves() -> Vec<(Move, Left)> {
    let free = Left { starts: 0, faults: 0, ticks: 0 };
    let (start, fault) = (Left { starts: 1, ..free }, Left { faults: 1, ..free });
    let mut all = vec![(Move::Pass, Left { ticks: 1, ..free }), (Move::Arrive, free), (Move::Busy, fault)];
    for at in 0..NODES {
        all.extend([(Move::Act(at), free), (Move::Thaw(at), free), (Move::Refused(at), start)]);
        let wrong = [Move::NotWritten(at), Move::Unknown(at), Move::Crash(at), Move::Freeze(at)];
        all.extend(wrong.map(|it| (it, fault)));
    }
    all
}

impl Left {
    fn less(self, by: Self) -> Option<Self> {
        Some(Self {
            starts: self.starts.checked_sub(by.starts)?,
            faults: self.faults.checked_sub(by.faults)?,
            ticks: self.ticks.checked_sub(by.ticks)?,
        })
    }
}

fn hashed(world: &World, left: Left) -> u64 {
    let mut hasher = DefaultHasher::new();
    (world.seen_from_now(), left).hash(&mut hasher);
    hasher.finish()
}

/// Visits what can be reached. Gives how many states there are, and how many moves were tried.
fn visit(settings: &Settings, left: Left) -> Seen<(usize, usize)> {
    let moves = moves();
    let first = World::new(settings);
    let mut seen = HashSet::from([hashed(&first, left)]);
    let mut next = VecDeque::from([(first, left)]);
    let mut tried = 0;
    while let Some((world, left)) = next.pop_front() {
        for (it, costs) in &moves {
            let Some(left) = left.less(*costs) else { continue };
            let mut then = world.clone();
            tried += 1;
            if then.go(settings, *it)? && seen.insert(hashed(&then, left)) {
                next.push_back((then, left));
            }
        }
    }
    Ok((seen.len(), tried))
}

/// Visits what every kind of provider leads to, and says how much that was.
fn visit_all(left: Left) {
    let (mut states, mut tried, began) = (0, 0, std::time::Instant::now());
    for rule in [Rule::Rotates, Rule::Graces(8), Rule::Keeps] {
        for introspects in [false, true] {
            if introspects && rule == Rule::Keeps {
                // It is never asked.
                continue;
            }
            let settings = of(rule, introspects, Broken::Nothing);
            let (there, moves) = visit(&settings, left).unwrap_or_else(|it| panic!("{it:?} {settings:?}"));
            (states, tried) = (states + there, tried + moves);
        }
    }
    println!("{left:?}: {states} states, {tried} moves in {:?}", began.elapsed());
}

fn of(rule: Rule, introspects: bool, broken: Broken) -> Settings {
    Settings { nodes: NODES, rule, introspects, life: 6, skew: [0; 4], broken }
}

#[test]
fn no_state_that_can_be_reached_is_one_that_may_not_be() {
    visit_all(Left { starts: 2, faults: 1, ticks: 4 });
}

/// More of the same.
#[test]
#[ignore = "takes minutes"]
fn no_state_that_can_be_reached_in_longer_is_one_that_may_not_be() {
    visit_all(Left { starts: 2, faults: 1, ticks: 9 });
    visit_all(Left { starts: 2, faults: 2, ticks: 5 });
}

/// The search, too, sees what is broken.
#[test]
fn what_is_broken_is_reached() {
    for (broken, rule, introspects) in [
        (Broken::Intent, Rule::Rotates, false),
        (Broken::Lease, Rule::Rotates, false),
        (Broken::Settling, Rule::Rotates, true),
        (Broken::LeaseCheck, Rule::Graces(8), false),
    ] {
        let left = Left { starts: 2, faults: 1, ticks: 4 };
        let seen = visit(&of(rule, introspects, broken), left);
        println!("{broken:?}: {seen:?}");
        assert!(seen.is_err(), "{broken:?} was not reached");
    }
}
