//! What all drivers share: the home with its plugins, where it is served, and when it is over.

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use super::{tally::Tally, wire::Wire};
use crate::support::{
    guests,
    home::{Home, KEY, Plugin, sha256},
};

/// The key of `service:leaver`, who opens sessions and goes away without a word.
pub const LEAVER: &str = "wk_leaver_0123456789abcdef0123456789abcdef";
/// The key of a guest, who is let in and turned out again by reloads.
pub const GUEST: &str = "wk_guest_0123456789abcdef0123456789abcdef";

pub struct Field<'a> {
    pub home: &'a Home,
    pub address: SocketAddr,
    pub tally: Tally,
    pub over: AtomicBool,
    /// Sessions that were left open.
    pub left: Mutex<Vec<String>>,
    numbers: AtomicU64,
}

impl<'a> Field<'a> {
    pub fn new(home: &'a Home, address: SocketAddr) -> Self {
        Self {
            home,
            address,
            tally: Tally::default(),
            over: AtomicBool::new(false),
            left: Mutex::default(),
            numbers: AtomicU64::new(0),
        }
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Sleeps, but not past the end.
    pub fn pause(&self, time: Duration) {
        let step = Duration::from_millis(100);
        let mut left = time;
        while !left.is_zero() && !self.is_over() {
            thread::sleep(left.min(step));
            left = left.saturating_sub(step);
        }
    }

    /// A number that nobody else has.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    pub fn wire(&self) -> Wire {
        self.wire_of(KEY)
    }

    pub fn wire_of(&self, key: &str) -> Wire {
        Wire::open(self.address, key).expect("the host takes connections")
    }
}

/// The `[callers.keys]` of the operator's file besides the tests' own.
pub fn callers(names: &[(&str, &str)]) -> String {
    names.iter().fold(String::new(), |mut text, (name, key)| {
        let digest = sha256(key.as_bytes());
        writeln!(
            text,
            "[callers.keys.{name}]\nsha256 = \"{digest}\"\nprincipal = \"service:{name}\"\ngroups = [\"tests\"]"
        )
        .unwrap();
        text
    })
}

/// A home with plugins that behave, wait, read, report, ask, attack and are asked for by name.
pub fn home() -> Home {
    let home = Home::new();
    let operator = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    // the rude are to be rude for ten minutes, which brakes would end in one
    let calm = "[brakes]\nenabled = false\n";
    home.write("wardkeep.toml", &format!("{operator}{}{calm}", callers(&[("leaver", LEAVER)])));
    let install = |plugin: Plugin<'_>, limits: &str| home.install(&Plugin { limits, ..plugin });
    let clocked = |plugin: Plugin<'_>, limits: &str| home.install(&Plugin { limits, wasi: "inert", ..plugin });
    let (fixture, waits, reports) = (guests::path("fixture"), guests::path("waits"), guests::path("reports"));
    let (asks, hostile, conformance) = (guests::path("asks"), guests::path("hostile"), guests::path("conformance"));
    install(Plugin::plain("fixture", &fixture, &FIXTURE), "concurrency = 32\n");
    let waiting = ["for_ever", "briefly", "many"].map(|tool| (tool, "[\"clock.now\"]"));
    let clock = "[grants.clock.now]\n";
    clocked(Plugin::granted("waits", &waits, &waiting, clock), "deadline = \"1500ms\"\nconcurrency = 32\n");
    let reading = ["list", "read", "search", "stat"].map(|tool| (tool, "[\"files.tree\"]"));
    let tree = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
    let limits = "fuel = 5_000_000_000\nhost_calls = 200\noutput = \"1MiB\"\n";
    install(Plugin::granted("files", &guests::files(), &reading, tree), limits);
    grow(&home.tree());
    install(Plugin::plain("reports", &reports, &["report"]), "");
    install(Plugin { tools: asking(&["ask", "badly"]), ..Plugin::granted("asks", &asks, &[], "") }, "");
    let tight = "fuel = 30_000_000\nmemory = \"16MiB\"\ndeadline = \"1s\"\noutput = \"64KiB\"\n";
    install(Plugin::plain("hostile", &hostile, &HOSTILE), tight);
    install(Plugin::plain("loops", &hostile, &["loop"]), "fuel = 20_000_000_000\ndeadline = \"200ms\"\n");
    let named = CONFORMANCE.map(|tool| (tool, if tool == REPORTS { "[\"clock.now\"]" } else { "[]" }));
    install(Plugin::granted("conformance", &conformance, &named, clock), "");
    home
}

pub const FIXTURE: [&str; 6] = ["echo", "slow", "contents", "fail", "canary", "log"];
/// The one tool of the next that needs a clock.
const REPORTS: &str = "test_tool_with_progress";
pub const CONFORMANCE: [&str; 6] = [
    REPORTS,
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
];
/// None of them comes to a good end.
pub const HOSTILE: [&str; 16] = [
    "loop",
    "allocate",
    "trap",
    "recurse",
    "panic",
    "flood_log",
    "huge_text",
    "huge_structured",
    "many_blocks",
    "bad_json",
    "not_an_object",
    "breaks_its_schema",
    "no_structured",
    "asks",
    "long_failure",
    "wrong_media",
];

fn asking(names: &[&str]) -> String {
    let tool = |name: &&str| {
        format!("[tools.{name}]\neffect = \"read\"\nuses = []\nallow = [\"group:tests\", \"user:me\"]\nasks = true\n")
    };
    names.iter().map(tool).collect()
}

fn grow(tree: &Path) {
    for directory in 0..5 {
        let path = tree.join(format!("d{directory}"));
        fs::create_dir(&path).unwrap();
        for file in 0..20 {
            fs::write(path.join(format!("f{file:02}.txt")), "hay\nhay\na needle\nhay\n").unwrap();
        }
    }
    fs::write(tree.join(".gitignore"), "d4/\n").unwrap();
}
