//! The pages for people on call hold: every command that they show is run in its order, as a person would type it, against a home that serves, and
//! ends with the exit status that the page says.
//!
//! In a `console` block each line is a command after `$ `, and nothing else stands there; `# exits N` at its end says which status is meant, 0
//! without it. What a shell is given is the line as it stands, but for what a page cannot know: the address where a test finds room, and the
//! names of the two approvals that wait when the page comes to them.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{
    guests,
    home::{Home, Plugin, program, sha256},
    http::Mcp,
    serving::Serving,
};

/// Names of approvals, as pages show them.
const APPROVALS: [&str; 2] = ["apv-3f9c2a7be01d4c55", "apv-a81b44d09c3e7f12"];

/// What is damaged when a page has `check` find something.
const DAMAGED: [&str; 3] = ["kills.json", "brakes.json", "state.json"];

/// One command of a page.
#[derive(Debug)]
struct Shown {
    text: String,
    exits: i32,
}

fn page(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)).ok()
}

/// Every command of a page. A line of a block that is none is a page that the test would not hold.
fn commands(page: &str) -> Vec<Shown> {
    let blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let lines = blocks.flat_map(str::lines).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let text = line.strip_prefix("$ ").unwrap_or_else(|| panic!("no command: {line}")).to_owned();
            let exits = text.split_once("# exits ").map_or(0, |(_, status)| {
                status.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse().expect("a status")
            });
            Shown { text, exits }
        })
        .collect()
}

/// A machine of somebody on call: a home, the host that serves it, their own directory.
struct Desk {
    home: Home,
    own: tempfile::TempDir,
    serving: Option<Serving>,
    /// Those that wait, once the page has asked for them.
    approvals: Vec<String>,
}

impl Desk {
    fn new() -> Self {
        let home = Home::new();
        let component = guests::files();
        let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
        let tools = ["list", "read", "search", "stat"].map(|tool| (tool, "[\"files.tree\"]"));
        home.install(&Plugin::granted("files", &component, &tools, grants));
        let component = guests::path("writes");
        let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"write\"\n";
        let keep = "[tools.keep]\neffect = \"write\"\nside_effects = \"keeps a note\"\nuses = [\"files.tree\"]\n\
                    allow = [\"group:tests\"]\nconfirm = \"operator\"\n";
        home.install(&Plugin { tools: keep.to_owned(), ..Plugin::granted("writes", &component, &[], grants) });
        let operator = fs::OpenOptions::new().append(true).open(home.path().join("wardkeep.toml"));
        let key = sha256(b"wk_ci");
        writeln!(
            operator.unwrap(),
            "[callers.keys.on-call]\nsha256 = \"{key}\"\nprincipal = \"service:ci\"\ngroups = [\"tests\"]\nwrites = true\n\
             [sources.file]\ndirectory = \"secrets\""
        )
        .unwrap();
        let secrets = home.path().join("secrets");
        fs::create_dir(&secrets).unwrap();
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700)).unwrap();
        let own = tempfile::Builder::new().prefix("wk-").tempdir().unwrap();
        fs::create_dir(own.path().join("bin")).unwrap();
        symlink(program(), own.path().join("bin/wardkeep")).unwrap();
        let serving = Some(home.serve());
        Self { home, own, serving, approvals: Vec::new() }
    }

    fn address(&self) -> String {
        self.serving.as_ref().map_or_else(String::new, |serving| serving.address.to_string())
    }

    /// Two writes wait for the operator.
    fn ask_for_approvals(&mut self) {
        let serving = self.serving.as_ref().expect("a host that serves");
        let mcp = Mcp { address: serving.address, key: "wk_ci".to_owned() };
        for path in ["a.txt", "b.txt"] {
            let answer = mcp.call("writes_keep", json!({ "root": "tree", "path": path, "text": "kept" }));
            let name = &answer["result"]["_meta"]["dev.wardkeep/approval"];
            self.approvals.push(name.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
        }
    }

    fn run(&mut self, shown: &Shown) {
        if shown.text.trim() == "wardkeep serve" {
            let before = self.serving.take().expect("a host that served");
            assert!(before.ends(), "the page starts a host where another still serves");
            self.serving = Some(self.home.serve());
            return;
        }
        if shown.text.starts_with("wardkeep approvals list") && self.approvals.is_empty() {
            self.ask_for_approvals();
        }
        if shown.text.starts_with("wardkeep check") && shown.exits == 1 {
            for file in DAMAGED {
                self.home.write(&format!("state/{file}"), "{");
            }
        }
        let mut text = shown.text.replace("127.0.0.1:8080", &self.address());
        for (shown, there) in APPROVALS.iter().zip(&self.approvals) {
            text = text.replace(shown, there);
        }
        let path = format!("{}:{}", self.own.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new("sh")
            .arg("-c")
            .arg(text)
            .env("PATH", path)
            .env("HOME", self.own.path())
            .env("WARDKEEP_HOME", self.home.path())
            .env("NEW_TOKEN", "wk-test-credential-0123456789")
            .env("NO_COLOR", "1")
            .env_remove("RUST_LOG")
            .current_dir(self.own.path())
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(shown.exits), "{}\n{said}", shown.text);
        if let Some((_, status)) = shown.text.split_once("http_code}\\n'").and_then(|(_, rest)| rest.split_once("# ")) {
            let (status, _) = status.split_once(':').expect("what the answer means");
            assert_eq!(said, format!("{status}\n"), "{}", shown.text);
        }
        if shown.text.starts_with("wardkeep check") && shown.exits == 1 {
            for file in DAMAGED {
                let found = said.contains(&format!("fault    state/{file}: "));
                assert!(found && said.contains(&format!("{file}` is damaged: ")), "{file}: {said}");
            }
        }
    }
}

#[test]
fn every_command_of_the_operations_page_does_what_the_page_says() {
    let shown = commands(&page("operations.md").expect("the page"));
    assert!(shown.len() >= 40, "{} commands: the page was emptied, or its blocks are of another kind", shown.len());
    let mut desk = Desk::new();
    let listed = |desk: &Desk| desk.serving.as_ref().unwrap().mcp().tools();
    let before = listed(&desk);
    for shown in &shown {
        desk.run(shown);
    }
    // whoever follows the page to its end has stopped nothing for good
    assert_eq!(desk.home.json(&["kills"])["kills"], json!([]));
    assert_eq!(listed(&desk), before);
    let decided = |code: &str| desk.home.journal().iter().filter(|line| line["metadata"]["event_code"] == code).count();
    // the one that was approved and not used is taken along by the page's next kill of its caller
    let codes = ["approval-asked", "approved", "approval-denied", "approval-withdrawn"];
    assert_eq!(codes.map(decided), [2, 1, 1, 1]);
    let text = shown.iter().map(|shown| shown.text.as_str()).collect::<Vec<_>>().join("\n");
    for command in [
        "kill ",
        "kills",
        "revive ",
        "approvals approve",
        "approvals deny",
        "check",
        "secrets",
        "keys new",
        "keys revoke",
        "audit query",
        "audit verify",
    ] {
        assert!(text.contains(&format!("wardkeep {command}")), "`{command}` is not shown");
    }
}

#[test]
fn every_command_of_the_callers_page_does_what_the_page_says() {
    let shown = commands(&page("callers.md").expect("the page"));
    assert!(shown.len() >= 15, "{} commands: the page was emptied", shown.len());
    let mut desk = Desk::new();
    for shown in &shown {
        desk.run(shown);
    }
}
