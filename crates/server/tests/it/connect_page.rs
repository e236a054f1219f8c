//! The connect page as a customer sees it: what it asks, in which language and whose name, what it keeps, and that
//! nothing that somebody wrote runs on it.

use std::time::Duration;

use axum::response::IntoResponse as _;
use claviger_engine::{
    connect::{FLOW_LIFE, PAGE_LIFE},
    domain::{icon::Icon, integration::Config, workspace::Completion},
    setup::{self, NewIntegration},
};
use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{
    Answer, Browser, Options, TestApp, Upstream, app::new_integration, on_each, on_each_with, upstream::Head,
    value,
};

const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'";

/// A provider whose every word is hostile, and that asks for each kind of field.
fn providers() -> Options {
    let evil = EVIL.replace('"', "\\\"");
    let file = format!(
        "key = \"evil\"\nname = \"Evil\"\n\
         [[inputs]]\nkey = \"host\"\ntitle = \"{evil}\"\ndescription = \"**bold** [x](javascript:alert(3)) [docs](https://docs.test/) {evil}\"\n\
         placeholder = \"{evil}\"\npattern = \"^[a-z]{{1,9}}$\"\nhelp = \"https://docs.test/host\"\norder = 2\n\
         [[inputs]]\nkey = \"region\"\ntitle = \"Region\"\npattern = \"^[a-z]{{2}}$\"\norder = 1\n\
         options = [{{ value = \"eu\", title = \"{evil}\" }}, {{ value = \"us\" }}]\n\
         [fields.user]\ntitle = \"User\"\nsecret = false\n\
         [fields.pin]\ntitle = \"PIN\"\ndescription = \"{evil}\"\n\
         [fields.pem]\ntitle = \"PEM\"\noptional = true\nform = \"multiline\"\n\
         [api]\nbase_url = \"https://{{host}}.{{region}}.evil.test\"\n\
         place = {{ header = \"authorization\", format = \"Basic {{token}}\", base64 = \"{{user}}:{{pin}}\" }}\n\
         [api.headers]\nx-pem = \"{{pem}}\"\n\
         [[verify.calls]]\nurl = \"/check\"\n"
    );
    Options { providers: vec![("evil.toml", file)], ..Options::default() }
}

/// A provider that refuses with hostile words, unless it is told the right thing.
async fn provider() -> Upstream {
    Upstream::whole(|head: Head, _| async move {
        let right = head.all("authorization") == ["Basic dTpyaWdodA=="];
        let status = if right { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        (status, axum::Json(json!({ "message": format!("no {EVIL}") }))).into_response()
    })
    .await
}

async fn integrate(app: &TestApp, origin: &str) {
    let config = Config { base_url: Some(format!("{origin}/api")), ..Config::default() };
    let wish = NewIntegration { name: Some(EVIL.to_owned()), ..new_integration("it", "evil", config) };
    app.integrate_as(&app.acme, NewIntegration { client_id: None, client_secret: None, ..wish }).await;
}

async fn begin(app: &TestApp, browser: &Browser, extra: &[(&str, &str)]) -> String {
    let mut wish = vec![("integration_id", "it"), ("external_id", EVIL), ("state", "s")];
    wish.extend_from_slice(extra);
    let began = browser.get(&app.authorize_url(&app.acme, &wish)).await;
    format!("{}{}", app.origin, began.location())
}

fn filled<'a>(host: &'a str, region: &'a str, pin: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("decision", "continue"),
        ("host", host),
        ("region", region),
        ("credential-user", "u"),
        ("credential-pin", pin),
    ]
}

/// Nothing on it is markup that somebody else wrote.
#[track_caller]
fn assert_inert(page: &Answer) {
    let text = page.text();
    assert!(!text.contains("<script>") && !text.contains("<img src=x"), "{text}");
    assert!(!text.to_lowercase().contains("=\"javascript:"), "{text}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("base-uri 'none'") && policy.contains("frame-ancestors"), "{policy}");
}

#[tokio::test]
async fn what_others_wrote_is_text_on_the_page() {
    on_each_with(providers, async |app| {
        let at = provider().await;
        integrate(app, &at.origin).await;
        app.settings(&app.acme, |settings| {
            settings.completion = Completion::Confirm;
            settings.brand.name = Some(EVIL.to_owned());
        })
        .await;
        let browser = Browser::new();
        let url = begin(app, &browser, &[]).await;
        let page = browser.get(&url).await;
        assert_eq!(page.status, 200, "{}", page.text());
        assert_inert(&page);
        assert!(page.text().contains("<strong>bold</strong>"), "{}", page.text());
        let docs = "<a href=\"https:&#x2f;&#x2f;docs.test&#x2f;\" target=\"_blank\" rel=\"noopener noreferrer\">docs</a>";
        assert!(page.text().contains(docs), "{}", page.text());
        assert!(page.text().matches("&lt;script&gt;alert(1)").count() >= 7, "{}", page.text());
        let (region, host) = (page.text().find("in-region"), page.text().find("in-host"));
        assert!(region < host, "by their order");

        for pairs in [filled(EVIL, "xx", EVIL), filled("host", "eu", "wrong")] {
            let page = browser.submit(&url, &pairs).await;
            assert_eq!(page.status, 422, "{}", page.text());
            assert_inert(&page);
            assert!(page.text().contains("<title>Error: "), "{}", page.text());
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_typed_stays_but_for_secrets() {
    on_each_with(providers, async |app| {
        let at = provider().await;
        integrate(app, &at.origin).await;
        let browser = Browser::new();
        let url = begin(app, &browser, &[]).await;
        let page = browser.submit(&url, &filled("typedhost", "us", "canary-pin")).await;
        assert_eq!(page.status, 422, "{}", page.text());
        let text = page.text();
        assert!(text.contains("value=\"typedhost\"") && text.contains("value=\"us\" selected"), "{text}");
        assert!(!text.contains("canary-pin"), "{text}");
        assert!(
            text.contains("id=\"error-credential-pin\"") && text.contains("href=\"#in-credential-pin\""),
            "{text}"
        );
        assert!(text.contains("aria-describedby=\"error-credential-pin about-credential-pin\""), "{text}");

        let page = browser.submit(&url, &filled("typedhost", "xx", "canary-pin")).await;
        assert_eq!(page.status, 422);
        assert!(page.text().contains("Choose one of the values in the list."), "{}", page.text());

        let done = browser.submit(&url, &filled("typedhost", "us", "right")).await;
        assert_eq!(done.status, 303, "{}", done.text());
        let (_, pairs) = done.redirect();
        let connection = app.connection(&app.acme, value(&pairs, "connection_id")).await;
        assert_eq!(connection.inputs["host"], "typedhost");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_away_leaves_the_form_as_it_was() {
    on_each_with(providers, async |app| {
        let at = provider().await;
        let origin = at.origin.clone();
        integrate(app, "http://127.0.0.1:1").await;
        let browser = Browser::new();
        let url = begin(app, &browser, &[]).await;
        let page = browser.submit(&url, &filled("typedhost", "us", "canary-pin")).await;
        assert_eq!(page.status, 503, "{}", page.text());
        let text = page.text();
        assert!(text.contains("could not be reached") && text.contains("role=\"alert\""), "{text}");
        assert!(text.contains("value=\"typedhost\"") && !text.contains("canary-pin"), "{text}");
        assert!(text.contains("What you filled in is still there, except for secrets."), "{text}");
        app.assert_nothing_connected(&app.acme).await;
        drop((at, origin));

        app.broker.store.close().await;
        let page = browser.submit(&url, &filled("typedhost", "us", "canary-pin")).await;
        assert_eq!(page.status, 500, "nothing is known of the form any more: {}", page.text());
        assert!(!page.text().contains("canary-pin"));
    })
    .await;
}

#[tokio::test]
async fn a_page_waits_for_an_hour_and_the_way_over_the_provider_for_ten_minutes() {
    on_each(async |app| {
        app.complete(&app.acme, Completion::Confirm).await;
        let browser = Browser::new();
        let open = async || {
            let began = browser.get(&app.authorize_url(&app.acme, &[])).await;
            format!("{}{}", app.origin, began.location())
        };
        let second = Duration::from_secs(1);
        let (one, two, three) = (open().await, open().await, open().await);
        app.pass(PAGE_LIFE - second);
        let left = browser.submit(&one, &[("decision", "continue")]).await;
        assert_eq!(left.status, 303, "{}", left.text());
        let other = browser.submit(&two, &[("decision", "continue")]).await;
        app.pass(second);
        let late = browser.get(&three).await;
        late.assert_page(400, "has expired");
        assert!(late.text().contains("can&#x27;t be used any more"), "{}", late.text());

        app.pass(FLOW_LIFE - second - second);
        let leg = crate::support::Leg::of(left.location());
        let back = browser.get(&browser.consent(&leg, "alice", "allow").await).await;
        assert!(back.location().contains("connection_id="), "{}", back.location());
        app.pass(second);
        let leg = crate::support::Leg::of(other.location());
        let back = browser.get(&browser.consent(&leg, "alice", "allow").await).await;
        back.assert_page(400, "took too long");
    })
    .await;
}

#[tokio::test]
async fn a_page_speaks_the_language_of_whoever_reads_it() {
    on_each_with(providers, async |app| {
        let at = provider().await;
        integrate(app, &at.origin).await;
        let see = async |url: &str, accept: &str| {
            let browser = Browser::new();
            let began = browser.get(url).await;
            let request = browser.request(Method::GET, &format!("{}{}", app.origin, began.location()));
            let page = browser.send(request.header("accept-language", accept), Default::default()).await;
            assert_eq!(page.status, 200, "{}", page.text());
            page
        };
        let wish = [("integration_id", "it"), ("state", "s")];
        let plain = app.authorize_url(&app.acme, &wish);
        for (url, accept, tag, word) in [
            (plain.clone(), "", "en", ">Cancel<"),
            (plain.clone(), "de-AT, en;q=0.5", "de", ">Abbrechen<"),
            (plain.clone(), "it, fr;q=0.5", "fr", ">Annuler<"),
            (format!("{plain}&lang=es"), "de", "es", ">Cancelar<"),
            (format!("{plain}&lang=xx"), "de", "de", ">Abbrechen<"),
        ] {
            let page = see(&url, accept).await;
            let text = page.text();
            assert!(text.contains(&format!("<html lang=\"{tag}\">")) && text.contains(word), "{url}: {text}");
        }
        app.settings(&app.acme, |settings| settings.brand.language = Some("fr".to_owned())).await;
        assert!(see(&plain, "de").await.text().contains(">Annuler<"), "the workspace's");
        assert!(see(&format!("{plain}&lang=de"), "es").await.text().contains(">Abbrechen<"));

        let browser = Browser::new();
        let url = begin(app, &browser, &[("lang", "de")]).await;
        let page = browser.submit(&url, &filled("typedhost", "us", "wrong")).await;
        let text = page.text();
        assert!(
            text.contains("Der Anbieter akzeptiert das nicht") && text.contains("<title>Fehler: "),
            "{text}"
        );
        let page = browser.submit(&url, &filled("", "us", "wrong")).await;
        assert!(page.text().contains("Diese Angabe fehlt."), "{}", page.text());
        let gone = browser.get(&format!("{}/connect/x?lang=es", app.origin)).await;
        gone.assert_page(400, "Este enlace no es de los nuestros.");
    })
    .await;
}

#[tokio::test]
async fn a_brand_is_on_every_page_of_the_workspace_and_on_no_others() {
    const LOGO: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"><script>alert(1)</script><rect width=\"1\" height=\"1\"/></svg>";
    on_each(async |app| {
        let other = app.tenant("Other").await;
        app.settings(&app.acme, |settings| {
            settings.completion = Completion::Confirm;
            settings.brand.name = Some("Acme Suite".to_owned());
            settings.brand.colour = Some("#ffd400".to_owned());
        })
        .await;
        let ws = &app.acme.workspace;
        assert!(app.change(async |to| setup::logo(to, ws, Some(LOGO)).await).await);
        assert!(!app.change(async |to| setup::logo(to, ws, Some(LOGO)).await).await, "it has it");
        let browser = Browser::new();
        let began = browser.get(&app.authorize_url(&app.acme, &[])).await;
        let url = format!("{}{}", app.origin, began.location());
        let page = browser.get(&url).await;
        let text = page.text();
        assert!(
            text.contains(">Acme Suite</span>") && text.contains("--fill: #ffd400; --on-fill: #000000"),
            "{text}"
        );
        let at = text.split("<img src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a logo");
        let at = at.replace("&#x2f;", "/");
        assert!(at.starts_with(&format!("/brand/{}/logo?v=", app.acme.client_id)), "{at}");
        let logo = Browser::new().get(&format!("{}{at}", app.origin)).await;
        assert_eq!((logo.status.as_u16(), logo.header("content-type")), (200, Some("image/svg+xml")));
        assert!(!logo.text().contains("script") && logo.text().contains("<rect"), "{}", logo.text());
        let policy = logo.header("content-security-policy").expect("a policy");
        assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
        assert_eq!(logo.header("x-content-type-options"), Some("nosniff"));

        // Who has no business there learns not even whose it is.
        let stranger = Browser::new().get(&url).await;
        stranger.assert_page(400, "another browser");
        assert!(!stranger.text().contains(">Acme Suite</span>"));

        for client_id in [other.client_id.as_str(), "nobody", "%2e%2e"] {
            let none = Browser::new().get(&format!("{}/brand/{client_id}/logo", app.origin)).await;
            assert_eq!(none.status, 404, "{client_id}");
        }
        assert!(app.change(async |to| setup::logo(to, ws, None).await).await);
        assert_eq!(Browser::new().get(&format!("{}{at}", app.origin)).await.status, 404);
        app.complete(&other, Completion::Confirm).await;
        let began = browser.get(&app.authorize_url(&other, &[])).await;
        let page = browser.get(&format!("{}{}", app.origin, began.location())).await;
        assert!(page.text().contains(">Other</span>") && !page.text().contains("#ffd400"), "{}", page.text());
    })
    .await;
}

#[tokio::test]
async fn an_icon_of_its_own_stands_before_the_name_else_its_letter() {
    const ICON: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"/>";
    on_each_with(providers, async |app| {
        let at = provider().await;
        integrate(app, &at.origin).await;
        let browser = Browser::new();
        let url = begin(app, &browser, &[]).await;
        let page = browser.get(&url).await;
        // The name is `<script>…`.
        assert!(page.text().contains(">S</text></svg>") && !page.text().contains("<img"), "{}", page.text());
        assert_eq!(Browser::new().get(&format!("{url}/icon")).await.status, 404);

        let ws = &app.acme.workspace;
        let integration = app.read().await.offered_integration(ws, "it").await.expect("read").expect("it");
        let (hash, updated_at) = ("0123456789abcdef0123".to_owned(), app.broker.clock.now());
        let icon = Icon { media_type: "image/svg+xml".to_owned(), body: ICON.to_vec(), hash, updated_at };
        app.change(async |to| to.conn.set_icon(ws, &integration.id, &icon).await).await;
        let page = browser.get(&url).await;
        let src =
            page.text().split("<img src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an icon");
        let src = format!("{}{}", app.origin, src.replace("&#x2f;", "/"));
        assert_eq!(src, format!("{url}/icon?v=0123456789abcdef"));
        let shown = Browser::new().get(&src).await;
        assert_eq!((shown.status.as_u16(), shown.body.as_ref()), (200, ICON));
        assert_eq!(shown.header("content-type"), Some("image/svg+xml"));
        assert!(shown.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
        assert_eq!(shown.header("cache-control"), Some("private, max-age=300"));
        assert_eq!(shown.header("x-content-type-options"), Some("nosniff"));
        for nowhere in ["flow_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f", "%2e%2e", "x"] {
            let none = Browser::new().get(&format!("{}/connect/{nowhere}/icon", app.origin)).await;
            assert_eq!(none.status, 404, "{nowhere}");
        }
        let favicon = Browser::new().get(&format!("{}/favicon.ico", app.origin)).await;
        assert_eq!((favicon.status.as_u16(), favicon.body.len()), (204, 0));
    })
    .await;
}
