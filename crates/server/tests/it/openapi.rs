//! The OpenAPI document in the repository is the one that the handlers make.

#[test]
fn the_document_in_docs_is_current() {
    let made = claviger::surface::bundleup::openapi::document().expect("a document");
    let kept = include_str!("../../../../docs/api/openapi.json");
    assert!(kept == made, "docs/api/openapi.json is old: run `make openapi > docs/api/openapi.json`");
}
