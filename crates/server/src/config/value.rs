//! How a single setting is read from its text. Pure; says `None` where the text is not right.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use claviger_engine::secret::Secret;
use ipnet::IpNet;
use url::{Host, Url};

use super::SettingError;

/// Where the root keys are. They are read when the vault is opened, so that `doctor` can say what is wrong.
pub enum MasterKey {
    /// Given directly.
    Text {
        /// The keys.
        text: Secret,
        /// The setting and where it came from, for errors.
        origin: String,
    },
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// The setting and where it came from, for errors.
        origin: String,
    },
}

impl MasterKey {
    /// The keys' text.
    pub fn read(&self) -> Result<Secret, SettingError> {
        match self {
            Self::Text { text, .. } => Ok(text.clone()),
            Self::File { path, origin } => {
                let text = std::fs::read_to_string(path).map(Secret::new).map_err(|e| {
                    SettingError(format!("{origin}: the file {} can't be read: {e}", path.display()))
                })?;
                Ok(Secret::new(text.expose().trim()))
            }
        }
    }

    /// The setting and where it came from, for errors.
    pub fn origin(&self) -> &str {
        let (Self::Text { origin, .. } | Self::File { origin, .. }) = self;
        origin
    }
}

/// The PEM files of a listener.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Reads `text` or `json`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A database URL of a kind that we know.
pub(super) fn database_url(text: &str) -> Option<Secret> {
    let path = text.strip_prefix("sqlite://").is_some_and(|path| !path.is_empty());
    let server =
        ["postgres://", "postgresql://"].iter().any(|s| text.starts_with(s)) && Url::parse(text).is_ok();
    (path || server).then(|| Secret::new(text))
}

/// The database URL without its password.
pub(super) fn without_password(text: &str) -> String {
    if text.starts_with("sqlite://") {
        return text.to_owned();
    }
    Url::parse(text).ok().map_or_else(
        || "a database URL that can't be read".to_owned(),
        |mut url| {
            let had = url.password().is_some();
            let hidden = !had || url.set_password(Some("***")).is_ok();
            // A password may also stand in the query.
            url.set_query(None);
            if hidden { url.to_string() } else { "postgres://…".to_owned() }
        },
    )
}

/// An origin: scheme, host, port, nothing else. Without the slash at the end.
pub(super) fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    bare.then(|| url.origin().ascii_serialization())
}

/// Whether an origin is this machine itself.
pub fn is_loopback_origin(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else { return false };
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// `off`, or what `parse` reads.
pub(super) fn or_off<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if matches!(text, "off" | "") { Some(None) } else { parse(text).map(Some) }
}

/// Hosts separated by commas, each with its port.
pub(super) fn hosts(text: &str) -> Option<Vec<String>> {
    let plain = |host: &str| {
        let url = Url::parse(&format!("http://{host}")).ok()?;
        let told = host.rsplit_once(':')?.1.parse::<u16>().ok()?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && !host.ends_with('/');
        (bare && url.query().is_none() && url.fragment().is_none() && told > 0).then(|| host.to_owned())
    };
    text.split(',').map(str::trim).filter(|host| !host.is_empty()).map(plain).collect()
}

/// Networks separated by commas; a single address is a network of one.
pub(super) fn networks(text: &str) -> Option<Vec<IpNet>> {
    text.split(',')
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .map(|t| t.parse::<IpNet>().ok().or_else(|| t.parse::<IpAddr>().ok().map(IpNet::from)))
        .collect()
}

/// A number of threads; `auto` is as many as there are cores for this process.
pub(super) fn threads(text: &str) -> Option<usize> {
    if text == "auto" {
        return Some(std::thread::available_parallelism().map_or(1, usize::from));
    }
    text.parse().ok().filter(|n| (1..=1024).contains(n))
}

/// `20s`, `500ms`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let count: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    count.checked_mul(unit).map(Duration::from_millis)
}

/// A level or filters, as the log understands them.
pub(super) fn log_filter(text: &str) -> Option<String> {
    let known = |level: &str| matches!(level, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let well = !text.is_empty()
        && text.split(',').all(|part| known(part.rsplit('=').next().unwrap_or(part).trim()))
        && tracing_subscriber::EnvFilter::try_new(text).is_ok();
    well.then(|| text.to_owned())
}

/// A TOML value as one text: lists joined by commas.
pub(super) fn flatten(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        toml::Value::Array(items) => {
            items.iter().map(toml::Value::as_str).collect::<Option<Vec<_>>>().map(|items| items.join(","))
        }
        _ => None,
    }
}

/// ` (did you mean "…"?)` when one of `known` is close to `name`.
pub(super) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|k| (distance(name, k), k))
        .filter(|(d, _)| *d <= 3)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| format!(" (did you mean {k}?)"))
        .unwrap_or_default()
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}
