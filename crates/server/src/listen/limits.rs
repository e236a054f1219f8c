//! Limits of a listener: how many may be connected, and how long each may keep us waiting.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};

use crate::config::Settings;

/// What a listener holds its callers to. Cloning shares the count of connections.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// How long open requests may take to finish at the end.
    pub shutdown: Duration,
    /// From the first byte of a request's head to its last, and from a new connection to its first request.
    pub header: Option<Duration>,
    /// Between two requests on a connection.
    pub idle: Option<Duration>,
    /// How long whoever is sent something may take none of it.
    pub read: Option<Duration>,
    /// How many connections may be open at once.
    pub connections: Option<usize>,
    pub(super) open: Arc<AtomicUsize>,
}

impl Limits {
    /// As the settings have them.
    pub fn of(settings: &Settings) -> Self {
        Self {
            shutdown: settings.shutdown_timeout,
            header: Some(settings.client_header_timeout),
            idle: Some(settings.client_idle_timeout),
            read: Some(settings.client_read_timeout),
            connections: settings.client_connections.map(|most| most.get() as usize),
            open: Arc::default(),
        }
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes a connection's place, or `None` when all are taken.
    pub(crate) fn enter(&self) -> Option<Place> {
        let most = self.connections.unwrap_or(usize::MAX);
        let place = Place(Arc::clone(&self.open));
        // Dropped, a place that was one too many is given back.
        (self.open.fetch_add(1, Ordering::AcqRel) < most).then_some(place)
    }
}

/// What is said where a connection is one too many, and bytes are in the clear. No door is known by then.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 103\r\n\
    retry-after: 1\r\nconnection: close\r\n\r\n\
    {\"status\":503,\"code\":\"connection_limit\",\"message\":\"Too many connections are open (client_connections)\"}";

/// How long whoever is refused has to take it.
const REFUSING: Duration = Duration::from_millis(500);

/// Says that there is no place, and hangs up.
pub(super) async fn refuse(stream: std::net::TcpStream, clear: bool) {
    if !clear {
        return;
    }
    let Ok(mut stream) = TcpStream::from_std(stream) else { return };
    let said = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        // What it has sent is taken: hanging up on it unread would take back what was said.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    let _gone = timeout(REFUSING, said).await;
}

/// Nothing is limited but the time at the end: for whoever serves friends alone.
impl From<Duration> for Limits {
    fn from(shutdown: Duration) -> Self {
        Self { shutdown, ..Self::default() }
    }
}

/// A connection's place.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_was_one_too_many_is_given_back() {
        let limits = Limits { connections: Some(2), ..Limits::default() };
        let shared = limits.clone();
        let (first, second) = (limits.enter(), shared.enter());
        assert!(first.is_some() && second.is_some());
        assert_eq!(limits.open(), 2);
        for _ in 0..3 {
            assert!(limits.enter().is_none());
        }
        drop(first);
        let third = shared.enter();
        assert!(third.is_some() && limits.enter().is_none());
    }
}
