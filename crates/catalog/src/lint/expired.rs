//! The rules for `[[api.expired]]`: answers that mean what 401 means.

use super::{rules::List, templates::is_header};
use crate::{Auth, Expired, Provider};

pub(super) fn check(provider: &Provider, list: &mut List) {
    for (i, rule) in provider.api.expired.iter().enumerate() {
        one(&format!("api.expired[{i}]"), rule, list);
    }
    let lasting = matches!(provider.auth, Auth::OAuth1(_) | Auth::Keys(_) | Auth::SigV4(_));
    if lasting && !provider.api.expired.is_empty() {
        list.error("api.expired", "makes no sense with a credential that nothing can be had in place of");
    }
}

fn one(key: &str, rule: &Expired, list: &mut List) {
    let status = rule.status;
    let alone = rule.is.is_empty();
    if status == 401 || status == 429 || !(200..600).contains(&status) {
        list.error(format!("{key}.status"), format!("{status} needs no rule, or can't have one"));
    } else if alone && !(400..500).contains(&status) {
        list.error(format!("{key}.status"), format!("{status} alone does not say that a token is over"));
    } else if alone && [400, 403, 404].contains(&status) {
        list.warn(
            format!("{key}.status"),
            format!("{status} is said of much else: each such answer would refresh the token"),
        );
    }
    if rule.path.is_some() && rule.header.is_some() {
        list.error(key, "has both a path and a header: these are two rules");
    }
    if alone && (rule.path.is_some() || rule.header.is_some()) {
        list.error(format!("{key}.is"), "is missing");
    }
    if rule.is.iter().any(|text| text.trim().is_empty()) {
        list.error(format!("{key}.is"), "must not hold an empty text");
    }
    if rule.header.as_deref().is_some_and(|name| !is_header(name)) {
        list.error(format!("{key}.header"), "is not a header's name");
    }
}

#[cfg(test)]
mod tests {
    use crate::lint;

    /// What is found about these rules, in a file that has nothing else wrong with it.
    fn found(rules: &str) -> Vec<String> {
        let file = format!(
            "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example\"\n[oauth2.endpoints]\n\
             authorize_url = \"https://x.example/a\"\ntoken_url = \"https://x.example/t\"\n\
             [api]\nbase_url = \"https://x.example\"\nexpired = [{rules}]\n"
        );
        let findings = lint::check("x.toml", &file);
        findings.iter().map(|one| format!("{}: {}", one.key, one.message)).collect()
    }

    #[test]
    fn rules_that_make_sense_pass() {
        for rules in [
            "",
            r#"{ status = 200, path = "error", is = ["token_expired"] }"#,
            r#"{ status = 403, header = "WWW-Authenticate", is = ["invalid_token"] }"#,
            r#"{ status = 403, is = ["Bad_OAuth_Token"] }, { status = 498 }"#,
        ] {
            assert_eq!(found(rules), Vec::<String>::new(), "{rules}");
        }
    }

    #[test]
    fn each_mistake_is_named() {
        for (rules, key) in [
            (r#"{ status = 401 }"#, "api.expired[0].status: 401"),
            (r#"{ status = 429, is = ["x"] }"#, "api.expired[0].status: 429"),
            (r#"{ status = 99 }"#, "api.expired[0].status: 99"),
            (r#"{ status = 200 }"#, "api.expired[0].status: 200 alone"),
            (r#"{ status = 500 }"#, "api.expired[0].status: 500 alone"),
            (r#"{ status = 403 }"#, "api.expired[0].status: 403 is said of much else"),
            (r#"{ status = 498 }, { status = 200, path = "e" }"#, "api.expired[1].status: 200 alone"),
            (r#"{ status = 418, path = "e" }"#, "api.expired[0].is: is missing"),
            (r#"{ status = 418, header = "a", path = "b", is = ["c"] }"#, "api.expired[0]: has both"),
            (r#"{ status = 418, header = "a b", is = ["c"] }"#, "api.expired[0].header: is not"),
            (r#"{ status = 418, path = "b", is = [" "] }"#, "api.expired[0].is: must not"),
            (r#"{ status = 418, pth = "b" }"#, "unknown field"),
        ] {
            let found = found(rules);
            assert!(found.iter().any(|one| one.contains(key)), "{rules}: {found:?}");
        }
        let keys = "key = \"k\"\nname = \"K\"\ndocs = \"https://x.example\"\n[bearer]\n\
                    [api]\nbase_url = \"https://x.example\"\nexpired = [{ status = 498 }]\n";
        let findings = lint::check("k.toml", keys);
        assert!(findings.iter().any(|one| one.key == "api.expired"), "{findings:?}");
    }
}
