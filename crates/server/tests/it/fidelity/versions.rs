//! The same calls in every pair of versions: what arrives is what was sent, whichever of the two either side speaks.

use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use http_body_util::BodyExt as _;

use crate::support::{
    Heard, Names, Options, Speaker, TestApp, Way, on_each_with,
    recorder::soon,
    speaker::{NAME, Talker, body, fields},
};

type Lines = &'static [(&'static str, &'static str)];

/// One call and its answer.
struct Case {
    name: &'static str,
    method: &'static str,
    target: &'static str,
    headers: Lines,
    sent: &'static [&'static str],
    trailers: Lines,
    status: u16,
    answer_headers: Lines,
    answered: &'static [&'static str],
    answer_trailers: Lines,
}

const PLAIN: Case = Case {
    name: "plain",
    method: "GET",
    target: "/",
    headers: &[],
    sent: &[],
    trailers: &[],
    status: 200,
    answer_headers: &[],
    answered: &["ok"],
    answer_trailers: &[],
};

const CASES: &[Case] = &[
    PLAIN,
    Case {
        name: "target",
        target: "/a%2Fb%2f//c;p=1/%7e+%20/%E2%82%AC/caf%C3%A9/~!$&'()*,;=:@-._?q=a+b%20c%2B&x[]=1&&=&u=https://o.test/..//",
        ..PLAIN
    },
    Case { name: "target without a query but its mark", target: "/x?", ..PLAIN },
    Case {
        name: "repeated lines",
        headers: &[
            ("x-many", "1"),
            ("x-other", "x"),
            ("x-many", "2, 3"),
            ("x-many", ""),
            ("accept", "a/b, c/d;q=0.1"),
        ],
        answer_headers: &[
            ("x-many", "c"),
            ("link", "<a>, <b>"),
            ("x-many", "b"),
            ("x-many", "a"),
            ("vary", "accept"),
        ],
        ..PLAIN
    },
    Case {
        name: "lines of a connection",
        headers: &[
            ("x-kept", "1"),
            ("proxy-authorization", "x"),
            ("forwarded", "for=x"),
            ("cookie", "a=b"),
            ("cookie", "c=d"),
        ],
        answer_headers: &[("x-kept", "2"), ("set-cookie", "a=b"), ("proxy-authenticate", "x")],
        ..PLAIN
    },
    Case { name: "sized", method: "POST", sent: &["hello"], ..PLAIN },
    Case { name: "empty", method: "POST", answered: &[], ..PLAIN },
    Case { name: "in pieces", method: "PUT", sent: &["he", "", "llo"], answered: &["o", "k", "!"], ..PLAIN },
    Case { name: "a body with GET", sent: &["he", "llo"], ..PLAIN },
    Case { name: "a sized body with GET", sent: &["hello"], ..PLAIN },
    Case { name: "a method of its own", method: "QUERY", sent: &["x"], status: 299, ..PLAIN },
    Case { name: "DELETE", method: "DELETE", status: 204, answered: &[], ..PLAIN },
    Case {
        name: "not modified",
        status: 304,
        answer_headers: &[("etag", "W/\"x\"")],
        answered: &[],
        ..PLAIN
    },
    Case {
        name: "compressed",
        method: "POST",
        headers: &[("content-encoding", "br"), ("accept-encoding", "br, gzip;q=0.5")],
        sent: &["no\u{b}br"],
        answer_headers: &[("content-encoding", "gzip"), ("vary", "accept-encoding")],
        answered: &["\u{1f}no\u{8}gz"],
        ..PLAIN
    },
    Case {
        name: "trailers",
        method: "POST",
        headers: &[("te", "trailers"), ("trailer", "x-sum, x-two")],
        sent: &["a", "b"],
        trailers: &[("x-sum", "9"), ("x-two", "1"), ("x-two", "2")],
        answer_headers: &[("trailer", "x-end")],
        answered: &["c", "d"],
        answer_trailers: &[("x-end", "0"), ("x-end", "1")],
        ..PLAIN
    },
    Case {
        name: "trailers without a body",
        headers: &[("te", "trailers")],
        answer_headers: &[("trailer", "grpc-status")],
        answered: &[],
        answer_trailers: &[("grpc-status", "5")],
        ..PLAIN
    },
    Case { name: "an error", status: 503, answer_headers: &[("x-why", "so")], answered: &["no"], ..PLAIN },
];

fn answer(case: &Case) -> Response<crate::support::wire::Outgoing> {
    let mut answer = Response::new(body(case.answered, case.answer_trailers));
    *answer.status_mut() = StatusCode::from_u16(case.status).unwrap();
    *answer.headers_mut() = fields(case.answer_headers);
    answer
}

/// The lines of these names, each name's in their order.
fn lines(from: &HeaderMap, like: Lines) -> Vec<(&'static str, Vec<&[u8]>)> {
    let mut names: Vec<&'static str> = like.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    let all = |name| from.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
    names.into_iter().map(|name| (name, all(name))).collect()
}

fn passing(all: Lines) -> HeaderMap {
    const DROPPED: [&str; 5] =
        ["proxy-authorization", "forwarded", "cookie", "set-cookie", "proxy-authenticate"];
    let mut kept = fields(all);
    for name in DROPPED {
        kept.remove(name);
    }
    kept
}

/// Nothing of a connection, in either direction, where there are no such headers; and one framing at most where there are.
fn check_framing(what: &str, version: Version, headers: &HeaderMap) {
    let of_connection = ["connection", "keep-alive", "proxy-connection", "upgrade", "transfer-encoding"];
    if version == Version::HTTP_2 {
        for name in of_connection {
            assert!(!headers.contains_key(name), "{what}: {name}");
        }
    }
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    let codings = headers.get_all(header::TRANSFER_ENCODING).iter().count();
    assert!(lengths + codings <= 1, "{what}: {headers:?}");
}

async fn tell(app: &TestApp, up: &Speaker, id: &str, way: Way, version: Version) {
    let mut talker = Talker::dial(app, version).await;
    for case in CASES {
        let what = format!("{}: {version:?} to {way:?}", case.name);
        let request = Request::builder().method(case.method);
        let request =
            fields(case.headers).iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.header("x-case", case.name).header("bu-max-retries", "0");
        let sent = body(case.sent, case.trailers);
        let answer = soon(&what, talker.call(app, id, request, case.target, sent)).await.unwrap();
        let heard = up.seen().pop().unwrap();
        arrived(&what, way, case, &heard, &up.host());
        assert_eq!(answer.status().as_u16(), case.status, "{what}");
        check_framing(&what, version, answer.headers());
        assert_eq!(
            lines(answer.headers(), case.answer_headers),
            lines(&passing(case.answer_headers), case.answer_headers),
            "{what}"
        );
        let sized = case.answered.len() == 1 && case.answer_trailers.is_empty();
        let length =
            answer.headers().get(header::CONTENT_LENGTH).map(|length| length.to_str().unwrap().to_owned());
        assert_eq!(length.is_some_and(|length| length != "0"), sized, "{what}");
        let answered = soon(&what, answer.into_body().collect()).await.unwrap();
        assert_eq!(answered.trailers().cloned().unwrap_or_default(), fields(case.answer_trailers), "{what}");
        assert_eq!(answered.to_bytes(), case.answered.concat(), "{what}");
    }
}

fn arrived(what: &str, way: Way, case: &Case, heard: &Heard, host: &str) {
    assert_eq!(heard.version, way.version(), "{what}");
    assert_eq!(heard.method, case.method.parse::<Method>().unwrap(), "{what}");
    assert_eq!(heard.target, format!("/api{}", case.target), "{what}");
    assert_eq!(heard.host, host, "{what}");
    assert_eq!(heard.headers["authorization"], "Bearer canary_stub_access", "{what}");
    assert!(!heard.headers.contains_key("bu-connection-id"), "{what}");
    check_framing(what, heard.version, &heard.headers);
    assert_eq!(lines(&heard.headers, case.headers), lines(&passing(case.headers), case.headers), "{what}");
    let sized = case.sent.len() == 1 && case.trailers.is_empty();
    let length = heard.headers.get(header::CONTENT_LENGTH);
    assert_eq!(length.is_some_and(|length| *length != "0"), sized, "{what}: {:?}", heard.headers);
    assert_eq!(heard.body, case.sent.concat(), "{what}");
    assert_eq!(heard.trailers.clone().unwrap_or_default(), fields(case.trailers), "{what}");
}

#[tokio::test]
async fn a_call_is_the_same_in_every_pair_of_versions() {
    let names = Names::new(&[NAME]);
    let mut all = Vec::new();
    for way in Way::ALL {
        let told = |heard: &Heard| {
            let name = heard.headers["x-case"].to_str().unwrap();
            answer(CASES.iter().find(|case| case.name == name).unwrap())
        };
        all.push((way, Speaker::start(way, &names, told).await));
    }
    let options = || {
        let h2c = all.iter().filter(|(way, _)| *way == Way::H2c).map(|(_, up)| up.host()).collect();
        let mut options = names.options();
        options.outbound.h2c = h2c;
        Options { ..options }
    };
    on_each_with(options, async |app| {
        for (way, up) in &all {
            let id = up.connect(app).await;
            for version in [Version::HTTP_11, Version::HTTP_2] {
                tell(app, up, &id, *way, version).await;
            }
        }
    })
    .await;
}
