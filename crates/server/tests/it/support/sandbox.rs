//! The sandbox provider on a port of its own.

use std::time::Duration;

use claviger_sandbox::{Client, Config, Stats};
use http::{Method, Request};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

use super::Browser;

/// The client that the server under test is at the sandbox.
pub const CLIENT: &str = "claviger";
/// Its secret.
pub const SECRET: &str = "canary_client_secret_of_the_sandbox";

/// A running sandbox. It ends when dropped.
pub struct Sandbox {
    pub origin: String,
    task: JoinHandle<()>,
}

impl Sandbox {
    /// Starts one that sends browsers back to the callback paths of `app`.
    pub async fn start(app: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let client = Client {
            redirect_uris: vec![format!("{app}/oauth2/callback"), format!("{app}/oauth-callback")],
            redirect_prefix: Some(format!("{app}/oauth2/callback/")),
            ..Client::new(CLIENT, SECRET)
        };
        let config = Config {
            access_token_lifetime: Duration::from_secs(3600),
            ..Config::new(origin.clone(), client)
        };
        let task =
            tokio::spawn(async move { claviger_sandbox::serve(listener, config).await.expect("it serves") });
        Self { origin, task }
    }

    /// What it has counted.
    pub async fn stats(&self) -> Stats {
        let answer = Browser::new().get(&format!("{}/stats", self.origin)).await;
        serde_json::from_slice(&answer.body).expect("stats")
    }

    /// How many codes were shown to its token endpoint.
    pub async fn exchanges(&self) -> u64 {
        let requests = self.stats().await.token_requests;
        assert_eq!(requests.other, 0, "only known grants are asked for");
        requests.authorization_code
    }

    /// Makes it misbehave.
    pub async fn faults(&self, faults: Value) {
        let request = Request::builder().method(Method::POST).uri(format!("{}/faults", self.origin));
        let request = request.header("content-type", "application/json");
        let answer = Browser::new().send(request, faults.to_string().into()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}
