//! Scripts, served as files: the one that our page in a frame runs, and the one that products' pages load.
//!
//! `/connect.mjs` and `/connect.js` are one text: as a module, and wrapped for a plain `<script>`. Nothing here differs by
//! who asks, so anybody may keep it for a while.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use claviger_engine::vault::hash;

/// A file.
pub struct Asset {
    /// Where it is.
    pub path: &'static str,
    /// What it is.
    pub(crate) kind: &'static str,
    pub(crate) text: &'static str,
    /// Whether pages of any origin may load it as a module, or read it.
    pub(crate) open: bool,
}

pub(crate) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(crate) const STYLE: &str = "text/css; charset=utf-8";

/// Where the script is that makes forms easier to fill in.
pub const PAGE: &str = "/page.js";

/// All there are.
pub const ALL: &[Asset] = &[
    Asset { path: PAGE, kind: SCRIPT, text: include_str!("../../static/page.js"), open: false },
    Asset {
        path: "/claviger-embed.js",
        kind: SCRIPT,
        text: include_str!("../../static/claviger-embed.js"),
        open: false,
    },
    Asset {
        path: "/connect.mjs",
        kind: SCRIPT,
        text: concat!(
            include_str!("../../static/connect.js"),
            "\nexport const connect = connectFrom(import.meta.url);\n"
        ),
        open: true,
    },
    Asset {
        path: "/connect.js",
        kind: SCRIPT,
        text: concat!(
            "(function () {\n\"use strict\";\n",
            include_str!("../../static/connect.js"),
            "\nvar script = document.currentScript;\n",
            "window.Claviger = Object.assign(window.Claviger || {}, { connect: connectFrom(script ? script.src : \"\") });\n",
            "})();\n"
        ),
        open: true,
    },
    Asset {
        path: "/connect.d.ts",
        kind: "application/typescript; charset=utf-8",
        text: include_str!("../../static/connect.d.ts"),
        open: true,
    },
];

/// The file, or that it is the one that the browser has.
pub fn serve(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", &hash::token(asset.text)[..32]);
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut known = known.flat_map(|line| line.split(',')).map(|it| it.trim().trim_start_matches("W/"));
    let mut response = if known.any(|it| it == tag || it == "*") {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(asset.text).into_response()
    };
    let set = response.headers_mut();
    set.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    set.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    set.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        set.insert(ETAG, tag);
    }
    let (corp, reach) = (
        HeaderName::from_static("cross-origin-resource-policy"),
        if asset.open { "cross-origin" } else { "same-origin" },
    );
    set.insert(corp, HeaderValue::from_static(reach));
    if asset.open {
        set.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_a_module_and_a_plain_script() {
        let text = |path: &str| ALL.iter().find(|asset| asset.path == path).expect("an asset").text;
        let (module, plain) = (text("/connect.mjs"), text("/connect.js"));
        let body = include_str!("../../static/connect.js");
        assert!(module.contains(body) && plain.contains(body));
        for word in ["import.meta", "export ", "import "] {
            assert!(!body.contains(word), "{word} is no plain script's");
            assert!(!plain.contains(word), "{word} is no plain script's");
        }
        assert_eq!(module.matches("export ").count(), 1);
    }

    #[test]
    fn a_file_is_asked_for_again_by_its_tag() {
        for asset in ALL {
            let first = serve(asset, &HeaderMap::new());
            assert_eq!(first.status(), StatusCode::OK, "{}", asset.path);
            assert_eq!(first.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(
                first.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN),
                asset.open,
                "{}",
                asset.path
            );
            let tag = first.headers()[ETAG].clone();
            let again = serve(asset, &HeaderMap::from_iter([(IF_NONE_MATCH, tag)]));
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{}", asset.path);
            let other = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("\"other\""))]);
            assert_eq!(serve(asset, &other).status(), StatusCode::OK);
        }
    }
}
