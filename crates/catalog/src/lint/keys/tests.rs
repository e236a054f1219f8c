use crate::{
    Provider,
    lint::{Finding, Severity, check},
};

/// A file with these lines before its tables, and these tables.
fn file(head: &str, tables: &str) -> String {
    format!(
        "key = \"acme\"\nname = \"Acme\"\ndocs = \"https://acme.example/docs\"\n{head}\n{tables}\n\
         [api]\nbase_url = \"https://api.acme.example\""
    )
}

fn findings(text: &str) -> Vec<Finding> {
    check("acme.toml", text)
}

#[test]
fn sound_files_have_no_findings() {
    let identity = "[identity]\nsource = \"call\"\nid = \"id\"\n[identity.call]\nurl = \"/me\"";
    for tables in [
        "[api_key]",
        "[basic]",
        "[bearer]",
        "[api_key]\nplace_chosen = true",
        "[api_key]\n[api.place]\nquery = \"key\"",
        "[api_key]\n[api.place]\nheader = \"Authorization\"\nformat = \"Basic {token}\"\nbase64 = \"{token}:X\"",
        "[bearer]\n[api.place]\nformat = \"Token {token}\"",
        "[bearer]\n[[verify.calls]]\nurl = \"/me\"\nheaders = { x-token = \"{token}\" }",
        "[basic]\nusername = { pattern = \"^AC[0-9a-f]{32}$\", title = \"Account\" }\npassword = { optional = true }",
        "[api_key.key]\nhelp = \"https://acme.example/keys\"\nplaceholder = \"sk_…\"\ndescription = \"Yours\"",
    ] {
        for text in [file("", tables), file("", &format!("{tables}\n{identity}"))] {
            assert_eq!(findings(&text), [], "{tables}");
            assert!(Provider::parse("acme.toml", &text).is_ok());
        }
    }
}

/// Each fault is found at its key, and keeps the file out of the catalog.
#[test]
fn faults_are_named_with_file_and_key() {
    for (key, tables) in [
        ("oauth2", ""),
        ("bearer", "[basic]\n[bearer]"),
        ("bearer", "[oauth2]\n[api_key]\n[bearer]"),
        ("api_key", "[api_key]\n[oauth2.endpoints]\nsource = \"integration\""),
        ("api_key.key.x", "[api_key]\nkey = { x = 1 }"),
        ("api_key.keys", "[api_key]\nkeys = {}"),
        ("api_key.key.title", "[api_key]\nkey = { title = 1 }"),
        ("api_key.place_chosen", "[api_key]\nplace_chosen = \"yes\""),
        ("basic.username.secret", "[basic]\nusername = { secret = true }"),
        ("basic.token", "[basic]\ntoken = {}"),
        ("bearer.token.optionally", "[bearer.token]\noptionally = true"),
        ("bearer.place_chosen", "[bearer]\nplace_chosen = true"),
        ("api.place", "[api_key]\nplace_chosen = true\n[api.place]\nquery = \"key\""),
        ("api_key.key.title", "[api_key]\nkey = { title = \" \" }"),
        ("api_key.key.description", "[api_key]\nkey = { description = \"\" }"),
        ("bearer.token.description", "[bearer]\ntoken = { description = \"the {token}\" }"),
        ("basic.username.placeholder", "[basic]\nusername = { placeholder = \"{sub}\" }"),
        ("basic.password.pattern", "[basic]\npassword = { pattern = \"[a-z]\" }"),
        ("bearer.token.pattern", "[bearer]\ntoken = { pattern = \"^[a-z$\" }"),
        ("api_key.key.help", "[api_key]\nkey = { help = \"http://acme.example\" }"),
        ("api_key.key.help", "[api_key]\nkey = { help = \"https://{sub}.acme.example\" }"),
        ("api_key.key.optional", "[api_key]\nkey = { optional = true }"),
        ("basic.username.optional", "[basic]\nusername = { optional = true }"),
        ("api.place.query", "[basic]\n[api.place]\nquery = \"key\""),
        ("api.place.query", "[api_key]\n[api.place]\nquery = \"\""),
        ("api.place.base64", "[api_key]\n[api.place]\nquery = \"key\"\nbase64 = \"{token}:\""),
        ("api.place.base64", "[basic]\n[api.place]\nbase64 = \"x\""),
        ("identity.source", "[bearer]\n[identity]\nid = \"sub\""),
        ("identity.source", "[bearer]\n[identity]\nsource = \"id_token\"\nid = \"sub\""),
        ("identity.source", "[bearer]\n[identity]\nsource = \"saved\"\nid = \"sub\""),
        ("api.headers.x", "[bearer]\n[api.headers]\nx = \"{client_id}\""),
        ("api.headers.x", "[basic]\n[api.headers]\nx = \"{token}\""),
        ("verify.calls[0].url", "[bearer]\n[[verify.calls]]\nurl = \"/{refresh_token}\""),
        (
            "verify.calls[0].params.t",
            "[basic]\n[[verify.calls]]\nurl = \"/\"\nparams = { t = \"{access_token}\" }",
        ),
    ] {
        let text = file("", tables);
        let found = findings(&text);
        assert!(
            found.iter().any(|one| one.key == key && one.severity == Severity::Error),
            "{tables}: {key}: {found:?}"
        );
        assert_eq!(Provider::parse("acme.toml", &text).expect_err(key).file, "acme.toml");
    }
}

/// What every provider of its own should have, the generic ones can't.
#[test]
fn only_generic_providers_need_no_base_url_and_no_page() {
    let bare = |category: &str| format!("key = \"acme\"\nname = \"A\"\ncategory = \"{category}\"\n[bearer]");
    assert_eq!(findings(&bare("generic")), []);
    let warned: Vec<_> = findings(&bare("crm")).into_iter().map(|one| (one.key, one.severity)).collect();
    let expected = ["docs", "api.base_url"].map(|key| (key.to_owned(), Severity::Warning));
    assert_eq!(warned, expected);
}

/// Several fields: calls carry each secret, in headers, in the query or in the place.
#[test]
fn sound_fields_have_no_findings() {
    for tables in [
        "[fields.a]\n[fields.b]\nsecret = false\n[api.headers]\nX-A = \"{a}\"\nX-B = \"{b}\"",
        "[fields.a]\n[fields.b]\noptional = true\n[api.query]\na = \"{token}\"\nb = \"{b}\"",
        "[fields.a]\n[fields.b]\n[api.place]\nheader = \"Authorization\"\nformat = \"Basic {token}\"\nbase64 = \"{a}:{b}\"",
        "[fields.a]\n[api.place]\nquery = \"k\"",
        "[fields.a]\n[api.place]\nheader = \"X-K\"",
        "[fields.a]\n[fields.org]\nsecret = false\npattern = \"^[a-z]+$\"\n[api.headers]\nX = \"{a}\"\n\
         [[verify.calls]]\nurl = \"https://{org}.acme.example/{org}\"\nparams = { a = \"{a}\" }",
    ] {
        assert_eq!(findings(&file("", tables)), [], "{tables}");
    }
    let token = "key = \"acme\"\nname = \"A\"\ncategory = \"generic\"\n[workspace_token]\nlifetime = 60\n\
                 [api.headers]\nX = \"{token}\"";
    assert_eq!(findings(token), []);
}

#[test]
fn faulty_fields_and_tokens_are_named() {
    let head = "[api.headers]\nX = \"{a}\"";
    for (key, tables) in [
        ("fields", "[fields]".to_owned()),
        ("fields", "[fields.a]\nsecret = false".to_owned()),
        ("fields.a", "[fields.a]".to_owned()),
        ("fields.b", format!("[fields.a]\n[fields.b]\n{head}")),
        ("fields.a.optional", format!("[fields.a]\noptional = true\n{head}")),
        ("fields.token", format!("[fields.a]\n[fields.token]\n{head}")),
        ("fields.A", format!("[fields.a]\n[fields.A]\n{head}")),
        ("fields.a.key", format!("[fields.a]\nkey = 1\n{head}")),
        ("fields.a.title", format!("[fields.a]\ntitle = \" \"\n{head}")),
        ("fields.a.pattern", format!("[fields.a]\npattern = \"a\"\n{head}")),
        ("fields.a.help", format!("[fields.a]\nhelp = \"http://a.example\"\n{head}")),
        ("api.headers.Y", format!("[fields.a]\n{head}\nY = \"{{nobody}}\"")),
        ("api.headers.Y", format!("[fields.a]\n{head}\nY = \"{{client_id}}\"")),
        ("api.place.format", format!("[fields.a]\n{head}\n[api.place]\nformat = \"none\"")),
        ("api.place.format", format!("[fields.a]\n{head}\n[api.place]\nformat = \"{{a}} {{x}}\"")),
        ("api.place.base64", format!("[fields.a]\n{head}\n[api.place]\nbase64 = \"none\"")),
        ("verify.calls[0].url", format!("[fields.a]\n{head}\n[[verify.calls]]\nurl = \"/{{a}}\"")),
        (
            "verify.calls[0].url",
            format!("[fields.a]\n[fields.o]\nsecret = false\n{head}\n[[verify.calls]]\nurl = \"/{{o}}\""),
        ),
        (
            "verify.refused",
            format!("[fields.a]\n{head}\n[verify]\nrefused = [500]\n[[verify.calls]]\nurl = \"/\""),
        ),
        ("identity.source", format!("[fields.a]\n{head}\n[identity]\nid = \"sub\"")),
        (
            "workspace_token.lifetime",
            format!("[workspace_token]\nlifetime = 59\n{}", head.replace("{a}", "{token}")),
        ),
        (
            "workspace_token.lifetime",
            format!("[workspace_token]\nlifetime = 86401\n{}", head.replace("{a}", "{token}")),
        ),
        ("api.headers", "[workspace_token]".to_owned()),
        (
            "workspace_token.secret",
            format!("[workspace_token]\nsecret = \"s\"\n{}", head.replace("{a}", "{token}")),
        ),
        (
            "api.headers.Y",
            format!("[workspace_token]\n{}\nY = \"{{refresh_token}}\"", head.replace("{a}", "{token}")),
        ),
        ("api.query.k", "[bearer]\n[api.query]\nk = \"{client_secret}\"".to_owned()),
        ("api.place.format", "[bearer]\n[api.place]\nformat = \"\"".to_owned()),
    ] {
        let text = file("", &tables);
        let found = findings(&text);
        let named = found.iter().any(|one| one.key == key && one.severity == Severity::Error);
        assert!(named, "{tables}: {key}: {found:?}");
        assert!(Provider::parse("acme.toml", &text).is_err());
    }
}
