//! Token exchange (RFC 8693): a token that somebody typed in is exchanged for one that calls carry.
//!
//! The same request gets the first token and each that takes its place. Must never send a typed token anywhere but to the
//! token endpoint.

use std::collections::BTreeMap;

use bytes::Bytes;
use claviger_catalog::OAuth2;
use http::Request;

use super::{Client, Tokens, authorize, client_auth, token};
use crate::{ProtocolError, build::Draft, secret::Secret};

/// The grant's name (RFC 8693 §2.1).
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The exchange of what was `typed` in. `scopes` are the integration's; none means the provider file's. Its answer is
/// read by [`super::read::tokens`].
///
/// # Errors
/// When the token that is to be exchanged is not there, or the token endpoint is not a usable URL.
pub fn request(
    oauth2: &OAuth2,
    token_url: &str,
    client: &Client<'_>,
    typed: &BTreeMap<String, Secret>,
    scopes: &[String],
) -> Result<Request<Bytes>, ProtocolError> {
    let exchange = oauth2.exchange.as_ref().ok_or_else(|| missing("oauth2.exchange"))?;
    let shape = &oauth2.token;
    let mut draft = Draft::new("token endpoint", token_url);
    (draft.method, draft.format) = (shape.method, shape.format);
    (draft.in_query, draft.numbers) = (&shape.in_query, &shape.numbers);
    draft.set("grant_type", oauth2.refresh.grant_type.as_deref().unwrap_or(GRANT));
    let subject = typed.get(&exchange.subject_token).filter(|token| !token.is_empty());
    draft.set("subject_token", subject.ok_or_else(|| missing("the token to exchange"))?.expose());
    draft.set("subject_token_type", &exchange.subject_token_type);
    let actor = exchange.actor_token.as_ref().and_then(|name| typed.get(name));
    if let Some(actor) = actor.filter(|token| !token.is_empty()) {
        draft.set("actor_token", actor.expose());
        draft.set("actor_token_type", exchange.actor_token_type.as_deref().unwrap_or_default());
    }
    draft.set("requested_token_type", exchange.requested_token_type.as_deref().unwrap_or_default());
    draft.set("scope", &authorize::scopes(oauth2, scopes).join(&oauth2.scopes.separator));
    for (name, values) in [("audience", &exchange.audience), ("resource", &exchange.resource)] {
        // Both may be there several times (RFC 8693 §2.1).
        draft.fields.extend(values.iter().map(|value| (name.to_owned(), value.clone())));
    }
    client_auth::add(oauth2, client, &mut draft)?;
    let names = [&BTreeMap::new(), &shape.param_names];
    token::finish(oauth2, client, None, draft, &shape.params, names, &shape.omit)
}

fn missing(what: &str) -> ProtocolError {
    ProtocolError::Missing(what.to_owned())
}

impl Tokens {
    /// These tokens, of a first grant, after their access token was exchanged for the one of `newer`, which calls carry
    /// from now on. The first grant lives on beside it: its refresh token stays, its access token is [`Tokens::subject`].
    #[must_use]
    pub fn exchanged(self, newer: Self) -> Self {
        let mut saved = self.saved;
        saved.extend(newer.saved);
        Self {
            subject: Some(self.access_token),
            access_token: newer.access_token,
            token_type: newer.token_type,
            expires_at: newer.expires_at.or(self.expires_at),
            scopes: newer.scopes.or(self.scopes),
            saved,
            ..self
        }
    }

    /// The first grant, of tokens that were [`Tokens::exchanged`]; these themselves where they were not.
    #[must_use]
    pub fn first(self) -> Self {
        match self.subject {
            Some(subject) => {
                Self { access_token: subject, subject: None, token_type: "Bearer".to_owned(), ..self }
            }
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use claviger_catalog::{ClientAuth, Provider};

    use super::*;
    use crate::oauth2::testing::{client, shown, tokens};

    const URL: &str = "https://a.example/token";

    fn oauth2(lines: &str) -> OAuth2 {
        let file = format!(
            "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example/\"\n[oauth2]\ngrant = \"token_exchange\"\n{lines}\n\
             [oauth2.fields.theirs]\n[oauth2.fields.actor]\noptional = true\n[oauth2.endpoints]\n\
             token_url = \"{URL}\"\n[api]\nbase_url = \"https://x.example\"\n"
        );
        Provider::parse("x.toml", &file).unwrap_or_else(|e| panic!("{e}")).oauth2().expect("OAuth 2").clone()
    }

    fn typed(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
    }

    /// RFC 8693 §2.3: the example's parameters, with a client beside them.
    #[test]
    fn the_request_is_the_standards() {
        let exchange =
            "exchange = { subject_token = \"theirs\", resource = [\"https://backend.example.com/api\"] }";
        let secret = Secret::new("cs");
        let given = typed(&[("theirs", "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC"), ("actor", "")]);
        let made = request(&oauth2(exchange), URL, &client(&secret, ClientAuth::Basic), &given, &[]);
        assert_eq!(
            shown(&made.expect("a request")),
            "POST https://a.example/token\nauthorization: Basic Y2lkOmNz\n\n\
             grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&\
             subject_token=accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC&\
             subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&\
             resource=https%3A%2F%2Fbackend.example.com%2Fapi"
        );
    }

    #[test]
    fn the_acting_party_and_several_services_are_named() {
        let exchange = "exchange = { subject_token = \"theirs\", subject_token_type = \"urn:st\", actor_token = \"actor\", \
            actor_token_type = \"urn:at\", requested_token_type = \"urn:rt\", audience = [\"a\", \"b\"] }\n\
            scopes = { default = [\"read\"] }";
        let secret = Secret::new("cs");
        let given = typed(&[("theirs", "t"), ("actor", "act")]);
        let made = request(&oauth2(exchange), URL, &client(&secret, ClientAuth::None), &given, &[]);
        let made = shown(&made.expect("a request"));
        for part in [
            "subject_token_type=urn%3Ast&actor_token=act&actor_token_type=urn%3Aat",
            "requested_token_type=urn%3Art&scope=read&audience=a&audience=b&client_id=cid",
        ] {
            assert!(made.contains(part), "{made}");
        }
        let none = request(
            &oauth2(exchange),
            URL,
            &client(&secret, ClientAuth::None),
            &typed(&[("theirs", "")]),
            &[],
        );
        assert!(none.is_err());
    }

    #[test]
    fn the_first_grant_lives_on_beside_what_calls_carry() {
        let first = Tokens { expires_at: Some(7), ..tokens("first", Some("rt")) };
        let carried = Tokens { expires_at: Some(5), ..tokens("carried", Some("not ours")) };
        let both = first.exchanged(carried);
        assert_eq!((both.access_token.expose(), both.expires_at), ("carried", Some(5)));
        assert_eq!(both.refresh_token.as_ref().map(Secret::expose), Some("rt"));
        let both = Tokens::from_json(&both.to_json()).expect("tokens");
        let told: Vec<_> = crate::keys::spellings(&both).iter().map(|one| one.expose().to_owned()).collect();
        assert_eq!(told, ["carried", "first"]);
        let first = both.first();
        assert_eq!((first.access_token.expose(), first.subject.is_none()), ("first", true));
        assert_eq!(first.first().access_token.expose(), "first");
    }
}
