//! The model: every order in which nodes, their database, the provider and bad luck can meet, as far as that can be tried.
//!
//! `world` is what there is, and what nobody may ever see; `node` performs the actions of the real [`Step`], as the
//! engine does, by the transactions of `written`; `random` runs schedules that proptest makes up and shrinks; `search` visits every state that a few moves
//! lead to. That the model can fail is shown by breaking what it rests on, one thing at a time ([`world::Broken`]).
//!
//! What must hold, at each moment: no token is used twice outside its provider's rule; a live grant is called dead only where
//! an unknown outcome explains it, and an outcome is unknown only of a sender that died, stood still, lost the answer or its
//! database; nobody ends what another has to itself; a newer credential is never written over by an older one. And once
//! everything is well again: each refresh ends; each sender that died is listed; what its provider can tell of is found out.

mod decided;
mod moves;
mod node;
mod random;
mod search;
mod world;
mod written;

use super::{
    Action, Answer, Claim, Event, Left, Outcome, Plan, Reuse, Stage, Step, Unanswered, Why, Written,
};
use crate::{id::IntentId, time::Millis};

/// Sees the times in a step and its action from another moment.
fn shift(step: &mut Step, action: &mut Action, by: i64) {
    match &mut step.stage {
        Stage::Claiming(Some(before)) => before.0 -= by,
        Stage::Introspecting(earlier) => shift_earlier(earlier, by),
        _ => {}
    }
    if let Action::Send { before: Some(before) } = action {
        before.0 -= by;
    }
}

fn shift_earlier(earlier: &mut Unanswered, by: i64) {
    for at in [&mut earlier.sent_at, &mut earlier.unknown_at, &mut earlier.now] {
        at.0 -= by;
    }
}

/// Every intent that a step, its action and what is remembered name.
fn each_intent(
    step: &mut Step,
    action: &mut Action,
    earlier: Option<&mut Unanswered>,
    mut each: impl FnMut(&mut IntentId),
) {
    if let Stage::Introspecting(earlier) = &mut step.stage {
        each(&mut earlier.id);
    }
    if let Action::Claim { over: Some(over) } = action {
        each(over);
    }
    if let Some(earlier) = earlier {
        each(&mut earlier.id);
    }
}
