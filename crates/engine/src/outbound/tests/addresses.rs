//! Addresses in every spelling, and names that lie about theirs.

use super::{
    server::{Does, Server},
    *,
};

/// Never reachable with an empty allow list.
const BLOCKED: &[&str] = &[
    // unspecified, loopback
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    // private, CGNAT, link-local
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.0.1",
    "169.254.255.255",
    // metadata
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.42.42",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[fd20:ce::254]",
    "[fe80::a9fe:a9fe]",
    // documentation, benchmarking, reserved, multicast, broadcast
    "192.0.0.8",
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "198.18.0.1",
    "198.19.255.255",
    "192.88.99.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.254",
    "255.255.255.255",
    // ULA, link-local, site-local, multicast, documentation, discard, outside of 2000::/3
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[feff::1]",
    "[ff02::1]",
    "[ff0e::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
    "[4000::1]",
    "[1::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    // IPv4 inside IPv6: mapped, in both spellings
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:169.254.169.254]",
    "[0:0:0:0:0:ffff:c0a8:1]",
    "[::ffff:0.0.0.0]",
    // compatible, translated
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::8.8.8.8]",
    "[::ffff:0:127.0.0.1]",
    // NAT64, its local-use prefix, 6to4, Teredo
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[64:ff9b:1:a9fe:a9:fe00::]",
    "[64:ff9b:1::8.8.8.8]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2002:808:808::1]",
    "[2001:0:7f00:1::1]",
    "[2001::1]",
    "[2001:0:4136:e378:8000:63bf:5601:5601]",
];

/// Not read as a host at all, so that no two readers can differ.
const BAD_SPELLING: &[&str] = &[
    // decimal, octal, hex, short
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "0177.0.0.1",
    "00000177.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "0x0",
    "127.0.0.01",
    "127.0.0.001",
    "127.0.0.0x1",
    "256.0.0.1",
    "127.0.0.1.",
    "127.0.0.1..",
    "1.2.3.4.5",
    "169.254.43518",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "a.0x",
    "evil.1",
    "x.0x7f",
    // zone ids and broken IPv6
    "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[::1%251]",
    "[v1.1]",
    "[]",
    "[::ffff:127.0.0.1.]",
    "[:::1]",
    "[12345::1]",
    "[::ffff:0x7f.0.0.1]",
    "[::ffff:0177.0.0.1]",
    // userinfo, ports, stray marks
    "user@127.0.0.1",
    "user:pw@example.com",
    "example.com@127.0.0.1",
    "@example.com",
    "127.0.0.1:0",
    "example.com:99999",
    "example.com:",
    "example.com:+80",
    "example..com",
    ".example.com",
    "exa%6dple.com",
    "127.0.0.1%2f@example.com",
    "*.example.com",
    "a,b",
    "ex$ample.com",
];

/// Ordinary public addresses, plain or reached through a translator.
const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "169.253.0.1",
    "128.0.0.1",
    "11.0.0.1",
    "[2606:4700:4700::1111]",
    "[2a00:1450:4001::1]",
    "[2001:4860:4860::8888]",
    "[2001:200::1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::8.8.8.8]",
    "[2000::1]",
];

fn check(outbound: &Outbound, host: &str) -> std::result::Result<(), FailureKind> {
    match format!("https://{host}/x?y").parse::<http::Uri>() {
        Ok(uri) => outbound.destination(&uri).map(drop).map_err(|failure| failure.kind),
        Err(_) => Err(FailureKind::BadUrl),
    }
}

#[test]
fn every_spelling_of_an_address_is_judged_or_refused() {
    let outbound = Outbound::new(Config::default()).unwrap();
    for host in BLOCKED {
        assert_eq!(check(&outbound, host), Err(FailureKind::Blocked), "{host}");
    }
    for host in BAD_SPELLING {
        assert_eq!(check(&outbound, host), Err(FailureKind::BadUrl), "{host}");
    }
    for host in PUBLIC {
        assert_eq!(check(&outbound, host), Ok(()), "{host}");
    }
    for host in
        ["example.com", "EXAMPLE.com:8443", "example.com.", "a_b.example", "xn--bcher-kva.example", "1a.b2"]
    {
        assert_eq!(check(&outbound, host), Ok(()), "{host}");
    }
}

#[test]
fn metadata_stays_blocked_whatever_is_allowed() {
    let policy = Policy { allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()] };
    for host in [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fe80::a9fe:a9fe",
        "::ffff:169.254.169.254",
        "::ffff:100.100.100.200",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::",
        "2001:0:a9fe:a9fe::",
        "2001::5601:5601",
    ] {
        assert_eq!(policy.check(ip(host)), Err(Blocked("metadata")), "{host}");
        assert!(!policy.allows(ip(host)), "{host}");
    }
    for host in ["127.0.0.1", "10.0.0.1", "fc00::1", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(policy.check(ip(host)), Ok(()), "{host}");
    }
}

#[tokio::test]
async fn a_name_is_resolved_once_and_what_was_checked_is_connected_to() {
    let server = Server::start(Does::Answer(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok".to_owned(),
    ))
    .await;
    let url = format!("http://rebind.test:{}/", server.addr.port());
    // First the address that passes, then one that must not be reached.
    let script =
        Script::default().answer("rebind.test", &[ip("127.0.0.1")]).answer("rebind.test", &[ip("10.0.0.1")]);
    let (outbound, script) = scripted(script);
    assert_eq!(outbound.fetch(get(&url), 10).await.unwrap().body(), "ok");
    assert_eq!((script.asked(), server.connections()), (1, 1));
    // The server closed; the next connection asks anew and is refused whole.
    let failure = outbound.fetch(get(&url), 10).await.unwrap_err();
    assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::Blocked, true));
    assert_eq!((script.asked(), server.connections()), (2, 1));
}

#[tokio::test]
async fn one_bad_address_refuses_the_name() {
    let server = Server::start(Does::Answer("HTTP/1.1 204 No Content\r\n\r\n".to_owned())).await;
    for bad in ["10.0.0.1", "169.254.169.254", "127.0.0.2", "::1", "::ffff:10.0.0.1", "fd00:ec2::254"] {
        let (outbound, _) = scripted(Script::default().answer("mixed.test", &[ip("127.0.0.1"), ip(bad)]));
        let url = format!("http://mixed.test:{}/", server.addr.port());
        assert_eq!(outbound.fetch(get(url), 10).await.unwrap_err().kind, FailureKind::Blocked, "{bad}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn plain_http_needs_an_allowed_address() {
    let (outbound, _) = scripted(Script::default().answer("public.test", &[ip("93.184.216.34")]));
    for url in ["http://public.test/", "http://93.184.216.34/"] {
        let failure = outbound.fetch(get(url), 10).await.unwrap_err();
        assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::Blocked, true));
        assert!(failure.message.contains("plain http"), "{}", failure.message);
    }
    let lax = Outbound::new(Config { require_https: false, ..Config::default() }).unwrap();
    assert!(lax.destination(&"http://93.184.216.34/".parse().unwrap()).is_ok());
    let failure = lax.destination(&"http://10.0.0.1/".parse().unwrap()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Blocked);
}

#[tokio::test]
async fn a_name_without_an_address_is_a_failure_of_its_own() {
    let (outbound, _) = scripted(Script::default());
    let failure = outbound.fetch(get("https://nowhere.test/?key=sk_canary"), 10).await.unwrap_err();
    assert_eq!((failure.kind, failure.nothing_sent), (FailureKind::Resolve, true));
    assert!(!failure.message.contains("canary"), "{}", failure.message);
}
