//! A provider's API on bare TCP: every byte that arrives is kept, and what is answered is written as it stands.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{Browser, TestApp, Upstream, app, value};

/// Longer than anything here takes; only a failing story waits for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what must happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// A running recorder. It ends when dropped.
pub struct Recorder {
    pub origin: String,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    task: JoinHandle<()>,
    /// Where its tokens come from.
    tokens: Upstream,
}

impl Recorder {
    /// Starts one; each connection is the story's to serve.
    pub async fn start<F, R>(story: F) -> Self
    where
        F: Fn(Wire) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::<Vec<u8>>::new()));
        let all = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let nth = {
                    let mut all = all.lock().unwrap();
                    all.push(Vec::new());
                    all.len() - 1
                };
                tokio::spawn(story(Wire { stream, read: 0, nth, seen: all.clone() }));
            }
        });
        let tokens = Upstream::start(|_, _| async { super::upstream::say(404, &[], "") }).await;
        Self { origin, seen, task, tokens }
    }

    /// Starts one that reads a request to its end, says this, and closes.
    pub async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::start(move |mut wire: Wire| {
            let answer = answer.clone();
            async move {
                wire.request().await;
                wire.say(&answer).await;
            }
        })
        .await
    }

    /// What each connection brought so far.
    pub fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    /// What the last connection brought.
    pub fn last(&self) -> String {
        self.seen().pop().expect("a connection")
    }

    /// Connects an account whose calls come here; gives the connection's id.
    pub async fn connect(&self, to: &TestApp) -> String {
        self.connect_at(to, "/api").await
    }

    /// The same with a base path.
    pub async fn connect_at(&self, to: &TestApp, base: &str) -> String {
        connect(to, &self.tokens, &self.origin, base).await
    }
}

/// Connects an account whose tokens come from one place and whose calls go to another; gives the connection's id.
pub async fn connect(to: &TestApp, tokens: &Upstream, origin: &str, base: &str) -> String {
    let key = format!("raw-{}", origin.rsplit(':').next().expect("a port"));
    let mut config = app::at(&tokens.origin);
    config.base_url = Some(format!("{origin}{base}"));
    to.integrate_as(&to.acme, app::new_integration(&key, "oauth2", config)).await;
    let browser = Browser::new();
    let leg = browser.set_out(to, &to.acme, &[("integration_id", &key)]).await;
    let done = browser.get(&leg.back(&[("code", "c")])).await;
    assert_eq!(done.status, 302, "{}", done.text());
    value(&done.redirect().1, "connection_id").to_owned()
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection of a recorder.
pub struct Wire {
    stream: TcpStream,
    /// How much of what came was handed out.
    read: usize,
    nth: usize,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Wire {
    /// How many connections came before this one.
    pub fn nth(&self) -> usize {
        self.nth
    }

    /// Everything that came and was not handed out before, up to and with this end; `None` when the other side closed first.
    pub async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            let new = self.seen.lock().unwrap()[self.nth][self.read..].to_vec();
            if let Some(at) = new.windows(end.len()).position(|piece| piece == end.as_bytes()) {
                let piece = &new[..at + end.len()];
                self.read += piece.len();
                return Some(String::from_utf8_lossy(piece).into_owned());
            }
            self.more().await?;
        }
    }

    /// A whole request, by the only framings that a proxy may use.
    pub async fn request(&mut self) -> Option<String> {
        let head = self.until("\r\n\r\n").await?;
        let lower = head.to_ascii_lowercase();
        let mut whole = head;
        if lower.contains("\r\ntransfer-encoding: chunked\r\n") {
            let last = self.until("0\r\n").await?;
            whole.push_str(&last);
            whole.push_str(&self.until("\r\n").await?);
        } else if let Some((_, rest)) = lower.split_once("\r\ncontent-length: ") {
            let length: usize = rest.split("\r\n").next()?.parse().expect("a length");
            whole.push_str(&self.exactly(length).await?);
        }
        Some(whole)
    }

    /// So many bytes.
    pub async fn exactly(&mut self, length: usize) -> Option<String> {
        while self.seen.lock().unwrap()[self.nth].len() - self.read < length {
            self.more().await?;
        }
        let piece = self.seen.lock().unwrap()[self.nth][self.read..self.read + length].to_vec();
        self.read += length;
        Some(String::from_utf8_lossy(&piece).into_owned())
    }

    /// Waits until the other side closes.
    pub async fn closed(&mut self) {
        while self.more().await.is_some() {}
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 16 * 1024];
        let read = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.seen.lock().unwrap()[self.nth].extend_from_slice(&buffer[..read]);
        (read > 0).then_some(())
    }

    /// Writes bytes as they are. Nobody need be there.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _gone = self.stream.write_all(bytes.as_ref()).await;
    }
}

/// A caller of the proxy on bare TCP.
pub struct Line {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Line {
    /// Connects to the proxy.
    pub async fn open(app: &TestApp) -> Self {
        let address = app.proxy.trim_start_matches("http://");
        Self { stream: TcpStream::connect(address).await.expect("a listener"), read: Vec::new() }
    }

    /// Connects and writes a request, its credentials behind these lines and a blank line behind them.
    pub async fn ask(app: &TestApp, connection: &str, lines: &str, body: impl AsRef<[u8]>) -> Self {
        let mut line = Self::open(app).await;
        let key = &app.acme.key;
        line.say(format!("{lines}\r\nAuthorization: Bearer {key}\r\nBU-Connection-Id: {connection}\r\n\r\n"))
            .await;
        line.say(body).await;
        line
    }

    /// Writes bytes as they are. Nobody need be there.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _gone = self.stream.write_all(bytes.as_ref()).await;
    }

    /// What came up to and with this end.
    pub async fn until(&mut self, end: &str) -> String {
        let came = async {
            loop {
                if let Some(at) = self.read.windows(end.len()).position(|piece| piece == end.as_bytes()) {
                    let rest = self.read.split_off(at + end.len());
                    return std::mem::replace(&mut self.read, rest);
                }
                let mut buffer = [0; 16 * 1024];
                let read = self.stream.read(&mut buffer).await.unwrap_or(0);
                assert!(read > 0, "{end:?} did not come: {}", String::from_utf8_lossy(&self.read));
                self.read.extend_from_slice(&buffer[..read]);
            }
        };
        String::from_utf8_lossy(&soon(end, came).await).into_owned()
    }

    /// What came until the other side closed.
    pub async fn rest(mut self) -> String {
        let end = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut self.read)).await;
        assert!(end.is_ok(), "no end came behind {}", String::from_utf8_lossy(&self.read));
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Closes, and returns once it is closed.
    pub fn hang_up(self) {
        drop(self.stream);
    }
}
