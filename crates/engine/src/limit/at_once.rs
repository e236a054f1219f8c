//! At once: how many may do something at the same time, by key, in this process.
//!
//! Who enters holds a [`Place`] for as long as it lasts; dropped, the place is free. A key costs nothing while nobody has
//! a place under it, so the table is never longer than there are places taken.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::name::{ByName, Name};

/// Keys are kept in so many parts, each with a lock of its own.
const PARTS: usize = 16;

/// Places by key. Cloning shares them.
#[derive(Clone, Default)]
pub struct AtOnce(Option<Arc<Places>>);

struct Places {
    most: NonZeroU32,
    /// Keys are hosts and ids, and none needs to be kept.
    taken: [Mutex<ByName<u32>>; PARTS],
}

/// A place, taken until it is dropped.
#[must_use]
pub struct Place(Option<(Arc<Places>, Name)>);

impl AtOnce {
    /// So many places for each key; without a number there is no end of them.
    pub fn new(most: Option<NonZeroU32>) -> Self {
        Self(most.map(|most| Arc::new(Places { most, taken: Default::default() })))
    }

    /// Takes a place, or `None` when all are taken.
    pub fn enter(&self, key: Name) -> Option<Place> {
        let Some(places) = &self.0 else { return Some(Place(None)) };
        let mut part = places.part(key);
        let taken = part.entry(key).or_default();
        if *taken >= places.most.get() {
            return None;
        }
        *taken += 1;
        drop(part);
        Some(Place(Some((Arc::clone(places), key))))
    }

    /// How many places are taken under all keys.
    pub fn taken(&self) -> usize {
        let Some(places) = &self.0 else { return 0 };
        let count = |part: &Mutex<ByName<u32>>| lock(part).values().map(|n| *n as usize).sum::<usize>();
        places.taken.iter().map(count).sum()
    }
}

impl Places {
    fn part(&self, key: Name) -> MutexGuard<'_, ByName<u32>> {
        lock(&self.taken[key.part(PARTS)])
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((places, key)) = self.0.take() else { return };
        let mut part = places.part(key);
        if let Some(taken) = part.get_mut(&key) {
            *taken -= 1;
            if *taken == 0 {
                part.remove(&key);
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for AtOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AtOnce").field("taken", &self.taken()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_places_and_a_dropped_one_is_free() {
        let (a, b) = (Name::of("a"), Name::of("b"));
        let two = AtOnce::new(NonZeroU32::new(2));
        let (first, second) = (two.enter(a).unwrap(), two.enter(a).unwrap());
        assert!(two.enter(a).is_none(), "both are taken");
        let other = two.clone().enter(b);
        assert!(other.is_some(), "another key has its own");
        assert_eq!(two.taken(), 3);
        drop(first);
        let third = two.enter(a);
        assert!(third.is_some() && two.enter(a).is_none());
        drop((second, third, other));
        assert_eq!(two.taken(), 0);
        let kept: usize = two.0.unwrap().taken.iter().map(|part| lock(part).len()).sum();
        assert_eq!(kept, 0, "a key without a place is not kept");
    }

    #[test]
    fn without_a_number_there_is_no_end() {
        let off = AtOnce::new(None);
        let all: Vec<_> = (0..1000).map(|_| off.enter(Name::of("a")).unwrap()).collect();
        assert_eq!((all.len(), off.taken()), (1000, 0));
    }
}
