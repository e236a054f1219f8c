//! Icons: an integration's own, and those that providers have without anybody's doing.
//!
//! Whatever is shown here could have come from a stranger, so it is served as a picture that can do nothing, also
//! where somebody opens it by itself.

use axum::{
    body::Bytes,
    extract::{FromRequest, Multipart, Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use claviger_catalog::Provider;
use claviger_engine::{
    domain::integration::Integration,
    error::Error,
    member::icon::{self, MOST},
};
use serde::Serialize;

use super::{
    asked::Named,
    caller::Caller,
    error::{self, Answer},
    hal::Format,
    missing,
};
use crate::{app::App, hosted::picture};

/// The most bytes of an upload: the picture, and what a form puts around it.
pub const UPLOAD: usize = MOST + 16 * 1024;

/// What a picture may do: show itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// An icon that was kept.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Icon)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    integration_id: String,
    /// What the picture is, whatever it was sent as.
    #[schema(example = "image/svg+xml")]
    content_type: String,
    /// How many bytes are kept of it.
    size: usize,
    #[schema(example = "/api/integrations/int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f/icon?v=9f86d081884c7d65")]
    image_url: String,
}

/// An icon that goes with names like these.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RegisteredIcon)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    #[schema(example = "GitHub")]
    name: String,
    /// In lower case; matched against the name of an integration.
    aliases: Vec<String>,
    #[schema(example = "/images/icons/integrations/github.svg")]
    image_url: String,
}

/// Where an integration's icon is: its own, by the hash of it, else its provider's.
pub fn image_url(integration: &Integration, hash: Option<&str>) -> String {
    match hash {
        Some(hash) => format!("/api/integrations/{}/icon?v={}", integration.id, mark(hash)),
        None => registered(&integration.provider),
    }
}

/// Shows an integration's own icon.
#[utoipa::path(
    get,
    path = "/api/integrations/{id}/icon",
    operation_id = "show_icon",
    tag = "icons",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    responses(
        (status = 200, description = "The picture: PNG, JPEG, WebP or SVG.", content_type = "image/*"),
        (status = 304, description = "It is the one that `If-None-Match` names."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller, or it has no icon of its own.")
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    headers: HeaderMap,
) -> Answer {
    let (integration, icon) = icon::show(&app.broker, &member, &id).await?;
    let tag = format!("\"{}\"", icon.hash);
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let known = known.flat_map(|line| line.split(',')).map(|it| it.trim().trim_start_matches("W/"));
    let same = known.into_iter().any(|it| it == tag || it == "*");
    let ending = icon.media_type.rsplit(['/', '+']).nth(usize::from(icon.media_type.contains('+')));
    let name = format!("inline; filename=\"{}.{}\"", integration.key, ending.unwrap_or("bin"));
    let mut response = if same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        picture(&icon.media_type, Bytes::from(icon.body))
    };
    // Whoever may no longer see it keeps it for so long. A new one is at another address.
    for (header, value) in
        [(ETAG, tag), (CACHE_CONTROL, "private, max-age=300".to_owned()), (CONTENT_DISPOSITION, name)]
    {
        put(&mut response, header, &value);
    }
    Ok(response)
}

/// Gives an integration an icon of its own.
#[utoipa::path(
    put,
    path = "/api/integrations/{id}/icon",
    operation_id = "set_icon",
    tag = "icons",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    request_body(content_type = "application/octet-stream", description = "A PNG, JPEG, WebP or SVG picture of at most 256 KiB and 2048 × 2048 pixels: as it is, or as the field `file` of a `multipart/form-data` body. What an SVG runs, loads or leads to is taken out. POST does the same."),
    responses(
        (status = 200, body = Kept),
        (status = 400, body = error::Problem, description = "It is no such picture."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller may not edit it, or lacks `integration:write`."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller."),
        (status = 413, body = error::Problem, description = "It is larger than 256 KiB.")
    )
)]
pub async fn set(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    format: Format,
    Upload(body): Upload,
) -> Answer {
    let (integration, icon) = icon::set(&app.broker, &member, &id, body.into()).await?;
    let kept = Kept {
        integration_id: integration.id.to_string(),
        image_url: image_url(&integration, Some(&icon.hash)),
        content_type: icon.media_type,
        size: icon.body.len(),
    };
    Ok(format.object(StatusCode::OK, &kept))
}

/// Takes an integration's own icon away; its provider's shows again.
#[utoipa::path(
    delete,
    path = "/api/integrations/{id}/icon",
    operation_id = "delete_icon",
    tag = "icons",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    responses(
        (status = 204, description = "It has none of its own any more."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller may not edit it, or lacks `integration:write`."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller, or it has no icon of its own.")
    )
)]
pub async fn remove(State(app): State<App>, Caller(member): Caller, Named(id): Named<String>) -> Answer {
    icon::remove(&app.broker, &member, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Lists the icons that go with providers: match the name of an integration against the aliases, the longest first.
#[utoipa::path(
    get,
    path = "/api/integration-icon-registry",
    operation_id = "list_registered_icons",
    tag = "icons",
    responses(
        (status = 200, body = [Registered]),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking.")
    )
)]
pub async fn registry(State(app): State<App>, _caller: Caller) -> Answer {
    let mut all: Vec<_> = app.broker.catalog.iter().map(|provider| entry(provider)).collect();
    all.sort_by(|a, b| a.image_url.cmp(&b.image_url));
    Ok(axum::Json(all).into_response())
}

/// A provider's icon: its initial, for no logo of anybody's is ours to ship.
pub async fn initial(State(app): State<App>, Named(file): Named<String>) -> Response {
    let provider = file.strip_suffix(".svg").and_then(|key| app.broker.catalog.get(key));
    let Some(provider) = provider else { return missing().await };
    let mut response = picture("image/svg+xml", drawn(&provider).into());
    put(&mut response, CACHE_CONTROL, "public, max-age=86400");
    response
}

/// A picture as an upload: the whole body, or the field `file` of a form.
pub struct Upload(Bytes);

impl FromRequest<App> for Upload {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let form = kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data");
        let picture = if form {
            field(request, app).await?
        } else {
            Bytes::from_request(request, app).await.map_err(|unread| error::body(unread.status()))?
        };
        if picture.len() > MOST {
            return Err(error::body(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Ok(Self(picture))
    }
}

async fn field(request: Request, app: &App) -> Result<Bytes, Response> {
    let mut form =
        Multipart::from_request(request, app).await.map_err(|unread| error::body(unread.status()))?;
    let mut picture = None;
    while let Some(field) = form.next_field().await.map_err(|unread| error::body(unread.status()))? {
        let named = field.name() == Some("file");
        let bytes = field.bytes().await.map_err(|unread| error::body(unread.status()))?;
        if !named || picture.replace(bytes).is_some() {
            return Err(error::answer(&Error::invalid("file", "Must be the only field, once")));
        }
    }
    picture.ok_or_else(|| error::answer(&Error::invalid("file", "Is required")))
}

fn picture(media_type: &str, body: Bytes) -> Response {
    let mut response = body.into_response();
    put(&mut response, CONTENT_TYPE, media_type);
    put(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    put(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

fn put(response: &mut Response, header: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(header, value);
    }
}

/// So much of a hash as tells one icon from the next.
fn mark(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

fn registered(key: &str) -> String {
    format!("/images/icons/integrations/{key}.svg")
}

fn entry(provider: &Provider) -> Registered {
    let mut aliases = vec![provider.name.to_lowercase(), provider.key.replace(['-', '_'], " ")];
    if aliases[0] == aliases[1] {
        aliases.pop();
    }
    if !aliases.contains(&provider.key) {
        aliases.push(provider.key.clone());
    }
    Registered { name: provider.name.clone(), aliases, image_url: registered(&provider.key) }
}

/// A letter on a colour that is the provider's alone, as far as there are colours.
fn drawn(provider: &Provider) -> String {
    let (letter, hue) = (picture::letter(&provider.name), picture::hue(&provider.key));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\" role=\"img\">\
         <rect width=\"64\" height=\"64\" rx=\"14\" fill=\"hsl({hue} 45% 42%)\"/>\
         <text x=\"32\" y=\"43\" font-family=\"system-ui, sans-serif\" font-size=\"32\" font-weight=\"600\" \
         text-anchor=\"middle\" fill=\"#fff\">{letter}</text></svg>"
    )
}
