//! The pages of ours that a customer's browser sees: the one before the provider, the callback behind it, and
//! the one that says what went wrong. They belong to no door.

pub mod assets;
pub mod audience;
mod brand;
pub mod callback;
pub mod connect;
pub mod dev_sign_in;
pub mod device;
pub mod done;
pub mod form;
pub mod jwks;
pub mod landing;
mod markdown;
pub mod page;
mod pattern;
pub mod picture;
pub mod reconnect;
pub mod text;
mod words;
