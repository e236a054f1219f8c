//! The site: whose users a request can come from, and under which origin their browsers reach us.
//!
//! The workspace that has the request's host registered; else the one that is set (`default_workspace`); else the only
//! one there is. The host only chooses among what is registered: no URL is ever made of it.

use axum::http::{header::HOST, request::Parts};
use claviger_engine::{
    error::{Error, Result},
    id::WorkspaceId,
};

use crate::app::App;

/// Whose users call here, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Their workspace.
    pub workspace: WorkspaceId,
    /// The origin of our pages as they see it, without a slash at its end.
    pub origin: String,
}

impl Site {
    /// Whether browsers reach it over https.
    pub fn https(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

/// The site that a request came to.
///
/// # Errors
/// `Invalid` when it can't be told which workspace is meant.
pub async fn find(app: &App, parts: &Parts) -> Result<Site> {
    let mut conn = app.broker.store.read().await?;
    if let Some(host) = host(parts)
        && let Some((workspace, origin)) = conn.any_workspace_host(&host).await?
    {
        return Ok(Site { workspace, origin });
    }
    let workspace = match &app.default_workspace {
        Some(client_id) => conn.any_workspace_by_client_id(client_id).await?,
        None => conn.any_only_workspace().await?,
    };
    let workspace = workspace.ok_or_else(|| {
        let message = "It is not known whose users sign in here: set `default_workspace`, or register this host for a \
                       workspace";
        Error::invalid("host", message)
    })?;
    Ok(Site { workspace: workspace.id, origin: app.broker.urls.app.clone() })
}

/// The host and port that the request names, as origins are written: in lower case, without a port that goes without
/// saying.
fn host(parts: &Parts) -> Option<String> {
    let mut lines = parts.headers.get_all(HOST).iter();
    let named = match (parts.uri.authority(), lines.next(), lines.next()) {
        (Some(authority), ..) => authority.as_str(),
        (None, Some(line), None) => line.to_str().ok()?,
        _ => return None,
    };
    let named = named.to_ascii_lowercase();
    let bare = named.strip_suffix(":443").or_else(|| named.strip_suffix(":80"));
    Some(bare.map_or(named.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn the_host_is_what_the_request_names_once() {
        let host = |target: &str, lines: &[&str]| {
            let request = lines.iter().fold(Request::builder().uri(target), |r, line| r.header(HOST, *line));
            host(&request.body(()).expect("a request").into_parts().0)
        };
        assert_eq!(host("/", &["Acme.Test:8443"]).as_deref(), Some("acme.test:8443"));
        assert_eq!(host("/", &["acme.test:443"]).as_deref(), Some("acme.test"));
        assert_eq!(host("/", &["acme.test:80"]).as_deref(), Some("acme.test"));
        assert_eq!(host("http://acme.test/api", &["other.test"]).as_deref(), Some("acme.test"));
        assert_eq!(host("/", &["a.test", "b.test"]), None);
        assert_eq!(host("/", &[]), None);
    }
}
