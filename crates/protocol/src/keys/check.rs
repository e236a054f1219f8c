//! What is wrong with one typed value, in words for whoever typed it: by its form, its kind, what it must be, what there
//! is to choose from, and its pattern.
//!
//! Must never repeat the value.

use claviger_catalog::{Form, Holds, KeyField, KeyKind, pattern};

use super::{Amiss, Complaint};
use crate::{assertion::key::SigningKey, oauth2::read::MAX_TOKEN, secret::Secret};

/// The longest value of several lines, in bytes.
pub const MAX_LINES: usize = 16 * 1024;

/// A field that is no document.
pub(super) fn field(kind: KeyKind, field: &KeyField, value: &Secret) -> Result<(), Complaint> {
    let (text, label) = (value.expose(), &field.label);
    if text.is_empty() {
        return if label.optional { Ok(()) } else { Err(Complaint::of(Amiss::Missing, "Is missing")) };
    }
    if label.form == Form::Multiline {
        lines(text)?;
    } else {
        line(kind, &field.key, text)?;
    }
    holds(field.holds, value)?;
    if !label.options.is_empty() && label.options.iter().all(|choice| choice.value != text) {
        return Err(Complaint::of(Amiss::NotListed, "Is none of those that there are to choose from"));
    }
    admitted(label.pattern.as_deref(), text)
}

/// Several lines: anything that is text.
pub(super) fn lines(text: &str) -> Result<(), Complaint> {
    if text.len() > MAX_LINES {
        return Err(Complaint::other(format!("Longer than {MAX_LINES} bytes")));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Complaint::other("Holds a control character"));
    }
    Ok(())
}

/// One line, as calls or requests will carry it.
pub(super) fn line(kind: KeyKind, key: &str, text: &str) -> Result<(), Complaint> {
    if text.len() > MAX_TOKEN {
        return Err(Complaint::other(format!("Longer than {MAX_TOKEN} bytes")));
    }
    if matches!(kind, KeyKind::Basic | KeyKind::Steps) {
        // RFC 7617 §2: no control characters in either, no colon in the user's name.
        if text.chars().any(char::is_control) {
            return Err(Complaint::other("Holds a control character, such as a line break"));
        }
        if kind == KeyKind::Basic && key == "username" && text.contains(':') {
            return Err(Complaint::other("Holds a colon, which a user name can't"));
        }
    } else if text != text.trim() {
        return Err(Complaint::other("Has a space or a line break at its beginning or end"));
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Complaint::other("Holds a space or a character that is not ASCII"));
    }
    // It is a piece of what a signature is good for, between slashes and commas.
    if kind == KeyKind::SigV4 && key == "access_key_id" && text.contains(['/', ',']) {
        return Err(Complaint::of(Amiss::Unlike, "Holds a slash or a comma, which the id of a key can't"));
    }
    Ok(())
}

/// What the value must be besides a text.
pub(super) fn holds(holds: Holds, value: &Secret) -> Result<(), Complaint> {
    let checked = match holds {
        Holds::Text => Ok(()),
        Holds::PrivateKey(Some(alg)) => SigningKey::check(value, alg),
        Holds::PrivateKey(None) => SigningKey::read(value).map(drop),
    };
    checked.map_err(|fault| Complaint::other(fault.to_string()))
}

/// What its pattern says.
pub(super) fn admitted(pattern: Option<&str>, text: &str) -> Result<(), Complaint> {
    match pattern {
        Some(pattern) if !pattern::admits(pattern, text) => {
            Err(Complaint::of(Amiss::Unlike, "Does not look like one of this provider's"))
        }
        _ => Ok(()),
    }
}
