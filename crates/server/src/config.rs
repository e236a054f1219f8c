//! Settings: what the operator decides, from four layers.
//!
//! `config/default.toml` (compiled in, the only defaults) ← `claviger.toml` ← `CLAVIGER_*` ← flags. Each
//! layer is plain text until [`Settings`] reads it, so every error can name the setting, where it came from
//! and what would be right. A secret's value is never part of an error. Nothing else reads the environment.
//! How a single value is read: [`value`]. The command line's side: `cli`.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use claviger_engine::{access::Lifetimes, limit::Rate, proxy::Sampling, retention::Keep, secret::Secret};
use ipnet::IpNet;

pub mod value;

pub use value::{LogFormat, MasterKey, Tls};

#[cfg(test)]
mod tests;

const DEFAULTS: &str = include_str!("../config/default.toml");

/// One setting, as files, environment and flags name it.
pub struct Key {
    /// Its name in a file; the flag has dashes for underscores, the variable is `CLAVIGER_` and upper case.
    pub name: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// One line for `--help`.
    pub help: &'static str,
}

impl Key {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("CLAVIGER_{}", self.name.to_uppercase())
    }

    /// The flag that sets it, without the dashes in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

const fn key(name: &'static str, help: &'static str) -> Key {
    Key { name, secret: false, help }
}

const fn secret(name: &'static str, help: &'static str) -> Key {
    Key { name, secret: true, help }
}

/// Every setting there is.
pub const KEYS: [Key; 47] = [
    secret("database_url", "sqlite://PATH or postgres://user:password@host/database"),
    key("database_connections", "Connections to PostgreSQL at most, of each process"),
    secret("master_key", "Root keys, id:base64,… (visible to others on this machine: prefer a file)"),
    key("master_key_file", "A file with the root keys"),
    key("public_url", "The origin at which browsers reach the app listener"),
    key("proxy_public_url", "The origin at which your servers reach the proxy listener"),
    key("listen", "Address and port of the app listener"),
    key("proxy_listen", "Address and port of the proxy listener"),
    key("sandbox_listen", "Address and port of the sandbox provider"),
    key("metrics_listen", "Address and port of the metrics listener, or off"),
    key("tls_cert", "Certificate chain (PEM) of the listeners"),
    key("tls_key", "Private key (PEM) of the listeners"),
    key("default_workspace", "Whose users sign in at a host that no workspace has, by client id"),
    key("session_idle", "How long a signed-in browser may be idle"),
    key("session_life", "How long a signed-in browser stays so at most"),
    key("trusted_proxies", "Networks from which X-Forwarded-For is believed (CIDR,…)"),
    key("outbound_allow", "Private networks that outbound requests may reach (CIDR,…)"),
    key("outbound_ca", "Further certificate authorities for outbound requests (PEM)"),
    key("outbound_h2c", "Hosts spoken to in HTTP/2 where there is no TLS (HOST:PORT,…)"),
    key("outbound_connect_timeout", "How long resolving, connecting and the TLS handshake may take together"),
    key("outbound_header_timeout", "How long a provider may take until its answer's headers"),
    key("outbound_idle_timeout", "How long a provider may pause within an answer's body"),
    key("outbound_total_timeout", "How long a request of our own (tokens, identity) may take as a whole"),
    key(
        "refresh_lease",
        "For how long a process has a connection's refresh to itself unless it says so again",
    ),
    key("refresh_ahead", "Whether tokens are refreshed before calls have to wait for it: true or false"),
    key("proxy_threads", "Threads that serve proxied calls, or auto: one for each core"),
    key("proxy_rate_limit", "Proxied calls per connection: COUNT/WINDOW, or off"),
    key("rate_limit_headers", "Whether answers say what is left of proxy_rate_limit: true or false"),
    key("proxy_wait_limit", "The longest that a provider's word to wait is kept to, or off"),
    key("proxy_connection_calls", "Proxied calls at once with one connection, or off"),
    key("proxy_provider_calls", "Proxied calls at once to one host, or off"),
    key("client_connections", "Connections to the listeners at once, or off"),
    key(
        "client_header_timeout",
        "How long a request's head may take, and a new connection to its first request",
    ),
    key("client_idle_timeout", "How long a connection may be without a request"),
    key("client_body_timeout", "How long the body of a proxied call may stall"),
    key("client_read_timeout", "How long whoever is sent an answer may take none of it"),
    key("keep_flows", "How long ended authorizations and their codes are kept"),
    key("keep_events", "How long events, their deliveries and attempts are kept"),
    key("keep_request_logs", "How long the request log is kept"),
    key("keep_rollups", "How long the sums of calls by the minute are kept"),
    key("request_log_sample", "Which share of good calls has a row in the request log: 1%"),
    key("request_log_full_below", "How many calls of each second have a row, whatever the share"),
    key("request_log_max_rows", "How many rows the request log may have, or off"),
    key("rollup_max_rows", "How many sums of calls there may be, or off"),
    key("log_format", "text or json"),
    key("log", "error, warn, info, debug, trace, or filters"),
    key("shutdown_timeout", "How long open requests may take to finish after the signal to stop"),
];

/// A variable of ours that is no setting.
const OTHER_VARIABLES: [&str; 2] = ["CLAVIGER_CONFIG", "CLAVIGER_API_KEY"];

/// A setting that can't be used. The text names it, its origin and what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(pub(crate) String);

/// What the command line gave.
#[derive(Default, Clone)]
pub struct Given {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// Flags by setting name.
    pub flags: BTreeMap<&'static str, Secret>,
}

/// Every setting, read and checked.
pub struct Settings {
    /// Where everything is kept; may hold a password.
    pub database_url: Secret,
    /// How many connections to PostgreSQL each process has at most.
    pub database_connections: u32,
    /// Where the root keys are; `None` when neither setting is given.
    pub master_key: Option<MasterKey>,
    /// The app's public origin, without a slash at the end.
    pub public_url: String,
    /// The proxy's public origin, without a slash at the end.
    pub proxy_public_url: String,
    /// The app listener.
    pub listen: SocketAddr,
    /// The proxy listener.
    pub proxy_listen: SocketAddr,
    /// The sandbox provider's listener.
    pub sandbox_listen: SocketAddr,
    /// The metrics listener, unless off.
    pub metrics_listen: Option<SocketAddr>,
    /// Certificate and key of the listeners.
    pub tls: Option<Tls>,
    /// The client id of the workspace whose users sign in at a host that no workspace has.
    pub default_workspace: Option<String>,
    /// How long a session may be idle, and how long it lasts at most.
    pub sessions: Lifetimes,
    /// From where `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Private networks that outbound requests may reach.
    pub outbound_allow: Vec<IpNet>,
    /// Further certificate authorities (PEM) for outbound requests.
    pub outbound_ca: Option<PathBuf>,
    /// Hosts with their ports that are spoken to in HTTP/2 where there is no TLS.
    pub outbound_h2c: Vec<String>,
    /// For resolving, connecting and the TLS handshake of an outbound request together.
    pub outbound_connect_timeout: Duration,
    /// From the connection, or the last progress of the request's body, until the answer's headers.
    pub outbound_header_timeout: Duration,
    /// Between two pieces of an answer's body.
    pub outbound_idle_timeout: Duration,
    /// For a whole request of our own: tokens, identity, revocation, metadata.
    pub outbound_total_timeout: Duration,
    /// For how long a process has the refresh of a connection to itself, unless it says again that it is at it.
    pub refresh_lease: Duration,
    /// Whether tokens are refreshed before calls have to wait for it.
    pub refresh_ahead: bool,
    /// How many threads serve proxied calls.
    pub proxy_threads: usize,
    /// Proxied calls per connection.
    pub proxy_rate_limit: Rate,
    /// Whether answers of the proxy say what is left of that.
    pub rate_limit_headers: bool,
    /// For how long a provider's word that it takes no calls is believed at most; `None` when each call is sent.
    pub proxy_wait_limit: Option<Duration>,
    /// Which calls get a row in the request log.
    pub request_log: Sampling,
    /// Proxied calls at once with one connection.
    pub proxy_connection_calls: Option<NonZeroU32>,
    /// Proxied calls at once to one host.
    pub proxy_provider_calls: Option<NonZeroU32>,
    /// Connections to the listeners at once.
    pub client_connections: Option<NonZeroU32>,
    /// From the first byte of a request's head to its last.
    pub client_header_timeout: Duration,
    /// Between two requests on a connection.
    pub client_idle_timeout: Duration,
    /// Between two pieces of a proxied call's body.
    pub client_body_timeout: Duration,
    /// How long whoever is sent an answer may take none of it.
    pub client_read_timeout: Duration,
    /// How long things are kept after their end.
    pub keep: Keep,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How much is logged, as `tracing_subscriber::EnvFilter` reads it.
    pub log: String,
    /// How long open requests may take to finish after the signal to stop.
    pub shutdown_timeout: Duration,
}

/// Settings, and what is odd but no error.
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// For the log, once there is one.
    pub warnings: Vec<String>,
}

/// Reads all four layers.
pub fn load(given: &Given) -> Result<Loaded, SettingError> {
    load_from(given, environment())
}

/// As [`load`], with the environment as a parameter.
pub fn load_from(
    given: &Given,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, SettingError> {
    let environment: BTreeMap<String, String> = environment.into_iter().collect();
    let mut layers = Layers::default();
    layers.add_file(DEFAULTS, "the defaults")?;
    let named = given
        .config
        .clone()
        .or_else(|| environment.get("CLAVIGER_CONFIG").filter(|p| !p.is_empty()).map(PathBuf::from));
    let file = named.clone().unwrap_or_else(|| PathBuf::from("claviger.toml"));
    if named.is_some() || file.exists() {
        let text = std::fs::read_to_string(&file).map_err(|e| {
            SettingError(format!("the configuration file {} can't be read: {e}", file.display()))
        })?;
        layers.add_file(&text, &file.display().to_string())?;
    }
    let mut warnings = layers.add_environment(&environment);
    for (name, text) in &given.flags {
        layers.add(name, text.clone(), format!("--{}", name.replace('_', "-")));
    }
    let settings = layers.settings()?;
    warnings.extend(settings.short_lease().map(|(says, remedy)| format!("{says}. {remedy}")));
    Ok(Loaded { settings, warnings })
}

impl Settings {
    /// What is wrong with a lease that ends before an answer has to be here, and what to do.
    pub fn short_lease(&self) -> Option<(String, &'static str)> {
        let (lease, answer) = (self.refresh_lease, self.outbound_total_timeout);
        let says = format!("refresh_lease ({lease:?}) is shorter than outbound_total_timeout ({answer:?})");
        let remedy = "A refresh at a slow provider may be taken for dead: give refresh_lease more.";
        (lease < answer).then_some((says, remedy))
    }

    /// What `serve` refuses to run with: an http public URL that is not loopback.
    pub fn check_public_urls(&self) -> Result<(), SettingError> {
        for (name, url) in [("public_url", &self.public_url), ("proxy_public_url", &self.proxy_public_url)] {
            if url.starts_with("http://") && !value::is_loopback_origin(url) {
                return Err(SettingError(format!(
                    "{name} = \"{url}\" is http, and not on loopback: tokens and codes would travel in the clear. \
                     Give an https:// URL (and tls_cert and tls_key, or a reverse proxy that speaks TLS)"
                )));
            }
        }
        Ok(())
    }

    /// The database URL without its password, to show.
    pub fn database_shown(&self) -> String {
        value::without_password(self.database_url.expose())
    }
}

/// The value of a variable of the environment; `None` when unset or not Unicode.
#[expect(clippy::disallowed_methods, reason = "this is the one module that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.starts_with("CLAVIGER_"))
}

/// One value as text, and where it came from.
struct Found {
    text: Secret,
    origin: String,
}

#[derive(Default)]
struct Layers {
    found: BTreeMap<&'static str, Found>,
}

impl Layers {
    fn add(&mut self, name: &str, text: Secret, origin: String) {
        if let Some(key) = KEYS.iter().find(|k| k.name == name) {
            self.found.insert(key.name, Found { text, origin });
        }
    }

    fn add_file(&mut self, text: &str, origin: &str) -> Result<(), SettingError> {
        // The parser's message may quote the line, and the line may be the key: only its place is told.
        let table: toml::Table = toml::from_str(text).map_err(|e: toml::de::Error| {
            let line = e.span().map_or(0, |s| text[..s.start].lines().count().max(1));
            SettingError(format!("{origin} is not TOML: line {line} can't be read"))
        })?;
        for (name, value) in table {
            let Some(key) = KEYS.iter().find(|k| k.name == name) else {
                return Err(SettingError(format!(
                    "{origin} has the setting \"{name}\", which does not exist{}",
                    value::did_you_mean(&name, KEYS.iter().map(|k| k.name))
                )));
            };
            let text = value::flatten(&value).ok_or_else(|| {
                SettingError(format!("{name} (from {origin}) must be a text, a number or a list of texts"))
            })?;
            self.add(key.name, Secret::new(text), origin.to_owned());
        }
        Ok(())
    }

    fn add_environment(&mut self, environment: &BTreeMap<String, String>) -> Vec<String> {
        let mut warnings = Vec::new();
        for (variable, text) in environment {
            let Some(name) = variable.strip_prefix("CLAVIGER_").map(str::to_lowercase) else { continue };
            if KEYS.iter().any(|k| k.name == name && k.variable() == *variable) {
                if !text.is_empty() {
                    self.add(&name, Secret::new(text), variable.clone());
                }
            } else if !OTHER_VARIABLES.contains(&variable.as_str()) && !variable.starts_with("CLAVIGER_TEST_")
            {
                let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
                let hint = value::did_you_mean(variable, known.iter().map(String::as_str));
                warnings.push(format!("the variable {variable} is not a setting and is ignored{hint}"));
            }
        }
        warnings
    }

    /// Reads a setting that has a value; the error says what would be right.
    fn read<T>(
        &self,
        name: &'static str,
        right: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, SettingError> {
        let Some(found) = self.found.get(name) else {
            return Err(SettingError(format!("{name} is not set: give {right}")));
        };
        parse(found.text.expose().trim()).ok_or_else(|| {
            let hidden = KEYS.iter().any(|k| k.name == name && k.secret);
            let shown = if hidden { String::new() } else { format!(" = {:?}", found.text.expose()) };
            SettingError(format!("{name}{shown} (from {}) is not right: give {right}", found.origin))
        })
    }

    fn optional(&self, name: &str) -> Option<&Found> {
        self.found.get(name).filter(|f| !f.text.expose().trim().is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.optional(name).map(|f| Path::new(f.text.expose().trim()).to_owned())
    }

    fn settings(&self) -> Result<Settings, SettingError> {
        let address = "an IP address and a port such as 127.0.0.1:8080";
        let address_or_off = "an IP address and a port such as 127.0.0.1:9090, or off";
        let origin =
            "an origin such as https://connect.example.com: http or https, a host, no path, query or user";
        let networks = "networks such as 10.0.0.0/8, or single addresses";
        Ok(Settings {
            database_url: self.read("database_url", "sqlite://PATH or postgres://…", value::database_url)?,
            database_connections: self.read("database_connections", "a number from 2 to 1000", |text| {
                text.parse().ok().filter(|n| (2..=1000).contains(n))
            })?,
            master_key: self.master_key()?,
            public_url: self.read("public_url", origin, value::origin)?,
            proxy_public_url: self.read("proxy_public_url", origin, value::origin)?,
            listen: self.read("listen", address, |t| t.parse().ok())?,
            proxy_listen: self.read("proxy_listen", address, |t| t.parse().ok())?,
            sandbox_listen: self.read("sandbox_listen", address, |t| t.parse().ok())?,
            metrics_listen: self
                .read("metrics_listen", address_or_off, |t| value::or_off(t, |t| t.parse().ok()))?,
            tls: self.tls()?,
            default_workspace: self.optional("default_workspace").map(|f| f.text.expose().trim().to_owned()),
            sessions: Lifetimes { idle: self.keep("session_idle")?, life: self.keep("session_life")? },
            trusted_proxies: self.read("trusted_proxies", networks, value::networks)?,
            outbound_allow: self.read("outbound_allow", networks, value::networks)?,
            outbound_ca: self.path("outbound_ca"),
            outbound_h2c: self.read("outbound_h2c", "hosts with ports: inner.example:80", value::hosts)?,
            outbound_connect_timeout: self.timeout("outbound_connect_timeout")?,
            outbound_header_timeout: self.timeout("outbound_header_timeout")?,
            outbound_idle_timeout: self.timeout("outbound_idle_timeout")?,
            outbound_total_timeout: self.timeout("outbound_total_timeout")?,
            refresh_lease: self.timeout("refresh_lease")?,
            refresh_ahead: self.read("refresh_ahead", "true or false", |text| text.parse().ok())?,
            proxy_threads: self.read("proxy_threads", "a number from 1 to 1024, or auto", value::threads)?,
            proxy_rate_limit: self.read(
                "proxy_rate_limit",
                "a count and a window such as 100/60s, or off",
                |t| t.parse().ok(),
            )?,
            rate_limit_headers: self.read("rate_limit_headers", "true or false", |text| text.parse().ok())?,
            proxy_wait_limit: self.timeout_or_off("proxy_wait_limit")?,
            proxy_connection_calls: self.count_or_off("proxy_connection_calls")?,
            proxy_provider_calls: self.count_or_off("proxy_provider_calls")?,
            client_connections: self.count_or_off("client_connections")?,
            client_header_timeout: self.timeout("client_header_timeout")?,
            client_idle_timeout: self.timeout("client_idle_timeout")?,
            client_body_timeout: self.timeout("client_body_timeout")?,
            client_read_timeout: self.timeout("client_read_timeout")?,
            keep: Keep {
                flows: self.keep("keep_flows")?,
                events: self.keep("keep_events")?,
                request_logs: self.keep("keep_request_logs")?,
                rollups: self.keep("keep_rollups")?,
                request_log_rows: self.rows("request_log_max_rows")?,
                rollup_rows: self.rows("rollup_max_rows")?,
            },
            request_log: Sampling {
                share: self.read(
                    "request_log_sample",
                    "a share such as 1%, 0.1% or 100%",
                    Sampling::share,
                )?,
                full_below: self.read("request_log_full_below", "a number, 0 or more", |t| t.parse().ok())?,
            },
            log_format: self.read("log_format", "text or json", LogFormat::parse)?,
            log: self.read(
                "log",
                "a level (error, warn, info, debug, trace) or filters such as info,hyper=warn",
                value::log_filter,
            )?,
            shutdown_timeout: self.read(
                "shutdown_timeout",
                "a time such as 20s, 500ms or 2m",
                value::duration,
            )?,
        })
    }

    fn keep(&self, name: &'static str) -> Result<Duration, SettingError> {
        self.read(name, "a time above zero such as 30d, 12h or 90m", |text| {
            value::duration(text).filter(|time| !time.is_zero())
        })
    }

    fn rows(&self, name: &'static str) -> Result<Option<i64>, SettingError> {
        self.read(name, "a number above zero, or off", |text| {
            value::or_off(text, |text| text.parse().ok().filter(|rows| *rows > 0))
        })
    }

    fn timeout(&self, name: &'static str) -> Result<Duration, SettingError> {
        self.read(name, "a time above zero such as 5s, 500ms or 2m", |text| {
            value::duration(text).filter(|time| !time.is_zero())
        })
    }

    fn timeout_or_off(&self, name: &'static str) -> Result<Option<Duration>, SettingError> {
        self.read(name, "a time above zero such as 30s or 1h, or off", |text| {
            value::or_off(text, |text| value::duration(text).filter(|time| !time.is_zero()))
        })
    }

    fn count_or_off(&self, name: &'static str) -> Result<Option<NonZeroU32>, SettingError> {
        self.read(name, "a number above zero, or off", |text| value::or_off(text, |text| text.parse().ok()))
    }

    fn master_key(&self) -> Result<Option<MasterKey>, SettingError> {
        match (self.optional("master_key"), self.optional("master_key_file")) {
            (Some(text), Some(file)) => Err(SettingError(format!(
                "master_key (from {}) and master_key_file (from {}) are both set: give one of them",
                text.origin, file.origin
            ))),
            (Some(text), None) => Ok(Some(MasterKey::Text {
                text: text.text.clone(),
                origin: format!("master_key (from {})", text.origin),
            })),
            (None, Some(file)) => Ok(Some(MasterKey::File {
                path: PathBuf::from(file.text.expose().trim()),
                origin: format!("master_key_file (from {})", file.origin),
            })),
            (None, None) => Ok(None),
        }
    }

    fn tls(&self) -> Result<Option<Tls>, SettingError> {
        match (self.path("tls_cert"), self.path("tls_key")) {
            (Some(cert), Some(key)) => Ok(Some(Tls { cert, key })),
            (None, None) => Ok(None),
            (cert, _) => {
                let (set, missing) =
                    if cert.is_some() { ("tls_cert", "tls_key") } else { ("tls_key", "tls_cert") };
                Err(SettingError(format!("{set} is set but {missing} is not: give both or neither")))
            }
        }
    }
}
