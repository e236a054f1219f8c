//! A document that somebody pasted or uploaded: a JSON object, of which the parts are kept that the provider's file names.
//!
//! Must never keep the document, nor say what is in it: a complaint names a path of the file's, not a value.

use std::collections::BTreeMap;

use claviger_catalog::{KeyField, KeyKind, Part};
use serde_json::Value;

use super::{Amiss, Complaint, check};
use crate::{json, secret::Secret};

/// The longest document, in bytes.
pub const MAX_DOCUMENT: usize = 64 * 1024;

/// The parts of a document, by name, each checked; none of an empty one that may be left out.
pub(super) fn parts(
    kind: KeyKind,
    field: &KeyField,
    document: &Secret,
) -> Result<BTreeMap<String, Secret>, Complaint> {
    let text = document.expose().trim().trim_start_matches('\u{feff}');
    if text.is_empty() {
        let missing = Complaint::of(Amiss::Missing, "Is missing");
        return if field.label.optional { Ok(BTreeMap::new()) } else { Err(missing) };
    }
    if document.expose().len() > MAX_DOCUMENT {
        return Err(Complaint::other(format!("Longer than {MAX_DOCUMENT} bytes")));
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|_| Complaint::other("Is no JSON: give the whole file as it was downloaded"))?;
    if !value.is_object() {
        return Err(Complaint::other("Is not a JSON object: it begins and ends with a brace"));
    }
    let mut out = BTreeMap::new();
    for (name, part) in &field.parts {
        if let Some(found) = one(kind, part, &value)? {
            out.insert(name.clone(), found);
        }
    }
    Ok(out)
}

/// One part: a text, a number or a truth value.
fn one(kind: KeyKind, part: &Part, document: &Value) -> Result<Option<Secret>, Complaint> {
    let found = json::text(document, &part.path).filter(|text| !text.trim().is_empty());
    let Some(found) = found.map(Secret::new) else {
        let missing = || Complaint::other(format!("Has no `{}`: is it the right document?", part.path));
        return if part.required { Err(missing()) } else { Ok(None) };
    };
    let text = found.expose();
    let sound = if kind == KeyKind::Fields { check::line(kind, "", text) } else { check::lines(text) };
    let sound = sound.and_then(|()| check::holds(part.holds, &found));
    let sound = sound.and_then(|()| check::admitted(part.pattern.as_deref(), text));
    sound.map_err(|complaint| complaint.about(&part.path))?;
    Ok(Some(found))
}
