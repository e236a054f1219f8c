//! A process of its own with the server in it, which may die: this very test binary, told to run [`serve`] alone.

use std::{
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    net::TcpStream,
    os::unix::process::ExitStatusExt as _,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use claviger::{app::App, listen, router};
use claviger_engine::{broker::Urls, fail, store::Store, time::Millis};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::support::{Options, app::broker};

/// Where a child finds its [`Orders`].
const ORDERS: &str = "CLAVIGER_TEST_CHILD";
/// What stands before the address in the line that a child says once it listens.
const LISTENING: &str = "listening at ";
/// What ends a process that aborts.
const SIGABRT: i32 = 6;

/// What a child is told.
#[derive(Clone, Serialize, Deserialize)]
pub struct Orders {
    /// The database's URL.
    pub database: String,
    /// The root keys.
    pub keys: String,
    /// Provider files besides those of the catalog.
    pub providers: Vec<(String, String)>,
    /// Where its clock stands, in milliseconds since 1970.
    pub now: i64,
    /// The fail point at which it dies.
    pub dies_at: Option<String>,
}

/// A running child. Dropped, it is killed.
pub struct Process {
    child: Child,
    proxy: String,
    /// Kept open: who can't say anything any more fails.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts one and waits until it listens.
    pub fn start(orders: &Orders) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command.args(["--exact", "life::child::serve", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(ORDERS, serde_json::to_string(orders).expect("JSON"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child");
        let mut said = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        let proxy = said.by_ref().map(|line| line.expect("a line")).find_map(|line| {
            let (_, address) = line.split_once(LISTENING)?;
            Some(address.to_owned())
        });
        Self { child, proxy: proxy.expect("it listens"), _said: said }
    }

    /// A proxied GET; the answer's status and its body, or nothing when there is no whole answer.
    pub fn call(&self, key: &str, connection: &str) -> Option<(u16, String)> {
        let mut link = TcpStream::connect(&self.proxy).ok()?;
        link.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let head = format!(
            "GET /me HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {key}\r\n\
             bu-connection-id: {connection}\r\n\r\n",
            self.proxy
        );
        link.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        link.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }

    /// Waits for its end, which must be an abort.
    pub fn died(mut self) {
        let ended = self.child.wait().expect("its end");
        assert_eq!(ended.signal(), Some(SIGABRT), "it ended otherwise: {ended}");
    }

    /// Has it end in order.
    pub fn stop(mut self) {
        drop(self.child.stdin.take());
        let ended = self.child.wait().expect("its end");
        assert!(ended.success(), "it ended otherwise: {ended}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is the child of other stories"]
async fn serve() {
    #[expect(clippy::disallowed_methods, reason = "a child is told by its environment")]
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let orders: Orders = serde_json::from_str(&orders).expect("orders");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut options = Options { keys: Some(orders.keys), ..Options::default() };
    options.providers = orders.providers.into_iter().map(|(name, text)| (&*name.leak(), text)).collect();
    let store = Store::open(&orders.database).await.expect("a store");
    let urls = Urls { app: format!("http://{address}"), proxy: format!("http://{address}") };
    let broker = broker(store, options, urls, Millis(orders.now));
    if let Some(point) = &orders.dies_at {
        fail::abort_at(point);
    }
    let router = router::proxy(App::new(broker.clone(), &[], None).expect("an app"));
    writeln!(std::io::stdout(), "{LISTENING}{address}").expect("somebody listens");
    // Whoever started it says when it ends, also by ending itself.
    let over = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let stop = async move { drop(over.await) };
    let _ended = listen::serve(listener, None, router, stop, Duration::from_secs(5)).await;
    broker.settle(Duration::from_secs(60)).await;
    broker.logs.flush().await;
    broker.store.close().await;
}
