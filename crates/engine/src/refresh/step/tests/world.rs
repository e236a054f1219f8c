//! The world of the model: what the database holds, what the provider does, and what nobody may ever see.
//!
//! One connection. Time is one number, in ticks: the database's, the provider's and the monotonic one. Only what nodes read
//! from their own wall clocks is skewed.

use super::node::Node;

/// How long a lease is, in ticks.
pub const LEASE: i64 = 3;
/// How long a request or its answer is on its way at most.
pub const FLIGHT: i64 = 2;

/// One way in which the machinery can be broken, to prove that the model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is not.
    Nothing,
    /// New tokens are written whatever version is there.
    Cas,
    /// A lease is taken though somebody else has it.
    Lease,
    /// A token is sent though the lease is over.
    LeaseCheck,
    /// The end of the lease is judged by a wall clock that nobody corrected.
    WallClock,
    /// No intent is written.
    Intent,
    /// Who was fenced off ends and rests all the same.
    Fence,
    /// A provider is believed that a token is good, though the sending before may be on its way.
    Settling,
    /// A graced second use leaves whenever it does.
    Deadline,
    /// What took the place of another intent is taken back without that one.
    Reopening,
    /// A late answer is written, and its connection stays ended.
    Healing,
    /// Open intents of older versions are left as they are.
    GivingUp,
    /// Of two answers to the same token the first that is written stays.
    LaterFence,
    /// A refusal is believed though the version moved.
    Believing,
    /// Tokens whose writing only looked like a failure heal once more when they are written again.
    Retrying,
}

/// What a provider does when a refresh token is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is spent, and using it again ends the grant.
    Rotates,
    /// It is spent, and works once more for so long.
    Graces(i64),
    /// It is not spent.
    Keeps,
}

/// What does not change.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub nodes: usize,
    pub rule: Rule,
    pub introspects: bool,
    /// How long access tokens live.
    pub life: i64,
    /// By how much each node's wall clock is wrong.
    pub skew: [i64; 4],
    pub broken: Broken,
}

/// Everything that changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub now: i64,
    pub store: Store,
    pub provider: Provider,
    pub nodes: Vec<Node>,
    /// How many runs, intents and requests there were: what names the next one.
    pub named: u32,
}

/// What nobody may ever see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub &'static str);

/// Everything that goes on, or what must not.
pub type Seen<T> = Result<T, Violation>;

/// Fails where something does not hold.
pub fn must(holds: bool, what: &'static str) -> Seen<()> {
    if holds { Ok(()) } else { Err(Violation(what)) }
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Store {
    pub version: i64,
    /// The credential's refresh token.
    pub token: usize,
    /// Which refresh wrote it, and which token that spent.
    pub written_by: i64,
    pub parent: Option<usize>,
    pub expires_at: i64,
    /// Why the connection needs its owner.
    pub ended: Option<super::Why>,
    pub owner: Option<u32>,
    pub fence: i64,
    pub lease_until: i64,
    pub retry_at: i64,
    pub intents: Vec<Intent>,
}

/// A sending that was written down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    pub id: u32,
    pub token: usize,
    pub version: i64,
    pub tries: i64,
    pub sent_at: i64,
    pub unknown_at: Option<i64>,
    pub closed: Option<Closed>,
    /// What became of its sender before the answer was written: it died, stood still, lost the answer or its database.
    pub excused: bool,
    /// Whether it died.
    pub orphaned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closed {
    Answered,
    Refused,
    Nothing,
    Resent,
    GivenUp,
}

impl Store {
    pub fn intent(&mut self, id: u32) -> Option<&mut Intent> {
        self.intents.iter_mut().find(|intent| intent.id == id)
    }

    pub fn open_intent(&mut self, token: usize) -> Option<&mut Intent> {
        self.intents.iter_mut().find(|intent| intent.token == token && intent.closed.is_none())
    }
}

/// The provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Provider {
    pub tokens: Vec<Token>,
    /// Whether each grant lives.
    pub grants: Vec<bool>,
    /// Requests that are on their way to it.
    pub requests: Vec<Request>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token {
    pub grant: usize,
    /// When it was first used, and what it gave last.
    pub spent: Option<(i64, usize)>,
    /// Whether it was given for a token that was then used once more.
    pub dead: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    pub id: u32,
    pub token: usize,
    pub left_at: i64,
}

/// What it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    Tokens(usize),
    Refused,
    Busy,
}

impl Provider {
    pub fn grant(&mut self) -> usize {
        self.grants.push(true);
        self.give(self.grants.len() - 1)
    }

    fn give(&mut self, grant: usize) -> usize {
        self.tokens.push(Token { grant, spent: None, dead: false });
        self.tokens.len() - 1
    }

    /// Whether using a token would work.
    pub fn works(&self, token: usize) -> bool {
        let it = &self.tokens[token];
        self.grants[it.grant] && it.spent.is_none() && !it.dead
    }

    /// Uses a token, as RFC 6749 §6 and the provider's own rule say.
    pub fn take(&mut self, rule: Rule, token: usize, now: i64) -> Seen<Reply> {
        let it = self.tokens[token].clone();
        if it.dead {
            return Ok(Reply::Refused);
        }
        if let Some((at, child)) = it.spent {
            let graced = matches!(rule, Rule::Graces(window) if now < at + window)
                && self.tokens[child].spent.is_none();
            must(graced, "a token was used again outside its provider's rule")?;
            self.tokens[child].dead = true;
        }
        if !self.grants[it.grant] {
            return Ok(Reply::Refused);
        }
        if rule == Rule::Keeps {
            return Ok(Reply::Tokens(token));
        }
        let child = self.give(it.grant);
        let first = it.spent.map_or(now, |(at, _)| at);
        self.tokens[token].spent = Some((first, child));
        Ok(Reply::Tokens(child))
    }
}

impl World {
    /// A connection that was just made; its access token is good for its life.
    pub fn new(settings: &Settings) -> Self {
        let mut provider = Provider { tokens: Vec::new(), grants: Vec::new(), requests: Vec::new() };
        let token = provider.grant();
        let store = Store {
            version: 1,
            token,
            written_by: 0,
            parent: None,
            expires_at: settings.life,
            ended: None,
            owner: None,
            fence: 0,
            lease_until: 0,
            retry_at: 0,
            intents: Vec::new(),
        };
        Self { now: 0, store, provider, nodes: vec![Node::default(); settings.nodes], named: 0 }
    }

    pub fn name(&mut self) -> u32 {
        self.named += 1;
        self.named
    }

    /// The connection is authorized anew by its owner: a grant of its own.
    pub fn reconnect(&mut self, settings: &Settings) {
        let token = self.provider.grant();
        let store = &mut self.store;
        store.version += 1;
        (store.token, store.written_by, store.parent) = (token, 0, None);
        (store.expires_at, store.ended, store.retry_at) = (self.now + settings.life, None, 0);
        for intent in &mut store.intents {
            if intent.unknown_at.is_some() && intent.closed.is_none() {
                intent.closed = Some(Closed::GivenUp);
            }
        }
    }

    /// What holds always.
    pub fn check(&self) -> Seen<()> {
        let newest = self.provider.grants.len() - 1;
        must(
            self.provider.tokens[self.store.token].grant == newest,
            "an older grant took a newer one's place",
        )?;
        let mut open: Vec<usize> = Vec::new();
        for intent in &self.store.intents {
            must(
                intent.unknown_at.is_none() || intent.excused,
                "an outcome is called unknown of a sender that is well",
            )?;
            if intent.closed.is_none() {
                must(!open.contains(&intent.token), "two intents of one token are open")?;
                open.push(intent.token);
            }
        }
        Ok(())
    }

    /// The same with times and numbers seen from now, and without what can't matter any more: what states are compared by.
    pub fn seen_from_now(&self) -> Self {
        let mut seen = self.clone();
        let (now, fence, version) = (self.now, self.store.fence, self.store.version);
        // Nothing is compared with a time that is longer ago.
        let from = |at: &mut i64| *at = (*at - now).max(-FAR);
        let mut names: Vec<u32> = vec![0];
        let mut rename = |name: &mut u32| {
            let known = names.iter().position(|known| known == name);
            let at = known.unwrap_or_else(|| {
                names.push(*name);
                names.len() - 1
            });
            *name = u32::try_from(at).unwrap_or(u32::MAX);
        };
        for node in &mut seen.nodes {
            node.seen_from((now, fence, version), &mut rename);
        }
        seen.store.owner.as_mut().map(&mut rename);
        seen.store.intents.iter_mut().for_each(|intent| rename(&mut intent.id));
        seen.provider.requests.iter_mut().for_each(|request| rename(&mut request.id));
        (seen.now, seen.store.fence, seen.store.version) = (0, 0, 0);
        seen.store.written_by = (seen.store.written_by - fence).max(-FAR);
        from(&mut seen.store.expires_at);
        from(&mut seen.store.lease_until);
        from(&mut seen.store.retry_at);
        for intent in &mut seen.store.intents {
            intent.version -= version;
            from(&mut intent.sent_at);
            intent.unknown_at.as_mut().map(from);
        }
        for token in &mut seen.provider.tokens {
            if let Some((at, _)) = &mut token.spent {
                from(at);
            }
        }
        for request in &mut seen.provider.requests {
            from(&mut request.left_at);
        }
        seen.named = 0;
        seen
    }
}

/// Longer than anything that is waited for.
pub const FAR: i64 = 20;
