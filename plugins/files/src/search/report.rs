//! What a search found, within its bounds, for machines and for people.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Serialize;
use wardkeep_sdk::Answer;

/// Bytes of a line that are shown; a longer one is cut around its match.
const LINE: usize = 400;
/// Bytes of all that is shown, counted once: the answer carries it twice, as structure and as text.
const ALL: usize = 96 << 10;

#[derive(Serialize, JsonSchema)]
pub(crate) struct Searched {
    root: String,
    path: String,
    /// In the order of paths and lines.
    matches: Vec<Match>,
    /// How many files were searched.
    files_searched: u32,
    /// How many files were left out because they are binary.
    files_binary: u32,
    /// How many files and directories could not be read.
    unread: u32,
    /// The search ended before everything was searched.
    truncated: bool,
    /// Why it ended, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Match {
    path: String,
    /// The first is 1.
    line: u64,
    /// The line; cut around the match if it is long.
    text: String,
    /// The lines before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    before: Vec<String>,
    /// The lines after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    after: Vec<String>,
}

pub(super) struct Report {
    limit: usize,
    matches: Vec<Match>,
    bytes: usize,
    searched: u32,
    binary: u32,
    unread: u32,
    note: Option<&'static str>,
}

impl Report {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, matches: Vec::new(), bytes: 0, searched: 0, binary: 0, unread: 0, note: None }
    }

    pub(super) fn is_full(&self) -> bool {
        self.note.is_some()
    }

    pub(super) fn searched(&mut self) {
        self.searched += 1;
    }

    pub(super) fn binary(&mut self) {
        self.binary += 1;
    }

    pub(super) fn unread(&mut self, count: u32) {
        self.unread = self.unread.saturating_add(count);
    }

    pub(super) fn out_of_host_calls(&mut self) {
        self.note = Some("the call's host calls were used up: search a directory below, or raise `limits.host_calls`");
    }

    /// One match beyond the bounds is looked for, so that `truncated` is never said in vain.
    pub(super) fn found(
        &mut self,
        path: &str,
        line: u64,
        text: &[u8],
        found: Range<usize>,
        before: Vec<&[u8]>,
        after: Vec<&[u8]>,
    ) {
        if self.matches.len() == self.limit {
            self.note = Some("there are more matches than `max_results`: narrow the search, or raise it");
            return;
        }
        let shown = |lines: Vec<&[u8]>| lines.into_iter().map(|line| cut(line, 0..0)).collect::<Vec<_>>();
        let one = Match { path: path.into(), line, text: cut(text, found), before: shown(before), after: shown(after) };
        let bytes = one.path.len() + [&one.before, &one.after].into_iter().flatten().map(String::len).sum::<usize>();
        self.bytes += bytes + one.text.len() + 32;
        if self.bytes > ALL {
            self.note = Some("there is more than one answer can hold: narrow the search, or ask for less `context`");
            return;
        }
        self.matches.push(one);
    }

    pub(super) fn answer(self, root: String, path: String) -> Answer<Searched> {
        let text = self.text();
        let Self { matches, searched, binary, unread, note, .. } = self;
        let truncated = note.is_some();
        let found =
            Searched { root, path, matches, files_searched: searched, files_binary: binary, unread, truncated, note };
        Answer::new(found).text(text)
    }

    /// As grep shows it: `path:12:` for a match, `path-11-` for a line around it.
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for one in &self.matches {
            let first = one.line - one.before.len() as u64;
            lines.extend(one.before.iter().zip(first..).map(|(text, number)| format!("{}-{number}- {text}", one.path)));
            lines.push(format!("{}:{}: {}", one.path, one.line, one.text));
            lines.extend(
                one.after.iter().zip(one.line + 1..).map(|(text, number)| format!("{}-{number}- {text}", one.path)),
            );
            if !(one.before.is_empty() && one.after.is_empty()) {
                lines.push("--".into());
            }
        }
        lines.push(format!("[{} matching lines; {} files searched]", self.matches.len(), self.searched));
        lines.extend(self.note.map(|note| format!("[{note}]")));
        lines.join("\n")
    }
}

/// A line as text, around the match if it is long.
fn cut(line: &[u8], found: Range<usize>) -> String {
    if line.len() <= LINE {
        return String::from_utf8_lossy(line).into_owned();
    }
    let begin = found.start.saturating_sub(LINE / 4).min(line.len() - LINE);
    let (begin, end) = (boundary(line, begin), boundary(line, begin + LINE));
    let text = String::from_utf8_lossy(line.get(begin..end).unwrap_or_default());
    let (front, back) = (if begin > 0 { "…" } else { "" }, if end < line.len() { "…" } else { "" });
    format!("{front}{text}{back}")
}

/// Not in the middle of a character.
fn boundary(line: &[u8], at: usize) -> usize {
    let continues = |byte: &u8| byte & 0xc0 == 0x80;
    at + line.get(at..).unwrap_or_default().iter().take(3).take_while(|byte| continues(byte)).count()
}
