//! `--seed`: a handful of demo customers, connected the way real ones are, and a user beside the admin.
//!
//! Each customer goes through the whole flow, with this code in the browser's place; nothing is written around it.

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use claviger_engine::{
    broker::Broker,
    domain::{
        audit::Actor,
        share::{Level, Principal},
    },
    id::WorkspaceId,
    setup::{self, Change, NewUser},
    store::{ConnectionFilter, Page},
};
use http::{Request, Response, header};

use super::{KEY, TEAM, USER, show::Shown};

/// Demo customers, and the sandbox account that each connects.
const CUSTOMERS: [(&str, &str); 5] = [
    ("demo-acme", "alice"),
    ("demo-bolt", "bob"),
    ("demo-crux", "alice"),
    ("demo-dune", "bob"),
    ("demo-echo", "alice"),
];
/// The most bytes read of a page.
const CAP: usize = 256 * 1024;

/// Makes the second user, with the admin's password, and the team that the ready integration is shared with. What was
/// changed since the first start stays so.
async fn people(broker: &Broker, workspace: &WorkspaceId, shown: &Shown<'_>) -> Result<()> {
    let mut conn = broker.store.begin(Actor::Cli, broker.clock.now()).await?;
    if conn.user_by_name(workspace, USER).await?.is_some() || conn.team(workspace, TEAM).await?.is_some() {
        return Ok(());
    }
    let ready = conn.integration_by_selector(workspace, KEY).await?.context("the ready integration")?;
    let mut to = Change::of(broker, &mut conn);
    let user = NewUser {
        username: USER.to_owned(),
        display_name: Some("Alice".to_owned()),
        email: Some("alice@product.example".to_owned()),
        password: Some(shown.kept.admin_password.clone()),
        superuser: false,
        permissions: Vec::new(),
    };
    setup::user(&mut to, workspace, user).await?;
    setup::team(&mut to, workspace, TEAM, "Operations").await?;
    setup::join_team(&mut to, workspace, TEAM, USER).await?;
    to.conn.set_share(workspace, &ready.id, &Principal::Team(TEAM.to_owned()), Level::Use).await?;
    conn.commit().await?;
    tracing::info!(
        user = USER,
        team = TEAM,
        "a user with the admin's password may use the sandbox integration"
    );
    Ok(())
}

/// Connects every demo customer that is not connected yet.
pub(super) async fn run(broker: &Broker, workspace: &WorkspaceId, shown: &Shown<'_>) -> Result<()> {
    people(broker, workspace, shown).await.context("seeding people")?;
    for (customer, account) in CUSTOMERS {
        let mut conn = broker.store.read().await?;
        let filter = ConnectionFilter { owner_key: Some(customer.to_owned()), ..ConnectionFilter::default() };
        let known = conn.connections(workspace, &filter, &Page { offset: 0, limit: 1 }).await?;
        drop(conn);
        if known.is_empty() {
            connect(broker, &shown.connect_url(customer), account)
                .await
                .with_context(|| format!("seeding {customer}"))?;
            tracing::info!(customer, account, "a demo customer was connected");
        }
    }
    Ok(())
}

/// One customer's way: our link, the sandbox's consent, our callback.
async fn connect(broker: &Broker, link: &str, account: &str) -> Result<()> {
    let begun = fetch(broker, Request::get(link).body(Bytes::new())?).await?;
    let cookie = text(&begun, &header::SET_COOKIE)?.split(';').next().unwrap_or_default().to_owned();
    let consent = Request::post(text(&begun, &header::LOCATION)?)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(format!("account={account}&decision=allow")))?;
    let consented = fetch(broker, consent).await?;
    let callback = text(&consented, &header::LOCATION)?;
    let back =
        fetch(broker, Request::get(callback).header(header::COOKIE, cookie).body(Bytes::new())?).await?;
    let done = text(&back, &header::LOCATION)?;
    if done.contains("connection_id=") { Ok(()) } else { Err(anyhow!("the flow ended without a connection")) }
}

async fn fetch(broker: &Broker, request: Request<Bytes>) -> Result<Response<Bytes>> {
    broker.outbound.fetch(request, CAP).await.map_err(|e| anyhow!("{}", e.message))
}

fn text<'a>(answer: &'a Response<Bytes>, name: &header::HeaderName) -> Result<&'a str> {
    let status = answer.status().as_u16();
    let value = answer.headers().get(name).with_context(|| format!("an answer {status} without {name}"))?;
    Ok(value.to_str()?)
}
