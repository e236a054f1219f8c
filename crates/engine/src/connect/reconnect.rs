//! Reconnect: a one-time link by which a connection is authorized anew and keeps its id.
//!
//! The product asks for it and gives it to its customer. Whoever opens it connects onto that very connection, so its
//! page names product, service and owner and wants a click; where the workspace has its server complete, that still has to
//! vouch for the owner. Opening a link uses nothing up: mail programs look at links too. Its token is kept as a hash.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use claviger_catalog::{AskedOf, Kind, Provider};

use super::{
    REPEAT_LIFE, SCOPES,
    begin::{By, Fresh, Next, Wishes, admit, create, may_end_at},
    bound::GONE,
    look::{self, Look, Symbol},
};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Connection, Onto, OwnerKind},
        flow::{Handoff, Style},
        integration::Integration,
        reconnect_link::ReconnectLink,
        workspace::{Completion, Workspace},
    },
    error::{Error, Result},
    id::{LinkId, WorkspaceId},
    secret::{Secret, token},
    store::Conn,
    time::Millis,
    vault::hash,
};

/// The longest that a link is good.
pub const LINK_LIFE_MAX: Duration = Duration::from_secs(86_400);
/// How long it is good unless somebody says.
const LINK_LIFE: Duration = Duration::from_secs(3600);
/// The shortest: whoever gets it has to read it first.
const LINK_LIFE_MIN: Duration = Duration::from_secs(60);
/// How long a link is kept that is not good any more.
const KEPT: Duration = Duration::from_secs(86_400);

/// What a link is to be like.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The registered redirect URI where the browser goes at the end, in place of our own page.
    pub redirect_uri: Option<String>,
    /// How long it is good; an hour unless given, a day at most.
    pub expires_in: Option<Duration>,
}

/// A link that was just made.
pub struct Issued {
    /// The link. Whoever has it can renew the connection.
    pub url: Secret,
    /// When it stops being good.
    pub expires_at: Millis,
}

/// What the page behind a link shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// In whose name it speaks.
    pub look: Look,
    /// The integration's name.
    pub integration: String,
    /// Its picture.
    pub symbol: Symbol,
    /// Whose the connection is, where it is somebody's.
    pub owner: Option<String>,
    /// Whether everybody works with it.
    pub shared: bool,
}

/// What a browser brings to begin with.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// The browser's id, as its cookie says.
    pub browser: &'a Secret,
    /// The caller's address, for the limit on flows begun.
    pub address: &'a str,
}

/// Makes a link that renews a connection of this workspace.
///
/// # Errors
/// `Invalid` naming `redirect_uri` when it is not registered, or needed and not given; `Conflict` where nothing can be
/// authorized anew.
pub(crate) async fn issue(
    broker: &Broker,
    connection: &Connection,
    wish: Wish,
    actor: Actor,
) -> Result<Issued> {
    let (ws, now) = (&connection.workspace_id, broker.clock.now());
    let life = wish.expires_in.unwrap_or(LINK_LIFE);
    if !(LINK_LIFE_MIN..=LINK_LIFE_MAX).contains(&life) {
        let (least, most) = (LINK_LIFE_MIN.as_secs(), LINK_LIFE_MAX.as_secs());
        return Err(Error::invalid("expires_in", format!("Must be from {least} to {most} seconds")));
    }
    let mut conn = broker.store.begin(actor, now).await?;
    let target = target(broker, &mut conn, connection).await?;
    if let Some(uri) = &wish.redirect_uri
        && !may_end_at(broker, &mut conn, ws, &handoff(&target.integration, Some(uri))).await?
    {
        let text = "Is not registered; it must equal a registered one character for character";
        return Err(Error::invalid("redirect_uri", text));
    }
    if target.workspace.settings.completion == Completion::Server && wish.redirect_uri.is_none() {
        let text = "Is required: the application's server completes, with the code that is brought there";
        return Err(Error::invalid("redirect_uri", text));
    }
    let secret = token()?;
    let link = ReconnectLink {
        id: LinkId::new(),
        workspace_id: ws.clone(),
        connection_id: connection.id.clone(),
        token_hash: hashed(&secret),
        redirect_uri: wish.redirect_uri,
        expires_at: now.plus(life),
        used_at: None,
        browser_hash: None,
        created_at: now,
    };
    conn.any_forget_reconnect_links(now.minus(KEPT)).await?;
    conn.create_reconnect_link(ws, &link).await?;
    conn.commit().await?;
    let url = Secret::new(format!("{}/reconnect/{}", broker.urls.app, secret.expose()));
    Ok(Issued { url, expires_at: link.expires_at })
}

/// What the page behind a link shows; the link stays as it is.
///
/// # Errors
/// `Invalid` naming `flow` when the link is unknown, was used, or is too old: all the same to the caller. `Conflict` where
/// nothing can be authorized anew any more.
pub async fn show(broker: &Broker, secret: &Secret) -> Result<Shown> {
    let mut conn = broker.store.read().await?;
    let link = conn.any_reconnect_link(&hashed(secret)).await?.ok_or_else(used)?;
    if link.used_at.is_some() || link.expires_at <= broker.clock.now() {
        return Err(used());
    }
    let Opened { connection, target } = open(broker, &mut conn, &link).await?;
    let owner = match connection.owner.kind {
        OwnerKind::Shared => None,
        OwnerKind::Customer => called(&mut conn, &connection).await?,
        OwnerKind::External | OwnerKind::User => connection.owner.key.clone(),
    };
    let icon = conn.icon_hash(&connection.workspace_id, &connection.integration_id).await?;
    Ok(Shown {
        look: look::of(&mut conn, &target.workspace).await?,
        symbol: Symbol::of(icon, &target.integration.provider),
        integration: target.integration.name,
        owner,
        shared: connection.owner.kind == OwnerKind::Shared,
    })
}

/// In whose name the pages of a link speak, whatever became of it; `None` for a link that never was one of ours.
///
/// # Errors
/// `Internal`
pub async fn look_of(broker: &Broker, secret: &Secret) -> Result<Option<Look>> {
    let link = broker.store.read().await?.any_reconnect_link(&hashed(secret)).await?;
    match link {
        Some(link) => look::look(broker, &link.workspace_id).await,
        None => Ok(None),
    }
}

/// Uses a link: begins a flow onto its connection in this browser. A link that came to nothing because the provider could
/// not be reached stays good.
///
/// # Errors
/// As [`show`]; `Limited` when too many flows were begun; `Provider` when the provider can't be reached.
pub async fn follow(broker: &Arc<Broker>, secret: &Secret, start: Start<'_>) -> Result<Next> {
    let now = broker.clock.now();
    let token_hash = hashed(secret);
    let mut conn = broker.store.read().await?;
    let link = conn.any_reconnect_link(&token_hash).await?.ok_or_else(used)?;
    let opened = open(broker, &mut conn, &link).await?;
    admit(broker, &mut conn, &link.workspace_id, start.address).await?;
    drop(conn);
    let mut conn = broker.store.begin(Actor::System, now).await?;
    let browser = hash::token(start.browser.expose());
    let link = conn.any_use_reconnect_link(&token_hash, &browser, now.minus(REPEAT_LIFE)).await?;
    let link = link.ok_or_else(used)?;
    conn.commit().await?;
    let begun = create(broker, fresh(&opened, &link, start.browser)?).await;
    if begun.is_err() {
        let mut conn = broker.store.begin(Actor::System, now).await?;
        conn.release_reconnect_link(&link.workspace_id, &link.id, &browser, now).await?;
        conn.commit().await?;
    }
    begun
}

/// A connection behind a link, and what it hangs on.
struct Opened {
    connection: Connection,
    target: Target,
}

/// Where a connection is authorized anew.
struct Target {
    workspace: Workspace,
    /// As of the auth option that the connection was made by.
    integration: Integration,
    provider: Arc<Provider>,
}

async fn open(broker: &Broker, conn: &mut Conn, link: &ReconnectLink) -> Result<Opened> {
    let found = conn.connection(&link.workspace_id, &link.connection_id).await?;
    let connection = found.ok_or_else(|| Error::Conflict { message: GONE.to_owned() })?;
    let target = target(broker, conn, &connection).await?;
    if let Some(uri) = &link.redirect_uri
        && !may_end_at(broker, conn, &link.workspace_id, &handoff(&target.integration, Some(uri))).await?
    {
        return Err(Error::invalid("flow", super::finish::STRUCK_OFF));
    }
    Ok(Opened { connection, target })
}

/// Finds out where a connection is authorized anew, and whether it can be.
async fn target(broker: &Broker, conn: &mut Conn, connection: &Connection) -> Result<Target> {
    let ws: &WorkspaceId = &connection.workspace_id;
    let refused = |text: &str| Error::Conflict { message: text.to_owned() };
    let workspace = conn.workspace(ws).await?.ok_or(Error::NotFound { what: "workspace" })?;
    let option = connection.auth_option.as_deref();
    let integration = conn.integration_as(ws, &connection.integration_id, option).await?;
    let integration = integration
        .ok_or_else(|| refused("the way by which this connection was made is not offered any more"))?;
    if integration.disabled_at.is_some() {
        return Err(refused("this integration is switched off"));
    }
    let provider = broker.provider(&integration)?;
    if provider.kind() == Kind::WorkspaceToken {
        return Err(refused("there is nothing to authorize anew: its tokens are made here"));
    }
    if workspace.settings.completion == Completion::Server && connection.owner.key.is_none() {
        return Err(refused("nobody can vouch for whom this connection is: it has no external_id"));
    }
    Ok(Target { workspace, integration, provider })
}

fn fresh<'a>(opened: &'a Opened, link: &ReconnectLink, browser: &'a Secret) -> Result<Fresh<'a>> {
    let Opened { connection, target } = opened;
    let completion = match target.workspace.settings.completion {
        Completion::Server if link.redirect_uri.is_none() => {
            let text = "the application's server completes since, and this link leads to none";
            return Err(Error::Conflict { message: text.to_owned() });
        }
        Completion::Server => Completion::Server,
        // The page that was clicked on has named what it is for.
        Completion::Redirect | Completion::Confirm => Completion::Redirect,
    };
    Ok(Fresh {
        integration: &target.integration,
        owner: connection.owner.clone(),
        onto: Onto::This(connection.id.clone()),
        completion,
        handoff: handoff(&target.integration, link.redirect_uri.as_ref()),
        by: By::Browser(browser),
        session_hash: None,
        origin: None,
        wishes: Wishes {
            auth_option: connection.auth_option.clone(),
            inputs: known(connection, target),
            ..Wishes::default()
        },
    })
}

/// What was filled in when the connection was made: it is of that account still.
fn known(connection: &Connection, target: &Target) -> BTreeMap<String, String> {
    let fixed = &target.integration.config.inputs;
    let asked = target.provider.inputs.iter().filter(|input| input.asked_of == AskedOf::User);
    let keys = asked.map(|input| input.key.as_str()).chain([SCOPES]);
    let keys = keys.filter(|key| !fixed.contains_key(*key));
    keys.filter_map(|key| Some((key.to_owned(), connection.inputs.get(key)?.clone()))).collect()
}

fn handoff(integration: &Integration, uri: Option<&String>) -> Handoff {
    match uri {
        Some(uri) => Handoff::Redirect {
            uri: uri.clone(),
            style: Style::BundleUp,
            integration: integration.id.to_string(),
            state: None,
        },
        None => Handoff::Landing { integration: integration.name.clone() },
    }
}

/// What people call a customer, and the product's own word for it.
async fn called(conn: &mut Conn, connection: &Connection) -> Result<Option<String>> {
    let Some(key) = connection.owner.key.clone() else { return Ok(None) };
    let name = conn.customer_by_key(&connection.workspace_id, &key).await?.and_then(|it| it.name);
    Ok(Some(name.filter(|name| *name != key).map_or_else(|| key.clone(), |name| format!("{name} ({key})"))))
}

fn hashed(secret: &Secret) -> String {
    hash::token(&format!("reconnect:{}", secret.expose()))
}

fn used() -> Error {
    Error::invalid("flow", "this link was used already or has expired; ask for a new one")
}
