//! The audit log of a workspace: who did what to what, and from where.

use std::collections::BTreeMap;

use crate::{
    access::Seat,
    broker::Broker,
    domain::{audit::Audit, right::Action},
    error::Result,
    id::{ApiKeyId, OperatorId, UserId},
    store::{AuditFilter, Mark},
};

/// How many rows a page has.
pub const PAGE: usize = 50;

/// A stretch of the audit log.
pub struct Stretch {
    /// The rows, newest first.
    pub rows: Vec<Audit>,
    /// What those who acted are called, by how rows name them; who is gone has no name.
    pub names: BTreeMap<String, String>,
    /// Where the next stretch begins, if there is one.
    pub next: Option<Mark>,
}

/// Reads a stretch.
///
/// # Errors
/// `Denied`
pub async fn list(
    broker: &Broker,
    seat: &Seat,
    narrow: &AuditFilter,
    before: Option<&Mark>,
) -> Result<Stretch> {
    seat.require(broker, Action::ReadAudit)?;
    let ws = &seat.workspace.id;
    let mut conn = broker.store.read().await?;
    let one_more = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut rows = conn.audits_before(ws, narrow, before, one_more).await?;
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let next = rows.last().filter(|_| more).map(|row| Mark { at: row.at, id: row.id.to_string() });
    let keys = conn.api_keys(ws).await?;
    let mut names = BTreeMap::new();
    for row in &rows {
        if names.contains_key(&row.actor) {
            continue;
        }
        let name = match row.actor.split_once(':') {
            Some(("operator", id)) => {
                conn.any_operator(&OperatorId::from_row(id.to_owned())).await?.map(|it| it.username)
            }
            Some(("user", id)) => {
                conn.user(ws, &UserId::from_row(id.to_owned())).await?.map(|it| it.username)
            }
            Some(("api_key", id)) => {
                let id = ApiKeyId::from_row(id.to_owned());
                keys.iter().find(|key| key.id == id).map(|key| key.name.clone())
            }
            _ => None,
        };
        if let Some(name) = name {
            names.insert(row.actor.clone(), name);
        }
    }
    Ok(Stretch { rows, names, next })
}
