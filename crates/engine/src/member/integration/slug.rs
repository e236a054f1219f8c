//! Slugs that nobody thought of: made of a name, and of a number where that is taken.

use crate::{
    error::{Error, Result},
    id::WorkspaceId,
    store::Conn,
};

/// Characters of a slug before its number.
const LONGEST: usize = 56;
/// How many integrations may share a name's slug: each is looked for while nobody else can write.
const MOST: usize = 50;

/// A slug that no integration has yet; of the provider's key where the name has no letter that a slug may have.
///
/// # Errors
/// `Conflict` where too many have it with a number already.
pub(super) async fn free(conn: &mut Conn, ws: &WorkspaceId, name: &str, provider: &str) -> Result<String> {
    let base = Some(kebab(name)).filter(|slug| !slug.is_empty()).unwrap_or_else(|| kebab(provider));
    for n in 1..=MOST {
        let slug = if n == 1 { base.clone() } else { format!("{base}-{n}") };
        if conn.integration_by_selector(ws, &slug).await?.is_none() {
            return Ok(slug);
        }
    }
    Err(Error::Conflict { message: "too many integrations have this name: give a slug".to_owned() })
}

/// Letters and digits of ASCII in lower case, and a dash for whatever stands between them.
fn kebab(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("-").chars().take(LONGEST).collect();
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::check;

    #[test]
    fn a_name_becomes_a_slug() {
        for (name, want) in [
            ("Google Drive - Engineering", "google-drive-engineering"),
            ("  CRM (EU)  ", "crm-eu"),
            ("Café Größe", "caf-gr-e"),
            ("日本", ""),
            ("../..", ""),
            ("int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f", "int-0198c1f2a3b47c5d8e9f0a1b2c3d4e5f"),
        ] {
            assert_eq!(kebab(name), want, "{name}");
        }
        for long in ["a".repeat(200), "ab ".repeat(60)] {
            let slug = kebab(&long);
            assert!(slug.len() <= LONGEST && check::slug(&format!("{slug}-{MOST}")).is_ok(), "{slug}");
        }
    }
}
