//! OAuth 1.0a (RFC 5849): signatures, and the three steps to a token.
//!
//! In the order of a flow: [`dance`] asks for temporary credentials, sends the browser off and asks for the token,
//! [`read`] reads the answers into [`Tokens`], [`sign`] signs these requests and every call thereafter. Nonce and time
//! are passed in. Must never send an unsigned request, nor a secret but by `PLAINTEXT`, which is the file's choice.
//!
//! The `OAuth1` passed in is the filled provider's (`Provider::filled`).

pub mod dance;
pub mod read;
mod rsa;
pub mod sign;

pub use crate::oauth2::Tokens;
use crate::secret::Secret;

/// The client that a product registered at a provider (RFC 5849 §1.1).
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// The consumer key.
    pub key: &'a str,
    /// The consumer secret; with `RSA-SHA1` the private key as PEM (PKCS #1 or PKCS #8).
    pub secret: &'a Secret,
}

/// What makes a request another one than those before (RFC 5849 §3.3).
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// A random text that was not used before with this timestamp, client and token; visible ASCII.
    pub nonce: &'a str,
    /// The time, in seconds since 1970.
    pub timestamp: i64,
}
