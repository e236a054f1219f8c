//! Whom TLS trusts: the platform's roots, and the operator's own beside them.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

use crate::error::{Error, Result};

/// TLS 1.2 and 1.3 through aws-lc-rs; ALPN is set by the connector.
pub(super) fn client_config(extra_ca: Option<&Path>) -> Result<ClientConfig> {
    let extra = extra_ca.map_or_else(|| Ok(Vec::new()), read_roots)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(internal)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(internal)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
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
