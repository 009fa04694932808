//! What is wrong with a document, in the words of the document.

use std::{error::Error, fmt};

use serde::Serialize;

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

/// Everything that is wrong, sorted by document and line. Never empty where it is the error of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// None yet.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds one.
    pub fn push(&mut self, fault: Fault) {
        // What a document says comes back in its faults; on a terminal it must not be able to move the cursor.
        let fault = Fault {
            file: shown(&fault.file),
            key: shown(&fault.key),
            message: shown(&fault.message),
            mend: fault.mend.map(|mend| mend.lines().map(shown).collect::<Vec<_>>().join("\n")),
            line: fault.line,
        };
        let place = |fault: &Fault| (fault.file.clone(), fault.line.unwrap_or(0));
        let index = self.0.partition_point(|known| place(known) <= place(&fault));
        self.0.insert(index, fault);
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// In order.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
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

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
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
    fn a_fault_cannot_carry_a_terminal_sequence() {
        let faults = Faults::from(Fault::of("m.toml", "`\u{1b}[2J\u{202e}`"));
        assert_eq!(faults.to_string(), "m.toml: `\\u{1b}[2J\\u{202e}`");
    }
}
