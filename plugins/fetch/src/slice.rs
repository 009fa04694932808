//! A part of a text, by bytes, without cutting a character in two.

/// The bytes of it that are shown.
#[derive(Debug, PartialEq)]
pub(crate) struct Slice<'t> {
    pub(crate) text: &'t str,
    pub(crate) offset: usize,
    /// Where more would begin, if there is more.
    pub(crate) next: Option<usize>,
}

/// At most `length` bytes from `offset`; the beginning of a character that `offset` cuts is left out, the one at the end is left for later.
pub(crate) fn slice(text: &str, offset: usize, length: usize) -> Slice<'_> {
    let begin = text.ceil_char_boundary(offset.min(text.len()));
    let mut end = text.floor_char_boundary(begin.saturating_add(length).min(text.len()));
    if end == begin && end < text.len() {
        // Less than one character was asked for: one is shown, or nobody would ever get on.
        end = text.ceil_char_boundary(begin + 1);
    }
    let next = (end < text.len()).then_some(end);
    Slice { text: text.get(begin..end).unwrap_or_default(), offset: begin, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_join_to_the_whole_whatever_their_length() {
        let text = "aä€😀\nplain and ünder";
        for length in 0..text.len() + 1 {
            let (mut joined, mut offset) = (String::new(), Some(0));
            while let Some(at) = offset {
                let part = slice(text, at, length);
                assert_eq!(part.offset, at);
                joined.push_str(part.text);
                offset = part.next;
            }
            assert_eq!(joined, text, "{length}");
        }
    }

    #[test]
    fn an_offset_in_a_character_or_beyond_the_end_is_told_where_it_led() {
        assert_eq!(slice("aä€", 2, 9), Slice { text: "€", offset: 3, next: None });
        assert_eq!(slice("aä€", 99, 9), Slice { text: "", offset: 6, next: None });
        assert_eq!(slice("", 0, 9), Slice { text: "", offset: 0, next: None });
    }
}
