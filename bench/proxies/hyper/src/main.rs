//! The bare proxy: what hyper costs when it does nothing but what any such proxy must.
//!
//! A caller's `Authorization` and `BU-Connection-Id` name a credential in a map; the call goes upstream with that one,
//! over connections that are kept. One single-threaded runtime per core, each with a listener of its own on the port and
//! a pool of its own. No log, no limit, no checks beyond the map.
//!
//! Arguments: port, upstream address, a file with a line `authorization<TAB>connection<TAB>credential` for each.

use std::{cell::RefCell, collections::HashMap, error::Error, net::SocketAddr, rc::Rc, sync::Arc};

use bytes::Bytes;
use http_body_util::{Either, Empty};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1::SendRequest,
    header::{AUTHORIZATION, CONNECTION, HOST, HeaderName, HeaderValue},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static CONNECTION_ID: HeaderName = HeaderName::from_static("bu-connection-id");

type Fault = Box<dyn Error + Send + Sync>;
type Answer = Response<Either<Incoming, Empty<Bytes>>>;
/// Credentials by connection, by what callers show.
type Credentials = HashMap<String, HashMap<String, HeaderValue>>;

/// What one runtime has: nothing of it is shared between threads but the map, which nobody writes.
struct Core {
    upstream: SocketAddr,
    host: HeaderValue,
    credentials: Arc<Credentials>,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, upstream, map] = arguments.as_slice() else {
        return Err("usage: bare-proxy PORT UPSTREAM MAP".into());
    };
    let (port, upstream): (u16, SocketAddr) = (port.parse()?, upstream.parse()?);
    let mut credentials = Credentials::new();
    for line in std::fs::read_to_string(map)?.lines() {
        let [caller, connection, credential] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err("a line of the map has three parts".into());
        };
        let of_caller = credentials.entry(caller.to_owned()).or_default();
        of_caller.insert(connection.to_owned(), HeaderValue::from_str(credential)?);
    }
    let credentials = Arc::new(credentials);
    let cores = std::thread::available_parallelism()?.get();
    let threads: Vec<_> = (0..cores)
        .map(|_| {
            let credentials = credentials.clone();
            std::thread::spawn(move || run(port, upstream, credentials))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")??;
    }
    Ok(())
}

fn run(port: u16, upstream: SocketAddr, credentials: Arc<Credentials>) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let host = HeaderValue::from_str(&upstream.to_string())?;
    let core = Rc::new(Core { upstream, host, credentials, idle: RefCell::default() });
    tokio::task::LocalSet::new().block_on(&runtime, serve(listener(port)?, core))
}

/// A listener beside those of the other runtimes: the kernel spreads callers over them.
fn listener(port: u16) -> Result<std::net::TcpListener, Fault> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

async fn serve(listener: std::net::TcpListener, core: Rc<Core>) -> Result<(), Fault> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let core = core.clone();
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| forward(&core, request));
            // A caller that is gone is nobody's fault.
            let _ended = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn forward(core: &Rc<Core>, mut request: Request<Incoming>) -> Result<Answer, Fault> {
    let headers = request.headers_mut();
    let caller = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let connection = headers.get(&CONNECTION_ID).and_then(|value| value.to_str().ok());
    let found = caller.zip(connection);
    let found = found.and_then(|(caller, connection)| core.credentials.get(caller)?.get(connection));
    let Some(credential) = found.cloned() else {
        let mut answer = Response::new(Either::Right(Empty::new()));
        *answer.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(answer);
    };
    headers.remove(CONNECTION);
    headers.remove(&CONNECTION_ID);
    headers.insert(AUTHORIZATION, credential);
    headers.insert(HOST, core.host.clone());
    if request.uri().authority().is_some() {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse::<Uri>()?;
    }
    let mut sender = upstream(core).await?;
    let answer = sender.send_request(request).await?;
    keep(core, sender);
    Ok(answer.map(Either::Left))
}

/// A connection that is kept, or a new one.
async fn upstream(core: &Rc<Core>) -> Result<SendRequest<Incoming>, Fault> {
    loop {
        let kept = core.idle.borrow_mut().pop();
        match kept {
            Some(sender) if sender.is_ready() => return Ok(sender),
            Some(_) => {}
            None => break,
        }
    }
    let stream = TcpStream::connect(core.upstream).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(async move {
        let _ended = connection.await;
    });
    Ok(sender)
}

/// Keeps a connection for another call, once the answer on it has been read.
fn keep(core: &Rc<Core>, mut sender: SendRequest<Incoming>) {
    if sender.is_ready() {
        core.idle.borrow_mut().push(sender);
        return;
    }
    let core = core.clone();
    tokio::task::spawn_local(async move {
        if sender.ready().await.is_ok() {
            core.idle.borrow_mut().push(sender);
        }
    });
}
