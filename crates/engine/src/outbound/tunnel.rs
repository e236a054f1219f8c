//! Tunnels: connections that stop being HTTP's (RFC 9110 §7.8), and the bytes that pass through them.
//!
//! A request that may end so is sent in HTTP/1.1 over a connection that no other request uses. What is copied waits in
//! one small buffer per direction: who reads slowly is written to slowly.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::{Request, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

use super::{Body, Failure, Outbound};

/// How much of one direction is under way at once, in bytes.
const BUFFER: usize = 16 * 1024;
/// How long one direction may go on when the other has ended.
const LINGER: Duration = Duration::from_secs(5);

/// Which side a tunnel broke at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broke {
    /// The caller's.
    Caller,
    /// The provider's.
    Provider,
}

/// The bytes that went through a tunnel so far.
#[derive(Debug, Default)]
pub struct Passed {
    /// From the caller to the provider.
    pub inward: AtomicU64,
    /// From the provider to the caller.
    pub outward: AtomicU64,
}

impl Outbound {
    /// Sends a request that asks for another protocol. When the answer is 101, the connection is had of it with
    /// [`hyper::upgrade::on`].
    ///
    /// # Errors
    /// As for [`Outbound::send`].
    pub async fn switch(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        let to = self.destination(request.uri())?;
        self.send_over(&to, true, request).await
    }
}

/// Copies both ways until both sides have ended, or one of them and then no more for a while.
///
/// # Errors
/// Which side broke, when one ended otherwise than in order.
pub async fn join(caller: Upgraded, provider: Upgraded, passed: &Passed) -> Result<(), Broke> {
    let (mut from_caller, mut to_caller) = tokio::io::split(TokioIo::new(caller));
    let (mut from_provider, mut to_provider) = tokio::io::split(TokioIo::new(provider));
    let inward = copy(&mut from_caller, &mut to_provider, &passed.inward);
    let outward = copy(&mut from_provider, &mut to_caller, &passed.outward);
    let (mut inward, mut outward) = (std::pin::pin!(inward), std::pin::pin!(outward));
    let (first, rest) = tokio::select! {
        ended = &mut inward => (ended.map_err(|end| end.side(Broke::Caller, Broke::Provider)), None),
        ended = &mut outward => (ended.map_err(|end| end.side(Broke::Provider, Broke::Caller)), Some(())),
    };
    first?;
    let last = match rest {
        None => timeout(LINGER, outward)
            .await
            .map(|end| end.map_err(|end| end.side(Broke::Provider, Broke::Caller))),
        Some(()) => timeout(LINGER, inward)
            .await
            .map(|end| end.map_err(|end| end.side(Broke::Caller, Broke::Provider))),
    };
    // Who has said its last word need not wait for the other's.
    last.unwrap_or(Ok(()))
}

/// Where copying failed.
enum End {
    Reading,
    Writing,
}

impl End {
    fn side(&self, reading: Broke, writing: Broke) -> Broke {
        match self {
            Self::Reading => reading,
            Self::Writing => writing,
        }
    }
}

/// Copies until there is no more, and says so to the other side.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    passed: &AtomicU64,
) -> Result<(), End> {
    let reading = |_: io::Error| End::Reading;
    let writing = |_: io::Error| End::Writing;
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await.map_err(reading)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { break };
        to.write_all(piece).await.map_err(writing)?;
        to.flush().await.map_err(writing)?;
        passed.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
    to.shutdown().await.map_err(writing)
}
