//! Long texts of others, cut to what an answer can hold.

/// Bytes of a description.
pub(crate) const BODY: usize = 32 << 10;
/// Bytes of one comment.
pub(crate) const COMMENT: usize = 8 << 10;
/// Bytes of one file's difference.
pub(crate) const PATCH: usize = 4 << 10;

/// At most so many bytes of it, with a mark where it was cut.
pub(crate) fn cut(text: Option<String>, most: usize) -> String {
    let mut text = text.unwrap_or_default();
    if text.len() > most {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(most));
        text.push_str(&format!("\n[cut after {} bytes of {whole}]", text.len()));
    }
    text
}

/// One line of a service's own words, short.
pub(crate) fn line(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.len() > 300 {
        words.truncate(words.floor_char_boundary(300));
        words.push('…');
    }
    words
}
