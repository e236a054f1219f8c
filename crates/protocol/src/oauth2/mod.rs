//! OAuth 2.0: the authorization code grant as providers speak it.
//!
//! In the order of a flow: [`authorize`] sends the browser off, [`callback`] reads what it brings back,
//! [`token`] builds the exchange and the refresh, [`read`] reads their answers into [`Tokens`], [`revoke`]
//! ends them, and [`introspect`] asks whether they still work. [`discovery`] finds endpoints by issuer; [`par`] pushes the
//! authorization request where that is asked for, and [`device`] stands in for the browser where there is none.
//!
//! The `OAuth2` passed in is the filled provider's (`Provider::filled`): a placeholder that is left makes
//! the request fail, it is never sent.

pub mod authorize;
pub mod callback;
mod client_auth;
pub mod device;
pub mod discovery;
pub mod introspect;
pub mod par;
pub mod pkce;
pub mod read;
pub mod revoke;
#[cfg(test)]
pub(crate) mod testing;
pub mod token;
mod token_error;
pub mod token_exchange;
mod tokens;

pub use self::{
    token_error::{TokenError, TokenErrorKind},
    tokens::Tokens,
};
pub use claviger_catalog::ClientAuth;

use crate::secret::Secret;

/// The client that a product registered at a provider.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its secret; a client without one is public, whatever `auth` says.
    pub secret: Option<&'a Secret>,
    /// How it authenticates at the token endpoint.
    pub auth: ClientAuth,
    /// A client assertion (RFC 7523 §2.2), made for this request, where `auth` is by one.
    pub assertion: Option<&'a Secret>,
}
