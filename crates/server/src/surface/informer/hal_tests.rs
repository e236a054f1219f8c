use super::*;

fn format(accept: &[&str]) -> (bool, bool) {
    let mut headers = HeaderMap::new();
    for line in accept {
        headers.append(ACCEPT, HeaderValue::from_str(line).expect("a header"));
    }
    let Format { hal, items } = Format::of(&headers);
    (hal, items)
}

#[test]
fn accept_decides_how_an_answer_calls_itself_and_whether_there_are_items() {
    const HAL: (bool, bool) = (true, false);
    const ITEMS: (bool, bool) = (false, true);
    const PLAIN: (bool, bool) = (false, false);
    for (accept, want) in [
        ("", PLAIN),
        ("*/*", PLAIN),
        ("application/*", PLAIN),
        ("text/html", PLAIN),
        ("application/hal+json", HAL),
        ("APPLICATION/HAL+JSON; q=0.5", HAL),
        ("application/json", ITEMS),
        ("application/json, text/plain, */*", ITEMS),
        ("application/json;charset=utf-8;q=0.9", ITEMS),
        ("application/hal+json, application/json", HAL),
        ("application/json, application/hal+json", HAL),
        ("application/hal+json;q=0.2, application/json;q=0.8", ITEMS),
        ("application/hal+json;q=0.8, application/json;q=0.2, */*;q=0.1", HAL),
        ("application/hal+json;q=0, application/json", ITEMS),
        ("application/hal+json;q=0", PLAIN),
        ("application/json;q=0.000", PLAIN),
        ("application/json;q=nonsense", PLAIN),
        ("application/json;q=1.1", PLAIN),
        ("application/json;q=0.0001", PLAIN),
        ("application/jsonp, application/hal", PLAIN),
        (";;,,;q=1", PLAIN),
    ] {
        assert_eq!(format(&[accept]), want, "{accept}");
    }
    assert_eq!(format(&[]), PLAIN);
    assert_eq!(format(&["text/html", "application/hal+json"]), HAL, "the lines of a header are one list");
}

fn list(format: Format, asked: &str, page: Page, total: i64) -> (String, Value) {
    let count = usize::try_from((total - page.offset).clamp(0, page.limit)).expect("a few");
    let response = format.list(List {
        path: "/api/things",
        rel: "inf:thing",
        members: vec![json!({ "id": "x" }); count],
        page,
        total,
        asked: &Params::parse(asked),
        kept: &["q", "sort"],
    });
    let kind = response.headers()[CONTENT_TYPE].to_str().expect("a text").to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let body = runtime.block_on(axum::body::to_bytes(response.into_body(), 10_000)).expect("a body");
    (kind, serde_json::from_slice(&body).expect("JSON"))
}

#[test]
fn a_collection_says_which_stretch_it_is_and_where_the_next_begins() {
    let hal = Format { hal: true, items: false };
    let (kind, body) = list(hal, "", Page { offset: 0, limit: 30 }, 1);
    assert_eq!(kind, "application/hal+json");
    let want = json!({
        "_links": { "self": { "href": "/api/things" } },
        "_embedded": { "inf:thing": [{ "id": "x" }] },
        "start": 0, "count": 1, "total": 1,
    });
    assert_eq!(body, want);

    let plain = Format { hal: false, items: true };
    let (kind, body) =
        list(plain, "q=a%26b+%C3%A9&sort=-name&start=2&limit=2&odd=1", Page { offset: 2, limit: 2 }, 5);
    assert_eq!(kind, "application/json");
    assert_eq!(
        body["_links"],
        json!({
            "self": { "href": "/api/things?start=2&limit=2&q=a%26b+%C3%A9&sort=-name" },
            "next": { "href": "/api/things?start=4&limit=2&q=a%26b+%C3%A9&sort=-name" },
        })
    );
    assert_eq!(body["items"], body["_embedded"]["inf:thing"]);
    assert_eq!(body["items"].as_array().map(Vec::len), Some(2));
}

#[test]
fn what_ends_or_lies_beyond_has_no_next() {
    let format = Format { hal: false, items: false };
    for (offset, total, count, next) in
        [(0, 0, 0, false), (0, 2, 2, false), (0, 3, 2, true), (2, 3, 1, false), (9, 3, 0, false)]
    {
        let (_, body) = list(format, "", Page { offset, limit: 2 }, total);
        assert_eq!((body["count"].as_i64(), body["total"].as_i64()), (Some(count), Some(total)));
        assert_eq!(body["_links"].get("next").is_some(), next, "{offset} of {total}");
        assert!(body.get("items").is_none() && body["_embedded"]["inf:thing"].is_array());
    }
    let (_, body) = list(format, "", Page { offset: i64::MAX, limit: 2 }, 3);
    assert!(body["_links"].get("next").is_none());
}
