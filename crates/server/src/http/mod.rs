//! What every door needs of HTTP: who calls, from where, with which parameters. It decides nothing.

pub mod body;
pub mod browser;
pub mod client;
pub mod count;
pub mod csrf;
pub mod named;
pub mod operator;
pub mod paging;
pub mod params;
pub mod request_id;
pub mod sandboxed;
pub mod session;
pub mod site;
