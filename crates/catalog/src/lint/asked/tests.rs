use crate::lint::check;

fn file(grant: &str, lines: &str) -> String {
    format!(
        "key = \"acme\"\nname = \"Acme\"\ndocs = \"https://acme.example/docs\"\n[api]\nbase_url = \"https://api.acme.example\"\n\
         [oauth2]\ngrant = \"{grant}\"\nendpoints.token_url = \"https://acme.example/t\"\n{lines}"
    )
}

const CODE: &str = "authorization_code";
const AT: &str = "endpoints.authorize_url = \"https://acme.example/a\"";
const INTROSPECT: &str = "endpoints.introspect_url = \"https://acme.example/introspect\"";
const PAR: &str = "endpoints.par_url = \"https://acme.example/par\"";

#[test]
fn sound_files_have_no_findings() {
    for lines in [
        format!("{AT}\npar = true\n{PAR}"),
        // There for an integration that wants it.
        format!("{AT}\n{PAR}"),
        format!("{AT}\nscopes.grown = \"none\""),
        format!("{AT}\n{INTROSPECT}"),
        format!("{AT}\nscopes.grown_params.include_granted_scopes = \"true\""),
    ] {
        assert_eq!(check("acme.toml", &file(CODE, &lines)), [], "{lines}");
    }
    let found = file(CODE, "par = true\nendpoints.source = \"issuer\"")
        .replace("endpoints.token_url = \"https://acme.example/t\"\n", "");
    assert_eq!(check("acme.toml", &found), []);
}

#[test]
fn what_has_no_meaning_is_refused() {
    for (grant, lines, key) in [
        (CODE, format!("{AT}\npar = true"), "oauth2.endpoints.par_url"),
        (CODE, format!("{AT}\nscopes.grown_params.state = \"x\""), "oauth2.scopes.grown_params.state"),
        (CODE, format!("{AT}\nscopes.grown_params.scope = \"x\""), "oauth2.scopes.grown_params.scope"),
        (
            CODE,
            format!("{AT}\nscopes.grown_params.more = \"{{nothing}}\""),
            "oauth2.scopes.grown_params.more",
        ),
        (CODE, format!("{AT}\nendpoints.par_url = \"http://acme.example/par\""), "oauth2.endpoints.par_url"),
        ("client_credentials", "par = true".to_owned(), "oauth2.par"),
        (CODE, format!("{AT}\n{INTROSPECT}").replace("https", "http"), "oauth2.endpoints.introspect_url"),
        (
            CODE,
            format!("{AT}\n{INTROSPECT}\nrefresh.with = \"access_token\""),
            "oauth2.endpoints.introspect_url",
        ),
        ("client_credentials", INTROSPECT.to_owned(), "oauth2.endpoints.introspect_url"),
        ("client_credentials", PAR.to_owned(), "oauth2.par"),
        ("client_credentials", "scopes.grown = \"none\"".to_owned(), "oauth2.scopes.grown"),
    ] {
        let found = check("acme.toml", &file(grant, &lines));
        assert!(found.iter().any(|it| it.severity.is_error() && it.key == key), "{lines}: {found:?}");
    }
}
