//! Whom TLS trusts: the platform's roots, and the operator's own beside them.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, Result};

/// TLS 1.2 and 1.3 through aws-lc-rs; ALPN is set by the connector.
///
/// A machine without any root certificate still gets a client, whose https requests all fail: `claviger dev`
/// needs none, and the warning says what is missing.
pub(super) fn client_config(extra_ca: Option<&Path>) -> Result<ClientConfig> {
    let extra = extra_ca.map_or_else(|| Ok(Vec::new()), read_roots)?;
    let none_extra = extra.is_empty();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(internal)?;
    Ok(match Verifier::new_with_extra_roots(extra, provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        Err(error) if none_extra => {
            tracing::warn!(%error, "no root certificates: install ca-certificates or set the extra CA file");
            builder.with_root_certificates(RootCertStore::empty())
        }
        Err(error) => return Err(internal(error)),
    }
    .with_no_client_auth())
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let unreadable =
        |error| Error::invalid("outbound_ca", format!("{}: not PEM certificates: {error}", path.display()));
    let roots: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<std::result::Result<_, _>>()
        .map_err(unreadable)?;
    if roots.is_empty() {
        return Err(Error::invalid("outbound_ca", format!("{}: holds no certificate", path.display())));
    }
    Ok(roots)
}

fn internal(error: rustls::Error) -> Error {
    Error::Internal(anyhow::Error::new(error).context("TLS for outbound requests"))
}
