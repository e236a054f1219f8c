//! The YAML file: what it may say, and how its secrets are found.
//!
//! Unknown fields are refused with their path. An error quotes no value, for the value may be a secret.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use claviger_engine::{
    domain::{
        integration::{CallbackKind, Config, Mode},
        jwt_key::Algorithm,
        share,
        webhook::Format,
        workspace::{Completion, Hmac},
    },
    secret::Secret,
};
use serde::Deserialize;

use crate::config;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    pub(super) workspaces: Vec<Workspace>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workspace {
    /// By which it is found again.
    pub(super) client_id: String,
    pub(super) name: String,
    pub(super) jwt_secret: Option<Secret>,
    #[serde(default)]
    pub(super) settings: Settings,
    /// In whose name its pages speak. Absent: left as it is; else this is all of it.
    pub(super) brand: Option<Brand>,
    #[serde(default)]
    pub(super) redirect_uris: Vec<String>,
    /// The origins at which its own users reach us.
    #[serde(default)]
    pub(super) hosts: Vec<String>,
    #[serde(default)]
    pub(super) api_keys: Vec<ApiKey>,
    #[serde(default)]
    pub(super) jwt_keys: Vec<JwtKey>,
    /// OAuth apps that the workspace is lent.
    #[serde(default)]
    pub(super) apps: Vec<App>,
    #[serde(default)]
    pub(super) integrations: Vec<Integration>,
    #[serde(default)]
    pub(super) users: Vec<User>,
    #[serde(default)]
    pub(super) teams: Vec<Team>,
    #[serde(default)]
    pub(super) webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKey {
    /// By which it is found again.
    pub(super) name: String,
    /// The key's text, which the operator makes: `ck_` and at least 32 random letters and digits.
    pub(super) secret: Option<Secret>,
    /// Absent: management and proxy.
    pub(super) scopes: Option<Vec<String>>,
}

/// A public key that the product's tokens are verified with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JwtKey {
    /// By which it is found again, and by which tokens name it.
    pub(super) name: String,
    pub(super) algorithm: Algorithm,
    /// In PEM. No secret, but somebody may put the private half here.
    pub(super) public_key: Option<Secret>,
}

/// A setting that is absent is left as it is; on a new workspace it has its default.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) include_connection_id: Option<bool>,
    pub(super) include_external_id: Option<bool>,
    pub(super) completion: Option<Completion>,
    pub(super) allowed_origins: Option<Vec<String>>,
    pub(super) jwt: Jwt,
}

/// In whose name hosted pages speak.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Brand {
    pub(super) name: Option<String>,
    /// A picture's file, beside this one unless its path begins at the root.
    pub(super) logo: Option<PathBuf>,
    pub(super) colour: Option<String>,
    pub(super) language: Option<String>,
    /// What is in that file.
    #[serde(skip)]
    pub(super) picture: Option<Vec<u8>>,
}

/// Which of the product's tokens hold; likewise.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Jwt {
    pub(super) secret: Option<bool>,
    pub(super) algorithm: Option<Pinned>,
    pub(super) allow_without_exp: Option<bool>,
}

/// For which algorithm the workspace's secret is.
#[derive(Clone, Copy, Deserialize)]
pub(super) enum Pinned {
    /// For each that there is: how a file takes the choice back.
    #[serde(rename = "any")]
    Any,
    HS256,
    HS384,
    HS512,
}

impl From<Pinned> for Option<Hmac> {
    fn from(pinned: Pinned) -> Self {
        match pinned {
            Pinned::Any => None,
            Pinned::HS256 => Some(Hmac::HS256),
            Pinned::HS384 => Some(Hmac::HS384),
            Pinned::HS512 => Some(Hmac::HS512),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Integration {
    /// By which it is found again.
    pub(super) key: String,
    pub(super) provider: String,
    pub(super) name: Option<String>,
    /// Absent: left as it is, here and for what follows until `mode`.
    pub(super) description: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    /// A user's name or `team:` and a team's slug.
    pub(super) owner: Option<String>,
    pub(super) shares: Option<Vec<Share>>,
    pub(super) mode: Option<Mode>,
    pub(super) client_id: Option<Secret>,
    pub(super) client_secret: Option<Secret>,
    /// Absent: left as it is.
    pub(super) client_certificate: Option<ClientCertificate>,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    pub(super) callback: Option<CallbackKind>,
    #[serde(default)]
    pub(super) disabled: bool,
    #[serde(default)]
    pub(super) config: Config,
    /// Further ways to authenticate, in their order. Absent: left as they are.
    pub(super) auth_options: Option<Vec<AuthOption>>,
}

/// A further way to authenticate at an integration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthOption {
    /// By which it is found again.
    pub(super) key: String,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    /// Absent: the integration's.
    pub(super) provider: Option<String>,
    pub(super) client_id: Option<Secret>,
    /// Absent: left as it is, as what follows.
    pub(super) client_secret: Option<Secret>,
    pub(super) client_certificate: Option<ClientCertificate>,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    pub(super) callback: Option<CallbackKind>,
    #[serde(default)]
    pub(super) config: Config,
}

/// A client certificate and its private key, both in PEM; usually `${file:…}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientCertificate {
    /// With those between it and a root behind it.
    pub(super) certificate: Option<Secret>,
    pub(super) key: Option<Secret>,
}

impl ClientCertificate {
    fn resolve(of: &mut Option<Self>, at: &str, base: &Path) -> anyhow::Result<()> {
        let Some(Self { certificate, key }) = of else { return Ok(()) };
        resolve(certificate, &format!("{at}.client_certificate.certificate"), base)?;
        resolve(key, &format!("{at}.client_certificate.key"), base)
    }
}

/// An OAuth app of the operator's, which integrations name as `proxy_key`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    /// By which it is found again.
    pub(super) key: String,
    pub(super) provider: String,
    pub(super) client_id: Option<Secret>,
    /// Absent: left as it is.
    pub(super) client_secret: Option<Secret>,
}

/// With whom an integration is shared, and how far.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Share {
    /// A user's name or `team:` and a team's slug.
    pub(super) principal: String,
    pub(super) level: Level,
}

/// As the file spells [`share::Level`].
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Use,
    Edit,
    Manage,
}

impl From<Level> for share::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Use => Self::Use,
            Level::Edit => Self::Edit,
            Level::Manage => Self::Manage,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    /// By which it is found again.
    pub(super) username: String,
    /// Absent: left as it is, as the address and the password.
    pub(super) display_name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) password: Option<Secret>,
    #[serde(default)]
    pub(super) superuser: bool,
    #[serde(default)]
    pub(super) permissions: Vec<String>,
    #[serde(default)]
    pub(super) disabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Team {
    /// Its slug, by which it is found again.
    pub(super) id: String,
    /// Absent: left as it is; of a new team the slug.
    pub(super) name: Option<String>,
    /// Users' names. Absent: left as they are.
    pub(super) members: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    /// By which it is found again.
    pub(super) name: String,
    pub(super) url: String,
    /// Absent: left as it is; `bundleup` for a new one.
    pub(super) format: Option<Format>,
    pub(super) events: Vec<String>,
    pub(super) secret: Option<Secret>,
    #[serde(default)]
    pub(super) disabled: bool,
}

/// Reads the file.
pub(super) fn read(path: &Path) -> anyhow::Result<Wanted> {
    let text = fs::read_to_string(path).with_context(|| format!("{} can't be read", path.display()))?;
    let base = path.parent().unwrap_or(Path::new("."));
    parse(&text, base).with_context(|| path.display().to_string())
}

/// Reads the file's text; `base` is where relative `${file:…}` begin.
pub(super) fn parse(text: &str, base: &Path) -> anyhow::Result<Wanted> {
    let value: serde_json::Value = serde_saphyr::from_str(text).map_err(|e| {
        let place = e
            .location()
            .map_or_else(String::new, |l| format!(" at line {}, column {}", l.line(), l.column()));
        anyhow!("is not YAML that can be read{place}")
    })?;
    let mut wanted: Wanted = serde_path_to_error::deserialize(value)
        .map_err(|e| anyhow!("{}: {}", e.path(), without_values(&e.inner().to_string())))?;
    for (w, workspace) in wanted.workspaces.iter_mut().enumerate() {
        let at = format!("workspaces[{w}]");
        resolve(&mut workspace.jwt_secret, &format!("{at}.jwt_secret"), base)?;
        if let Some(brand) = &mut workspace.brand
            && let Some(path) = &brand.logo
        {
            let path = base.join(path);
            let read = fs::read(&path);
            brand.picture =
                Some(read.with_context(|| {
                    format!("{at}.brand.logo: the file {} can't be read", path.display())
                })?);
        }
        for (k, key) in workspace.api_keys.iter_mut().enumerate() {
            resolve(&mut key.secret, &format!("{at}.api_keys[{k}].secret"), base)?;
        }
        for (k, key) in workspace.jwt_keys.iter_mut().enumerate() {
            resolve(&mut key.public_key, &format!("{at}.jwt_keys[{k}].public_key"), base)?;
        }
        for (i, integration) in workspace.integrations.iter_mut().enumerate() {
            resolve(&mut integration.client_id, &format!("{at}.integrations[{i}].client_id"), base)?;
            resolve(&mut integration.client_secret, &format!("{at}.integrations[{i}].client_secret"), base)?;
            let of = &mut integration.client_certificate;
            ClientCertificate::resolve(of, &format!("{at}.integrations[{i}]"), base)?;
            for (o, option) in integration.auth_options.iter_mut().flatten().enumerate() {
                let at = format!("{at}.integrations[{i}].auth_options[{o}]");
                resolve(&mut option.client_id, &format!("{at}.client_id"), base)?;
                resolve(&mut option.client_secret, &format!("{at}.client_secret"), base)?;
                ClientCertificate::resolve(&mut option.client_certificate, &at, base)?;
            }
        }
        for (a, app) in workspace.apps.iter_mut().enumerate() {
            resolve(&mut app.client_id, &format!("{at}.apps[{a}].client_id"), base)?;
            resolve(&mut app.client_secret, &format!("{at}.apps[{a}].client_secret"), base)?;
        }
        for (u, user) in workspace.users.iter_mut().enumerate() {
            resolve(&mut user.password, &format!("{at}.users[{u}].password"), base)?;
        }
        for (h, webhook) in workspace.webhooks.iter_mut().enumerate() {
            resolve(&mut webhook.secret, &format!("{at}.webhooks[{h}].secret"), base)?;
        }
    }
    unique(&wanted)?;
    Ok(wanted)
}

/// Replaces `${env:NAME}` and `${file:PATH}` by what they stand for; anything else stands for itself.
fn resolve(secret: &mut Option<Secret>, at: &str, base: &Path) -> anyhow::Result<()> {
    let Some(given) = secret else { return Ok(()) };
    let Some(reference) = given.expose().strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
        return Ok(());
    };
    let found = match reference.split_once(':') {
        Some(("env", name)) => config::variable(name)
            .map(Secret::new)
            .ok_or_else(|| anyhow!("{at}: the variable {name} is not set"))?,
        Some(("file", path)) => {
            let path = base.join(path);
            let text = fs::read_to_string(&path)
                .map(Secret::new)
                .with_context(|| format!("{at}: the file {} can't be read", path.display()))?;
            Secret::new(text.expose().trim_end_matches(['\r', '\n']))
        }
        _ => return Err(anyhow!("{at}: a reference is ${{env:NAME}} or ${{file:PATH}}")),
    };
    anyhow::ensure!(!found.is_empty(), "{at}: what is referred to is empty");
    *secret = Some(found);
    Ok(())
}

/// Nothing may be named twice: the second would undo the first, each time.
fn unique(wanted: &Wanted) -> anyhow::Result<()> {
    let once = |at: &str, names: Vec<String>| {
        let mut sorted = names;
        sorted.sort();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(anyhow!("{at}: {:?} is named twice", pair[0])),
            None => Ok(()),
        }
    };
    once("workspaces", wanted.workspaces.iter().map(|w| w.client_id.clone()).collect())?;
    for w in &wanted.workspaces {
        let at = format!("workspace {}", w.client_id);
        once(&format!("{at}: redirect_uris"), w.redirect_uris.clone())?;
        once(&format!("{at}: hosts"), w.hosts.clone())?;
        once(&format!("{at}: api_keys"), w.api_keys.iter().map(|k| k.name.clone()).collect())?;
        once(&format!("{at}: jwt_keys"), w.jwt_keys.iter().map(|k| k.name.clone()).collect())?;
        once(&format!("{at}: apps"), w.apps.iter().map(|a| a.key.clone()).collect())?;
        once(&format!("{at}: integrations"), w.integrations.iter().map(|i| i.key.clone()).collect())?;
        for i in &w.integrations {
            let keys = i.auth_options.iter().flatten().map(|o| o.key.clone()).collect();
            once(&format!("{at}: integration {}: auth_options", i.key), keys)?;
        }
        once(&format!("{at}: users"), w.users.iter().map(|u| u.username.to_lowercase()).collect())?;
        once(&format!("{at}: teams"), w.teams.iter().map(|t| t.id.clone()).collect())?;
        once(&format!("{at}: webhooks"), w.webhooks.iter().map(|h| h.name.clone()).collect())?;
    }
    Ok(())
}

/// The reader's message quotes a value of the wrong type, which may be a secret in the wrong place.
fn without_values(message: &str) -> String {
    if message.starts_with("unknown variant") {
        let expected = message.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
        return format!("must be {expected}");
    }
    for kind in ["string", "integer", "floating point", "boolean"] {
        let begin = format!("invalid type: {kind}");
        if let Some(rest) = message.strip_prefix(&begin) {
            let expected = rest.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
            return format!("is a {kind}, expected {expected}");
        }
    }
    message.to_owned()
}
