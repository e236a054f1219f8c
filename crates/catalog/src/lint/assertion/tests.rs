use crate::{
    Alg, Audience, Holds, Kind, Provider,
    lint::{Severity, check},
};

fn file(lines: &str) -> String {
    format!(
        "key = \"acme\"\nname = \"Acme\"\ndocs = \"https://acme.example/docs\"\n[api]\nbase_url = \"https://api.acme.example\"\n\
         [oauth2]\ngrant = \"jwt_bearer\"\nendpoints.token_url = \"https://acme.example/t\"\n{lines}"
    )
}

const FIELDS: &str = "[oauth2.fields.account]\nsecret = false\n[oauth2.fields.pin]\n\
                      [oauth2.fields.pem]\nform = \"multiline\"\n[oauth2.assertion]\n";
const PARTS: &str = "[oauth2.fields.account]\nform = \"json\"\nparts.pem = { path = \"private_key\" }\n\
                     parts.email = { path = \"client_email\", secret = false }\n[oauth2.assertion]\n";

fn parsed(lines: &str) -> Provider {
    let text = file(lines);
    assert_eq!(check("acme.toml", &text), [], "{lines}");
    Provider::parse("acme.toml", &text).expect("a provider")
}

#[test]
fn sound_files_have_no_findings() {
    for (lines, kind) in [
        ("[oauth2.assertion]", Kind::ClientCredentials),
        (
            "[oauth2.assertion]\nalg = \"PS256\"\naudience = \"https://login.acme.example\"\nlifetime = 3600",
            Kind::ClientCredentials,
        ),
        (&format!("{FIELDS}key = \"pem\"\nkid = \"{{account}}\"\nsubject = \"\""), Kind::Typed),
        (
            &format!("{FIELDS}key = \"pem\"\nissuer = \"x-{{account}}\"\nclaims.tenant = \"{{account}}\""),
            Kind::Typed,
        ),
        (&format!("{PARTS}key = \"pem\"\nissuer = \"{{email}}\"\nscope = true"), Kind::Typed),
    ] {
        assert_eq!(parsed(lines).kind(), kind, "{lines}");
    }
}

#[test]
fn the_key_is_known_for_one_wherever_it_is_typed() {
    let holds = |lines: &str| {
        let provider = parsed(&format!("{lines}key = \"pem\"\nalg = \"ES256\""));
        let fields = &provider.keys().expect("fields").fields;
        let whole = fields.iter().map(|field| (field.key.clone(), field.holds));
        let parts = fields.iter().flat_map(|f| &f.parts).map(|(name, part)| (name.clone(), part.holds));
        whole.chain(parts).filter(|(_, holds)| *holds != Holds::Text).collect::<Vec<_>>()
    };
    let known = vec![("pem".to_owned(), Holds::PrivateKey(Some(Alg::ES256)))];
    assert_eq!((holds(FIELDS), holds(PARTS)), (known.clone(), known));
}

#[test]
fn faults_are_named_with_file_and_key() {
    for (key, lines) in [
        ("oauth2.assertion", String::new()),
        ("oauth2.assertion", "assertion = {}\ngrant_type = 1".to_owned()),
        ("oauth2.assertion.lifetime", "[oauth2.assertion]\nlifetime = 3601".to_owned()),
        ("oauth2.assertion.lifetime", "[oauth2.assertion]\nlifetime = 29".to_owned()),
        ("oauth2.assertion.kid", "[oauth2.assertion]\nkid = \"k\"".to_owned()),
        ("oauth2.assertion.key", "[oauth2.assertion]\nkey = \"pem\"".to_owned()),
        ("oauth2.assertion.key", format!("{FIELDS}key = \"account\"")),
        ("oauth2.fields.pin.form", format!("{FIELDS}key = \"pin\"")),
        ("oauth2.assertion.issuer", format!("{FIELDS}key = \"pem\"\nissuer = \"\"")),
        ("oauth2.assertion.issuer", format!("{FIELDS}key = \"pem\"\nissuer = \"{{who}}\"")),
        ("oauth2.assertion.subject", format!("{FIELDS}key = \"pem\"\nsubject = \"{{pem}}\"")),
        ("oauth2.assertion.subject", format!("{FIELDS}key = \"pem\"\nsubject = \"{{client_secret}}\"")),
        ("oauth2.assertion.kid", format!("{FIELDS}key = \"pem\"\nkid = \"{{pin}}\"")),
        ("oauth2.assertion.claims.x", format!("{PARTS}key = \"pem\"\nclaims.x = \"{{pem}}\"")),
        ("oauth2.assertion.claims.aud", format!("{PARTS}key = \"pem\"\nclaims.aud = \"x\"")),
        ("oauth2.assertion.audience", "[oauth2.assertion]\naudience = \"http://acme.example\"".to_owned()),
        ("oauth2.assertion.alg", "[oauth2.assertion]\nalg = \"HS256\"".to_owned()),
        ("oauth2.pkce", "pkce = \"S256\"\n[oauth2.assertion]".to_owned()),
        ("oauth2.refresh.with", "refresh.with = \"refresh_token\"\n[oauth2.assertion]".to_owned()),
    ] {
        let found = check("acme.toml", &file(&lines));
        let named = found.iter().any(|one| one.key == key && one.severity == Severity::Error);
        assert!(named || key == "oauth2.assertion" && !found.is_empty(), "{key}: {found:?}");
        assert!(Provider::parse("acme.toml", &file(&lines)).is_err());
    }
    let code = file("[oauth2.assertion]").replace("jwt_bearer", "authorization_code");
    assert!(check("acme.toml", &code).iter().any(|one| one.key == "oauth2.assertion"));
}

/// What was typed in is filled when the assertion is made; what an input says, before.
#[test]
fn texts_are_filled_with_what_is_known() {
    let lines = format!(
        "{FIELDS}key = \"pem\"\nissuer = \"{{client_id}}-{{region}}\"\nsubject = \"{{account}}\"\nclaims.r = \"{{region}}\"\n\
         [[inputs]]\nkey = \"region\"\ntitle = \"Region\"\npattern = \"^[a-z]+$\"\nrequired = false\n"
    );
    let given = [("region".to_owned(), "eu".to_owned())].into();
    let filled = parsed(&lines).filled(&given).expect("filled");
    let assertion = filled.oauth2().and_then(|oauth2| oauth2.assertion.clone()).expect("an assertion");
    assert_eq!(assertion.audience, Audience::Issuer);
    let told = (assertion.issuer.as_str(), assertion.subject.as_str(), assertion.claims["r"].as_str());
    assert_eq!(told, ("{client_id}-eu", "{account}", "eu"));
}
