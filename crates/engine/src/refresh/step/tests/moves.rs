//! What can happen next, and how everything becomes well again.

use super::{
    node::How,
    world::{Rule, Seen, Settings, World, must},
};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// A node does what is next.
    Act(usize),
    /// Time passes by a tick.
    Pass,
    /// Somebody calls at a node.
    Start(usize),
    /// An API refused the access token.
    Refused(usize),
    /// A request arrives at the provider.
    Arrive,
    /// The same, and the provider does nothing.
    Busy,
    /// A node's write fails.
    NotWritten(usize),
    /// A node's write is written, and fails for all it knows; an answer is lost; nothing could be sent.
    Unknown(usize),
    /// A process dies, and is started again.
    Crash(usize),
    /// A process is stopped.
    Freeze(usize),
    /// It goes on.
    Thaw(usize),
    /// A process can't reach its database.
    Cut(usize),
    /// It can again.
    Mend(usize),
    /// The connection's owner takes back the grant at the provider.
    Revoke,
    /// The connection's owner authorizes it anew.
    Reconnect,
}

impl World {
    /// What happens, happens; `false` where it can't.
    pub fn go(&mut self, settings: &Settings, it: Move) -> Seen<bool> {
        let did = match it {
            Move::Act(at) => self.act(settings, at, How::Well)?,
            Move::NotWritten(at) => self.act(settings, at, How::NotWritten)?,
            Move::Unknown(at) => self.act(settings, at, How::Unknown)?,
            Move::Pass => {
                self.pass();
                true
            }
            Move::Start(at) => self.start(settings, at, false),
            Move::Refused(at) => self.start(settings, at, true),
            Move::Arrive => self.arrive(settings, false)?,
            Move::Busy => self.arrive(settings, true)?,
            Move::Crash(at) => {
                let does = self.nodes[at].run.is_some() || !self.nodes[at].undone.is_empty();
                self.crash(at);
                does
            }
            Move::Freeze(at) => {
                let does = !self.nodes[at].frozen && self.nodes[at].run.is_some();
                self.nodes[at].frozen |= does;
                does
            }
            Move::Thaw(at) => std::mem::take(&mut self.nodes[at].frozen),
            Move::Cut(at) => {
                let does = !self.nodes[at].cut && self.nodes[at].run.is_some();
                self.nodes[at].cut |= does;
                does
            }
            Move::Mend(at) => std::mem::take(&mut self.nodes[at].cut),
            Move::Revoke => {
                let grant = self.provider.tokens[self.store.token].grant;
                std::mem::take(&mut self.provider.grants[grant])
            }
            Move::Reconnect => {
                self.reconnect(settings);
                true
            }
        };
        self.check()?;
        Ok(did)
    }

    /// Everything is well again, and goes on until nothing is under way; then the connection is called until its token is
    /// good, or it needs its owner.
    pub fn recover(&mut self, settings: &Settings) -> Seen<()> {
        for node in &mut self.nodes {
            (node.frozen, node.cut) = (false, false);
        }
        self.finish(settings)?;
        for round in 0..60 {
            let found_out = self.store.intents.iter().all(|it| !it.orphaned || it.unknown_at.is_some());
            let good = self.store.expires_at > self.now + 2;
            if self.store.ended.is_some() || (good && found_out) {
                return self.judge(settings);
            }
            self.start(settings, round % self.nodes.len(), good);
            self.finish(settings)?;
            self.go(settings, Move::Pass)?;
        }
        must(false, "a connection is neither good nor ended, though everything is well")
    }

    /// Each refresh under way ends.
    fn finish(&mut self, settings: &Settings) -> Seen<()> {
        for _ in 0..100 {
            if self.nodes.iter().all(|node| node.run.is_none() && node.undone.is_empty()) {
                return Ok(());
            }
            let mut does = false;
            for at in 0..self.nodes.len() {
                does |= self.go(settings, Move::Act(at))?;
                self.give_up_waiting(settings, at, &mut does)?;
            }
            does |= self.go(settings, Move::Arrive)?;
            if !does {
                self.go(settings, Move::Pass)?;
            }
        }
        must(false, "a refresh does not end, though everything is well")
    }

    /// An answer that can't come any more is not waited for.
    fn give_up_waiting(&mut self, settings: &Settings, at: usize, does: &mut bool) -> Seen<()> {
        let Some(run) = &self.nodes[at].run else { return Ok(()) };
        let on_its_way = |asked| self.provider.requests.iter().any(|request| request.id == asked);
        if run.asked.is_some_and(|asked| !on_its_way(asked)) && run.reply.is_none() && run.asks() {
            *does |= self.go(settings, Move::Unknown(at))?;
        }
        Ok(())
    }

    /// What holds once everything went well for a while.
    fn judge(&self, settings: &Settings) -> Seen<()> {
        let store = &self.store;
        let listed = store.intents.iter().all(|it| !it.orphaned || it.unknown_at.is_some());
        must(listed || store.ended.is_some(), "a sender died, and nobody is told")?;
        let works = self.provider.works(store.token);
        let grant = self.provider.grants[self.provider.tokens[store.token].grant];
        let told = settings.introspects && works;
        must(
            !told || store.ended.is_none(),
            "a provider could tell that a token works, and its connection ended",
        )?;
        let kept = settings.rule == Rule::Keeps && grant;
        must(!kept || store.ended.is_none(), "a token that is not spent by use got lost")?;
        let excused = store.intents.iter().any(|it| it.excused);
        must(
            excused || works || !grant || store.ended.is_some(),
            "nothing happened, and the token does not work",
        )?;
        must(excused || !grant || store.ended.is_none(), "nothing happened, and a live grant is called dead")
    }
}
