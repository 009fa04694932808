//! Text that others wrote, made safe to keep and to show. Stops a client's name or a plugin's description from hiding or reordering
//! what people read, from driving a terminal, and from filling a log. The one list of what must not be sent as it is.

use std::fmt::Write as _;

/// Control, bidirectional, zero-width, tag and private characters, and the separators that some programs take for line ends.
#[must_use]
pub fn hidden(c: char) -> bool {
    c.is_control()
        || invisible(c)
        || matches!(
            c,
            '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
                | '\u{e000}'..='\u{f8ff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e00ff}'
                | '\u{f0000}'..='\u{10ffff}'
        )
}

/// Drawn as nothing, and needed by some languages or emoji: joiners, marks of direction, variation selectors, fillers.
#[must_use]
pub const fn invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{2065}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1d159}'
            | '\u{e0100}'..='\u{e0fff}'
    )
}

/// The text with every hidden character written as `\u{…}`; always one line.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

const CUT: &str = "…";

/// Caps `text` at `most` bytes, with every hidden character written as `\u{…}`. What was cut ends in `…`.
pub fn tidy(text: &mut String, most: usize) {
    cap(text, most, hidden);
}

/// The same for what somebody decides by: blanks that are no plain space are written out too, so that none of them makes one text look like
/// another, or like nothing.
pub fn tidy_blanks(text: &mut String, most: usize) {
    cap(text, most, |c| hidden(c) || (c != ' ' && c.is_whitespace()));
}

fn cap(text: &mut String, most: usize, strange: impl Fn(char) -> bool) {
    if text.len() <= most && !text.chars().any(&strange) {
        return;
    }
    // Escaping makes it longer: the cap holds for what is kept.
    let mut kept = String::with_capacity(most);
    let mut whole = true;
    let mut piece = String::new();
    // Where to go back to so that the mark still fits.
    let mut room_for_mark = 0;
    for c in text.chars() {
        piece.clear();
        if strange(c) {
            // Writing into a String cannot fail.
            let _ = write!(piece, "\\u{{{:x}}}", c as u32);
        } else {
            piece.push(c);
        }
        if kept.len() + piece.len() > most {
            whole = false;
            break;
        }
        kept.push_str(&piece);
        if kept.len() + CUT.len() <= most {
            room_for_mark = kept.len();
        }
    }
    if !whole {
        kept.truncate(room_for_mark);
        kept.push_str(CUT);
    }
    *text = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(text: &str, most: usize) -> String {
        let mut text = text.to_owned();
        tidy(&mut text, most);
        text
    }

    #[test]
    fn plain_text_at_the_cap_is_left_alone_and_one_byte_beyond_is_cut() {
        assert_eq!(tidied(&"a".repeat(128), 128), "a".repeat(128));
        assert_eq!(tidied(&"a".repeat(129), 128), format!("{}…", "a".repeat(125)));
    }

    #[test]
    fn shown_text_is_always_one_line() {
        assert_eq!(shown("a\u{200b}b\u{e0041}\n"), "a\\u{200b}b\\u{e0041}\\u{a}");
    }

    #[test]
    fn what_hides_or_reorders_text_is_written_out() {
        assert_eq!(
            tidied("a\u{202e}b\n\u{1b}[2J\u{e0041}\u{200b}", 128),
            "a\\u{202e}b\\u{a}\\u{1b}[2J\\u{e0041}\\u{200b}"
        );
    }

    #[test]
    fn what_is_drawn_as_nothing_is_hidden_and_odd_blanks_are_written_out_where_somebody_decides() {
        let text = "a\u{2800}b\u{1d159}c\u{a0}d\u{3000}e\u{2003}f g";
        assert_eq!(tidied(text, 128), "a\\u{2800}b\\u{1d159}c\u{a0}d\u{3000}e\u{2003}f g");
        let mut plain = text.to_owned();
        tidy_blanks(&mut plain, 128);
        assert_eq!(plain, "a\\u{2800}b\\u{1d159}c\\u{a0}d\\u{3000}e\\u{2003}f g");
    }

    #[test]
    fn the_cap_holds_after_escaping_and_never_splits_a_character() {
        for most in 3..80 {
            for text in ["\u{202e}".repeat(40), "ä".repeat(90), "\u{1f600}".repeat(40)] {
                let kept = tidied(&text, most);
                assert!(kept.len() <= most, "{most}: {kept}");
                assert!(kept.ends_with('…'), "{most}: {kept}");
            }
        }
    }
}
