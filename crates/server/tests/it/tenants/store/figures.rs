//! Counts and sums over a whole workspace, and the audit log as operators walk through it.

use std::time::Duration;

use claviger_engine::{
    error::Result,
    id::WorkspaceId,
    store::{AuditFilter, Conn},
};

use super::{EVER, Theirs};

/// Every query: whether it finds something of theirs.
pub async fn look(conn: &mut Conn, ws: &WorkspaceId, of: &Theirs) -> Result<Vec<(&'static str, bool)>> {
    let step = Duration::from_secs(3600);
    Ok(vec![
        ("audits_before", {
            let rows = conn.audits_before(ws, &AuditFilter::default(), None, 1000).await?;
            rows.iter().any(|row| row.target == of.endpoint.id.as_str())
        }),
        ("calls_by_integration", !conn.calls_by_integration(ws, EVER, 9).await?.is_empty()),
        ("calls_over_time", !conn.calls_over_time(ws, EVER, step).await?.is_empty()),
        ("count_connections_by_standing", {
            conn.count_connections_by_standing(ws).await?.iter().any(|(_, count)| *count > 0)
        }),
    ])
}
