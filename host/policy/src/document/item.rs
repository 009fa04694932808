//! One value of a document. Each way to read it leaves a fault where the value does not fit.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use jiff::civil::Date;
use toml::de::DeValue;

use super::{Fault, Sink, Table, hidden, measure, quoted, table::wrong_type};

const QUOTES: &str = "put it in quotes";
const DATE: &str = "write a day without quotes and time, such as 2027-06-30";

/// A value with the place where it stands.
#[derive(Clone)]
pub struct Item<'d> {
    sink: &'d Sink,
    key: String,
    line: usize,
    value: &'d DeValue<'d>,
}

impl<'d> Item<'d> {
    pub(super) const fn new(sink: &'d Sink, key: String, line: usize, value: &'d DeValue<'d>) -> Self {
        Self { sink, key, line, value }
    }

    /// Its dotted path.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its line, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Leaves a fault here.
    pub fn fault(&self, message: impl Into<String>, mend: Option<&str>) {
        let fault = Fault::of(&self.sink.file, message).at(Some(self.line), &self.key);
        self.sink.push(Fault { mend: mend.map(Into::into), ..fault });
    }

    fn expected<T>(&self, what: &str, mend: &str) -> Option<T> {
        self.fault(wrong_type(what, self.value), Some(mend));
        None
    }

    fn invalid<T>(&self, text: &str, mend: &str) -> Option<T> {
        self.fault(format!("{} is not valid here", quoted(text)), Some(mend));
        None
    }

    /// Any string.
    #[must_use]
    pub fn text(&self) -> Option<&'d str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => self.expected("a string", QUOTES),
        }
    }

    /// A string of this many bytes on one line, without hidden characters and not only of blanks.
    #[must_use]
    pub fn line_of_text(&self, length: RangeInclusive<usize>) -> Option<&'d str> {
        let text = self.text()?;
        if !length.contains(&text.len()) || (*length.start() > 0 && text.trim().is_empty()) {
            let (least, most) = length.into_inner();
            return self.invalid(text, &format!("write {least} to {most} bytes, not only blanks"));
        }
        if let Some(c) = text.chars().find(|c| hidden(*c)) {
            let message = format!("{} holds the hidden character {}", quoted(text), c.escape_unicode());
            self.fault(message, Some("remove the character"));
            return None;
        }
        Some(text)
    }

    /// A string that a type knows how to read.
    #[must_use]
    pub fn read<T: FromStr<Err: Display>>(&self) -> Option<T> {
        self.read_with(T::from_str)
    }

    /// A string that a function knows how to read.
    pub fn read_with<T, E: Display>(&self, read: impl FnOnce(&'d str) -> Result<T, E>) -> Option<T> {
        let text = match self.value {
            DeValue::String(text) => text,
            other => {
                // Quotes alone mend it only where what would stand between them is good.
                let bare = if let DeValue::Integer(number) = other { number.as_str() } else { "" };
                let mend = read(bare).err().map_or_else(|| QUOTES.to_owned(), |error| error.to_string());
                return self.expected("a string", &mend);
            }
        };
        match read(text) {
            Ok(value) => Some(value),
            Err(error) => self.invalid(text, &error.to_string()),
        }
    }

    /// One of a few words.
    #[must_use]
    pub fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            return self.invalid(text, &format!("write one of {}", names.join(", ")));
        }
        found
    }

    /// A whole number in a range. A negative one is below every range.
    #[must_use]
    pub fn whole(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let DeValue::Integer(number) = self.value else {
            return self.expected("a whole number", "write digits only, without quotes");
        };
        let read = i64::from_str_radix(number.as_str(), number.radix());
        let (least, most) = (*range.start(), (*range.end()).min(i64::MAX.unsigned_abs()));
        match read.ok().and_then(|number| u64::try_from(number).ok()) {
            Some(number) if (least..=most).contains(&number) => Some(number),
            _ => self.invalid(&number.to_string(), &format!("write a whole number from {least} to {most}")),
        }
    }

    /// A whole number in a range of 32 bits.
    #[must_use]
    pub fn whole_u32(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let (least, most) = range.into_inner();
        self.whole(least.into()..=most.into()).and_then(|number| u32::try_from(number).ok())
    }

    /// True or false.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match self.value {
            DeValue::Boolean(value) => Some(*value),
            _ => self.expected("true or false", "write true or false, without quotes"),
        }
    }

    /// A calendar day, without time or zone.
    #[must_use]
    pub fn date(&self) -> Option<Date> {
        if let DeValue::Datetime(datetime) = self.value
            && let (Some(date), None, None) = (datetime.date, datetime.time, datetime.offset)
        {
            let signed = |number: u8| i8::try_from(number).ok();
            let day = || Date::new(i16::try_from(date.year).ok()?, signed(date.month)?, signed(date.day)?).ok();
            return day().or_else(|| self.expected("a day of the calendar", DATE));
        }
        self.expected("a date", DATE)
    }

    /// Bytes, such as `"64MiB"`.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.measure(measure::size, "64MiB")
    }

    /// Bytes in 32 bits.
    #[must_use]
    pub fn size_u32(&self) -> Option<u32> {
        let size = |text: &str| measure::size(text)?.try_into().map_err(|_| measure::InvalidMeasure::Overflow);
        self.measure(size, "4KiB")
    }

    /// Time, such as `"10s"`.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.measure(measure::duration, "10s")
    }

    fn measure<T>(&self, read: impl FnOnce(&'d str) -> Result<T, measure::InvalidMeasure>, example: &str) -> Option<T> {
        match self.value {
            DeValue::String(_) => self.read_with(read),
            _ => self.expected(
                "a string with a unit",
                &format!("write it with its unit and in quotes, such as \"{example}\""),
            ),
        }
    }

    /// The elements of an array.
    #[must_use]
    pub fn list(&self) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value else {
            return self.expected("an array", "put it in brackets: [\"…\"]");
        };
        let element = |(index, value): (usize, &'d toml::Spanned<DeValue<'d>>)| {
            let line = self.sink.line(value.span().start);
            Self::new(self.sink, format!("{}[{index}]", self.key), line, value.get_ref())
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    /// An array whose elements are all read by the same function; nothing if one of them could not be.
    pub fn list_of<T>(&self, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = self.list()?.iter().map(read).collect();
        read.into_iter().collect()
    }

    /// Whether it is a table, where something else would do as well.
    #[must_use]
    pub const fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// A table.
    #[must_use]
    pub fn table(&self) -> Option<Table<'d>> {
        match self.value {
            DeValue::Table(table) => Some(Table::new(self.sink, self.key.clone(), Some(self.line), table)),
            _ => self.expected("a table", &format!("write [{}]", self.key)),
        }
    }
}
