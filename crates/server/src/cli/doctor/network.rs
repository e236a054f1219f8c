//! Public URLs, listeners, TLS.

use std::net::SocketAddr;

use claviger_engine::outbound::{Config, Outbound};
use url::Url;

use super::{Finding, state};
use crate::{
    cli::health,
    config::{Settings, value::is_loopback_origin},
    listen,
};

/// The two public origins.
pub(super) fn public_urls(settings: &Settings) -> Vec<Finding> {
    let name = "public URL";
    if let Err(e) = settings.check_public_urls() {
        let text = e.to_string();
        let (says, remedy) = text.split_once(". ").unwrap_or((&text, ""));
        return vec![Finding::failure(name, says, remedy)];
    }
    let (app, proxy) = (&settings.public_url, &settings.proxy_public_url);
    let mut findings = Vec::new();
    if is_loopback_origin(app) {
        let remedy =
            "Fine for trying. For production set public_url to the https origin that your customers reach.";
        findings.push(Finding::warning(name, format!("{app} is this machine alone"), remedy));
    } else {
        findings.push(Finding::fine(name, format!("{app} is https")));
    }
    findings.extend(apart(app, proxy));
    if settings.tls.is_some() && app.starts_with("http://") {
        let remedy = "Set public_url to the https origin: with tls_cert set, http is not answered.";
        findings.push(Finding::warning(name, "public_url is http, but the listeners speak TLS", remedy));
    }
    if settings.tls.is_none() && app.starts_with("https://") && settings.trusted_proxies.is_empty() {
        findings.push(Finding::warning(
            name,
            "a reverse proxy must stand in front, and trusted_proxies is empty",
            "All callers will seem to come from the reverse proxy and share one limit. Set trusted_proxies to its \
             address.",
        ));
    }
    findings
}

/// Cookies are not kept apart by ports, and a domain's cookies reach its subdomains.
fn apart(app: &str, proxy: &str) -> Option<Finding> {
    let host = |origin: &str| Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned));
    let (a, p) = (host(app)?, host(proxy)?);
    let remedy = "Give the proxy a host name of its own (proxy_public_url), such as proxy.example.com beside \
                  connect.example.com.";
    if a == p {
        if is_loopback_origin(app) {
            return None;
        }
        let says = "app and proxy share a host name: ports do not keep cookies apart, and providers' answers come through the proxy";
        return Some(Finding::warning("proxy URL", says, remedy));
    }
    let below =
        |child: &str, parent: &str| child.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'));
    if below(&p, &a) || below(&a, &p) {
        let says = format!(
            "{p} and {a} are the same site, one below the other: cookies set for the upper reach the lower"
        );
        return Some(Finding::warning("proxy URL", says, remedy));
    }
    Some(Finding::fine("proxy URL", format!("{proxy} is a host name of its own")))
}

/// Each port: free, or held by Claviger.
pub(super) async fn listeners(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (setting, addr) in [("listen", settings.listen), ("proxy_listen", settings.proxy_listen)] {
        findings.push(match listen::bind(setting, addr).await {
            Ok(_) => Finding::fine("listener", format!("{setting}: {addr} is free")),
            Err(_) if settings.tls.is_none() && is_ours(addr).await => {
                Finding::fine("listener", format!("{setting}: {addr} is held by a running Claviger"))
            }
            Err(e) => {
                let remedy =
                    if settings.tls.is_some() { "If a running Claviger holds it, all is well." } else { "" };
                Finding::failure("listener", format!("{setting}: {e}"), remedy)
            }
        });
    }
    if settings.listen == settings.proxy_listen && settings.listen.port() != 0 {
        let remedy = "Set proxy_listen to another port.";
        findings.push(Finding::failure("listener", "listen and proxy_listen are the same", remedy));
    }
    findings
}

/// Whether what answers at an address marks its answers as Claviger does.
async fn is_ours(addr: SocketAddr) -> bool {
    let answer = health::ask(addr, "/healthz").await;
    answer.is_some_and(|answer| answer.contains("\r\nclaviger-request-id:"))
}

/// The PEM files.
pub(super) fn tls(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(files) = &settings.tls {
        findings.push(match listen::tls(&files.cert, &files.key) {
            Ok(_) => Finding::fine("TLS", format!("{} and its key can be used", files.cert.display())),
            Err(e) => Finding::failure(
                "TLS",
                format!("{e:#}"),
                "Give PEM files that belong together and that this user may read.",
            ),
        });
        findings.extend(state::privacy("TLS", &files.key));
    }
    if settings.outbound_ca.is_some() {
        let config = Config { extra_ca: settings.outbound_ca.clone(), ..Config::default() };
        findings.push(match Outbound::new(config) {
            Ok(_) => Finding::fine("outbound", "outbound_ca can be used"),
            Err(e) => Finding::failure(
                "outbound",
                format!("outbound_ca: {:#}", anyhow::Error::new(e)),
                "Give a PEM file of certificates.",
            ),
        });
    }
    findings
}
