//! Lifetime: when a token ends of which nobody said it. Pure.
//!
//! First counts what the answer says, then the token's own `exp`, then the provider file's lifetime: that much is
//! `claviger_protocol`'s. What is left is the lifetime that tokens of the same connection were last seen to have.

use claviger_catalog::{Auth, Lifetime, Provider};
use claviger_protocol::oauth2::Tokens;

use crate::time::Millis;

/// For how many seconds these tokens, obtained at `now`, are good, where that is known.
pub(crate) fn of(tokens: &Tokens, now: Millis) -> Option<i64> {
    let seconds = tokens.expires_at?.saturating_sub(now.0) / 1000;
    (seconds > 0).then_some(seconds)
}

/// The tokens, with an expiry by the lifetime last seen where nothing else tells one; and the lifetime to remember.
/// `seen` is what was remembered, in seconds.
pub(crate) fn settled(
    provider: &Provider,
    seen: Option<i64>,
    tokens: Tokens,
    now: Millis,
) -> (Tokens, Option<i64>) {
    if let Some(lifetime) = of(&tokens, now) {
        return (tokens, Some(lifetime));
    }
    let unknown = tokens.expires_at.is_none() && !tokens.access_token.is_empty();
    if !unknown || is_endless(provider) {
        return (tokens, seen);
    }
    let expires_at = seen.map(|seconds| now.0.saturating_add(seconds.saturating_mul(1000)));
    (Tokens { expires_at, ..tokens }, seen)
}

/// Whether the file says that a token lives on where its answer is silent.
fn is_endless(provider: &Provider) -> bool {
    match &provider.auth {
        Auth::OAuth2(oauth2) => oauth2.lifetime == Some(Lifetime::Never),
        Auth::Steps(steps) => steps.lifetime == Some(Lifetime::Never),
        Auth::OAuth1(_) | Auth::Keys(_) | Auth::SigV4(_) | Auth::WorkspaceToken(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const NOW: Millis = Millis(1_000_000);

    fn provider(oauth2: &str) -> Provider {
        let file = format!(
            "key = \"x\"\nname = \"X\"\n[oauth2]\n{oauth2}\n[oauth2.endpoints]\n\
             authorize_url = \"https://x.example/a\"\ntoken_url = \"https://x.example/t\"\n"
        );
        Provider::parse("x.toml", &file).unwrap()
    }

    fn tokens(access: &str, expires_at: Option<i64>) -> Tokens {
        Tokens { expires_at, ..Tokens::of(Secret::new(access), "Bearer") }
    }

    #[test]
    fn the_lifetime_last_seen_stands_in_for_one_that_is_not_told() {
        let (silent, endless) = (provider(""), provider("lifetime = \"never\""));
        let hour = Some(NOW.0 + 3_600_000);
        for (provider, seen, token, told, want) in [
            (&silent, None, "a", hour, (hour, Some(3600))),
            (&silent, Some(60), "a", hour, (hour, Some(3600))),
            (&silent, None, "a", None, (None, None)),
            (&silent, Some(3600), "a", None, (hour, Some(3600))),
            (&endless, Some(3600), "a", None, (None, Some(3600))),
            (&endless, None, "a", hour, (hour, Some(3600))),
            // A first grant whose token could not be exchanged: calls carry none.
            (&silent, Some(3600), "", None, (None, Some(3600))),
            // Over already: that is what was said, and no lifetime.
            (&silent, Some(3600), "a", Some(NOW.0), (Some(NOW.0), Some(3600))),
            (&silent, Some(i64::MAX), "a", None, (Some(i64::MAX), Some(i64::MAX))),
        ] {
            let (settled, lifetime) = settled(provider, seen, tokens(token, told), NOW);
            assert_eq!((settled.expires_at, lifetime), want, "{seen:?} {token:?} {told:?}");
        }
    }
}
