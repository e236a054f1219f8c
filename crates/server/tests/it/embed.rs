//! The page in a frame of a product's: what opens it, what may frame it, and what its forms come to, without a cookie.

mod framing;
mod handle;
mod opening;
mod scripts;
mod typed;
mod ways;
mod window;

use http::{Method, Request};
use serde_json::Value;

use crate::{
    membrane::front::{Front, providers},
    support::{Answer, Browser, Options, TestApp, encode},
};

/// The origin of the product's pages.
const SHOP: &str = "https://shop.test";

/// Providers whose keys are typed in.
fn options() -> Options {
    providers()
}

/// A customer's front end whose pages may frame ours.
async fn front<'a>(app: &'a TestApp, key: &str) -> Front<'a> {
    app.settings(&app.acme, |settings| settings.allowed_origins = vec![SHOP.to_owned()]).await;
    Front::new(app, key).await
}

/// A page in a frame, as a browser has it: no cookie goes there, none is kept.
struct Frame<'a> {
    app: &'a TestApp,
    page: Answer,
}

impl<'a> Frame<'a> {
    /// Opened at a path, with the front end's token and more parameters.
    async fn open(front: &Front<'a>, path: &str, extra: &[(&str, &str)]) -> Self {
        let pairs = [&[("token", front.token.as_str())], extra].concat();
        let url = format!("{}{path}?{}", front.app.origin, encode(&pairs));
        let request = Request::builder().method(Method::GET).uri(url);
        let request = request.header("sec-fetch-dest", "iframe").header("sec-fetch-site", "cross-site");
        Self::of(front.app, Browser::new().send(request, bytes::Bytes::new()).await)
    }

    /// Opened by a form of the product's page.
    async fn screen(front: &Front<'a>, path: &str, fields: &[(&str, &str)]) -> Self {
        let request = Request::builder().method(Method::POST).uri(format!("{}{path}", front.app.origin));
        let request = request.header("sec-fetch-dest", "iframe").header("sec-fetch-site", "cross-site");
        let pairs = [&[("token", front.token.as_str())], fields].concat();
        Self::of(front.app, Browser::new().form(request, &pairs).await)
    }

    fn of(app: &'a TestApp, page: Answer) -> Self {
        assert!(page.headers.get("set-cookie").is_none(), "no cookie comes into a frame");
        Self { app, page }
    }

    /// Connects at this integration.
    async fn connect(front: &Front<'a>, integration: &str, extra: &[(&str, &str)]) -> Self {
        Self::open(front, &format!("/embed/integrations/{integration}/connect"), extra).await
    }

    /// Where its form goes, and the handle that it brings.
    #[track_caller]
    fn form(&self) -> (String, String) {
        let of = |before: &str| {
            let found = self.page.text().split(before).nth(1).and_then(|rest| rest.split('"').next());
            found.unwrap_or_else(|| panic!("no {before} in {}", self.page.text())).replace("&#x2f;", "/")
        };
        (of("action=\""), of("name=\"handle\" value=\""))
    }

    /// What the script is told it shows, and how it ended.
    #[track_caller]
    fn shows(&self) -> (String, Option<Value>) {
        let shown = attribute(&self.page, "data-shows").expect("it shows something");
        (shown, attribute(&self.page, "data-told").map(|told| serde_json::from_str(&told).expect("JSON")))
    }

    /// Its form is sent.
    async fn submit(&self, fields: &[(&str, &str)]) -> Self {
        let (action, handle) = self.form();
        Self::of(self.app, self.post(&action, &handle, fields).await)
    }

    /// Any of its forms, with any handle.
    async fn post(&self, action: &str, handle: &str, fields: &[(&str, &str)]) -> Answer {
        let pairs = [&[("handle", handle)], fields].concat();
        Browser::new().submit(&format!("{}{action}", self.app.origin), &pairs).await
    }

    /// Its button opens a window, in this browser.
    async fn window(&self, browser: &Browser) -> Answer {
        let (action, handle) = self.form();
        browser.submit(&format!("{}{action}/popup", self.app.origin), &[("handle", &handle)]).await
    }

    /// What its script hears.
    async fn state(&self) -> Value {
        let (action, handle) = self.form();
        let answer = self.post(&format!("{action}/state"), &handle, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()
    }
}

/// An attribute's value, unescaped.
fn attribute(page: &Answer, name: &str) -> Option<String> {
    let text = page.text().split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    let named =
        [("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    Some(named.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)))
}

/// Who may frame a page.
fn framed_by(page: &Answer) -> String {
    let policy = page.header("content-security-policy").expect("a policy");
    let found = policy.split("frame-ancestors ").nth(1).expect("who may frame it");
    found.split(';').next().expect("a list").trim().to_owned()
}
