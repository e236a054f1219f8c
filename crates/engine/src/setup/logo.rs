//! Logos: the picture that a workspace's customers know its product by. Kept as icons are: only what is harmless.

use aws_lc_rs::digest::{SHA256, digest};

use super::Change;
use crate::{
    domain::icon::Icon,
    error::{Error, Result},
    id::WorkspaceId,
    member::{
        icon::MOST,
        picture::{self, Picture},
    },
};

/// Gives a workspace this logo, or none. `false` when it had it already.
///
/// # Errors
/// `Invalid` naming `logo` unless it is a whole PNG, JPEG, WebP or SVG picture of at most [`MOST`] bytes.
pub async fn logo(to: &mut Change<'_>, workspace: &WorkspaceId, upload: Option<&[u8]>) -> Result<bool> {
    let Some(upload) = upload else { return to.conn.delete_logo(workspace).await };
    if upload.len() > MOST {
        return Err(Error::invalid("logo", format!("must have at most {MOST} bytes")));
    }
    let Picture { media_type, body } = picture::harmless(upload).map_err(|error| match error {
        Error::Invalid { message, .. } => Error::Invalid { field: "logo", message },
        other => other,
    })?;
    let hash = hex::encode(digest(&SHA256, &body));
    if to.conn.logo_hash(workspace).await?.is_some_and(|there| there == hash) {
        return Ok(false);
    }
    let logo = Icon { media_type: media_type.to_owned(), body, hash, updated_at: to.now };
    to.conn.set_logo(workspace, &logo).await.map(|()| true)
}
