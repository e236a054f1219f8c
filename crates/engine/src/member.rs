//! What signed-in users do, each verb asked by a member who sees only what is its own or shared with it.

pub mod connect;
pub mod connection;
pub mod icon;
pub mod integration;
pub mod owner;
pub(crate) mod picture;
pub mod principal;
pub mod share;
pub mod token;
pub mod user;
