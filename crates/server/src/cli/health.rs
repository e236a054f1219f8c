//! `claviger health`: whether a Claviger answers on this machine, for a container's health check.
//!
//! Asks the app listener of the settings. Not a client: one request, no TLS. Where the listeners speak TLS, it
//! is enough that the port takes a connection. Whether all is well in depth is `doctor`'s question.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{config::Settings, out};

/// How long a listener may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub(super) struct Args {
    /// Ask whether it can do its work (database and key), not only whether it answers
    #[arg(long)]
    ready: bool,
}

pub(super) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let addr = settings.listen;
    let (well, says) = if settings.tls.is_some() {
        let open = timeout(ANSWER, TcpStream::connect(reachable(addr))).await.is_ok_and(|r| r.is_ok());
        (open, if open { "takes connections" } else { "does not take connections" })
    } else {
        let path = if args.ready { "/readyz" } else { "/healthz" };
        match ask(addr, path).await {
            Some(answer) if answer.starts_with("http/1.1 200 ") => (true, "is well"),
            Some(_) => (false, "answers that it is not well"),
            None => (false, "does not answer"),
        }
    };
    out::line(format_args!("{addr} {says}"))?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a listener answers to a GET, in lower case: head and body, or `None` when it does not in time.
pub(super) async fn ask(addr: SocketAddr, path: &str) -> Option<String> {
    let ask = async {
        let mut stream = TcpStream::connect(reachable(addr)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.take(16 * 1024).read_to_end(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer).to_lowercase())
    };
    timeout(ANSWER, ask).await.ok().flatten()
}

/// An address that listens everywhere is asked on loopback.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, addr.port())
}
