//! Client certificates against a TLS server that demands one, and what is refused before anything is sent.

use std::{
    convert::Infallible,
    io::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::Response;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{RootCertStore, server::WebPkiClientVerifier};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::secret::Secret;

/// 2026-01-01.
const NOW: Millis = Millis(1_767_225_600_000);

/// A root that issues the server's certificate and those of its clients.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: rcgen::Certificate,
}

/// A certificate with its chain and its key, as somebody gives them.
struct Given {
    certificate: String,
    key: Secret,
}

impl Given {
    fn pair(&self) -> Pair<'_> {
        Pair { certificate: &self.certificate, key: &self.key }
    }
}

impl Authority {
    fn new(name: &str) -> Self {
        let (params, key) = (authority(name), KeyPair::generate().unwrap());
        let root = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), root }
    }

    /// A client's certificate, good from 2025 until the end of that year.
    fn client(&self, name: &str, until: i32) -> Given {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Given { certificate, key: Secret::new(key.serialize_pem()) }
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A server that takes nobody without a certificate of its root's; it answers with the length of the chain shown and
/// the number of the connection.
async fn demanding(authority: &Authority) -> u16 {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["api.test".to_owned()]).unwrap();
    let own = params.signed_by(&key, &authority.issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![own.der().clone()],
            rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(tls) = acceptor.accept(stream).await else { continue };
            let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
            let shown = tls.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
            let answer = service_fn(move |_: http::Request<hyper::body::Incoming>| async move {
                Ok::<_, Infallible>(Response::new(full(format!("{shown} on {number}"))))
            });
            tokio::spawn(async move {
                let _ended = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(tls), answer)
                    .await;
            });
        }
    });
    port
}

fn trusting(authority: &Authority) -> Outbound {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(authority.root.pem().as_bytes()).unwrap();
    let config = Config { extra_ca: Some(file.path().to_owned()), ..config() };
    let script = Script::default().answer("api.test", &[ip("127.0.0.1")]);
    Outbound::with_resolver(config, Resolver::Scripted(Arc::new(script))).unwrap()
}

async fn asked(way: &Outbound, port: u16) -> std::result::Result<String, Failure> {
    let answer = way.fetch(get(format!("https://api.test:{port}/")), 100).await?;
    Ok(String::from_utf8(answer.body().to_vec()).unwrap())
}

/// Each identity's requests share its connections, and no other's; without one the server hangs up.
#[tokio::test]
async fn a_server_that_demands_a_certificate_is_shown_that_one_and_no_other() {
    let root = Authority::new("root");
    let (port, plain) = (demanding(&root).await, trusting(&root));
    let (one, two) = (root.client("one", 2030), root.client("two", 2030));
    let ways = [plain.showing(&one.pair(), NOW).unwrap(), plain.showing(&two.pair(), NOW).unwrap()];
    assert_eq!(asked(&ways[0], port).await.unwrap(), "1 on 1");
    assert_eq!(asked(&ways[1], port).await.unwrap(), "1 on 2");
    assert_eq!(asked(&ways[0], port).await.unwrap(), "1 on 1");
    let again = plain.showing(&one.pair(), NOW).unwrap();
    assert_eq!(asked(&again, port).await.unwrap(), "1 on 1", "the pool is the identity's");
    let other = Authority::new("another root").client("one", 2030);
    for way in [&plain, &plain.showing(&other.pair(), NOW).unwrap()] {
        let failure = asked(way, port).await.unwrap_err();
        assert!(matches!(failure.kind, FailureKind::Tls | FailureKind::Broken), "{failure:?}");
    }
}

/// A chain with the certificates between, in order, is shown whole.
#[tokio::test]
async fn a_chain_is_shown_in_its_order_or_refused() {
    let root = Authority::new("root");
    let (params, key) = (authority("between"), KeyPair::generate().unwrap());
    let between = params.signed_by(&key, &root.issuer).unwrap().pem();
    let below = Authority { issuer: Issuer::new(params, key), root: root.root.clone() };
    let client = below.client("one", 2030);
    let chain = Given { certificate: format!("{}\n{between}", client.certificate), key: client.key.clone() };
    let (port, plain) = (demanding(&root).await, trusting(&root));
    assert_eq!(asked(&plain.showing(&chain.pair(), NOW).unwrap(), port).await.unwrap(), "2 on 1");
    let turned = Given { certificate: format!("{between}\n{}", client.certificate), key: client.key };
    assert_eq!(Identity::read(&turned.pair()).err(), Some(Problem::Order));
}

/// Nothing goes out without TLS that is to be seen with a certificate, where plain http is allowed otherwise too.
#[tokio::test]
async fn a_certificate_needs_tls() {
    let root = Authority::new("root");
    let server = server::Server::start(server::Does::Answer("HTTP/1.1 200 OK\r\n\r\n".to_owned())).await;
    let plain = trusting(&root);
    let way = plain.showing(&root.client("one", 2030).pair(), NOW).unwrap();
    let url = format!("http://127.0.0.1:{}/", server.addr.port());
    let failure = way.fetch(get(&url), 100).await.unwrap_err();
    assert_eq!((failure.kind, failure.nothing_sent, server.connections()), (FailureKind::BadUrl, true, 0));
    assert!(plain.fetch(get(&url), 100).await.is_ok());
}

#[tokio::test]
async fn what_is_allowed_to_be_connected_to_is_the_same_with_a_certificate() {
    let root = Authority::new("root");
    let way = trusting(&root).showing(&root.client("one", 2030).pair(), NOW).unwrap();
    for url in ["https://169.254.169.254/", "https://10.0.0.1/"] {
        assert_eq!(way.fetch(get(url), 100).await.unwrap_err().kind, FailureKind::Blocked, "{url}");
    }
}

#[test]
fn only_so_many_identities_have_a_client_at_a_time() {
    let root = Authority::new("root");
    let way = trusting(&root);
    for n in 0..70 {
        way.showing(&root.client(&format!("c{n}"), 2030).pair(), NOW).unwrap();
    }
    assert_eq!(way.identities.count(), 64);
}

/// What is wrong is said, and nothing of what was given.
#[test]
fn a_pair_that_can_not_be_used_is_named() {
    let root = Authority::new("root");
    let (one, two) = (root.client("one", 2030), root.client("two", 2030));
    let read = |certificate: &str, key: &str| {
        let key = Secret::new(key);
        Identity::read(&Pair { certificate, key: &key }).err()
    };
    let key = one.key.expose();
    assert_eq!(read(&one.certificate, key), None);
    assert_eq!(read(&format!("text before\r\n{}", one.certificate), &format!(" \n{key}\n")), None);
    assert_eq!(read(&one.certificate, two.key.expose()), Some(Problem::Mismatch));
    let half = &one.certificate[..one.certificate.len() / 2];
    let garbled = one.certificate.replace("MII", "MIA");
    for certificate in ["", "no", key, half, &garbled] {
        assert_eq!(read(certificate, key), Some(Problem::NoCertificate), "{certificate}");
    }
    for wrong in ["", "no", &one.certificate, &key[..key.len() / 2]] {
        assert_eq!(read(&one.certificate, wrong), Some(Problem::NoKey));
    }
    for locked in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----",
    ] {
        assert_eq!(read(&one.certificate, locked), Some(Problem::Encrypted));
    }
    let long = " ".repeat(LONGEST_PEM);
    assert_eq!(read(&format!("{}{long}", one.certificate), key), Some(Problem::TooLong));
    assert_eq!(read(&one.certificate, &format!("{key}{long}")), Some(Problem::TooLong));
    let many = one.certificate.repeat(11);
    assert_eq!(read(&many, key), Some(Problem::NoCertificate));
}

#[test]
fn a_certificate_is_shown_while_it_is_good() {
    let root = Authority::new("root");
    let (way, given) = (trusting(&root), root.client("one", 2026));
    let end = expires_at(&given.certificate).unwrap();
    assert_eq!(end.rfc3339(), "2026-12-31T00:00:00.000Z");
    let at = |now: Millis| way.showing(&given.pair(), now).map(drop).map_err(|error| error.to_string());
    assert_eq!((at(NOW), at(end)), (Ok(()), Ok(())));
    // One that is known already is looked at again.
    let over = at(Millis(end.0 + 1)).unwrap_err();
    assert_eq!(over, "The client certificate expired at 2026-12-31T00:00:00.000Z");
    let early = at(Millis(0)).unwrap_err();
    assert_eq!(early, "The client certificate is not valid before 2025-01-01T00:00:00.000Z");
    assert_eq!(expires_at("no"), None);
}
