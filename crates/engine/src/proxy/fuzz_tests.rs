//! Fuzzing that runs on stable: inputs are made of a corpus by mutation, and one that makes its target behave as none did
//! before takes part from then on.
//!
//! `cargo test` does a fixed little of it; `make fuzz` as much as `FUZZ_SECONDS` says for each target, from another seed each
//! time. `FUZZ_KEEP` writes what behaved anew into the corpus.

mod header_filtering;
mod retry_after;
mod target_joining;

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, DefaultHasher, Hash, Hasher as _, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

/// How many inputs are tried by `cargo test`.
const FEW: usize = 6_000;
/// The longest input.
const LONGEST: usize = 400;
/// The most inputs that take part.
const MOST: usize = 4_000;

/// Numbers that only look random (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or_default() % end.max(1)
    }
}

/// What an input made its target do, in short.
fn print(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[expect(clippy::disallowed_methods, reason = "nothing but a test looks here")]
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name)
}

/// Tries inputs. `run` panics at what must not be, and says what the input made it do.
fn fuzz(name: &str, words: &[&str], run: impl Fn(&[u8]) -> u64) {
    let mut files: Vec<_> =
        std::fs::read_dir(corpus(name)).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut inputs: Vec<Vec<u8>> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert!(!inputs.is_empty(), "{name} has no corpus");
    let time = set("FUZZ_SECONDS").map(|text| Duration::from_secs(text.parse().unwrap()));
    let seed = if time.is_some() { RandomState::new().hash_one(0) | 1 } else { 0x9e37_79b9_7f4a_7c15 };
    let mut dice = Dice(seed);
    let (begun, mut seen, mut tried) = (Instant::now(), HashSet::new(), 0_usize);
    let known = inputs.len();
    loop {
        let input = match inputs.get(tried) {
            Some(input) if tried < known => input.clone(),
            _ => mutated(&inputs, words, &mut dice),
        };
        let did = catch_unwind(AssertUnwindSafe(|| run(&input)));
        let Ok(did) = did else {
            panic!("{name}: seed {seed}, input {:?}", input.escape_ascii().to_string())
        };
        if seen.insert(did) && tried >= known && inputs.len() < MOST {
            if set("FUZZ_KEEP").is_some() {
                std::fs::write(corpus(name).join(format!("{did:016x}")), &input).unwrap();
            }
            inputs.push(input);
        }
        tried += 1;
        if time.map_or(tried >= FEW, |time| begun.elapsed() >= time) {
            break;
        }
    }
    assert!(seen.len() > known / 2, "{name}: the targets do too little");
    if time.is_some() {
        let text = format!(
            "{name}: {tried} inputs, {} ways to behave, {} s\n",
            seen.len(),
            begun.elapsed().as_secs()
        );
        std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
    }
}

/// An input, or two put together, with a few changes.
fn mutated(inputs: &[Vec<u8>], words: &[&str], dice: &mut Dice) -> Vec<u8> {
    let pick = |dice: &mut Dice| inputs[dice.below(inputs.len())].clone();
    let mut input = pick(dice);
    for _ in 0..=dice.below(4) {
        let at = dice.below(input.len() + 1);
        let end = at + dice.below(input.len() - at + 1).min(12);
        let word = words[dice.below(words.len())].as_bytes();
        match dice.below(7) {
            0 => drop(input.splice(at..at, word.iter().copied())),
            1 => drop(input.splice(at..end, word.iter().copied())),
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].to_vec();
                drop(input.splice(at..at, piece));
            }
            4 => {
                let other = pick(dice);
                let from = dice.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            5 if at < input.len() => input[at] = u8::try_from(dice.below(256)).unwrap_or_default(),
            _ if at < input.len() => {
                // The same byte, percent-encoded.
                let encoded = format!("%{:02x}", input[at]);
                drop(input.splice(at..=at, encoded.bytes()));
            }
            _ => input.extend_from_slice(word),
        }
    }
    input.truncate(LONGEST);
    input
}
