//! Client certificates (RFC 8705 §2) at a provider that lets nobody in without one: the integration's own, and one that is
//! typed in.

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Request};
use claviger::listen;
use claviger_engine::{
    domain::{audit::Actor, connection::Status, integration::Config},
    error::Error,
    outbound::{Pair, Resolver, Script},
    secret::Secret,
    setup::{self, NewIntegration},
};
use http::Method;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{RootCertStore, pki_types::PrivateKeyDer, server::WebPkiClientVerifier};
use tempfile::NamedTempFile;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::support::{
    Browser, Options, TestApp,
    app::new_integration,
    on_each_with,
    stub::TOKENS,
    value,
    wire::{call, send},
};

/// Who issues certificates here, to the provider and to its clients.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: rcgen::Certificate,
    file: NamedTempFile,
}

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
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(root.pem().as_bytes()).unwrap();
        Self { issuer: Issuer::new(params, key), root, file }
    }

    fn client(&self, name: &str, until: i32) -> Given {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_after = date_time_ymd(until, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Given { certificate, key: Secret::new(key.serialize_pem()) }
    }

    /// A server that resolves the provider's name and trusts its certificate.
    fn options(&self) -> Options {
        let mut options = Options::default();
        options.outbound.extra_ca = Some(self.file.path().to_owned());
        let here = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
        options.resolver = Resolver::Scripted(Arc::new(Script::default().answer("bank.test", &here)));
        options
    }
}

/// A request: how, for what, and as whom by its certificate or header.
type Seen = (Method, String, Option<String>);

/// A provider behind TLS that demands a client certificate. It ends when dropped.
struct Bank {
    origin: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bank {
    async fn start(authority: &Authority) -> Self {
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["bank.test".to_owned()]).unwrap();
        let own = own.signed_by(&key, &authority.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.root.der().clone()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![own.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://bank.test:{}", listener.local_addr().unwrap().port());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let memory = seen.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (path, shown) = (request.uri().path().to_owned(), request.headers().get("authorization"));
            let shown = shown.map(|value| value.to_str().unwrap().to_owned());
            memory.lock().unwrap().push((request.method().clone(), path.clone(), shown));
            async move { if path == "/token" { TOKENS } else { r#"{"sub":"account","name":"An Account"}"# } }
        });
        let task = tokio::spawn(async move {
            let limit = Duration::from_secs(1);
            let _ended =
                listen::serve(listener, Some(Arc::new(tls)), router, std::future::pending(), limit).await;
        });
        Self { origin, seen, task }
    }

    fn paths(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|(_, path, _)| path.clone()).collect()
    }

    /// An integration whose client authenticates with a certificate.
    fn config(&self) -> Config {
        Config {
            authorize_url: Some(format!("{}/authorize", self.origin)),
            token_url: Some(format!("{}/token", self.origin)),
            userinfo_url: Some(format!("{}/userinfo", self.origin)),
            revoke_url: Some(format!("{}/revoke", self.origin)),
            base_url: Some(format!("{}/api", self.origin)),
            client_auth: Some("tls_client_auth".into()),
            ..Config::default()
        }
    }
}

async fn connect(app: &TestApp) -> Result<String, String> {
    let browser = Browser::new();
    let leg = browser.set_out(app, &app.acme, &[("integration_id", "bank")]).await;
    let done = browser.get(&leg.back(&[("code", "c")])).await;
    let (_, query) = done.redirect();
    match query.iter().any(|(name, _)| name == "connection_id") {
        true => Ok(value(&query, "connection_id").to_owned()),
        false => Err(value(&query, "error").to_owned()),
    }
}

/// Token endpoint, account, API, refresh and revocation: all over connections with the integration's certificate.
#[tokio::test]
async fn an_integrations_certificate_is_shown_wherever_its_client_goes() {
    let authority = Authority::new();
    on_each_with(
        || authority.options(),
        async |app| {
            let bank = Bank::start(&authority).await;
            let id = app.integrate_as(&app.acme, new_integration("bank", "oauth2", bank.config())).await;
            assert!(connect(app).await.is_err(), "there is no certificate yet");
            assert_eq!(bank.paths(), [""; 0]);
            let of = app.integration(&app.acme, &id).await;
            let ours = authority.client("claviger", 2099);
            assert!(app.change(async |to| setup::client_certificate(to, &of, &ours.pair()).await).await);
            assert!(!app.change(async |to| setup::client_certificate(to, &of, &ours.pair()).await).await);
            let connection = connect(app).await.unwrap();
            assert_eq!(bank.paths(), ["/token", "/userinfo"]);
            assert_eq!(send(call(app, Method::GET, &connection, "/x")).await.status, 200);
            app.pass(Duration::from_secs(3600));
            assert_eq!(send(call(app, Method::POST, &connection, "/y")).await.status, 200);
            assert_eq!(bank.paths()[2..], ["/api/x", "/token", "/api/y"]);

            // One that nobody there takes: nothing of a request gets there, and the connection stays as it is.
            let other = Authority::new().client("claviger", 2099);
            assert!(app.change(async |to| setup::client_certificate(to, &of, &other.pair()).await).await);
            let answer = send(call(app, Method::GET, &connection, "/z")).await;
            assert_eq!(answer.status, 502, "{}", answer.text());
            assert_eq!(app.connection(&app.acme, &connection).await.status, Status::Active);
            assert_eq!(bank.paths().len(), 5);

            // Pointed elsewhere it has none: whoever gave it gave it for what was there.
            assert!(app.change(async |to| setup::client_certificate(to, &of, &ours.pair()).await).await);
            app.reconfigure(&app.acme, &id, |config| config.allowed_hosts = vec!["else.test".into()]).await;
            let of = app.integration(&app.acme, &id).await;
            assert_eq!(app.change(async |to| setup::certificate_end(to, &of).await).await, None);
            assert!(connect(app).await.is_err());
            assert_eq!(bank.paths().len(), 5);
        },
    )
    .await;
}

/// What can't be used is refused when it is given; one that has ended since says so.
#[tokio::test]
async fn a_certificate_is_looked_at_when_it_is_given_and_when_it_is_shown() {
    let authority = Authority::new();
    on_each_with(
        || authority.options(),
        async |app| {
            let bank = Bank::start(&authority).await;
            let id = app.integrate_as(&app.acme, new_integration("bank", "oauth2", bank.config())).await;
            let of = app.integration(&app.acme, &id).await;
            // The clock stands in September 2026.
            let (good, over) = (authority.client("claviger", 2026), authority.client("claviger", 2025));
            let refused = async |certificate: &str, key: &Secret| {
                let now = app.broker.clock.now();
                let mut conn = app.broker.store.begin(Actor::System, now).await.unwrap();
                let mut to = setup::Change::of(&app.broker, &mut conn);
                match setup::client_certificate(&mut to, &of, &Pair { certificate, key }).await {
                    Err(Error::Invalid { field: "client_certificate", message }) => message,
                    other => panic!("{:?}", other.map_err(|error| error.to_string())),
                }
            };
            assert_eq!(
                refused(&over.certificate, &over.key).await,
                "the certificate expired at 2025-12-31T00:00:00.000Z"
            );
            assert_eq!(
                refused(&good.certificate, &over.key).await,
                "the key does not belong to the certificate"
            );
            assert_eq!(
                refused("canary-no-pem", &good.key).await,
                "the certificate is not a certificate in PEM"
            );
            assert_eq!(
                refused(&good.certificate, &Secret::new("canary-no-key")).await,
                "the key is not a private key in PEM"
            );

            assert!(app.change(async |to| setup::client_certificate(to, &of, &good.pair()).await).await);
            let connection = connect(app).await.unwrap();
            app.pass(Duration::from_secs(400 * 24 * 3600));
            let before = bank.paths().len();
            let answer = send(call(app, Method::GET, &connection, "/x")).await;
            assert!(answer.status.is_client_error() || answer.status.is_server_error());
            assert_eq!(bank.paths().len(), before);
        },
    )
    .await;
}

/// Each connection shows the certificate that was typed in for it, and no other's.
#[tokio::test]
async fn a_certificate_that_is_typed_in_is_its_connections() {
    let authority = Authority::new();
    on_each_with(
        || authority.options(),
        async |app| {
            let bank = Bank::start(&authority).await;
            let config = Config { base_url: Some(format!("{}/api", bank.origin)), ..Config::default() };
            let wish = new_integration("bank", "mtls", config);
            app.integrate_as(&app.acme, NewIntegration { client_id: None, client_secret: None, ..wish })
                .await;
            let browser = Browser::new();
            let open = async || {
                let url = app.authorize_url(&app.acme, &[("integration_id", "bank"), ("external_id", "u")]);
                format!("{}{}", app.origin, browser.get(&url).await.location())
            };
            let submit = async |page: &str, certificate: &str, key: &Secret| {
                let pairs = [
                    ("decision", "continue"),
                    ("credential-certificate", certificate),
                    ("credential-private_key", key.expose()),
                ];
                browser.submit(page, &pairs).await
            };
            let (ours, other) = (authority.client("one", 2099), authority.client("two", 2099));
            let (over, alien) = (authority.client("one", 2025), Authority::new().client("one", 2099));
            let page = open().await;
            for (certificate, key, words) in [
                (
                    &ours.certificate,
                    &other.key,
                    "error-credential-private_key\">Does not belong to the certificate",
                ),
                (&over.certificate, &over.key, "error-credential-certificate\">Expired at 2025-12-31"),
                (
                    &"canary".to_owned(),
                    &ours.key,
                    "error-credential-certificate\">Is not a certificate in PEM",
                ),
            ] {
                let bad = submit(&page, certificate, key).await;
                assert!(bad.status == 422 && bad.text().contains(words), "{words}: {}", bad.text());
                assert!(!bad.text().contains("PRIVATE KEY-----\nM"), "no key is shown again");
            }
            let done = submit(&page, &ours.certificate, &ours.key).await;
            let id = value(&done.redirect().1, "connection_id").to_owned();
            assert_eq!(send(call(app, Method::GET, &id, "/x")).await.status, 200);
            let done = submit(&open().await, &alien.certificate, &alien.key).await;
            let foreign = value(&done.redirect().1, "connection_id").to_owned();
            assert_eq!(send(call(app, Method::GET, &foreign, "/y")).await.status, 502);
            assert_eq!(send(call(app, Method::GET, &id, "/z")).await.status, 200);
            let seen = bank.seen.lock().unwrap().clone();
            let bare = |path: &str| (Method::GET, path.to_owned(), None);
            assert_eq!(seen, [bare("/api/x"), bare("/api/z")], "nothing but the certificate");
        },
    )
    .await;
}
