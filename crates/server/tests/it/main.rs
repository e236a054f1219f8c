//! Stories: the whole server on real listeners, told through HTTP as a browser, a product and a provider see it.
//!
//! One binary, a file per story. `support` builds the server, the provider and the browser; nothing in it
//! asserts what a story is about. Each story runs on every database at hand and shares nothing with another.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story fails by panicking")]

mod addresses;
mod assertions;
mod attacks;
mod backup;
mod bad_input;
mod bulk;
mod callbacks;
mod canary;
mod client_credentials;
mod commands;
mod completion;
mod connect;
mod connect_page;
mod dashboard;
mod dev;
mod device;
mod discovery;
mod dpop;
mod embed;
mod exchange;
mod fidelity;
mod fields;
mod grown;
mod guards;
mod import;
mod informer;
mod inputs;
mod introspection;
mod keys;
mod law;
mod life;
mod limits;
mod management;
mod membrane;
mod metrics;
mod mutual_tls;
mod nodes;
mod oauth1;
mod openapi;
mod pages;
mod par;
mod people_commands;
mod provider_faults;
mod proxy;
mod quirks;
mod quota;
mod redirects;
mod refresh;
mod remembered;
mod retention;
mod retries;
mod rotation;
mod seed;
mod sigv4;
mod steps;
mod support;
mod tenants;
mod timing;
mod toggles;
mod webhooks;
