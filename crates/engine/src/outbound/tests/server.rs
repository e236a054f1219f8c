//! A server that does one scripted thing per connection, whatever it is asked.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What the server does once it has read a request's head.
#[derive(Clone)]
pub(super) enum Does {
    /// Writes this and closes.
    Answer(String),
    /// Writes this and then nothing, the connection kept open.
    Stall(String),
    /// Writes a head and then body bytes for ever.
    Endless,
    /// Writes an answer and waits for the next request.
    KeepAlive(String),
}

pub(super) struct Server {
    pub addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (counted, noted) = (Arc::clone(&connections), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(act(stream, does.clone(), Arc::clone(&noted)));
            }
        });
        Self { addr, connections, heads }
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of the requests so far, as they came.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn act(mut stream: TcpStream, does: Does, heads: Arc<Mutex<Vec<String>>>) {
    loop {
        let Some(head) = read_head(&mut stream).await else { return };
        heads.lock().unwrap().push(head);
        match &does {
            Does::Answer(bytes) => {
                let _gone = stream.write_all(bytes.as_bytes()).await;
                return;
            }
            Does::KeepAlive(bytes) => {
                let _gone = stream.write_all(bytes.as_bytes()).await;
            }
            Does::Stall(bytes) => {
                let _gone = stream.write_all(bytes.as_bytes()).await;
                std::future::pending::<()>().await;
            }
            Does::Endless => {
                let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                return;
            }
        }
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
