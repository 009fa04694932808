//! An HTML page as a tree: tidied, then told as Markdown or as text.
//!
//! A page may be as deep as a stranger likes, and what turns it into Markdown calls itself for each level: so the tree is cut at a depth before.

use std::{collections::VecDeque, rc::Rc};

use htmd::{
    HtmlToMarkdown, Node,
    options::{BulletListMarker, HrStyle, Options},
};
use markup5ever_rcdom::NodeData;
use url::Url;

use crate::plain;

/// Levels of a tree; what lies deeper keeps its text only.
const DEPTH: usize = 96;
/// Bytes of a title.
const TITLE: usize = 300;

/// What nobody reads on a page.
const UNREAD: [&str; 18] = [
    "applet", "audio", "base", "canvas", "embed", "frame", "frameset", "iframe", "link", "math", "meta", "noscript",
    "object", "script", "style", "svg", "template", "video",
];

/// A page.
pub(crate) struct Page {
    tree: Rc<Node>,
    converter: HtmlToMarkdown,
    pub(crate) title: Option<String>,
}

impl Page {
    /// Reads it; links become absolute by where the page is, or by what it says in `<base>`.
    pub(crate) fn read(html: &str, at: &Url) -> Option<Self> {
        let options = Options {
            bullet_list_marker: BulletListMarker::Dash,
            hr_style: HrStyle::Dashes,
            ul_bullet_spacing: 1,
            ol_number_spacing: 1,
            ..Options::default()
        };
        // A page's own title is told apart, so its head has nothing to say in the text.
        let converter = HtmlToMarkdown::builder().options(options).skip_tags(vec!["head"]).build();
        let tree = converter.html_to_tree(html).ok()?;
        let (title, base) = head(&tree);
        let base = base.and_then(|base| at.join(&base).ok());
        tidy(&tree, base.as_ref().unwrap_or(at));
        Some(Self { tree, converter, title })
    }

    pub(crate) fn markdown(&self) -> String {
        self.converter.tree_to_markdown(&self.tree)
    }

    pub(crate) fn text(&self) -> String {
        plain::text(&self.tree)
    }
}

/// The first title and the first base of a page.
fn head(tree: &Rc<Node>) -> (Option<String>, Option<String>) {
    let (mut title, mut base) = (None, None);
    let mut nodes = VecDeque::from([Rc::clone(tree)]);
    while let Some(node) = nodes.pop_front() {
        match tag(&node) {
            // Pictures have titles too.
            Some("svg") => continue,
            Some("title") if title.is_none() => title = Some(contents(&node)),
            Some("base") if base.is_none() => base = attribute(&node, "href"),
            _ => {}
        }
        if title.is_some() && base.is_some() {
            break;
        }
        nodes.extend(node.children.borrow().iter().cloned());
    }
    let title = title.map(|title| {
        let mut words = title.split_whitespace().collect::<Vec<_>>().join(" ");
        words.truncate(words.floor_char_boundary(TITLE));
        words
    });
    (title.filter(|title| !title.is_empty()), base)
}

/// Takes out what nobody reads, makes links absolute, and cuts the tree at its depth.
fn tidy(tree: &Rc<Node>, base: &Url) {
    let mut nodes = vec![(Rc::clone(tree), 0)];
    while let Some((node, depth)) = nodes.pop() {
        links(&node, base);
        if depth == DEPTH {
            let text = contents(&node);
            let text = NodeData::Text { contents: std::cell::RefCell::new(text.as_str().into()) };
            *node.children.borrow_mut() = vec![Node::new(text)];
            continue;
        }
        node.children.borrow_mut().retain(is_read);
        nodes.extend(node.children.borrow().iter().map(|child| (Rc::clone(child), depth + 1)));
    }
}

fn is_read(node: &Rc<Node>) -> bool {
    match &node.data {
        NodeData::Comment { .. } | NodeData::ProcessingInstruction { .. } => false,
        // What a person is not shown, a model need not read.
        NodeData::Element { .. } => {
            tag(node).is_none_or(|tag| !UNREAD.contains(&tag)) && attribute(node, "hidden").is_none()
        }
        _ => true,
    }
}

/// `href` and `src`, absolute. What leads to no page is taken out: a script, or a picture written into the address.
fn links(node: &Node, base: &Url) {
    let NodeData::Element { attrs, .. } = &node.data else { return };
    attrs.borrow_mut().retain_mut(|attribute| {
        if !matches!(&*attribute.name.local, "href" | "src") {
            return true;
        }
        match base.join(attribute.value.trim()) {
            Ok(url) if matches!(url.scheme(), "https" | "http" | "mailto") => {
                attribute.value = url.as_str().into();
                true
            }
            _ => false,
        }
    });
}

pub(crate) fn tag(node: &Node) -> Option<&str> {
    match &node.data {
        NodeData::Element { name, .. } => Some(&name.local),
        _ => None,
    }
}

fn attribute(node: &Node, wanted: &str) -> Option<String> {
    let NodeData::Element { attrs, .. } = &node.data else { return None };
    let attrs = attrs.borrow();
    attrs.iter().find(|attribute| &*attribute.name.local == wanted).map(|attribute| attribute.value.to_string())
}

/// All text in it, but for what nobody reads.
fn contents(node: &Rc<Node>) -> String {
    let mut text = String::new();
    let mut nodes = vec![Rc::clone(node)];
    while let Some(node) = nodes.pop() {
        if let NodeData::Text { contents } = &node.data {
            text.push_str(&contents.borrow());
        }
        nodes.extend(node.children.borrow().iter().rev().filter(|child| is_read(child)).cloned());
    }
    text
}
