//! The scene of the examples: the documentation's provider, its integration and its user.

use super::*;

/// A drive: a provider that takes any code.
pub(super) struct Drive {
    pub up: Upstream,
    /// The forms that its token and its revocation endpoint got.
    forms: Forms,
}

/// Forms, each with the path that it was sent to.
type Forms = Arc<Mutex<Vec<(String, BTreeMap<String, String>)>>>;

impl Drive {
    pub async fn start() -> Self {
        let forms = Arc::new(Mutex::new(Vec::new()));
        let seen = forms.clone();
        let up = Upstream::whole(move |head: Head, body| answer(head, body, seen.clone())).await;
        Self { up, forms }
    }

    /// Its file: Google Drive's with other addresses.
    pub fn options(&self) -> Options {
        let origin = &self.up.origin;
        let file = format!(
            r#"
            extends = "google"
            key = "google-drive-like"
            name = "Google Drive"
            category = "storage"
            [oauth2.scopes]
            default = ["https://www.googleapis.com/auth/drive.file"]
            [oauth2.endpoints]
            authorize_url = "{origin}/authorize"
            token_url = "{origin}/token"
            revoke_url = "{origin}/revoke"
            userinfo_url = "{origin}/userinfo"
            [api]
            base_url = "{origin}/drive/v3"
            [[verify.calls]]
            url = "{origin}/userinfo"
            "#
        );
        Options { providers: vec![("google-drive-like.toml", file)], ..Options::default() }
    }

    /// The forms that one of its endpoints got, and forgets all.
    pub fn taken(&self, path: &str) -> Vec<BTreeMap<String, String>> {
        let all = std::mem::take(&mut *self.forms.lock().unwrap());
        all.into_iter().filter(|(at, _)| at == path).map(|(_, form)| form).collect()
    }

    /// The last call of its API.
    pub fn call(&self) -> Head {
        let all = self.up.seen();
        all.into_iter().rfind(|head| head.target.starts_with("/drive/v3")).expect("a call")
    }
}

async fn answer(head: Head, body: Body, forms: Forms) -> Response {
    let kind = [("content-type", "application/json; charset=UTF-8"), ("x-goog", "yes")];
    let body = body.collect().await.expect("a whole body").to_bytes();
    if head.method == Method::POST {
        let form = url::form_urlencoded::parse(&body).into_owned().collect();
        forms.lock().unwrap().push((head.target.clone(), form));
    }
    match head.target.as_str() {
        "/token" => {
            let tokens = json!({
                "access_token": "canary_drive_access",
                "refresh_token": "canary_drive_refresh",
                "token_type": "Bearer",
                "expires_in": HOLDS,
                "refresh_token_expires_in": REFRESH_HOLDS,
            });
            say(200, &kind, tokens.to_string())
        }
        "/userinfo" => say(200, &kind, r#"{"sub":"1","email":"alice@example.com"}"#),
        "/revoke" => say(200, &kind, "{}"),
        "/drive/v3/files?pageSize=10" => say(200, &kind, FILES),
        _ => say(404, &kind, "{}"),
    }
}

/// The documentation's integration, and its user.
pub(super) struct Scene<'a> {
    pub app: &'a TestApp,
    pub integration: IntegrationId,
    pub alice: Someone,
}

impl<'a> Scene<'a> {
    pub async fn set(app: &'a TestApp) -> Self {
        let root = someone(app, &app.acme, "root", &[]).await;
        let new = json!({
            "name": "Google Drive - Engineering",
            "slug": "my-integration",
            "type": "google-drive-like",
            "clientId": CLIENT,
            "clientSecret": "canary_client_secret",
        });
        let made = ask(app, &root.token, Method::POST, "/api/integrations", Some(&new)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let integration =
            IntegrationId::parse(made.json()["id"].as_str().expect("an id")).expect("one of ours");
        let alice = someone(app, &app.acme, "alice", &[]).await;
        share(app, &integration, &alice).await;
        Self { app, integration, alice }
    }

    /// The paths of the integration: by its id and by its slug.
    pub fn paths(&self, what: &str) -> [String; 2] {
        [self.integration.as_str(), "my-integration"].map(|id| format!("/api/integrations/{id}/{what}"))
    }

    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        ask(self.app, &self.alice.token, method, path, None).await
    }

    /// Sets out to connect, with a browser of alice's.
    pub async fn set_out(&self, browser: &Browser, path: &str) -> Answer {
        let request = browser.request(Method::GET, &format!("{}{path}", self.app.origin));
        let token = format!("Bearer {}", self.alice.token);
        browser.send(request.header("authorization", token), Bytes::new()).await
    }

    /// Goes there, comes back with these parameters, and looks at the page at the end.
    pub async fn come_back(&self, pairs: &[(&str, &str)]) -> Answer {
        let browser = Browser::new();
        let began = self.set_out(&browser, &self.paths("connect")[1]).await;
        assert_eq!(began.status, 302, "{}", began.text());
        let back = Leg::of(began.location()).back(pairs);
        assert!(back.starts_with(&format!("{}/oauth2/callback?", self.app.origin)), "{back}");
        let done = browser.get(&back).await;
        assert_eq!(done.status, 302, "{}", done.text());
        let page = done.location();
        let flow = page.strip_prefix("/connect/").and_then(|rest| rest.strip_suffix("/done"));
        assert!(
            flow.is_some_and(|flow| FlowId::parse(flow).is_some()),
            "a page, and nothing said to it: {page}"
        );
        browser.get(&format!("{}{page}", self.app.origin)).await
    }

    /// Connects as the documentation's alice did: on one day, and 25 days later once more. Gives the first.
    pub async fn connect(&self) -> Millis {
        let made = self.app.broker.clock.now();
        self.come_back(&[("code", "4/first")]).await;
        self.app.pass(UNTIL_ANEW);
        self.come_back(&[("code", "4/second")]).await;
        made
    }

    /// An answer's text with the documentation's ids, address and days for ours.
    pub async fn as_documented(&self, answer: &Answer, made: Millis, drive: &Drive) -> String {
        let connections = self.app.connections(&self.app.acme).await;
        let mut body = answer.json();
        assert_eq!(body.to_string(), answer.text(), "nothing is said twice");
        shift(&mut body, Millis::parse_rfc3339(MADE).expect("an instant").0 - made.0);
        [
            (connections[0].id.as_str(), "conn-abc-123"),
            (self.integration.as_str(), "integration-abc-123"),
            (&drive.up.origin, "https://www.googleapis.com"),
            ("google-drive-like", "google-drive"),
        ]
        .iter()
        .fold(body.to_string(), |text, (ours, theirs)| text.replace(ours, theirs))
    }
}
