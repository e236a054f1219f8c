//! Pictures that strangers upload: told apart by what they are, never by what they are said to be, and made harmless.
//!
//! Nothing is decoded here, and nothing that a file claims about itself is believed: a bitmap ends where its own
//! format says and nowhere else, is small enough to be shown, and an SVG keeps only what draws. How pictures are
//! served (`sandbox`, `nosniff`) is the second lock.

use std::io::Write;

use imagesize::ImageType;
use svg_hush::{
    Filter,
    data_url_filter::{DataUrl, DataUrlFilterResult},
};

use crate::error::{Error, Result};

/// The most pixels of a side.
const SIDE: usize = 2048;
/// The most bytes that an SVG may come out with: what is left is written out at length.
const LONGEST: usize = 1024 * 1024;
/// The most copies of its own parts that an SVG may ask for: copies of copies multiply.
const COPIES: usize = 32;

/// A picture that may be kept and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is: `image/png`, `image/jpeg`, `image/webp` or `image/svg+xml`.
    pub media_type: &'static str,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// What may be kept of an upload.
///
/// # Errors
/// `Invalid` at `file` for whatever is not a whole PNG, JPEG, WebP or SVG picture of a sane size.
pub fn harmless(upload: &[u8]) -> Result<Picture> {
    if let Some(media_type) = bitmap(upload)? {
        return Ok(Picture { media_type, body: upload.to_vec() });
    }
    Ok(Picture { media_type: "image/svg+xml", body: drawing(upload)? })
}

/// Which kind of bitmap this is; `None` when it does not begin as one.
fn bitmap(upload: &[u8]) -> Result<Option<&'static str>> {
    let (media_type, kind, whole) = if upload.starts_with(b"\x89PNG\r\n\x1a\n") {
        ("image/png", ImageType::Png, whole_png(upload))
    } else if upload.starts_with(b"\xff\xd8\xff") {
        ("image/jpeg", ImageType::Jpeg, whole_jpeg(upload))
    } else if upload.starts_with(b"RIFF") && upload.get(8..12) == Some(b"WEBP") {
        ("image/webp", ImageType::Webp, whole_webp(upload))
    } else {
        return Ok(None);
    };
    if !whole || imagesize::image_type(upload).ok() != Some(kind) {
        return Err(wrong("Is cut off, or has something behind the picture"));
    }
    let size = imagesize::blob_size(upload).map_err(|_| wrong("Can't be read"))?;
    if !(1..=SIDE).contains(&size.width) || !(1..=SIDE).contains(&size.height) {
        return Err(wrong(format!("Must be at most {SIDE} pixels wide and high")));
    }
    Ok(Some(media_type))
}

/// Whether a PNG consists of chunks from the first to the last, with nothing behind (PNG §5.3).
fn whole_png(upload: &[u8]) -> bool {
    let mut rest = &upload[8..];
    let mut data = false;
    while let Some((head, tail)) = rest.split_at_checked(8) {
        let length = head[..4].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let Some((_, after)) = tail.split_at_checked(length.saturating_add(4)) else { return false };
        match &head[4..] {
            b"IDAT" => data = true,
            b"IEND" => return data && length == 0 && after.is_empty(),
            _ => {}
        }
        rest = after;
    }
    false
}

/// Whether a JPEG consists of segments from the first to the last, with nothing behind (ITU-T T.81 annex B).
fn whole_jpeg(upload: &[u8]) -> bool {
    let mut at = 2;
    let mut scanned = false;
    loop {
        let (Some(0xff), Some(marker)) = (upload.get(at), upload.get(at + 1)) else { return false };
        at += 2;
        match marker {
            0xff => at -= 1,
            0xd9 => return scanned && at == upload.len(),
            0x01 | 0xd0..=0xd7 => {}
            0x00 | 0xd8 => return false,
            marker => {
                let Some(length) = upload.get(at..at + 2) else { return false };
                at += usize::from(length[0]) << 8 | usize::from(length[1]);
                if *marker == 0xda {
                    scanned = true;
                    at = after_scan(upload, at);
                }
            }
        }
    }
}

/// Where the marker stands that ends the compressed data at `at`.
fn after_scan(upload: &[u8], mut at: usize) -> usize {
    loop {
        at += match (upload.get(at), upload.get(at + 1)) {
            (Some(0xff), Some(0x00 | 0xd0..=0xd7)) => 2,
            (Some(0xff), Some(_)) | (None, _) => return at,
            (Some(_), _) => 1,
        };
    }
}

/// Whether a WebP is as long as it says (RFC 9649 §2.4).
fn whole_webp(upload: &[u8]) -> bool {
    let said =
        upload.get(4..8).map(|it| it.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte)));
    said.and_then(|length| length.checked_add(8)) == Some(upload.len())
}

/// What draws of an SVG.
fn drawing(upload: &[u8]) -> Result<Vec<u8>> {
    let unknown = || wrong("Must be a PNG, JPEG, WebP or SVG picture");
    let text = std::str::from_utf8(upload).map_err(|_| unknown())?;
    // Other encodings would hide from us what they show to a browser.
    if text.contains('\0') {
        return Err(unknown());
    }
    if text.contains("<!ENTITY") {
        return Err(wrong("Must not define entities"));
    }
    let mut filter = Filter::new();
    filter.set_data_url_filter(inner);
    let mut kept = Bounded(Vec::new());
    filter.filter(upload, &mut kept).map_err(|_| unknown())?;
    let kept = String::from_utf8(kept.0).map_err(|_| unknown())?;
    let kept = own_references(&own_references(&kept, " href=\"", '"'), "url(", ')');
    let root = kept.split_once("?>").map_or(kept.as_str(), |(_, root)| root).trim_start();
    let tag = root.split('>').next().unwrap_or_default();
    if !tag.starts_with("<svg ") || !tag.contains(" xmlns=\"http://www.w3.org/2000/svg\"") {
        return Err(unknown());
    }
    let folded = kept.to_ascii_lowercase();
    if ["image-set(", "cross-fade(", "src("].iter().any(|function| folded.contains(function)) {
        return Err(wrong("Must not load anything"));
    }
    if kept.matches("<use").count() > COPIES {
        return Err(wrong(format!("Must not copy its parts more than {COPIES} times")));
    }
    Ok(kept.into_bytes())
}

/// A picture inside a picture: a bitmap that could stand alone.
fn inner(url: &DataUrl<'_>) -> DataUrlFilterResult {
    let body = url.decode_to_vec().map(|(body, _)| body).unwrap_or_default();
    match bitmap(&body) {
        Ok(Some(media_type)) => DataUrlFilterResult::Rewrite { mime_type: media_type.to_owned(), data: body },
        _ => DataUrlFilterResult::Drop,
    }
}

/// A filtered SVG whose references between `open` and `close` lead to its own parts, or are pictures in themselves:
/// the filter leaves links to other files of the same site in. It writes `<` and `"` escaped inside attributes, so a
/// value that holds one began in running text and is none.
fn own_references(filtered: &str, open: &str, close: char) -> String {
    let folded = filtered.to_ascii_lowercase();
    let mut own = String::with_capacity(filtered.len());
    let mut at = 0;
    while let Some(found) = folded[at..].find(open) {
        let start = at + found + open.len();
        let value = filtered[start..].split(close).next().unwrap_or_default();
        if value.contains(['<', '"']) {
            own.push_str(&filtered[at..at + found]);
            at = start;
            continue;
        }
        own.push_str(&filtered[at..start]);
        let stays = value.starts_with('#') || value.starts_with("data:image/");
        own.push_str(if stays { value } else { "#" });
        at = start + value.len();
    }
    own.push_str(&filtered[at..]);
    own
}

/// Takes so much and no more.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::invalid("file", message)
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
