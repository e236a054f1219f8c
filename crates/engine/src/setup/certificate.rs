//! Client certificates of integrations (RFC 8705 §2): given by whoever configures one, checked, and kept sealed.
//!
//! Which requests show them is [`crate::connect::certificate`]'s. Must never repeat a key in an error.

use claviger_catalog::Alg;
use claviger_protocol::assertion::SigningKey;

use super::Change;
use crate::{
    domain::{
        client_key::{ClientKey, Purpose},
        integration::Integration,
    },
    error::{Error, Result},
    id::ClientKeyId,
    outbound::{Identity, Pair, expires_at},
    time::Millis,
    vault::{Field, hash},
};

/// Gives an integration, or one of its auth options, this certificate and its key in place of the one before. Whether
/// that changed anything.
///
/// # Errors
/// `Invalid` naming `client_certificate` when it can't be used; `Conflict` where nothing would ever show it.
pub async fn client_certificate(to: &mut Change<'_>, of: &Integration, pair: &Pair<'_>) -> Result<bool> {
    let invalid = |what: &str, why: String| Error::invalid("client_certificate", format!("the {what} {why}"));
    let checked = Identity::read(pair).and_then(|identity| identity.check(to.now));
    checked.map_err(|problem| {
        invalid(if problem.is_of_key() { "key" } else { "certificate" }, problem.to_string())
    })?;
    let provider = to.catalog.get(&of.provider);
    if !provider.is_some_and(|provider| crate::connect::certificate::is_wanted(of, &provider)) {
        let message = format!(
            "nothing of `{}` shows a client certificate: its provider's file asks for none, and its client \
             authenticates otherwise",
            of.key
        );
        return Err(Error::Conflict { message });
    }
    let there = certificates(to, of).await?;
    if let Some(last) = there.last()
        && last.public == pair.certificate
    {
        let aad = Field::ClientKey.of(&of.workspace_id, last.id.as_str());
        if hash::same(to.vault.open(&aad, &last.secret)?.expose(), pair.key.expose()) {
            return Ok(false);
        }
    }
    let (id, workspace) = (ClientKeyId::new(), &of.workspace_id);
    let key = ClientKey {
        workspace_id: workspace.clone(),
        integration_id: of.id.clone(),
        option_id: of.as_of.option.clone(),
        purpose: Purpose::Certificate,
        // In words only: TLS agrees on its own.
        alg: SigningKey::read(pair.key).map_or(Alg::default(), |key| key.usual()),
        public: pair.certificate.to_owned(),
        secret: to.vault.seal(&Field::ClientKey.of(workspace, id.as_str()), pair.key)?,
        signs_from: to.now,
        created_at: to.now,
        id,
    };
    to.conn.create_client_key(workspace, &key).await?;
    for old in there {
        to.conn.delete_client_key(workspace, &old.id).await?;
    }
    Ok(true)
}

/// The certificates of an integration, as of one of its auth options: one, or none.
pub(super) async fn certificates(to: &mut Change<'_>, of: &Integration) -> Result<Vec<ClientKey>> {
    to.conn.client_keys(&of.workspace_id, &of.id, of.as_of.option.as_ref(), Purpose::Certificate).await
}

/// Until when the certificate of an integration, as of one of its auth options, is good; `None` where it has none.
///
/// # Errors
/// When the database can't be read.
pub async fn certificate_end(to: &mut Change<'_>, of: &Integration) -> Result<Option<Millis>> {
    Ok(certificates(to, of).await?.last().and_then(|key| expires_at(&key.public)))
}
