//! The scripts: who may load them, and for how long they are kept.

use http::Method;

use crate::support::{Browser, on_each};

#[tokio::test]
async fn scripts_are_files_that_anybody_may_keep_for_a_while() {
    on_each(async |app| {
        for (path, kind, cors, words) in [
            ("/claviger-embed.js", "text/javascript; charset=utf-8", None, "penpal"),
            ("/connect.js", "text/javascript; charset=utf-8", Some("*"), "window.Claviger"),
            ("/connect.mjs", "text/javascript; charset=utf-8", Some("*"), "export const connect"),
            (
                "/connect.d.ts",
                "application/typescript; charset=utf-8",
                Some("*"),
                "export declare function connect",
            ),
        ] {
            let browser = Browser::new();
            let url = format!("{}{path}", app.origin);
            let file = browser.get(&url).await;
            assert_eq!((file.status.as_u16(), file.header("content-type")), (200, Some(kind)), "{path}");
            assert_eq!(file.header("access-control-allow-origin"), cors, "{path}");
            assert_eq!(file.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(file.header("cache-control"), Some("public, max-age=300"), "{path}");
            assert!(file.text().contains(words), "{path}");
            let request = browser.request(Method::GET, &url);
            let request = request.header("if-none-match", file.header("etag").expect("a tag"));
            let same = browser.send(request, bytes::Bytes::new()).await;
            assert_eq!((same.status.as_u16(), same.text()), (304, ""), "{path}");
            assert_eq!(same.header("etag"), file.header("etag"), "{path}");
        }
    })
    .await;
}
