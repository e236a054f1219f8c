//! The OpenAPI document: the one in the repository is what the handlers make, and the suites that have to try every
//! endpoint count them there.

use http::Method;
use serde_json::Value;

/// One method of one path, as the document has it.
#[derive(Clone)]
pub struct Operation {
    pub method: Method,
    /// With `{…}` for what varies.
    pub path: String,
    /// The names of its parameters in the query.
    pub query: Vec<String>,
    /// The names of its body's fields.
    pub fields: Vec<String>,
}

impl Operation {
    /// Whether a request is one of these.
    pub fn is(&self, method: &Method, path: &str) -> bool {
        let path = path.split('?').next().unwrap_or_default();
        let (ours, theirs): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let same = |(ours, part): (&&str, &&str)| ours == part || ours.starts_with('{') && !part.is_empty();
        self.method == *method && ours.len() == theirs.len() && ours.iter().zip(&theirs).all(same)
    }

    /// Whether it answers with pages, which are looked at elsewhere.
    pub fn is_page(&self) -> bool {
        ["/connection-popup", "/embed/", "/screens/"].iter().any(|path| self.path.starts_with(path))
    }

    /// Whether nothing varies in its path.
    pub fn is_whole(&self) -> bool {
        !self.path.contains('{')
    }
}

/// Every operation of the document.
pub fn operations() -> Vec<Operation> {
    of(&claviger::surface::bundleup::openapi::document().expect("a document"))
}

/// Every operation of the Informer-style door's document.
pub fn informer() -> Vec<Operation> {
    of(&claviger::surface::informer::openapi::document().expect("a document"))
}

/// Every operation of the Membrane-style door's document.
pub fn membrane() -> Vec<Operation> {
    of(&claviger::surface::membrane::openapi::document().expect("a document"))
}

fn of(document: &str) -> Vec<Operation> {
    let document: Value = serde_json::from_str(document).expect("JSON");
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, about) in methods.as_object().expect("methods") {
            let parameters = about["parameters"].as_array().into_iter().flatten();
            let query = parameters.filter(|parameter| parameter["in"] == "query");
            let body = &about["requestBody"]["content"]["application/json"]["schema"];
            all.push(Operation {
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                query: query
                    .map(|parameter| parameter["name"].as_str().expect("a name").to_owned())
                    .collect(),
                fields: fields(&document, body),
            });
        }
    }
    assert!(all.len() > 15, "the document is read: {}", all.len());
    all
}

/// The names of an object's fields, wherever the document describes it.
fn fields(document: &Value, schema: &Value) -> Vec<String> {
    let named = schema["$ref"].as_str().and_then(|at| document.pointer(at.trim_start_matches('#')));
    let schema = named.unwrap_or(schema);
    let own = schema["properties"].as_object().into_iter().flat_map(|all| all.keys().cloned());
    let parts = ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|of| schema[of].as_array()).flatten();
    own.chain(parts.flat_map(|part| fields(document, part))).collect()
}

#[test]
fn the_documents_in_docs_are_current() {
    let made = claviger::surface::bundleup::openapi::document().expect("a document");
    let kept = include_str!("../../../../docs/api/openapi.json");
    assert!(kept == made, "docs/api/openapi.json is old: run `make openapi > docs/api/openapi.json`");
    let made = claviger::surface::informer::openapi::document().expect("a document");
    let kept = include_str!("../../../../docs/api/openapi.informer.json");
    assert!(
        kept == made,
        "docs/api/openapi.informer.json is old: run `make openapi DOOR=informer > docs/api/openapi.informer.json`"
    );
    let made = claviger::surface::membrane::openapi::document().expect("a document");
    let kept = include_str!("../../../../docs/api/openapi.membrane.json");
    assert!(
        kept == made,
        "docs/api/openapi.membrane.json is old: run `make openapi DOOR=membrane > docs/api/openapi.membrane.json`"
    );
}
