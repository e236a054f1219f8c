//! Users, as one of them sees them.

use std::sync::Arc;

use crate::{
    access::Member,
    broker::Broker,
    domain::user::User,
    error::{Error, Result},
};

/// A user by name: the member itself, and for a superuser anybody of the workspace.
///
/// # Errors
/// `NotFound` for a name that nobody has, and for one that the member may not look up.
pub async fn show(broker: &Arc<Broker>, member: &Member, username: &str) -> Result<User> {
    let found = broker.store.read().await?.user_by_name(&member.workspace_id, username).await?;
    let shown = found.filter(|user| member.user.superuser || user.id == member.user.id);
    shown.ok_or(Error::NotFound { what: "user" })
}
