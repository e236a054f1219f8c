//! Rotate: data keys are wrapped anew with the first root key, while everything goes on.
//!
//! [`rotate`] walks every field that holds sealed texts ([`Field::ALL`]), a batch at a time, and puts each text's
//! new wrapping in the place of the very text that it read: whoever writes meanwhile wins, and what was written is
//! looked at in the next pass. Nothing is kept between batches, so it may be killed anywhere and run again. It must
//! never run while a process serves that could not open what it writes, or that would go on sealing with an old
//! key: [`process`] tells. Wrapping itself is [`crate::vault`]'s, the columns are [`store::sealed`]'s.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    broker::Broker,
    domain::{audit::Actor, process::Process},
    error::{Error, Result},
    process,
    store::{self, Conn, SealedRow},
    vault::{Field, Sealed},
};

/// Texts per transaction: few enough that no call waits for long.
const BATCH: i64 = 200;
/// Texts that can't be rotated are all counted, and so many of them named.
const NAMED: usize = 100;
/// How often a batch that the database gave up (a deadlock, a lost connection) is tried again, and after what.
const AGAIN: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// How far a rotation is, in one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Table and column.
    pub column: &'static str,
    /// Texts looked at in this pass.
    pub done: i64,
    /// Texts still to be looked at, as counted when the pass came to this field.
    pub left: i64,
}

/// What a rotation did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The root key that wraps now.
    pub key: String,
    /// How many texts were wrapped anew, by table and column.
    pub wrapped: BTreeMap<&'static str, i64>,
    /// How many are left that can't be.
    pub failed: i64,
    /// The first of those.
    pub failures: Vec<Failure>,
}

/// A text that can't be wrapped anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Table and column.
    pub column: &'static str,
    /// The id of the row.
    pub record: String,
    /// What is wrong with it; nothing of the text.
    pub why: String,
}

/// Which root key wraps how many texts of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Table and column.
    pub column: &'static str,
    /// How many, by the root key's id; under the empty id what is no sealed text.
    pub by_root: BTreeMap<String, i64>,
}

/// Counts the stored secrets by the root key that wraps them.
pub async fn held(conn: &mut Conn) -> Result<Vec<Held>> {
    let mut all = Vec::new();
    for field in Field::ALL {
        let by_root = conn.any_sealed_by_root(field).await?;
        all.push(Held { column: store::sealed::column_name(field), by_root });
    }
    Ok(all)
}

/// How many stored secrets each root key wraps, all columns together.
pub fn by_root(held: &[Held]) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for (id, count) in held.iter().flat_map(|held| &held.by_root) {
        *sums.entry(id.clone()).or_insert(0) += count;
    }
    sums
}

/// Wraps every stored secret's data key with the first root key. Passes follow one another until one finds nothing
/// left but what can't be wrapped, which stops no other and is in the report.
///
/// # Errors
/// `Conflict` when a live process lacks that root key or seals with another, also when it came meanwhile: what was
/// wrapped by then stays so, and any process that holds both keys opens all of it.
pub async fn rotate(broker: &Broker, mut tell: impl FnMut(Progress)) -> Result<Report> {
    let mut report = Report { key: broker.vault.sealing_key_id().to_owned(), ..Report::default() };
    loop {
        report.failed = 0;
        report.failures.clear();
        let mut moved = 0;
        for field in Field::ALL {
            moved += pass(broker, field, true, &mut report, &mut tell).await?;
        }
        if moved == 0 {
            // A process that came during the last pass may have sealed something behind it.
            ready(broker).await?;
            return Ok(report);
        }
    }
}

/// Does what [`rotate`] would do, but writes nothing.
pub async fn rehearse(broker: &Broker, mut tell: impl FnMut(Progress)) -> Result<Report> {
    let mut report = Report { key: broker.vault.sealing_key_id().to_owned(), ..Report::default() };
    for field in Field::ALL {
        pass(broker, field, false, &mut report, &mut tell).await?;
    }
    ready(broker).await?;
    Ok(report)
}

/// Refuses while a live process could not open what the first root key wraps, or seals with another.
pub async fn ready(broker: &Broker) -> Result<()> {
    let first = broker.vault.sealing_key_id();
    let others = process::alive(broker).await?;
    let unfit: Vec<_> = others.iter().filter_map(|other| unfit(other, first)).collect();
    if unfit.is_empty() {
        return Ok(());
    }
    Err(Error::Conflict {
        message: format!(
            "not every process is ready for the root key {first}: {}. Restart each of them with {first} as the first \
             of its root keys and the old ones behind it, then run this again. A process that was killed counts as \
             alive until {} s after it was last seen",
            unfit.join("; "),
            process::ALIVE.as_secs(),
        ),
    })
}

/// What keeps a process from being ready for a root key.
fn unfit(process: &Process, key: &str) -> Option<String> {
    let holds = process.key_ids.join(", ");
    match process.key_ids.iter().position(|id| id == key) {
        Some(0) => None,
        Some(_) => Some(format!("{} holds {holds} and seals with the first of these", process.id)),
        None => Some(format!("{} holds {holds} only", process.id)),
    }
}

/// One walk through a field. Says how many texts moved, by us or, meanwhile, by others.
async fn pass(
    broker: &Broker,
    field: Field,
    write: bool,
    report: &mut Report,
    tell: &mut impl FnMut(Progress),
) -> Result<i64> {
    let column = store::sealed::column_name(field);
    let counts = broker.store.read().await?.any_sealed_by_root(field).await?;
    let mut left: i64 = counts.iter().filter(|(id, _)| **id != report.key).map(|(_, n)| n).sum();
    let (mut done, mut moved, mut after) = (0, 0, String::new());
    loop {
        ready(broker).await?;
        let mut conn = broker.store.read().await?;
        let rows = conn.any_sealed_not_under(field, &report.key, &after, BATCH).await?;
        drop(conn);
        let Some(last) = rows.last() else { return Ok(moved) };
        after.clone_from(&last.record);
        let looked_at = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let anew = wrap(broker, field, rows, report);
        let tried = i64::try_from(anew.len()).unwrap_or(i64::MAX);
        let written = if write { replace(broker, field, &anew).await? } else { tried };
        *report.wrapped.entry(column).or_insert(0) += written;
        moved += tried;
        done += looked_at;
        left = (left - looked_at).max(0);
        tell(Progress { column, done, left });
    }
}

/// The rows with their new texts; those that don't open are reported instead.
fn wrap(
    broker: &Broker,
    field: Field,
    rows: Vec<SealedRow>,
    report: &mut Report,
) -> Vec<(SealedRow, Sealed)> {
    let mut anew = Vec::with_capacity(rows.len());
    for row in rows {
        match broker.vault.rewrap(&field.of(&row.workspace_id, &row.record), &row.sealed) {
            Ok(Some(sealed)) => anew.push((row, sealed)),
            Ok(None) => {}
            Err(error) => {
                report.failed += 1;
                if report.failures.len() < NAMED {
                    let column = store::sealed::column_name(field);
                    report.failures.push(Failure { column, record: row.record, why: why(error) });
                }
            }
        }
    }
    anew
}

/// The vault says what is wrong, and nothing of text or key.
fn why(error: Error) -> String {
    match error {
        Error::Internal(cause) => cause.to_string(),
        other => other.to_string(),
    }
}

/// Puts the new texts in the place of the old ones, in one transaction. Says how many: a text that is no longer
/// the one that was read stays.
async fn replace(broker: &Broker, field: Field, anew: &[(SealedRow, Sealed)]) -> Result<i64> {
    let mut tries = 0;
    loop {
        match replace_once(broker, field, anew).await {
            Err(error) if tries < AGAIN => {
                tries += 1;
                tracing::warn!(error = ?error, "a batch is tried again");
                tokio::time::sleep(PAUSE).await;
            }
            ended => return ended,
        }
    }
}

async fn replace_once(broker: &Broker, field: Field, anew: &[(SealedRow, Sealed)]) -> Result<i64> {
    let mut conn = broker.store.begin(Actor::Cli, broker.clock.now()).await?;
    let mut written = 0;
    for (row, sealed) in anew {
        // No note for the other processes: the text is another, what it says is the same, and whoever remembers
        // that may go on doing so.
        written += i64::from(conn.any_replace_sealed(field, row, sealed).await?);
    }
    conn.commit().await?;
    Ok(written)
}
