//! Management: what a product's server sees and changes with its API key.
//!
//! Each verb first asks [`crate::access`] whether the key may, and looks only at what the key reaches: its workspace,
//! the one integration it may be limited to, and the calling door's own kind of owners. Everything else is not
//! found. The rules of a change itself are in [`crate::setup`] and [`crate::connect`].

pub mod connection;
pub mod integration;
pub mod webhook;
