//! The dashboard, for operators. Server-rendered pages under `/dashboard/`; data goes one way: an engine query, a view,
//! a template.
//!
//! Each URL that takes a signed-in operator is a [`route::Route`], which says what it takes to be there; the guard in
//! front of it ([`guard`]) sees to that, so that no page can forget it. Pages of a workspace are below
//! `/dashboard/w/{client_id}`. What a page shows is text; nothing of it is ever markup.

pub mod account;
pub mod assets;
pub mod audit;
pub mod first_run;
pub mod guard;
pub mod home;
pub mod keys;
pub mod overview;
pub mod page;
pub mod route;
pub mod settings;
pub mod sign_in;
pub mod templates;
pub mod told;
pub mod view;
