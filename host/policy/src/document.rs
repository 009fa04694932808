//! Strict TOML: what every document of Wardkeep is read with. Unknown and duplicate keys are faults, each fault knows its file,
//! line and key, and all faults of a document are told at once.
//!
//! A reader takes what it knows from a [`Table`]; what it has not taken when the table is dropped is an unknown key. So a key that
//! nobody reads cannot pass, and a reader cannot forget to check.
//!
//! ```
//! use wardkeep_policy::document::Document;
//!
//! let bytes = b"format = 1\nname = \"me\"\ncolour = \"red\"\n";
//! let faults = Document::read("me.toml", bytes)
//!     .and_then(|document| {
//!         document.parse(|mut table| {
//!             table.format(1);
//!             let name = table.required("name", "name = \"me\"").and_then(|name| name.line_of_text(1..=64));
//!             drop(table);
//!             Some(name?.to_owned())
//!         })
//!     })
//!     .unwrap_err();
//! assert_eq!(
//!     faults.to_string(),
//!     "me.toml:3: colour: unknown key\n  mend: remove it; known here are `format`, `name`"
//! );
//! ```

mod fault;
mod item;
mod lines;
mod measure;
mod shown;
mod table;

use std::cell::RefCell;

use toml::{
    Spanned,
    de::{DeTable, Error},
};
use wardkeep_model::Digest;

pub use fault::{Fault, Faults};
pub use item::Item;
pub use lines::Lines;
pub use measure::{InvalidMeasure, duration, size};
pub use shown::{basic_string, hidden, quoted, shown};
pub use table::Table;

/// Bytes of the largest document.
pub const LARGEST: usize = 64 << 10;

const DUPLICATE: &str = "duplicate key";

/// A document whose bytes are TOML. What they mean is still to be read.
pub struct Document<'i> {
    sink: Sink,
    root: Spanned<DeTable<'i>>,
    digest: Digest,
}

/// Where the faults of one document gather.
pub(crate) struct Sink {
    file: String,
    faults: RefCell<Faults>,
    starts: Vec<usize>,
}

impl Sink {
    fn push(&self, fault: Fault) {
        self.faults.borrow_mut().push(fault);
    }

    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }
}

impl<'i> Document<'i> {
    /// Reads bytes as strict TOML, once; the digest is of the same bytes.
    ///
    /// # Errors
    /// More than 64 KiB, a byte-order mark, not UTF-8, not TOML: the first such mistake, alone. A key that is given twice is told with the other faults, by `parse`.
    pub fn read(file: &str, bytes: &'i [u8]) -> Result<Self, Faults> {
        let text = text(file, bytes)?;
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let sink = Sink { file: file.into(), faults: RefCell::new(Faults::none()), starts };
        let (root, errors) = DeTable::parse_recoverable(text);
        // What the parser says after the first mistake follows from its guess at what was meant, and so would all that is read of it.
        let broken = errors.iter().filter(|error| error.message() != DUPLICATE);
        if let Some(broken) = broken.min_by_key(|error| error.span().map_or(0, |span| span.start)) {
            return Err(syntax(&sink, text, broken).into());
        }
        for (index, error) in errors.iter().enumerate() {
            if sink.faults.borrow().is_full() {
                // They come in the order of the text; to find where each stands costs as much as there is text above it.
                sink.faults.borrow_mut().count(errors.len().saturating_sub(index));
                break;
            }
            sink.push(syntax(&sink, text, error));
        }
        Ok(Self { sink, root, digest: Digest::of(bytes) })
    }

    /// The digest of its raw bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The line of every key.
    #[must_use]
    pub fn lines(&self) -> Lines {
        Lines::of(&self.sink, self.root.get_ref())
    }

    /// Reads the whole meaning. `parse` answers nothing only where it has left a fault.
    ///
    /// # Errors
    /// All faults of the document.
    pub fn parse<T>(self, parse: impl FnOnce(Table<'_>) -> Option<T>) -> Result<T, Faults> {
        let (value, faults) = self.parse_further(parse);
        match value {
            Some(value) if faults.is_empty() => Ok(value),
            _ => Err(faults),
        }
    }

    /// As `parse`, for who has more to check of a document that is already faulty. A value beside faults must not be used for
    /// anything but finding further faults; no value comes with at least one fault.
    pub fn parse_further<T>(self, parse: impl FnOnce(Table<'_>) -> Option<T>) -> (Option<T>, Faults) {
        let value = parse(Table::new(&self.sink, String::new(), None, self.root.get_ref()));
        let mut faults = self.sink.faults.into_inner();
        if value.is_none() && faults.is_empty() {
            faults.push(Fault::of(&self.sink.file, "cannot be read"));
        }
        (value, faults)
    }
}

fn text<'i>(file: &str, bytes: &'i [u8]) -> Result<&'i str, Faults> {
    let refuse = |message: String, mend: &str| Err(Faults::from(Fault::of(file, message).mend(mend)));
    if bytes.len() > LARGEST {
        return refuse(format!("holds {} bytes; a document holds at most {LARGEST}", bytes.len()), "make it shorter");
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return refuse("begins with a byte-order mark".into(), "save it as UTF-8 without one");
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
            Err(Fault::of(file, "not UTF-8").at(Some(line), "").mend("save it as UTF-8").into())
        }
    }
}

fn syntax(sink: &Sink, text: &str, error: &Error) -> Fault {
    let span = error.span().unwrap_or_default();
    let line = Some(sink.line(span.start));
    let fault = |message: String| Fault::of(&sink.file, message);
    if error.message() != DUPLICATE {
        let above = text.get(..span.start).unwrap_or_default();
        let mend = match unclosed(above).map(|open| sink.line(open)).filter(|open| Some(*open) != line) {
            Some(open) => format!("correct this line, or close with `]` the array that begins in line {open}"),
            None => "correct this line".to_owned(),
        };
        return fault(format!("not valid TOML: {}", error.message())).at(line, "").mend(mend);
    }
    let name = text.get(span.clone()).unwrap_or_default().trim_matches(['"', '\'']);
    // The tree holds one of the two only, so the table's name is read from the header above.
    let above = text.get(..span.start).unwrap_or_default();
    let here = above.rsplit('\n').next().unwrap_or_default();
    let key = if let Some(header) = here.trim_start().strip_prefix('[') {
        format!("{}{name}", header.trim_start_matches('['))
    } else {
        let header = above.lines().rev().find_map(|line| line.trim().strip_prefix('[')?.split(']').next());
        header.map_or_else(|| name.to_owned(), |header| format!("{}.{name}", header.trim_start_matches('[')))
    };
    fault(format!("{} is given twice", quoted(name))).at(line, &key).mend("keep one of them")
}

/// Where the outermost array begins that is still open at the end of this text.
fn unclosed(text: &str) -> Option<usize> {
    let (mut open, mut value) = (Vec::new(), false);
    let mut rest = text.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '#' => drop(rest.by_ref().find(|(_, c)| *c == '\n').filter(|_| open.is_empty()).map(|_| value = false)),
            '"' | '\'' => skip_string(&mut rest, c),
            '=' => value = true,
            '\n' if open.is_empty() => value = false,
            // Before a value it is the header of a table.
            '[' if value => open.push(at),
            ']' if value => drop(open.pop()),
            _ => {}
        }
    }
    open.first().copied()
}

/// To the end of a string of one line or of several; where it has none, all that is left.
fn skip_string(rest: &mut std::str::CharIndices<'_>, quote: char) {
    let several = [quote; 3].iter().collect::<String>();
    let text = rest.as_str();
    let (closing, begins) = match text.strip_prefix(several.get(1..).unwrap_or_default()) {
        Some(_) => (several.as_str(), 2),
        None => (several.get(..1).unwrap_or_default(), 0),
    };
    let mut inner = text.get(begins..).unwrap_or_default();
    while !inner.is_empty() && !inner.starts_with(closing) {
        let escaped = quote == '"' && inner.starts_with('\\');
        let mut chars = inner.chars();
        chars.nth(usize::from(escaped));
        inner = chars.as_str();
    }
    let left = inner.len().saturating_sub(closing.len());
    while rest.as_str().len() > left && rest.next().is_some() {}
}

#[cfg(test)]
mod tests;
