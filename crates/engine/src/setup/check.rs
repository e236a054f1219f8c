//! What single values may look like. Pure.

use url::{Host, Url};

use crate::{
    domain::workspace::{Brand, LANGUAGES, Settings},
    error::{Error, Result},
    secret::Secret,
};

/// Characters of the longest name.
const NAME_MAX: usize = 200;
/// Characters of the longest description.
const DESCRIPTION_MAX: usize = 2000;
/// The most tags, and the characters of the longest.
const TAGS_MAX: (usize, usize) = (50, 64);
/// Bytes of the longest URI.
const URI_MAX: usize = 2048;
/// Characters of the shortest password.
pub const PASSWORD_MIN: usize = 12;
/// Characters of the longest password; more would be work for an attacker to give us.
const PASSWORD_MAX: usize = 1024;
/// Characters of the shortest signing secret: 128 bits in base64.
const SIGNING_MIN: usize = 22;
/// Schemes that run or read something in the browser instead of going somewhere.
const NO_TARGET: [&str; 9] =
    ["javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source", "ws"];

/// A name for people: not empty, not endless, one line.
pub fn name(field: &'static str, text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_MAX || text.chars().any(char::is_control) {
        return Err(Error::invalid(field, format!("must be one line of 1 to {NAME_MAX} characters")));
    }
    Ok(text.to_owned())
}

/// What something is for: a sentence or two, on as many lines as it takes.
pub fn description(text: Option<&str>) -> Result<()> {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.is_some_and(|text| text.chars().count() > DESCRIPTION_MAX || text.contains(odd)) {
        let message = format!("must have at most {DESCRIPTION_MAX} characters, and no control characters");
        return Err(Error::invalid("description", message));
    }
    Ok(())
}

/// Words to sort by: each on one line, none twice.
pub fn tags(tags: &[String]) -> Result<()> {
    let (most, longest) = TAGS_MAX;
    let well = |tag: &String| {
        (1..=longest).contains(&tag.chars().count())
            && !tag.chars().any(char::is_control)
            && tag.trim() == tag
    };
    let twice = tags.iter().enumerate().any(|(n, tag)| tags[..n].contains(tag));
    if tags.len() > most || twice || !tags.iter().all(well) {
        let message = format!("must be at most {most} different words of 1 to {longest} characters");
        return Err(Error::invalid("tags", message));
    }
    Ok(())
}

/// A public client id: `[A-Za-z0-9_-]{1,64}`.
pub fn client_id(text: String) -> Result<String> {
    let well = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if well {
        Ok(text)
    } else {
        Err(Error::invalid("client_id", "must be 1 to 64 of letters, digits, _ and -"))
    }
}

/// An integration's key: `[a-z0-9][a-z0-9_-]{0,63}`, and not of the form of an id.
pub fn slug(text: &str) -> Result<()> {
    word("key", text)?;
    if crate::id::IntegrationId::parse(text).is_some() {
        return Err(Error::invalid("key", "must not look like an integration's id"));
    }
    Ok(())
}

/// A team's slug: written as an integration's key.
pub fn team(slug: &str) -> Result<()> {
    word("team", slug)
}

fn word(field: &'static str, text: &str) -> Result<()> {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
    if !(first && rest && text.len() <= 64) {
        return Err(Error::invalid(
            field,
            "must be 1 to 64 of a-z, 0-9, _ and -, and begin with a letter or digit",
        ));
    }
    Ok(())
}

/// A redirect URI, kept and compared character for character (RFC 9700 §4.1.3).
///
/// http and https with a host and nothing before it, or a scheme of an app (RFC 8252 §7.1). No fragment, no
/// control character, space or backslash, nothing outside ASCII, at most 2,048 bytes.
pub fn redirect_uri(uri: &str) -> Result<()> {
    let wrong = |what: &str| Err(Error::invalid("redirect_uri", format!("{what}: {}", shown(uri))));
    if uri.is_empty() || uri.len() > URI_MAX {
        return wrong("must have 1 to 2,048 bytes");
    }
    if uri.bytes().any(|b| !b.is_ascii_graphic() || b == b'\\') {
        return wrong("must not contain spaces, control characters, backslashes or anything outside ASCII");
    }
    if uri.contains('#') {
        return wrong("must not have a fragment");
    }
    let Ok(url) = Url::parse(uri) else {
        return wrong("must be an absolute URI such as https://app.example/done");
    };
    if matches!(url.scheme(), "http" | "https") {
        let spelled = uri
            .get(..url.scheme().len() + 3)
            .is_some_and(|s| s.eq_ignore_ascii_case(&format!("{}://", url.scheme())));
        if !spelled || url.host().is_none() || authority(uri).is_empty() {
            return wrong("must name a host: https://app.example/done");
        }
        if !url.username().is_empty() || url.password().is_some() || authority(uri).contains('@') {
            return wrong("must not have a user name or password");
        }
    } else if NO_TARGET.contains(&url.scheme()) || url.scheme() == "wss" {
        return wrong("this scheme is not one that a browser may be sent to");
    }
    Ok(())
}

/// A URL that requests of ours go to: https, or http on a literal loopback address or `localhost`.
pub fn url(field: &'static str, text: &str) -> Result<Url> {
    let wrong = |what: &str| Err(Error::invalid(field, format!("{what}: {}", shown(text))));
    if text.len() > URI_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return wrong(
            "must be a URL of at most 2,048 bytes without spaces, control characters or backslashes",
        );
    }
    let Ok(url) = Url::parse(text) else {
        return wrong("must be an absolute URL such as https://api.example.com");
    };
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if !(url.scheme() == "https" || url.scheme() == "http" && loopback) {
        return wrong("must be https (http is for loopback only)");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return wrong("must not have a user name, a password or a fragment");
    }
    Ok(url)
}

/// A workspace's settings: allowed origins are origins, and a brand is one.
pub fn settings(settings: &Settings) -> Result<()> {
    settings.allowed_origins.iter().try_for_each(|it| origin("settings.allowed_origins", it))?;
    brand(&settings.brand)
}

/// In whose name pages speak: a name of one line, a colour as `#rrggbb`, a language of ours.
fn brand(brand: &Brand) -> Result<()> {
    brand.name.as_deref().map(|it| name("brand.name", it)).transpose()?;
    let digits = |it: &str| it.len() == 6 && it.bytes().all(|b| b.is_ascii_hexdigit());
    if brand.colour.as_deref().is_some_and(|it| !it.strip_prefix('#').is_some_and(digits)) {
        return Err(Error::invalid("brand.colour", "must be a colour such as #0b5fff"));
    }
    if brand.language.as_deref().is_some_and(|it| !LANGUAGES.contains(&it)) {
        let message = format!("must be one of {}", LANGUAGES.join(", "));
        return Err(Error::invalid("brand.language", message));
    }
    Ok(())
}

/// The origin of a host of ours: https, or http on loopback.
pub fn host_origin(text: &str) -> Result<()> {
    url("hosts", text)?;
    origin("hosts", text)
}

/// An origin, spelled as browsers spell it.
fn origin(field: &'static str, text: &str) -> Result<()> {
    let same = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == *text
    });
    if same {
        return Ok(());
    }
    let message =
        format!("must be origins such as https://app.example, without a slash at the end: {}", shown(text));
    Err(Error::invalid(field, message))
}

/// A user name: one line without spaces.
pub fn username(text: &str) -> Result<String> {
    let text = name("username", text)?;
    if text.chars().any(char::is_whitespace) || text.contains(':') {
        return Err(Error::invalid("username", "must not contain spaces or colons"));
    }
    Ok(text)
}

/// An e-mail address, as far as it can be told without sending to it.
pub fn email(text: &str) -> Result<String> {
    let text = name("email", text)?;
    let well = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if !well || text.contains(char::is_whitespace) {
        return Err(Error::invalid("email", "must look like name@host"));
    }
    Ok(text)
}

/// A password: long enough, not endless.
pub fn password(plain: &Secret) -> Result<()> {
    if (PASSWORD_MIN..=PASSWORD_MAX).contains(&plain.expose().chars().count()) {
        return Ok(());
    }
    Err(Error::invalid("password", format!("must have {PASSWORD_MIN} to {PASSWORD_MAX} characters")))
}

/// An API key that someone else chose: `ck_` and at least 32 letters and digits. Gives its prefix.
pub fn api_key(text: &Secret) -> Result<String> {
    let rest = text.expose().strip_prefix("ck_").unwrap_or_default();
    if (32..=120).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(text.expose().chars().take(crate::access::PREFIX).collect());
    }
    Err(Error::invalid("secret", "must be ck_ and 32 to 120 random letters and digits"))
}

/// A secret that someone else chose and that signatures will rest on.
pub fn signing_secret(field: &'static str, secret: Secret) -> Result<Secret> {
    if secret.expose().chars().count() >= SIGNING_MIN {
        return Ok(secret);
    }
    Err(Error::invalid(field, format!("must have at least {SIGNING_MIN} characters")))
}

/// What stands between `//` and the path.
fn authority(uri: &str) -> &str {
    let after = uri.split_once("//").map_or("", |(_, rest)| rest);
    after.split(['/', '?']).next().unwrap_or_default()
}

/// A text as an error may quote it: without its query, what stands before an `@`, and control characters, and not
/// endless.
fn shown(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let text = text.rsplit('@').next().unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}
