use claviger_engine::domain::workspace::Brand;

use super::*;
use crate::hosted::text::Language;

const BAD: &str = "<script>alert(1)</script>";

/// Every field there can be, each value of it hostile.
fn form(confirm: bool, wrong: bool) -> Value {
    let kinds = ["line", "lines", "json", "choice"];
    let faults =
        [("missing", None), ("unlike", Some(BAD)), ("unlike", None), ("said", Some(BAD)), ("choice", None)];
    let field = |n: usize, kind: &str| {
        let (fault, words) = faults[n % faults.len()];
        let option = context! { value => BAD, title => BAD };
        context! {
            name => format!("{BAD}{n}"), title => BAD, about => "<p>fine</p>", help => BAD, placeholder => BAD,
            pattern => BAD, required => n.is_multiple_of(2), secret => n % 2 == 1, kind, options => vec![option],
            value => BAD, fault => wrong.then(|| context! { kind => fault, words })
        }
    };
    let fields: Vec<Value> = (0..8).map(|n| field(n, kinds[n % kinds.len()])).collect();
    let hidden = vec![context! { name => BAD, value => BAD }];
    let alert = wrong.then_some("unreachable");
    context! { action => BAD, hidden, most => 1, integration => BAD, leaves => confirm, coded => !confirm, alert, problems => wrong, fields }
}

/// A picture that was uploaded, or the letter that stands for it.
fn symbol(own: bool) -> Value {
    if own {
        context! { src => BAD }
    } else {
        context! { src => (), letter => BAD, hue => BAD }
    }
}

fn connect(owner: Option<&str>, confirm: bool, member: bool, wrong: bool) -> Value {
    let form = form(confirm, wrong);
    let (keys, symbol) = (!confirm, symbol(wrong));
    context! { integration => BAD, product => BAD, symbol, owner, confirm, member, shared => member, leaves => confirm, keys, coded => false, device => (), form }
}

#[test]
fn every_page_renders_strictly_and_escapes() {
    let brand = Brand { name: Some(BAD.into()), colour: Some(BAD.into()), language: None };
    let bad_look = Look { product: BAD.into(), client_id: BAD.into(), brand, logo: Some(BAD.into()) };
    let pages = Pages::load().expect("templates compile");
    let connection =
        context! { id => BAD, integration => BAD, account => BAD, owner => BAD, scopes => BAD, curl => BAD };
    for (name, values) in [
        ("error.html", context! { title => BAD, message => BAD }),
        ("expired.html", context! { message => BAD }),
        ("connect.html", connect(Some(BAD), true, false, false)),
        ("connect.html", connect(Some(BAD), true, true, true)),
        ("connect.html", connect(None, true, false, true)),
        ("connect.html", connect(None, false, true, true)),
        ("connect.html", connect(None, false, false, false)),
        ("done.html", context! { integration => BAD, symbol => (), failure => (), said_by_service => () }),
        (
            "done.html",
            context! { integration => BAD, symbol => symbol(true), failure => BAD, said_by_service => BAD },
        ),
        ("landing.html", context! { connection, error => () }),
        ("landing.html", context! { connection => (), error => BAD }),
        ("sign_in.html", context! { error => BAD }),
        (
            "told.html",
            context! { integration => BAD, symbol => symbol(false), failure => (), message => BAD, target => BAD },
        ),
        (
            "told.html",
            context! { integration => (), symbol => (), failure => BAD, said_by_service => BAD, message => BAD, target => () },
        ),
    ] {
        for language in Language::ALL {
            let template = pages.env.get_template(name).expect("a template");
            let (lang, look) = (language.tag(), look(&bad_look));
            let text = template.render(
                context! { nonce => "n", lang, look, script => (), framed => false, ..values.clone() },
            );
            let text = text.unwrap_or_else(|e| panic!("{name} renders: {e:?}"));
            let own = if name == "told.html" { 1 } else { 0 };
            assert_eq!(text.matches("<script").count(), own, "{name} escapes");
            assert!(!text.contains("alert(1)</script"), "{name} escapes");
            assert!(!text.contains("alert(1)<&#x2f;script"), "{name} escapes");
            assert!(text.contains("&lt;script"), "{name} shows its values");
            assert!(text.contains("<html lang=\""), "{name} has a language");
        }
    }
}

#[test]
fn a_page_that_waits_renders() {
    let pages = Pages::load().expect("templates compile");
    for (state, action) in [(Some("/connect/x/state"), None), (None, Some("/embed/x"))] {
        let hidden = vec![context! { name => "handle", value => BAD }];
        let wait = context! { text => BAD, press => "PRESS", state, every => 3, action, hidden };
        let template = pages.env.get_template("_wait.html").expect("a template");
        let text = template.render(context! { lang => "de", wait }).expect("it renders");
        assert!(text.contains("Jetzt prüfen") && !text.contains("<script"), "{text}");
        // Of itself the page goes on only with its script, which shows that it does.
        assert!(text.contains("<noscript><p>PRESS</p></noscript>"), "{text}");
        assert!(text.contains("<p data-scripted hidden>&lt;script"), "{text}");
        assert_eq!(text.contains("data-state="), state.is_some(), "{text}");
        assert_eq!(text.contains("method=\"post\""), action.is_some(), "{text}");
    }
}

#[test]
fn a_brand_shows_and_its_colour_is_never_text() {
    let pages = Pages::load().expect("templates compile");
    let shown = |colour: &str| {
        let brand = Brand { colour: Some(colour.to_owned()), ..Brand::default() };
        let hash = "0123456789abcdef0123".to_owned();
        let own = Look { product: "Acme".into(), client_id: "cl_1".into(), brand, logo: Some(hash) };
        let values = context! { title => "t", message => "m", nonce => "n", lang => "en", look => look(&own), script => (), framed => false };
        pages.env.get_template("error.html").expect("a template").render(values).expect("it renders")
    };
    let text = shown("#0b5fff");
    assert!(text.contains("--fill: #0b5fff; --on-fill: #ffffff;"), "{text}");
    assert!(text.contains("v=0123456789abcdef\"") && text.contains(">Acme</span>"), "{text}");
    for bad in ["crimson", "#facade1", "#000000; } body { display: none", "</style><script>alert(1)</script>"]
    {
        let text = shown(bad);
        assert!(!text.contains(bad) && text.matches("--fill:").count() == 2, "{bad}: {text}");
    }
}

#[test]
fn what_a_providers_file_says_is_marked_as_english_where_the_page_is_not() {
    let pages = Pages::load().expect("templates compile");
    let field = |title: &str| {
        context! { name => title, title, about => "<p>fine</p>", help => (), placeholder => "", pattern => (), required => true,
        secret => true, kind => "line", options => Vec::<Value>::new(), value => "", fault => () }
    };
    let shown = |lang: &str, framed: bool| {
        let fields = vec![field("API key"), field("Personal key")];
        let form = context! { action => (), hidden => Vec::<Value>::new(), most => 1, integration => "S", leaves => false,
        coded => false, alert => "ours", problems => 0, fields };
        let template = pages.env.get_template("_form.html").expect("a template");
        template.render(context! { lang, framed, form }).expect("it renders")
    };
    assert!(!shown("en", false).contains("lang="));
    let german = shown("de", true);
    assert!(german.contains("<label for=\"in-API key\">API-Schlüssel</label>"), "{german}");
    assert!(german.contains("<label for=\"in-Personal key\" lang=\"en\">Personal key</label>"), "{german}");
    assert_eq!(german.matches("class=\"about\" ").count(), 2);
    assert_eq!(german.matches(" lang=\"en\">&lt;p&gt;fine").count(), 2, "{german}");
    assert!(!german.contains("autofocus") && shown("de", false).contains(" autofocus>"));
}

#[test]
fn a_sentence_has_one_end() {
    for (said, sentence_of) in [("is it?", "Is it?"), ("no.", "No."), ("no", "No."), ("", ".")] {
        assert_eq!(sentence(said), sentence_of);
    }
}
