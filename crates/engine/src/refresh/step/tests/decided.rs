//! Single decisions, beside the schedules that they matter in.

use std::time::Duration;

use super::{
    Action, Answer, Claim, Event, IntentId, Left, Millis, Outcome, Plan, Reuse, Step, Unanswered, Why,
    Written,
};

const LEASE: Duration = Duration::from_secs(45);

fn plan(reuse: Reuse, introspects: bool) -> Plan {
    Plan { reuse, introspects, lease: LEASE }
}

fn within(seconds: u64) -> Reuse {
    Reuse::Within(Duration::from_secs(seconds))
}

/// Sent at 0, in doubt since then, looked at so many seconds later.
fn earlier(seconds: i64) -> Unanswered {
    let now = Millis(seconds * 1000);
    let id = IntentId::from_row("one".to_owned());
    Unanswered { id, sent_at: Millis(0), unknown_at: Millis(0), tries: 1, now, good: false }
}

/// What is done about it, once the provider said this where it is asked.
fn judged(plan: Plan, earlier: &Unanswered, told: Option<bool>) -> (Step, Action) {
    let (step, _) = Step::begin(plan);
    let (step, action) = step.next(Event::Claimed(Claim::Unanswered(earlier.clone())));
    if action == Action::Introspect { step.next(Event::Told(told)) } else { (step, action) }
}

fn over() -> Action {
    Action::Claim { over: Some(IntentId::from_row("one".to_owned())) }
}

/// A provider that is asked may not have seen yet what is on its way to it.
#[test]
fn what_is_called_good_is_sent_again_once_nothing_can_be_on_its_way() {
    let never = plan(Reuse::Never, true);
    assert_eq!(judged(never, &earlier(44), Some(true)).1, Action::Rest(Left::Doubt));
    assert_eq!(judged(never, &earlier(45), Some(true)).1, over());
    let later = Unanswered { unknown_at: Millis(30_000), ..earlier(74) };
    assert_eq!(judged(never, &later, Some(true)).1, Action::Rest(Left::Doubt), "since it is in doubt");
    assert_eq!(judged(never, &earlier(45), Some(false)).1, Action::End(Why::Unknown));
    assert_eq!(
        judged(never, &Unanswered { good: true, ..earlier(45) }, Some(false)).1,
        Action::Rest(Left::Doubt)
    );
}

#[test]
fn a_provider_that_does_not_say_is_asked_for_an_hour() {
    let never = plan(Reuse::Never, true);
    assert_eq!(judged(never, &earlier(3599), None).1, Action::Rest(Left::Doubt));
    assert_eq!(judged(never, &earlier(3600), None).1, Action::End(Why::Unknown));
}

#[test]
fn without_any_way_to_know_the_old_access_tokens_life_is_what_is_left() {
    let never = plan(Reuse::Never, false);
    assert_eq!(judged(never, &earlier(1), None).1, Action::End(Why::Unknown));
    assert_eq!(judged(never, &Unanswered { good: true, ..earlier(1) }, None).1, Action::Rest(Left::Doubt));
}

/// What is sent again in a time of grace has to arrive in it.
#[test]
fn a_grace_is_for_what_leaves_early_enough() {
    for (window, before) in [(8, 6_000), (30, 22_500), (40, 30_000), (1800, 1_790_000)] {
        let graced = plan(within(window), false);
        let (step, action) = judged(graced, &earlier(1), None);
        assert_eq!(action, over());
        let (_, action) = step.next(Event::Claimed(Claim::Ours));
        assert_eq!(action, Action::Send { before: Some(Millis(before)) }, "{window}");
        let late = Unanswered { now: Millis(before), ..earlier(0) };
        assert_eq!(judged(graced, &late, None).1, Action::End(Why::Unknown), "{window}");
    }
    let twice = Unanswered { tries: 2, ..earlier(1) };
    assert_eq!(judged(plan(within(30), false), &twice, None).1, Action::End(Why::Unknown), "once");
}

/// The time by which a token must leave is that of its own claim.
#[test]
fn what_is_claimed_after_waiting_has_no_time_of_an_earlier_claim() {
    let (step, _) = judged(plan(within(30), false), &earlier(1), None);
    let (step, action) = step.next(Event::Claimed(Claim::Held));
    assert_eq!(action, Action::Wait);
    let (step, action) = step.next(Event::Woke);
    assert_eq!(action, Action::Claim { over: None });
    assert_eq!(step.next(Event::Claimed(Claim::Ours)).1, Action::Send { before: None });
}

#[test]
fn a_token_is_sent_again_once_per_refresh() {
    for reuse in [Reuse::Always, within(1800)] {
        let (step, _) = judged(plan(reuse, false), &earlier(1), None);
        let (step, _) = step.next(Event::Claimed(Claim::Ours));
        let (step, action) = step.next(Event::Answered(Answer::Lost));
        assert_eq!(action, Action::Doubt);
        let again = step.next(Event::Doubted(Unanswered { good: true, ..earlier(2) }));
        assert_eq!(again.1, Action::Rest(Left::Doubt), "{reuse:?}");
    }
}

#[test]
fn what_spent_nothing_is_taken_back() {
    for answer in [Answer::Failed, Answer::Unsent] {
        let (step, _) = Step::begin(plan(Reuse::Never, false));
        let (step, action) = step.next(Event::Claimed(Claim::Ours));
        assert_eq!(action, Action::Send { before: None });
        let (step, action) = step.next(Event::Answered(answer));
        assert_eq!(action, Action::Rest(Left::Nothing));
        assert_eq!(step.next(Event::Written(Written::Done)).1, Action::Give(Outcome::Failed));
    }
}

#[test]
fn what_does_not_fit_ends_a_refresh_and_sends_nothing() {
    for event in
        [Event::Woke, Event::Answered(Answer::Tokens), Event::Told(Some(true)), Event::Written(Written::Done)]
    {
        let (step, _) = Step::begin(plan(Reuse::Always, true));
        let (step, action) = step.next(event.clone());
        assert_eq!(action, Action::Give(Outcome::Failed), "{event:?}");
        assert_eq!(step.next(Event::Claimed(Claim::Ours)).1, Action::Give(Outcome::Failed), "and stays so");
    }
}
