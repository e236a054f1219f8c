use crate::{CertificateAt, CertificateOf, ProofAlgorithm, Provider, lint::check};

const TYPED: &str = r#"
key = "acme"
name = "Acme"
category = "generic"
[certificate]
of = "connection"
certificate = "certificate"
key = "private_key"
[fields.certificate]
form = "multiline"
[fields.private_key]
form = "multiline"
[fields.region]
secret = false
optional = true
"#;

const OAUTH: &str = r#"
key = "acme"
name = "Acme"
docs = "https://acme.example/docs"
[certificate]
[oauth2]
client_auth = "tls_client_auth"
dpop = "ES256"
[oauth2.endpoints]
authorize_url = "https://acme.example/authorize"
token_url = "https://acme.example/token"
[api]
base_url = "https://api.acme.example"
"#;

fn errors(text: &str) -> Vec<String> {
    let findings = check("acme.toml", text).into_iter().filter(|finding| finding.severity.is_error());
    findings.map(|finding| finding.key).collect()
}

#[test]
fn sound_files_are_read() {
    assert_eq!((check("acme.toml", TYPED), check("acme.toml", OAUTH)), (vec![], vec![]));
    let typed = Provider::parse("acme.toml", TYPED).unwrap().certificate.unwrap();
    assert_eq!((typed.of, typed.key.as_deref()), (CertificateOf::Connection, Some("private_key")));
    let oauth = Provider::parse("acme.toml", OAUTH).unwrap();
    let certificate = oauth.certificate.clone().unwrap();
    assert_eq!(certificate.of, CertificateOf::Integration);
    assert_eq!(certificate.at, [CertificateAt::Token, CertificateAt::Api]);
    assert_eq!(oauth.oauth2().unwrap().dpop, Some(ProofAlgorithm::Es256));
}

#[test]
fn faults_are_named() {
    for (text, from, to, key) in [
        (TYPED, "certificate = \"certificate\"\n", "", "certificate.certificate"),
        (TYPED, "certificate = \"certificate\"", "certificate = \"other\"", "certificate.certificate"),
        (TYPED, "certificate = \"certificate\"", "certificate = \"region\"", "certificate.certificate"),
        (TYPED, "key = \"private_key\"", "key = \"certificate\"", "certificate.key"),
        (TYPED, "[fields.private_key]\nform = \"multiline\"", "[fields.private_key]", "certificate.key"),
        (TYPED, "[fields.private_key]", "[fields.private_key]\noptional = true", "certificate.key"),
        (TYPED, "of = \"connection\"", "of = \"integration\"", "certificate.key"),
        (TYPED, "of = \"connection\"", "of = \"connection\"\nat = [\"token\"]", "certificate.at"),
        (TYPED, "of = \"connection\"", "of = \"connection\"\nat = []", "certificate.at"),
        (TYPED, "of = \"connection\"", "of = \"everybody\"", "certificate.of"),
        (OAUTH, "[certificate]", "[certificate]\nat = [\"api\"]", "certificate.at"),
        (
            OAUTH,
            "[certificate]",
            "[certificate]\nof = \"connection\"\ncertificate = \"a\"\nkey = \"b\"",
            "certificate.of",
        ),
        (OAUTH, "\"ES256\"", "\"RS256\"", "oauth2.dpop"),
    ] {
        let found = errors(&text.replacen(from, to, 1));
        assert!(found.iter().any(|found| found == key), "{to} {key}: {found:?}");
    }
}
