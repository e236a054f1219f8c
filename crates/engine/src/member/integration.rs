//! Integrations, as a signed-in user sees, makes, changes and deletes them.
//!
//! Who may do what is asked of [`rights`]; what may be configured, and what a change ends, is decided in
//! [`mod@crate::setup::integration`], as for operators. A client secret comes in here and never goes out.

mod delete;
mod edit;
mod shown;
mod slug;

use std::sync::Arc;

pub use self::{
    delete::delete,
    edit::{AuthKind, Edit},
    shown::Shown,
};
use crate::{
    access::{Member, rights},
    broker::Broker,
    domain::{
        share::{Level, Principal},
        user::Permission,
    },
    error::{Error, Result},
    setup::{
        self, Change,
        integration::{Changed, change_integration},
    },
    store::{Among, Conn, IntegrationFilter, IntegrationOrder, Page},
};

/// The category of providers that files can be uploaded to.
const UPLOADS: &str = "storage";
/// How often another slug is made up when somebody else takes the one that was free.
const TRIES: usize = 4;

/// Which integrations are wanted, and in which order; what is `None` does not narrow.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Those whose name, slug or description holds these words, in this order.
    pub search: Option<String>,
    /// Those whose provider takes uploads, or does not.
    pub supports_upload: Option<bool>,
    /// By what they are ordered, and whether that is turned round.
    pub order: (IntegrationOrder, bool),
}

/// A stretch of a list.
#[derive(Debug, Clone)]
pub struct Found {
    /// The integrations.
    pub shown: Vec<Shown>,
    /// How many there are in all.
    pub total: i64,
}

/// An integration that was changed.
#[derive(Debug, Clone)]
pub struct Updated {
    /// How it is now.
    pub shown: Shown,
    /// Whether its client secret was dropped, and has to be given again.
    pub secret_dropped: bool,
    /// Whether our keys towards its provider, or its client certificate, were dropped.
    pub keys_dropped: bool,
    /// How many connections need their owners' consent again.
    pub connections_ended: usize,
}

/// The integrations that a member sees. How each is configured is not shown.
///
/// # Errors
/// None of the caller's making.
pub async fn list(broker: &Arc<Broker>, member: &Member, wanted: Wanted, page: &Page) -> Result<Found> {
    let uploading = || {
        let all = broker.catalog.iter().filter(|provider| provider.category.as_deref() == Some(UPLOADS));
        all.map(|provider| provider.key.clone()).collect()
    };
    let side = |yes| if yes { Among::These } else { Among::Others };
    let filter = IntegrationFilter {
        seen_by: (!member.user.superuser).then(|| member.user.id.clone()),
        search: wanted.search,
        providers: wanted.supports_upload.map(|yes| (uploading(), side(yes))),
    };
    let mut conn = broker.store.read().await?;
    let found = conn.list_integrations(&member.workspace_id, &filter, wanted.order, page).await?;
    let total = conn.count_integrations(&member.workspace_id, &filter).await?;
    Ok(Found { shown: found.into_iter().map(|listed| Shown::new(broker, listed, false)).collect(), total })
}

/// One integration, by id or slug.
///
/// # Errors
/// `NotFound` for one that is not there or that the member does not see; so with every verb here.
pub async fn show(broker: &Arc<Broker>, member: &Member, selector: &str) -> Result<Shown> {
    let mut conn = broker.store.read().await?;
    let seen = rights::see(&mut conn, member, selector).await?;
    shown(broker, &mut conn, &seen).await
}

/// Makes an integration, which belongs to the member. Without a slug one is made of its name.
///
/// # Errors
/// `Denied` without the permission; `Invalid` names the field; `Conflict` when the slug is taken.
pub async fn create(broker: &Arc<Broker>, member: &Member, edit: Edit) -> Result<Shown> {
    member.require_writing()?;
    member.require(Permission::Write)?;
    edit.require_no_secret_in_headers()?;
    let mut tries = if edit.slug.is_some() { 1 } else { TRIES };
    loop {
        tries -= 1;
        match try_create(broker, member, &edit).await {
            // Somebody else took the slug after it was found free.
            Err(Error::Conflict { .. }) if tries > 0 => {}
            done => return done,
        }
    }
}

async fn try_create(broker: &Arc<Broker>, member: &Member, edit: &Edit) -> Result<Shown> {
    let ws = &member.workspace_id;
    let mut conn = broker.store.begin(member.actor(), broker.clock.now()).await?;
    let mut input = edit.begin(broker)?;
    if edit.slug.is_none() {
        input.key =
            slug::free(&mut conn, ws, edit.name.as_deref().unwrap_or_default(), &input.provider).await?;
    }
    let mut to = Change::of(broker, &mut conn);
    let mut made = setup::integration(&mut to, ws, input).await?;
    if edit.enabled == Some(false) {
        made.disabled_at = Some(to.now);
        made.version = conn.update_integration(ws, &made).await?;
    }
    let owner = Principal::User(member.user.id.clone());
    conn.set_integration_owner(ws, &made.id, Some(&owner)).await?;
    let seen = rights::see(&mut conn, member, made.id.as_str()).await?;
    let shown = shown(broker, &mut conn, &seen).await?;
    conn.commit().await?;
    Ok(shown)
}

/// Changes an integration: what the edit leaves out stays. What it gives as it is shown stays too, even where that comes
/// from the provider, so that what was read can be written back.
///
/// # Errors
/// `Denied` unless the member may edit it; `Invalid` names the field; `Conflict` when the slug is taken, when another
/// change came first, for another provider, and for another mode while users are connected.
pub async fn update(broker: &Arc<Broker>, member: &Member, selector: &str, edit: Edit) -> Result<Updated> {
    member.require_writing()?;
    let now = broker.clock.now();
    let mut conn = broker.store.begin(member.actor(), now).await?;
    let seen = rights::see(&mut conn, member, selector).await?;
    seen.require(member, Level::Edit, Permission::Write)?;
    let before = shown(broker, &mut conn, &seen).await?;
    let provider = edit.provider_of(broker, Some(&seen.integration.provider))?;
    let rights::Seen { integration: mut was, level, owned } = seen;
    let edit = edit.but_for(&before);
    if edit.headers.as_ref().is_some_and(|headers| *headers != was.config.headers) {
        edit.require_no_secret_in_headers()?;
    }
    edit.require_signed_tokens_to_stay(&provider, &was)?;
    if !edit.changes(&was) {
        return Ok(Updated {
            shown: before,
            secret_dropped: false,
            keys_dropped: false,
            connections_ended: 0,
        });
    }
    // What setting up leaves as it was: whether it is switched on, and a secret that is not given anew.
    if let Some(on) = edit.enabled {
        was.disabled_at = if on { None } else { was.disabled_at.or(Some(now)) };
    }
    if matches!(edit.client_secret, Some(None)) {
        was.client_secret = None;
    }
    let input = edit.onto(&was);
    let changed = change_integration(&mut Change::of(broker, &mut conn), &was, input).await?;
    let Changed { integration, secret_dropped, keys_dropped, connections_ended } = changed;
    let seen = rights::Seen { integration, level, owned };
    let shown = shown(broker, &mut conn, &seen).await?;
    conn.commit().await?;
    Ok(Updated { shown, secret_dropped, keys_dropped, connections_ended })
}

async fn shown(broker: &Arc<Broker>, conn: &mut Conn, seen: &rights::Seen) -> Result<Shown> {
    let integration = &seen.integration;
    let listed = conn.listed_integration(&integration.workspace_id, &integration.id).await?;
    let listed = listed.ok_or(Error::NotFound { what: "integration" })?;
    Ok(Shown::new(broker, listed, seen.shows_configuration()))
}
