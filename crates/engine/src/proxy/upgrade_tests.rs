use super::*;
use crate::outbound::full;

fn request(version: Version, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::get("/x").version(version);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(empty()).unwrap()
}

#[test]
fn what_means_no_upgrade_is_let_pass() {
    for (version, headers) in [
        (Version::HTTP_11, &[][..]),
        (Version::HTTP_11, &[("upgrade", "websocket")]),
        (Version::HTTP_11, &[("upgrade", "websocket"), ("connection", "close, x-hop")]),
        (Version::HTTP_11, &[("connection", "upgrade")]),
        (Version::HTTP_11, &[("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c")]),
        (Version::HTTP_10, &[("connection", "upgrade"), ("upgrade", "websocket")]),
        (Version::HTTP_2, &[("connection", "upgrade"), ("upgrade", "websocket")]),
    ] {
        let asked = asked(&mut request(version, headers), true);
        assert!(matches!(asked, Ok(None)), "{version:?} {headers:?}");
    }
}

#[test]
fn another_protocol_and_a_websocket_that_can_not_be_are_refused() {
    for upgrade in ["tls/1.0", "websocket, h2c", "h2c, websocket", "irc/6.9", "websocket/13", "\u{e9}"] {
        let headers = [("connection", "keep-alive, Upgrade"), ("upgrade", upgrade)];
        let told = asked(&mut request(Version::HTTP_11, &headers), true);
        assert!(matches!(told, Err(Error::NotSupported { .. })), "{upgrade}");
    }
    let headers = [("connection", "upgrade"), ("upgrade", "WebSocket")];
    let mut post = request(Version::HTTP_11, &headers);
    *post.method_mut() = Method::POST;
    assert!(matches!(asked(&mut post, true), Err(Error::NotSupported { .. })));
    for offered in [true, false] {
        // A connection that can't be, and a caller who is not offered any.
        let told = asked(&mut request(Version::HTTP_11, &headers), offered);
        assert!(matches!(told, Err(Error::NotSupported { .. })), "{offered}");
    }
}

#[test]
fn a_switch_that_nobody_asked_for_is_the_providers_fault() {
    let from = Response::builder().status(101).header("upgrade", "websocket").body(full("")).unwrap();
    let told = answer(from, None, Echoes::new(&[]), &RequestId::new());
    assert!(matches!(told, Err(Error::Provider { fault: ProviderFault::Unreadable, .. })));
}
