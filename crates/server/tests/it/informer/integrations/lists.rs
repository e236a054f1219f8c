//! Lists: searched, ordered, in stretches, in the form that `Accept` asks for.

use http::Method;

use super::*;

/// Alice's integrations, made a second apart.
async fn furnish(app: &TestApp, alice: &Seat) {
    for (name, kind, about) in [
        ("Drive 100%", "google-drive", "Größe zählt"),
        ("crm_eu", "hubspot", "Customers"),
        ("Box\\Files", "dropbox", ""),
        ("mail", "gmail", "drive the letters"),
    ] {
        let body = json!({ "name": name, "type": kind, "description": about });
        made(&alice.post(PATH, &body).await);
        app.pass(std::time::Duration::from_secs(1));
    }
}

fn slugs(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list = answer.json();
    let members = list["_embedded"]["inf:integration"].as_array().expect("members").clone();
    assert_eq!(list["count"], members.len(), "{list}");
    members.iter().map(|it| it["slug"].as_str().expect("a slug").to_owned()).collect()
}

#[tokio::test]
async fn a_list_is_searched_ordered_and_cut() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        furnish(app, &alice).await;
        let all = ["box-files", "crm-eu", "drive-100", "mail"];
        for (query, want) in [
            ("", &all[..]),
            ("?q=", &all),
            ("?q=drive", &["drive-100", "mail"]),
            ("?q=DRIVE+100", &["drive-100"]),
            ("?q=gr%C3%B6%C3%9Fe+drive", &[]),
            ("?q=%25", &["drive-100"]),
            ("?q=_", &["crm-eu"]),
            ("?q=%5C", &["box-files"]),
            ("?q=GR%C3%96%C3%9Fe", &["drive-100"]),
            ("?q=%27%20or%201=1", &[]),
            ("?supportsUpload=true", &["box-files", "drive-100"]),
            ("?supportsUpload=false", &["crm-eu", "mail"]),
            ("?supportsUpload=true&q=drive", &["drive-100"]),
            ("?sort=name", &all),
            ("?sort=-name", &["mail", "drive-100", "crm-eu", "box-files"]),
            ("?sort=createdAt", &["drive-100", "crm-eu", "box-files", "mail"]),
            ("?sort=-updatedAt", &["mail", "box-files", "crm-eu", "drive-100"]),
            ("?sort=type", &["box-files", "mail", "drive-100", "crm-eu"]),
            ("?start=1&limit=2", &["crm-eu", "drive-100"]),
            ("?start=4", &[]),
            ("?unknown=1&unknown=2", &all),
        ] {
            assert_eq!(slugs(&alice.get(&format!("{PATH}{query}")).await), want, "{query}");
        }
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("start=-1", "start"),
            ("start=0&start=1", "start"),
            ("sort=colour", "sort"),
            ("sort=", "sort"),
            ("supportsUpload=yes", "supportsUpload"),
            ("q=a&q=b", "q"),
            ("q=%ff", "q"),
        ] {
            alice.get(&format!("{PATH}?{query}")).await.assert_hapi(400, &format!("{field}: "));
        }
    })
    .await;
}

#[tokio::test]
async fn every_integration_is_met_once_by_following_next() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        furnish(app, &alice).await;
        let mut at = Some(format!("{PATH}?q=s&sort=-createdAt&limit=1"));
        let mut met = Vec::new();
        while let Some(place) = at {
            let answer = alice.get(&place).await;
            met.extend(slugs(&answer));
            let list = answer.json();
            assert_eq!(list["total"], 3, "{list}");
            at = list["_links"]["next"]["href"].as_str().map(str::to_owned);
            assert!(at.iter().all(|next| next.contains("q=s") && next.contains("sort=-createdAt")), "{at:?}");
            assert!(met.len() <= 3, "{met:?}");
        }
        assert_eq!(met, ["mail", "box-files", "crm-eu"].map(str::to_owned));
    })
    .await;
}

#[tokio::test]
async fn accept_says_whether_it_is_hal_and_whether_there_are_items() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let alice = maker(&desk, "alice").await;
        let path = made(&alice.post(PATH, &example()).await);
        for (accept, kind, items) in [
            ("*/*", "application/json", false),
            ("application/hal+json", "application/hal+json", false),
            ("application/json, text/plain, */*", "application/json", true),
            ("application/json, application/hal+json", "application/hal+json", false),
        ] {
            let headers = [("accept", accept)];
            let list = alice.call(Method::GET, PATH, &headers, None).await;
            assert_eq!(list.header("content-type"), Some(kind), "{accept}");
            let body = list.json();
            let members = &body["_embedded"]["inf:integration"];
            assert_eq!(members.as_array().map(Vec::len), Some(1));
            assert_eq!(body.get("items"), items.then_some(members), "{accept}");
            let alone = alice.call(Method::GET, &path, &headers, None).await;
            assert_eq!(alone.header("content-type"), Some(kind), "{accept}");
        }
        let wrong =
            alice.call(Method::GET, "/api/integrations/x", &[("accept", "application/hal+json")], None).await;
        assert_eq!(wrong.header("content-type"), Some("application/json"), "errors are never HAL");
    })
    .await;
}

#[tokio::test]
async fn the_flat_list_is_sent_once_until_it_changes() {
    on_each(async |app| {
        let desk = Desk::new(app);
        let (alice, bob) = (maker(&desk, "alice").await, maker(&desk, "bob").await);
        furnish(app, &alice).await;
        let flat = "/api/integrations-list";
        let first = alice.get(flat).await;
        let names: Vec<_> =
            first.json().as_array().expect("an array").iter().map(|it| it["slug"].clone()).collect();
        assert_eq!(names, ["box-files", "crm-eu", "drive-100", "mail"]);
        assert!(!first.text().contains("authUri") && !first.text().contains("_links"), "{}", first.text());
        let tag = first.header("etag").expect("a tag").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
            let again = alice.call(Method::GET, flat, &[("if-none-match", &known)], None).await;
            assert_eq!((again.status.as_u16(), again.text()), (304, ""), "{known}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        assert_eq!(bob.call(Method::GET, flat, &[("if-none-match", &tag)], None).await.json(), json!([]));
        assert_eq!(alice.put(&format!("{PATH}/mail"), &json!({ "tags": ["post"] })).await.status, 200);
        let changed = alice.call(Method::GET, flat, &[("if-none-match", &tag)], None).await;
        assert_eq!((changed.status.as_u16(), &changed.json()[3]["tags"]), (200, &json!(["post"])));
    })
    .await;
}
