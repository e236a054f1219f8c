//! Flows of pages in frames: a way that is chosen late, and the request by which the end of their window is told.

use std::collections::BTreeMap;

use super::{Conn, statement::sql};
use crate::{
    domain::integration::Integration,
    error::Result,
    id::{FlowId, WorkspaceId},
    time::Millis,
};

impl Conn {
    /// Takes a way for a flow, by the key of its auth option, with the integration as of that; `None` is the integration's
    /// own. `false` when the flow is gone, under way or too old.
    pub async fn choose_flow_way(
        &mut self,
        ws: &WorkspaceId,
        id: &FlowId,
        way: Option<&str>,
        of: &Integration,
        inputs: &BTreeMap<String, String>,
    ) -> Result<bool> {
        let update =
            sql("update flow set auth_option = $3, integration_version = $4, callback = $5, inputs = $6 \
                          where workspace_id = $1 and id = $2 and state_hash is null and expires_at > $7");
        let update = update.text(ws.as_str()).text(id.as_str()).maybe_text(way).int(of.version);
        let update = update.text(of.callback.as_str()).json(inputs)?.at(self.now);
        Ok(self.execute(update).await? > 0)
    }

    /// Keeps by which request, in place of any before, the end of a flow's window will be told, and gives the flow until
    /// then. `false` when the flow is gone, over or too old.
    pub async fn follow_request(
        &mut self,
        ws: &WorkspaceId,
        id: &FlowId,
        request: &str,
        until: Millis,
    ) -> Result<bool> {
        let update = sql("update flow set request = $3, expires_at = $4 \
                          where workspace_id = $1 and id = $2 and state_hash is null and expires_at > $5");
        let update = update.text(ws.as_str()).text(id.as_str()).text(request).at(until).at(self.now);
        Ok(self.execute(update).await? > 0)
    }

    /// Forgets a request whose end was told; `false` when the flow follows another by now.
    pub async fn unfollow_request(&mut self, ws: &WorkspaceId, id: &FlowId, request: &str) -> Result<bool> {
        let update =
            sql("update flow set request = null where workspace_id = $1 and id = $2 and request = $3");
        Ok(self.execute(update.text(ws.as_str()).text(id.as_str()).text(request)).await? > 0)
    }
}
