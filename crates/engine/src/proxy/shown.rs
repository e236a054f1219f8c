//! Shown: the headers by which calls show one credential, and what of it must not come back.
//!
//! Made once per credential. Texts are wiped as it goes; the headers of a call are made of them each time.

use claviger_catalog::Api;
use claviger_protocol::{apply, oauth2::Tokens};
use http::{HeaderMap, HeaderName, HeaderValue, Request, request::Parts};

use super::echoes::Echoes;
use crate::{
    error::{Error, Result},
    secret::Secret,
};

/// What shows a credential.
pub(crate) struct Shown {
    /// Each header that the provider's file sets; without a text it is one that no call has. `None` where the URL shows the
    /// credential as well: then each call's own has to be written anew.
    headers: Option<Vec<(HeaderName, Option<Text>)>>,
    echoes: Echoes,
}

struct Text {
    text: Secret,
    sensitive: bool,
}

impl Shown {
    /// What shows these tokens in calls to this API.
    ///
    /// # Errors
    /// `Internal` when a stored header or token can't be one.
    pub fn of(api: &Api, tokens: &Tokens) -> Result<Self> {
        let (mut parts, ()) = Request::new(()).into_parts();
        apply(api, tokens, &mut parts)?;
        let echoes = Echoes::of(&parts.headers, api, tokens);
        let in_url = !api.query.is_empty() || api.place.query.is_some();
        let headers = if in_url { None } else { texts(api, &parts.headers) };
        Ok(Self { headers, echoes })
    }

    /// Puts it into a call, in place of what the call has of these names.
    ///
    /// # Errors
    /// As for [`Shown::of`].
    pub fn put(&self, api: &Api, tokens: &Tokens, parts: &mut Parts) -> Result<()> {
        let Some(headers) = &self.headers else { return apply(api, tokens, parts) };
        for (name, text) in headers {
            match text {
                Some(text) => parts.headers.insert(name, text.value()?),
                None => parts.headers.remove(name),
            };
        }
        Ok(())
    }

    /// What must not come back.
    pub fn echoes(&self) -> Echoes {
        self.echoes.clone()
    }
}

impl Text {
    fn value(&self) -> Result<HeaderValue> {
        let value = HeaderValue::from_str(self.text.expose());
        let mut value = value.map_err(|_| Error::internal("a stored header is none"))?;
        value.set_sensitive(self.sensitive);
        Ok(value)
    }
}

fn apply(api: &Api, tokens: &Tokens, parts: &mut Parts) -> Result<()> {
    apply::credential(api, tokens, parts).map_err(|error| Error::internal(error.to_string()))
}

/// The headers as they were put into an empty call; `None` where one is no text.
fn texts(api: &Api, put: &HeaderMap) -> Option<Vec<(HeaderName, Option<Text>)>> {
    let names = api.headers.keys().map(String::as_str).filter_map(|name| HeaderName::try_from(name).ok());
    let mut texts: Vec<_> = names.filter(|name| !put.contains_key(name)).map(|name| (name, None)).collect();
    for (name, value) in put {
        let text = Text { text: Secret::new(value.to_str().ok()?), sensitive: value.is_sensitive() };
        texts.push((name.clone(), Some(text)));
    }
    Some(texts)
}
