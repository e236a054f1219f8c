//! Import: a connection from tokens that a product holds already.
//!
//! Without `verify` nobody is asked anything. With it the provider has to accept the tokens first: by one refresh
//! where there is a refresh token, which spends a rotating one, or else by a call that the provider's file
//! names. A refusal stores nothing. Tokens that a refresh gave are kept as carefully as any refresh's.

pub(super) mod check;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use claviger_catalog::{Provider, RefreshWith};
use claviger_protocol::{
    identity,
    oauth2::{Tokens, authorize, read},
};
use http::StatusCode;

use super::{
    endpoints,
    exchange::{self, Exchanged},
    parameters,
    record::{self, Draft},
    renew, verify,
    who::{self, Told},
};
use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Account, Connection, Onto, Owner, OwnerKind, Status},
        integration::Integration,
    },
    error::{Error, Result},
    id::{ConnectionId, IntegrationId, WorkspaceId},
    refresh,
    secret::Secret,
    store::Conn,
    time::Millis,
};

/// The longest life of an imported access token: ten years.
pub const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What a product brings.
pub struct Import<'a> {
    /// The integration's id or key.
    pub integration: &'a str,
    /// The one integration that the caller's key is limited to, if any.
    pub only: Option<IntegrationId>,
    /// For whom the connection is to be; a key of at most 512 bytes.
    pub owner: Owner,
    /// The access token.
    pub access_token: Secret,
    /// The refresh token, where there is one.
    pub refresh_token: Option<Secret>,
    /// In how many seconds the access token expires; when absent, what the token itself or the provider's file
    /// tells.
    pub expires_in: Option<u64>,
    /// The scopes that were granted, as far as the caller knows.
    pub scopes: Option<Vec<String>>,
    /// Values of the provider's inputs (subdomain, region), or that it would have told with its tokens. What
    /// the integration fixes wins.
    pub inputs: BTreeMap<String, String>,
    /// Whether the provider must accept the tokens first. Where there is a refresh token it is used for that.
    pub verify: bool,
}

/// Which connection tokens are to be of.
#[derive(Debug)]
pub struct Place {
    /// Which one they go over.
    pub onto: Onto,
    /// By which auth option, by key; `None` for the integration's own way.
    pub option: Option<String>,
    /// What it is to be called.
    pub name: Option<String>,
    /// Values that are checked already, over all others.
    pub known: BTreeMap<String, String>,
}

impl Default for Place {
    fn default() -> Self {
        Self { onto: Onto::New, option: None, name: None, known: BTreeMap::new() }
    }
}

/// A connection that was imported.
#[derive(Debug)]
pub struct Imported {
    /// The connection.
    pub connection: Connection,
    /// The key of its integration.
    pub integration: String,
}

/// A connection that is being made of what a caller brought.
pub(super) struct Candidate {
    /// Through which integration.
    pub integration: Integration,
    /// Its provider.
    pub provider: Arc<Provider>,
    /// For whom.
    pub owner: Owner,
    /// Which connection it goes over.
    pub onto: Onto,
    /// What it is to be called.
    pub name: Option<String>,
    /// By which of the integration's auth options, by key; the integration is as of that option.
    pub auth_option: Option<String>,
    /// The values known so far.
    pub inputs: BTreeMap<String, String>,
    /// The tokens, as they were brought or as the provider gave them since.
    pub tokens: Tokens,
    /// Whose account it is, as far as that is known.
    pub account: Account,
    /// When a refresh gave these tokens.
    pub refreshed_at: Option<Millis>,
    /// Whether what the caller brought was spent for them: nobody else holds the new ones.
    pub spent: bool,
}

/// Makes a connection of existing tokens.
///
/// Runs to its end even when the caller hangs up meanwhile.
///
/// # Errors
/// `NotFound` when there is no such integration for this caller; `Conflict` when it is switched off, changed
/// meanwhile, or its own client is refused; `Invalid` naming `access_token`, `refresh_token`, `expires_in`,
/// `scopes`, `external_id`, `inputs` or `verify`; `Provider` when the provider can't be asked.
pub async fn import(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    given: Import<'_>,
    actor: Actor,
) -> Result<Imported> {
    import_as(broker, workspace, given, Place::default(), actor).await
}

/// The same, for a connection that is there already, or with an auth option.
///
/// # Errors
/// As [`import`], and `NotFound` when there is no such auth option or connection.
pub async fn import_as(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    given: Import<'_>,
    place: Place,
    actor: Actor,
) -> Result<Imported> {
    check::plain(&given)?;
    let mut conn = broker.store.read().await?;
    let integration = conn
        .integration_by_selector(workspace, given.integration)
        .await?
        .filter(|found| given.only.as_ref().is_none_or(|only| *only == found.id))
        .ok_or(Error::NotFound { what: "integration" })?;
    let integration = conn.as_option(workspace, integration, place.option.as_deref()).await?;
    let integration = integration.ok_or(Error::NotFound { what: "integration" })?;
    drop(conn);
    require_on(&integration)?;
    let provider = broker.provider(&integration)?;
    let mut inputs = check::inputs(&provider, &integration, &given.inputs)?;
    inputs.extend(place.known);
    let tokens = tokens(&provider, &given, broker.clock.now())?;
    let refresh = given.verify && refresh_tells(&provider, &tokens)?;
    check::complete(&provider, &integration, &inputs, &told_later(&provider, given.verify, refresh))?;
    let candidate = Candidate {
        integration,
        provider,
        owner: given.owner,
        onto: place.onto,
        name: place.name,
        auth_option: place.option,
        inputs,
        tokens,
        account: Account::default(),
        refreshed_at: None,
        spent: false,
    };
    let way = match (given.verify, refresh) {
        (false, _) => Way::Unasked,
        (true, true) => Way::Refresh,
        (true, false) => Way::Calls,
    };
    broker.to_its_end(perform(broker.clone(), candidate, way, actor)).await
}

/// How the provider's word is had.
enum Way {
    Unasked,
    Refresh,
    Calls,
}

async fn perform(broker: Arc<Broker>, mut candidate: Candidate, way: Way, actor: Actor) -> Result<Imported> {
    match way {
        Way::Unasked => {}
        Way::Refresh => by_refresh(&broker, &mut candidate).await?,
        Way::Calls => by_calls(&broker, &mut candidate).await?,
    }
    keep(&broker, candidate, actor).await
}

/// The tokens as they were brought.
fn tokens(provider: &Provider, given: &Import<'_>, now: Millis) -> Result<Tokens> {
    let oauth2 = endpoints::oauth2(provider)?;
    if provider.keys().is_some() {
        let message = format!(
            "{} gives tokens for what is typed in: without that they can't be renewed",
            provider.name
        );
        return Err(Error::Conflict { message });
    }
    let told = given.expires_in.map(|seconds| now.plus(Duration::from_secs(seconds)).0);
    let refresh_token = given.refresh_token.clone();
    Ok(Tokens {
        expires_at: told.or_else(|| read::expiry_untold(oauth2, &given.access_token, now.0)),
        refresh_expires_at: refresh_token
            .as_ref()
            .and_then(|token| read::refresh_expiry_untold(oauth2, token, now.0)),
        refresh_token,
        scopes: given.scopes.clone(),
        ..Tokens::of(given.access_token.clone(), "Bearer")
    })
}

/// Whether a refresh says something about these tokens.
fn refresh_tells(provider: &Provider, tokens: &Tokens) -> Result<bool> {
    let oauth2 = endpoints::oauth2(provider)?;
    Ok(oauth2.refresh.with != RefreshWith::Client && endpoints::refreshable(provider, tokens))
}

/// The names of the values that verifying is going to tell: a token endpoint that answers, and the identity.
pub(super) fn told_later(provider: &Provider, verify: bool, answered: bool) -> Vec<&str> {
    let answer = provider.oauth2().into_iter().flat_map(|oauth2| oauth2.answer.save.keys());
    let identity = provider.identity.iter().flat_map(|identity| identity.save.keys());
    let told = answer.filter(|_| answered).chain(identity.filter(|_| verify));
    told.map(String::as_str).collect()
}

/// Fails for an integration that takes no new connections.
pub(super) fn require_on(integration: &Integration) -> Result<()> {
    if integration.disabled_at.is_none() {
        return Ok(());
    }
    let message = format!("integration `{}` is switched off; switch it on to connect", integration.key);
    Err(Error::Conflict { message })
}

/// One refresh, exactly as any other; its tokens take the place of those brought.
pub(super) async fn by_refresh(broker: &Broker, candidate: &mut Candidate) -> Result<()> {
    let Candidate { integration, provider, owner, inputs, tokens, .. } = &*candidate;
    let field = if tokens.refresh_token.is_some() { "refresh_token" } else { "access_token" };
    require_unspent(broker, provider, tokens).await?;
    let newer = renew::ask(broker, integration, provider, owner, inputs, tokens, None).await?;
    let newer = newer.map_err(|error| exchange::blame(error, integration, field))?;
    let shown = tokens.refresh_token.as_ref().map(Secret::expose);
    candidate.spent = newer.refresh_token.as_ref().is_some_and(|newer| shown != Some(newer.expose()));
    candidate.refreshed_at = Some(broker.clock.now());
    candidate.inputs.extend(newer.saved.clone());
    candidate.tokens = newer;
    let told = ask_who(broker, candidate).await;
    candidate.known(who::or_unknown(&candidate.provider, told));
    Ok(())
}

/// A refresh token that a connection has sent is not sent again to try it, where its provider may take it only once.
async fn require_unspent(broker: &Broker, provider: &Provider, tokens: &Tokens) -> Result<()> {
    let Some(hash) = refresh::spends(provider, tokens) else { return Ok(()) };
    let mut conn = broker.store.read().await?;
    let open = conn.any_open_intent(&hash).await?.is_some();
    if !open && conn.any_spent_intent(&hash, None).await?.is_none() {
        return Ok(());
    }
    let message = "This refresh token was sent before by a connection that has it, and may be spent: to try it \
                   could end its grant. The account must be authorized again";
    Err(Error::Conflict { message: message.to_owned() })
}

/// The calls of the provider's file; where they don't tell, the call for the account's identity.
async fn by_calls(broker: &Broker, candidate: &mut Candidate) -> Result<()> {
    let Candidate { integration, provider, inputs, tokens, .. } = &*candidate;
    let filled = endpoints::filled(provider, inputs)?;
    let works = verify::by_calls(broker, integration, &filled, inputs, tokens).await?;
    let told = ask_who(broker, candidate).await;
    if works {
        candidate.known(who::or_unknown(&candidate.provider, told));
        return Ok(());
    }
    match told? {
        // An answer that names nobody may be an error with status 200.
        Told::Account(account) if account.id.is_some() => candidate.known(account),
        Told::Status(status, words) if status == StatusCode::UNAUTHORIZED => {
            return Err(verify::refused(status, words.as_deref()));
        }
        Told::Status(status, _) if !matches!(status.as_u16(), 403 | 404) => {
            return Err(verify::unclear(status));
        }
        Told::Along(_) | Told::Nothing if !verify::has_calls(&candidate.provider) => {
            let text = "This provider offers no way to verify a token without a refresh token; import without `verify`";
            return Err(Error::invalid("verify", text));
        }
        Told::Account(_) | Told::Along(_) | Told::Status(..) | Told::Nothing => {
            let text = "None of the provider's calls tells whether this token works; import without `verify`";
            return Err(Error::invalid("verify", text));
        }
    }
    Ok(())
}

async fn ask_who(broker: &Broker, candidate: &Candidate) -> Result<Told> {
    let Candidate { integration, provider, inputs, tokens, .. } = candidate;
    let filled = endpoints::filled(provider, inputs)?;
    let at = endpoints::resolve(broker, integration, provider, inputs).await?;
    who::ask(broker, integration, &filled, inputs, at.userinfo_url.as_deref(), tokens).await
}

impl Candidate {
    /// Takes over what came of a code, or of a credential that was typed in.
    pub(super) fn take(&mut self, got: Exchanged) {
        let Exchanged { tokens, account, inputs } = got;
        (self.tokens, self.account, self.inputs) = (tokens, account, inputs);
    }

    fn known(&mut self, found: identity::Account) {
        let identity::Account { id, name, email, mut saved } = found;
        self.inputs.append(&mut saved);
        self.account = Account { id, name, email };
    }

    /// The connection that is to come of it.
    pub(super) fn connection(&self, now: Millis) -> Connection {
        let asked = self.provider.oauth2().map(|oauth2| {
            authorize::scopes(oauth2, &parameters::scopes(&self.integration, &self.provider, &self.inputs))
        });
        Connection {
            id: ConnectionId::new(),
            workspace_id: self.integration.workspace_id.clone(),
            integration_id: self.integration.id.clone(),
            owner: self.owner.clone(),
            status: Status::Active,
            status_reason: None,
            scopes_asked: asked.unwrap_or_default(),
            // Nobody knows what was granted unless the caller or the provider said it.
            scopes_granted: self.tokens.scopes.clone().unwrap_or_default(),
            account: self.account.clone(),
            inputs: self.inputs.clone(),
            name: self.name.clone(),
            auth_option: self.auth_option.clone(),
            frozen_at: None,
            refreshed_at: self.refreshed_at,
            expires_at: self.tokens.expires_at.map(Millis),
            authorized_at: now,
            created_at: now,
            updated_at: now,
        }
    }

    fn draft(self, now: Millis) -> (Integration, Draft, bool) {
        let connection = self.connection(now);
        let version = self.integration.version;
        (self.integration, Draft::new(connection, self.tokens, self.onto, version), self.spent)
    }
}

/// Writes it. Tokens that only we hold are written as a first exchange's are; others the caller still has, and
/// can bring again.
pub(super) async fn keep(broker: &Arc<Broker>, candidate: Candidate, actor: Actor) -> Result<Imported> {
    let (integration, draft, spent) = candidate.draft(broker.clock.now());
    let transaction = || async {
        let mut conn = broker.store.begin(actor.clone(), broker.clock.now()).await?;
        hold_owner(&mut conn, &draft.connection).await?;
        let written = record::write(broker, &mut conn, &draft).await?;
        conn.commit().await.map(|()| written.connection)
    };
    let connection = if spent {
        record::keep(broker, &integration, &draft, transaction).await?
    } else {
        record::put(broker, &integration, &draft, transaction).await?
    };
    Ok(Imported { connection, integration: integration.key })
}

/// A customer is still there, and stays until this unit of work ends. Other owners are nobody's row.
async fn hold_owner(conn: &mut Conn, made: &Connection) -> Result<()> {
    let (OwnerKind::Customer, Some(key)) = (made.owner.kind, &made.owner.key) else { return Ok(()) };
    let gone = || Error::NotFound { what: "customer" };
    let customer = conn.customer_by_key(&made.workspace_id, key).await?.ok_or_else(gone)?;
    conn.hold_customer(&made.workspace_id, &customer.id).await?.ok_or_else(gone).map(drop)
}
