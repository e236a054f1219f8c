//! Filling a provider: from the values known for one connection to a provider without placeholders.
//!
//! Values come from people, callbacks and token answers. Each is checked against its pattern here, at
//! connect and again at each use. Must never let a value through that no pattern has seen into a URL's host.

use std::collections::BTreeMap;

use crate::{
    Api, Auth, Call, KeyField, OAuth1, OAuth2, Provider, SigV4, Steps, TypedValue,
    pattern::admits,
    template::{TemplateError, expand, expand_early, expand_host, expand_text},
};

type Values = BTreeMap<String, String>;

impl Provider {
    /// The values that templates may use: those given that this provider knows, each checked against its
    /// pattern, with defaults for the rest. Unknown names are left out; `client_id`, when given, stays, for
    /// APIs that want it in a header.
    ///
    /// # Errors
    /// [`TemplateError::Refused`] names the input whose value is not admitted.
    pub fn values(&self, given: &Values) -> Result<Values, TemplateError> {
        let mut out = Values::new();
        for (name, pattern, default) in self.known_values() {
            let value = given.get(name).filter(|value| !value.is_empty());
            if let Some(value) = value {
                if pattern.is_some_and(|pattern| !admits(pattern, value)) {
                    return Err(TemplateError::Refused(name.to_owned()));
                }
                out.insert(name.to_owned(), value.clone());
            } else if let Some(default) = default {
                out.insert(name.to_owned(), default.to_owned());
            }
        }
        if let Some(id) = given.get("client_id") {
            out.insert("client_id".to_owned(), id.clone());
        }
        Ok(out)
    }

    /// Every name that a template may use, with its pattern and default: inputs, values saved from the
    /// callback, the token answer and the identity answer, and of `[fields]` what is no secret.
    pub(crate) fn known_values(&self) -> Vec<(&str, Option<&str>, Option<&str>)> {
        let mut out: Vec<(&str, Option<&str>, Option<&str>)> = self
            .inputs
            .iter()
            .map(|input| (input.key.as_str(), Some(input.pattern.as_str()), input.default.as_deref()))
            .collect();
        for (name, saved) in self.oauth2().into_iter().flat_map(|oauth2| &oauth2.callback.save) {
            out.push((name, Some(&saved.pattern), saved.default.as_deref()));
        }
        for (name, saved) in self.oauth2().into_iter().flat_map(|oauth2| &oauth2.answer.save) {
            out.push((name, saved.pattern.as_deref(), saved.default.as_deref()));
        }
        for (name, saved) in self.oauth1().into_iter().flat_map(|oauth1| &oauth1.save) {
            out.push((name, saved.pattern.as_deref(), saved.default.as_deref()));
        }
        for value in self.typed_values().filter(|value| !value.secret) {
            out.push((value.name, value.pattern, None));
        }
        for (name, saved) in
            self.steps().into_iter().flat_map(Steps::saved).filter(|(_, saved)| !saved.secret)
        {
            out.push((name, saved.pattern.as_deref(), None));
        }
        for (name, saved) in self.steps().into_iter().flat_map(|steps| &steps.answer.save) {
            out.push((name, saved.pattern.as_deref(), saved.default.as_deref()));
        }
        for (name, saved) in self.identity.iter().flat_map(|identity| &identity.save) {
            out.push((name, saved.pattern.as_deref(), saved.default.as_deref()));
        }
        out
    }

    /// The fields that are typed in under names of the file's own.
    pub(crate) fn typed_fields(&self) -> impl Iterator<Item = &KeyField> {
        self.keys().filter(|keys| keys.kind.is_named()).into_iter().flat_map(|keys| &keys.fields)
    }

    /// What is typed in under names of the file's own. What of it is secret is filled when a request is built, and in
    /// texts only.
    pub(crate) fn typed_values(&self) -> impl Iterator<Item = TypedValue<'_>> {
        self.typed_fields().flat_map(KeyField::values)
    }

    /// The names of secrets that templates may hold: typed in, or taken out of an answer on the way to a token.
    pub(crate) fn secret_names(&self) -> impl Iterator<Item = &str> {
        let saved = self.steps().into_iter().flat_map(Steps::saved).filter(|(_, saved)| saved.secret);
        let typed = self.typed_values().filter(|value| value.secret).map(|value| value.name);
        typed.chain(saved.map(|(name, _)| name.as_str()))
    }

    /// Fills one URL template with checked values.
    ///
    /// # Errors
    /// [`TemplateError`]
    pub fn expand(&self, template: &str, given: &Values) -> Result<String, TemplateError> {
        expand(template, &self.values(given)?)
    }

    /// This provider with every template filled. A URL whose values are not all known yet keeps its
    /// placeholders (and is refused when used); a parameter or header without its value is left out.
    ///
    /// # Errors
    /// [`TemplateError::Refused`] and [`TemplateError::NotAUrl`]
    pub fn filled(&self, given: &Values) -> Result<Self, TemplateError> {
        let with_client = self.values(given)?;
        let mut values = with_client.clone();
        // In requests of the grant the client's id is filled when they are built, never from given values.
        values.remove("client_id");
        let values = &values;
        let mut out = self.clone();
        match &mut out.auth {
            Auth::OAuth2(oauth2) => fill_oauth2(oauth2, values)?,
            Auth::OAuth1(oauth1) => fill_oauth1(oauth1, values)?,
            Auth::SigV4(sigv4) => fill_sigv4(sigv4, values)?,
            Auth::Steps(steps) => fill_steps(steps, values)?,
            Auth::Keys(_) | Auth::WorkspaceToken(_) => {}
        }
        fill_url(out.api.base_url.as_mut(), values)?;
        self.fill_texts(&mut out.api, &with_client)?;
        let hosts = std::mem::take(&mut out.api.allowed_hosts);
        for host in hosts {
            match expand_host(&host, values) {
                Ok(host) => out.api.allowed_hosts.push(host),
                Err(TemplateError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let identity = out.identity.as_mut().and_then(|identity| identity.call.as_mut());
        for call in identity.into_iter().chain(out.verify.iter_mut().flat_map(|verify| &mut verify.calls)) {
            self.fill_call(call, values)?;
        }
        Ok(out)
    }

    /// What calls carry, filled with these values: headers, query parameters, the credential's place. Names of secret
    /// fields stay, for requests fill them; what has no value is left out.
    ///
    /// # Errors
    /// [`TemplateError::Refused`]
    pub fn filled_api(&self, given: &Values) -> Result<Api, TemplateError> {
        let mut api = self.api.clone();
        self.fill_texts(&mut api, &self.values(given)?)?;
        Ok(api)
    }

    fn fill_texts(&self, api: &mut Api, values: &Values) -> Result<(), TemplateError> {
        self.fill_late(&mut api.headers, values)?;
        self.fill_late(&mut api.query, values)?;
        for text in [Some(&mut api.place.format), api.place.base64.as_mut()].into_iter().flatten() {
            match expand_early(text, values, |name| self.is_late(name)) {
                Ok(filled) => *text = filled,
                Err(TemplateError::Missing(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn fill_call(&self, call: &mut Call, values: &Values) -> Result<(), TemplateError> {
        fill_url(Some(&mut call.url), values)?;
        self.fill_late(&mut call.params, values)?;
        self.fill_late(&mut call.headers, values)
    }

    fn fill_late(&self, map: &mut Values, values: &Values) -> Result<(), TemplateError> {
        fill_early(map, values, |name| self.is_late(name))
    }

    fn is_late(&self, name: &str) -> bool {
        self.secret_names().any(|late| late == name)
    }
}

/// Only URLs: everything else of a step is filled when its request is built, in one pass with what was typed in.
fn fill_steps(steps: &mut Steps, values: &Values) -> Result<(), TemplateError> {
    steps.request.iter_mut().try_for_each(|step| fill_url(Some(&mut step.url), values))
}

fn fill_sigv4(sigv4: &mut SigV4, values: &Values) -> Result<(), TemplateError> {
    for text in [&mut sigv4.service, &mut sigv4.region, &mut sigv4.payload] {
        match expand_text(text, values) {
            Ok(filled) => *text = filled,
            Err(TemplateError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    for (host, service) in std::mem::take(&mut sigv4.services) {
        match expand_host(&host, values) {
            Ok(host) => drop(sigv4.services.insert(host.to_ascii_lowercase(), service)),
            Err(TemplateError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn fill_oauth2(oauth2: &mut OAuth2, values: &Values) -> Result<(), TemplateError> {
    let ends = &mut oauth2.endpoints;
    for url in [
        &mut ends.issuer,
        &mut ends.authorize_url,
        &mut ends.token_url,
        &mut ends.refresh_url,
        &mut ends.revoke_url,
        &mut ends.introspect_url,
        &mut ends.userinfo_url,
        &mut ends.device_url,
        &mut ends.par_url,
    ] {
        fill_url(url.as_mut(), values)?;
    }
    fill_map(&mut oauth2.authorize.params, values)?;
    fill_map(&mut oauth2.scopes.grown_params, values)?;
    fill_map(&mut oauth2.token.params, values)?;
    fill_map(&mut oauth2.token.headers, values)?;
    if let Some(exchange) = &mut oauth2.exchange {
        fill_list(&mut exchange.audience, values)?;
        fill_list(&mut exchange.resource, values)?;
    }
    for text in oauth2.assertion.iter_mut().flat_map(crate::Assertion::texts) {
        // What was typed in is filled when the assertion is made.
        *text = expand_early(text, values, |name| !values.contains_key(name))?;
    }
    for refresh in [Some(&mut oauth2.refresh), oauth2.upgrade.as_mut()].into_iter().flatten() {
        fill_url(refresh.url.as_mut(), values)?;
        fill_map(&mut refresh.params, values)?;
    }
    if let Some(revoke) = &mut oauth2.revoke {
        fill_url(Some(&mut revoke.url), values)?;
        fill_map(&mut revoke.params, values)?;
        fill_map(&mut revoke.headers, values)?;
    }
    Ok(())
}

fn fill_oauth1(oauth1: &mut OAuth1, values: &Values) -> Result<(), TemplateError> {
    let ends = &mut oauth1.endpoints;
    for url in [&mut ends.request_token_url, &mut ends.authorize_url, &mut ends.access_token_url] {
        fill_url(url.as_mut(), values)?;
    }
    fill_map(&mut oauth1.params, values)?;
    fill_map(&mut oauth1.authorize_params, values)?;
    oauth1.realm = match oauth1.realm.take().map(|realm| expand_text(&realm, values)) {
        Some(Err(TemplateError::Missing(_))) | None => None,
        Some(realm) => Some(realm?),
    };
    Ok(())
}

fn fill_url(url: Option<&mut String>, values: &Values) -> Result<(), TemplateError> {
    let Some(url) = url else { return Ok(()) };
    match expand(url, values) {
        Ok(filled) => *url = filled,
        Err(TemplateError::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// A text that has no value is left out.
fn fill_list(list: &mut Vec<String>, values: &Values) -> Result<(), TemplateError> {
    for template in std::mem::take(list) {
        match expand_text(&template, values) {
            Ok(text) => list.push(text),
            Err(TemplateError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn fill_map(map: &mut Values, values: &Values) -> Result<(), TemplateError> {
    fill_early(map, values, |_| false)
}

fn fill_early(map: &mut Values, values: &Values, late: impl Fn(&str) -> bool) -> Result<(), TemplateError> {
    let mut out = Values::new();
    for (name, template) in map.iter() {
        match expand_early(template, values, &late) {
            Ok(text) => {
                out.insert(name.clone(), text);
            }
            Err(TemplateError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    *map = out;
    Ok(())
}

#[cfg(test)]
mod tests;
