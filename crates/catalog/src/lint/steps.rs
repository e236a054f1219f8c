//! The rules for `[steps]`.
//!
//! Requests may name what was typed and what an earlier answer gave, never what comes later. Must never let a secret into
//! a URL, nor a value into a host that no pattern guards.

use super::{
    keys,
    rules::{List, body},
    templates::{names, texts, url},
};
use crate::{BodyFormat, Method, Provider, Step, Steps, pattern, steps::MOST, template};

/// Requests, what they save, and what is typed in.
pub(super) fn check(provider: &Provider, list: &mut List) {
    let Some(steps) = provider.steps() else { return };
    if !(1..=MOST).contains(&steps.request.len()) {
        list.error("steps.request", format!("must be there once, or up to {MOST} times"));
    }
    match provider.typed_values().find(|value| value.secret) {
        None => list.error("steps.fields", "must have one that is secret"),
        Some(first) if first.optional => {
            list.error(
                format!("steps.fields.{}.optional", first.name),
                "the first secret can't be left empty",
            );
        }
        Some(_) => {}
    }
    for (i, step) in steps.request.iter().enumerate() {
        request(provider, i, step, list);
        early(steps, i, step, list);
    }
    for status in &steps.refused {
        if !(400..500).contains(status) || *status == 429 {
            list.error("steps.refused", format!("{status} does not refuse a credential"));
        }
    }
    let placed = !provider.api.place.is_nowhere();
    if !placed && !keys::carried(&provider.api).any(|text| text.contains("{token}")) {
        list.error("api.place", "no call carries the token");
    }
}

fn request(provider: &Provider, i: usize, step: &Step, list: &mut List) {
    let at = |name: &str| format!("steps.request[{i}].{name}");
    url(provider, &at("url"), &step.url, list);
    texts(provider, &at("params"), &step.params, list);
    if step.method == Method::Get || step.format == BodyFormat::Query {
        for (param, text) in &step.params {
            for name in template::names(text).into_iter().filter(|name| keys::is_secret(provider, name)) {
                list.error(
                    at(&format!("params.{param}")),
                    format!("`{{{name}}}` is a secret: these parameters stand in the URL"),
                );
            }
        }
    }
    texts(provider, &at("headers"), &step.headers, list);
    if let Some(basic) = &step.basic {
        names(provider, &at("basic"), basic, list);
        if !basic.contains(':') || step.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"))
        {
            list.error(at("basic"), "must be `{user}:{password}`, and the only Authorization");
        }
    }
    if let Some(text) = &step.body {
        names(provider, &at("body"), text, list);
    }
    body(&at("body"), step.body.as_ref(), (step.method, step.format), step.params.is_empty(), list);
    if matches!(step.method, Method::Put | Method::Delete) {
        list.error(at("method"), "must be POST or GET");
    }
    for (name, saved) in &step.save {
        if saved.path.trim().is_empty() {
            list.error(at(&format!("save.{name}.path")), "must not be empty");
        }
        if let Some(problem) = saved.pattern.as_deref().and_then(pattern::problem) {
            list.error(at(&format!("save.{name}.pattern")), problem);
        }
    }
}

/// A request can't say what only its own answer, or a later one, tells.
fn early(steps: &Steps, i: usize, step: &Step, list: &mut List) {
    let own = [Some(&step.url), step.basic.as_ref(), step.body.as_ref()].into_iter().flatten();
    let texts = own.chain(step.params.values()).chain(step.headers.values());
    for name in texts.flat_map(|text| template::names(text)) {
        let later = steps.request.iter().skip(i).any(|step| step.save.contains_key(name));
        if later || steps.answer.save.contains_key(name) || template::RESERVED.contains(&name) {
            list.error(format!("steps.request[{i}]"), format!("needs `{{{name}}}`, which is not there yet"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::check;

    const FIELDS: &str = "[steps.fields.user]\nsecret = false\npattern = \"^[a-z]+$\"\n[steps.fields.pw]\n";

    fn told(steps: &str, api: &str) -> String {
        let file = format!(
            "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example/\"\n{steps}\n[api]\n\
             base_url = \"https://x.example\"\n{api}\n"
        );
        check("x.toml", &file).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn sound_steps_have_nothing_wrong() {
        let one = format!(
            "{FIELDS}[[steps.request]]\nurl = \"https://x.example/{{user}}\"\nbasic = \"{{user}}:{{pw}}\""
        );
        let two = format!(
            "{FIELDS}[[steps.request]]\nurl = \"https://x.example/a\"\nparams = {{ p = \"{{pw}}\" }}\n\
             save = {{ s = {{ path = \"s\" }}, where = {{ path = \"w\", secret = false, pattern = \"^[a-z]+$\" }} }}\n\
             [[steps.request]]\nurl = \"https://{{where}}.x.example/b\"\nformat = \"json\"\n\
             body = '{{\"s\":\"{{s}}\"}}'"
        );
        let open = format!("{one}\nmethod = \"GET\"\nparams = {{ u = \"{{user}}\" }}");
        for steps in [one, open, two] {
            assert_eq!(told(&steps, "headers = { X-S = \"{token}\" }"), "", "{steps}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let step = |more: &str| format!("{FIELDS}[[steps.request]]\nurl = \"https://x.example/a\"\n{more}");
        for (steps, api, want) in [
            (FIELDS.to_owned(), "", "steps.request: error: must be there once"),
            (step("").replace("[[steps", "[[steps.request]]\nurl = \"https://x.example\"\n[[steps.request]]\nurl = \"https://x.example\"\n[[steps"), "", "steps.request: error: must be there once"),
            ("[steps.fields.user]\nsecret = false\n[[steps.request]]\nurl = \"https://x.example\"".to_owned(), "", "steps.fields: error: must have one that is secret"),
            ("[steps.fields.pw]\noptional = true\n[[steps.request]]\nurl = \"https://x.example\"".to_owned(), "", "steps.fields.pw.optional: error"),
            (step("").replace("/a", "/{pw}"), "", "request[0].url: error: `{pw}` is a secret"),
            (step("method = \"GET\"\nparams = { a = \"x{pw}\" }"), "", "request[0].params.a: error: `{pw}` is a secret"),
            (step("format = \"query\"\nparams = { a = \"{pw}\" }"), "", "request[0].params.a: error: `{pw}` is a secret"),
            (step("save = { s = { path = \"s\" } }\n[[steps.request]]\nurl = \"https://x.example/b\"\nmethod = \"GET\"\nparams = { a = \"{s}\" }"), "", "request[1].params.a: error: `{s}` is a secret"),
            (step("save = { s = { path = \"s\" } }\nparams = { a = \"{s}\" }"), "", "request[0]: error: needs `{s}`"),
            (step("params = { a = \"{token}\" }"), "", "request[0]: error: needs `{token}`"),
            (step("params = { a = \"{nobody}\" }"), "", "error: `{nobody}` is neither"),
            (step("save = { s = { path = \"\" } }"), "", "save.s.path: error: must not be empty"),
            (step("basic = \"{pw}\""), "", "request[0].basic: error"),
            (step("body = \"{}\""), "", "request[0].body: error: needs format"),
            (step("method = \"DELETE\""), "", "request[0].method: error"),
            (format!("[steps]\nrefused = [200]\n{}", step("")), "", "steps.refused: error: 200"),
            (step(""), "place = { format = \"\" }", "api.place"),
        ] {
            let told = told(&steps, api);
            assert!(told.contains(want), "{steps}\n{told}");
        }
    }
}
