//! What there is to read of an X.509 certificate (RFC 5280 §4.1): from when until when it is good, who it is and who
//! issued it.
//!
//! Nothing is verified: whoever we show it to does that. Must never be used to trust anybody.

use jiff::{civil::DateTime, tz::TimeZone};

use crate::der::{INTEGER, SEQUENCE, tlv};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// From when it is good, in milliseconds since 1970.
    pub not_before: i64,
    /// Until when, likewise.
    pub not_after: i64,
    /// Who issued it, as it is encoded.
    pub issuer: Vec<u8>,
    /// Who it is, likewise.
    pub subject: Vec<u8>,
}

/// The tag of a certificate's version.
const VERSION: u8 = 0xa0;
/// The tags of a time with two digits of the year, and with four.
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads a certificate's DER; `None` when it is none.
pub fn read(certificate: &[u8]) -> Option<Facts> {
    let (whole, []) = tlv(certificate, SEQUENCE)? else { return None };
    let (inside, _) = tlv(whole, SEQUENCE)?;
    // The first version does not say that it is.
    let rest = tlv(inside, VERSION).map_or(inside, |(_, rest)| rest);
    let (_serial, rest) = tlv(rest, INTEGER)?;
    let (_algorithm, rest) = tlv(rest, SEQUENCE)?;
    let (issuer, rest) = tlv(rest, SEQUENCE)?;
    let (validity, rest) = tlv(rest, SEQUENCE)?;
    let (subject, _) = tlv(rest, SEQUENCE)?;
    let (not_before, rest) = time(validity)?;
    let (not_after, _) = time(rest)?;
    Some(Facts { not_before, not_after, issuer: issuer.to_vec(), subject: subject.to_vec() })
}

/// A time (RFC 5280 §4.1.2.5), always in UTC and to the second, and what follows it.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let plain = |text| Some(std::str::from_utf8(text).ok()?.strip_suffix('Z')?.to_owned());
    let (text, rest) = match tlv(der, UTC_TIME) {
        Some((text, rest)) => {
            let text: String = plain(text)?;
            // 1950 to 2049.
            let century = if text.get(..2)? < "50" { "20" } else { "19" };
            (format!("{century}{text}"), rest)
        }
        None => {
            let (text, rest) = tlv(der, GENERALIZED_TIME)?;
            (plain(text)?, rest)
        }
    };
    let at = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some((at.timestamp().as_millisecond(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, value: &[u8]) -> Vec<u8> {
        let length = u8::try_from(value.len()).expect("short");
        [&[tag, 0x81, length][..], value].concat()
    }

    /// As much of a certificate as is looked at.
    fn certificate(version: &[u8], times: [(u8, &str); 2]) -> Vec<u8> {
        let times: Vec<u8> = times.iter().flat_map(|(tag, text)| element(*tag, text.as_bytes())).collect();
        let parts = [
            version.to_vec(),
            element(INTEGER, &[7]),
            element(SEQUENCE, b"algorithm"),
            element(SEQUENCE, b"issuer"),
            element(SEQUENCE, &times),
            element(SEQUENCE, b"subject"),
            element(SEQUENCE, b"key"),
        ];
        element(SEQUENCE, &element(SEQUENCE, &parts.concat()))
    }

    #[test]
    fn both_spellings_of_time_and_both_shapes_are_read() {
        let version = element(VERSION, &element(INTEGER, &[2]));
        for version in [&version[..], &[]] {
            let der =
                certificate(version, [(UTC_TIME, "491231235959Z"), (GENERALIZED_TIME, "20500101000000Z")]);
            let facts = read(&der).expect("a certificate");
            assert_eq!((facts.not_before, facts.not_after), (2_524_607_999_000, 2_524_608_000_000));
            assert_eq!((&facts.issuer[..], &facts.subject[..]), (&b"issuer"[..], &b"subject"[..]));
        }
        let der = certificate(&[], [(UTC_TIME, "500101000000Z"), (UTC_TIME, "700101000001Z")]);
        assert_eq!(
            read(&der).map(|facts| (facts.not_before, facts.not_after)),
            Some((-631_152_000_000, 1000))
        );
    }

    #[test]
    fn anything_else_is_no_certificate() {
        let whole = certificate(&[], [(UTC_TIME, "700101000000Z"), (UTC_TIME, "700101000001Z")]);
        assert!(read(&whole).is_some());
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), None, "{cut}");
        }
        for time in ["700101000000", "7001010000Z", "700101000000+0100", "701301000000Z", "Z", "\u{e9}Z"] {
            assert_eq!(
                read(&certificate(&[], [(UTC_TIME, time), (UTC_TIME, "700101000001Z")])),
                None,
                "{time}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(0_u8.., 0..200)) {
            let _ = read(&bytes);
            let _ = read(&element(SEQUENCE, &element(SEQUENCE, &bytes)));
        }
    }
}
