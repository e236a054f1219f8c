//! Names: texts as numbers, made once and looked up by from then on.
//!
//! A call's connection and its provider's host are looked for wherever calls are counted, limited and summed up; the
//! texts are hashed once, when a connection is remembered, and not in each of these places. The hash is keyed (SipHash
//! with a key of this process), so that nobody who chooses a text can choose its number. Two texts of one number are as
//! good as impossible, and cost no more than a count that is theirs together: nothing that decides who may do what is
//! looked up by a name.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState},
    sync::LazyLock,
};

static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A text's number in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(u64);

/// A table by names, which need no hashing.
pub type ByName<V> = HashMap<Name, V, BuildHasherDefault<AsItIs>>;

impl Name {
    /// The name of a text.
    pub fn of(text: &str) -> Self {
        Self(KEY.hash_one(text))
    }

    /// Which of so many parts of a table it is in. Other bits than those by which a table finds its entries.
    pub fn part(self, parts: usize) -> usize {
        usize::try_from(self.0 >> 32).unwrap_or_default() % parts
    }
}

/// Takes a number for its own hash.
#[derive(Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only names are hashed with it, which are numbers.
        self.0 = KEY.hash_one((self.0, bytes));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_name_and_another_text_another() {
        assert_eq!(Name::of("conn_1"), Name::of("conn_1"));
        assert_ne!(Name::of("conn_1"), Name::of("conn_2"));
        assert_ne!(Name::of(""), Name::of("conn_2"));
    }

    #[test]
    fn names_are_found_again_and_spread_over_parts() {
        let mut table = ByName::default();
        let mut parts = [0; 16];
        for n in 0..4096 {
            let name = Name::of(&n.to_string());
            table.insert(name, n);
            parts[name.part(parts.len())] += 1;
        }
        assert!((0..4096).all(|n| table.get(&Name::of(&n.to_string())) == Some(&n)));
        // 256 in each, and twelve times the deviation to be expected.
        assert!(parts.iter().all(|count| (64..448).contains(count)), "{parts:?}");
    }
}
