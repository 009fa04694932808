//! What is wrong with a document, in the words of the document.

use std::{error::Error, fmt};

use serde::{Serialize, Serializer};

use super::shown;

/// One thing that is wrong, where it stands and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The document, as the reader of the fault knows it.
    pub file: String,
    /// From 1; absent where the fault is of the whole document.
    pub line: Option<usize>,
    /// Dotted path of the key, such as `tools.search.effect`; may be empty.
    pub key: String,
    /// What is wrong: lower case, no full stop, foreign text in backticks.
    pub message: String,
    /// What to do about it, often the very line to write; may hold several lines.
    pub mend: Option<String>,
}

impl Fault {
    /// A fault of a whole document.
    pub fn of(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, key: String::new(), message: message.into(), mend: None }
    }

    /// The same at this key.
    #[must_use]
    pub fn at(mut self, line: Option<usize>, key: &str) -> Self {
        self.line = line;
        self.key = key.into();
        self
    }

    /// The same with the way to mend it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        for (index, line) in self.mend.iter().flat_map(|mend| mend.lines()).enumerate() {
            write!(f, "\n  {}{line}", if index == 0 { "mend: " } else { "      " })?;
        }
        Ok(())
    }
}

/// Faults that are told; of further ones only how many there are.
const MOST: usize = 100;

/// Everything that is wrong, sorted by document and line: the first hundred, and how many more. A document of 64 KiB has room for
/// tens of thousands, which nobody reads and which cost the host seconds. Never empty where it is the error of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    told: Vec<Fault>,
    more: usize,
}

impl Faults {
    /// None yet.
    #[must_use]
    pub const fn none() -> Self {
        Self { told: Vec::new(), more: 0 }
    }

    /// Whether one that is pushed now stands a chance to be told.
    pub(super) const fn is_full(&self) -> bool {
        self.told.len() >= MOST
    }

    /// Counts faults without telling them.
    pub(super) const fn count(&mut self, more: usize) {
        self.more = self.more.saturating_add(more);
    }

    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        fn place(fault: &Fault) -> (&str, usize) {
            (&fault.file, fault.line.unwrap_or(0))
        }
        if self.is_full() && self.told.last().is_some_and(|last| place(last) <= place(&fault)) {
            return self.count(1);
        }
        // What a document says comes back in its faults; on a terminal it must not be able to move the cursor.
        let fault = Fault {
            file: shown(&fault.file),
            key: shown(&fault.key),
            message: shown(&fault.message),
            mend: fault.mend.map(|mend| mend.lines().map(shown).collect::<Vec<_>>().join("\n")),
            line: fault.line,
        };
        let index = self.told.partition_point(|known| place(known) <= place(&fault));
        self.told.insert(index, fault);
        if self.told.len() > MOST {
            self.told.truncate(MOST);
            self.count(1);
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// How many, with those that are not told.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.told.len().saturating_add(self.more)
    }

    /// Those that are told, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.told.iter()
    }

    /// In the place of those that are not told.
    fn rest(&self) -> Option<Fault> {
        let last = self.told.last().filter(|_| self.more > 0)?;
        let faults = if self.more == 1 { "fault is" } else { "faults are" };
        Some(Fault::of(&last.file, format!("{} more {faults} not told", self.more)).mend("mend these first"))
    }

    /// The value if nothing is wrong.
    ///
    /// # Errors
    /// These faults, if there are any.
    pub fn unless<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        let mut faults = Self::none();
        faults.push(fault);
        faults
    }
}

impl Extend<Fault> for Faults {
    fn extend<I: IntoIterator<Item = Fault>>(&mut self, faults: I) {
        faults.into_iter().for_each(|fault| self.push(fault));
    }
}

/// Those that are told, and in the place of others a last one that says how many.
impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::iter::Chain<std::vec::IntoIter<Fault>, std::option::IntoIter<Fault>>;

    fn into_iter(self) -> Self::IntoIter {
        let rest = self.rest();
        self.told.into_iter().chain(rest)
    }
}

impl Serialize for Faults {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.told.iter().chain(self.rest().as_ref()))
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.told.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.told.iter().chain(self.rest().as_ref()).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_in_the_order_of_the_document() {
        let mut faults = Faults::none();
        faults.push(Fault::of("m.toml", "third").at(Some(9), "c"));
        faults.push(Fault::of("m.toml", "first"));
        faults.push(Fault::of("m.toml", "second").at(Some(2), "b").mend("one\ntwo"));
        assert_eq!(
            faults.to_string(),
            "m.toml: first\nm.toml:2: b: second\n  mend: one\n        two\nm.toml:9: c: third"
        );
    }

    #[test]
    fn the_first_hundred_are_told_and_the_rest_is_counted() {
        let mut faults = Faults::none();
        for line in (1..=300).rev() {
            faults.push(Fault::of("m.toml", "wrong").at(Some(line), "k"));
        }
        assert_eq!(faults.len(), 300);
        assert!(faults.iter().zip(1..).all(|(fault, line)| fault.line == Some(line)), "the first ones of the document");
        let text = faults.to_string();
        assert!(text.ends_with("m.toml:100: k: wrong\nm.toml: 200 more faults are not told\n  mend: mend these first"));
        assert_eq!(serde_json::to_value(&faults).unwrap().as_array().map(Vec::len), Some(101));
        let mut all = Faults::none();
        all.push(Fault::of("a.toml", "wrong"));
        all.extend(faults);
        assert_eq!((all.iter().count(), all.len()), (100, 102), "one of another document, and what was counted");
    }

    #[test]
    fn a_fault_cannot_carry_a_terminal_sequence() {
        let faults = Faults::from(Fault::of("m.toml", "`\u{1b}[2J\u{202e}`"));
        assert_eq!(faults.to_string(), "m.toml: `\\u{1b}[2J\\u{202e}`");
    }
}
