//! The one place that writes to stdout and, outside the log, to stderr.
//!
//! Results go to stdout so that they can be piped; everything said about them goes to stderr. Secrets pass
//! here only where a command exists to show them once. The log is `telemetry`'s.

use std::{
    fmt::Display,
    io::{self, Write as _},
};

/// Writes a line to stdout.
pub fn line(text: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Writes many lines to stdout at once.
pub fn lines(texts: &[impl Display]) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for text in texts {
        writeln!(out, "{text}")?;
    }
    out.flush()
}

/// Writes a line to stderr; what can't be said there can't be said at all.
pub fn say(text: impl Display) {
    let _unsaid = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a line to a terminal's stderr in the place of the one before.
pub fn progress(text: impl Display) {
    let mut err = io::stderr().lock();
    let _unsaid = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
}
