use super::*;

#[test]
fn every_compiled_in_file_is_read_without_a_finding() {
    let catalog = Catalog::builtin().expect("the catalog");
    assert_eq!(catalog.iter().count(), BUILTIN.len());
    for (file, text) in BUILTIN {
        let errors: Vec<_> =
            lint::check(file, text).into_iter().filter(|finding| finding.severity.is_error()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    for key in ["oidc", "oauth2", "sandbox", "github", "google"] {
        assert!(catalog.get(key).is_some(), "{key}");
    }
}
