//! Exchange: the provider's code becomes tokens, and the tokens say whose account it is.
//!
//! It talks to the provider and writes nothing; [`super::record`] writes.

use std::collections::BTreeMap;

use claviger_catalog::{Auth, Provider};
use claviger_protocol::{
    identity,
    oauth2::{TokenError, TokenErrorKind, Tokens, read, token},
};

use super::{
    end, endpoints,
    grant::Grant,
    id_token::{self, Said},
    oauth1,
    party::{self, Party},
    post, start, who,
};
use crate::{
    broker::Broker,
    domain::{
        connection::{Account, Connection},
        flow::{Endpoints, Flow},
        integration::{AccountCheck, Integration},
    },
    error::{Error, ProviderFault, Result},
    secret::Secret,
};

/// Where a browser goes to the provider nobody types anything.
static NOTHING_TYPED: BTreeMap<String, Secret> = BTreeMap::new();

/// What came of a code.
pub(super) struct Exchanged {
    /// The tokens.
    pub tokens: Tokens,
    /// Who the account is, as far as the provider says.
    pub account: Account,
    /// The flow's inputs, and what the callback, the token answer and the identity gave besides.
    pub inputs: BTreeMap<String, String>,
}

/// A code, and what goes to the token endpoint with it.
pub(super) struct Code<'a> {
    /// The provider's addresses, and the redirect URI that the code was asked for with.
    pub at: &'a Endpoints,
    /// The code.
    pub code: &'a Secret,
    /// The state that came with it, for providers that want it again.
    pub state: Option<&'a Secret>,
    /// The PKCE verifier of the challenge that it was asked for with (RFC 7636).
    pub verifier: Option<&'a Secret>,
}

/// What stood in the way.
pub(super) enum Failed {
    /// The token endpoint answered with an error; what was sent is not in it.
    Told(TokenError),
    /// Anything else.
    Ours(Error),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

/// Redeems the code that a flow's callback brought, once.
///
/// # Errors
/// `Provider` with what went wrong, in the provider's words where it has any.
pub(super) async fn exchange(
    broker: &Broker,
    flow: &Flow,
    integration: &Integration,
    provider: &Provider,
    grant: Grant,
) -> Result<Exchanged> {
    let mut inputs = flow.inputs.clone();
    inputs.extend(grant.saved.clone());
    let at = flow.endpoints.as_ref().ok_or_else(|| Error::internal("a taken flow has no endpoints"))?;
    let verifier = start::kept(broker, flow)?;
    if let Auth::OAuth1(_) = &provider.auth {
        let kept = verifier.ok_or_else(|| Error::internal("a flow kept no temporary credentials"))?;
        return verified(broker, integration, provider, inputs, at, &kept, &grant.code).await;
    }
    let code = Code { at, code: &grant.code, state: Some(&grant.state), verifier: verifier.as_ref() };
    redeem(broker, integration, provider, inputs, code).await.map_err(|failed| match failed {
        Failed::Told(error) => refusal(error, &[]),
        Failed::Ours(error) => error,
    })
}

/// Redeems a code, once, and asks whose account it opens. `inputs` are what is known so far.
pub(super) async fn redeem(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: BTreeMap<String, String>,
    code: Code<'_>,
) -> std::result::Result<Exchanged, Failed> {
    let filled = endpoints::filled(provider, &inputs)?;
    let at = (code.at, token_url(&filled, code.at));
    let party = || party::of(broker, integration, &filled, at, &NOTHING_TYPED);
    let got = ask(broker, integration, &filled, party, &code).await?;
    completed(broker, integration, provider, inputs, code.at, got).await
}

/// What there is to do with tokens that were just given: they are traded for long-lived ones where the provider's file
/// says so, and asked whose account they open.
pub(super) async fn completed(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: BTreeMap<String, String>,
    at: &Endpoints,
    got: Tokens,
) -> std::result::Result<Exchanged, Failed> {
    let filled = endpoints::filled(provider, &inputs)?;
    let party = || party::of(broker, integration, &filled, (at, upgrade_url(&filled, at)), &NOTHING_TYPED);
    let got = upgrade(broker, &filled, party, got).await?;
    Ok(known(broker, integration, provider, inputs, Some(at), got).await?)
}

/// Exchanges the verifier of OAuth 1.
async fn verified(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: BTreeMap<String, String>,
    at: &Endpoints,
    kept: &Secret,
    verifier: &Secret,
) -> Result<Exchanged> {
    let filled = endpoints::filled(provider, &inputs)?;
    let Auth::OAuth1(oauth1) = &filled.auth else { return Err(Error::internal("this is not OAuth 1")) };
    let got = oauth1::exchange(broker, integration, oauth1, at, kept, verifier).await?;
    known(broker, integration, provider, inputs, None, got).await
}

/// Finds out whose account the tokens open: by the ID token that came along, where it can be checked, else by asking.
/// Tokens with an ID token that is wrong are revoked: nobody else holds them.
async fn known(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    mut inputs: BTreeMap<String, String>,
    at: Option<&Endpoints>,
    got: Tokens,
) -> Result<Exchanged> {
    inputs.extend(got.saved.clone());
    let filled = endpoints::filled(provider, &inputs)?;
    let said = match at {
        None => Said::Nothing,
        Some(at) => match id_token::claims(broker, integration, at, &got).await {
            Ok(said) => said,
            Err(error) => {
                let unborn = Connection { inputs, ..Connection::unborn(integration, broker.clock.now()) };
                end::revoke_unless_shared(broker, integration, &unborn, &got).await;
                return Err(error);
            }
        },
    };
    let userinfo = at.and_then(|at| at.userinfo_url.as_deref());
    let found = match said {
        // Who must be the same is not taken at the word of a token that nobody could check.
        Said::Unchecked if who::is_by_id_token(&filled) && is_same_required(integration) => {
            identity::Account::default()
        }
        Said::Nothing | Said::Unchecked => {
            who::or_unknown(&filled, who::ask(broker, integration, &filled, &inputs, userinfo, &got).await)
        }
        Said::Claims(claims) => {
            let asked = || who::ask(broker, integration, &filled, &inputs, userinfo, &got);
            who::vouched(&filled, &claims, asked).await
        }
    };
    inputs.extend(found.saved);
    let account = Account { id: found.id, name: found.name, email: found.email };
    Ok(Exchanged { tokens: got, account, inputs })
}

fn is_same_required(integration: &Integration) -> bool {
    integration.config.account_check == Some(AccountCheck::Require)
}

/// The token request.
async fn ask<F: Future<Output = Result<Party>>>(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    party: impl Fn() -> F,
    with: &Code<'_>,
) -> std::result::Result<Tokens, Failed> {
    let oauth2 = endpoints::oauth2(provider)?;
    let mut extra = BTreeMap::new();
    if let Some(state) = with.state.filter(|_| oauth2.token.resend_state) {
        extra.insert("state".to_owned(), state.expose().to_owned());
    }
    let url = token_url(provider, with.at);
    let (code, redirect_uri) = (with.code, with.at.redirect_uri.as_str());
    let make = || async {
        let party = party().await?;
        let client = party.client();
        let request = token::exchange(oauth2, url, &client, code, redirect_uri, with.verifier, &extra)
            .map_err(|e| Error::internal(format!("token request of {}: {e}", integration.id)))?;
        Ok::<_, Error>((party, request))
    };
    let (party, answer) = post::token(broker, make).await?;
    let now = broker.clock.now().0;
    let sent = [Some(with.code), with.state, with.verifier, party.secret()];
    let got = read::tokens(oauth2, answer.status(), answer.headers(), answer.body(), now);
    got.and_then(|got| party.bind(got)).map_err(|e| told(e, &sent))
}

/// Where a code is redeemed. A file's token URL may name what only the callback told.
fn token_url<'a>(provider: &'a Provider, at: &'a Endpoints) -> &'a str {
    provider.oauth2().and_then(|oauth2| oauth2.endpoints.token_url.as_deref()).unwrap_or(&at.token_url)
}

/// Where a token is traded.
fn upgrade_url<'a>(provider: &'a Provider, at: &'a Endpoints) -> &'a str {
    let upgrade = provider.oauth2().and_then(|oauth2| oauth2.upgrade.as_ref());
    upgrade.and_then(|upgrade| upgrade.url.as_deref()).unwrap_or(&at.token_url)
}

/// Trades a token for a long-lived one, where the provider's file says so.
async fn upgrade<F: Future<Output = Result<Party>>>(
    broker: &Broker,
    provider: &Provider,
    party: impl Fn() -> F,
    got: Tokens,
) -> std::result::Result<Tokens, Failed> {
    let oauth2 = endpoints::oauth2(provider)?;
    if oauth2.upgrade.is_none() {
        return Ok(got);
    }
    let make = || async {
        let party = party().await?.holding(&got)?;
        let request = token::upgrade(oauth2, &party.client(), &got)
            .map_err(|e| Error::internal(format!("upgrade request of {}: {e}", provider.key)))?;
        let request = request.ok_or_else(|| Error::internal("there is nothing to upgrade with"))?;
        Ok::<_, Error>((party, request))
    };
    let (party, answer) = post::token(broker, make).await?;
    let now = broker.clock.now().0;
    let newer = read::tokens(oauth2, answer.status(), answer.headers(), answer.body(), now);
    match newer.and_then(|newer| party.bind(newer)) {
        Ok(newer) if oauth2.upgrade.as_ref().is_some_and(|upgrade| upgrade.each) => Ok(got.exchanged(newer)),
        Ok(newer) => Ok(got.renewed(newer)),
        Err(error) => {
            Err(told(error, &[Some(&got.access_token), got.refresh_token.as_ref(), party.secret()]))
        }
    }
}

/// Exchanges the token of a first grant that was refreshed just now, or lives yet, as it was exchanged at first.
pub(super) async fn again(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    first: Tokens,
) -> Result<std::result::Result<Tokens, TokenError>> {
    let filled = endpoints::filled(provider, inputs)?;
    let at = endpoints::resolve(broker, integration, provider, inputs).await?;
    let party = || party::of(broker, integration, &filled, (&at, upgrade_url(&filled, &at)), &NOTHING_TYPED);
    match upgrade(broker, &filled, party, first).await {
        Ok(tokens) => Ok(Ok(tokens)),
        Err(Failed::Told(error)) => Ok(Err(error)),
        Err(Failed::Ours(error)) => Err(error),
    }
}

fn told(error: TokenError, sent: &[Option<&Secret>]) -> Failed {
    Failed::Told(error.hiding(&sent.iter().copied().flatten().collect::<Vec<_>>()))
}

/// A token endpoint's refusal of what a caller brought, said at that field in the provider's words. The caller can't
/// help it when our client is refused, nor when the provider can't say now.
pub(super) fn blame(error: TokenError, integration: &Integration, field: &'static str) -> Error {
    if error.kind != TokenErrorKind::Oauth {
        return refusal(error, &[]);
    }
    let words = error.words();
    match error.code.as_deref() {
        Some("invalid_client" | "unauthorized_client") => Error::Conflict {
            message: format!("{words}: check the client id and secret of `{}`", integration.key),
        },
        _ => Error::invalid(field, words),
    }
}

/// A token endpoint's error as ours, without what was sent to it.
pub(crate) fn refusal(error: TokenError, sent: &[Option<&Secret>]) -> Error {
    let sent: Vec<&Secret> = sent.iter().copied().flatten().collect();
    let error = error.hiding(&sent);
    let fault = match error.kind {
        TokenErrorKind::Transient => ProviderFault::Unreachable,
        TokenErrorKind::Oauth => ProviderFault::Refused,
        TokenErrorKind::Unreadable => ProviderFault::Unreadable,
    };
    Error::Provider { fault, message: error.words() }
}
