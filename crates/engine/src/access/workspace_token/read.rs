//! Reading a workspace token: three parts of base64url, a header, and the claims of both generations of SDKs.
//!
//! Pure, and before anything is verified: what is read here is a stranger's word until the signature holds.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::customer::{self, NAME_MAX};

/// A token in its parts (RFC 7515 §3.1).
pub(super) struct Token<'a> {
    /// What is signed: header and claims as they came.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    header: Vec<u8>,
    claims: Vec<u8>,
}

/// What a token says of its signature.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    /// Which key, by its name with us.
    #[serde(default)]
    pub(super) kid: Option<String>,
    /// What must be understood; nothing is (RFC 7515 §4.1.11).
    #[serde(default)]
    crit: Option<Value>,
}

/// What a token says. Times are seconds since the epoch (RFC 7519 §2, NumericDate).
pub(super) struct Claims {
    /// The workspace's key: its client id.
    pub(super) workspace: String,
    pub(super) who: For,
    pub(super) ends: Option<f64>,
    pub(super) not_before: Option<f64>,
    pub(super) issued: Option<f64>,
}

/// For whom it speaks.
pub(super) enum For {
    Customer(Told),
    Admin,
    Workspace,
}

/// What it tells of its customer.
pub(super) struct Told {
    pub(super) key: String,
    pub(super) name: Option<String>,
    pub(super) fields: Option<Map<String, Value>>,
}

/// The claims as they are written. A name that comes twice is refused by the reader. What no SDK is known to rely on is
/// read loosely: a name of the wrong type is no reason to shut a customer out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    workspace_key: Option<String>,
    iss: Option<Value>,
    id: Option<Value>,
    tenant_key: Option<Value>,
    name: Option<Value>,
    fields: Option<Value>,
    is_admin: Option<Value>,
    sub: Option<Value>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl<'a> Token<'a> {
    /// Splits a token; `None` unless it has three parts and all are base64url without padding.
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self { signed, signature: decode(signature)?, header: decode(header)?, claims: decode(claims)? })
    }

    /// The header; `None` for one that is unreadable or wants something understood.
    pub(super) fn header(&self) -> Option<Header> {
        let header: Header = serde_json::from_slice(&self.header).ok()?;
        header.crit.is_none().then_some(header)
    }

    /// The claims; `None` for such that can't be read, or name no workspace.
    pub(super) fn claims(&self) -> Option<Claims> {
        let written: Written = serde_json::from_slice(&self.claims).ok()?;
        let issuer = written.iss.as_ref().and_then(Value::as_str);
        let workspace = written.workspace_key.as_deref().or(issuer)?.to_owned();
        Some(Claims {
            workspace,
            ends: written.exp,
            not_before: written.nbf,
            issued: written.iat,
            who: who(written)?,
        })
    }
}

/// Two ids that differ name nobody, and neither does one that is none.
fn who(written: Written) -> Option<For> {
    let given = |id: Option<Value>| id.filter(|id| !id.is_null());
    let key = match (given(written.id), given(written.tenant_key)) {
        (None, None) if admin(written.is_admin.as_ref()) => return Some(For::Admin),
        // Tokens that we make ourselves, for APIs to know whom they are called for, say so by `sub`: whoever is called
        // must not call here with them.
        (None, None) if given(written.sub).is_some() => return None,
        (None, None) => return Some(For::Workspace),
        (Some(one), Some(other)) if one != other => return None,
        (Some(id), _) | (None, Some(id)) => key(&id)?,
    };
    let fields = written.fields.and_then(|fields| match fields {
        Value::Object(fields) if customer::fits(&fields) => Some(fields),
        _ => None,
    });
    Some(For::Customer(Told { key, name: written.name.as_ref().and_then(name), fields }))
}

fn key(id: &Value) -> Option<String> {
    let text = match id {
        Value::String(text) => text.clone(),
        Value::Number(number) if !number.is_f64() => number.to_string(),
        _ => return None,
    };
    customer::is_key(&text).then_some(text)
}

/// Nothing but these makes an admin: a `0` or `"false"` is not empty either.
fn admin(claim: Option<&Value>) -> bool {
    match claim {
        Some(Value::Bool(yes)) => *yes,
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        Some(Value::String(text)) => matches!(text.as_str(), "1" | "true"),
        _ => false,
    }
}

/// A name on one line, cut where it is too long.
fn name(claim: &Value) -> Option<String> {
    let name: String = claim.as_str()?.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect();
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
