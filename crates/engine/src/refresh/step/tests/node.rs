//! What a node does: it performs one action of the real step function after the other, as `run`, `claim`, `keep` and
//! `write` do, and the world may do to it what it likes in between.

use super::{
    Action, Answer, Event, IntentId, Millis, Outcome, Plan, Reuse, Step, Unanswered,
    world::{Broken, FAR, LEASE, Reply, Request, Rule, Seen, Settings, World, must},
};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Node {
    pub run: Option<Run>,
    /// Stopped; its clocks go on.
    pub frozen: bool,
    /// Without its database.
    pub cut: bool,
    /// Claims whose commit failed for all it knows: what is taken back once that can be written.
    pub undone: Vec<Undone>,
}

/// What a failed claim may have written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Undone {
    pub owner: u32,
    pub intent: u32,
    pub over: Option<u32>,
}

/// A refresh under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    step: Step,
    pub action: Action,
    pub owner: u32,
    pub seen: i64,
    pub token: usize,
    /// Whether an API refused the access token: then it is not good, whatever its time.
    pub refused: bool,
    pub held: Option<Held>,
    pub intent: Option<u32>,
    pub over: Option<u32>,
    pub earlier: Option<Unanswered>,
    /// The request whose answer is waited for, and that answer.
    pub asked: Option<u32>,
    pub reply: Option<Reply>,
    /// What introspection said, on its way.
    said: Option<bool>,
    pub got: Option<usize>,
    /// Whether it did not prolong its lease in time: it stood still, or could not write.
    pub stalled: bool,
}

/// A lease, as its holder believes it to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    pub fence: i64,
    /// Until when a token may leave, by the monotonic clock.
    pub until: i64,
}

/// How performing an action goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Well,
    /// The database fails, and nothing is written.
    NotWritten,
    /// The database fails, and it is written all the same. Of sending: no connection, so nothing left.
    Unknown,
}

impl Node {
    /// With times and numbers seen from `now`, the last fencing number and the version, and with new names.
    pub fn seen_from(&mut self, (now, fence, version): (i64, i64, i64), rename: &mut impl FnMut(&mut u32)) {
        for undone in &mut self.undone {
            rename(&mut undone.owner);
            rename(&mut undone.intent);
            undone.over.as_mut().map(&mut *rename);
        }
        let Some(run) = &mut self.run else { return };
        run.seen -= version;
        rename(&mut run.owner);
        run.intent.as_mut().map(&mut *rename);
        run.over.as_mut().map(&mut *rename);
        run.asked.as_mut().map(&mut *rename);
        if let Some(held) = &mut run.held {
            held.until = (held.until - now).max(-FAR);
            held.fence = (held.fence - fence).max(-FAR);
        }
        super::each_intent(&mut run.step, &mut run.action, run.earlier.as_mut(), |intent| {
            let mut name = number(intent);
            rename(&mut name);
            *intent = id(name);
        });
        super::shift(&mut run.step, &mut run.action, now * 1000);
        if let Some(earlier) = &mut run.earlier {
            super::shift_earlier(earlier, now * 1000);
        }
    }
}

impl Run {
    /// Whether it waits for an answer.
    pub fn asks(&self) -> bool {
        matches!(self.action, Action::Send { .. })
    }
}

pub fn id(number: u32) -> IntentId {
    IntentId::from_row(number.to_string())
}

pub fn number(id: &IntentId) -> u32 {
    id.as_str().parse().expect("a number")
}

pub fn millis(at: i64) -> Millis {
    Millis(at * 1000)
}

fn plan(settings: &Settings) -> Plan {
    let seconds = |ticks: i64| std::time::Duration::from_secs(ticks.unsigned_abs());
    let reuse = match settings.rule {
        Rule::Rotates => Reuse::Never,
        Rule::Graces(window) => Reuse::Within(seconds(window)),
        Rule::Keeps => Reuse::Always,
    };
    let lease = if settings.broken == Broken::Settling { seconds(0) } else { seconds(LEASE) };
    Plan { reuse, introspects: settings.introspects, lease }
}

impl World {
    /// Somebody calls at a node: it looks at the credential, and begins a refresh where that is due, or was refused.
    pub fn start(&mut self, settings: &Settings, at: usize, refused: bool) -> bool {
        let node = &self.nodes[at];
        let wall = self.now + settings.skew[at];
        let due = refused || self.store.expires_at <= wall + 1;
        if node.run.is_some() || node.frozen || node.cut || !due || self.store.ended.is_some() {
            return false;
        }
        let (step, action) = Step::begin(plan(settings));
        let owner = self.name();
        self.nodes[at].run = Some(Run {
            step,
            action,
            owner,
            seen: self.store.version,
            token: self.store.token,
            refused,
            held: None,
            intent: None,
            over: None,
            earlier: None,
            asked: None,
            reply: None,
            said: None,
            got: None,
            stalled: false,
        });
        true
    }

    /// A node performs what is next, or takes back what it may have written. `false` where there is nothing that it could do.
    pub fn act(&mut self, settings: &Settings, at: usize, how: How) -> Seen<bool> {
        let node = &mut self.nodes[at];
        if node.frozen {
            return Ok(false);
        }
        let Some(mut run) = node.run.take() else {
            return Ok(how == How::Well && self.take_back(settings, at));
        };
        let event = self.perform(settings, at, &mut run, how);
        let event = match event {
            Ok(event) => event,
            Err(Stuck::Seen(what)) => return Err(what),
            Err(Stuck::Waits) => {
                self.nodes[at].run = Some(run);
                return Ok(false);
            }
            Err(Stuck::Goes) => {
                self.nodes[at].run = Some(run);
                return Ok(true);
            }
            Err(Stuck::Fails) => {
                return Ok(true);
            }
        };
        (run.step, run.action) = run.step.clone().next(event);
        if let Action::Give(outcome) = run.action {
            self.given(&run, outcome)?;
            return Ok(true);
        }
        self.nodes[at].run = Some(run);
        Ok(true)
    }

    fn given(&self, run: &Run, outcome: Outcome) -> Seen<()> {
        let store = &self.store;
        match outcome {
            Outcome::Fresh => must(
                store.version > run.seen || store.expires_at > self.now,
                "somebody was given an old token for a fresh one",
            ),
            Outcome::Over => must(
                store.ended.is_some() || run.stalled || store.version > run.seen,
                "somebody was told that a connection is over, and it is not",
            ),
            Outcome::Failed => Ok(()),
        }
    }

    fn perform(&mut self, settings: &Settings, at: usize, run: &mut Run, how: How) -> Result<Event, Stuck> {
        match run.action.clone() {
            Action::Send { before } => self.send(settings, at, run, before, how),
            Action::Introspect => self.introspect(run, how),
            Action::Wait => {
                let moved = self.store.version != run.seen || self.store.lease_until <= self.now;
                match (moved || self.store.owner.is_none(), how) {
                    (true, How::Well) => Ok(Event::Woke),
                    (false, How::Unknown) => Ok(Event::Tired),
                    _ => Err(Stuck::Waits),
                }
            }
            Action::Claim { over } => {
                if how == How::NotWritten || self.nodes[at].cut {
                    return Err(Stuck::Fails);
                }
                let claim = self.claim(settings, run, over.as_ref().map(number))?;
                if how == How::Unknown {
                    let intent = run.intent.unwrap_or_default();
                    self.excuse(intent, false);
                    self.nodes[at].undone.push(Undone { owner: run.owner, intent, over: run.over });
                    return Err(Stuck::Fails);
                }
                Ok(Event::Claimed(claim))
            }
            // Written until it is there.
            _ if how == How::NotWritten || self.nodes[at].cut => Err(Stuck::Waits),
            action => {
                let event = match action {
                    Action::Keep => Event::Written(self.keep(settings, run)?),
                    Action::End(why) => Event::Written(self.end(settings, run, why)?),
                    Action::Rest(left) => Event::Written(self.rest(settings, run, left)),
                    Action::Doubt => Event::Doubted(self.doubt(run)),
                    _ => return Err(Stuck::Waits),
                };
                if how == How::Unknown { Err(Stuck::Goes) } else { Ok(event) }
            }
        }
    }

    fn send(
        &mut self,
        settings: &Settings,
        at: usize,
        run: &mut Run,
        before: Option<Millis>,
        how: How,
    ) -> Result<Event, Stuck> {
        if run.asked.is_some() {
            // The answer, or that there is none in time.
            let answer = match (run.reply, how) {
                (_, How::Unknown) => Answer::Lost,
                (Some(Reply::Tokens(token)), How::Well) => {
                    run.got = Some(token);
                    Answer::Tokens
                }
                (Some(Reply::Refused), How::Well) => Answer::Refused,
                (Some(Reply::Busy), How::Well) => Answer::Failed,
                _ => return Err(Stuck::Waits),
            };
            (run.asked, run.reply) = (None, None);
            return Ok(Event::Answered(answer));
        }
        let held = run.held.ok_or(Stuck::Waits)?;
        let over = match settings.broken {
            Broken::LeaseCheck => false,
            Broken::WallClock => self.now + settings.skew[at] >= held.until,
            _ => self.now >= held.until,
        };
        let late = before.is_some_and(|before| millis(self.now) >= before);
        if how != How::Well || over || (late && settings.broken != Broken::Deadline) {
            return Ok(Event::Answered(Answer::Unsent));
        }
        let request = self.name();
        self.provider.requests.push(Request { id: request, token: run.token, left_at: self.now });
        run.asked = Some(request);
        Err(Stuck::Goes)
    }

    /// The provider is asked, and what it said comes back a while later, or never.
    fn introspect(&mut self, run: &mut Run, how: How) -> Result<Event, Stuck> {
        match (run.said, how) {
            (_, How::Unknown) => {
                run.said = None;
                Ok(Event::Told(None))
            }
            (Some(said), How::Well) => {
                run.said = None;
                Ok(Event::Told(Some(said)))
            }
            (None, How::Well) => {
                run.said = Some(self.provider.works(run.token));
                Err(Stuck::Goes)
            }
            _ => Err(Stuck::Waits),
        }
    }

    /// Time passes by one tick. Whoever is well prolongs its lease; requests that are too late got lost.
    pub fn pass(&mut self) {
        self.now += 1;
        let now = self.now;
        let mut stalled = Vec::new();
        for node in &mut self.nodes {
            let Some(run) = &mut node.run else { continue };
            let Some(held) = run.held else { continue };
            let store = &mut self.store;
            let is_last = store.owner == Some(run.owner) && store.fence == held.fence;
            if is_last && !node.frozen && !node.cut {
                store.lease_until = now + LEASE;
            } else if !is_last || store.lease_until <= now {
                run.stalled = true;
                stalled.extend(run.intent);
            }
        }
        for intent in stalled {
            self.excuse(intent, false);
        }
        self.provider.requests.retain(|request| now < request.left_at + super::world::FLIGHT);
    }

    /// A process dies.
    pub fn crash(&mut self, at: usize) {
        let node = std::mem::take(&mut self.nodes[at]);
        for intent in node.undone.iter().map(|undone| undone.intent) {
            self.excuse(intent, true);
        }
        if let Some(intent) = node.run.and_then(|run| run.intent) {
            self.excuse(intent, true);
        }
    }

    /// A request arrives: the provider acts on it, or is too busy to.
    pub fn arrive(&mut self, settings: &Settings, busy: bool) -> Seen<bool> {
        if self.provider.requests.is_empty() {
            return Ok(false);
        }
        let request = self.provider.requests.remove(0);
        let reply = match busy {
            true => Reply::Busy,
            false => self.provider.take(settings.rule, request.token, self.now)?,
        };
        let mut runs = self.nodes.iter_mut().filter_map(|node| node.run.as_mut());
        if let Some(run) = runs.find(|run| run.asked == Some(request.id)) {
            run.reply = Some(reply);
        }
        Ok(true)
    }
}

/// Why an action gave no event.
pub enum Stuck {
    /// There is nothing to do yet.
    Waits,
    /// It goes on.
    Goes,
    /// The refresh ends in an error.
    Fails,
    /// What nobody may see.
    Seen(super::world::Violation),
}
