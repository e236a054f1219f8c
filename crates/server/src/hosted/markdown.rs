//! Markdown in descriptions, made safe: paragraphs, emphasis, code, lists and https links; everything else is the text
//! that it is.
//!
//! HTML never passes: it is shown as it was written. Whoever wrote a description may have meant harm.

use minijinja::HtmlEscape;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use url::Url;

/// What a new window may know of us, and do to us: nothing.
const AWAY: &str = " target=\"_blank\" rel=\"noopener noreferrer\"";

/// HTML that is safe to stand in a page.
pub fn safe(markdown: &str) -> String {
    let mut out = String::new();
    // Whether each link that is open is one that we wrote.
    let mut links = Vec::new();
    for event in Parser::new_ext(markdown, Options::empty()) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                let to = away(&dest_url);
                links.push(to.is_some());
                if let Some(to) = to {
                    out.push_str(&format!("<a href=\"{}\"{AWAY}>", HtmlEscape(&to)));
                }
            }
            Event::End(TagEnd::Link) => {
                if links.pop() == Some(true) {
                    out.push_str("</a>");
                }
            }
            Event::Start(tag) => out.push_str(&opening(&tag)),
            Event::End(tag) => out.push_str(closing(tag)),
            Event::Code(text) => out.push_str(&format!("<code>{}</code>", HtmlEscape(&text))),
            Event::SoftBreak => out.push('\n'),
            Event::HardBreak => out.push_str("<br>"),
            Event::Text(text)
            | Event::Html(text)
            | Event::InlineHtml(text)
            | Event::InlineMath(text)
            | Event::DisplayMath(text)
            | Event::FootnoteReference(text) => out.push_str(&HtmlEscape(&text).to_string()),
            Event::Rule | Event::TaskListMarker(_) => {}
        }
    }
    out
}

/// The address of a link that may be followed: https, and nobody's password in it.
pub fn away(to: &str) -> Option<String> {
    let url = Url::parse(to).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.host().is_some();
    (url.scheme() == "https" && plain).then(|| url.to_string())
}

fn opening(tag: &Tag<'_>) -> String {
    match tag {
        Tag::Paragraph | Tag::Heading { .. } | Tag::HtmlBlock => "<p>".to_owned(),
        Tag::CodeBlock(_) => "<pre><code>".to_owned(),
        Tag::List(Some(first)) => format!("<ol start=\"{first}\">"),
        Tag::List(None) => "<ul>".to_owned(),
        Tag::Item => "<li>".to_owned(),
        Tag::Emphasis => "<em>".to_owned(),
        Tag::Strong => "<strong>".to_owned(),
        _ => String::new(),
    }
}

fn closing(tag: TagEnd) -> &'static str {
    match tag {
        TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::HtmlBlock => "</p>",
        TagEnd::CodeBlock => "</code></pre>",
        TagEnd::List(true) => "</ol>",
        TagEnd::List(false) => "</ul>",
        TagEnd::Item => "</li>",
        TagEnd::Emphasis => "</em>",
        TagEnd::Strong => "</strong>",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_as_words_stands_as_markup() {
        for (markdown, html) in [
            ("Find it under *Keys*.", "<p>Find it under <em>Keys</em>.</p>"),
            ("**Never** share `sk_1`", "<p><strong>Never</strong> share <code>sk_1</code></p>"),
            ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
            ("2. a\n3. b", "<ol start=\"2\"><li>a</li><li>b</li></ol>"),
            ("a\n\nb", "<p>a</p><p>b</p>"),
            ("# Big", "<p>Big</p>"),
            (
                "[docs](https://a.test/x?y=1&z)",
                "<p><a href=\"https://a.test/x?y=1&amp;z\" target=\"_blank\" rel=\"noopener noreferrer\">docs</a></p>",
            ),
        ] {
            assert_eq!(safe(markdown).replace("&#x2f;", "/"), html, "{markdown}");
        }
    }

    #[test]
    fn nothing_runs_and_nothing_leads_elsewhere_than_https() {
        for bad in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<div onclick=alert(1)>\n\nx",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](http://a.test/)",
            "[x](//a.test/)",
            "[x](/connect/flow)",
            "[x](https://user:pw@a.test/)",
            "![x](https://a.test/pixel.png)",
            "<https://a.test/\"onmouseover=alert(1)>",
            "[x](https://a.test/\"onmouseover=\"alert(1))",
            "[<img src=x onerror=alert(1)>](https://a.test/)",
            "`</code><script>alert(1)</script>`",
            "```\n</code></pre><script>alert(1)</script>\n```",
            "[x]: javascript:alert(1)\n\n[x]",
            "&lt;script&gt;alert(1)&lt;/script&gt;",
        ] {
            let html = safe(bad);
            let tags = html.split('<').skip(1).map(|tag| tag.split(['>', ' ']).next().unwrap_or_default());
            for tag in tags {
                let known = ["p", "a", "code", "pre", "ul", "ol", "li", "em", "strong", "br"];
                assert!(known.contains(&tag.trim_start_matches('/')), "{bad}: {html}");
            }
            for (_, rest) in html.match_indices("<a ").map(|(at, _)| html.split_at(at)) {
                let href = rest.split('"').nth(1).expect("an address");
                assert!(href.replace("&#x2f;", "/").starts_with("https://a.test/"), "{bad}: {html}");
                let inside = rest.split('>').next().expect("a tag");
                assert_eq!(inside.matches('"').count(), 6, "{bad}: {html}");
            }
        }
    }
}
