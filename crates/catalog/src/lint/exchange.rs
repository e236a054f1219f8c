//! The rules for token exchange (RFC 8693): as a grant of its own, and behind another one.
//!
//! Must never let a token be exchanged that nobody gave, nor one that stands among the inputs.

use super::{keys, rules::List, templates::texts};
use crate::{EndpointSource, Exchange, Grant, OAuth2, Pkce, Provider, RefreshPlace, RefreshWith};

/// What stands in `[oauth2.exchange]`, and what each of the two ways needs.
pub(super) fn check(provider: &Provider, list: &mut List) {
    let Some(oauth2) = provider.oauth2() else { return };
    again(oauth2, list);
    let consent = matches!(oauth2.grant, Grant::AuthorizationCode | Grant::DeviceCode);
    if oauth2.fields.is_some() && consent {
        list.error("oauth2.fields", "can't stand here: a person consents, and types nothing in");
    }
    match (&oauth2.exchange, oauth2.grant) {
        (Some(exchange), Grant::TokenExchange) => table(provider, exchange, list),
        (None, Grant::TokenExchange) => list.error("oauth2.exchange", "is missing"),
        (Some(_), _) => list.error("oauth2.exchange", "needs grant = \"token_exchange\""),
        (None, _) => {}
    }
    if oauth2.grant == Grant::TokenExchange {
        grant(oauth2, list);
    }
}

fn table(provider: &Provider, exchange: &Exchange, list: &mut List) {
    let named =
        [("subject_token", Some(&exchange.subject_token)), ("actor_token", exchange.actor_token.as_ref())];
    for (key, name) in named.into_iter().filter_map(|(key, name)| Some((key, name?))) {
        if !keys::typed(provider, name).is_some_and(|value| value.secret) {
            let message = format!("`{name}` is no secret among oauth2.fields");
            list.error(format!("oauth2.exchange.{key}"), message);
        }
    }
    if keys::typed(provider, &exchange.subject_token).is_some_and(|value| value.optional) {
        list.error("oauth2.exchange.subject_token", "can't be left empty");
    }
    if exchange.actor_token.is_some() != exchange.actor_token_type.is_some() {
        list.error("oauth2.exchange.actor_token_type", "belongs to an actor_token, which needs it");
    }
    for (key, lines) in [("audience", &exchange.audience), ("resource", &exchange.resource)] {
        let full = format!("oauth2.exchange.{key}");
        let named = lines.iter().map(|text| (key.to_owned(), text.clone()));
        for one in named {
            texts(provider, &full, &[one].into(), list);
        }
        if lines.iter().any(|text| text.trim().is_empty()) {
            list.error(full, "must not be empty");
        }
    }
}

/// What the grant has not.
fn grant(oauth2: &OAuth2, list: &mut List) {
    if oauth2.endpoints.source == EndpointSource::File && oauth2.endpoints.authorize_url.is_some() {
        list.error("oauth2.endpoints.authorize_url", "can't stand here: no browser goes anywhere");
    }
    if oauth2.pkce != Pkce::Unsupported {
        list.error("oauth2.pkce", "can't stand here: there is no code to protect");
    }
    if oauth2.refresh.with != RefreshWith::Client {
        list.error("oauth2.refresh.with", "must be `client`: the exchange is made again");
    }
    if oauth2.upgrade.is_some() {
        list.error("oauth2.upgrade", "is not offered for this grant");
    }
}

/// An exchange that is made again after each refresh.
fn again(oauth2: &OAuth2, list: &mut List) {
    if oauth2.refresh.each {
        list.error("oauth2.refresh.each", "belongs in oauth2.upgrade");
    }
    let Some(upgrade) = oauth2.upgrade.as_ref().filter(|upgrade| upgrade.each) else { return };
    if upgrade.with != RefreshWith::AccessToken || upgrade.place != RefreshPlace::Param {
        list.error(
            "oauth2.upgrade.with",
            "must be `access_token`, as a parameter: that is what is exchanged",
        );
    }
    if oauth2.refresh.with != RefreshWith::RefreshToken || oauth2.refresh.extends_only {
        list.error("oauth2.upgrade.each", "needs a first grant that is refreshed with a refresh token");
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::check;

    fn told(oauth2: &str) -> String {
        let file = format!(
            "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example/\"\n[oauth2]\n{oauth2}\n[oauth2.endpoints]\n\
             token_url = \"https://x.example/token\"\n[api]\nbase_url = \"https://x.example\"\n"
        );
        check("x.toml", &file).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    const FIELDS: &str =
        "[oauth2.fields.theirs]\n[oauth2.fields.place]\nsecret = false\npattern = \"^[a-z]+$\"";

    #[test]
    fn an_exchange_is_of_what_is_typed_in() {
        let grant = "grant = \"token_exchange\"\nexchange";
        for (exchange, want) in [
            (
                format!(
                    "{grant} = {{ subject_token = \"theirs\", audience = [\"a\", \"{{place}}\"] }}\n{FIELDS}"
                ),
                "",
            ),
            (
                format!("{grant} = {{ subject_token = \"place\" }}\n{FIELDS}"),
                "subject_token: error: `place` is no secret",
            ),
            (
                format!("{grant} = {{ subject_token = \"none\" }}\n{FIELDS}"),
                "subject_token: error: `none` is no secret",
            ),
            (
                format!("{grant} = {{ subject_token = \"theirs\", actor_token = \"theirs\" }}\n{FIELDS}"),
                "actor_token_type: error",
            ),
            (
                format!("{grant} = {{ subject_token = \"theirs\", audience = [\"\"] }}\n{FIELDS}"),
                "audience: error: must not be empty",
            ),
            (
                format!("{grant} = {{ subject_token = \"theirs\", resource = [\"{{x}}\"] }}\n{FIELDS}"),
                "resource.resource: error: `{x}`",
            ),
            (format!("grant = \"token_exchange\"\n{FIELDS}"), "oauth2.exchange: error: is missing"),
            (
                format!(
                    "grant = \"client_credentials\"\nexchange = {{ subject_token = \"theirs\" }}\n{FIELDS}"
                ),
                "oauth2.exchange: error: needs grant",
            ),
            (
                format!(
                    "{grant} = {{ subject_token = \"theirs\" }}\nrefresh = {{ with = \"refresh_token\" }}\n{FIELDS}"
                ),
                "oauth2.refresh.with: error",
            ),
        ] {
            let told = told(&exchange);
            assert!(
                if want.is_empty() { told.is_empty() } else { told.contains(want) },
                "{exchange}\n{told}"
            );
        }
        let consent =
            told("endpoints.authorize_url = \"https://x.example/a\"\nfields.a = {}").replace('\n', " ");
        assert!(
            consent.contains("oauth2.fields: error: can't stand here") || consent.contains("duplicate"),
            "{consent}"
        );
    }
}
