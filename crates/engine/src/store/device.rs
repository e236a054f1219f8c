//! Flows that wait until a person has entered a code elsewhere: what the provider gave, and when it is asked next.
//!
//! Of any number of processes one asks: who moves `poll_at` from where it saw it.

use std::collections::BTreeMap;

use super::{Conn, conn::found, flow::read, statement::sql};
use crate::{
    domain::flow::{Endpoints, Flow},
    error::Result,
    id::{FlowId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// What a provider gave for a flow.
pub struct Given<'a> {
    /// What it gave before, which this takes the place of.
    pub was: Option<&'a Sealed>,
    /// What it gave.
    pub device: &'a Sealed,
    /// Where the flow was asked for, and where it is asked after.
    pub endpoints: &'a Endpoints,
    /// The provider's inputs.
    pub inputs: &'a BTreeMap<String, String>,
    /// When the provider is asked first.
    pub poll_at: Millis,
    /// Until when the flow is good.
    pub expires_at: Millis,
}

impl Conn {
    /// Keeps what the provider gave. `false` when it gave something else meanwhile, or the flow has ended or is too old.
    pub async fn give_device(&mut self, ws: &WorkspaceId, id: &FlowId, given: &Given<'_>) -> Result<bool> {
        let update =
            sql("update flow set device = $3, endpoints = $4, inputs = $5, poll_at = $6, expires_at = $7 \
                          where workspace_id = $1 and id = $2 and state_hash is null and taken_at is null \
                          and coalesce(device, '') = $8 and expires_at > $9");
        let update = update.text(ws.as_str()).text(id.as_str()).text(given.device.as_str());
        let update = update.json(given.endpoints)?.json(given.inputs)?.at(given.poll_at).at(given.expires_at);
        let update = update.text(given.was.map(Sealed::as_str).unwrap_or_default()).at(self.now);
        Ok(self.execute(update).await? > 0)
    }

    /// Flows whose providers are to be asked by now, those that have waited longest first, at most `limit`. None that is too
    /// old to end in a connection; one that has ended is looked at whatever its age.
    pub async fn any_flows_to_poll(&mut self, now: Millis, limit: i64) -> Result<Vec<Flow>> {
        let query = sql("select * from flow where poll_at is not null and poll_at <= $1 \
             and (taken_at is not null or expires_at > $2) order by poll_at, id limit $3");
        self.rows(query.at(now).at(now).int(limit)).await?.iter().map(read).collect()
    }

    /// Moves when the provider of a flow is asked next, from where it was seen; without a `next` it is not asked any more.
    /// `false` when somebody else has moved it, or the flow has ended.
    pub async fn any_move_poll(&mut self, id: &FlowId, was: Millis, next: Option<Millis>) -> Result<bool> {
        let update = sql("update flow set poll_at = $3 where id = $1 and poll_at = $2 and taken_at is null");
        Ok(self.execute(update.text(id.as_str()).at(was).maybe_at(next)).await? > 0)
    }

    /// The same, with what is known of the codes by now.
    pub async fn any_renew_device(
        &mut self,
        id: &FlowId,
        was: Millis,
        next: Option<Millis>,
        device: &Sealed,
    ) -> Result<bool> {
        let update = sql("update flow set poll_at = $3, device = $4 \
                          where id = $1 and poll_at = $2 and taken_at is null");
        let update = update.text(id.as_str()).at(was).maybe_at(next).text(device.as_str());
        Ok(self.execute(update).await? > 0)
    }

    /// Says when it is looked whether anybody vouched for the owner of a flow that has ended.
    pub async fn look_at_flow(&mut self, ws: &WorkspaceId, id: &FlowId, at: Millis) -> Result<()> {
        let update = sql("update flow set poll_at = $3 where workspace_id = $1 and id = $2");
        found(self.execute(update.text(ws.as_str()).text(id.as_str()).at(at)).await?, "flow")
    }

    /// Erases what a flow kept for a code that nobody has spent in time; `false` when somebody has, or it is erased.
    pub async fn any_drop_unvouched(&mut self, id: &FlowId, was: Millis) -> Result<bool> {
        let update =
            sql("update flow set poll_at = null, provider_code = null where id = $1 and poll_at = $2 \
                          and taken_at is not null and code_used_at is null and code_expires_at <= $3");
        Ok(self.execute(update.text(id.as_str()).at(was).at(self.now)).await? > 0)
    }
}
