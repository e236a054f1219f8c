//! The PEM text of a private key (RFC 7468), as people paste it: with what stands around it, with `\n` for its line
//! breaks where it comes out of a JSON document, and often enough the wrong half.
//!
//! Must never repeat anything of the text.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::KeyFault;

/// Bytes of the longest key: RSA with 8192 bits has about 6,400.
pub(super) const LONGEST: usize = 16 * 1024;

/// What a private key is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `PrivateKeyInfo` (RFC 5208 §5).
    Pkcs8,
    /// `RSAPrivateKey` (RFC 8017 §A.1.2).
    Pkcs1,
    /// `ECPrivateKey` (RFC 5915 §3).
    Sec1,
}

/// The first private key of the text: how it is written, and its bytes.
pub(super) fn read(text: &str) -> Result<(Shape, Zeroizing<Vec<u8>>), KeyFault> {
    if text.len() > LONGEST {
        return Err(KeyFault::TooLong);
    }
    let text = Zeroizing::new(text.replace("\\n", "\n").replace("\\r", ""));
    let mut fault = KeyFault::NoPem;
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(KeyFault::Unreadable)?;
        let shape = match label {
            "PRIVATE KEY" => Shape::Pkcs8,
            "RSA PRIVATE KEY" => Shape::Pkcs1,
            "EC PRIVATE KEY" => Shape::Sec1,
            other => {
                fault = unwanted(other);
                if fault == KeyFault::Encrypted {
                    return Err(fault);
                }
                rest = after;
                continue;
            }
        };
        let (body, _) = after.split_once(&format!("-----END {label}-----")).ok_or(KeyFault::Unreadable)?;
        // RFC 1421 §4.6.1.1: so OpenSSL writes encrypted keys of the old shapes.
        if body.contains("ENCRYPTED") {
            return Err(KeyFault::Encrypted);
        }
        let packed: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
        let der = BASE64_STANDARD.decode(packed.as_bytes()).map_err(|_| KeyFault::Unreadable)?;
        return Ok((shape, Zeroizing::new(der)));
    }
    Err(fault)
}

/// What a PEM text is that holds no private key we read.
fn unwanted(label: &str) -> KeyFault {
    if label.starts_with("ENCRYPTED") {
        KeyFault::Encrypted
    } else if label.ends_with("PUBLIC KEY") {
        KeyFault::Public
    } else if label.ends_with("CERTIFICATE") {
        KeyFault::Certificate
    } else if label.ends_with("PRIVATE KEY") {
        KeyFault::Unsupported
    } else {
        KeyFault::NoPem
    }
}
