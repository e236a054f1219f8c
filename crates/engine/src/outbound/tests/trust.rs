//! Real TLS with a certificate authority made for the test.

use std::{convert::Infallible, io::Write as _};

use http::Response;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

/// A root certificate as a file, and a server certificate for `name` under it.
struct Authority {
    file: NamedTempFile,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn authority(name: &str) -> Authority {
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let root_cert = root.self_signed(&root_key).unwrap();
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(root_cert.pem().as_bytes()).unwrap();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(root, root_key);
    let cert = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    Authority { file, chain: vec![cert.der().clone()], key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
}

/// Answers each request with the protocol it came by; returns the port.
async fn serve(authority: &Authority, alpn: &[&str]) -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(authority.chain.clone(), authority.key.clone_key())
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(tls) = acceptor.accept(stream).await else { continue };
            let answer = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                Ok::<_, Infallible>(Response::new(full(format!("{:?}", request.version()))))
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
    let names = ["api.test", "other.test"];
    let script = names.iter().fold(Script::default(), |script, name| script.answer(name, &[ip("127.0.0.1")]));
    let config = Config { extra_ca: Some(authority.file.path().to_owned()), ..config() };
    Outbound::with_resolver(config, Resolver::Scripted(Arc::new(script))).unwrap()
}

#[tokio::test]
async fn the_extra_root_is_trusted_and_http_2_is_spoken_where_offered() {
    let authority = authority("api.test");
    let outbound = trusting(&authority);
    for (alpn, version) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let port = serve(&authority, alpn).await;
        let answer = outbound.fetch(get(format!("https://api.test:{port}/")), 100).await.unwrap();
        assert_eq!(answer.body(), version);
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = authority("api.test");
    let port = serve(&authority, &[]).await;
    let outbound = trusting(&authority);
    for host in ["other.test", "127.0.0.1"] {
        let failure = outbound.fetch(get(format!("https://{host}:{port}/")), 100).await.unwrap_err();
        assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::Tls, true), "{host}");
    }
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let (ours, theirs) = (authority("api.test"), authority("api.test"));
    let port = serve(&theirs, &[]).await;
    let failure = trusting(&ours).fetch(get(format!("https://api.test:{port}/")), 100).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Tls);
}

#[test]
fn a_file_without_certificates_is_refused() {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"not PEM").unwrap();
    for path in [file.path().to_owned(), "/nonexistent/ca.pem".into()] {
        let config = Config { extra_ca: Some(path), ..config() };
        assert!(matches!(Outbound::new(config), Err(Error::Invalid { field: "outbound_ca", .. })));
    }
}
