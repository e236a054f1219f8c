//! Who holds a token: which of them hold, for whom they speak, and what they tell of their customers.

use std::time::Duration;

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{self, EcdsaKeyPair, RsaKeyPair},
};
use claviger_engine::{
    domain::{jwt_key::Algorithm, workspace::Hmac},
    secret::Secret,
    setup,
    store::trial,
};
use http::Method;
use serde_json::{Value, json};

use super::{
    admin, ask, assert_refused, complete, customer, hs, jwt, register, rules, seconds, secret, send, token,
};
use crate::support::{Answer, Browser, Tenant, TestApp, app::ALL, on_each};

async fn me(app: &TestApp, token: &str) -> Answer {
    ask(app, token, Method::GET, "/self", None).await
}

/// Asserts that a token is refused, in the one way in which any is.
#[track_caller]
fn assert_shut_out(answer: &Answer) {
    assert_refused(answer, 401, Some("not_authenticated"));
    let want = json!({
        "type": "bad_request",
        "key": "not_authenticated",
        "message": "Missing or invalid token"
    });
    assert_eq!(answer.json(), want);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

async fn known(app: &TestApp, tenant: &Tenant) -> usize {
    app.read().await.customers(&tenant.workspace, None, &ALL).await.unwrap().len()
}

#[tokio::test]
async fn a_product_vouches_for_its_customer() {
    on_each(async |app| {
        let secret = secret(app, &app.acme).await;
        let claims = |claims: Value| complete(app, &app.acme, claims);
        let all = [(hmac::HMAC_SHA256, "HS256"), (hmac::HMAC_SHA384, "HS384"), (hmac::HMAC_SHA512, "HS512")];
        for (with, alg) in all {
            let key = json!(app.acme.client_id);
            for claims in [
                claims(json!({ "id": "user-1" })),
                claims(json!({ "tenantKey": "user-1" })),
                claims(json!({ "workspaceKey": key, "iss": null, "id": "user-1" })),
                claims(json!({ "workspaceKey": key, "iss": "https://id.example", "tenantKey": "user-1" })),
            ] {
                let answer = me(app, &hs(with, alg, &secret, &claims)).await;
                assert_eq!(answer.status, 200, "{claims}: {}", answer.text());
                assert_eq!(answer.json()["internalId"], "user-1");
                assert_eq!(answer.json()["workspaceKey"], key);
            }
        }
        assert_eq!(known(app, &app.acme).await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_token_of_the_workspace_is_refused_in_one_way() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let (ours, theirs) = (secret(app, &app.acme).await, secret(app, &other).await);
        let claims = complete(app, &app.acme, json!({ "id": "user-1" }));
        let by = |alg: &str, secret: &Secret| hs(hmac::HMAC_SHA256, alg, secret, &claims);
        let good = by("HS256", &ours);
        let (text, signature) = good.rsplit_once('.').unwrap();
        let none = |alg: &str| jwt(&json!({ "alg": alg }), &claims, |_| Vec::new());
        let critical = json!({ "alg": "HS256", "crit": ["exp"] });
        let key = hmac::Key::new(hmac::HMAC_SHA256, ours.expose().as_bytes());
        let sign = |text: &[u8]| hmac::sign(&key, text).as_ref().to_vec();
        let nobody = complete(app, &app.acme, json!({ "iss": "nobody", "id": "user-1" }));
        let foreign = complete(app, &other, json!({ "id": "user-1" }));
        let swapped =
            hs(hmac::HMAC_SHA256, "HS256", &ours, &complete(app, &app.acme, json!({ "id": "user-2" })));
        let swapped = format!("{}.{signature}", swapped.rsplit_once('.').unwrap().0);
        for (what, shown) in [
            ("nothing", String::new()),
            ("garbage", "garbage".to_owned()),
            ("two parts", text.to_owned()),
            ("no signature", format!("{text}.")),
            ("half a signature", format!("{text}.{}", &signature[..22])),
            ("padding", format!("{good}=")),
            ("four parts", format!("{good}.x")),
            ("another's claims", swapped),
            ("none", none("none")),
            ("None", none("None")),
            ("no algorithm", none("")),
            ("an unknown algorithm", by("HS1024", &ours)),
            ("another algorithm than it says", by("HS512", &ours)),
            ("in lower case", by("hs256", &ours)),
            ("another secret", by("HS256", &Secret::new("another secret of 256 bits, or so"))),
            ("an empty secret", by("HS256", &Secret::new(""))),
            ("the client id for a secret", by("HS256", &Secret::new(app.acme.client_id.as_str()))),
            ("the secret of another workspace", by("HS256", &theirs)),
            ("ours under another's name", hs(hmac::HMAC_SHA256, "HS256", &ours, &foreign)),
            ("no such workspace", hs(hmac::HMAC_SHA256, "HS256", &ours, &nobody)),
            ("something critical", jwt(&critical, &claims, sign)),
            ("an API key", app.acme.key.clone()),
            ("too long", token(app, &app.acme, json!({ "id": "user-1", "x": "x".repeat(16 * 1024) })).await),
        ] {
            let answer = me(app, &shown).await;
            assert_eq!(answer.status, 401, "{what}: {}", answer.text());
            assert_shut_out(&answer);
        }
        let twice = http::Request::get(format!("{}/self", app.origin))
            .header("authorization", format!("Bearer {good}"))
            .header("authorization", format!("Bearer {good}"));
        assert_shut_out(&Browser::new().send(twice, Default::default()).await);
        let basic = http::Request::get(format!("{}/self", app.origin))
            .header("authorization", format!("Basic {good}"));
        assert_shut_out(&Browser::new().send(basic, Default::default()).await);
        let query = ask(app, "", Method::GET, &format!("/self?token={good}"), None).await;
        assert_shut_out(&query);
        assert_eq!(known(app, &app.acme).await + known(app, &other).await, 0, "none of them is a customer");
        assert_eq!(me(app, &good).await.status, 200, "and nothing was wrong but what was meant to be");
    })
    .await;
}

#[tokio::test]
async fn a_token_is_good_for_its_time_and_a_minute() {
    on_each(async |app| {
        let now = seconds(app);
        for (claims, holds) in [
            (json!({ "exp": now + 10 }), true),
            (json!({ "exp": now - 59 }), true),
            (json!({ "exp": now - 60 }), false),
            (json!({ "exp": 0 }), false),
            (json!({ "exp": null }), false),
            (json!({ "exp": (now + 10).to_string() }), false),
            (json!({ "nbf": now + 60, "iat": now + 60 }), true),
            (json!({ "nbf": now + 61 }), false),
            (json!({ "iat": now + 61 }), false),
        ] {
            let mut claims = claims;
            claims["id"] = "user-1".into();
            let answer = me(app, &token(app, &app.acme, claims.clone()).await).await;
            if holds { assert_eq!(answer.status, 200, "{claims}") } else { assert_shut_out(&answer) }
        }
        rules(app, &app.acme, |jwt| jwt.allow_without_exp = true).await;
        let endless = token(app, &app.acme, json!({ "id": "user-1", "exp": null })).await;
        assert_eq!(me(app, &endless).await.status, 200);
        assert_shut_out(&me(app, &token(app, &app.acme, json!({ "id": "user-1", "exp": 5 })).await).await);
        let short = token(app, &app.acme, json!({ "id": "user-1", "exp": now + 10 })).await;
        app.pass(Duration::from_secs(69));
        assert_eq!(me(app, &short).await.status, 200);
        app.pass(Duration::from_secs(1));
        assert_shut_out(&me(app, &short).await);
    })
    .await;
}

#[tokio::test]
async fn an_admin_is_who_says_so_plainly_and_names_no_customer() {
    on_each(async |app| {
        let list = async |claims: Value| {
            let token = token(app, &app.acme, claims).await;
            ask(app, &token, Method::GET, "/customers", None).await.status.as_u16()
        };
        for yes in [json!(true), json!(1), json!("1"), json!("true")] {
            assert_eq!(list(json!({ "isAdmin": yes })).await, 200, "{yes}");
            assert_eq!(list(json!({ "isAdmin": yes, "id": "user-1" })).await, 403, "{yes}");
            assert_eq!(list(json!({ "isAdmin": yes, "tenantKey": "user-1" })).await, 403, "{yes}");
            assert_eq!(list(json!({ "isAdmin": yes, "id": "" })).await, 401, "{yes}");
        }
        for no in [
            json!(0),
            json!("0"),
            json!("false"),
            json!("yes"),
            json!(""),
            json!(2),
            json!({}),
            json!([true]),
        ] {
            assert_eq!(list(json!({ "isAdmin": no })).await, 403, "{no}");
        }
        assert_eq!(list(json!({})).await, 403);
        for nobody in [admin(app, &app.acme).await, token(app, &app.acme, json!({})).await] {
            assert_refused(&me(app, &nobody).await, 403, Some("access_denied"));
        }
    })
    .await;
}

#[tokio::test]
async fn the_workspace_says_for_which_algorithm_its_secret_is_and_whether_it_counts() {
    on_each(async |app| {
        let secret = secret(app, &app.acme).await;
        let claims = complete(app, &app.acme, json!({ "id": "user-1" }));
        let short = hs(hmac::HMAC_SHA256, "HS256", &secret, &claims);
        let long = hs(hmac::HMAC_SHA512, "HS512", &secret, &claims);
        rules(app, &app.acme, |jwt| jwt.algorithm = Some(Hmac::HS512)).await;
        assert_shut_out(&me(app, &short).await);
        assert_eq!(me(app, &long).await.status, 200);
        rules(app, &app.acme, |jwt| jwt.secret = false).await;
        assert_shut_out(&me(app, &long).await);
        rules(app, &app.acme, |jwt| (jwt.secret, jwt.algorithm) = (true, None)).await;
        assert_eq!(me(app, &short).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn another_secret_ends_the_tokens_of_the_one_before() {
    on_each(async |app| {
        let before = customer(app, &app.acme, "user-1").await;
        assert_eq!(me(app, &before).await.status, 200);
        app.change(async |to| setup::roll_jwt_secret(to, &app.acme.workspace).await).await;
        assert_shut_out(&me(app, &before).await);
        assert_eq!(me(app, &customer(app, &app.acme, "user-1").await).await.status, 200);
    })
    .await;
}

/// Signs what it is given.
type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// A pair of keys: its public half in PEM, and what it makes of a text by an algorithm.
struct Pair {
    public: String,
    sign: Sign,
}

fn pem(der: &[u8]) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(der))
}

fn es256() -> Pair {
    use aws_lc_rs::{encoding::AsDer as _, signature::KeyPair as _};
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let public = pem(der.as_ref());
    Pair {
        public,
        sign: Box::new(move |text| pair.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()),
    }
}

fn rsa(how: &'static signature::RsaSignatureEncoding, pair: &std::sync::Arc<RsaKeyPair>) -> Pair {
    use aws_lc_rs::{encoding::AsDer as _, signature::KeyPair as _};
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let (public, pair) = (pem(der.as_ref()), pair.clone());
    Pair {
        public,
        sign: Box::new(move |text| {
            let mut out = vec![0; pair.public_modulus_len()];
            pair.sign(how, &SystemRandom::new(), text, &mut out).unwrap();
            out
        }),
    }
}

#[tokio::test]
async fn a_registered_key_verifies_by_its_one_algorithm() {
    on_each(async |app| {
        let other = app.tenant("Other").await;
        let pair = std::sync::Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let (pkcs1, pss) = (rsa(&signature::RSA_PKCS1_SHA256, &pair), rsa(&signature::RSA_PSS_SHA256, &pair));
        let stranger = es256();
        let curve = es256();
        let claims = complete(app, &app.acme, json!({ "id": "user-1" }));
        let by = |alg: &str, kid: Option<&str>, pair: &Pair| {
            let mut header = json!({ "alg": alg, "typ": "JWT" });
            if let Some(kid) = kid {
                header["kid"] = kid.into();
            }
            jwt(&header, &claims, &pair.sign)
        };
        assert_shut_out(&me(app, &by("RS256", None, &pkcs1)).await);
        register(app, &app.acme, "main", Algorithm::RS256, &pkcs1.public).await;
        register(app, &app.acme, "curve", Algorithm::ES256, &curve.public).await;
        register(app, &other, "stranger", Algorithm::ES256, &stranger.public).await;
        for (alg, kid, pair, holds) in [
            ("RS256", None, &pkcs1, true),
            ("RS256", Some("main"), &pkcs1, true),
            ("RS256", Some("curve"), &pkcs1, false),
            ("RS256", Some("unknown"), &pkcs1, false),
            ("RS256", Some(""), &pkcs1, false),
            ("PS256", None, &pss, false),
            ("PS256", Some("main"), &pss, false),
            ("RS256", None, &pss, false),
            ("RS512", None, &pkcs1, false),
            ("ES256", None, &curve, true),
            ("ES256", Some("curve"), &curve, true),
            ("ES256", Some("main"), &curve, false),
            ("ES256", None, &stranger, false),
            ("ES256", Some("stranger"), &stranger, false),
            ("RS256", None, &curve, false),
        ] {
            let answer = me(app, &by(alg, kid, pair)).await;
            if holds { assert_eq!(answer.status, 200, "{alg} {kid:?}") } else { assert_shut_out(&answer) }
        }
        // The public half is no secret: whoever knows it signs nothing with it.
        let public = pkcs1.public.as_str();
        let lines = public.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        for known in [public, public.trim(), lines.as_str()] {
            for (with, alg) in
                [(hmac::HMAC_SHA256, "HS256"), (hmac::HMAC_SHA256, "RS256"), (hmac::HMAC_SHA512, "HS512")]
            {
                assert_shut_out(&me(app, &hs(with, alg, &Secret::new(known), &claims)).await);
            }
        }
        // With the secret out of use, keys go on; a key that is removed is out at once.
        rules(app, &app.acme, |jwt| jwt.secret = false).await;
        assert_eq!(me(app, &by("RS256", None, &pkcs1)).await.status, 200);
        let key = app.read().await.jwt_keys(&app.acme.workspace).await.unwrap().remove(0);
        assert!(app.change(async |to| to.conn.delete_jwt_key(&app.acme.workspace, &key.id).await).await);
        assert_shut_out(&me(app, &by("RS256", None, &pkcs1)).await);
        assert_eq!(me(app, &by("ES256", None, &curve)).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_first_token_makes_a_customer_known_and_later_ones_change_it() {
    on_each(async |app| {
        let show = async |claims: Value| {
            let answer = me(app, &token(app, &app.acme, claims).await).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()
        };
        let first = show(json!({ "id": 4711 })).await;
        assert!(first["id"].as_str().unwrap().starts_with("cus_"), "{first}");
        assert_eq!((&first["internalId"], &first["name"]), (&json!("4711"), &json!("4711")));
        assert_eq!((&first["fields"], &first["hasCredentials"]), (&json!({}), &json!(false)));
        app.pass(Duration::from_secs(10));
        let fields = json!({ "plan": "pro", "seats": 5 });
        let told = show(json!({ "id": "4711", "name": "Ada", "fields": fields })).await;
        assert_eq!((&told["id"], &told["createdAt"]), (&first["id"], &first["createdAt"]));
        assert_eq!((&told["name"], &told["fields"]), (&json!("Ada"), &fields));
        assert_ne!(told["updatedAt"], first["updatedAt"]);

        // Nothing new is told: nothing is written, whatever the order of the fields, until a minute is over.
        app.pass(Duration::from_secs(30));
        let before = trial::contents(&app.broker.store).await;
        assert_eq!(show(json!({ "id": "4711" })).await, told);
        assert_eq!(
            show(json!({ "id": "4711", "fields": { "seats": 5, "plan": "pro" }, "name": "Ada" })).await,
            told
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(trial::contents(&app.broker.store).await, before);
        app.pass(Duration::from_secs(60));
        show(json!({ "id": "4711" })).await;
        let seen = async || {
            app.read().await.customer_by_key(&app.acme.workspace, "4711").await.unwrap().unwrap().seen_at
        };
        while seen().await != app.broker.clock.now() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let empty = show(json!({ "id": "4711", "fields": {} })).await;
        assert_eq!((&empty["name"], &empty["fields"]), (&json!("Ada"), &json!({})));
        assert_eq!(known(app, &app.acme).await, 1);
    })
    .await;
}

#[tokio::test]
async fn two_first_tokens_make_one_customer() {
    on_each(async |app| {
        let tokens = [
            token(app, &app.acme, json!({ "id": "user-1", "name": "One" })).await,
            token(app, &app.acme, json!({ "id": "user-1", "name": "Two" })).await,
            customer(app, &app.acme, "user-1").await,
            customer(app, &app.acme, "user-1").await,
        ];
        let answers = futures_util::future::join_all(tokens.iter().map(|token| me(app, token))).await;
        let ids: std::collections::BTreeSet<_> =
            answers.iter().map(|answer| answer.json()["id"].as_str().map(str::to_owned)).collect();
        assert_eq!((ids.len(), known(app, &app.acme).await), (1, 1), "{ids:?}");
        assert!(answers.iter().all(|answer| answer.status == 200));
    })
    .await;
}

#[tokio::test]
async fn any_page_may_ask_and_read_the_answer() {
    on_each(async |app| {
        let token = customer(app, &app.acme, "user-1").await;
        let paths = [
            "/self",
            "/customers",
            "/customers/x/y",
            "/connections/a/b/c/d",
            "/integrations/a/b/c",
            "/self/x",
        ];
        for path in paths {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let request = http::Request::options(format!("{}{path}", app.origin))
                    .header("origin", "https://shop.test")
                    .header("access-control-request-method", method)
                    .header("access-control-request-headers", "authorization,content-type,x-other");
                let answer = Browser::new().send(request, Default::default()).await;
                assert_eq!(answer.status, 204, "{method} {path}");
                assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
                assert!(answer.header("access-control-allow-methods").unwrap().contains(method));
                let headers = answer.header("access-control-allow-headers");
                assert_eq!(headers, Some("authorization,content-type,x-other"));
                assert!(answer.header("access-control-max-age").is_some());
                assert!(answer.header("access-control-allow-credentials").is_none());
            }
        }
        let answer = me(app, &token).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(answer.header("access-control-allow-credentials").is_none());
        for path in ["/self/x", "/customers/x/y", "/connection-options/x", "/connections/a/b/c/d"] {
            assert_refused(&ask(app, &token, Method::GET, path, None).await, 404, Some("not_found"));
        }
        assert_refused(&ask(app, &token, Method::DELETE, "/self", None).await, 405, None);
        assert_refused(&ask(app, &token, Method::OPTIONS, "/self", None).await, 405, None);
        let urlencoded = "application/x-www-form-urlencoded";
        let empty = send(app, &token, Method::PATCH, "/self", urlencoded, Default::default()).await;
        assert_eq!(empty.status, 200, "{}", empty.text());
    })
    .await;
}
