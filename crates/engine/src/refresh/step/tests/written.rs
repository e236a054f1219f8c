//! What a node writes: the transactions of a refresh, as `claim`, `keep` and `write` make them and the store keeps them.

use super::{
    Claim, Left, Unanswered, Why, Written,
    node::{Held, Run, Stuck, id, millis, number},
    world::{Broken, Closed, Intent, LEASE, Settings, World, must},
};

/// How long a refresh that failed is left alone.
const PAUSE: i64 = 2;

impl World {
    pub fn claim(&mut self, settings: &Settings, run: &mut Run, over: Option<u32>) -> Result<Claim, Stuck> {
        let (now, broken) = (self.now, settings.broken);
        // What it sent before is in doubt by now, and no concern of this claim.
        (run.intent, run.over) = (None, None);
        let free = {
            let store = &self.store;
            store.owner.is_none_or(|owner| owner == run.owner) || store.lease_until <= now
        };
        if !free && broken != Broken::Lease {
            return Ok(if self.store.version == run.seen { Claim::Held } else { Claim::Fresh });
        }
        if self.store.ended.is_some() {
            return Ok(Claim::Over);
        }
        if self.store.version != run.seen || (!run.refused && self.store.expires_at > now + 1) {
            return Ok(Claim::Fresh);
        }
        if over.is_none() && now < self.store.retry_at {
            return Ok(Claim::Resting);
        }
        let fresh = self.name();
        let store = &mut self.store;
        (store.fence, store.owner, store.lease_until) = (store.fence + 1, Some(run.owner), now + LEASE);
        run.held = Some(Held { fence: store.fence, until: now + LEASE });
        run.stalled = false;
        if broken != Broken::GivingUp {
            let version = store.version;
            for old in store.intents.iter_mut().filter(|it| it.version < version && it.closed.is_none()) {
                old.closed = Some(Closed::GivenUp);
                old.unknown_at.get_or_insert(now);
            }
        }
        let mut tries = 1;
        match store.open_intent(run.token) {
            _ if broken == Broken::Intent => return Ok(Claim::Ours),
            Some(open) if Some(open.id) == over => {
                open.closed = Some(Closed::Resent);
                tries = open.tries + 1;
                run.over = Some(open.id);
            }
            Some(open) => {
                let unknown_at = *open.unknown_at.get_or_insert(now);
                let open = open.clone();
                let earlier = self.unanswered(run, &open, unknown_at);
                run.earlier = Some(earlier.clone());
                return Ok(Claim::Unanswered(earlier));
            }
            None => {}
        }
        let (token, version) = (run.token, run.seen);
        let (sent_at, unknown_at, closed) = (now, None, None);
        store.intents.push(Intent {
            id: fresh,
            token,
            version,
            tries,
            sent_at,
            unknown_at,
            closed,
            excused: false,
            orphaned: false,
        });
        run.intent = Some(fresh);
        Ok(Claim::Ours)
    }

    pub fn unanswered(&self, run: &Run, open: &Intent, unknown_at: i64) -> Unanswered {
        Unanswered {
            id: id(open.id),
            sent_at: millis(open.sent_at),
            unknown_at: millis(unknown_at),
            tries: open.tries,
            now: millis(self.now),
            good: self.store.expires_at > self.now && !run.refused,
        }
    }

    pub fn keep(&mut self, settings: &Settings, run: &Run) -> Result<Written, Stuck> {
        let got = run.got.ok_or(Stuck::Waits)?;
        let held = run.held.ok_or(Stuck::Waits)?;
        let now = self.now;
        self.release(held.fence, None);
        let store = &mut self.store;
        let again = store.written_by == held.fence && store.parent == Some(run.token);
        let later = store.version == run.seen + 1
            && store.written_by < held.fence
            && store.parent == Some(run.token)
            && settings.broken != Broken::LaterFence;
        let writes = store.version == run.seen || later || settings.broken == Broken::Cas;
        if writes && !again {
            store.version += 1;
            (store.token, store.written_by, store.parent) = (got, held.fence, Some(run.token));
            store.expires_at = now + settings.life;
        }
        // What a later refresh ended since an earlier try of this one stays so.
        let heals = (writes && !again) || (again && settings.broken == Broken::Retrying);
        if heals && store.ended == Some(Why::Unknown) && settings.broken != Broken::Healing {
            store.ended = None;
        }
        if let Some(intent) = run.intent.and_then(|intent| store.intent(intent)) {
            intent.closed = Some(Closed::Answered);
        }
        let thrown_away = !writes && self.provider.works(got) && self.provider.tokens[store.token].dead;
        must(!thrown_away, "tokens that work were thrown away for dead ones").map_err(Stuck::Seen)?;
        let healed = !writes || again || store.ended != Some(Why::Unknown);
        must(healed, "an answer was written, and its connection stays ended").map_err(Stuck::Seen)?;
        Ok(if writes || again { Written::Done } else { Written::Moved })
    }

    pub fn end(&mut self, settings: &Settings, run: &Run, why: Why) -> Result<Written, Stuck> {
        let held = run.held.ok_or(Stuck::Waits)?;
        if self.store.fence != held.fence && settings.broken != Broken::Fence {
            let moved = self.store.version != run.seen;
            return Ok(if moved { Written::Moved } else { Written::Fenced });
        }
        let others = self.asking_but(run.owner);
        must(!others, "a connection was ended while another node had its refresh to itself")
            .map_err(Stuck::Seen)?;
        self.release(held.fence, None);
        let ends = match why {
            Why::Refused => run.intent.map(|intent| (intent, Closed::Refused)),
            Why::Unknown => run.earlier.as_ref().map(|earlier| (number(&earlier.id), Closed::GivenUp)),
        };
        let store = &mut self.store;
        if let Some((intent, closed)) = ends
            && let Some(intent) = store.intent(intent)
            && intent.closed.is_none()
        {
            intent.closed = Some(closed);
        }
        if store.version != run.seen && settings.broken != Broken::Believing {
            return Ok(Written::Moved);
        }
        store.ended.get_or_insert(why);
        let grant = self.provider.tokens[store.token].grant;
        let tokens = &self.provider.tokens;
        let of_grant = |it: &&Intent| tokens[it.token].grant == grant;
        let explained = store.intents.iter().filter(of_grant).any(|it| it.unknown_at.is_some());
        must(
            !self.provider.grants[grant] || explained,
            "a live grant was called dead, and nothing explains it",
        )
        .map_err(Stuck::Seen)?;
        let refused_live = why == Why::Refused && self.provider.works(store.token);
        must(!refused_live, "a token was called refused, and it works").map_err(Stuck::Seen)?;
        Ok(Written::Done)
    }

    /// Whether a node that is well has the refresh to itself, and is not this one.
    pub fn asking_but(&self, owner: u32) -> bool {
        let mut runs =
            self.nodes.iter().filter(|node| !node.frozen && !node.cut).filter_map(|node| node.run.as_ref());
        runs.any(|run| {
            let fence = run.held.map(|held| held.fence);
            run.owner != owner
                && !run.stalled
                && self.store.owner == Some(run.owner)
                && fence == Some(self.store.fence)
        })
    }

    pub fn rest(&mut self, settings: &Settings, run: &Run, left: Left) -> Written {
        let fence = run.held.map_or(0, |held| held.fence);
        let until = match &run.earlier {
            Some(earlier) if earlier.good => self.store.expires_at.min(self.now + PAUSE),
            _ => self.now + PAUSE,
        };
        let ours = self.store.fence == fence;
        if ours || settings.broken == Broken::Fence {
            self.release(self.store.fence, Some(until));
        }
        if let (Left::Nothing, Some(intent)) = (left, run.intent) {
            self.withdraw(settings, intent, run.over);
        }
        if ours { Written::Done } else { Written::Fenced }
    }

    pub fn doubt(&mut self, run: &mut Run) -> Unanswered {
        let now = self.now;
        let number = run.intent.unwrap_or_default();
        // A lost answer excuses: nobody says that the sender was well.
        self.excuse(number, false);
        let marked = self.store.intent(number).map(|it| (*it.unknown_at.get_or_insert(now), it.clone()));
        let (unknown_at, open) = marked.unwrap_or_else(|| {
            let (token, version) = (run.token, run.seen);
            let gone = Intent {
                id: number,
                token,
                version,
                tries: 1,
                sent_at: now,
                unknown_at: Some(now),
                closed: None,
                excused: true,
                orphaned: false,
            };
            (now, gone)
        });
        let earlier = self.unanswered(run, &open, unknown_at);
        run.earlier = Some(earlier.clone());
        earlier
    }

    /// Takes back an intent to send what was not spent.
    pub fn withdraw(&mut self, settings: &Settings, number: u32, over: Option<u32>) {
        let Some(intent) = self.store.intent(number) else { return };
        let (was, version) = (intent.closed, intent.version);
        match was {
            None => {
                intent.closed = Some(Closed::Nothing);
                let before = over.filter(|_| settings.broken != Broken::Reopening);
                let unmoved = self.store.version == version;
                if let Some(before) = before.and_then(|over| self.store.intent(over))
                    && unmoved
                    && before.closed == Some(Closed::Resent)
                {
                    before.closed = None;
                }
            }
            Some(Closed::GivenUp) => {
                intent.closed = Some(Closed::Nothing);
                if over.is_none() && self.store.ended == Some(Why::Unknown) && self.store.version == version {
                    self.store.ended = None;
                }
            }
            Some(_) => {}
        }
    }

    pub fn take_back(&mut self, settings: &Settings, at: usize) -> bool {
        if self.nodes[at].cut {
            return false;
        }
        let Some(undone) = self.nodes[at].undone.pop() else { return false };
        if self.store.owner == Some(undone.owner) {
            (self.store.owner, self.store.lease_until) = (None, 0);
        }
        self.withdraw(settings, undone.intent, undone.over);
        true
    }

    pub fn release(&mut self, fence: i64, retry_at: Option<i64>) {
        let store = &mut self.store;
        if store.fence == fence {
            (store.owner, store.lease_until) = (None, 0);
            store.retry_at = retry_at.unwrap_or(0);
        }
    }

    pub fn excuse(&mut self, intent: u32, died: bool) {
        if let Some(intent) = self.store.intent(intent)
            && !matches!(intent.closed, Some(Closed::Answered | Closed::Refused | Closed::Nothing))
        {
            intent.excused = true;
            intent.orphaned |= died;
        }
    }
}
