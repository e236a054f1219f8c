//! A desk: users of a workspace, and calls as any of them in each way there is.

use bytes::Bytes;
use claviger_engine::{
    domain::user::{Permission, User},
    setup::{self, NewUser},
};
use http::{Method, header};
use serde_json::{Value, json};

use crate::support::{Answer, Browser, Tenant, TestApp};

/// Users of one workspace, at the origin where they sign in.
pub struct Desk<'a> {
    pub app: &'a TestApp,
    pub tenant: &'a Tenant,
    pub origin: String,
}

/// Somebody at the desk, who calls in one way.
pub struct Seat {
    /// Where paths are below.
    origin: String,
    pub way: Way,
}

/// How somebody calls.
pub enum Way {
    /// With what the browser's jar holds, from a page of our own.
    Cookie(Browser),
    /// With an `Authorization` header.
    Header(String),
    /// With nothing.
    Nobody,
}

/// The password that a user of this name gets.
pub fn password(username: &str) -> String {
    format!("the password of {username}")
}

/// What a user is to be.
pub fn new_user(username: &str, permissions: &[Permission]) -> NewUser {
    NewUser {
        username: username.to_owned(),
        display_name: None,
        email: Some(format!("{username}@example.com")),
        password: Some(password(username).into()),
        superuser: false,
        permissions: permissions.iter().map(|it| it.as_str().to_owned()).collect(),
    }
}

impl<'a> Desk<'a> {
    /// The first tenant's.
    pub fn new(app: &'a TestApp) -> Self {
        Self { app, tenant: &app.acme, origin: app.origin.clone() }
    }

    /// Makes a user.
    pub async fn user(&self, username: &str, permissions: &[Permission]) -> User {
        self.make(new_user(username, permissions)).await
    }

    /// Makes a superuser.
    pub async fn superuser(&self, username: &str) -> User {
        self.make(NewUser { superuser: true, ..new_user(username, &[]) }).await
    }

    /// Makes a user as described.
    pub async fn make(&self, new: NewUser) -> User {
        self.app.change(async move |to| setup::user(to, &self.tenant.workspace, new).await).await
    }

    /// A user as kept.
    pub async fn kept(&self, username: &str) -> User {
        let found = self.app.read().await.user_by_name(&self.tenant.workspace, username).await;
        found.expect("read").expect("a user")
    }

    /// Signs a user in, as our own page does.
    pub async fn sign_in(&self, username: &str) -> Seat {
        let browser = Browser::new();
        let answer = self.enter(&browser, username, &password(username)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.seat(Way::Cookie(browser))
    }

    /// What a browser is answered that tries to sign in.
    pub async fn enter(&self, browser: &Browser, username: &str, password: &str) -> Answer {
        let body = json!({ "username": username, "password": password });
        let request = browser.request(Method::POST, &format!("{}/api/auth/login", self.origin));
        let request = request.header("sec-fetch-site", "same-origin").header(header::ORIGIN, &self.origin);
        send(browser, request, Some(&body)).await
    }

    /// A program that calls with a user's name and password.
    pub fn basic(&self, username: &str) -> Seat {
        self.basic_with(username, &password(username))
    }

    /// The same with any password.
    pub fn basic_with(&self, username: &str, password: &str) -> Seat {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let pair = BASE64_STANDARD.encode(format!("{username}:{password}"));
        self.seat(Way::Header(format!("Basic {pair}")))
    }

    /// A program that calls with a new token of a user's.
    pub async fn bearer(&self, username: &str) -> Seat {
        self.bearer_as(username, &json!({})).await
    }

    /// The same with a token as described.
    pub async fn bearer_as(&self, username: &str, token: &Value) -> Seat {
        let made = self.basic(username).post("/api/tokens", token).await;
        assert_eq!(made.status, 201, "{}", made.text());
        self.with_token(made.json()["token"].as_str().expect("a token"))
    }

    /// A program that calls with this token.
    pub fn with_token(&self, token: &str) -> Seat {
        self.seat(Way::Header(format!("Bearer {token}")))
    }

    /// Somebody who shows nothing.
    pub fn nobody(&self) -> Seat {
        self.seat(Way::Nobody)
    }

    fn seat(&self, way: Way) -> Seat {
        Seat { origin: self.origin.clone(), way }
    }
}

impl Seat {
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, &[], Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, &[], None).await
    }

    /// A call with headers besides. From a browser it says that it comes from our own page, unless `headers` say where
    /// from themselves.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let request = headers
            .iter()
            .fold(self.request(method, path), |request, (name, value)| request.header(*name, *value));
        let says = |name: &&(&str, &str)| name.0 == "sec-fetch-site" || name.0 == "origin";
        let request = match &self.way {
            Way::Cookie(_) if headers.iter().find(says).is_none() => {
                request.header("sec-fetch-site", "same-origin").header(header::ORIGIN, &self.origin)
            }
            _ => request,
        };
        send(self.browser().unwrap_or(&Browser::new()), request, body).await
    }

    /// A call as a browser makes it that says nothing of where it comes from, to be completed.
    pub fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let url = format!("{}{path}", self.origin);
        match &self.way {
            Way::Cookie(browser) => browser.request(method, &url),
            Way::Header(line) => Browser::new().request(method, &url).header(header::AUTHORIZATION, line),
            Way::Nobody => Browser::new().request(method, &url),
        }
    }

    /// Its browser, if it calls with one.
    pub fn browser(&self) -> Option<&Browser> {
        match &self.way {
            Way::Cookie(browser) => Some(browser),
            Way::Header(_) | Way::Nobody => None,
        }
    }

    /// The session's cookie.
    pub fn sid(&self) -> String {
        sid(self.browser().expect("a browser"))
    }
}

/// The session's cookie in a browser.
pub fn sid(browser: &Browser) -> String {
    browser.cookies("127.0.0.1").get("sid").cloned().unwrap_or_default()
}

/// Sends a request with a JSON body, or none.
pub async fn send(browser: &Browser, request: http::request::Builder, body: Option<&Value>) -> Answer {
    match body {
        Some(body) => {
            let request = request.header(header::CONTENT_TYPE, "application/json");
            browser.send(request, Bytes::from(body.to_string())).await
        }
        None => browser.send(request, Bytes::new()).await,
    }
}

impl Answer {
    /// Asserts that this is an error in this door's shape, and that its message has these words.
    #[track_caller]
    pub fn assert_hapi(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        let names: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(names, ["statusCode", "error", "message"], "{body}");
        assert_eq!(body["statusCode"], status, "{body}");
        assert_eq!(body["error"], self.status.canonical_reason().expect("a known status"), "{body}");
        assert!(body["message"].as_str().is_some_and(|text| text.contains(words)), "{words:?}: {body}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{body}");
    }
}
