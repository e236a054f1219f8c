//! Reading one table over another: a file over the file that it extends, a refresh's answer over the exchange's.
//!
//! Tables are merged key by key; everything else, lists too, takes the place of what was there. Works on plain
//! TOML, before any field has a meaning. Must never chain: a file that extends another can't be extended.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::{CatalogError, auth::TABLES};

/// The key that names the base.
pub(crate) const EXTENDS: &str = "extends";
/// The key that lists what is not taken over from it.
const WITHOUT: &str = "without";
/// What a file never takes over: it is its own.
const OWN: &[&str] = &["key", "name"];

/// A file's table, by the file's provider key.
pub(crate) type Tables = BTreeMap<String, Table>;

/// The file read over its base, without the keys that say so, and the key of its family: the base's, or its own.
pub(crate) fn resolve(
    file_name: &str,
    mut own: Table,
    bases: &Tables,
) -> Result<(Table, String), CatalogError> {
    let wrong = |key: &str, message: String| CatalogError::new(file_name, key, message);
    let key = own.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    let without = own.remove(WITHOUT);
    let base_key = match own.remove(EXTENDS) {
        Some(Value::String(base)) => base,
        Some(_) => return Err(wrong(EXTENDS, "must be a provider's key".to_owned())),
        None if without.is_some() => {
            return Err(wrong(WITHOUT, format!("makes no sense without `{EXTENDS}`")));
        }
        None => return Ok((own, key)),
    };
    let base = bases
        .get(&base_key)
        .filter(|_| base_key != key)
        .ok_or_else(|| wrong(EXTENDS, format!("there is no other provider `{base_key}`")))?;
    if base.contains_key(EXTENDS) {
        let message = format!("`{base_key}` extends another provider itself: extend that one");
        return Err(wrong(EXTENDS, message));
    }
    let mut merged = base.clone();
    for name in OWN {
        merged.remove(*name);
    }
    for path in dropped(without).map_err(|message| wrong(WITHOUT, message))? {
        if !remove(&mut merged, &path) {
            return Err(wrong(WITHOUT, format!("`{base_key}` has no `{path}`")));
        }
    }
    over(&mut merged, own);
    Ok((merged, base_key))
}

/// Puts the one table that says how a provider authenticates under `auth`, and reads `[api.place]` over what is usual
/// for its kind.
pub(crate) fn auth(file_name: &str, table: &mut Table) -> Result<(), CatalogError> {
    let mut found = Vec::new();
    for name in TABLES {
        found.extend(table.remove(*name).map(|value| (*name, value)));
    }
    let (name, value) = match (found.pop(), found.pop()) {
        (Some(one), None) => one,
        (Some((name, _)), Some((other, _))) => {
            let message = format!("a provider authenticates in one way: there is `{other}` too");
            return Err(CatalogError::new(file_name, name, message));
        }
        (None, _) => {
            let message = format!("one of these tables is needed: `{}`", TABLES.join("`, `"));
            return Err(CatalogError::new(file_name, "oauth2", message));
        }
    };
    let chosen = value.get("place_chosen").and_then(Value::as_bool).unwrap_or_default();
    let placed = table.get("api").is_some_and(|api| api.get("place").is_some());
    if chosen && placed {
        let message = "can't stand here: with `place_chosen` the integration says it";
        return Err(CatalogError::new(file_name, "api.place", message));
    }
    let usual: &[(&str, &str)] = match name {
        "fields" | "workspace_token" if placed => &[("format", "{token}")],
        "fields" | "workspace_token" | "oauth1" | "sigv4" => &[("format", "")],
        "api_key" => &[("header", "X-API-Key"), ("format", "{token}")],
        "basic" => &[("format", "Basic {token}"), ("base64", "{token}")],
        _ => &[],
    };
    let usual = usual.iter().map(|(key, text)| ((*key).to_owned(), Value::String((*text).to_owned())));
    let mut completed = Table::from_iter([("place".to_owned(), Value::Table(usual.collect()))]);
    match table.remove("api") {
        Some(Value::Table(api)) => over(&mut completed, api),
        Some(other) => {
            table.insert("api".to_owned(), other);
        }
        None => {}
    }
    table.entry("api").or_insert(Value::Table(completed));
    let one = Table::from_iter([(name.to_owned(), value)]);
    table.insert("auth".to_owned(), Value::Table(one));
    Ok(())
}

/// Reads `[oauth2.refresh.answer]` over `[oauth2.answer]`: it says only what differs.
pub(crate) fn refresh_answer(table: &mut Table) {
    let Some(Value::Table(oauth2)) = table.get_mut("oauth2") else { return };
    let mut merged = match oauth2.get("answer") {
        Some(Value::Table(answer)) => answer.clone(),
        _ => Table::new(),
    };
    let Some(Value::Table(refresh)) = oauth2.get_mut("refresh") else { return };
    if let Some(Value::Table(own)) = refresh.get_mut("answer") {
        over(&mut merged, std::mem::take(own));
        *own = merged;
    }
}

/// What goes without saying where no code comes back by a browser: nobody is sent a challenge; and where a token is
/// fetched again instead of refreshed.
pub(crate) fn grant(table: &mut Table) {
    let Some(Value::Table(oauth2)) = table.get_mut("oauth2") else { return };
    let fetched = match oauth2.get("grant").and_then(Value::as_str) {
        Some("client_credentials" | "jwt_bearer" | "token_exchange") => true,
        Some("device_code") => false,
        _ => return,
    };
    let text = |text: &str| Value::String(text.to_owned());
    oauth2.entry("pkce").or_insert_with(|| text("unsupported"));
    if !fetched {
        return;
    }
    if let Value::Table(refresh) = oauth2.entry("refresh").or_insert_with(|| Value::Table(Table::new())) {
        refresh.entry("with").or_insert_with(|| text("client"));
    }
}

/// Puts the values of `own` over those of `base`.
pub(crate) fn over(base: &mut Table, own: Table) {
    for (name, value) in own {
        match (base.get_mut(&name), value) {
            (Some(Value::Table(old)), Value::Table(new)) => over(old, new),
            (_, value) => {
                base.insert(name, value);
            }
        }
    }
}

fn dropped(list: Option<Value>) -> Result<Vec<String>, String> {
    let wrong = || "must be a list of dotted keys".to_owned();
    let Some(list) = list else { return Ok(Vec::new()) };
    let Value::Array(list) = list else { return Err(wrong()) };
    list.into_iter().map(|path| path.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

/// Takes out what is at a dotted path; `false` when nothing is there.
fn remove(table: &mut Table, path: &str) -> bool {
    match path.split_once('.') {
        None => table.remove(path).is_some(),
        Some((name, rest)) => match table.get_mut(name) {
            Some(Value::Table(inner)) => remove(inner, rest),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().expect("TOML")
    }

    fn bases() -> Tables {
        let base = "key = \"base\"\nname = \"Base\"\nlist = [1, 2]\n[a]\nx = 1\n[a.b]\ny = 2\nz = 3";
        let child = "key = \"child\"\nname = \"Child\"\nextends = \"base\"";
        Tables::from([("base".to_owned(), table(base)), ("child".to_owned(), table(child))])
    }

    fn resolved(text: &str) -> Result<(Table, String), String> {
        resolve("x.toml", table(text), &bases()).map_err(|error| error.to_string())
    }

    #[test]
    fn tables_are_merged_and_everything_else_is_replaced() {
        let (merged, family) = resolved(
            "key = \"x\"\nname = \"X\"\nextends = \"base\"\nlist = [9]\nwithout = [\"a.x\"]\n[a.b]\ny = 7\nw = 8",
        )
        .expect("merged");
        assert_eq!(merged, table("key = \"x\"\nname = \"X\"\nlist = [9]\n[a.b]\ny = 7\nz = 3\nw = 8"));
        assert_eq!(family, "base");
        let (alone, family) = resolved("key = \"x\"\nname = \"X\"").expect("alone");
        assert_eq!((alone, family.as_str()), (table("key = \"x\"\nname = \"X\""), "x"));
    }

    #[test]
    fn name_and_key_are_never_taken_over() {
        let (merged, _) = resolved("key = \"x\"\nextends = \"base\"").expect("merged");
        assert!(!merged.contains_key("name"));
        assert_eq!(merged["key"].as_str(), Some("x"));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, told) in [
            ("extends = \"none\"", "x.toml: extends: there is no other provider `none`"),
            ("key = \"base\"\nextends = \"base\"", "x.toml: extends: there is no other provider `base`"),
            (
                "extends = \"child\"",
                "x.toml: extends: `child` extends another provider itself: extend that one",
            ),
            ("extends = 1", "x.toml: extends: must be a provider's key"),
            ("without = [\"a\"]", "x.toml: without: makes no sense without `extends`"),
            ("extends = \"base\"\nwithout = [\"a.q\"]", "x.toml: without: `base` has no `a.q`"),
            ("extends = \"base\"\nwithout = \"a\"", "x.toml: without: must be a list of dotted keys"),
        ] {
            assert_eq!(resolved(text).expect_err(text), told);
        }
    }
}
