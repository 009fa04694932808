//! What people and scripts see on standard output. Text of others (plugins, clients, files) passes through [`escaped`] before it
//! reaches a terminal.

use std::{
    ffi::OsStr,
    fmt::{Display, Write as _},
    io::{self, IsTerminal, Write},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

use serde::Serialize;
use wardkeep_policy::{Faults, document};

use crate::log;

/// What to do about it stands after this, in every message.
const MEND: &str = "\n  mend: ";

/// Standard output, for people or as JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    json: bool,
    colour: bool,
}

/// How a word is painted on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ink {
    Bold,
    Dim,
    Good,
    Bad,
    Warning,
}

impl Screen {
    /// Colours only on a terminal and without `NO_COLOR` (<https://no-color.org>).
    pub(crate) fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, colour: !json && wanted && io::stdout().is_terminal() }
    }

    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// One line for people.
    pub(crate) fn line(self, text: impl Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// One JSON value, indented.
    pub(crate) fn document(self, value: &impl Serialize) -> io::Result<()> {
        self.line(escaped_json(&serde_json::to_string_pretty(value).map_err(io::Error::other)?))
    }

    /// The error that a command ends with, as the one JSON value that scripts read in the place of its result: `{ "error": … }`.
    pub(crate) fn error(self, error: &impl Serialize) -> io::Result<()> {
        self.document(&serde_json::json!({ "error": error }))
    }

    pub(crate) fn paint(self, ink: Ink, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        let code = match ink {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Good => "32",
            Ink::Bad => "31",
            Ink::Warning => "33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Rows with aligned columns under a dim head. Cells must be escaped already.
    pub(crate) fn table<const N: usize>(self, head: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
        let mut widths = head.map(width);
        for row in rows {
            widths.iter_mut().zip(row).for_each(|(widest, cell)| *widest = (*widest).max(width(cell)));
        }
        let render = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::new();
            for (cell, widest) in cells.zip(widths) {
                // Writing into a String cannot fail.
                let _ = write!(line, "{cell}{}  ", " ".repeat(widest.saturating_sub(width(cell))));
            }
            line.trim_end().to_owned()
        };
        self.line(self.paint(Ink::Dim, render(&mut head.into_iter())))?;
        rows.iter().try_for_each(|row| self.line(render(&mut row.iter().map(String::as_str))))
    }
}

/// A short text on standard error, for people, that scripts reading standard output never see. Whatever stands in it, it does not drive
/// the terminal.
pub(crate) fn note(text: impl Display) {
    let line = format!("{}\n", escaped_lines(&text.to_string()));
    // Nobody is left to tell if standard error is gone.
    let _ = match log::serving() {
        Some(log) => log.clone().write_all(line.as_bytes()),
        None => io::stderr().lock().write_all(line.as_bytes()),
    };
}

/// An error with its causes on one line, their mends after it; what a text before it says already is not told twice.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut mends) = (String::new(), String::new());
    let mut next = Some(error);
    while let Some(cause) = next {
        let told = cause.to_string();
        let (message, mend) = told.split_once(MEND).unwrap_or((&told, ""));
        if !text.contains(message) {
            let between = if text.is_empty() { "" } else { ": " };
            text.push_str(between);
            text.push_str(message);
        }
        if !mend.is_empty() && !mends.contains(mend) {
            mends.push_str(MEND);
            mends.push_str(mend);
        }
        next = cause.source();
    }
    text + &mends
}

/// An error for scripts: what people read, taken apart, and each fault by itself where it is made of faults.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    faults: Option<Faults>,
}

impl Failure {
    /// Of the text that people read.
    pub(crate) fn of(text: &str) -> Self {
        let (message, mend) = match text.split_once(MEND) {
            Some((message, mend)) => (message, Some(mend.replace(MEND, "\n"))),
            None => (text, None),
        };
        Self { message: message.to_owned(), mend, faults: None }
    }
}

impl From<&anyhow::Error> for Failure {
    fn from(error: &anyhow::Error) -> Self {
        let Some(faults) = error.downcast_ref::<Faults>() else { return Self::of(&chain(error.as_ref())) };
        // The first one stands for all of them: its mend is what to do first.
        let first = faults.iter().next().map(ToString::to_string).unwrap_or_default();
        Self { faults: Some(faults.clone()), ..Self::of(&first) }
    }
}

/// JSON text with everything that hides or reorders text as `\uXXXX` (RFC 8259, section 7). Such characters stand in strings only:
/// around them JSON has nothing but ASCII, of which the line feeds of the indentation stay.
fn escaped_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !document::hidden(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// A path in a message: on one line whatever its parts are named, so that no name of a file becomes a line of its own.
pub(crate) trait Told {
    /// The path with everything that hides or reorders text written out.
    fn told(&self) -> String;
}

impl Told for Path {
    fn told(&self) -> String {
        escaped_name(self.as_os_str())
    }
}

/// The name of a file, on one line; bytes that are not UTF-8 are written as `\x…`.
pub(crate) fn escaped_name(name: &OsStr) -> String {
    let mut out = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        out.push_str(&escaped(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing into a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Text of others, on one line, with everything that hides or reorders text written out as `\u{…}`.
pub(crate) fn escaped(text: &str) -> String {
    document::shown(text)
}

/// Text of others that may have several lines.
pub(crate) fn escaped_lines(text: &str) -> String {
    let lines: Vec<_> =
        text.split('\n').map(|line| line.split('\t').map(escaped).collect::<Vec<_>>().join("\t")).collect();
    lines.join("\n")
}

/// One word of a command, as a shell takes it.
pub(crate) fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().any(document::hidden) {
        // Bash and zsh take `$'…'`; a raw control character would act on the terminal that shows the mend.
        let inner: String = word.chars().flat_map(char::escape_default).collect();
        return format!("$'{inner}'");
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use wardkeep_policy::Fault;

    use super::*;

    #[test]
    fn what_hides_or_reorders_text_is_written_out() {
        let hostile = "a\u{1b}[2Jb\u{202e}c\u{200b}d\ne\u{e0041}";
        assert_eq!(escaped(hostile), r"a\u{1b}[2Jb\u{202e}c\u{200b}d\u{a}e\u{e0041}");
        assert_eq!(escaped_lines("a\r\nb\tc"), "a\\u{d}\nb\tc");
        assert_eq!(escaped("größe 日本"), "größe 日本");
    }

    #[test]
    fn json_for_scripts_hides_nothing_on_a_terminal_and_says_the_same() {
        let value = serde_json::json!({ "a\u{202e}": "b\u{200b}c\u{7f}\u{e0041}größe\n" });
        let shown = escaped_json(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(shown, "{\n  \"a\\u202e\": \"b\\u200bc\\u007f\\udb40\\udc41größe\\n\"\n}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn a_name_that_is_not_utf8_is_shown_byte_by_byte() {
        assert_eq!(escaped_name(OsStr::from_bytes(b"a\xff\x1b")), r"a\xff\u{1b}");
    }

    #[test]
    fn a_cause_is_told_once_and_mends_come_last() {
        let error = anyhow::anyhow!("c\n  mend: do it").context("b: c").context("a");
        assert_eq!(chain(error.as_ref()), "a: b: c\n  mend: do it");
    }

    #[test]
    fn a_script_is_told_what_is_wrong_and_what_mends_it_apart() {
        let json = |error: &anyhow::Error| serde_json::to_value(Failure::from(error)).unwrap();
        let error = anyhow::anyhow!("c\n  mend: do it\n        and that").context("a\n  mend: first this");
        assert_eq!(
            json(&error),
            serde_json::json!({ "message": "a: c", "mend": "first this\ndo it\n        and that" })
        );
        assert_eq!(json(&anyhow::anyhow!("a")), serde_json::json!({ "message": "a" }));
        let mut faults = Faults::from(Fault::of("w.toml", "wrong").at(Some(3), "a.b").mend("write c"));
        faults.push(Fault::of("w.toml", "wrong too").at(Some(4), "d"));
        let json = json(&anyhow::Error::from(faults).context("not read"));
        assert_eq!((&json["message"], &json["mend"]), (&"w.toml:3: a.b: wrong".into(), &"write c".into()));
        assert_eq!((&json["faults"][0]["line"], &json["faults"][1]["key"]), (&3.into(), &"d".into()));
    }

    #[test]
    fn a_path_with_spaces_or_quotes_can_be_pasted_into_a_shell() {
        assert_eq!(shell_quoted("/srv/a-b_c.d"), "/srv/a-b_c.d");
        assert_eq!(shell_quoted("/srv/a b"), "'/srv/a b'");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
        assert_eq!(shell_quoted("a\u{1b}b"), r"$'a\u{1b}b'");
        assert_eq!(shell_quoted(""), "''");
    }
}
