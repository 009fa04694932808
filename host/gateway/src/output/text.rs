//! Which characters of a guest's text leave as they are. Nobody is to be driven, misled or silently instructed by characters that
//! no person sees: a terminal by an escape sequence, a reader by reordered text, a model by letters that are drawn as nothing.
//!
//! What must not leave is written out as `\u{…}`, so that it is still there to be seen. Text of every language and emoji pass
//! untouched (docs/decisions/007).

use std::fmt::Write as _;

use wardkeep_model::invisible;

use super::changes::{Changes, Class};

/// Characters drawn as nothing that may follow each other: an emoji's variation selector and the joiner after it.
const INVISIBLE_RUN: usize = 2;

/// How a text is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// It may have many lines.
    Many,
    /// It stands inside a line of the host's: it may not begin another.
    One,
}

/// The text as it may leave, and what was changed.
pub(super) fn clean(text: String, lines: Lines, place: &'static str, changes: &mut Changes) -> String {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || (lines == Lines::Many && matches!(byte, b'\t' | b'\n')))
    {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    walk(&text, lines, |c, class| match class {
        None => out.push(c),
        Some(class) => {
            changes.add(place, class);
            // writing into a String cannot fail
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
    });
    out
}

/// Whether the text may leave as it is.
pub(super) fn is_clean(text: &str, lines: Lines) -> bool {
    let mut clean = true;
    walk(text, lines, |_, class| clean &= class.is_none());
    clean
}

fn walk(text: &str, lines: Lines, mut each: impl FnMut(char, Option<Class>)) {
    let mut run = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        run = if invisible(c) { run + 1 } else { 0 };
        let class = match c {
            '\n' | '\t' if lines == Lines::Many => None,
            // alone it goes back to the start of a terminal's line, over what was said there
            '\r' if lines == Lines::Many && chars.peek() == Some(&'\n') => None,
            c if c.is_control() => Some(Class::Control),
            // some programs end a line there: Python's `splitlines` forges one in a stream of events
            '\u{2028}' | '\u{2029}' => Some(Class::Control),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{206a}'..='\u{206f}' => Some(Class::Bidirectional),
            '\u{e0000}'..='\u{e00ff}' | '\u{fff9}'..='\u{fffb}' => Some(Class::Tag),
            _ if run > INVISIBLE_RUN => Some(Class::Invisible),
            _ => None,
        };
        each(c, class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(text: &str, lines: Lines) -> (String, Vec<String>) {
        let mut changes = Changes::default();
        let out = clean(text.to_owned(), lines, "text", &mut changes);
        assert_eq!(is_clean(text, lines), out == text, "{text:?}");
        (out, changes.into_notes().into_iter().map(|note| format!("{} {}", note.detail, note.count)).collect())
    }

    #[test]
    fn what_drives_a_terminal_reorders_or_hides_is_written_out() {
        for (text, written, note) in [
            ("\u{1b}[2Jgone", r"\u{1b}[2Jgone", "text: control 1"),
            ("\u{9b}31m", r"\u{9b}31m", "text: control 1"),
            ("a\u{0}\u{7f}", r"a\u{0}\u{7f}", "text: control 2"),
            ("all is well\rowned", r"all is well\u{d}owned", "text: control 1"),
            ("one\u{2028}data: two", r"one\u{2028}data: two", "text: control 1"),
            ("\u{202e}txt.exe", r"\u{202e}txt.exe", "text: bidirectional 1"),
            ("if (\u{2066}x\u{2069})", r"if (\u{2066}x\u{2069})", "text: bidirectional 2"),
            ("hi\u{e0041}\u{e007f}", r"hi\u{e0041}\u{e007f}", "text: tag 2"),
            ("a\u{200b}\u{200c}\u{200d}\u{2060}b", "a\u{200b}\u{200c}\\u{200d}\\u{2060}b", "text: invisible 2"),
            ("\u{fe00}\u{e0100}\u{e0101}", "\u{fe00}\u{e0100}\\u{e0101}", "text: invisible 1"),
        ] {
            assert_eq!(cleaned(text, Lines::Many), (written.to_owned(), vec![note.to_owned()]));
        }
    }

    #[test]
    fn text_of_people_stays_as_it_is() {
        for text in [
            "grüße\tand\nlines\r\n",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "👩\u{200d}❤\u{fe0f}\u{200d}👨 1\u{fe0f}\u{20e3} 葛\u{e0100}",
            "\u{feff}a file with a mark",
            "שלום\u{200f}, world\u{200e}",
            "\u{f8ff} private",
        ] {
            assert_eq!(cleaned(text, Lines::Many), (text.to_owned(), vec![]));
        }
    }

    #[test]
    fn what_stands_in_a_line_of_the_host_s_begins_no_other() {
        assert_eq!(cleaned("a\nb\tc\r\n", Lines::One).0, r"a\u{a}b\u{9}c\u{d}\u{a}");
    }
}
