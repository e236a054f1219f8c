use crate::{
    Provider,
    lint::{Severity, check},
};

fn file(tables: &str) -> String {
    format!(
        "key = \"acme\"\nname = \"Acme\"\ndocs = \"https://acme.example/docs\"\n{tables}\n\
         [api]\nbase_url = \"https://api.acme.example\""
    )
}

const ENDS: &str = "[oauth1.endpoints]\nrequest_token_url = \"https://acme.example/r?x=1\"\n\
    authorize_url = \"https://acme.example/a\"\naccess_token_url = \"https://acme.example/t\"";

#[test]
fn sound_files_have_no_findings() {
    for tables in [
        ENDS.to_owned(),
        "[oauth1.endpoints]\nsource = \"integration\"".to_owned(),
        format!(
            "[oauth1]\nsignature = \"RSA-SHA1\"\nrealm = \"A b\"\nplace = \"query\"\nmethod = \"GET\"\nlifetime = \"never\"\n{ENDS}"
        ),
        format!(
            "[oauth1]\nparams = {{ scope = \"s\" }}\nauthorize_params = {{ name = \"{{client_id}}\" }}\n\
             save.user = {{ path = \"user_id\", pattern = \"^[0-9]+$\" }}\n{ENDS}\n\
             [identity]\nsource = \"saved\"\nid = \"user\"\n[[verify.calls]]\nurl = \"/u/{{user}}\""
        ),
        format!("{ENDS}\n[identity]\nsource = \"call\"\nid = \"id\"\ncall.url = \"/me\""),
    ] {
        let text = file(&tables);
        assert_eq!(check("acme.toml", &text), [], "{tables}");
        let provider = Provider::parse("acme.toml", &text).expect("a provider");
        assert!(
            provider.api.place.is_nowhere() && provider.oauth1().is_some() && provider.oauth2().is_none()
        );
    }
}

#[test]
fn faults_are_named_with_file_and_key() {
    let ends = |from: &str, to: &str| ENDS.replace(from, to);
    for (key, tables) in [
        ("oauth1.endpoints.request_token_url", "[oauth1]".to_owned()),
        ("oauth1.endpoints.authorize_url", ends("authorize_url", "#")),
        ("oauth1.endpoints.access_token_url", ends("https://acme.example/t", "http://acme.example/t")),
        ("oauth1.endpoints.access_token_url", ends("example/t", "example/t#x")),
        ("oauth1.endpoints.authorize_url", ends("https://acme.example/a", "https://{sub}.acme.example/a")),
        ("oauth1.endpoints.source", "[oauth1.endpoints]\nsource = \"issuer\"".to_owned()),
        ("oauth1.endpoints.request_token_url", format!("{ENDS}\nsource = \"integration\"")),
        ("oauth1.signature", format!("[oauth1]\nsignature = \"HMAC-MD5\"\n{ENDS}")),
        ("oauth1.place", format!("[oauth1]\nplace = \"cookie\"\n{ENDS}")),
        ("oauth1.method", format!("[oauth1]\nmethod = \"PUT\"\n{ENDS}")),
        ("oauth1.realm", format!("[oauth1]\nrealm = 'a\"b'\n{ENDS}")),
        ("oauth1.realm", format!("[oauth1]\nrealm = '{{nobody}}'\n{ENDS}")),
        ("oauth1.params.oauth_callback", format!("[oauth1]\nparams.oauth_callback = \"x\"\n{ENDS}")),
        (
            "oauth1.authorize_params.oauth_token",
            format!("[oauth1]\nauthorize_params.oauth_token = \"x\"\n{ENDS}"),
        ),
        ("oauth1.params.x", format!("[oauth1]\nparams.x = \"{{token}}\"\n{ENDS}")),
        ("oauth1.save.x.pattern", format!("[oauth1]\nsave.x = {{ path = \"x\", pattern = \"x\" }}\n{ENDS}")),
        ("identity.source", format!("{ENDS}\n[identity]\nid = \"sub\"")),
        ("identity.source", format!("{ENDS}\n[identity]\nsource = \"id_token\"\nid = \"sub\"")),
        ("api.place", format!("{ENDS}\n[api.place]\nheader = \"X\"\nformat = \"{{token}}\"")),
        ("api.headers.x", format!("{ENDS}\n[api.headers]\nx = \"{{token}}\"")),
        ("oauth1.token_url", format!("[oauth1]\ntoken_url = \"https://acme.example/t\"\n{ENDS}")),
        ("oauth1", format!("[oauth2]\n{ENDS}")),
    ] {
        let text = file(&tables);
        let found = check("acme.toml", &text);
        let named = found.iter().any(|one| one.key == key && one.severity == Severity::Error);
        assert!(named, "{tables}: {key}: {found:?}");
        assert!(Provider::parse("acme.toml", &text).is_err());
    }
}
