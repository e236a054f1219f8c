//! Requests by integration: `POST /api/integrations/{id}/request` and `GET /api/integrations/{id}/request/{path*}`.
//!
//! The engine makes the call and streams its answer, which goes out through [`sandboxed`]: it is a provider's, and
//! stands on our origin. What the browser sent along with `GET` for us alone never goes on.

mod wanted;

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{
        self, HeaderMap, HeaderName, Method, StatusCode, Uri,
        header::{CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, REFERER, TRANSFER_ENCODING},
    },
    response::Response,
};
use claviger_engine::{
    access::{By, Member},
    error::{Error, Result},
    id::RequestId,
    outbound,
    proxy::{self, Call, Caller, Target},
};
use percent_encoding::percent_decode_str;

use self::wanted::Wanted;
use super::{
    asked::{self, Named},
    caller::Reading,
    error::{self, Answer, problem},
};
use crate::{
    app::App,
    http::{csrf, sandboxed},
};

/// The most bytes of a request in JSON.
pub const BODY: usize = 10 * 1024 * 1024;

/// A request to make.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it only describes what `wanted` reads")]
pub struct Asked {
    /// `GET` (when left out), `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`.
    #[schema(example = "GET")]
    method: Option<String>,
    /// Relative to the integration's base URL, written behind it; or a whole `https` URL below it or on an allowed host.
    #[schema(example = "/files?pageSize=10")]
    url: String,
    /// Headers by name: texts, numbers, `true` or `false`; `null` is left out.
    #[schema(value_type = Option<Object>, example = json!({ "Accept": "application/json" }))]
    headers: Option<()>,
    /// The body. A text goes as it is, anything else as the JSON that it is written as.
    #[schema(value_type = Option<Value>)]
    data: Option<()>,
    /// Parameters added to the URL's query. A list is sent item by item as `name[]`; `null` is left out.
    #[schema(value_type = Option<Object>)]
    params: Option<()>,
}

/// Makes a request of a provider, with the caller's connection.
///
/// The answer is the provider's: status, headers and body as they come, without what would speak for this origin.
/// Credentials are added here, refreshed when they are old; those that the caller sends along stay here. A token that
/// only reads makes `GET` and `HEAD` requests.
#[utoipa::path(
    post,
    path = "/api/integrations/{id}/request",
    operation_id = "request",
    tag = "requests",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    request_body = Asked,
    responses(
        (status = "default", description = "What the provider answered."),
        (status = 400, body = error::Problem, description = "The request is not one, or its URL is on a host that the integration does not allow."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The token only reads, the page that asks is another site's, or the connection is frozen."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller, or no connection yet."),
        (status = 409, body = error::Problem, description = "The connection must be authorized again."),
        (status = 413, body = error::Problem, description = "The request is larger than 10 MiB."),
        (status = 429, body = error::Problem, description = "Too many requests with this connection, or its provider said to wait; `Retry-After` says when to go on."),
        (status = 502, body = error::Problem, description = "The provider can't be reached."),
        (status = 504, body = error::Problem, description = "The provider did not answer in time.")
    )
)]
pub async fn named(
    State(app): State<App>,
    Reading(member): Reading,
    Named(id): Named<String>,
    Extension(request_id): Extension<RequestId>,
    asked::Body(body): asked::Body,
) -> Answer {
    let Wanted { method, url, mut headers, data } = Wanted::read(&body)?;
    // How the request is framed follows from the data.
    for framing in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(framing);
    }
    if !method.is_safe() {
        member.require_writing()?;
    }
    let headless = method == Method::HEAD;
    let mut request = http::Request::new(outbound::full(data));
    *request.method_mut() = method;
    *request.headers_mut() = headers;
    let mut answer = forward(&app, member, id, Target::Url(url), request, request_id).await;
    if headless {
        // It is the length of what GET would bring; as the answer to POST it would announce a body (HTTP/2 minds).
        answer.headers_mut().remove(CONTENT_LENGTH);
    }
    Ok(answer)
}

/// Makes a `GET` request of a provider, with the caller's connection: path and query go behind the base URL as they
/// are.
///
/// With a session's cookie it is answered to pages of this site alone. All else is as for `POST`.
#[utoipa::path(
    get,
    path = "/api/integrations/{id}/request/{path}",
    operation_id = "request_path",
    tag = "requests",
    params(
        ("id" = String, Path, description = "The integration's id or slug."),
        ("path" = String, Path, description = "The path below the base URL, slashes and all.")
    ),
    responses(
        (status = "default", description = "What the provider answered."),
        (status = 400, body = error::Problem, description = "The path could lead out of the base URL."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The page that asks is another site's, or the connection is frozen."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller, or no connection yet."),
        (status = 409, body = error::Problem, description = "The connection must be authorized again."),
        (status = 429, body = error::Problem, description = "Too many requests with this connection, or its provider said to wait; `Retry-After` says when to go on."),
        (status = 502, body = error::Problem, description = "The provider can't be reached."),
        (status = 504, body = error::Problem, description = "The provider did not answer in time.")
    )
)]
pub async fn path(
    State(app): State<App>,
    Reading(member): Reading,
    Extension(request_id): Extension<RequestId>,
    asked: Request,
) -> Answer {
    // A browser shows a password that it knows as it shows a cookie; a token is somebody's who meant this.
    if !matches!(member.by, By::Token { .. }) && csrf::is_led_here(asked.headers()) {
        let message =
            "Another site made the browser ask: only pages of this one may, or call with an API token";
        return Err(Error::Denied { message: message.to_owned() }.into());
    }
    let (id, target) = split(asked.uri())?;
    let mut request = http::Request::new(outbound::empty());
    *request.method_mut() = if asked.method() == Method::HEAD { Method::HEAD } else { Method::GET };
    *request.uri_mut() = target;
    *request.headers_mut() = passing(asked.headers());
    Ok(forward(&app, member, id, Target::Path, request, request_id).await)
}

async fn forward(
    app: &App,
    member: Arc<Member>,
    integration: String,
    target: Target,
    request: http::Request<outbound::Body>,
    request_id: RequestId,
) -> Response {
    let connect = format!("/api/integrations/{integration}/connect");
    let in_browser = !matches!(member.by, By::Token { .. });
    let caller = Caller::Member { member, integration };
    let call = Call { caller, target, max_retries: None, request, request_id, said: error::said };
    match proxy::forward(&app.broker, call).await {
        Ok(answer) => {
            let mut answer = sandboxed::answer(answer.map(Body::new));
            if in_browser {
                sandboxed::lead_away(answer.headers_mut(), &app.broker.urls.app);
            }
            answer
        }
        Err(Error::NotFound { what: "connection" }) => problem(
            StatusCode::NOT_FOUND,
            format!("There is no connection yet: connect first, at GET {connect}"),
        ),
        Err(error) => {
            let mut answer = error::answer(&error);
            app.broker.quota.refuse(answer.headers_mut(), &error);
            answer
        }
    }
}

/// The integration's id or slug, and what is asked of its provider, byte for byte.
fn split(uri: &Uri) -> Result<(String, Uri)> {
    let nothing = || Error::NotFound { what: "integration" };
    let (_, rest) = uri.path().split_once("/integrations/").ok_or_else(nothing)?;
    let (id, rest) = rest.split_once('/').ok_or_else(nothing)?;
    let id = percent_decode_str(id).decode_utf8().map_err(|_| nothing())?.into_owned();
    let path = rest.strip_prefix("request").ok_or_else(nothing)?;
    let slash = if path.is_empty() { "/" } else { "" };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{slash}{path}{query}").parse();
    Ok((id, target.map_err(|_| Error::invalid("path", "Is not one"))?))
}

/// The headers that go on to the proxy: none that tells of our pages, and none of a body that is not there.
fn passing(from: &HeaderMap) -> HeaderMap {
    let stays = |name: &HeaderName| {
        [ORIGIN, REFERER, CONTENT_LENGTH, CONTENT_TYPE].contains(name) || name.as_str().starts_with("sec-")
    };
    from.iter().filter(|(name, _)| !stays(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_query_are_taken_as_they_are() {
        for (asked, id, target) in [
            ("/api/integrations/drive/request/files?pageSize=10", "drive", "/files?pageSize=10"),
            ("/api/integrations/int_1/request/a%2Fb//c%ff/?x=%20&&y", "int_1", "/a%2Fb//c%ff/?x=%20&&y"),
            ("/api/integrations/d%72ive/request//evil.test/x", "drive", "//evil.test/x"),
            ("/api/integrations/x/request/", "x", "/"),
            ("/api/integrations/x/request", "x", "/"),
            ("/api/integrations/x/request?a=b", "x", "/?a=b"),
            ("/api/integrations/x/request/request/x", "x", "/request/x"),
            ("https://app.test/api/integrations/x/request/a?b", "x", "/a?b"),
        ] {
            let (found, uri) = split(&asked.parse().expect("a URL")).expect("it is read");
            assert_eq!((found.as_str(), uri.to_string().as_str()), (id, target), "{asked}");
        }
        assert!(split(&"/api/integrations/%ff/request/x".parse().expect("a URL")).is_err());
    }
}
