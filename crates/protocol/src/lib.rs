//! How providers are talked to: it builds requests and reads answers, and does no I/O.
//!
//! Everything here is a function from (provider data, values, the time as a number) to a request or a
//! reading of an answer. It must never open a connection, ask for the time or for randomness, or put a
//! secret into an error. Start at [`oauth2`] or [`oauth1`], or at [`keys`] for credentials that are typed in; how API calls carry a
//! credential is in [`apply`].

pub mod apply;
pub mod assertion;
mod build;
mod call;
mod der;
pub mod dpop;
mod error;
pub mod expired;
mod form;
pub mod id_token;
pub mod identity;
mod json;
pub mod jwt;
pub mod keys;
pub mod oauth1;
pub mod oauth2;
pub mod secret;
pub mod sigv4;
pub mod steps;
pub mod text;
pub mod throttle;
pub mod verify;
mod when;
pub mod x509;

pub use self::error::ProtocolError;
