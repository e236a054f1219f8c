use claviger_catalog::Provider;

use super::*;
use crate::oauth2::testing::shown;

const HEAD: &str = "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example/\"\n[api]\nbase_url = \"https://x.example\"\n\
    [[inputs]]\nkey = \"site\"\ntitle = \"Site\"\npattern = \"^[a-z]+$\"\n\
    [steps.fields.user]\nsecret = false\n[steps.fields.pw]\n[steps.fields.code]\noptional = true\n";

fn steps(lines: &str) -> Steps {
    let provider = Provider::parse("x.toml", &format!("{HEAD}{lines}")).unwrap_or_else(|e| panic!("{e}"));
    let given = [("site".to_owned(), "acme".to_owned())].into();
    provider.filled(&given).expect("filled").steps().expect("steps").clone()
}

fn made(lines: &str, values: &[(&str, &str)]) -> Result<Request<Bytes>, ProtocolError> {
    let known = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    request(&steps(lines).request[0], known)
}

fn read_last(lines: &str, status: u16, body: &str) -> Result<Tokens, TokenError> {
    let steps = steps(lines);
    let status = StatusCode::from_u16(status).expect("a status");
    let typed = [("pw".to_owned(), Secret::new("p"))].into();
    last(&steps, Saved::default(), typed, status, &HeaderMap::new(), body.as_bytes(), 1000)
}

fn words(error: Option<TokenError>) -> String {
    error.map(|error| format!("{:?} {}", error.kind, error.words())).unwrap_or_default()
}

#[test]
fn requests_are_made_as_the_file_says() {
    let values = [("user", "a@b"), ("pw", "{user}\"\\&+ é"), ("site", "acme")];
    let at = "[[steps.request]]\nurl = \"https://{site}.x.example/login?v=1\"\n";
    for (lines, want) in [
        (
            "params = { u = \"{user}\", p = \"{pw}\", code = \"{code}\" }",
            "POST https://acme.x.example/login?v=1\n\nu=a%40b&p=%7Buser%7D%22%5C%26%2B%20%C3%A9",
        ),
        (
            "format = \"json\"\nparams = { p = \"{pw}\" }\nheaders = { X-Code = \"{code}\", X-User = \"u {user}\" }",
            "POST https://acme.x.example/login?v=1\nx-user: u a@b\n\n{\"p\":\"{user}\\\"\\\\&+ é\"}",
        ),
        (
            "format = \"json\"\nbody = '{\"c\":{\"u\":\"{user}\",\"p\":\"{pw}\",\"code\":\"{code}\"}}'",
            "POST https://acme.x.example/login?v=1\n\n{\"c\":{\"u\":\"a@b\",\"p\":\"{user}\\\"\\\\&+ é\",\"code\":\"\"}}",
        ),
        (
            "method = \"GET\"\nbasic = \"{user}:{code}\"",
            "GET https://acme.x.example/login?v=1\nauthorization: Basic YUBiOg==",
        ),
    ] {
        let request = made(&format!("{at}{lines}"), &values).expect("a request");
        let mut sorted: Vec<String> = shown(&request).lines().map(str::to_owned).collect();
        if let Some(body) = sorted.last_mut().filter(|line| line.contains("u=a")) {
            let mut pairs: Vec<&str> = body.split('&').collect();
            pairs.sort_unstable_by(|a, b| b.cmp(a));
            *body = pairs.join("&");
        }
        assert_eq!(sorted.join("\n"), want, "{lines}");
    }
}

/// A value can't end the text that it stands in, wherever it stands.
#[test]
fn values_stay_inside_what_they_stand_in() {
    let at = "[[steps.request]]\nurl = \"https://x.example/login\"\n";
    let json = format!("{at}format = \"json\"\nbody = '{{\"p\":\"{{pw}}\"}}'");
    let made_of = |pw| made(&json, &[("pw", pw)]).expect("a request").into_body();
    for pw in ["\",\"admin\":\"1", "\\", "\u{2028}{pw}", "\u{7}"] {
        let value: Value = serde_json::from_slice(&made_of(pw)).expect("JSON");
        assert_eq!(value, serde_json::json!({ "p": pw }));
    }
    let header = format!("{at}headers = {{ X-Key = \"{{pw}}\" }}");
    let wrong = made(&header, &[("pw", "a\r\nX: y")]).err();
    assert_eq!(wrong, Some(ProtocolError::Header("X-Key".to_owned())));
    let broken = format!("{at}format = \"json\"\nbody = '{{\"p\":{{pw}}}}'");
    assert_eq!(
        made(&broken, &[("pw", "x y")]).err(),
        Some(ProtocolError::Unreadable("the JSON body of a step"))
    );
}

const LOGIN: &str = "[steps]\nrefused = [400]\nlifetime = 600\n\
    [steps.answer]\naccess_token = \"session.id\"\n\
    expires = { path = \"session.until\", unit = \"epoch_ms\" }\n\
    error = { path = \"ok\", is = [\"false\"], code = \"errors.0.type\", invalid_grant = [\"WRONG\"] }\n\
    save.api = { path = \"api\", pattern = \"^[a-z]+$\" }\n\
    [[steps.request]]\nurl = \"https://x.example/login\"\nsave = { csrf = { path = \"csrf\" } }\n";

#[test]
fn the_token_is_read_where_the_file_says() {
    let body = "{\"ok\":true,\"session\":{\"id\":\"S1\",\"until\":5000},\"api\":\"eu\",\"csrf\":\"C1\",\"refresh_token\":\"r\"}";
    let tokens = read_last(LOGIN, 200, body).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((tokens.access_token.expose(), tokens.expires_at), ("S1", Some(5000)));
    assert_eq!(tokens.saved, [("api".to_owned(), "eu".to_owned())].into());
    let typed: Vec<_> = tokens.typed.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(typed, [("csrf", "C1"), ("pw", "p")]);
    assert!(tokens.refresh_token.is_none());
    let untold = read_last(LOGIN, 201, "{\"session\":{\"id\":\"S1\"},\"csrf\":\"c\"}");
    assert_eq!(untold.unwrap_or_else(|e| panic!("{e}")).expires_at, Some(601_000));
}

#[test]
fn refusals_are_told_apart_from_trouble() {
    let refused = "Oauth the provider refused: invalid_grant";
    for (status, body, want) in [
        (401, "", format!("{refused}: HTTP 401 without an error code")),
        (401, "{\"error_description\":\"Wrong\"}", format!("{refused}: Wrong")),
        (400, "<html>", format!("{refused}: HTTP 400 without an error code")),
        (
            401,
            "{\"errors\":[{\"type\":\"X\"}],\"error_description\":\"no such user\"}",
            format!("{refused}: X: no such user"),
        ),
        (200, "{\"ok\":false,\"errors\":[{\"type\":\"WRONG\"}]}", refused.to_owned()),
        (
            200,
            "{\"ok\":false,\"errors\":[{\"type\":\"LOCKED\"}]}",
            "Oauth the provider refused: LOCKED".to_owned(),
        ),
        (
            403,
            "",
            "Unreadable the provider's answer could not be read: HTTP 403 without an error code".to_owned(),
        ),
        (503, "", "Transient the provider is not able to answer now: HTTP 503".to_owned()),
        (429, "", "Transient the provider is not able to answer now: HTTP 429".to_owned()),
        (
            200,
            "{}",
            "Unreadable the provider's answer could not be read: there is no access token in it".to_owned(),
        ),
        (
            200,
            "{\"session\":{\"id\":\"S\"}}",
            "Unreadable the provider's answer could not be read: `csrf` is not in it".to_owned(),
        ),
        (
            200,
            "{\"session\":{\"id\":\"S\"},\"csrf\":\"c\",\"api\":\"E!\"}",
            "Unreadable the provider's answer could not be read: `api` in it is not allowed".to_owned(),
        ),
    ] {
        assert_eq!(words(read_last(LOGIN, status, body).err()), want, "{status} {body}");
    }
}

#[test]
fn the_first_of_two_gives_what_the_second_needs() {
    let two = "[[steps.request]]\nurl = \"https://x.example/a\"\n\
        save = { s = { path = \"s\" }, host = { path = \"h\", secret = false, pattern = \"^[a-z]+$\" } }\n\
        [[steps.request]]\nurl = \"https://{host}.x.example/b\"\nparams = { s = \"{s}\" }\n";
    let steps = steps(two);
    let answer = |status, body: &str| {
        let status = StatusCode::from_u16(status).expect("a status");
        between(&steps, &steps.request[0], status, &HeaderMap::new(), body.as_bytes(), 0)
    };
    let saved = answer(200, "{\"s\":\"secret\",\"h\":\"eu\"}").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(saved.open, [("host".to_owned(), "eu".to_owned())].into());
    assert_eq!(saved.secret["s"].expose(), "secret");
    for (body, want) in [
        ("{\"s\":\"secret\",\"h\":\"evil.example/\"}", "`host` in it is not allowed"),
        ("{\"h\":\"eu\"}", "`s` is not in it"),
        ("{\"s\":\"a\\nb\",\"h\":\"eu\"}", "`s` in it is not allowed"),
        ("[]", "is not in it"),
    ] {
        assert!(words(answer(200, body).err()).contains(want), "{body}");
    }
    assert!(words(answer(401, "{}").err()).contains("invalid_grant"));
}
