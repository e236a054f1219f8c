//! Grown: what is asked for when a connection that is there is authorized anew: what it was granted stays.
//!
//! Looked up when the provider is asked, and only for asking: which connection is written over is decided by
//! [`super::record`], and what was granted is what the provider says then.

use claviger_catalog::OAuth2;
use claviger_protocol::oauth2::authorize;

use crate::{
    broker::Broker,
    domain::{
        connection::{Connection, MOVED, Onto},
        flow::Flow,
    },
    error::Result,
};

/// Adds to the scopes that a flow asks for those that its connection was granted; says whether there is one.
pub(super) async fn scopes(
    broker: &Broker,
    flow: &Flow,
    oauth2: &OAuth2,
    scopes: &mut Vec<String>,
) -> Result<bool> {
    let Some(was) = there(broker, flow).await? else { return Ok(false) };
    *scopes = authorize::grown(oauth2, scopes, &was.scopes_asked, &was.scopes_granted);
    Ok(true)
}

/// The connection that a flow goes over, where what it was granted means the same to its provider: one that was made in
/// another way, or before the integration was pointed elsewhere, was granted something else.
async fn there(broker: &Broker, flow: &Flow) -> Result<Option<Connection>> {
    let workspace = &flow.workspace_id;
    let found = match &flow.onto {
        Onto::New => return Ok(None),
        Onto::Only => {
            let mut conn = broker.store.read().await?;
            conn.connection_of(workspace, &flow.integration_id, &flow.owner).await?
        }
        Onto::This(id) => broker.store.read().await?.connection(workspace, id).await?,
    };
    Ok(found.filter(|found| {
        let same = found.owner.kind == flow.owner.kind && found.integration_id == flow.integration_id;
        same && found.auth_option == flow.auth_option && found.status_reason.as_deref() != Some(MOVED)
    }))
}
