//! Whom TLS trusts: the platform's roots, and the operator's own beside them.
//!
//! And who we are to those who ask: nobody, or one identity.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use rustls_platform_verifier::Verifier;

use super::identity::Identity;
use crate::error::{Error, Result};

/// Whom every client of ours trusts.
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    /// `None` on a machine without any root certificate.
    verifier: Option<Arc<Verifier>>,
}

impl Trust {
    /// Reads the roots.
    ///
    /// A machine without any root certificate still gets clients, whose https requests all fail: `claviger dev`
    /// needs none, and the warning says what is missing.
    pub fn read(extra_ca: Option<&Path>) -> Result<Self> {
        let extra = extra_ca.map_or_else(|| Ok(Vec::new()), read_roots)?;
        let none_extra = extra.is_empty();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = match Verifier::new_with_extra_roots(extra, Arc::clone(&provider)) {
            Ok(verifier) => Some(Arc::new(verifier)),
            Err(error) if none_extra => {
                tracing::warn!(%error, "no root certificates: install ca-certificates or set the extra CA file");
                None
            }
            Err(error) => return Err(internal(error)),
        };
        Ok(Self { provider, verifier })
    }

    /// TLS 1.2 and 1.3 through aws-lc-rs; ALPN is set by the connector. With a memory of sessions of its own, so that
    /// none is resumed by whoever shows another certificate, or none.
    pub fn client_config(&self, identity: Option<&Identity>) -> Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(internal)?;
        let builder = match &self.verifier {
            Some(verifier) => builder.dangerous().with_custom_certificate_verifier(verifier.clone()),
            None => builder.with_root_certificates(RootCertStore::empty()),
        };
        Ok(match identity {
            Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
            None => builder.with_no_client_auth(),
        })
    }
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
