//! Again: all that an endpoint was told since a time, or would have been had it been enabled, goes in line once more.
//!
//! Each event has one delivery to an endpoint, however often this is asked for. Of one connection everything goes in the
//! order in which it happened, behind what is still to be told from before that time; a delivery that is being sent at
//! that moment is left alone.

use super::emit::{delivery, is_told};
use crate::{domain::webhook::Endpoint, error::Result, id::ConnectionId, store::Conn, time::Millis};

/// Puts in line what happened to these connections since then. Says how many deliveries that is.
pub async fn again(
    conn: &mut Conn,
    endpoint: &Endpoint,
    connections: &[ConnectionId],
    since: Millis,
    now: Millis,
) -> Result<i64> {
    let workspace = &endpoint.workspace_id;
    let mut queued = 0;
    for connection in connections {
        conn.hold_connection(workspace, connection).await?;
        for (event, made) in conn.events_since(workspace, &endpoint.id, connection, since).await? {
            if !endpoint.events.contains(&event.kind) || !is_told(&event, endpoint.format) {
                continue;
            }
            queued += match made {
                Some(made) => i64::from(conn.requeue_last(workspace, &made).await?),
                None => {
                    conn.create_delivery(workspace, &delivery(&event, &endpoint.id, now)).await?;
                    1
                }
            };
        }
    }
    Ok(queued)
}
