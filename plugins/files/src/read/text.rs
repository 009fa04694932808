//! Reading by bytes. Text that was cut in the middle of a character is shown from the next whole one on.

use wardkeep_sdk::Result;

use super::{Piece, Place};

pub(super) fn read(at: Place, offset: u32, length: Option<u32>, max_bytes: u32) -> Result<Piece> {
    let asked = u64::from(length.unwrap_or(u32::MAX)).min(at.size.saturating_sub(offset.into()));
    let bytes = at.read(offset, length.map_or(max_bytes, |length| length.min(max_bytes)))?;
    let (skipped, shown) = whole_characters(&bytes);
    let begin = u64::from(offset) + skipped as u64;
    let end = begin + shown.len() as u64;
    let truncated = end < u64::from(offset) + asked;
    let piece = at.piece(begin, shown);
    let next_offset = (truncated && end <= u32::MAX.into()).then_some(end);
    Ok(Piece { truncated, next_offset, ..piece })
}

/// The bytes without what is left of a character at either end, if they are text otherwise.
fn whole_characters(bytes: &[u8]) -> (usize, &[u8]) {
    let skipped = bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
    let rest = bytes.get(skipped..).unwrap_or_default();
    let whole = match std::str::from_utf8(rest) {
        Ok(_) => rest.len(),
        // `None`: the bytes end too early, and are right up to there.
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return (0, bytes),
    };
    match rest.get(..whole) {
        // A lone half character is shown as what it is.
        Some(text) if !text.is_empty() => (skipped, text),
        _ => (0, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::whole_characters;

    #[test]
    fn half_characters_at_the_edges_are_left_out_and_binary_is_left_alone() {
        let text = "aäb€".as_bytes();
        assert_eq!(whole_characters(text), (0, text));
        assert_eq!(whole_characters(&text[2..]), (1, "b€".as_bytes()));
        assert_eq!(whole_characters(&text[..text.len() - 1]), (0, "aäb".as_bytes()));
        assert_eq!(whole_characters(&[0xff, 0xfe, 1]), (0, &[0xff, 0xfe, 1][..]));
        assert_eq!(whole_characters(&text[2..3]), (0, &text[2..3]));
    }
}
