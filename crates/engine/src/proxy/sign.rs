//! Phase 5, at its end: the signature, where a provider wants each call signed; a file per way of signing.
//!
//! What is signed is what is sent: it comes after everything else is set, anew for each attempt, and path, query and body
//! stay byte for byte. What of a body is signed is read before anything is sent; other bodies stream. Must never let a
//! call of a signing provider go unsigned.

mod oauth1;
mod sigv4;

use bytes::{Bytes, BytesMut};
use claviger_catalog::Auth;
use claviger_protocol::oauth2::Tokens;
use http::{Uri, request::Parts};
use http_body_util::BodyExt as _;

use super::prepare::Prepared;
use crate::{
    broker::Broker,
    error::{Error, Result},
    outbound::Body,
    refresh::Subject,
};

/// The longest body that is read to be signed, in bytes.
const LONGEST: usize = 1024 * 1024;

/// What signs the attempts of one call.
pub(super) enum Signing {
    /// OAuth 1 (RFC 5849).
    OAuth1(Box<oauth1::Signing>),
    /// AWS Signature Version 4.
    SigV4(Box<sigv4::Signing>),
}

/// What signs a call to this URL, and the body as it is to be sent; `None` where calls are not signed, and nothing is read then.
///
/// # Errors
/// `Invalid` for a body that is to be signed and is too long or breaks off, `Conflict` when there is nothing to sign with.
pub(super) async fn begin(
    broker: &Broker,
    subject: &Subject,
    caller: &Parts,
    uri: &Uri,
    body: Body,
) -> Result<(Option<Signing>, Body)> {
    match &subject.provider.auth {
        Auth::OAuth1(_) => {
            let (signing, body) = Box::pin(oauth1::begin(broker, subject, caller, body)).await?;
            Ok((Some(Signing::OAuth1(Box::new(signing))), body))
        }
        Auth::SigV4(_) => {
            let (signing, body) = Box::pin(sigv4::begin(subject, caller, uri, body)).await?;
            Ok((Some(Signing::SigV4(Box::new(signing))), body))
        }
        Auth::OAuth2(_) | Auth::Keys(_) | Auth::Steps(_) | Auth::WorkspaceToken(_) => Ok((None, body)),
    }
}

impl Signing {
    /// Signs one attempt, and keeps in mind what of that must not come back.
    pub(super) fn sign(&self, broker: &Broker, tokens: &Tokens, prepared: &mut Prepared) -> Result<()> {
        match self {
            Self::OAuth1(signing) => signing.sign(broker, tokens, prepared),
            Self::SigV4(signing) => signing.sign(broker, tokens, prepared),
        }
    }
}

/// The whole body. `too_long` says what is wrong with one that is longer than [`LONGEST`].
async fn whole(mut body: Body, too_long: &str) -> Result<Bytes> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::invalid("body", "The body broke off"))?;
        let Some(data) = frame.data_ref() else { continue };
        if read.len() + data.len() > LONGEST {
            return Err(Error::invalid("body", too_long));
        }
        read.extend_from_slice(data);
    }
    Ok(read.freeze())
}
