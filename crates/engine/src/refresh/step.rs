//! Step: one refresh from looking to writing, as a function from what happened to what is to be done. Pure.
//!
//! [`Step::begin`] and [`Step::next`] decide; `super::run` performs one [`Action`] after the other and says what came of
//! each. It knows neither the network nor the database, so that a model can try every order in which processes meet. A
//! refresh token leaves by [`Action::Send`] alone, and that follows only a claim which wrote the intent to send it.

use std::time::Duration;

use crate::{id::IntentId, time::Millis};

/// How long it is tried to find out what became of a token, where its provider could say and does not.
const FIND_OUT: Duration = Duration::from_secs(3600);

/// Of a grace for a second use of a token, this much is left for the way: the second use must arrive in it, too.
const ON_THE_WAY: Duration = Duration::from_secs(10);

/// What a provider's file says of a refresh token whose fate is not known, and how long it may be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plan {
    /// When it may be sent again.
    pub reuse: Reuse,
    /// Whether the provider says if it is still good (RFC 7662).
    pub introspects: bool,
    /// How long a lease is, or how long an answer is waited for where that is longer. What has left is taken to be on its
    /// way for so long after nobody may send it any more: until then a provider which says that the token is good may only
    /// not have seen it yet.
    pub lease: Duration,
}

/// When a refresh token that was sent may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reuse {
    /// Never: the provider ends the grant when it sees a spent one.
    Never,
    /// Always: it is not spent by being used.
    Always,
    /// Once, for so long after it was first sent.
    Within(Duration),
}

/// A sending of which no answer was written, as of when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unanswered {
    /// Its intent, marked as unknown.
    pub id: IntentId,
    /// When its intent was written.
    pub sent_at: Millis,
    /// When it was first marked as unknown: whoever wrote it has sent it by then, or never will.
    pub unknown_at: Millis,
    /// How often this token was sent, this time included.
    pub tries: i64,
    /// The database's time.
    pub now: Millis,
    /// Whether the access token is still good then.
    pub good: bool,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// In one transaction: look, take the lease, and write the intent to send; over an intent that this one takes the
    /// place of, where it names one. Whose commit is not known is performed again, as the same owner and with the same
    /// intent: it finds its own.
    Claim {
        /// The intent whose token is known to be good to send again, if it still is the open one.
        over: Option<IntentId>,
    },
    /// Wait until somebody else's refresh is through, or its lease.
    Wait,
    /// Show the refresh token to the provider, unless the lease is over by the monotonic clock.
    Send {
        /// The database's time by which it must have left, where the lease is not the only limit.
        before: Option<Millis>,
    },
    /// Ask the provider whether the refresh token is still good.
    Introspect,
    /// Write the new tokens over the version that was seen, and close the intent.
    Keep,
    /// Mark the connection as needing its owner, for this reason, and close the intent.
    End(Why),
    /// Leave the connection alone for a while, and give up the lease.
    Rest(Left),
    /// Mark the intent as unknown.
    Doubt,
    /// It is over: answer whoever waits.
    Give(Outcome),
}

/// What a refresh that failed for now leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Left {
    /// It spent nothing. Its own intent is taken back, whoever holds the lease by now: it is closed, one that it took the
    /// place of is open and unknown again unless the version moved, and a connection that was ended for it is healed.
    Nothing,
    /// A token whose fate is not known: its intent stays open, marked as unknown.
    Doubt,
}

/// Why a connection needs its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The provider refused for good.
    Refused,
    /// A refresh token was sent, no answer was ever written, and there is no other way to know.
    Unknown,
}

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// There is a credential to look at anew: newer, or found to be good.
    Fresh,
    /// The connection needs its owner, or is gone.
    Over,
    /// It failed for now; the token of before may still be good.
    Failed,
}

/// What became of an [`Action`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Of [`Action::Claim`].
    Claimed(Claim),
    /// Of [`Action::Wait`]: something moved, or it is time to look again.
    Woke,
    /// Of [`Action::Wait`]: it was waited long enough.
    Tired,
    /// Of [`Action::Send`].
    Answered(Answer),
    /// Of [`Action::Introspect`]: whether the token is still good; `None` when that could not be told.
    Told(Option<bool>),
    /// Of [`Action::Doubt`].
    Doubted(Unanswered),
    /// Of [`Action::Keep`], [`Action::End`] and [`Action::Rest`].
    Written(Written),
}

/// What the transaction of a claim found, and so did.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Claim {
    /// A newer credential, or one that is good by the database's time.
    Fresh,
    /// The connection needs its owner, or is gone.
    Over,
    /// It failed a moment ago and is left alone.
    Resting,
    /// Somebody else refreshes it.
    Held,
    /// The lease is ours, and the intent to send is written.
    Ours,
    /// The lease is ours; the same token was sent before without an answer, so no intent was written.
    Unanswered(Unanswered),
}

/// What came of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// New tokens.
    Tokens,
    /// A refusal for good: only the connection's owner can help.
    Refused,
    /// An answer which says that nothing was spent.
    Failed,
    /// Nothing left us: there was no connection, or the lease was over before.
    Unsent,
    /// It left us, and what the provider did with it is not known: no answer in time, a broken or unreadable one.
    Lost,
}

/// What came of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Written {
    /// It is written.
    Done,
    /// Not written: the credential is a newer one by now.
    Moved,
    /// Not written: somebody else took the lease and asks the provider by now.
    Fenced,
    /// The connection is gone.
    Gone,
}

/// Where a refresh stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    plan: Plan,
    /// Whether this refresh sent the token again, after one without an answer.
    resent: bool,
    stage: Stage,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Stage {
    /// The time by which a token that is sent again must leave, where there is one.
    Claiming(Option<Millis>),
    Waiting,
    Asking,
    Doubting,
    Introspecting(Unanswered),
    /// Writing; how it ends when that is done.
    Writing(Outcome),
    Done,
}

impl Step {
    /// Where every refresh begins.
    pub fn begin(plan: Plan) -> (Self, Action) {
        (Self { plan, resent: false, stage: Stage::Claiming(None) }, Action::Claim { over: None })
    }

    /// What to do after what happened. An event that does not fit where this stands ends it as failed, and nothing is
    /// sent: that is a fault of the performer.
    #[must_use]
    pub fn next(mut self, event: Event) -> (Self, Action) {
        let (stage, action) = match (self.stage.clone(), event) {
            (Stage::Claiming(before), Event::Claimed(claim)) => match claim {
                Claim::Fresh => give(Outcome::Fresh),
                Claim::Over => give(Outcome::Over),
                Claim::Resting => give(Outcome::Failed),
                Claim::Held => (Stage::Waiting, Action::Wait),
                Claim::Ours => (Stage::Asking, Action::Send { before }),
                Claim::Unanswered(earlier) => self.find_out(earlier),
            },
            (Stage::Waiting, Event::Woke) => (Stage::Claiming(None), Action::Claim { over: None }),
            (Stage::Asking, Event::Answered(answer)) => match answer {
                Answer::Tokens => (Stage::Writing(Outcome::Fresh), Action::Keep),
                Answer::Refused => end(Why::Refused),
                Answer::Failed | Answer::Unsent => rest(Left::Nothing),
                Answer::Lost => (Stage::Doubting, Action::Doubt),
            },
            (Stage::Doubting, Event::Doubted(earlier)) => self.find_out(earlier),
            (Stage::Introspecting(earlier), Event::Told(told)) => self.judge(earlier, told),
            (Stage::Writing(outcome), Event::Written(written)) => give(match written {
                Written::Done => outcome,
                Written::Moved => Outcome::Fresh,
                Written::Fenced => Outcome::Failed,
                Written::Gone => Outcome::Over,
            }),
            // Tired of waiting; or an event that does not fit.
            _ => give(Outcome::Failed),
        };
        self.stage = stage;
        (self, action)
    }

    /// What to do about a token that was sent without an answer.
    fn find_out(&mut self, earlier: Unanswered) -> (Stage, Action) {
        match self.plan {
            Plan { reuse: Reuse::Always, .. } => self.again(earlier, None),
            Plan { introspects: true, .. } if !self.resent => {
                (Stage::Introspecting(earlier), Action::Introspect)
            }
            Plan { introspects: true, .. } => rest(Left::Doubt),
            _ => self.judge(earlier, Some(false)),
        }
    }

    /// The same, once the provider was asked where it can be.
    fn judge(&mut self, earlier: Unanswered, alive: Option<bool>) -> (Stage, Action) {
        if let Some(before) = self.graced_until(&earlier) {
            return self.again(earlier, Some(before));
        }
        let settled = earlier.now.since(earlier.unknown_at) >= self.plan.lease;
        let may_still_tell = match alive {
            Some(true) if settled => return self.again(earlier, None),
            Some(true) => true,
            Some(false) => false,
            None => earlier.now.since(earlier.sent_at) < FIND_OUT,
        };
        if earlier.good || may_still_tell { rest(Left::Doubt) } else { end(Why::Unknown) }
    }

    /// Until when a second use of the token may leave, where the provider's grace for one covers it now.
    fn graced_until(&self, earlier: &Unanswered) -> Option<Millis> {
        let Reuse::Within(window) = self.plan.reuse else { return None };
        let before = earlier.sent_at.plus(window.saturating_sub(ON_THE_WAY.min(window / 4)));
        (earlier.tries == 1 && earlier.now < before).then_some(before)
    }

    /// Sends the token once more; once per refresh, so that a provider that is away is left alone.
    fn again(&mut self, earlier: Unanswered, before: Option<Millis>) -> (Stage, Action) {
        if std::mem::replace(&mut self.resent, true) {
            return rest(Left::Doubt);
        }
        (Stage::Claiming(before), Action::Claim { over: Some(earlier.id) })
    }
}

fn give(outcome: Outcome) -> (Stage, Action) {
    (Stage::Done, Action::Give(outcome))
}

fn end(why: Why) -> (Stage, Action) {
    (Stage::Writing(Outcome::Over), Action::End(why))
}

fn rest(left: Left) -> (Stage, Action) {
    (Stage::Writing(Outcome::Failed), Action::Rest(left))
}

#[cfg(test)]
mod tests;
