use proptest::prelude::*;

use super::*;

const WINDOW: Duration = Duration::from_secs(60);
const NOW: Millis = Millis(1_000_000);

fn slices(count: u32, credit: u32) -> Slices {
    Slices::new(Limit { count, window: WINDOW, credit }, 10)
}

/// The row that processes borrow from.
#[derive(Debug, Clone, Copy)]
struct Row {
    began: Millis,
    taken: u32,
}

impl Row {
    fn lend(&mut self, count: u32, owed: u32, now: Millis) -> Loan {
        if self.began.plus(WINDOW) <= now {
            *self = Self { began: now, taken: 0 };
        }
        let calls = next_slice(count, self.taken, owed);
        self.taken += calls;
        Loan { began: self.began, calls, rest: count - self.taken }
    }
}

#[test]
fn a_slice_is_a_quarter_of_what_is_left_and_pays_what_is_owed_first() {
    for (count, taken, owed, slice) in [
        (100, 0, 0, 25),
        (100, 25, 0, 18),
        (100, 97, 0, 1),
        (100, 100, 0, 0),
        (100, 100, 6, 0),
        (100, 0, 6, 29),
        (100, 97, 6, 3),
        (1, 0, 0, 1),
    ] {
        assert_eq!(next_slice(count, taken, owed), slice, "{count} {taken} {owed}");
    }
}

#[test]
fn what_is_left_counts_what_passed_on_credit_and_what_is_not_lent_yet() {
    let mut slices = slices(100, 10);
    let left = |slices: &Slices, at| slices.left("k", at).calls;
    assert_eq!(slices.left("k", NOW), Left { calls: 100, ends: None });
    for _ in 0..3 {
        assert!(matches!(slices.take("k", NOW), Verdict::Pass(_)));
    }
    assert_eq!(slices.left("k", NOW), Left { calls: 97, ends: Some(WINDOW) }, "on credit");
    slices.lent("k", Loan { began: NOW, calls: 27, rest: 13 }, NOW);
    assert_eq!(left(&slices, NOW), 37, "others had sixty");
    assert!(matches!(slices.take("k", NOW), Verdict::Pass(_)));
    assert_eq!(left(&slices, NOW), 36);
    slices.lent("k", Loan { began: NOW, calls: 0, rest: 0 }, NOW);
    assert_eq!(left(&slices, NOW), 23, "what is here");
    assert_eq!(slices.left("k", NOW.plus(WINDOW)), Left { calls: 100, ends: None });
    slices.alone("k");
    assert_eq!(left(&slices, NOW), 96, "as if it were the only one");
}

#[test]
fn one_process_alone_gets_exactly_the_limit() {
    for (count, credit) in [(1, 0), (2, 0), (100, 6), (100, 0), (1000, 62)] {
        let (mut slices, mut row, mut passed) = (slices(count, credit), Row { began: NOW, taken: 0 }, 0);
        loop {
            let ask = match slices.take("k", NOW) {
                Verdict::Pass(ask) => {
                    passed += 1;
                    ask
                }
                Verdict::Wait(_, ask) => ask,
                Verdict::Over(ends) => {
                    assert_eq!(ends, WINDOW);
                    break;
                }
            };
            if let Some(ask) = ask {
                let loan = row.lend(count, ask.owed, NOW);
                slices.lent("k", loan, NOW);
            }
        }
        assert_eq!(passed, count, "{count} calls, {credit} on credit");
    }
}

#[test]
fn who_calls_now_and_then_costs_the_database_nothing() {
    let mut slices = slices(100, 6);
    for _ in 0..3 {
        assert!(matches!(slices.take("k", NOW), Verdict::Pass(None)));
    }
    assert!(matches!(slices.take("k", NOW), Verdict::Pass(Some(Ask { owed: 4, .. }))));
    assert!(matches!(slices.take("k", NOW), Verdict::Pass(None)), "it is being asked");
}

#[test]
fn the_credit_is_all_that_passes_before_the_answer() {
    let mut slices = slices(100, 6);
    let passed = (0..50).filter(|_| matches!(slices.take("k", NOW), Verdict::Pass(_))).count();
    assert_eq!(passed, 6);
    assert!(matches!(slices.take("k", NOW), Verdict::Wait(_, None)));
    slices.lent("k", Loan { began: NOW, calls: 0, rest: 0 }, NOW);
    assert!(matches!(slices.take("k", NOW), Verdict::Over(_)), "the others had it all");
}

#[test]
fn the_window_is_the_rows() {
    let mut slices = slices(100, 0);
    assert!(matches!(slices.take("k", NOW), Verdict::Wait(..)));
    let began = NOW.minus(Duration::from_secs(50));
    slices.lent("k", Loan { began, calls: 1, rest: 0 }, NOW);
    assert!(matches!(slices.take("k", NOW), Verdict::Pass(Some(_))));
    slices.lent("k", Loan { began, calls: 0, rest: 0 }, NOW);
    let Verdict::Over(ends) = slices.take("k", NOW) else { panic!("it is over") };
    assert_eq!(ends, Duration::from_secs(10));
    assert!(matches!(slices.take("k", NOW.plus(ends)), Verdict::Wait(_, Some(_))), "a new one begins");
}

#[test]
fn without_the_database_a_process_counts_by_itself() {
    let mut slices = slices(5, 0);
    assert!(matches!(slices.take("k", NOW), Verdict::Wait(_, Some(_))));
    slices.alone("k");
    let passed = (0..20).filter(|_| matches!(slices.take("k", NOW), Verdict::Pass(None))).count();
    assert_eq!(passed, 5);
    assert!(matches!(slices.take("k", NOW), Verdict::Over(_)));
    assert!(matches!(slices.take("k", NOW.plus(WINDOW)), Verdict::Wait(_, Some(_))), "then it asks again");
}

#[test]
fn what_passed_on_credit_is_not_lent_anew_before_the_answer() {
    let mut slices = slices(100, 6);
    let mut passed = |at| (0..50).filter(|_| matches!(slices.take("k", at), Verdict::Pass(_))).count();
    assert_eq!(passed(NOW), 6);
    assert_eq!(passed(NOW.plus(WINDOW)), 0, "another window, and still no word");
    slices.lent("k", Loan { began: NOW.plus(WINDOW), calls: 10, rest: 0 }, NOW.plus(WINDOW));
    assert!(matches!(slices.take("k", NOW.plus(WINDOW)), Verdict::Pass(_)));
}

#[tokio::test]
async fn who_waits_is_woken_by_the_answer() {
    let mut slices = slices(2, 0);
    let Verdict::Wait(first, Some(_)) = slices.take("k", NOW) else { panic!("nothing is there") };
    let Verdict::Wait(second, None) = slices.take("k", NOW) else { panic!("one asks") };
    slices.lent("k", Loan { began: NOW, calls: 1, rest: 0 }, NOW);
    first.await;
    second.await;
}

#[test]
fn keys_are_bounded_and_ended_windows_go() {
    let mut slices = slices(100, 6);
    for key in 0..25 {
        let _passed = slices.take(&key.to_string(), NOW);
    }
    assert_eq!((slices.len(), slices.order.len()), (10, 10));
    for _ in 0..10 {
        let _passed = slices.take("later", NOW.plus(WINDOW));
    }
    assert_eq!((slices.len(), slices.order.len()), (1, 1));
}

/// What happens next, in which process.
#[derive(Debug, Clone, Copy)]
enum Step {
    Call(usize),
    /// The database answers what the process asked for.
    Answer(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3usize).prop_map(Step::Call),
        3 => (0..3usize).prop_map(Step::Answer),
        1 => (1..40_000u64).prop_map(Step::Pass),
    ]
}

proptest! {
    /// However calls and answers fall: in no window of the row do more calls pass than the limit and each process's credit,
    /// and none is refused before the limit is lent out.
    #[test]
    fn the_limit_is_exceeded_by_no_more_than_each_processs_credit(
        count in 1..200u32,
        part in 1..20u32,
        steps in prop::collection::vec(step(), 1..600),
    ) {
        let credit = count / part;
        let mut processes: Vec<Slices> = (0..3).map(|_| slices(count, credit)).collect();
        let mut asked: [Option<Ask>; 3] = [None; 3];
        let mut row = Row { began: Millis(0), taken: 0 };
        let mut now = NOW;
        let mut passed: Vec<Millis> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(by) => now = now.plus(Duration::from_millis(by)),
                Step::Call(at) => {
                    let ask = match processes[at].take("k", now) {
                        Verdict::Pass(ask) => {
                            passed.push(now);
                            ask
                        }
                        Verdict::Wait(_, ask) => ask,
                        Verdict::Over(_) => {
                            prop_assert!(row.began.plus(WINDOW) <= now || row.taken == count, "refused with some left: {row:?}");
                            None
                        }
                    };
                    if let Some(ask) = ask {
                        prop_assert!(asked[at].replace(ask).is_none(), "asked twice at once");
                    }
                }
                Step::Answer(at) => {
                    if let Some(ask) = asked[at].take() {
                        let loan = row.lend(count, ask.owed, now);
                        processes[at].lent("k", loan, now);
                    }
                }
            }
            // A process's window may have begun up to a window before the row's, with what nobody was told of.
            let recent = passed.iter().filter(|at| **at >= row.began && now.since(row.began) < WINDOW).count();
            prop_assert!(recent <= (count + 3 * credit) as usize, "{recent} of {count} passed, {credit} on credit");
        }
    }
}
