//! The unit of work: queries are methods on it (a file per noun), `commit` ends it, dropping it undoes it.
//!
//! The four ways to the database are boxed: the driver's futures are generic over lifetimes in a way that
//! keeps the compiler from seeing that what awaits them can move between threads.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::{
    Any, AnyConnection, AnyPool, Transaction,
    any::{AnyQueryResult, AnyRow},
    pool::PoolConnection,
};
use tokio::{sync::Notify, time::Instant};

use super::{
    Kind,
    board::Board,
    change::{Note, Topic},
    fault::{fault, in_time},
    open::database_time,
    plan::Plans,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::audit::Actor,
    error::{Error, Result},
    id::{AuditId, WorkspaceId},
    time::{Clock, Millis},
};

/// How old the database's word for the time may be when it is believed.
const PROMPT: Duration = Duration::from_secs(1);

/// Some queries, or one transaction. Dropped without [`Conn::commit`], nothing of it stays: also when a
/// client hangs up in the middle.
pub struct Conn {
    link: Link,
    /// Who acts, for the audit row of an administrative change.
    actor: Actor,
    /// From which address, where that is known.
    address: Option<String>,
    kind: Kind,
    /// When the unit of work began, by the caller's clock.
    pub(super) now: Millis,
    /// What the commit will write to the change log.
    pub(super) notes: Vec<Note>,
    /// What this process alone hears of, once it is committed.
    pub(super) here: Vec<Note>,
    /// Whether the commit puts something in line for those who deliver.
    pub(super) wakes: bool,
    shared: Arc<Shared>,
}

/// What all units of work of a store share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Told of each commit that puts a delivery in line.
    pub deliverable: Notify,
    pub plans: Arc<Plans>,
    pub board: Board,
}

enum Link {
    /// And where another one is had from.
    Read(PoolConnection<Any>, AnyPool),
    Write(Transaction<'static, Any>),
}

/// Which stretch of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many to skip.
    pub offset: i64,
    /// How many to give at most.
    pub limit: i64,
}

impl Conn {
    pub(super) fn reading(kind: Kind, link: PoolConnection<Any>, pool: AnyPool, shared: Arc<Shared>) -> Self {
        Self::new(kind, Link::Read(link, pool), Actor::System, Millis(0), shared)
    }

    pub(super) fn writing(
        kind: Kind,
        link: Transaction<'static, Any>,
        actor: Actor,
        now: Millis,
        shared: Arc<Shared>,
    ) -> Self {
        Self::new(kind, Link::Write(link), actor, now, shared)
    }

    fn new(kind: Kind, link: Link, actor: Actor, now: Millis, shared: Arc<Shared>) -> Self {
        Self {
            link,
            actor,
            address: None,
            kind,
            now,
            notes: Vec::new(),
            here: Vec::new(),
            wakes: false,
            shared,
        }
    }

    /// The same, done from this address, for the audit log to say.
    pub fn from_address(mut self, address: &str) -> Self {
        self.address = Some(address.to_owned());
        self
    }

    /// What time the database has, read in this very unit of work, for all processes to agree; the clock learns it. Where
    /// the clock is a fixed one, what it says.
    pub async fn time(&mut self, clock: &Clock) -> Result<Millis> {
        if let Clock::Fixed(_) = clock {
            return Ok(clock.now());
        }
        let asked = Instant::now();
        let row = self.row(database_time(self.kind)).await?;
        let now = row.ok_or_else(|| Error::internal("the database told no time"))?.at("at")?;
        // An answer that lay about while this process stood still is of another time.
        if asked.elapsed() < PROMPT {
            clock.correct(now);
        }
        Ok(now)
    }

    /// Makes it so, and tells the other processes what changed (see [`super::change`]).
    pub async fn commit(mut self) -> Result<()> {
        self.write_notes().await?;
        match self.link {
            Link::Read(..) => Ok(()),
            Link::Write(transaction) => {
                let done = in_time(self.kind, Box::pin(transaction.commit())).await;
                // Also where it failed: what came of it is not always known.
                self.shared.board.put(self.here);
                done?;
                if self.wakes {
                    self.shared.deliverable.notify_one();
                }
                Ok(())
            }
        }
    }

    /// The first row of a query's answer.
    pub(super) async fn row(&mut self, query: Statement) -> Result<Option<Row>> {
        let again = self.again(&query);
        let row = match &mut self.link {
            Link::Read(link, _) => in_time(self.kind, first(link, query)).await,
            Link::Write(link) => in_time(self.kind, first(link, query)).await,
        };
        let row = match (self.outdated(&row), again, &mut self.link) {
            (true, Some(query), Link::Read(link, pool)) => {
                *link = another(pool).await?;
                in_time(self.kind, first(link, query)).await?
            }
            _ => row?,
        };
        Ok(row.map(Row))
    }

    /// All rows of a query's answer.
    pub(super) async fn rows(&mut self, query: Statement) -> Result<Vec<Row>> {
        let again = self.again(&query);
        let rows = match &mut self.link {
            Link::Read(link, _) => in_time(self.kind, all(link, query)).await,
            Link::Write(link) => in_time(self.kind, all(link, query)).await,
        };
        let rows = match (self.outdated(&rows), again, &mut self.link) {
            (true, Some(query), Link::Read(link, pool)) => {
                *link = another(pool).await?;
                in_time(self.kind, all(link, query)).await?
            }
            _ => rows?,
        };
        Ok(rows.into_iter().map(Row).collect())
    }

    /// The statement once more, for a connection whose plans fit no more. Within a transaction nothing can be repeated.
    fn again(&self, query: &Statement) -> Option<Statement> {
        matches!((self.kind, &self.link), (Kind::Postgres, Link::Read(..))).then(|| query.clone())
    }

    /// Whether the answer is that the connection's plans are of another schema.
    fn outdated<T>(&self, answer: &Result<T>) -> bool {
        answer.as_ref().err().is_some_and(|error| self.shared.plans.hear(error))
    }

    /// All rows that a change gives, in a transaction.
    async fn changed(&mut self, change: Statement) -> Result<Vec<AnyRow>> {
        let kind = self.kind;
        let rows = in_time(kind, all(self.transaction()?, change)).await;
        self.outdated(&rows);
        rows
    }

    /// Changes rows and says how many.
    pub(super) async fn execute(&mut self, change: Statement) -> Result<i64> {
        let kind = self.kind;
        let done = in_time(kind, run(self.transaction()?, change)).await;
        self.outdated(&done);
        Ok(i64::try_from(done?.rows_affected()).unwrap_or(i64::MAX))
    }

    /// Changes at most one row and gives what the statement returns of it.
    pub(super) async fn changed_row(&mut self, change: Statement) -> Result<Option<Row>> {
        // All rows are fetched, so that SQLite runs the statement to its end.
        Ok(self.changed(change).await?.into_iter().next().map(Row))
    }

    /// Changes rows and gives what the statement returns of each.
    pub(super) async fn changed_rows(&mut self, change: Statement) -> Result<Vec<Row>> {
        Ok(self.changed(change).await?.into_iter().map(Row).collect())
    }

    /// Writes who did what, in this transaction.
    pub(super) async fn audit(
        &mut self,
        workspace: Option<&WorkspaceId>,
        verb: &'static str,
        target: &str,
    ) -> Result<()> {
        let insert = sql("insert into audit (id, workspace_id, actor, verb, target, at, address) \
                          values ($1, $2, $3, $4, $5, $6, $7)");
        let insert = insert.text(AuditId::new().as_str()).maybe_text(workspace.map(WorkspaceId::as_str));
        let insert = insert.text(self.actor.to_text()).text(verb).text(target).at(self.now);
        let insert = insert.maybe_text(self.address.as_deref());
        self.execute(insert).await.map(drop)
    }

    /// An administrative change: its audit row and its note for the other processes.
    pub(super) async fn sign(
        &mut self,
        workspace: Option<&WorkspaceId>,
        topic: Topic,
        verb: &'static str,
        target: &str,
    ) -> Result<()> {
        self.note(workspace, topic, target);
        self.audit(workspace, verb, target).await
    }

    fn transaction(&mut self) -> Result<&mut Transaction<'static, Any>> {
        match &mut self.link {
            Link::Write(transaction) => Ok(transaction),
            Link::Read(..) => Err(Error::internal("a change was asked of a connection for reading")),
        }
    }
}

/// A connection in the place of one whose plans are of another schema: those are not given any more.
async fn another(pool: &AnyPool) -> Result<PoolConnection<Any>> {
    let acquired: BoxFuture<'_, _> = Box::pin(pool.acquire());
    acquired.await.map_err(fault)
}

// The driver's futures are boxed here: behind their own types the compiler can't tell that what awaits
// them may be spawned.

fn first(link: &mut AnyConnection, query: Statement) -> BoxFuture<'_, sqlx::Result<Option<AnyRow>>> {
    Box::pin(query.query().fetch_optional(link))
}

fn all(link: &mut AnyConnection, query: Statement) -> BoxFuture<'_, sqlx::Result<Vec<AnyRow>>> {
    Box::pin(query.query().fetch_all(link))
}

fn run(link: &mut AnyConnection, change: Statement) -> BoxFuture<'_, sqlx::Result<AnyQueryResult>> {
    Box::pin(change.query().execute(link))
}

/// Turns "no row was changed" into an error.
pub(super) fn found(changed: i64, what: &'static str) -> Result<()> {
    if changed == 0 { Err(Error::NotFound { what }) } else { Ok(()) }
}
