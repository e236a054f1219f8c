//! A provider's pattern as a browser may check it, where it is sure to mean the same there.
//!
//! Browsers read `pattern` as a regular expression of another kind (ECMAScript's, with the flag `v`) than ours. What
//! is not plainly the same in both is left to the server, which checks in any case.

/// Characters that stand for themselves outside a class, in both.
const PLAIN: &str = "-_/:@%,;=~!#&'\"<>";

/// The value of HTML's `pattern`; `None` for what the server alone checks. White space around a value is dropped by the
/// server, so `trimmed` patterns admit it.
pub fn for_browsers(pattern: &str, trimmed: bool) -> Option<String> {
    let body = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let mut out = String::new();
    let mut rest = body.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '[' => class(&mut rest, &mut out)?,
            // There a sign is escaped only where it means something.
            '\\' if rest.peek() == Some(&'-') => out.extend(rest.next()),
            '\\' => out.extend(['\\', escaped(rest.next()?)?]),
            '(' => {
                out.push('(');
                if rest.peek() == Some(&'?') {
                    rest.next();
                    rest.next().filter(|c| *c == ':')?;
                    out.push_str("?:");
                }
            }
            '{' => repeat(&mut rest, &mut out)?,
            ')' | '|' | '*' | '+' | '?' => out.push(c),
            c if c.is_ascii_alphanumeric() || PLAIN.contains(c) => out.push(c),
            _ => return None,
        }
    }
    Some(if trimmed { format!("\\s*(?:{out})\\s*") } else { out })
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// What may stand behind a backslash, and means the same.
fn escaped(c: char) -> Option<char> {
    ".-/()[]{}|*+?^$\\d".contains(c).then_some(c)
}

/// `[…]`: letters, digits, ranges of them, and a few signs, which the flag `v` wants escaped.
fn class(rest: &mut Rest<'_>, out: &mut String) -> Option<()> {
    out.push('[');
    if rest.peek() == Some(&'^') {
        return None;
    }
    let mut last = None;
    let mut empty = true;
    loop {
        match rest.next()? {
            ']' if empty => return None,
            ']' => break,
            '\\' => {
                let c = escaped(rest.next()?)?;
                out.extend(['\\', c]);
                last = None;
            }
            '-' => match (last.take(), rest.peek().copied()) {
                (Some(from), Some(to)) if to.is_ascii_alphanumeric() => {
                    if !same_kind(from, to) {
                        return None;
                    }
                    rest.next();
                    out.extend(['-', to]);
                }
                (_, Some(']')) => out.push_str("\\-"),
                (None, Some(_)) if empty => out.push_str("\\-"),
                _ => return None,
            },
            c if c.is_ascii_alphanumeric() => {
                out.push(c);
                last = Some(c);
            }
            c @ ('_' | '.' | '+' | ':' | '=' | '@' | ',') => {
                // Doubled signs are operators there.
                if out.ends_with(c) {
                    return None;
                }
                out.push(c);
                last = None;
            }
            c @ '/' => {
                out.extend(['\\', c]);
                last = None;
            }
            _ => return None,
        }
        empty = false;
    }
    out.push(']');
    Some(())
}

/// Whether a range stays within small letters, capitals, or digits.
fn same_kind(from: char, to: char) -> bool {
    from <= to
        && [char::is_ascii_lowercase, char::is_ascii_uppercase, char::is_ascii_digit]
            .iter()
            .any(|kind| kind(&from) && kind(&to))
}

/// `{2}`, `{2,}`, `{2,5}`.
fn repeat(rest: &mut Rest<'_>, out: &mut String) -> Option<()> {
    let mut inside = String::new();
    loop {
        match rest.next()? {
            '}' => break,
            c if c.is_ascii_digit() || c == ',' => inside.push(c),
            _ => return None,
        }
    }
    let (from, to) = inside.split_once(',').unwrap_or((&inside, ""));
    if from.is_empty() || to.contains(',') {
        return None;
    }
    out.push_str(&format!("{{{inside}}}"));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_left_to_the_browser_too() {
        for (ours, theirs) in [
            ("^[a-z0-9-]{1,63}$", "[a-z0-9\\-]{1,63}"),
            ("^[a-z0-9][a-z0-9-]{0,62}$", "[a-z0-9][a-z0-9\\-]{0,62}"),
            ("^eu|us$", "eu|us"),
            ("^(?:eu|us)-[0-9]+$", "(?:eu|us)-[0-9]+"),
            ("^sk_[A-Za-z0-9_]+$", "sk_[A-Za-z0-9_]+"),
            ("^\\d{3}$", "\\d{3}"),
            ("^[a-z]+\\.example\\.com$", "[a-z]+\\.example\\.com"),
            ("^[-a-z]+$", "[\\-a-z]+"),
            ("^https://a\\-b/[a-z./]+$", "https://a-b/[a-z.\\/]+"),
        ] {
            assert_eq!(for_browsers(ours, false).as_deref(), Some(theirs), "{ours}");
        }
        assert_eq!(for_browsers("^a|b$", true).as_deref(), Some("\\s*(?:a|b)\\s*"));
    }

    #[test]
    fn what_might_not_is_the_servers() {
        for ours in [
            "^.+$",
            "^\\S+$",
            "^\\w+$",
            "^(?i)eu$",
            "^[^/]+$",
            "^[a-Z]+$",
            "^[a-z&&b]+$",
            "^[[:alpha:]]+$",
            "^[é]+$",
            "^é$",
            "^a{,3}$",
            "^a{1,2,3}$",
            "^[a$",
            "^[]a]$",
            "^(?P<x>a)$",
            "^\\p{L}+$",
            "^a b$",
            "^[::]$",
            "a",
        ] {
            assert_eq!(for_browsers(ours, false), None, "{ours}");
        }
    }
}
