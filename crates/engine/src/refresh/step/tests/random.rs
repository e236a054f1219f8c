//! Schedules that chance makes up: long ones, of up to four nodes, with everything that can go wrong.

use proptest::{
    collection::vec,
    test_runner::{Config, TestCaseError, TestError, TestRng, TestRunner},
};

use super::{
    moves::Move,
    world::{Broken, Rule, Seen, Settings, Violation, World},
};

/// How many schedules each setting gets; more where something is to be found.
const SCHEDULES: u32 = 1000;
const TO_BE_FOUND: u32 = 2000;
/// How many things happen in one at most.
const LENGTH: usize = 120;

/// A kind of move, by the node that it is of.
type Moves = fn(usize) -> Move;

/// How often each thing happens, of [`EVERY`] times. What is first is what a schedule shrinks to.
const OFTEN: [(u16, Moves); 15] = [
    (400, Move::Act),
    (120, |_| Move::Pass),
    (100, |_| Move::Arrive),
    (80, Move::Start),
    (30, Move::Refused),
    (10, |_| Move::Busy),
    (20, Move::Unknown),
    (10, Move::NotWritten),
    (10, Move::Crash),
    (20, Move::Freeze),
    (30, Move::Thaw),
    (10, Move::Cut),
    (20, Move::Mend),
    (1, |_| Move::Revoke),
    (1, |_| Move::Reconnect),
];
const EVERY: u16 = 862;

/// A move, and the node that it is of, out of one number.
fn read(number: u16, nodes: usize) -> Move {
    let (mut left, at) = (number % EVERY, usize::from(number / EVERY) % nodes);
    for (often, it) in OFTEN {
        if left < often {
            return it(at);
        }
        left -= often;
    }
    Move::Pass
}

pub fn settings() -> Vec<Settings> {
    let mut all = Vec::new();
    for nodes in [2, 3, 4] {
        for rule in [Rule::Rotates, Rule::Graces(8), Rule::Graces(16), Rule::Keeps] {
            for introspects in [false, true] {
                let skew = [0, 3, -3, 7];
                all.push(Settings { nodes, rule, introspects, life: 6, skew, broken: Broken::Nothing });
            }
        }
    }
    all
}

fn run(settings: &Settings, moves: &[Move]) -> Seen<()> {
    let mut world = World::new(settings);
    for it in moves {
        world.go(settings, *it)?;
    }
    world.recover(settings)
}

/// Runs schedules, always the same ones. Gives how many ran until one broke something, and that one made short.
fn try_all(settings: &Settings, many: u32) -> (u32, Option<(Violation, Vec<Move>)>) {
    let config =
        Config { cases: many, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let algorithm = config.rng_algorithm;
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(algorithm));
    let ran = std::cell::Cell::new(0);
    let read = |numbers: Vec<u16>| numbers.into_iter().map(|it| read(it, settings.nodes)).collect::<Vec<_>>();
    let found = runner.run(&vec(0..EVERY * 4, 0..LENGTH), |numbers| {
        ran.set(ran.get() + 1);
        run(settings, &read(numbers)).map_err(|Violation(what)| TestCaseError::fail(what))
    });
    let broken = match found {
        Ok(()) => None,
        Err(TestError::Fail(_, numbers)) => {
            let moves = read(numbers);
            let what = run(settings, &moves).err().unwrap_or(Violation("not again"));
            Some((what, moves))
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    };
    (ran.get(), broken)
}

#[test]
fn no_schedule_breaks_anything() {
    try_each(SCHEDULES);
}

/// More of the same.
#[test]
#[ignore = "takes minutes"]
fn no_schedule_of_very_many_breaks_anything() {
    try_each(20_000);
}

fn try_each(many: u32) {
    let (mut schedules, began) = (0, std::time::Instant::now());
    for settings in settings() {
        let (ran, broken) = try_all(&settings, many);
        if let Some((Violation(what), moves)) = broken {
            panic!("{what}: {settings:?} {moves:#?}");
        }
        schedules += ran;
    }
    println!("{schedules} schedules of up to {LENGTH} moves in {:?}", began.elapsed());
}

/// Whatever the model rests on is broken, and seen to be: so its silence says something.
#[test]
fn each_thing_that_is_broken_is_seen() {
    for broken in [
        Broken::Cas,
        Broken::Lease,
        Broken::LeaseCheck,
        Broken::WallClock,
        Broken::Intent,
        Broken::Fence,
        Broken::Settling,
        Broken::Deadline,
        Broken::Reopening,
        Broken::Healing,
        Broken::GivingUp,
        Broken::LaterFence,
        Broken::Believing,
    ] {
        let mut found = None;
        for settings in settings() {
            let (ran, seen) = try_all(&Settings { broken, ..settings }, TO_BE_FOUND);
            if let Some((Violation(what), moves)) = seen {
                println!("{broken:?}: {what} (schedule {ran}, {} moves, {:?})", moves.len(), settings.rule);
                found = Some(moves);
                break;
            }
        }
        assert!(found.is_some(), "{broken:?} was not seen");
    }
}

/// Found by chance: a write that only looked like a failure was tried again after a later refresh had ended the connection,
/// and healed it; so a token was sent again whose fate was not known.
#[test]
fn a_write_that_is_tried_again_heals_nothing_that_was_ended_since() {
    use Move::{Act, Arrive, Pass, Refused, Unknown};
    let moves = [
        [Refused(0), Act(0), Act(0), Arrive, Act(0), Unknown(0), Pass].as_slice(),
        [Refused(1), Act(1), Act(1), Arrive, Unknown(1)].as_slice(),
        [Pass, Pass, Pass, Pass, Act(1), Act(1), Act(0)].as_slice(),
    ]
    .concat();
    let settings = settings()[0];
    assert_eq!(run(&settings, &moves), Ok(()));
    let broken = Settings { broken: Broken::Retrying, ..settings };
    assert_eq!(run(&broken, &moves), Err(Violation("a token was used again outside its provider's rule")));
}
