//! Icons of integrations: uploaded, shown, taken away. What is kept is what `picture` made of the upload.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::picture::{self, Picture};
use crate::{
    access::{Member, rights::see},
    broker::Broker,
    domain::{icon::Icon, integration::Integration, share::Level, user::Permission},
    error::{Error, Result},
};

/// The most bytes of an icon.
pub const MOST: usize = 256 * 1024;

/// An integration's icon.
///
/// # Errors
/// `NotFound` for an integration that the member does not see, or that has no icon of its own.
pub async fn show(broker: &Arc<Broker>, member: &Member, selector: &str) -> Result<(Integration, Icon)> {
    let mut conn = broker.store.read().await?;
    let integration = see(&mut conn, member, selector).await?.integration;
    let icon = conn.icon(&member.workspace_id, &integration.id).await?;
    Ok((integration, icon.ok_or(Error::NotFound { what: "icon" })?))
}

/// Gives an integration an icon, in place of the one it has.
///
/// # Errors
/// `NotFound` for an integration that the member does not see, `Denied` unless it may edit it, `Invalid` when this
/// is no picture that may be kept.
pub async fn set(
    broker: &Arc<Broker>,
    member: &Member,
    selector: &str,
    body: Vec<u8>,
) -> Result<(Integration, Icon)> {
    member.require_writing()?;
    {
        let mut conn = broker.store.read().await?;
        see(&mut conn, member, selector).await?.require(member, Level::Edit, Permission::Write)?;
    }
    if body.len() > MOST {
        return Err(Error::invalid("file", format!("Must have at most {MOST} bytes")));
    }
    // Away from the threads that serve, and before the transaction.
    let looked = tokio::task::spawn_blocking(move || picture::harmless(&body)).await;
    let Picture { media_type, body } =
        looked.map_err(|_| Error::internal("looking at a picture was interrupted"))??;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(member.actor(), now).await?;
    let seen = see(&mut conn, member, selector).await?;
    seen.require(member, Level::Edit, Permission::Write)?;
    let hash = hex::encode(digest(&SHA256, &body));
    let icon = Icon { media_type: media_type.to_owned(), body, hash, updated_at: now };
    conn.set_icon(&member.workspace_id, &seen.integration.id, &icon).await?;
    conn.commit().await?;
    Ok((seen.integration, icon))
}

/// Takes an integration's icon away.
///
/// # Errors
/// `NotFound` for an integration that the member does not see, or that has no icon of its own; `Denied` unless it
/// may edit it.
pub async fn remove(broker: &Arc<Broker>, member: &Member, selector: &str) -> Result<()> {
    member.require_writing()?;
    let mut conn = broker.store.begin(member.actor(), broker.clock.now()).await?;
    let seen = see(&mut conn, member, selector).await?;
    seen.require(member, Level::Edit, Permission::Write)?;
    if !conn.delete_icon(&member.workspace_id, &seen.integration.id).await? {
        return Err(Error::NotFound { what: "icon" });
    }
    conn.commit().await
}
