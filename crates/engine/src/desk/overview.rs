//! The overview: how a workspace is doing, from counts and from the rollups of calls.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    access::Seat,
    broker::Broker,
    domain::{call_rollup::Sums, connection::Standing, right::Action},
    error::Result,
    store::Minutes,
    time::Millis,
};

/// How far back an overview looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// An hour, by the minute.
    Hour,
    /// A day, by the half hour.
    Day,
    /// A week, by four hours.
    Week,
}

impl Span {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// How long it is.
    pub fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Hour => 3600,
            Self::Day => 86_400,
            Self::Week => 7 * 86_400,
        })
    }

    /// How long one stretch of it is.
    pub fn step(self) -> Duration {
        Duration::from_secs(match self {
            Self::Hour => 60,
            Self::Day => 1800,
            Self::Week => 4 * 3600,
        })
    }
}

/// One stretch of time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stretch {
    /// All calls.
    pub all: Sums,
    /// How many of them failed: a status of 400 and above.
    pub failed: u64,
}

/// An integration's calls.
#[derive(Debug, Clone)]
pub struct Troubled {
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// How many calls.
    pub calls: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// How a workspace is doing.
pub struct Overview {
    /// How many connections, by how they stand.
    pub connections: Vec<(Standing, i64)>,
    /// Whether there is any integration yet.
    pub integrated: bool,
    /// All calls of the span.
    pub total: Stretch,
    /// Each stretch of it by when it begins, also those without a call.
    pub stretches: BTreeMap<Millis, Stretch>,
    /// Integrations with failed calls, those with the most first.
    pub troubled: Vec<Troubled>,
}

/// How many integrations are named.
const NAMED: i64 = 5;

/// Looks at a workspace.
///
/// # Errors
/// `Denied`
pub async fn overview(broker: &Broker, seat: &Seat, span: Span) -> Result<Overview> {
    seat.require(broker, Action::See)?;
    let ws = &seat.workspace.id;
    let (step, until) = (span.step(), broker.clock.now());
    let minutes = Minutes { from: floor(until.minus(span.length()), step), until };
    let mut conn = broker.store.read().await?;
    let connections = conn.count_connections_by_standing(ws).await?;
    let first = crate::store::Page { offset: 0, limit: 1 };
    let integrated = !conn.integrations(ws, &first).await?.is_empty();
    let mut stretches: BTreeMap<Millis, Stretch> = BTreeMap::new();
    let mut at = minutes.from;
    while at < until {
        stretches.insert(at, Stretch::default());
        at = at.plus(step);
    }
    let mut total = Stretch::default();
    for calls in conn.calls_over_time(ws, minutes, step).await? {
        for stretch in [stretches.entry(calls.from).or_default(), &mut total] {
            stretch.all.merge(&calls.sums);
            stretch.failed += if calls.class >= 4 { calls.sums.calls } else { 0 };
        }
    }
    let mut troubled = Vec::new();
    for of in conn.calls_by_integration(ws, minutes, NAMED).await? {
        if of.failed == 0 {
            continue;
        }
        // An integration that was removed meanwhile has a name no more.
        if let Some(found) = conn.integration(ws, &of.integration_id).await? {
            troubled.push(Troubled { key: found.key, name: found.name, calls: of.calls, failed: of.failed });
        }
    }
    Ok(Overview { connections, integrated, total, stretches, troubled })
}

fn floor(at: Millis, step: Duration) -> Millis {
    let step = i64::try_from(step.as_millis()).unwrap_or(1).max(1);
    Millis(at.0 - at.0.rem_euclid(step))
}
