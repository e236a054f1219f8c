use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::prelude::*;

use super::*;

const SVG: &str = r#"xmlns="http://www.w3.org/2000/svg""#;

fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length, kind, data, &[0; 4]].concat()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    let parts = [chunk(b"IHDR", &head), chunk(b"IDAT", &[1, 2, 3]), chunk(b"IEND", &[])];
    [b"\x89PNG\r\n\x1a\n".to_vec(), parts.concat()].concat()
}

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let (w, h) = (width.to_be_bytes(), height.to_be_bytes());
    let frame = [&[0xff, 0xc0, 0, 11, 8][..], &h, &w, &[1, 1, 0x11, 0]].concat();
    let scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 7, 0xff, 0, 9, 0xff, 0xd0, 4];
    [&[0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0][..], &frame, &scan, &[0xff, 0xd9]].concat()
}

fn webp(width: u32, height: u32) -> Vec<u8> {
    let (w, h) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
    let head = [&[0, 0, 0, 0][..], &w[..3], &h[..3]].concat();
    let body = [b"WEBPVP8X".to_vec(), 10_u32.to_le_bytes().to_vec(), head].concat();
    [b"RIFF".to_vec(), u32::try_from(body.len()).unwrap().to_le_bytes().to_vec(), body].concat()
}

fn refused(upload: &[u8]) -> String {
    match harmless(upload) {
        Err(Error::Invalid { field: "file", message }) => message,
        other => panic!("{other:?}"),
    }
}

fn drawn(svg: &str) -> String {
    let picture = harmless(svg.as_bytes()).unwrap();
    assert_eq!(picture.media_type, "image/svg+xml");
    String::from_utf8(picture.body).unwrap()
}

#[test]
fn a_whole_bitmap_is_kept_as_it_is_and_nothing_less_or_more_is() {
    for (media_type, whole) in [
        ("image/png", png(64, 48)),
        ("image/png", png(2048, 1)),
        ("image/jpeg", jpeg(64, 48)),
        ("image/webp", webp(64, 48)),
    ] {
        assert_eq!(harmless(&whole).unwrap(), Picture { media_type, body: whole.clone() });
        for cut in 1..whole.len() {
            refused(&whole[..cut]);
        }
        for more in [&b"\0"[..], b"<script>alert(1)</script>", b"\xff\xd9", b"PK\x03\x04"] {
            refused(&[&whole, more].concat());
        }
    }
}

#[test]
fn a_picture_too_large_to_show_is_refused_without_being_unpacked() {
    for large in
        [png(2049, 1), png(1, 2049), png(u32::MAX >> 1, 1), png(0, 9), jpeg(65535, 65535), webp(16384, 9)]
    {
        refused(&large);
    }
}

#[test]
fn what_is_no_picture_is_refused_whatever_it_looks_like() {
    let html = "<html><script>alert(1)</script></html>";
    let utf16: Vec<u8> = format!("<svg {SVG}/>").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [&[u8]; 12] = [
        b"",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
        b"BM",
        b"%PDF-1.7",
        html.as_bytes(),
        b"<svg/>",
        b"<svg xmlns='http://www.w3.org/1999/xhtml'><script/></svg>",
        b"<g xmlns='http://www.w3.org/2000/svg'/>",
        b"<s:svg xmlns:s='http://www.w3.org/2000/svg'/>",
        b"<svg xmlns='http://www.w3.org/2000/svg'>",
        &utf16,
        b"\xff\xfe<svg/>",
    ];
    for case in cases {
        refused(case);
    }
}

#[test]
fn an_svg_keeps_what_draws() {
    let kept = drawn(&format!(
        r##"<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
        <!-- a comment --><svg {SVG} xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 8 8"><defs>
        <linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient>
        <linearGradient id="b" xlink:href="#a"/><g id="c"><path d="M0 0h8v8z" fill="url(#b)"/></g></defs>
        <style>.x{{fill:url(#a)}}</style><use href="#c"/><text class="x">A &lt; B</text></svg>"##
    ));
    for part in
        ["viewBox=\"0 0 8 8\"", "href=\"#a\"", "href=\"#c\"", "url(#b)", "url(#a)", "M0 0h8v8z", "A &lt; B"]
    {
        assert!(kept.contains(part), "{part} in {kept}");
    }
    for part in ["DOCTYPE", "comment", "xlink", "dtd"] {
        assert!(!kept.contains(part), "{part} in {kept}");
    }
    assert_eq!(drawn(&kept), kept, "there is nothing left to take out");
}

#[test]
fn an_svg_loses_what_runs_loads_or_leads_elsewhere() {
    for hostile in [
        "<script>evil()</script>",
        "<script href='evil'/>",
        "<script xmlns='http://www.w3.org/1999/xhtml'>evil()</script>",
        "<g onload='evil()' ONCLICK='evil()'/>",
        "<foreignObject><iframe xmlns='http://www.w3.org/1999/xhtml' src='https://evil.test'/></foreignObject>",
        "<a href='javascript:evil()'><text>x</text></a>",
        "<a xlink:href='https://evil.test/'><text>x</text></a>",
        "<image href='https://evil.test/x.png'/>",
        "<image href='//evil.test/x.png'/>",
        "<image xlink:href='/evil'/>",
        "<image href='evil.png'/>",
        "<image href='data:text/html,evil'/>",
        "<image href='data:image/svg+xml,evil'/>",
        "<image href='data:image/png;base64,ZXZpbA=='/>",
        "<use href='evil.svg#x'/>",
        "<use href=' \t/evil#x'/>",
        "<feImage href='http://evil.test/'/>",
        "<text> href=\"#</text><image href='/evil'/>",
        "<text>\" href=\"#</text><image href='/evil'/>",
        "<text>url(#</text><rect fill='url(/evil)'/>",
        "<style>@import 'https://evil.test/x.css';</style>",
        "<style>@import url(//host.test)</style>",
        "<style>*{background:url(https://evil.test)}</style>",
        "<style>*{background:URL( \"/evil\" )}</style>",
        "<style>*{background:u\\72l(/host)}</style>",
        "<rect style='fill:url(/evil#a)'/>",
        "<rect fill='url(https://evil.test#a)'/>",
        "<rect fill='url(/evil'/>",
        "<handler type='application/ecmascript'>evil()</handler>",
        "<?xml-stylesheet href='https://evil.test/x.css'?>",
        "<metadata>evil</metadata>",
    ] {
        let kept = drawn(&format!(
            "<svg {SVG} xmlns:xlink='http://www.w3.org/1999/xlink'>{hostile}<path d='M0 0'/></svg>"
        ));
        let gone = ["evil", "script", "import", "\\"].iter().all(|word| !kept.contains(word));
        assert!(gone, "{hostile} became {kept}");
        assert!(kept.contains("M0 0"), "{hostile} took the rest along: {kept}");
    }
}

#[test]
fn an_svg_changes_no_reference_while_it_is_shown() {
    for name in ["href", "xlink:href", "onclick", "fill", "style"] {
        for element in ["set", "animate"] {
            let moving = format!("<{element} attributeName='{name}' to='javascript:x()' values='/x;/y'/>");
            let kept = drawn(&format!("<svg {SVG}><a>{moving}</a></svg>"));
            assert!(!kept.contains("attributeName"), "{moving} became {kept}");
        }
    }
}

#[test]
fn an_svg_that_multiplies_or_loads_by_functions_is_refused() {
    let entities =
        format!("<!DOCTYPE svg [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><svg {SVG}><text>&b;</text></svg>");
    let file =
        format!("<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><svg {SVG}><text>&a;</text></svg>");
    for bomb in [
        entities,
        file,
        format!("<svg {SVG}>{}</svg>", "<use href='#a'/>".repeat(COPIES + 1)),
        format!("<svg {SVG}><style>*{{background:image-set('/evil' 1x)}}</style></svg>"),
        format!("<svg {SVG}><style>@font-face{{src:src('/evil')}}</style></svg>"),
        format!("<svg {SVG}><text>{}</text></svg>", "&amp;".repeat(LONGEST / 5 + 1)),
    ] {
        refused(bomb.as_bytes());
    }
    drawn(&format!("<svg {SVG}>{}</svg>", "<use href='#a'/>".repeat(COPIES)));
}

#[test]
fn a_bitmap_inside_an_svg_is_one_that_could_stand_alone() {
    let image = |media_type: &str, body: &[u8]| {
        let body = BASE64_STANDARD.encode(body);
        drawn(&format!("<svg {SVG}><image href='data:{media_type};base64,{body}'/></svg>"))
    };
    assert!(image("image/png", &png(8, 8)).contains("data:image/png;base64,iVBOR"));
    assert!(image("image/jpeg", &png(8, 8)).contains("data:image/png;base64,iVBOR"), "it is what it is");
    assert!(!image("image/png", &png(9999, 8)).contains("data:"));
    assert!(!image("image/png", b"<svg/>").contains("data:"));
}

proptest! {
    #[test]
    fn nothing_that_is_uploaded_is_our_fault(upload in prop::collection::vec(any::<u8>(), 0..200), head in 0..5_usize) {
        let heads: [&[u8]; 5] = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x10\0\0\0WEBP", b"<svg "];
        let looked = harmless(&[heads[head], &upload].concat());
        let said = matches!(looked, Ok(_) | Err(Error::Invalid { field: "file", .. }));
        prop_assert!(said);
    }
}
