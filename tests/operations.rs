//! The pages for people on call hold: every command that they show is run in its order, as a person would type it, against a home that serves, and
//! ends with the exit status that the page says.
//!
//! In a `console` block each line is a command after `$ `, and nothing else stands there; `# exits N` at its end says which status is meant, 0
//! without it. What a shell is given is the line as it stands, but for the address: pages say 127.0.0.1:8080, a test listens where there is room.

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
    serving::Serving,
};

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
}

impl Desk {
    fn new() -> Self {
        let home = Home::new();
        let component = guests::files();
        let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
        let tools = ["list", "read", "search", "stat"].map(|tool| (tool, "[\"files.tree\"]"));
        home.install(&Plugin::granted("files", &component, &tools, grants));
        let operator = fs::OpenOptions::new().append(true).open(home.path().join("wardkeep.toml"));
        let key = sha256(b"wk_ci");
        writeln!(
            operator.unwrap(),
            "[callers.keys.on-call]\nsha256 = \"{key}\"\nprincipal = \"service:ci\"\ngroups = [\"tests\"]\n\
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
        Self { home, own, serving }
    }

    fn address(&self) -> String {
        self.serving.as_ref().map_or_else(String::new, |serving| serving.address.to_string())
    }

    fn run(&mut self, shown: &Shown) {
        if shown.text.trim() == "wardkeep serve" {
            let before = self.serving.take().expect("a host that served");
            assert!(before.ends(), "the page starts a host where another still serves");
            self.serving = Some(self.home.serve());
            return;
        }
        let path = format!("{}:{}", self.own.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let output = Command::new("sh")
            .arg("-c")
            .arg(shown.text.replace("127.0.0.1:8080", &self.address()))
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
    let text = shown.iter().map(|shown| shown.text.as_str()).collect::<Vec<_>>().join("\n");
    for command in
        ["kill ", "kills", "revive ", "check", "secrets", "keys new", "keys revoke", "audit query", "audit verify"]
    {
        assert!(text.contains(&format!("wardkeep {command}")), "`{command}` is not shown");
    }
}

#[test]
fn every_command_of_the_callers_page_does_what_the_page_says() {
    // the page comes with the callers themselves
    let Some(page) = page("callers.md") else {
        eprintln!("there is no docs/callers.md: nothing of it was run");
        return;
    };
    let shown = commands(&page);
    assert!(!shown.is_empty(), "the page shows no command");
    let mut desk = Desk::new();
    for shown in &shown {
        desk.run(shown);
    }
}
