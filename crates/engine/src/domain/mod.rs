//! What things are: one file per noun, plain data, no behaviour that needs a database, a key or a network.
//!
//! A field that holds a [`crate::vault::Sealed`] is ciphertext; nothing in this module can open it.

pub mod api_key;
pub mod audit;
pub mod auth_option;
pub mod call_rollup;
pub mod client_key;
pub mod connection;
pub mod credential;
pub mod customer;
pub mod event;
pub mod flow;
pub mod health;
pub mod icon;
pub mod integration;
pub mod jwt_key;
pub mod oauth_app;
pub mod operator_session;
pub mod process;
pub mod reconnect_link;
pub mod refresh;
pub mod request_log;
pub mod revocation;
pub mod right;
pub mod session;
pub mod share;
pub mod spread;
pub mod team;
pub mod token;
pub mod user;
pub mod webhook;
pub mod workspace;
