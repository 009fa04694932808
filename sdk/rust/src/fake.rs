//! What stands in for the host when a plugin's tests run natively. One set for each thread, so tests do not meet.
//!
//! ```
//! use std::time::{Duration, UNIX_EPOCH};
//! use wardkeep_sdk::{clock, fake::Fakes, files, log};
//!
//! let fakes = Fakes::new()
//!     .file("docs", "intro.md", "# Hello")
//!     .writable("out")
//!     .clock(UNIX_EPOCH + Duration::from_secs(1_800_000_000))
//!     .install();
//!
//! files::write("out", "note.txt", "noted", files::Mode::Create)?;
//! log::info("wrote a note");
//!
//! assert_eq!(fakes.contents("out", "note.txt").as_deref(), Some("noted".as_bytes()));
//! assert_eq!(fakes.logged(), ["info: wrote a note"]);
//! assert_eq!(clock::now(), UNIX_EPOCH + Duration::from_secs(1_800_000_000));
//! # Ok::<(), files::Error>(())
//! ```
//!
//! Files live in memory and follow the rules of `wardkeep:files`, with one exception: `.gitignore` files are not read. Requests are answered by a
//! closure ([`Fakes::http`]), behind the host's own rules for requests. Nothing is granted that was not put here; the clock stands still; random
//! numbers are the same in every run.

mod talk;
mod tree;
mod web;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tree::Tree;
use web::Web;

pub use talk::talk;
pub use web::{Asked, Response};

use crate::{
    Plugin, Result,
    log::Level,
    raw::{Completion, Reply, Request},
};

/// Host calls of one test by default: more than a manifest's 64, since a test may stand for many calls.
const HOST_CALLS: u32 = 10_000;

/// The fakes of one test.
#[derive(Debug, Clone)]
pub struct Fakes {
    roots: BTreeMap<String, Tree>,
    now: Duration,
    random: u64,
    logged: Vec<String>,
    reported: Vec<Report>,
    host_calls: u32,
    secrets: BTreeSet<String>,
    web: Option<Web>,
    asked: Vec<Asked>,
}

thread_local! {
    static FAKES: RefCell<Fakes> = RefCell::new(Fakes::new());
}

impl Default for Fakes {
    fn default() -> Self {
        Self::new()
    }
}

impl Fakes {
    /// Nothing granted, at the beginning of 2026.
    #[must_use]
    pub fn new() -> Self {
        let now = Duration::from_secs(1_767_225_600);
        Self {
            roots: BTreeMap::new(),
            now,
            random: 0,
            logged: Vec::new(),
            reported: Vec::new(),
            host_calls: HOST_CALLS,
            secrets: BTreeSet::new(),
            web: None,
            asked: Vec::new(),
        }
    }

    /// Grants a root to read in, empty so far.
    #[must_use]
    pub fn readable(mut self, root: &str) -> Self {
        self.roots.entry(root.into()).or_default();
        self
    }

    /// Grants a root to read and write in.
    #[must_use]
    pub fn writable(mut self, root: &str) -> Self {
        self.roots.entry(root.into()).or_default().writable = true;
        self
    }

    /// Puts a file into a root, which it grants to read if it is not granted yet, and makes the directories on the way.
    #[must_use]
    pub fn file(mut self, root: &str, path: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.roots.entry(root.into()).or_default().put(path, contents.into());
        self
    }

    /// Sets the time of day.
    #[must_use]
    pub fn clock(mut self, now: SystemTime) -> Self {
        self.now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        self
    }

    /// Answers requests. Without it, every request is denied; a closure denies with
    /// `Response::error(http::Error::Denied(…))`.
    ///
    /// ```
    /// use wardkeep_sdk::{fake::{Fakes, Response}, http};
    ///
    /// let fakes = Fakes::new()
    ///     .http(|asked| match asked.line().as_str() {
    ///         "GET /health" => Response::text(200, "well"),
    ///         _ => Response::status(404),
    ///     })
    ///     .install();
    ///
    /// assert_eq!(http::get("api.example.com", "/health").query("deep", true).send()?.text(100)?, "well");
    /// assert_eq!(fakes.asked()[0].query("deep"), Some("true"));
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn http(mut self, answers: impl Fn(&Asked) -> Response + 'static) -> Self {
        self.web = Some(Web::new(answers));
        self
    }

    /// Grants a secret.
    #[must_use]
    pub fn secret(mut self, name: &str) -> Self {
        self.secrets.insert(name.into());
        self
    }

    /// Sets how many host calls there are; then `exhausted` answers.
    #[must_use]
    pub fn host_calls(mut self, calls: u32) -> Self {
        self.host_calls = calls;
        self
    }

    /// Puts these fakes in place for this thread until the answer is dropped.
    #[must_use = "the fakes are gone when this is dropped"]
    pub fn install(self) -> Installed {
        FAKES.with_borrow_mut(|fakes| *fakes = self);
        Installed { _of_this_thread: PhantomData }
    }
}

/// One report of progress.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How far.
    pub done: f64,
    /// Of how much, if that was said.
    pub total: Option<f64>,
    /// What was said besides; empty if nothing.
    pub message: String,
}

/// Fakes in place. They go when it is dropped.
#[derive(Debug)]
pub struct Installed {
    _of_this_thread: PhantomData<*const ()>,
}

impl Installed {
    /// What was logged, each line with its level in front.
    #[must_use]
    pub fn logged(&self) -> Vec<String> {
        FAKES.with_borrow(|fakes| fakes.logged.clone())
    }

    /// What was reported of progress.
    #[must_use]
    pub fn reported(&self) -> Vec<Report> {
        FAKES.with_borrow(|fakes| fakes.reported.clone())
    }

    /// What a file holds now.
    #[must_use]
    pub fn contents(&self, root: &str, path: &str) -> Option<Vec<u8>> {
        FAKES.with_borrow(|fakes| fakes.roots.get(root)?.contents(path))
    }

    /// The requests that were sent, in their order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        FAKES.with_borrow(|fakes| fakes.asked.clone())
    }

    /// How many host calls are left.
    #[must_use]
    pub fn host_calls_left(&self) -> u32 {
        FAKES.with_borrow(|fakes| fakes.host_calls)
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        FAKES.with_borrow_mut(|fakes| *fakes = Fakes::new());
    }
}

/// Calls a tool as a host would: with JSON, through the same conversion.
///
/// # Errors
///
/// The tool's own failure; `invalid-arguments` if the JSON does not fit; `internal` if the tool asks a question back: use [`talk`].
pub fn call(plugin: &Plugin, tool: &str, arguments: &serde_json::Value) -> Result<Completion> {
    let request = Request { tool: tool.into(), arguments: arguments.to_string(), resume: None };
    match plugin.call(request)? {
        Reply::Complete(completion) => Ok(completion),
        Reply::InputRequired(_) => Err(crate::Failure::internal("the tool asks a question")),
    }
}

/// The imports of a component, answered from the fakes.
pub(crate) mod host {
    use std::cell::RefCell;

    use super::{Asked, Duration, FAKES, Fakes, Level, Report, Response, Tree, web};
    use crate::{
        files::{BatchItem, Entry, Error, Mode, Payload, Root, WalkOptions, WalkPage},
        http::{self, Header, Parts},
        secrets,
    };

    /// Takes one host call, if there is one.
    fn call<E>(exhausted: E) -> Result<(), E> {
        FAKES.with_borrow_mut(|fakes| {
            fakes.host_calls = fakes.host_calls.checked_sub(1).ok_or(exhausted)?;
            Ok(())
        })
    }

    #[derive(Debug)]
    pub(crate) struct Secret(String);

    impl Secret {
        pub(crate) fn name(&self) -> String {
            self.0.clone()
        }
    }

    pub(crate) fn open(name: &str) -> Result<Secret, secrets::Error> {
        call(secrets::Error::Exhausted)?;
        let granted = FAKES.with_borrow(|fakes| fakes.secrets.contains(name));
        if granted { Ok(Secret(name.into())) } else { Err(secrets::Error::Denied) }
    }

    /// What is left of an answer's body.
    #[derive(Debug)]
    pub(crate) struct Body {
        left: RefCell<Vec<u8>>,
        breaks_off: bool,
    }

    impl Body {
        pub(crate) fn read(&self, max: u32) -> Result<Vec<u8>, http::Error> {
            call(http::Error::Exhausted)?;
            let mut left = self.left.borrow_mut();
            if left.is_empty() && self.breaks_off {
                return Err(http::Error::Unreachable("the answer broke off".into()));
            }
            let length = left.len().min(max.min(http::PIECE) as usize);
            let rest = left.split_off(length);
            Ok(std::mem::replace(&mut left, rest))
        }

        pub(crate) fn text(&self, max: u32) -> Result<String, http::Error> {
            call(http::Error::Exhausted)?;
            let bytes = self.left.take();
            if bytes.len() > max as usize {
                return Err(http::Error::TooLarge);
            }
            if self.breaks_off {
                return Err(http::Error::Unreachable("the answer broke off".into()));
            }
            String::from_utf8(bytes).map_err(|_| http::Error::NotText)
        }
    }

    pub(crate) fn send(parts: Parts, secret: Option<&Secret>) -> Result<(u16, Vec<Header>, Body), http::Error> {
        call(http::Error::Exhausted)?;
        let Parts { method, host, path, query, headers, body } = parts;
        let asked = Asked { method, host, path, query, headers, body, secret: secret.map(Secret::name) };
        web::checked(&asked)?;
        let web = FAKES.with_borrow_mut(|fakes| {
            fakes.asked.push(asked.clone());
            fakes.web.clone()
        });
        // Not borrowed while the closure runs: it may look at the fakes itself.
        let Some(web) = web else { return Err(http::Error::Denied("this test grants no requests".into())) };
        let Response { head, body, breaks_off } = web.ask(&asked);
        let (status, headers) = head?;
        Ok((status, headers, Body { left: RefCell::new(body), breaks_off }))
    }

    fn counted<T>(root: &str, body: impl FnOnce(&mut Tree) -> Result<T, Error>) -> Result<T, Error> {
        FAKES.with_borrow_mut(|fakes| {
            fakes.host_calls = fakes.host_calls.checked_sub(1).ok_or(Error::Exhausted)?;
            body(fakes.roots.get_mut(root).ok_or(Error::Denied)?)
        })
    }

    fn changed<T>(root: &str, body: impl FnOnce(&mut Tree) -> Result<T, Error>) -> Result<T, Error> {
        counted(root, |tree| if tree.writable { body(tree) } else { Err(Error::Denied) })
    }

    pub(crate) fn granted() -> Vec<Root> {
        let root = |(name, tree): (&String, &Tree)| Root { name: name.clone(), writable: tree.writable };
        FAKES.with_borrow(|fakes: &Fakes| fakes.roots.iter().map(root).collect())
    }

    pub(crate) fn list(root: &str, path: &str) -> Result<Vec<Entry>, Error> {
        counted(root, |tree| tree.list(path))
    }

    pub(crate) fn stat(root: &str, path: &str) -> Result<Entry, Error> {
        counted(root, |tree| tree.stat(path))
    }

    pub(crate) fn read(root: &str, path: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
        counted(root, |tree| tree.read(path, offset, length))
    }

    pub(crate) fn read_text(root: &str, path: &str, max: u32) -> Result<String, Error> {
        counted(root, |tree| tree.read_text(path, max))
    }

    pub(crate) fn read_batch(
        root: &str,
        paths: &[String],
        per_file: u32,
        budget: u32,
    ) -> Result<Vec<BatchItem>, Error> {
        counted(root, |tree| tree.read_batch(paths, per_file, budget))
    }

    pub(crate) fn walk(root: &str, path: &str, options: WalkOptions, cursor: Option<&str>) -> Result<WalkPage, Error> {
        counted(root, |tree| tree.walk(path, options, cursor))
    }

    pub(crate) fn write(root: &str, path: &str, data: &Payload, mode: Mode) -> Result<(), Error> {
        changed(root, |tree| tree.write(path, data, mode))
    }

    pub(crate) fn remove(root: &str, path: &str) -> Result<(), Error> {
        changed(root, |tree| tree.remove(path))
    }

    pub(crate) fn move_(root: &str, from: &str, to: &str) -> Result<(), Error> {
        changed(root, |tree| tree.rename(from, to))
    }

    pub(crate) fn mkdir(root: &str, path: &str) -> Result<(), Error> {
        changed(root, |tree| tree.mkdir(path))
    }

    pub(crate) fn log(level: Level, message: &str) {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        FAKES.with_borrow_mut(|fakes| fakes.logged.push(format!("{level}: {message}")));
    }

    pub(crate) fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
        let report = Report { done, total, message: message.unwrap_or_default().into() };
        FAKES.with_borrow_mut(|fakes| fakes.reported.push(report));
    }

    pub(crate) fn wall_clock() -> Duration {
        FAKES.with_borrow(|fakes| fakes.now)
    }

    pub(crate) fn monotonic_clock() -> Duration {
        wall_clock()
    }

    /// SplitMix64: known numbers, spread well.
    pub(crate) fn random_number() -> u64 {
        FAKES.with_borrow_mut(|fakes| {
            fakes.random = fakes.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (fakes.random ^ (fakes.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    }

    pub(crate) fn random_bytes(count: u32) -> Vec<u8> {
        let numbers = std::iter::repeat_with(|| random_number().to_le_bytes());
        numbers.flatten().take(count as usize).collect()
    }
}
