//! The consent page and the way back.

use super::{CALLBACK, ISSUER, PREFIX, Pairs, Tried, authorize_path};
use http::StatusCode;
use serde_json::json;

const ALLOW: [(&str, &str); 2] = [("account", "bob"), ("decision", "allow")];

#[tokio::test]
async fn the_page_can_be_clicked_and_is_locked_down() {
    let page = Tried::new().get(&authorize_path(&[("login_hint", "bob")])).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    let html = page.text();
    assert!(html.contains(r#"id="allow" name="decision" value="allow""#), "{html}");
    assert!(html.contains(r#"id="deny" name="decision" value="deny""#), "{html}");
    assert!(html.contains(r#"name="account" value="alice">"#), "{html}");
    assert!(html.contains(r#"name="account" value="bob" checked>"#), "{html}");
    assert!(html.contains("<code>email</code>"), "{html}");
    assert!(html.contains("name=\"viewport\"") && html.contains("Sandbox"), "{html}");
    let policy = page.header("content-security-policy");
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    assert!(html.contains(&format!("<style nonce=\"{nonce}\">")), "{html}");
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(!html.contains("<script"), "{html}");
}

#[tokio::test]
async fn the_form_posts_to_the_url_it_came_from() {
    let tried = Tried::new();
    let path = authorize_path(&[]);
    let page = tried.get(&path).await;
    let action =
        page.text().split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an action");
    assert_eq!(action.replace("&amp;", "&"), path);
    let answer = tried.form(&path, None, &ALLOW).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let (target, pairs) = answer.redirect();
    assert_eq!(target, CALLBACK);
    assert_eq!((pairs["state"].as_str(), pairs["iss"].as_str()), ("st&te=1", ISSUER));
    assert!(pairs["code"].len() > 40);
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

#[tokio::test]
async fn denying_says_access_denied_with_state_and_issuer() {
    let tried = Tried::new();
    let answer = tried.form(&authorize_path(&[]), None, &[("decision", "deny")]).await;
    let (target, pairs) = answer.redirect();
    assert_eq!((answer.status, target.as_str()), (StatusCode::SEE_OTHER, CALLBACK));
    assert_eq!(pairs["error"], "access_denied");
    assert_eq!((pairs["state"].as_str(), pairs["iss"].as_str()), ("st&te=1", ISSUER));
    assert!(!pairs.contains_key("code"));
    let stats = tried.stats().await;
    assert_eq!((&stats["denied"], &stats["allowed"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn strangers_get_a_page_and_never_a_redirect() {
    let tried = Tried::new();
    let prefixed = |rest: &str| format!("{PREFIX}{rest}");
    let mut strangers = vec![
        authorize_path(&[("client_id", "nobody")]),
        authorize_path(&[("client_id", "")]),
        authorize_path(&[("redirect_uri", "")]),
        authorize_path(&[("redirect_uri", "https://evil.example/")]),
        authorize_path(&[("redirect_uri", &format!("{CALLBACK}/"))]),
        authorize_path(&[("redirect_uri", &format!("{CALLBACK}?x=1"))]),
        authorize_path(&[("redirect_uri", &format!("{CALLBACK}#x"))]),
        format!("{}&redirect_uri=https%3A%2F%2Fevil.example", authorize_path(&[])),
        format!("{}&client_id=other", authorize_path(&[])),
    ];
    for rest in ["", "a/b", "../x", "a?b", "a#b", "a%2fb", "@evil.example"] {
        strangers.push(authorize_path(&[("redirect_uri", &prefixed(rest))]));
    }
    for path in strangers {
        // A broken request of a stranger, too, stays here.
        for path in [path.clone(), path.replace("response_type=code", "response_type=token")] {
            for answer in [tried.get(&path).await, tried.form(&path, None, &ALLOW).await] {
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
                assert!(!answer.headers.contains_key("location"), "{path}");
                assert!(answer.text().contains("id=\"error\""), "{path}");
            }
        }
    }
    assert_eq!(tried.stats().await["allowed"], 0);
}

#[tokio::test]
async fn a_prefix_admits_one_segment_and_a_registered_query_is_kept() {
    let tried = Tried::new();
    let under_prefix = format!("{PREFIX}int_9-Z");
    let answer = tried.form(&authorize_path(&[("redirect_uri", &under_prefix)]), None, &ALLOW).await;
    assert_eq!(answer.redirect().0, under_prefix);
    let with_query = [("redirect_uri", "https://app.example/cb?keep=1")];
    let (target, pairs) = tried.form(&authorize_path(&with_query), None, &ALLOW).await.redirect();
    assert_eq!((target.as_str(), pairs["keep"].as_str()), ("https://app.example/cb", "1"));
}

#[tokio::test]
async fn a_bad_request_goes_back_with_its_error() {
    let tried = Tried::new();
    let cases: [(Pairs<'_>, &str); 8] = [
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "")], "invalid_request"),
        (&[("scope", "a\"b")], "invalid_scope"),
    ];
    for (changes, error) in cases {
        let path = authorize_path(changes);
        let (asked, posted) = (tried.get(&path).await, tried.form(&path, None, &ALLOW).await);
        assert_eq!((asked.status, posted.status), (StatusCode::FOUND, StatusCode::SEE_OTHER), "{path}");
        for answer in [asked, posted] {
            let (target, pairs) = answer.redirect();
            assert_eq!((target.as_str(), pairs["error"].as_str()), (CALLBACK, error), "{path}");
            assert_eq!((pairs["state"].as_str(), pairs["iss"].as_str()), ("st&te=1", ISSUER), "{path}");
        }
    }
    let repeated = tried.get(&format!("{}&state=two", authorize_path(&[]))).await.redirect().1;
    assert_eq!(repeated["error"], "invalid_request");
    assert!(!repeated.contains_key("state"), "neither of two states is echoed");
}

#[tokio::test]
async fn an_incomplete_form_gives_no_code() {
    let tried = Tried::new();
    for pairs in [
        &[("decision", "allow")][..],
        &[("account", "mallory"), ("decision", "allow")],
        &[("account", "alice")],
    ] {
        let answer = tried.form(&authorize_path(&[]), None, pairs).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(tried.stats().await["allowed"], 0);
}

#[tokio::test]
async fn values_from_outside_are_shown_as_text() {
    let tried = Tried::new();
    let page = tried.get(&authorize_path(&[("scope", "<script>alert(1)</script> x'y")])).await;
    let html = page.text();
    assert!(html.contains("<code>&lt;script&gt;alert(1)&lt;/script&gt;</code>"), "{html}");
    assert!(html.contains("<code>x&#39;y</code>"), "{html}");
    assert!(!html.contains("<script"), "{html}");
    // A quote that arrives unencoded in the query would otherwise end the form's action.
    let raw = tried.get(&format!("{}&x='onclick='", authorize_path(&[]))).await;
    assert!(raw.text().contains("x=&#39;onclick=&#39;\">"), "{}", raw.text());
}
