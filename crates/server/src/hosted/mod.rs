//! The pages of ours that a customer's browser sees: the one before the provider, the callback behind it, and
//! the one that says what went wrong. They belong to no door.

pub mod callback;
pub mod connect;
pub mod dev_sign_in;
pub mod done;
pub mod form;
pub mod landing;
pub mod page;
pub mod text;
pub mod jwks;
