//! `/connections/{selector}/proxy/{path*}`: calls of a connection's provider, by path or by whole URL.
//!
//! The engine makes the call and streams its answer, which goes out through [`sandboxed`]: it is a provider's, and
//! stands on our origin. Path, query and body are taken as they came.

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{
        self, HeaderMap, HeaderName, Uri,
        header::{ORIGIN, REFERER},
    },
};
use claviger_engine::{
    error::{Error, Result},
    id::RequestId,
    outbound,
    proxy::{self, Call, Caller, Target},
};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;

use super::{
    caller,
    error::{self, Answer, Problem},
};
use crate::{app::App, http::sandboxed};

/// What the contract does not pass on, besides what no door does.
const STAYS: [&str; 13] = [
    "cdn-loop",
    "cf-connecting-ip",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
    "membrane-api-version",
    "x-amzn-trace-id",
    "x-original-forwarded-for",
    "x-real-ip",
    "x-request-id",
    "x-request-start",
    "x-scheme",
    "x-using-nginx-controller",
];

/// Calls a connection's provider: any method, with path, query, headers and body as they come.
///
/// The answer is the provider's, also when it is an error: status, headers and body as they come, without what would
/// speak for this origin. Credentials are added here and refreshed when they are old. A whole URL may stand in place of
/// the path, as in `…/proxy/https://api.example.com/items?page=2`, below the base URL or on an allowed host.
#[utoipa::path(
    get,
    path = "/connections/{selector}/proxy/{path}",
    operation_id = "call_provider",
    tag = "connections",
    params(
        ("selector" = String, Path, description = "The connection's id; or the id or key of an integration at which the customer has exactly one."),
        ("path" = String, Path, description = "The path below the base URL, slashes and all; or a whole URL.")
    ),
    responses(
        (status = "default", description = "What the provider answered."),
        (status = 400, body = Problem, description = "The path could lead out of the base URL, the URL is on a host that is not allowed, there are several connections, or the connection must be authorized again (`connection`, `connection_is_defunct`)."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The connection is frozen."),
        (status = 404, body = Problem, description = "There is no such connection for the caller."),
        (status = 429, body = Problem, description = "Too many calls with this connection (`bad_request`), or its provider said to wait (`connection`); `Retry-After` says when to go on."),
        (status = 502, body = Problem, description = "The provider can't be reached."),
        (status = 504, body = Problem, description = "The provider did not answer in time.")
    )
)]
pub async fn forward(
    State(app): State<App>,
    caller::Caller(holder): caller::Caller,
    Extension(request_id): Extension<RequestId>,
    asked: Request,
) -> Answer {
    let (selector, target) = split(asked.uri())?;
    let (mut parts, body) = asked.into_parts();
    parts.headers = passing(&parts.headers);
    let target = match target {
        Asked::Path(uri) => {
            parts.uri = uri;
            Target::Path
        }
        Asked::Url(url) => Target::Url(url),
    };
    let body = outbound::Body::new(body.map_err(Into::into));
    let call = Call {
        caller: Caller::Customer { holder, selector },
        target,
        max_retries: None,
        request: http::Request::from_parts(parts, body),
        request_id,
        said: error::said,
    };
    let answer = match proxy::forward(&app.broker, call).await {
        Ok(answer) => answer,
        Err(error) => {
            let mut answer = error::answer(&error);
            app.broker.quota.refuse(answer.headers_mut(), &error);
            return Ok(answer);
        }
    };
    let mut answer = sandboxed::answer(answer.map(Body::new));
    // A client follows a redirect with the product's token; of ours, no provider may have it call anything.
    sandboxed::lead_away(answer.headers_mut(), &app.broker.urls.app);
    Ok(answer)
}

/// Where a call is to go.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// Below the base URL.
    Path(Uri),
    /// To a URL that is named whole.
    Url(String),
}

/// The connection that is meant, and what is asked of its provider, byte for byte.
fn split(uri: &Uri) -> Result<(String, Asked)> {
    let nothing = || Error::NotFound { what: "connection" };
    let rest = uri.path().strip_prefix("/connections/").ok_or_else(nothing)?;
    let (selector, rest) = rest.split_once('/').ok_or_else(nothing)?;
    let selector = percent_decode_str(selector).decode_utf8().map_err(|_| nothing())?.into_owned();
    let path = rest.strip_prefix("proxy").ok_or_else(nothing)?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let url = path.trim_start_matches('/');
    if path.len() - url.len() <= 1 && ["https:", "http:"].iter().any(|scheme| starts_with(url, scheme)) {
        return Ok((selector, Asked::Url(format!("{url}{query}"))));
    }
    let slash = if path.is_empty() { "/" } else { "" };
    let target = format!("{slash}{path}{query}").parse();
    Ok((selector, Asked::Path(target.map_err(|_| Error::invalid("path", "Is not one"))?)))
}

fn starts_with(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

/// The headers that go on to the proxy: none that tells of the page that asked, or of what stands before us.
fn passing(from: &HeaderMap) -> HeaderMap {
    let stays = |name: &HeaderName| {
        let text = name.as_str();
        [ORIGIN, REFERER].contains(name) || STAYS.contains(&text) || text.starts_with("sec-")
    };
    from.iter().filter(|(name, _)| !stays(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_are_taken_as_they_are() {
        let path = |text: &str| Asked::Path(text.parse().expect("a path"));
        let url = |text: &str| Asked::Url(text.to_owned());
        for (asked, selector, target) in [
            ("/connections/conn_1/proxy/crm/v3/owners/?a=b", "conn_1", path("/crm/v3/owners/?a=b")),
            ("/connections/c%72m/proxy/a%2Fb//c%ff/?x=%20&&y", "crm", path("/a%2Fb//c%ff/?x=%20&&y")),
            ("/connections/c/proxy", "c", path("/")),
            ("/connections/c/proxy?a=b", "c", path("/?a=b")),
            ("/connections/c/proxy/", "c", path("/")),
            ("/connections/c/proxy//evil.test/x", "c", path("//evil.test/x")),
            ("/connections/c/proxy/proxy/x", "c", path("/proxy/x")),
            ("/connections/c/proxy/httpsx/y", "c", path("/httpsx/y")),
            ("/connections/c/proxy/https://api.test/x//y?a=%2F", "c", url("https://api.test/x//y?a=%2F")),
            ("/connections/c/proxy/https://api.test?a", "c", url("https://api.test?a")),
            ("/connections/c/proxy/HTTP://api.test/", "c", url("HTTP://api.test/")),
            ("/connections/c/proxy/https:/api.test/x", "c", url("https:/api.test/x")),
            ("https://app.test/connections/c/proxy/a?b", "c", path("/a?b")),
        ] {
            let found = split(&asked.parse().expect("a URL")).expect("it is read");
            assert_eq!(found, (selector.to_owned(), target), "{asked}");
        }
        assert!(split(&"/connections/%ff/proxy/x".parse().expect("a URL")).is_err());
    }

    #[test]
    fn what_tells_of_the_way_to_us_stays_here() {
        let of = |names: &[&str]| -> HeaderMap {
            let name = |name: &&str| HeaderName::from_bytes(name.as_bytes()).expect("a name");
            names.iter().map(|one| (name(one), http::HeaderValue::from_static("x"))).collect()
        };
        let stays = [&STAYS[..], &["origin", "referer", "sec-fetch-site", "sec-ch-ua"]].concat();
        assert!(passing(&of(&stays)).is_empty());
        let goes = ["accept", "content-type", "x-custom", "if-match", "user-agent"];
        assert_eq!(passing(&of(&goes)), of(&goes));
    }
}
