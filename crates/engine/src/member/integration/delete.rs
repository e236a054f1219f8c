//! Deleting an integration: its users' connections end at the provider first, as if each had disconnected.
//!
//! It is switched off before, so that no new ones come. What breaks off in the middle leaves it switched off, and can
//! be asked again. Connections of other doors are not a user's to end.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    access::{Member, rights},
    broker::Broker,
    connect,
    domain::{
        audit::Actor,
        connection::{Connection, OwnerKind},
        integration::Integration,
        share::Level,
        user::Permission,
    },
    error::{Error, Result},
    store::{Conn, ConnectionFilter, Page},
};

/// How many connections are ended at once.
const AT_ONCE: usize = 8;
/// How many connections are looked up at once.
const PAGE: Page = Page { offset: 0, limit: 100 };

/// Deletes an integration, with its users' connections.
///
/// # Errors
/// `NotFound` for one that is not there or not visible; `Denied` unless the member manages it and may delete;
/// `Conflict` when customers' connections are left, or when it was changed meanwhile.
pub async fn delete(broker: &Arc<Broker>, member: &Member, selector: &str) -> Result<()> {
    member.require_writing()?;
    broker.to_its_end(perform(broker.clone(), member.clone(), selector.to_owned())).await
}

async fn perform(broker: Arc<Broker>, member: Member, selector: String) -> Result<()> {
    let integration = switch_off(&broker, &member, &selector).await?;
    for kind in [OwnerKind::User, OwnerKind::Shared] {
        disconnect(&broker, &integration, kind, &member.actor()).await?;
    }
    let mut conn = broker.store.begin(member.actor(), broker.clock.now()).await?;
    // Gone already: somebody else deleted it too.
    conn.delete_integration(&integration.workspace_id, &integration.id).await?;
    conn.commit().await
}

async fn switch_off(broker: &Broker, member: &Member, selector: &str) -> Result<Integration> {
    let now = broker.clock.now();
    let mut conn = broker.store.begin(member.actor(), now).await?;
    let seen = rights::see(&mut conn, member, selector).await?;
    seen.require(member, Level::Manage, Permission::Delete)?;
    let mut integration = seen.integration;
    integration.disabled_at = integration.disabled_at.or(Some(now));
    integration.version = conn.update_integration(&member.workspace_id, &integration).await?;
    // Now that none can be added.
    keep_customers(&mut conn, &integration).await?;
    conn.commit().await?;
    Ok(integration)
}

/// Fails where connections are left that no user made.
async fn keep_customers(conn: &mut Conn, integration: &Integration) -> Result<()> {
    let kinds = conn.integration_connections(&integration.workspace_id, &integration.id).await?;
    let customers = |(kind, _): &&(OwnerKind, i64)| matches!(kind, OwnerKind::External | OwnerKind::Customer);
    match kinds.iter().filter(customers).map(|(_, many)| many).sum() {
        0 => Ok(()),
        many => Err(Error::Conflict {
            message: format!(
                "{many} connections of customers are made through this integration, which the product's server has \
                 to end first"
            ),
        }),
    }
}

async fn disconnect(
    broker: &Arc<Broker>,
    integration: &Integration,
    kind: OwnerKind,
    actor: &Actor,
) -> Result<()> {
    let ws = &integration.workspace_id;
    let filter = ConnectionFilter {
        integration_id: Some(integration.id.clone()),
        owner_kind: Some(kind),
        ..ConnectionFilter::default()
    };
    loop {
        let some = broker.store.read().await?.connections(ws, &filter, &PAGE).await?;
        if some.is_empty() {
            return Ok(());
        }
        let end = async |connection: Connection| match connect::end(broker, ws, &connection.id, actor.clone())
            .await
        {
            // Its owner was faster.
            Err(Error::NotFound { .. }) => Ok(()),
            done => done,
        };
        stream::iter(some).map(end).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    }
}
