//! Connecting: a signed-in user's browser sets out to connect an account.
//!
//! Whatever is wrong here is said to the caller at once; only what happens after ends at the integration's own address,
//! or at our page. What the callback asks again is in `connect::bound`.

use std::sync::Arc;

use crate::{
    access::{Member, rights},
    broker::Broker,
    connect::{
        Next,
        begin::{By, Fresh, Wishes, admit, create, may_end_at},
        bound,
    },
    domain::{
        connection::{Onto, Owner},
        flow::{Handoff, Style},
        integration::Integration,
        workspace::Completion,
    },
    error::{Error, Result},
    secret::Secret,
};

/// What a browser brings to begin with.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The browser's id, as its cookie says.
    pub browser: &'a Secret,
    /// The caller's address, for the limit on flows begun.
    pub address: &'a str,
    /// The origin under which it reached us, without a slash at its end: the provider sends it back there.
    pub origin: &'a str,
    /// Whether a page of another site made it ask: then a page of ours asks first whether that was meant.
    pub cross_site: bool,
}

/// Begins a flow for the caller at an integration, by id or key. It is bound to the session that the caller shows, if it
/// shows one, and ends at the integration's `return_uri` or at our own page.
///
/// # Errors
/// `NotFound` for an integration that is not there or not visible; `Denied` for a token that only reads, and for a shared
/// integration that another user has connected; `Conflict` when it is switched off or not set up; `Limited` when too
/// many flows were begun; `Provider` when the provider's endpoints can't be found out.
pub async fn start(broker: &Arc<Broker>, member: &Member, selector: &str, start: Start<'_>) -> Result<Next> {
    member.require_writing()?;
    let mut conn = broker.store.read().await?;
    let integration = rights::see(&mut conn, member, selector).await?.integration;
    if integration.disabled_at.is_some() {
        let message = format!("integration `{}` is switched off", integration.key);
        return Err(Error::Conflict { message });
    }
    bound::may_connect(&mut conn, member, &integration).await?;
    let handoff = handoff(&integration);
    if !may_end_at(broker, &mut conn, &member.workspace_id, &handoff).await? {
        let message = format!("the return address of integration `{}` is not registered", integration.key);
        return Err(Error::Conflict { message });
    }
    admit(broker, &mut conn, &member.workspace_id, start.address).await?;
    let integration = conn.as_option(&member.workspace_id, integration, None).await?;
    let integration = integration.ok_or(Error::NotFound { what: "integration" })?;
    drop(conn);
    let fresh = Fresh {
        integration: &integration,
        owner: Owner::member(integration.mode, &member.user.username),
        onto: Onto::Only,
        completion: if start.cross_site { Completion::Confirm } else { Completion::Redirect },
        handoff,
        by: By::Browser(start.browser),
        session_hash: member.session().map(str::to_owned),
        wishes: Wishes::default(),
        origin: Some(start.origin).filter(|origin| *origin != broker.urls.app).map(str::to_owned),
    };
    create(broker, fresh).await
}

/// Where the browser goes at the end.
fn handoff(integration: &Integration) -> Handoff {
    match &integration.config.return_uri {
        Some(uri) => Handoff::Redirect {
            uri: uri.clone(),
            style: Style::Informer,
            integration: integration.id.to_string(),
            state: None,
        },
        None => Handoff::Landing { integration: integration.name.clone() },
    }
}
