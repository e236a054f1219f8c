//! Bring: a signed-in user makes a connection without a browser, of what it has: an authorization code, a refresh
//! token, or a credential that is typed in; or of nothing, where nothing has to be had.
//!
//! The provider always has to take it first; what it does not take leaves nothing behind. What it gave for a code is
//! held by nobody else, so it is kept as a flow's is, or revoked.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{Auth, Kind, Pkce, Provider, RefreshWith};
use claviger_protocol::oauth2::Tokens;

use super::{
    bound, endpoints,
    exchange::{self, Code, Failed},
    import::{self, Candidate, Imported, check},
    keys, prove,
};
use crate::{
    access::{Member, rights},
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Account, Onto, Owner},
        flow::Endpoints,
    },
    error::{Error, Result},
    secret::Secret,
};

/// The longest redirect URI, in bytes.
const LONGEST_URI: usize = 2048;
/// How long a PKCE verifier is (RFC 7636 §4.1).
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// What a user brings.
pub enum Bring {
    /// An authorization code that the user's own program was given.
    Code {
        /// The code.
        code: Secret,
        /// The redirect URI that it was asked for with; the integration's own callback when absent.
        redirect_uri: Option<String>,
        /// The PKCE verifier, where a challenge was sent along (RFC 7636).
        verifier: Option<Secret>,
    },
    /// A refresh token. It is used once, at once.
    Refresh {
        /// The refresh token.
        refresh_token: Secret,
    },
    /// What is typed in, by field: `api_key`, `username` and `password`, `token`, a client's `client_id` and
    /// `client_secret`, or the fields that the provider's file names. Nothing, where nobody is asked for anything.
    Keys(BTreeMap<String, Secret>),
}

/// Makes a connection for the caller at an integration, by id or key, or puts what is brought in place of the credential
/// of the one that is there.
///
/// Runs to its end even when the caller hangs up meanwhile.
///
/// # Errors
/// `Limited` after too many tries; `NotFound` for an integration that is not there or not visible; `Denied` for a token that only reads, and for a shared
/// integration that another user has connected; `Conflict` when it is switched off, changed meanwhile, not set up, or
/// its own client is refused; `Invalid` naming `code`, `redirect_uri`, `code_verifier`, `refresh_token`, `api_key`,
/// `username`, `password`, `token` or `inputs`, also when the provider does not take it; `Provider` when the provider
/// can't be asked.
pub async fn bring(
    broker: &Arc<Broker>,
    member: &Member,
    selector: &str,
    brought: Bring,
    inputs: &BTreeMap<String, String>,
) -> Result<Imported> {
    member.require_writing()?;
    let mut conn = broker.store.read().await?;
    let integration = rights::see(&mut conn, member, selector).await?.integration;
    import::require_on(&integration)?;
    bound::may_connect(&mut conn, member, &integration).await?;
    let integration = conn.as_option(&member.workspace_id, integration, None).await?;
    let integration = integration.ok_or(Error::NotFound { what: "integration" })?;
    drop(conn);
    let provider = broker.provider(&integration)?;
    fits(&provider, &brought)?;
    broker.tries.take(&format!("{} {}", member.user.id, integration.id), broker.clock.now())?;
    let inputs = check::inputs(&provider, &integration, inputs)?;
    let answered = !matches!(brought, Bring::Keys(_));
    check::complete(&provider, &integration, &inputs, &import::told_later(&provider, true, answered))?;
    let candidate = Candidate {
        owner: Owner::member(integration.mode, &member.user.username),
        onto: Onto::Only,
        name: None,
        auth_option: None,
        integration,
        provider,
        inputs,
        tokens: none(),
        account: Account::default(),
        refreshed_at: None,
        spent: false,
    };
    broker.to_its_end(perform(broker.clone(), candidate, brought, member.actor())).await
}

async fn perform(
    broker: Arc<Broker>,
    mut candidate: Candidate,
    brought: Bring,
    actor: Actor,
) -> Result<Imported> {
    match brought {
        Bring::Code { code, redirect_uri, verifier } => {
            by_code(&broker, &mut candidate, &code, redirect_uri, verifier.as_ref()).await?;
        }
        Bring::Refresh { refresh_token } => {
            candidate.tokens.refresh_token = Some(refresh_token);
            import::by_refresh(&broker, &mut candidate).await?;
        }
        Bring::Keys(given) => {
            let Candidate { integration, provider, inputs, .. } = &candidate;
            let taken = keys::accept(&broker, integration, provider, inputs.clone(), &given).await?;
            candidate.take(taken);
        }
    }
    import::keep(&broker, candidate, actor).await
}

/// Redeems the code. It was not asked for by a flow of ours: whether there was a challenge, only its caller knows, and
/// of a state there is nothing to say.
async fn by_code(
    broker: &Broker,
    candidate: &mut Candidate,
    code: &Secret,
    redirect_uri: Option<String>,
    verifier: Option<&Secret>,
) -> Result<()> {
    let Candidate { integration, provider, inputs, .. } = &*candidate;
    let mut provider = Provider::clone(provider);
    let guarded = provider.oauth2().is_some_and(|oauth2| oauth2.pkce == Pkce::S256);
    if let Auth::OAuth2(oauth2) = &mut provider.auth {
        oauth2.pkce = if verifier.is_some() { Pkce::S256 } else { Pkce::Unsupported };
        oauth2.token.resend_state = false;
    }
    let at = endpoints::resolve(broker, integration, &provider, inputs).await?;
    let redirect_uri = redirect_uri.unwrap_or_else(|| at.redirect_uri.clone());
    // Codes that come to our callback are flows'. One that somebody took from there would be a connection of the
    // thief's, unless a verifier that nobody else has must be shown with it (RFC 9700 §4.5).
    if !guarded && redirect_uri == at.redirect_uri {
        let text = "Is needed, and not ours: this provider binds no code to who asked for it";
        return Err(Error::invalid("redirect_uri", text));
    }
    let at = Endpoints { redirect_uri, ..at };
    let shown = Code { at: &at, code, state: None, verifier };
    let redeemed = exchange::redeem(broker, integration, &provider, inputs.clone(), shown).await;
    let redeemed = redeemed.map_err(|failed| match failed {
        Failed::Told(error) => exchange::blame(error, integration, "code"),
        Failed::Ours(error) => error,
    })?;
    candidate.take(redeemed);
    candidate.spent = true;
    let made = candidate.connection(broker.clock.now());
    let works = prove::works(broker, &candidate.integration, &candidate.provider, &made, &candidate.tokens);
    works.await.map_err(|error| match error {
        Error::Denied { message } => Error::invalid("code", message),
        other => other,
    })
}

/// Whether an integration of this provider takes such a thing, and whether it can be what it is said to be.
fn fits(provider: &Provider, brought: &Bring) -> Result<()> {
    match (provider.kind(), brought) {
        (Kind::OAuth2Code, Bring::Code { code, redirect_uri, verifier }) => {
            check::token("code", code)?;
            if redirect_uri.as_ref().is_some_and(|uri| !is_uri(uri)) {
                return Err(Error::invalid("redirect_uri", "Is no absolute URL"));
            }
            if verifier.as_ref().is_some_and(|verifier| !is_verifier(verifier.expose())) {
                let text = "Is no PKCE verifier: 43 to 128 letters, digits, `-`, `.`, `_` and `~`";
                return Err(Error::invalid("code_verifier", text));
            }
            Ok(())
        }
        (Kind::OAuth2Code, Bring::Refresh { refresh_token }) => {
            let with = provider.oauth2().map(|oauth2| oauth2.refresh.with);
            if with != Some(RefreshWith::RefreshToken) {
                let text = format!("{} gives no refresh tokens; bring an authorization code", provider.name);
                return Err(Error::invalid("refresh_token", text));
            }
            check::token("refresh_token", refresh_token)
        }
        (Kind::Typed, Bring::Keys(given)) if !given.is_empty() => {
            let fields = provider.keys().map(|keys| keys.fields.as_slice()).unwrap_or_default();
            match given.keys().find(|name| fields.iter().all(|field| field.key != **name)) {
                Some(field) => Err(Error::invalid(keys::named(field), other(provider))),
                None => Ok(()),
            }
        }
        (Kind::ClientCredentials | Kind::WorkspaceToken, Bring::Keys(given)) if given.is_empty() => Ok(()),
        (_, Bring::Keys(given)) if given.is_empty() => {
            Err(Error::invalid("body", format!("Brings nothing; this integration takes{}", taken(provider))))
        }
        (_, Bring::Keys(given)) => Err(Error::invalid(
            given.keys().next().map_or("body", |field| keys::named(field)),
            other(provider),
        )),
        (_, Bring::Code { .. }) => Err(Error::invalid("code", other(provider))),
        (_, Bring::Refresh { .. }) => Err(Error::invalid("refresh_token", other(provider))),
    }
}

/// What to say of a thing that is not what an integration takes.
fn other(provider: &Provider) -> String {
    format!("This integration takes no such thing, but{}", taken(provider))
}

fn taken(provider: &Provider) -> String {
    let fields = provider.keys().map(|keys| keys.fields.as_slice()).unwrap_or_default();
    let titles: Vec<_> = fields.iter().filter_map(|field| field.label.title.as_deref()).collect();
    match provider.kind() {
        Kind::OAuth2Code => " an authorization code or a refresh token".to_owned(),
        Kind::OAuth1 | Kind::DeviceCode => {
            " nothing that could be brought: a browser has to go to the provider".to_owned()
        }
        Kind::Typed => format!(": {}", titles.join(", ")),
        Kind::ClientCredentials | Kind::WorkspaceToken => " nothing: send no credential".to_owned(),
    }
}

fn is_uri(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_graphic());
    plain && text.len() <= LONGEST_URI && url::Url::parse(text).is_ok()
}

fn is_verifier(text: &str) -> bool {
    VERIFIER.contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
}

/// Before the provider gave any.
fn none() -> Tokens {
    Tokens::of(Secret::new(String::new()), "Bearer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_a_verifier_or_an_address_is_refused() {
        let least = "a".repeat(43);
        for (text, want) in [
            (least.as_str(), true),
            (&"aA9-._~".repeat(10), true),
            (&"a".repeat(128), true),
            (&"a".repeat(42), false),
            (&"a".repeat(129), false),
            (&format!("{least}+"), false),
            (&format!("{least} "), false),
            ("", false),
        ] {
            assert_eq!(is_verifier(text), want, "{text}");
        }
        for (text, want) in [
            ("https://app.test/cb?x=1", true),
            ("myapp://cb", true),
            ("urn:ietf:wg:oauth:2.0:oob", true),
            ("/cb", false),
            ("https://app.test/a b", false),
            ("https://app.test/\r\n", false),
            ("", false),
            (&format!("https://app.test/{}", "a".repeat(LONGEST_URI)), false),
        ] {
            assert_eq!(is_uri(text), want, "{text}");
        }
    }
}
