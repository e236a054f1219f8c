//! Webhook endpoints: made, changed, and given another signing secret.
//!
//! A secret that is replaced signs along with the new one for a while, so that receivers can change over without
//! losing an event. Secrets go out once, from the verb that made them, and are kept sealed.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{Change, check};
use crate::{
    domain::{
        event::EventKind,
        webhook::{DisabledReason, Endpoint, Format},
    },
    error::{Error, Result},
    id::{EndpointId, WorkspaceId},
    secret::{Secret, random},
    vault::hash,
    webhook::{SECRET_PREFIX, previous_secret_aad, secret_aad},
};

/// How long a replaced secret goes on signing, unless its owner says otherwise.
pub const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// The longest that a replaced secret can go on signing.
pub const OVERLAP_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many endpoints a workspace can have.
pub const ENDPOINTS_MAX: i64 = 100;

/// Bytes of a key that we make: 40 characters without padding.
const KEY_BYTES: usize = 30;
/// Characters of the longest secret.
const SECRET_MAX: usize = 512;

/// A webhook endpoint to be.
pub struct NewWebhook {
    /// What its owner calls it.
    pub name: String,
    /// Where deliveries are posted.
    pub url: String,
    /// Which events it wants.
    pub events: Vec<EventKind>,
    /// In what shape it is told of them.
    pub format: Format,
    /// What deliveries are signed with; made up when absent.
    pub secret: Option<Secret>,
}

/// What is to change about a webhook endpoint; what is absent stays.
pub struct WebhookEdit {
    /// What its owner calls it.
    pub name: Option<String>,
    /// Where deliveries are posted.
    pub url: Option<String>,
    /// Which events it wants.
    pub events: Option<Vec<EventKind>>,
    /// In what shape it is told of them, from the next attempt on.
    pub format: Option<Format>,
    /// What deliveries are signed with; the one it has now changes nothing.
    pub secret: Option<Secret>,
    /// How long the secret that is replaced goes on signing.
    pub overlap: Duration,
    /// Whether anything is sent to it.
    pub active: Option<bool>,
}

impl Default for WebhookEdit {
    /// Changes nothing; a secret would be replaced with the usual overlap.
    fn default() -> Self {
        Self {
            name: None,
            url: None,
            events: None,
            format: None,
            secret: None,
            overlap: DEFAULT_OVERLAP,
            active: None,
        }
    }
}

/// Makes a webhook endpoint. Also returns its signing secret, this once.
///
/// # Errors
/// `Invalid` for a bad name, URL or secret, or no event; `Conflict` when the workspace has [`ENDPOINTS_MAX`];
/// `NotFound` when it is gone.
pub async fn webhook(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    input: NewWebhook,
) -> Result<(Endpoint, Secret)> {
    let name = check::name("name", &input.name)?;
    check::url("url", &input.url)?;
    let events = wanted(input.events)?;
    let secret = match input.secret {
        Some(given) => signing(given)?,
        None => made()?,
    };
    // Held, so that no two count at once.
    if !to.conn.hold_workspace(workspace).await? {
        return Err(Error::NotFound { what: "workspace" });
    }
    if to.conn.count_endpoints(workspace).await? >= ENDPOINTS_MAX {
        return Err(Error::Conflict {
            message: format!("a workspace has at most {ENDPOINTS_MAX} webhook endpoints: delete one first"),
        });
    }
    let id = EndpointId::new();
    let endpoint = Endpoint {
        secret: to.vault.seal(&secret_aad(workspace, &id), &secret)?,
        id,
        workspace_id: workspace.clone(),
        name,
        url: input.url,
        events,
        format: input.format,
        previous_secret: None,
        previous_secret_until: None,
        disabled_at: None,
        disabled_reason: None,
        last_triggered_at: None,
        created_at: to.now,
        updated_at: to.now,
    };
    to.conn.create_endpoint(workspace, &endpoint).await?;
    Ok((endpoint, secret))
}

/// Changes a webhook endpoint. Made active again, it gets what waited meanwhile; made inactive, its deliveries wait
/// as they are and new events make none for it. What changes nothing writes nothing.
///
/// # Errors
/// `Invalid` for a bad name, URL, secret or overlap, or no event; `NotFound` when it is gone.
pub async fn update_webhook(to: &mut Change<'_>, was: &Endpoint, edit: WebhookEdit) -> Result<Endpoint> {
    let was = &held(to, was).await?;
    let mut now = was.clone();
    if let Some(name) = edit.name {
        now.name = check::name("name", &name)?;
    }
    if let Some(url) = edit.url {
        check::url("url", &url)?;
        now.url = url;
    }
    if let Some(events) = edit.events {
        now.events = wanted(events)?;
    }
    now.format = edit.format.unwrap_or(now.format);
    match edit.active {
        Some(true) => (now.disabled_at, now.disabled_reason) = (None, None),
        Some(false) if was.disabled_at.is_none() => {
            (now.disabled_at, now.disabled_reason) = (Some(to.now), Some(DisabledReason::Asked));
        }
        _ => {}
    }
    let rolled = match edit.secret {
        Some(secret) => replace(to, &mut now, &signing(secret)?, edit.overlap)?,
        None => false,
    };
    let same = now.name == was.name
        && now.url == was.url
        && now.events == was.events
        && now.format == was.format
        && now.disabled_at == was.disabled_at;
    if rolled || !same {
        to.conn.update_endpoint(&was.workspace_id, &now).await?;
        now.updated_at = to.now;
    }
    Ok(now)
}

/// Gives an endpoint a fresh signing secret, returned this once. The one before it signs too for `overlap`; a third
/// one that was still doing so stops.
///
/// # Errors
/// `Invalid` for an overlap longer than [`OVERLAP_MAX`]; `NotFound` when the endpoint is gone.
pub async fn roll_webhook_secret(
    to: &mut Change<'_>,
    was: &Endpoint,
    overlap: Duration,
) -> Result<(Endpoint, Secret)> {
    let secret = made()?;
    let was = &held(to, was).await?;
    let mut now = was.clone();
    replace(to, &mut now, &secret, overlap)?;
    to.conn.update_endpoint(&was.workspace_id, &now).await?;
    now.updated_at = to.now;
    Ok((now, secret))
}

/// The endpoint as it is now, held: what another process changed since it was read, its secret above all, stays.
async fn held(to: &mut Change<'_>, was: &Endpoint) -> Result<Endpoint> {
    let found = to.conn.hold_endpoint(&was.workspace_id, &was.id).await?;
    found.ok_or(Error::NotFound { what: "webhook endpoint" })
}

/// Puts a secret in the place of the one that is there, which moves to the place before; `false` when it is the same.
fn replace(to: &Change<'_>, endpoint: &mut Endpoint, secret: &Secret, overlap: Duration) -> Result<bool> {
    if overlap > OVERLAP_MAX {
        return Err(Error::invalid("overlap", "must be at most 7 days"));
    }
    let Endpoint { workspace_id, id, .. } = &*endpoint;
    let present = to.vault.open(&secret_aad(workspace_id, id), &endpoint.secret)?;
    if hash::same(present.expose(), secret.expose()) {
        return Ok(false);
    }
    let previous = to.vault.seal(&previous_secret_aad(workspace_id, id), &present)?;
    let sealed = to.vault.seal(&secret_aad(workspace_id, id), secret)?;
    let overlaps = !overlap.is_zero();
    endpoint.secret = sealed;
    endpoint.previous_secret = overlaps.then_some(previous);
    endpoint.previous_secret_until = overlaps.then(|| to.now.plus(overlap));
    Ok(true)
}

/// The events, each once; there must be one.
fn wanted(events: Vec<EventKind>) -> Result<Vec<EventKind>> {
    let mut each = Vec::new();
    for event in events {
        if !each.contains(&event) {
            each.push(event);
        }
    }
    if each.is_empty() {
        return Err(Error::invalid("events", "an endpoint needs at least one event"));
    }
    Ok(each)
}

/// A fresh secret that the published libraries for Standard Webhooks take.
fn made() -> Result<Secret> {
    Ok(Secret::new(format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(random::<KEY_BYTES>()?))))
}

/// A secret that someone else chose: `whsec_` and base64 of 24 to 64 bytes, or any text that is long enough.
fn signing(secret: Secret) -> Result<Secret> {
    if secret.expose().chars().count() > SECRET_MAX {
        return Err(Error::invalid("secret", format!("must have at most {SECRET_MAX} characters")));
    }
    let Some(key) = secret.expose().strip_prefix(SECRET_PREFIX) else {
        return check::signing_secret("secret", secret);
    };
    if BASE64_STANDARD.decode(key).is_ok_and(|key| (24..=64).contains(&key.len())) {
        return Ok(secret);
    }
    Err(Error::invalid("secret", "after whsec_ there must be standard base64 of 24 to 64 bytes"))
}
