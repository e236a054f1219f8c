//! Flows: each step that must happen once is one conditional statement.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Conn,
    conn::found,
    statement::{Row, sql},
};
use crate::{
    domain::{
        connection::{Onto, Owner, OwnerKind},
        flow::{Endpoints, Flow},
        integration::CallbackKind,
        workspace::Completion,
    },
    error::Result,
    id::{ConnectionId, FlowId, IntegrationId, WorkspaceId},
    time::Millis,
    vault::Sealed,
};

/// How a taken flow ended.
#[derive(Debug, Clone, Copy)]
pub struct FlowEnd<'a> {
    /// What the browser was given, for a repeated callback.
    pub outcome: &'a Sealed,
    /// Completion `server`: the provider's code, to be redeemed later.
    pub provider_code: Option<&'a Sealed>,
    /// Hex SHA-256 of the one-time code that goes to the product.
    pub code_hash: Option<&'a str>,
    /// When that code stops being good.
    pub code_expires_at: Option<Millis>,
    /// The connection that came of it.
    pub connection_id: Option<&'a ConnectionId>,
}

impl Conn {
    /// Keeps a new flow.
    pub async fn create_flow(&mut self, ws: &WorkspaceId, flow: &Flow) -> Result<()> {
        let insert = sql(
            "insert into flow (id, workspace_id, integration_id, integration_version, browser_hash, \
                          state_hash, verifier, owner_kind, owner_key, completion, handoff, callback, inputs, \
                          endpoints, expires_at, created_at, session_hash, origin, \
                          onto, name, auth_option, request, custom_state, provider_code) \
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
                          $17, $18, $19, $20, $21, $22, $23, $24)",
        );
        let insert = insert.text(flow.id.as_str()).text(ws.as_str()).text(flow.integration_id.as_str());
        let insert = insert.int(flow.integration_version).text(&flow.browser_hash);
        let insert = insert.maybe_text(flow.state_hash.as_deref()).maybe_sealed(flow.verifier.as_ref());
        let insert = insert.text(flow.owner.kind.as_str()).maybe_text(flow.owner.key.as_deref());
        let insert = insert.text(flow.completion.as_str()).json(&flow.handoff)?.text(flow.callback.as_str());
        let insert = insert.json(&flow.inputs)?;
        let insert = match &flow.endpoints {
            Some(endpoints) => insert.json(endpoints)?,
            None => insert.maybe_text(None::<&str>),
        };
        let insert = insert.at(flow.expires_at).at(flow.created_at);
        let insert = insert.maybe_text(flow.session_hash.as_deref()).maybe_text(flow.origin.as_deref());
        let insert = insert.text(flow.onto.to_text()).maybe_text(flow.name.as_deref());
        let insert = insert.maybe_text(flow.auth_option.as_deref()).maybe_text(flow.request.as_deref());
        let insert =
            insert.maybe_text(flow.custom_state.as_deref()).maybe_sealed(flow.provider_code.as_ref());
        self.execute(insert).await.map(drop)
    }

    /// A flow by id: how a hosted page's workspace is found.
    pub async fn any_flow(&mut self, id: &FlowId) -> Result<Option<Flow>> {
        let query = sql("select * from flow where id = $1").text(id.as_str());
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// A flow by the hash of its state, taken or not.
    pub async fn any_flow_by_state(&mut self, state_hash: &str) -> Result<Option<Flow>> {
        let query = sql("select * from flow where state_hash = $1").key(state_hash);
        self.row(query).await?.as_ref().map(read).transpose()
    }

    /// Takes the flow with this state for one callback: of any number of callbacks at once, one gets it.
    /// `None` when there is none, it was taken before, or it is too old.
    pub async fn any_take_flow(
        &mut self,
        state_hash: &str,
        callback_hash: &str,
        now: Millis,
    ) -> Result<Option<Flow>> {
        let update = sql("update flow set taken_at = $3, callback_hash = $2 \
                          where state_hash = $1 and taken_at is null and expires_at > $3 returning *");
        let update = update.text(state_hash).text(callback_hash).at(now);
        self.changed_row(update).await?.as_ref().map(read).transpose()
    }

    /// Sends the browser on its way: keeps what the callback will be checked against. `false` when that
    /// was done before, or the flow is gone or too old.
    pub async fn start_flow(
        &mut self,
        ws: &WorkspaceId,
        id: &FlowId,
        state_hash: &str,
        verifier: Option<&Sealed>,
        endpoints: &Endpoints,
        inputs: &BTreeMap<String, String>,
    ) -> Result<bool> {
        let update = sql("update flow set state_hash = $3, verifier = $4, endpoints = $5, inputs = $6 \
                          where workspace_id = $1 and id = $2 and state_hash is null \
                          and expires_at > $7");
        let update = update.text(ws.as_str()).text(id.as_str()).text(state_hash).maybe_sealed(verifier);
        Ok(self.execute(update.json(endpoints)?.json(inputs)?.at(self.now)).await? > 0)
    }

    /// Gives a flow this end of its life.
    pub async fn expire_flow_at(&mut self, ws: &WorkspaceId, id: &FlowId, at: Millis) -> Result<()> {
        let update = sql("update flow set expires_at = $3 where workspace_id = $1 and id = $2");
        found(self.execute(update.text(ws.as_str()).text(id.as_str()).at(at)).await?, "flow")
    }

    /// Keeps how a taken flow ended. What was entered elsewhere is erased, and its verifier unless a code is still to be
    /// redeemed.
    pub async fn finish_flow(&mut self, ws: &WorkspaceId, id: &FlowId, end: &FlowEnd<'_>) -> Result<()> {
        let update =
            sql("update flow set outcome = $3, provider_code = $4, code_hash = $5, code_expires_at = $6, \
                          connection_id = coalesce($7, connection_id), device = null, poll_at = null, \
                          verifier = case when $4 is null then null else verifier end \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(id.as_str()).text(end.outcome.as_str());
        let update = update.maybe_sealed(end.provider_code).maybe_text(end.code_hash);
        let update = update.maybe_at(end.code_expires_at);
        let update = update.maybe_text(end.connection_id.map(ConnectionId::as_str));
        found(self.execute(update).await?, "flow")
    }

    /// Spends the one-time code with this hash: once, and only while it is good.
    pub async fn take_code(
        &mut self,
        ws: &WorkspaceId,
        code_hash: &str,
        now: Millis,
    ) -> Result<Option<Flow>> {
        let update = sql(
            "update flow set code_used_at = $3, poll_at = null where workspace_id = $1 and code_hash = $2 \
                          and code_used_at is null and code_expires_at > $3 returning *",
        );
        let update = update.text(ws.as_str()).text(code_hash).at(now);
        self.changed_row(update).await?.as_ref().map(read).transpose()
    }

    /// Erases the provider's code that a flow kept, and the verifier that it could be redeemed with.
    pub async fn forget_provider_code(&mut self, ws: &WorkspaceId, id: &FlowId) -> Result<()> {
        let update =
            sql("update flow set provider_code = null, verifier = null where workspace_id = $1 and id = $2");
        found(self.execute(update.text(ws.as_str()).text(id.as_str())).await?, "flow")
    }

    /// Keeps which connection came of a flow, and erases what made it: code and verifier.
    pub async fn set_flow_connection(
        &mut self,
        ws: &WorkspaceId,
        id: &FlowId,
        connection: &ConnectionId,
    ) -> Result<()> {
        let update = sql("update flow set connection_id = $3, provider_code = null, verifier = null \
                          where workspace_id = $1 and id = $2");
        let update = update.text(ws.as_str()).text(id.as_str()).text(connection.as_str());
        found(self.execute(update).await?, "flow")
    }

    /// Gives a flow that was begun with a handle to the browser that shows it, once; `false` when that was done before, or
    /// the flow is gone, under way or too old.
    pub async fn any_adopt_flow(&mut self, id: &FlowId, handle: &str, browser: &str) -> Result<bool> {
        let update = sql("update flow set browser_hash = $3 where id = $1 and browser_hash = $2 \
                          and state_hash is null and expires_at > $4");
        let update = update.text(id.as_str()).text(handle).text(browser).at(self.now);
        Ok(self.execute(update).await? > 0)
    }

    /// How many flows of the workspace are open that were begun within this time.
    pub async fn pending_flows(&mut self, ws: &WorkspaceId, now: Millis, within: Duration) -> Result<i64> {
        let query = sql("select count(*) as n from flow where workspace_id = $1 and taken_at is null \
                         and expires_at > $2 and created_at > $3");
        self.row(query.text(ws.as_str()).at(now).at(now.minus(within)))
            .await?
            .map_or(Ok(0), |row| row.int("n"))
    }
}

pub(super) fn read(row: &Row) -> Result<Flow> {
    let endpoints = match row.maybe_text("endpoints")? {
        Some(_) => Some(row.json("endpoints")?),
        None => None,
    };
    Ok(Flow {
        id: row.id("id", FlowId::from_row)?,
        workspace_id: row.id("workspace_id", WorkspaceId::from_row)?,
        integration_id: row.id("integration_id", IntegrationId::from_row)?,
        integration_version: row.int("integration_version")?,
        browser_hash: row.text("browser_hash")?,
        state_hash: row.maybe_text("state_hash")?,
        verifier: row.maybe_sealed("verifier")?,
        owner: Owner { kind: row.word("owner_kind", OwnerKind::parse)?, key: row.maybe_text("owner_key")? },
        onto: row.word("onto", Onto::parse)?,
        name: row.maybe_text("name")?,
        auth_option: row.maybe_text("auth_option")?,
        request: row.maybe_text("request")?,
        custom_state: row.maybe_text("custom_state")?,
        completion: row.word("completion", Completion::parse)?,
        handoff: row.json("handoff")?,
        callback: row.word("callback", CallbackKind::parse)?,
        inputs: row.json("inputs")?,
        endpoints,
        expires_at: row.at("expires_at")?,
        taken_at: row.maybe_at("taken_at")?,
        callback_hash: row.maybe_text("callback_hash")?,
        outcome: row.maybe_sealed("outcome")?,
        provider_code: row.maybe_sealed("provider_code")?,
        code_hash: row.maybe_text("code_hash")?,
        code_expires_at: row.maybe_at("code_expires_at")?,
        code_used_at: row.maybe_at("code_used_at")?,
        session_hash: row.maybe_text("session_hash")?,
        origin: row.maybe_text("origin")?,
        connection_id: row.maybe_id("connection_id", ConnectionId::from_row)?,
        device: row.maybe_sealed("device")?,
        poll_at: row.maybe_at("poll_at")?,
        created_at: row.at("created_at")?,
    })
}
