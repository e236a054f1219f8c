//! Apply: which tokens of a product hold, and by which keys.

use claviger_engine::domain::{
    jwt_key::Algorithm,
    workspace::{Hmac, Jwt},
};

use super::tests::Room;

const CURVE: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQXwVGRuKoExvImko4gTW9orCgVhN
77LzY+NuvocMw45zv1YauYEpCaEVp4aTdb7p11vU7g7L+8WnDrT3s3Rycw==
-----END PUBLIC KEY-----
";
const EDWARDS: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAEfR3R5YWPhxbyLQP8akUkHndvkQVH+ANw/XU3rNCctc=
-----END PUBLIC KEY-----
";

/// A workspace with these keys and rules; keys are files beside it.
async fn apply(room: &Room, rest: &str, prune: bool) -> anyhow::Result<Vec<String>> {
    room.file("curve.pub", CURVE);
    room.file("edwards.pub", EDWARDS);
    room.apply(&format!("workspaces:\n  - client_id: acme\n    name: Acme\n{rest}"), prune, true).await
}

fn keys(list: &str) -> String {
    format!("    jwt_keys: [{list}]\n")
}

#[tokio::test]
async fn keys_are_made_replaced_and_pruned() {
    let room = Room::new().await;
    let main = r#"{ name: main, algorithm: ES256, public_key: "${file:curve.pub}" }"#;
    let next = r#"{ name: next, algorithm: EdDSA, public_key: "${file:edwards.pub}" }"#;
    let steps = apply(&room, &keys(main), false).await.unwrap();
    assert_eq!(steps, ["+ workspace acme", "+ workspace acme: JWT key main"]);
    for prune in [false, true] {
        assert_eq!(apply(&room, &keys(main), prune).await.unwrap(), [""; 0]);
    }
    let steps = apply(&room, &keys(next), false).await.unwrap();
    assert_eq!(steps, ["+ workspace acme: JWT key next"], "what it does not name stays");
    let other = main.replace("ES256", "EdDSA").replace("curve", "edwards");
    let steps = apply(&room, &keys(&other), true).await.unwrap();
    assert_eq!(steps, ["- workspace acme: JWT key next", "~ workspace acme: JWT key main: replaced"]);
    let mut conn = room.store.read().await.unwrap();
    let workspace = conn.any_workspace_by_client_id("acme").await.unwrap().unwrap();
    let left = conn.jwt_keys(&workspace.id).await.unwrap();
    let shown: Vec<_> = left.iter().map(|key| (key.name.as_str(), key.algorithm)).collect();
    assert_eq!(shown, [("main", Algorithm::EdDSA)]);
    assert_eq!(left[0].public_key, EDWARDS);
}

#[tokio::test]
async fn rules_are_changed_where_the_file_says_so() {
    let room = Room::new().await;
    let rules = async |jwt: &str| {
        let rest = if jwt.is_empty() { String::new() } else { format!("    settings: {{ jwt: {jwt} }}\n") };
        apply(&room, &rest, false).await.unwrap();
        let mut conn = room.store.read().await.unwrap();
        conn.any_workspace_by_client_id("acme").await.unwrap().unwrap().settings.jwt
    };
    let mut want = Jwt::default();
    assert_eq!(rules("").await, want);
    want.algorithm = Some(Hmac::HS512);
    assert_eq!(rules("{ algorithm: HS512 }").await, want);
    (want.secret, want.allow_without_exp) = (false, true);
    assert_eq!(rules("{ secret: false, allow_without_exp: true }").await, want);
    assert_eq!(rules("").await, want);
    assert_eq!(rules("{ algorithm: any, secret: true, allow_without_exp: false }").await, Jwt::default());
}

#[tokio::test]
async fn what_is_no_public_key_is_refused_by_name() {
    let room = Room::new().await;
    for (rest, want) in [
        (keys("{ name: main, algorithm: ES256 }"), "JWT key main: public_key is missing"),
        (
            keys("{ name: main, algorithm: ES256, public_key: canary }"),
            "public_key: must be a public key in PEM",
        ),
        (
            keys(r#"{ name: main, algorithm: ES256, public_key: "${file:edwards.pub}" }"#),
            "public_key: is not a key for ES256",
        ),
        (
            keys(r#"{ name: main, algorithm: RS256, public_key: "-----BEGIN PRIVATE KEY----- canary" }"#),
            "public_key: is a private key",
        ),
        (keys("{ name: main, algorithm: HS256, public_key: x }"), "jwt_keys[0].algorithm: must be one of"),
        (keys("{ name: main, algorithm: none, public_key: x }"), "jwt_keys[0].algorithm: must be one of"),
        (
            keys(
                "{ name: a, algorithm: ES256, public_key: x }, { name: a, algorithm: ES256, public_key: x }",
            ),
            r#"jwt_keys: "a" is named twice"#,
        ),
        (
            "    settings: { jwt: { algorithm: ES256 } }\n".to_owned(),
            "settings.jwt.algorithm: must be one of",
        ),
        ("    settings: { jwt: { algorithms: HS256 } }\n".to_owned(), "unknown field `algorithms`"),
    ] {
        let said = format!("{:#}", apply(&room, &rest, false).await.unwrap_err());
        assert!(said.contains(want) && !said.contains("canary"), "{said}");
    }
}
