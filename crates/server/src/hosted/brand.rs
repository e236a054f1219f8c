//! Brand: a product's colour, made readable on our pages.
//!
//! What fills a button is the colour as it was given, with black or white on it, whichever is read more easily: one of
//! them always is. What stands on the page in that colour (links, outlines) is darkened, or lightened in the dark, until
//! its contrast is enough (WCAG 2.2 §1.4.3). Nothing but six hexadecimal digits gets from here into a style sheet.

/// The least contrast of text (WCAG 2.2 §1.4.3).
pub const ENOUGH: f64 = 4.5;
/// The least favourable grounds that links stand on, in the light and in the dark: `--well` of `_style.html`.
const GROUNDS: (Colour, Colour) = (Colour([0xf0, 0xf2, 0xf5]), Colour([0x22, 0x26, 0x2e]));

/// A colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

/// A product's colours, each as a style sheet writes it: `#rrggbb`.
#[derive(Debug, PartialEq, Eq)]
pub struct Palette {
    /// What fills a button.
    pub fill: String,
    /// What is written on it.
    pub on_fill: String,
    /// Links and outlines on a light page.
    pub light: String,
    /// The same on a dark one.
    pub dark: String,
}

/// The colours that a product's `#rrggbb` makes; `None` for anything else.
pub fn palette(text: &str) -> Option<Palette> {
    let fill = Colour::parse(text)?;
    let (black, white) = (Colour([0; 3]), Colour([255; 3]));
    let on_fill = if fill.contrast(black) >= fill.contrast(white) { black } else { white };
    Some(Palette {
        fill: fill.hex(),
        on_fill: on_fill.hex(),
        light: fill.towards(black, GROUNDS.0).hex(),
        dark: fill.towards(white, GROUNDS.1).hex(),
    })
}

impl Colour {
    /// Reads `#rrggbb`.
    fn parse(text: &str) -> Option<Self> {
        let digits =
            text.strip_prefix('#').filter(|it| it.len() == 6 && it.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    fn hex(self) -> String {
        let Self([r, g, b]) = self;
        format!("#{r:02x}{g:02x}{b:02x}")
    }

    /// Relative luminance (WCAG 2.2, glossary).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = self.0.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// Contrast ratio: 1 to 21 (WCAG 2.2, glossary).
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// The first colour on the way to `end` that is read easily on `ground`.
    fn towards(self, end: Self, ground: Self) -> Self {
        let step = |n: u16| {
            let mix = |at: usize| {
                let (from, to) = (u16::from(self.0[at]), u16::from(end.0[at]));
                u8::try_from((from * (64 - n) + to * n) / 64).unwrap_or(u8::MAX)
            };
            Self([mix(0), mix(1), mix(2)])
        };
        (0..=64).map(step).find(|colour| colour.contrast(ground) >= ENOUGH).unwrap_or(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_becomes_one_that_is_read() {
        let parts = [0, 1, 17, 64, 100, 117, 118, 119, 120, 127, 128, 190, 200, 254, 255_u8];
        for r in parts {
            for g in parts {
                for b in parts {
                    let made = palette(&Colour([r, g, b]).hex()).expect("a palette");
                    let colour = |text: &str| Colour::parse(text).expect("a colour");
                    let pairs = [
                        (colour(&made.on_fill), colour(&made.fill)),
                        (colour(&made.light), GROUNDS.0),
                        (colour(&made.light), Colour([255; 3])),
                        (colour(&made.dark), GROUNDS.1),
                        (colour(&made.dark), Colour([0x19, 0x1c, 0x22])),
                    ];
                    for (ink, ground) in pairs {
                        let contrast = ink.contrast(ground);
                        assert!(contrast >= ENOUGH, "{ink:?} on {ground:?}: {contrast} ({made:?})");
                    }
                }
            }
        }
    }

    #[test]
    fn a_colour_that_is_read_already_stays() {
        let made = palette("#0B5FFF").expect("a palette");
        assert_eq!((made.fill.as_str(), made.on_fill.as_str()), ("#0b5fff", "#ffffff"));
        assert_eq!(made.light, made.fill);
        assert_ne!(made.dark, made.fill);
        assert_eq!(palette("#ffd400").expect("a palette").on_fill, "#000000");
    }

    #[test]
    fn contrast_is_as_the_guidelines_count_it() {
        let (black, white) = (Colour([0; 3]), Colour([255; 3]));
        assert!((black.contrast(white) - 21.0).abs() < 1e-9);
        assert!((Colour([0x76; 3]).contrast(white) - 4.54).abs() < 0.01);
        assert!((white.contrast(white) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_else_is_a_colour() {
        for bad in [
            "",
            "#",
            "#fff",
            "0b5fff",
            "#0b5ff",
            "#0b5fff0",
            "#0b5ffg",
            "#+b5fff",
            "red",
            "#000;}</style><script>",
            "url(//evil)",
            "# 0b5ff",
            "#０b5fff",
            "#é5fff",
        ] {
            assert_eq!(palette(bad), None, "{bad}");
        }
    }
}
