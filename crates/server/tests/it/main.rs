//! Stories: the whole server on real listeners, told through HTTP as a browser, a product and a provider see it.
//!
//! One binary, a file per story. `support` builds the server, the provider and the browser; nothing in it
//! asserts what a story is about. Each story runs on every database at hand and shares nothing with another.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a story fails by panicking, and may ask the environment"
)]

mod attacks;
mod bad_input;
mod completion;
mod connect;
mod law;
mod openapi;
mod pages;
mod proxy;
mod redirects;
mod refresh;
mod retries;
mod support;
mod tenants;
