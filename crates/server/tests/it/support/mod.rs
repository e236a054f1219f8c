//! What stories are told with: the server, the providers it talks to, and the browser in front of it.

pub mod app;
pub mod browser;
pub mod frame;
pub mod leg;
pub mod recorder;
pub mod sandbox;
pub mod signed;
pub mod speaker;
pub mod stub;
pub mod upstream;
pub mod wire;

pub use app::{CB, Options, Tenant, TestApp};
pub use browser::{Answer, Browser, raw};
pub use leg::Leg;
pub use recorder::{Line, Recorder, Wire};
pub use sandbox::Sandbox;
pub use speaker::{Heard, Speaker, Way};
pub use stub::{Reply, Stub};
pub use upstream::{Names, Upstream};

use claviger_engine::{domain::workspace::Completion, store::trial};

/// Every way an authorization can complete.
pub const COMPLETIONS: [Completion; 3] = [Completion::Redirect, Completion::Confirm, Completion::Server];

/// What `apply` makes a workspace `acme` of, with the integrations `first` and `second`.
pub const TWO_INTEGRATIONS: &str = "workspaces:
  - client_id: acme
    name: Acme
    integrations:
      - { key: first, provider: github, client_id: c, client_secret: s }
      - { key: second, provider: github, client_id: d, client_secret: s }
";

/// Tells a story once per database, each time to a server of its own.
pub async fn on_each(story: impl AsyncFn(&TestApp)) {
    on_each_with(Options::default, story).await;
}

/// The same with a server that is set up otherwise.
pub async fn on_each_with(options: impl Fn() -> Options, story: impl AsyncFn(&TestApp)) {
    trial::on_each(async |store| {
        let app = TestApp::start(store, options()).await;
        story(&app).await;
        app.stop().await;
    })
    .await;
}

/// Pairs as a query or a form.
pub fn encode(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The pairs of a query, decoded, in order.
pub fn decode(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The names of pairs, in order.
pub fn names(pairs: &[(String, String)]) -> Vec<&str> {
    pairs.iter().map(|(name, _)| name.as_str()).collect()
}

/// The value of a pair that must be there once.
pub fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let mut found = pairs.iter().filter(|(key, _)| key == name);
    let (_, value) = found.next().unwrap_or_else(|| panic!("no {name} in {:?}", names(pairs)));
    assert!(found.next().is_none(), "{name} is there twice");
    value
}
