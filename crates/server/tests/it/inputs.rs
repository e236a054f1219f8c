//! A provider that has to know where the account is: its inputs are asked on a page, checked, and filled in.

use claviger_engine::{domain::workspace::Completion, setup::NewIntegration};

use crate::support::{Browser, CB, Leg, Options, TestApp, app::new_integration, on_each_with, value};

const FILE: &str = r#"
key = "acme"
name = "Acme <Cloud>"

[[inputs]]
key = "subdomain"
title = "Subdomain"
description = "The first part of your address"
placeholder = "your-company"
pattern = "^[a-z0-9-]{1,63}$"

[[inputs]]
key = "region"
title = "Region"
pattern = "^(eu|us)$"

[oauth2.endpoints]
authorize_url = "https://{subdomain}.{region}.acme.test/authorize"
token_url = "https://{subdomain}.{region}.acme.test/token"

[api]
base_url = "https://{subdomain}.{region}.acme.test/api"
"#;

fn with_acme() -> Options {
    Options { providers: vec![("acme.toml", FILE.to_owned())], ..Options::default() }
}

/// Opens the page of a new flow at `acme`; gives its URL.
async fn open(app: &TestApp, browser: &Browser, extra: &[(&str, &str)]) -> String {
    let mut wish = vec![("integration_id", "acme"), ("state", "s")];
    wish.extend_from_slice(extra);
    let began = browser.get(&app.authorize_url(&app.acme, &wish)).await;
    assert_eq!(began.status, 302, "{}", began.text());
    assert!(began.location().starts_with("/connect/flow_"), "{}", began.location());
    format!("{}{}", app.origin, began.location())
}

async fn integrate(app: &TestApp, fixed: &[(&str, &str)]) {
    let mut config = claviger_engine::domain::integration::Config::default();
    config.inputs.extend(fixed.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let input: NewIntegration = new_integration("acme", "acme", config);
    app.integrate_as(&app.acme, input).await;
}

#[tokio::test]
async fn inputs_are_asked_for_and_lead_to_the_providers_address() {
    on_each_with(with_acme, async |app| {
        integrate(app, &[]).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[("external_id", "u")]).await;
        let page = browser.get(&url).await;
        assert_eq!(page.status, 200);
        for words in
            ["Acme &lt;Cloud&gt;", "Subdomain", "The first part of your address", "your-company", "Region"]
        {
            assert!(page.text().contains(words), "{words}: {}", page.text());
        }
        let form = [("subdomain", " my-team "), ("region", "eu"), ("decision", "continue")];
        let answer = browser.submit(&url, &form).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let leg = Leg::of(answer.location());
        assert!(leg.url.starts_with("https://my-team.eu.acme.test/authorize?"), "{}", leg.url);
        assert_eq!(leg.state().len(), 43);
        browser.get(&url).await.assert_page(400, "used already");
    })
    .await;
}

#[tokio::test]
async fn what_the_integration_fixes_is_not_asked() {
    on_each_with(with_acme, async |app| {
        integrate(app, &[("region", "us")]).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        assert!(!browser.get(&url).await.text().contains("Region"));
        let form = [("subdomain", "team"), ("region", "eu"), ("decision", "continue")];
        let answer = browser.submit(&url, &form).await;
        let to = answer.location();
        assert!(to.starts_with("https://team.us.acme.test/authorize?"), "the form can't change it: {to}");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_input_is_said_at_its_field_and_can_be_put_right() {
    on_each_with(with_acme, async |app| {
        integrate(app, &[("region", "eu")]).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        let long = "a".repeat(64);
        for wrong in [
            "",
            "   ",
            "A",
            "a.b",
            "a/b",
            "a@b",
            "a:b",
            "evil.test/",
            "evil.test#",
            "evil.test?",
            "evil.test\\",
            "a%2e",
            "a\tb",
            "a\nb",
            "a\r\nLocation: https://evil.test",
            "\u{430}",
            "a\u{ad}b",
            "<script>alert(1)</script>",
            "{region}",
            "\"><img>",
            long.as_str(),
        ] {
            let page = browser.submit(&url, &[("subdomain", wrong), ("decision", "continue")]).await;
            assert_eq!(page.status, 422, "{wrong:?}: {}", page.text());
            assert!(page.headers.get("location").is_none(), "{wrong:?}");
            let words = if wrong.trim().is_empty() { "This is needed." } else { "such as your-company" };
            assert!(
                page.text().contains(r#"aria-invalid="true""#) && page.text().contains(words),
                "{wrong:?}: {}",
                page.text()
            );
            assert!(
                !page.text().contains("<script>") && !page.text().contains("<img>"),
                "{wrong:?}: {}",
                page.text()
            );
        }
        let answer = browser.submit(&url, &[("subdomain", "right"), ("decision", "continue")]).await;
        assert!(
            answer.location().starts_with("https://right.eu.acme.test/authorize?"),
            "{}",
            answer.location()
        );
    })
    .await;
}

#[tokio::test]
async fn inputs_and_a_confirmation_are_one_page() {
    on_each_with(with_acme, async |app| {
        integrate(app, &[("region", "eu")]).await;
        app.complete(&app.acme, Completion::Confirm).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[("external_id", "mallory")]).await;
        let page = browser.get(&url).await;
        assert!(page.text().contains("mallory") && page.text().contains("Subdomain"), "{}", page.text());
        let again = browser.submit(&url, &[("decision", "continue")]).await;
        assert_eq!(again.status, 422);
        assert!(again.text().contains("mallory"), "it still says for whom: {}", again.text());
        let answer = browser.submit(&url, &[("decision", "cancel")]).await;
        let (target, pairs) = answer.redirect();
        assert_eq!((target.as_str(), value(&pairs, "error")), (CB, "access_denied"));
    })
    .await;
}

#[tokio::test]
async fn authorize_itself_takes_no_input_and_no_address() {
    on_each_with(with_acme, async |app| {
        integrate(app, &[]).await;
        let browser = Browser::new();
        let wish = [
            ("subdomain", "evil"),
            ("region", "eu"),
            ("authorize_url", "https://evil.test/"),
            ("token_url", "https://evil.test/"),
            ("scope", "admin"),
            ("client_secret", "x"),
        ];
        let url = open(app, &browser, &wish).await;
        assert!(!browser.get(&url).await.text().contains("evil"));
    })
    .await;
}

#[tokio::test]
async fn an_optional_input_is_asked_along_and_may_stay_empty() {
    let optional = || {
        let team =
            "[[inputs]]\nkey = \"team\"\ntitle = \"Team\"\npattern = \"^[a-z]+$\"\nrequired = false\n\n";
        let file = FILE.replacen("[oauth2.endpoints]", &format!("{team}[oauth2.endpoints]"), 1);
        Options { providers: vec![("acme.toml", file)], ..Options::default() }
    };
    on_each_with(optional, async |app| {
        integrate(app, &[]).await;
        let browser = Browser::new();
        let url = open(app, &browser, &[]).await;
        assert!(browser.get(&url).await.text().contains("name=\"team\""));
        let filled = [("decision", "continue"), ("subdomain", "a"), ("region", "eu")];
        let wrong = browser.submit(&url, &[&filled[..], &[("team", "NO")]].concat()).await;
        assert_eq!(wrong.status, 422, "what is given must look right");
        let answer = browser.submit(&url, &[&filled[..], &[("team", "")]].concat()).await;
        assert_eq!(answer.status, 303);
        assert!(answer.location().starts_with("https://a.eu.acme.test/authorize?"));
    })
    .await;
}

#[tokio::test]
async fn the_form_is_framed_by_allowed_origins_and_a_confirmation_by_none() {
    on_each_with(with_acme, async |app| {
        integrate(app, &[]).await;
        let origins = ["https://one.test".to_owned(), "https://two.test".to_owned()];
        app.settings(&app.acme, |settings| settings.allowed_origins = origins.to_vec()).await;
        for (completion, framed) in [
            (Completion::Redirect, "frame-ancestors https://one.test https://two.test"),
            (Completion::Confirm, "frame-ancestors 'none'"),
        ] {
            app.complete(&app.acme, completion).await;
            let browser = Browser::new();
            let url = open(app, &browser, &[]).await;
            let page = browser.get(&url).await;
            let policy = page.header("content-security-policy").expect("a policy");
            assert!(policy.split("; ").any(|rule| rule == framed), "{completion:?}: {policy}");
        }
    })
    .await;
}
