//! Filling a provider: from the values known for one connection to a provider without placeholders.
//!
//! Values come from people, callbacks and token answers. Each is checked against its pattern here, at
//! connect and again at each use. Must never let a value through that no pattern has seen into a URL's host.

use std::collections::BTreeMap;

use crate::{
    Api, Auth, Call, KeyKind, OAuth1, OAuth2, Provider,
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
        for field in self.typed_fields().filter(|field| !field.secret) {
            out.push((&field.key, field.label.pattern.as_deref(), None));
        }
        for (name, saved) in self.identity.iter().flat_map(|identity| &identity.save) {
            out.push((name, saved.pattern.as_deref(), saved.default.as_deref()));
        }
        out
    }

    /// The fields of `[fields]`. Those that are secret are filled when a request is built, and in texts only.
    pub(crate) fn typed_fields(&self) -> impl Iterator<Item = &crate::KeyField> {
        let own = self.keys().filter(|keys| matches!(keys.kind, KeyKind::Fields | KeyKind::Grant));
        own.into_iter().flat_map(|keys| &keys.fields)
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
        self.typed_fields().any(|field| field.secret && field.key == name)
    }
}

fn fill_oauth2(oauth2: &mut OAuth2, values: &Values) -> Result<(), TemplateError> {
    let ends = &mut oauth2.endpoints;
    for url in [
        &mut ends.issuer,
        &mut ends.authorize_url,
        &mut ends.token_url,
        &mut ends.refresh_url,
        &mut ends.revoke_url,
        &mut ends.userinfo_url,
        &mut ends.device_url,
        &mut ends.par_url,
    ] {
        fill_url(url.as_mut(), values)?;
    }
    fill_map(&mut oauth2.authorize.params, values)?;
    fill_map(&mut oauth2.token.params, values)?;
    fill_map(&mut oauth2.token.headers, values)?;
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
