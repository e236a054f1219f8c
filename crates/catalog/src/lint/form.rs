//! The rules for how a value is asked for: its form, what there is to choose from, the parts of a document.
//!
//! Labels and patterns are looked at by [`super::keys`] and [`super::rules`]. Must never let a document be kept whole.

use super::{keys, rules::List, templates::is_https};
use crate::{Choice, Form, Input, KeyField, KeyKind, pattern};

/// A field that is typed in.
pub(super) fn field(kind: KeyKind, field: &KeyField, list: &mut List) {
    let at = |name: &str| format!("{}.{name}", keys::place_of(kind, field));
    let label = &field.label;
    choices(&at("options"), &label.options, label.pattern.as_deref(), list);
    if !label.options.is_empty() && (label.form != Form::Text || field.secret) {
        list.error(at("options"), "are for one line that is no secret: set `secret = false`");
    }
    if label.form == Form::Json && label.pattern.is_some() {
        list.error(at("pattern"), "belongs to the parts of a document");
    }
    if label.form != Form::Json {
        if !field.parts.is_empty() {
            list.error(at("parts"), "needs form = \"json\"");
        }
        return;
    }
    if field.parts.is_empty() {
        list.error(at("parts"), "is missing: a document is not kept, only parts of it are");
    }
    for (name, part) in &field.parts {
        let at = |what: &str| at(&format!("parts.{name}.{what}"));
        if part.path.trim().is_empty() {
            list.error(at("path"), "must not be empty");
        }
        if let Some(problem) = part.pattern.as_deref().and_then(pattern::problem) {
            list.error(at("pattern"), problem);
        }
    }
}

/// An input.
pub(super) fn input(i: usize, input: &Input, list: &mut List) {
    choices(&format!("inputs[{i}].options"), &input.options, Some(&input.pattern), list);
    let known = |default: &String| input.options.iter().any(|choice| choice.value == *default);
    if !input.options.is_empty() && input.default.as_ref().is_some_and(|default| !known(default)) {
        list.error(format!("inputs[{i}].default"), "is none of the options");
    }
    if input.help.as_deref().is_some_and(|help| !is_https(help)) {
        list.error(format!("inputs[{i}].help"), "must be an https URL");
    }
}

fn choices(key: &str, options: &[Choice], pattern: Option<&str>, list: &mut List) {
    for (i, choice) in options.iter().enumerate() {
        if choice.value.is_empty() {
            list.error(key, "one of them has no value");
        }
        if options[..i].iter().any(|other| other.value == choice.value) {
            list.error(key, format!("`{}` is there twice", choice.value));
        }
        if choice.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
            list.error(key, format!("the title of `{}` must not be empty", choice.value));
        }
        if pattern.is_some_and(|pattern| !pattern::admits(pattern, &choice.value)) {
            list.error(key, format!("the pattern does not admit `{}`", choice.value));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::check;

    fn told(table: &str) -> Vec<String> {
        let file = format!(
            "key = \"x\"\nname = \"X\"\ndocs = \"https://x.example/\"\n{table}\n[api]\n\
             base_url = \"https://x.example\"\nheaders = {{ X-Key = \"{{k}}\" }}\n"
        );
        check("x.toml", &file).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_asked_for_in_a_form_makes_sense() {
        for sound in [
            "[fields.k]\nform = \"multiline\"",
            "[fields.doc]\nform = \"json\"\nparts.k = { path = \"a.b\" }\nparts.id = { path = \"id\", secret = false, pattern = \"^[a-z]+$\" }",
            "[fields.k]\n[fields.env]\nsecret = false\noptions = [{ value = \"a\" }, { value = \"b\", title = \"B\" }]",
            "[[inputs]]\nkey = \"i\"\ntitle = \"I\"\npattern = \"^[ab]$\"\ndefault = \"a\"\noptions = [{ value = \"a\" }]\nhelp = \"https://x.example/\"\norder = -1\n[fields.k]",
        ] {
            assert_eq!(told(sound), Vec::<String>::new(), "{sound}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (table, want) in [
            ("[fields.k]\n[fields.d]\nform = \"json\"", "fields.d.parts: error: is missing"),
            ("[fields.k]\nparts.a = { path = \"a\" }", "fields.k.parts: error: needs form = \"json\""),
            (
                "[fields.d]\nform = \"json\"\nparts.k = { path = \"\" }",
                "fields.d.parts.k.path: error: must not be empty",
            ),
            (
                "[fields.d]\nform = \"json\"\nparts.k = { path = \"k\", pattern = \"a\" }",
                "fields.d.parts.k.pattern: error: a pattern must begin",
            ),
            (
                "[fields.d]\nform = \"json\"\npattern = \"^a$\"\nparts.k = { path = \"k\" }",
                "fields.d.pattern: error: belongs to the parts",
            ),
            ("[fields.k]\noptions = [{ value = \"a\" }]", "fields.k.options: error: are for one line"),
            (
                "[fields.k]\n[fields.o]\nsecret = false\noptions = [{ value = \"a\" }, { value = \"a\" }]",
                "fields.o.options: error: `a` is there twice",
            ),
            (
                "[fields.k]\n[fields.o]\nsecret = false\noptions = [{ value = \"\" }]",
                "fields.o.options: error: one of them has no value",
            ),
            (
                "[fields.k]\n[fields.o]\nsecret = false\npattern = \"^[a-z]$\"\noptions = [{ value = \"A\" }]",
                "fields.o.options: error: the pattern does not admit `A`",
            ),
            (
                "[[inputs]]\nkey = \"i\"\ntitle = \"I\"\npattern = \"^[ab]$\"\ndefault = \"b\"\noptions = [{ value = \"a\" }]\n[fields.k]",
                "inputs[0].default: error: is none of the options",
            ),
            (
                "[[inputs]]\nkey = \"i\"\ntitle = \"I\"\npattern = \"^[ab]$\"\nhelp = \"http://x.example\"\n[fields.k]",
                "inputs[0].help: error: must be an https URL",
            ),
            (
                "[fields.d]\nform = \"json\"\nparts.k = { path = \"k\" }\n[fields.k]",
                "error: the name `k` is used twice",
            ),
            ("[api_key]\nkey.form = \"json\"", "api_key.key.parts: error: is missing"),
        ] {
            let told = told(table).join("\n");
            assert!(told.contains(want), "{table}: {told}");
        }
    }
}
