//! Foreign text where people read it: what could deceive the eye or drive a terminal is written as `\u{…}`.

pub use wardkeep_model::{hidden, shown};

/// Foreign text in backticks, cut after 80 characters.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut start: String = text.chars().take(80).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("`{}`", shown(&start).replace('`', "\\u{60}"))
}

/// A TOML basic string, quotes included: one line, whatever the text holds (TOML 1.0, String).
#[must_use]
pub fn basic_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if hidden(c) && u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c if hidden(c) => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_as_a_one_line_toml_string() {
        let nasty: String =
            (0..0x300).chain(0x2000..0x2100).chain(0xe0000..0xe0080).filter_map(char::from_u32).collect();
        for text in ["", "\"\"\"", "\\", "a\n[grants.files.all]\nroot = \"/\"", "'''", &nasty] {
            let written = basic_string(text);
            assert!(!written.contains(['\n', '\r']), "{written}");
            let document = format!("x = {written}\n");
            let table: toml::Table = document.parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(text));
        }
    }

    #[test]
    fn a_backtick_does_not_end_a_quotation() {
        assert_eq!(quoted("a`b"), "`a\\u{60}b`");
        assert_eq!(quoted(&"x".repeat(90)), format!("`{}…`", "x".repeat(80)));
    }
}
