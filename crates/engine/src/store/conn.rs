//! The unit of work: queries are methods on it (a file per noun), `commit` ends it, dropping it undoes it.
//!
//! The four ways to the database are boxed: the driver's futures are generic over lifetimes in a way that
//! keeps the compiler from seeing that what awaits them can move between threads.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use sqlx::{
    Any, AnyConnection, Transaction,
    any::{AnyQueryResult, AnyRow},
    pool::PoolConnection,
};
use tokio::sync::Notify;

use super::{
    Kind,
    change::{Note, Topic},
    fault::in_time,
    open::database_time,
    statement::{Row, Statement, sql},
};
use crate::{
    domain::audit::Actor,
    error::{Error, Result},
    id::{AuditId, WorkspaceId},
    time::{Clock, Millis},
};

/// Some queries, or one transaction. Dropped without [`Conn::commit`], nothing of it stays: also when a
/// client hangs up in the middle.
pub struct Conn {
    link: Link,
    /// Who acts, for the audit row of an administrative change.
    actor: Actor,
    kind: Kind,
    /// When the unit of work began, by the caller's clock.
    pub(super) now: Millis,
    /// What the commit will write to the change log.
    pub(super) notes: Vec<Note>,
    /// Whether the commit puts something in line for those who deliver.
    pub(super) wakes: bool,
    deliverable: Option<Arc<Notify>>,
}

enum Link {
    Read(PoolConnection<Any>),
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
    pub(super) fn reading(kind: Kind, link: PoolConnection<Any>) -> Self {
        Self::new(kind, Link::Read(link), Actor::System, Millis(0), None)
    }

    pub(super) fn writing(
        kind: Kind,
        link: Transaction<'static, Any>,
        actor: Actor,
        now: Millis,
        deliverable: Arc<Notify>,
    ) -> Self {
        Self::new(kind, Link::Write(link), actor, now, Some(deliverable))
    }

    fn new(kind: Kind, link: Link, actor: Actor, now: Millis, deliverable: Option<Arc<Notify>>) -> Self {
        Self { link, actor, kind, now, notes: Vec::new(), wakes: false, deliverable }
    }

    /// What time the database has, read in this very unit of work, for all processes to agree; the clock learns it. Where
    /// the clock is a fixed one, what it says.
    pub async fn time(&mut self, clock: &Clock) -> Result<Millis> {
        if let Clock::Fixed(_) = clock {
            return Ok(clock.now());
        }
        let row = self.row(database_time(self.kind)).await?;
        let now = row.ok_or_else(|| Error::internal("the database told no time"))?.at("at")?;
        clock.correct(now);
        Ok(now)
    }

    /// Makes it so, and tells the other processes what changed (see [`super::change`]).
    pub async fn commit(mut self) -> Result<()> {
        self.write_notes().await?;
        match self.link {
            Link::Read(_) => Ok(()),
            Link::Write(transaction) => {
                in_time(self.kind, Box::pin(transaction.commit())).await?;
                if let Some(deliverable) = self.deliverable.filter(|_| self.wakes) {
                    deliverable.notify_one();
                }
                Ok(())
            }
        }
    }

    /// The first row of a query's answer.
    pub(super) async fn row(&mut self, query: Statement) -> Result<Option<Row>> {
        let row = match &mut self.link {
            Link::Read(link) => in_time(self.kind, first(link, query)).await?,
            Link::Write(link) => in_time(self.kind, first(link, query)).await?,
        };
        Ok(row.map(Row))
    }

    /// All rows of a query's answer.
    pub(super) async fn rows(&mut self, query: Statement) -> Result<Vec<Row>> {
        let rows = match &mut self.link {
            Link::Read(link) => in_time(self.kind, all(link, query)).await?,
            Link::Write(link) => in_time(self.kind, all(link, query)).await?,
        };
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Changes rows and says how many.
    pub(super) async fn execute(&mut self, change: Statement) -> Result<i64> {
        let kind = self.kind;
        let done = in_time(kind, run(self.transaction()?, change)).await?;
        Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
    }

    /// Changes at most one row and gives what the statement returns of it.
    pub(super) async fn changed_row(&mut self, change: Statement) -> Result<Option<Row>> {
        // All rows are fetched, so that SQLite runs the statement to its end.
        let kind = self.kind;
        let rows = in_time(kind, all(self.transaction()?, change)).await?;
        Ok(rows.into_iter().next().map(Row))
    }

    /// Changes rows and gives what the statement returns of each.
    pub(super) async fn changed_rows(&mut self, change: Statement) -> Result<Vec<Row>> {
        let kind = self.kind;
        let rows = in_time(kind, all(self.transaction()?, change)).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Writes who did what, in this transaction.
    pub(super) async fn audit(
        &mut self,
        workspace: Option<&WorkspaceId>,
        verb: &'static str,
        target: &str,
    ) -> Result<()> {
        let insert = sql("insert into audit (id, workspace_id, actor, verb, target, at) \
                          values ($1, $2, $3, $4, $5, $6)");
        let insert = insert.text(AuditId::new().as_str()).maybe_text(workspace.map(WorkspaceId::as_str));
        let insert = insert.text(self.actor.to_text()).text(verb).text(target).at(self.now);
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
            Link::Read(_) => Err(Error::internal("a change was asked of a connection for reading")),
        }
    }
}

// The driver's futures are boxed here: behind their own types the compiler can't tell that what awaits
// them may be spawned.

fn first(link: &mut AnyConnection, query: Statement) -> BoxFuture<'_, sqlx::Result<Option<AnyRow>>> {
    Box::pin(query.0.fetch_optional(link))
}

fn all(link: &mut AnyConnection, query: Statement) -> BoxFuture<'_, sqlx::Result<Vec<AnyRow>>> {
    Box::pin(query.0.fetch_all(link))
}

fn run(link: &mut AnyConnection, change: Statement) -> BoxFuture<'_, sqlx::Result<AnyQueryResult>> {
    Box::pin(change.0.execute(link))
}

/// Turns "no row was changed" into an error.
pub(super) fn found(changed: i64, what: &'static str) -> Result<()> {
    if changed == 0 { Err(Error::NotFound { what }) } else { Ok(()) }
}
