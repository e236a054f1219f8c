//! The rules for `[certificate]` and for what else binds requests to a key: `oauth2.dpop`.
//!
//! Must never let a file name a certificate that nobody gives.

use super::rules::List;
use crate::{Certificate, CertificateAt, CertificateOf, ClientAuth, Form, Grant, Provider};

/// Whose the certificate is, who types it in, and where it is shown.
pub(super) fn check(provider: &Provider, list: &mut List) {
    if let Some(oauth2) = provider.oauth2()
        && oauth2.client_auth == ClientAuth::Tls
        && provider.certificate.as_ref().is_some_and(|one| !one.at.contains(&CertificateAt::Token))
    {
        list.error("certificate.at", "must have `token`: the client authenticates with it");
    }
    let Some(certificate) = &provider.certificate else { return };
    if certificate.at.is_empty() {
        list.error("certificate.at", "must not be empty");
    }
    let has_endpoint = provider.oauth2().is_some();
    if provider.oauth1().is_some() || provider.workspace_token().is_some() {
        list.error("certificate", "is not offered for this kind of authentication");
    }
    if !has_endpoint && !certificate.at.contains(&CertificateAt::Api) {
        list.error("certificate.at", "must have `api`: there is no token endpoint");
    }
    names(provider, certificate, list);
}

fn names(provider: &Provider, certificate: &Certificate, list: &mut List) {
    for (key, name) in [("certificate", &certificate.certificate), ("key", &certificate.key)] {
        let at = format!("certificate.{key}");
        match (certificate.of, name) {
            (CertificateOf::Integration, None) => {}
            (CertificateOf::Integration, Some(_)) => {
                list.error(at, "can't stand here: it is the integration's, which nobody types in");
            }
            (CertificateOf::Connection, None) => list.error(at, "is missing"),
            (CertificateOf::Connection, Some(name)) => {
                let mut typed = provider.keys().into_iter().flat_map(|keys| &keys.fields);
                match typed.find(|field| field.key == *name) {
                    None => list.error(at, format!("nobody types in a `{name}`")),
                    Some(field) if !field.secret => {
                        list.error(at, format!("`{name}` must be secret: it does not fit into a URL"));
                    }
                    Some(field) if field.label.form != Form::Multiline => {
                        list.error(at, format!("`{name}` must have form = \"multiline\""));
                    }
                    Some(field) if field.label.optional => {
                        list.error(at, format!("`{name}` can't be left empty"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    if certificate.of == CertificateOf::Connection
        && certificate.certificate.is_some()
        && certificate.certificate == certificate.key
    {
        list.error("certificate.key", "must be another value than the certificate");
    }
    // A browser that comes back with a code brings nothing that was typed in.
    let by_code = |grant| matches!(grant, Grant::AuthorizationCode | Grant::DeviceCode);
    if certificate.of == CertificateOf::Connection
        && provider.oauth2().is_some_and(|oauth2| by_code(oauth2.grant))
    {
        list.error("certificate.of", "must be `integration`: with this grant nobody types anything in");
    }
}

/// Whether a typed value is the certificate's or its key's: no call carries it, TLS shows it.
pub(super) fn has(provider: &Provider, name: &str) -> bool {
    provider
        .certificate
        .as_ref()
        .is_some_and(|one| [&one.certificate, &one.key].into_iter().flatten().any(|known| known == name))
}

#[cfg(test)]
mod tests;
