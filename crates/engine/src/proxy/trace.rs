//! The trace that a caller made its call part of (W3C Trace Context, §3.2): read for the request log, and nothing else.
//!
//! Claviger takes no part in a trace: it adds no span, so it changes neither `traceparent` nor `tracestate`, and both
//! go to the provider as they came, like any other header. One that is not valid is no trace, so it is not kept; its
//! next reader is told by the same rules to start anew.

use std::fmt;

use http::{HeaderMap, HeaderName};

const PARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id of a trace: 32 hex digits, not all of them zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceId([u8; 32]);

impl TraceId {
    /// The trace that a request belongs to; `None` without a `traceparent`, with several, and with one that is not valid.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(&PARENT).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        read(value.as_bytes()).map(Self)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

/// `version-trace-parent-flags`, in lower-case hex. A later version may go on behind another dash.
fn read(text: &[u8]) -> Option<[u8; 32]> {
    let (head, rest) = text.split_at_checked(55)?;
    let (version, trace, parent, flags) = (&head[..2], &head[3..35], &head[36..52], &head[53..]);
    let dashes = [2, 35, 52].iter().all(|at| head[*at] == b'-');
    let fields = [version, trace, parent, flags];
    let hex = fields.iter().all(|field| field.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    let zero = |field: &[u8]| field.iter().all(|digit| *digit == b'0');
    let ends = rest.is_empty() || (version != b"00" && rest[0] == b'-');
    let valid = dashes && hex && ends && version != b"ff" && !zero(trace) && !zero(parent);
    valid.then(|| trace.try_into().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().unwrap());
        }
        TraceId::of(&headers).map(|id| id.to_string())
    }

    #[test]
    fn a_valid_header_names_its_trace() {
        for parent in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("00-{TRACE}-00f067aa0ba902b7-ff"),
            format!("01-{TRACE}-00f067aa0ba902b7-01"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-what-comes-later"),
            format!("cc-{TRACE}-00f067aa0ba902b7-01-"),
        ] {
            assert_eq!(of(&[&parent]).as_deref(), Some(TRACE), "{parent}");
        }
    }

    #[test]
    fn anything_else_is_no_trace() {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[&parent, &parent]), None, "which of two is nobody's to say");
        for wrong in [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("0-{TRACE}-00f067aa0ba902b7-01"),
            format!("0g-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-0"),
            format!("00-{TRACE}-00f067aa0ba902b7-0X"),
            format!("00_{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}_00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7_01"),
            format!("{parent}-more"),
            format!("{parent}."),
            format!("cc{}.more", &parent[2..]),
        ] {
            assert_eq!(of(&[&wrong]), None, "{wrong}");
        }
    }
}
