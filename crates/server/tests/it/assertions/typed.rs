//! Private keys that people bring: typed in or as a file, they sign for each token.

use super::*;

pub(super) fn providers() -> Options {
    let own = "key = \"own\"\nname = \"Own\"\n[oauth2]\ngrant = \"jwt_bearer\"\nclient_auth = \"none\"\n\
               [oauth2.assertion]\nsubject = \"{account}\"\nclaims.tenant = \"{account}\"\n\
               [[inputs]]\nkey = \"account\"\ntitle = \"Account\"\npattern = \"^[a-z]+$\"\n\
               [oauth2.endpoints]\nsource = \"integration\"\n";
    let document = "key = \"document\"\nname = \"Document\"\n[oauth2]\ngrant = \"jwt_bearer\"\n\
                    [oauth2.fields.account]\ntitle = \"Key file\"\nform = \"json\"\n\
                    parts.private_key = { path = \"private_key\" }\n\
                    parts.email = { path = \"client_email\", secret = false }\n\
                    [oauth2.assertion]\nkey = \"private_key\"\nissuer = \"{email}\"\nsubject = \"\"\nscope = true\n\
                    [oauth2.scopes]\ndefault = [\"a\", \"b\"]\n[oauth2.endpoints]\nsource = \"integration\"\n";
    let files = [("own.toml", own), ("document.toml", document)];
    Options { providers: files.map(|(name, text)| (name, text.to_owned())).into(), ..Options::default() }
}

fn pair() -> rcgen::KeyPair {
    rcgen::KeyPair::generate().expect("a key")
}

/// The claims of a JWT that this key signed.
fn by(pair: &rcgen::KeyPair, token: &str) -> (Value, Value) {
    let (head, claims, input, signature) = opened(token);
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key_raw().to_vec());
    public.verify(input.as_bytes(), &signature).expect("signed");
    (head, claims)
}

fn typed(pem: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("decision", "continue"),
        ("credential-issuer", "sa@acme"),
        ("credential-subject", "ada"),
        ("credential-key_id", "k-7"),
        ("credential-private_key", pem),
    ]
}

fn without_client(provider: &str, config: Config) -> NewIntegration {
    NewIntegration { client_id: None, client_secret: None, ..new_integration("it", provider, config) }
}

#[tokio::test]
async fn a_private_key_is_typed_in_and_signs_for_each_token() {
    on_each(async |app| {
        let at = Signs::start().await;
        app.integrate_as(&app.acme, without_client("jwt-bearer", at.config())).await;
        let pair = pair();
        let pem = pair.serialize_pem();
        let browser = Browser::new();
        let page = format!("{}{}", app.origin, browser.get(&url(app)).await.location());
        for (wrong, words) in [
            ("canary".to_owned(), "Is not a private key in PEM"),
            (pem.replace("PRIVATE KEY", "PUBLIC KEY"), "Is a public key"),
            (pem.replace("PRIVATE KEY", "CERTIFICATE"), "Is a certificate"),
            (pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "Is encrypted"),
            (pem[..100].to_owned(), "Can&#x27;t be read as a private key"),
        ] {
            let refused = browser.submit(&page, &typed(&wrong)).await;
            assert_eq!(refused.status, 422, "{words}");
            let text = refused.text();
            assert!(text.contains("error-credential-private_key") && text.contains(words), "{words}: {text}");
            assert!(!text.contains("canary") && !text.contains(&pem[40..80]), "{words}");
        }
        let endless = format!("{pem}{}", "canary ".repeat(2500));
        let refused = browser.submit(&page, &typed(&endless)).await;
        assert!(refused.status.is_client_error() && !refused.text().contains("canary"), "{}", refused.text());
        assert!(at.forms().is_empty(), "nobody was asked with a key that is none");
        at.refuses(Some(("invalid_grant", "JWT is not yet valid: check the clock.")));
        let refused = browser.submit(&page, &typed(&pem)).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains("JWT is not yet valid: check the clock."), "{}", refused.text());
        assert!(!refused.text().contains("eyJ"), "what was signed is not said back");
        app.assert_nothing_connected(&app.acme).await;

        at.refuses(None);
        let id = connected(&browser.submit(&page, &typed(&pem)).await);
        let form = at.last();
        assert_eq!(value(&form, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
        assert!(form.iter().all(|(name, _)| !name.starts_with("client_")), "{form:?}");
        let (head, claims) = by(&pair, value(&form, "assertion"));
        assert_eq!((&head["alg"], &head["kid"]), (&json!("ES256"), &json!("k-7")));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("sa@acme"), &json!("ada")));
        assert_eq!(claims["aud"], json!(format!("{}/token", at.up.origin)));
        let made = app.connection(&app.acme, &id).await;
        assert_eq!(made.inputs["issuer"], "sa@acme");
        assert!(!format!("{made:?}").contains("PRIVATE"), "no secret is among the inputs");

        // Another assertion for another token; never the refresh token that came along.
        let asked = at.forms().len();
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(at.forms().len(), asked + 1);
        let again = at.last();
        assert_eq!(value(&again, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
        assert_ne!(by(&pair, value(&again, "assertion")).1["jti"], claims["jti"]);
        // Ended before its time: one more, and the call is made again.
        let token = format!("Bearer canary-token-{}", at.forms().len());
        at.state.lock().unwrap().refused.insert(token.clone());
        app.pass(Duration::from_secs(61));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(at.forms().len(), asked + 2);
        // A key that is not taken any more is its owner's to give anew.
        at.refuses(Some(("invalid_grant", "account not found")));
        app.pass(HOUR);
        app.call(&app.acme.key, &id, "/x").await.assert_problem(401, "connection_refresh_failed");
        let now = app.connection(&app.acme, &id).await;
        assert_eq!(now.status, Status::NeedsReauth);
        let why = now.status_reason.unwrap();
        assert!(why.contains("account not found") && !why.contains("eyJ"), "{why}");
    })
    .await;
}

#[tokio::test]
async fn with_our_own_key_nobody_types_anything_and_its_operator_mends_it() {
    on_each_with(providers, async |app| {
        let at = Signs::start().await;
        let inputs = [("account".to_owned(), "ada".to_owned())].into();
        let config = Config { inputs, ..at.config() };
        let id = app.integrate_as(&app.acme, wish("own", config, None)).await;
        let connection = connected(&Browser::new().get(&url(app)).await);
        let claims = verified(app, id.as_str(), value(&at.last(), "assertion")).await;
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["tenant"]),
            (&json!(CLIENT), &json!("ada"), &json!("ada"))
        );
        at.refuses(Some(("invalid_grant", "no such key")));
        let alice = share(app, &id, "alice").await;
        let refused =
            ask(app, &alice.token, Method::POST, "/api/integrations/it/connect", Some(&json!({}))).await;
        assert_problem(&refused, 409, "no such key");
        assert!(!refused.text().contains("eyJ"), "{}", refused.text());
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &connection, "/x").await.status, 401);
        let waits = app.connection(&app.acme, &connection).await;
        assert_eq!(waits.status, Status::Active, "what only we signed is not its owner's to mend");
        at.refuses(None);
        app.pass(Duration::from_secs(2));
        assert_eq!(app.call(&app.acme.key, &connection, "/x").await.status, 200);
        let shown = ask(app, &alice.token, Method::GET, "/api/integrations/it", None).await.json();
        assert!(
            shown["jwksUri"].as_str().is_some_and(|url| url.ends_with(&format!("/oauth2/jwks/{id}"))),
            "{shown}"
        );
    })
    .await;
}

/// A document, at every door that takes one.
#[tokio::test]
async fn a_key_file_is_brought_whole_and_only_its_parts_are_kept() {
    on_each_with(providers, async |app| {
        let at = Signs::start().await;
        let id = app.integrate_as(&app.acme, without_client("document", at.config())).await;
        let pair = pair();
        let file = |pem: &str| {
            json!({ "type": "service_account", "private_key": pem, "client_email": "sa@acme", "x": "canary" })
                .to_string()
        };
        let sound = file(&pair.serialize_pem());
        let alice = share(app, &id, "alice").await;
        let bring = async |document: &str| {
            let body = json!({ "fields": { "account": document } });
            ask(app, &alice.token, Method::POST, "/api/integrations/it/connect", Some(&body)).await
        };
        for (wrong, words) in [
            ("canary".to_owned(), "account: Is no JSON"),
            (file("canary"), "account: "),
            (file(&pair.public_key_pem()), "Is a public key"),
            (r#"{"private_key":"canary"}"#.to_owned(), "client_email"),
        ] {
            let refused = bring(&wrong).await;
            assert_problem(&refused, 400, words);
            assert!(!refused.text().contains("canary"), "{}", refused.text());
        }
        let made = bring(&sound).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let (_, claims) = by(&pair, value(&at.last(), "assertion"));
        assert_eq!(
            (&claims["iss"], &claims["scope"], claims.get("sub")),
            (&json!("sa@acme"), &json!("a b"), None)
        );

        let token = membrane::customer(app, &app.acme, "c1").await;
        let post = async |document: &str| {
            let body = json!({ "integrationKey": "it", "input": { "account": document },
                               "connectionParameters": { "account": document } });
            membrane::ask(app, &token, Method::POST, "/connections", Some(&body)).await
        };
        let refused = post(&file("canary")).await;
        assert!(refused.status == 400 && !refused.text().contains("canary"), "{}", refused.text());
        let made = post(&sound).await;
        assert!(made.status.is_success(), "{}", made.text());
        assert!(!made.text().contains("PRIVATE") && !made.text().contains("canary"), "{}", made.text());

        // Tokens can be imported; what they are fetched with can't.
        let given = connect::Import {
            integration: "it",
            only: None,
            owner: Owner { kind: OwnerKind::External, key: Some("customer-1".into()) },
            access_token: Secret::new("canary"),
            refresh_token: None,
            expires_in: None,
            scopes: None,
            inputs: BTreeMap::new(),
            verify: false,
        };
        let refused =
            connect::import(&app.broker, &app.acme.workspace, given, Actor::ApiKey("key_1".into())).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })));
    })
    .await;
}
