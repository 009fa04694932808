//! A tree as text: words as they are read, a line for each block, an empty line between paragraphs.

use std::rc::Rc;

use htmd::Node;
use markup5ever_rcdom::NodeData;

use crate::page::tag;

enum Step {
    Enter(Rc<Node>),
    /// The end of a block, with so many line ends behind it.
    Break(usize),
    /// The end of what is preformatted.
    Plain,
}

/// Line ends around a block; nothing for what stands in a line.
fn breaks(tag: &str) -> Option<usize> {
    match tag {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "pre" | "blockquote" | "ul" | "ol" | "dl" | "table"
        | "section" | "article" | "figure" | "hr" => Some(2),
        "div" | "li" | "dt" | "dd" | "tr" | "header" | "footer" | "main" | "nav" | "aside" | "form" | "fieldset"
        | "address" | "details" | "summary" | "figcaption" | "caption" | "option" | "body" | "html" => Some(1),
        _ => None,
    }
}

/// Words of a tree that has been tidied.
pub(crate) fn text(tree: &Rc<Node>) -> String {
    let mut out = Lines::default();
    let mut preformatted = 0_usize;
    let mut steps = vec![Step::Enter(Rc::clone(tree))];
    while let Some(step) = steps.pop() {
        let node = match step {
            Step::Break(lines) => {
                out.end(lines);
                continue;
            }
            Step::Plain => {
                preformatted -= 1;
                continue;
            }
            Step::Enter(node) => node,
        };
        if let NodeData::Text { contents } = &node.data {
            if preformatted > 0 {
                out.verbatim(&contents.borrow())
            } else {
                out.words(&contents.borrow())
            }
            continue;
        }
        match tag(&node) {
            Some("head") => continue,
            Some("br") => out.end(1),
            Some("td" | "th") => out.cell(),
            Some("pre") => {
                preformatted += 1;
                steps.push(Step::Plain);
            }
            _ => {}
        }
        if let Some(lines) = tag(&node).and_then(breaks) {
            out.end(lines);
            steps.push(Step::Break(lines));
        }
        steps.extend(node.children.borrow().iter().rev().cloned().map(Step::Enter));
    }
    out.text.trim_end().to_owned()
}

/// Text with the spaces and line ends that are owed to it, so that none stands at its beginning or twice.
#[derive(Default)]
struct Lines {
    text: String,
    owed: usize,
    space: bool,
}

impl Lines {
    fn end(&mut self, lines: usize) {
        self.space = false;
        if !self.text.is_empty() {
            self.owed = self.owed.max(lines);
        }
    }

    fn pay(&mut self) {
        self.text.extend(std::iter::repeat_n('\n', std::mem::take(&mut self.owed)));
        if std::mem::take(&mut self.space) && !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push(' ');
        }
    }

    fn words(&mut self, text: &str) {
        let is_space = |letter: char| letter.is_ascii_whitespace();
        for (at, word) in text.split(is_space).enumerate() {
            self.space |= at > 0;
            if !word.is_empty() {
                self.pay();
                self.text.push_str(word);
            }
        }
    }

    fn verbatim(&mut self, text: &str) {
        if !text.is_empty() {
            self.pay();
            self.text.push_str(text);
        }
    }

    /// Between two cells of a row.
    fn cell(&mut self) {
        if self.owed == 0 && !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\t');
            self.space = false;
        }
    }
}
