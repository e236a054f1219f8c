//! Filling a provider: from the values known for one connection to a provider without placeholders.
//!
//! Values come from people, callbacks and token answers. Each is checked against its pattern here, at
//! connect and again at each use. Must never let a value through that no pattern has seen into a URL's host.

use std::collections::BTreeMap;

use crate::{
    Auth, Call, OAuth2, Provider,
    pattern::admits,
    template::{TemplateError, expand, expand_host, expand_text},
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
    /// callback, the token answer and the identity answer.
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
        for (name, saved) in self.identity.iter().flat_map(|identity| &identity.save) {
            out.push((name, saved.pattern.as_deref(), saved.default.as_deref()));
        }
        out
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
        if let Auth::OAuth2(oauth2) = &mut out.auth {
            fill_oauth2(oauth2, values)?;
        }
        fill_url(out.api.base_url.as_mut(), values)?;
        fill_map(&mut out.api.headers, &with_client)?;
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
            fill_call(call, values)?;
        }
        Ok(out)
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

fn fill_call(call: &mut Call, values: &Values) -> Result<(), TemplateError> {
    fill_url(Some(&mut call.url), values)?;
    fill_map(&mut call.params, values)?;
    fill_map(&mut call.headers, values)
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
    let mut out = Values::new();
    for (name, template) in map.iter() {
        match expand_text(template, values) {
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
