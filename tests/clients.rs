//! Real clients, over stdio and HTTP, in each revision that they speak: each lists, calls, hears progress, cancels a call, answers a
//! question and confirms a write; and where it cannot ask anybody, its write waits for the operator. A client that is missing is skipped aloud, and is a failure under CI, where `.ci/run` installs it.

mod inspector;
mod scripted;

use std::{
    env,
    io::Write as _,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    confirming::PERSON,
    support::{
        guests,
        home::{Home, Plugin, program},
    },
};

/// The value of an environment variable that names a client.
pub fn client(variable: &str) -> Option<String> {
    match env::var(variable) {
        Ok(path) => Some(path),
        Err(_) if env::var_os("CI").is_some_and(|ci| !ci.is_empty()) => {
            panic!("{variable} is not set; under CI every client must be there (see .ci/run)")
        }
        Err(_) => {
            // not `eprintln!`: the test runner swallows that where a test passes, and nobody would know
            let text = format!(
                "SKIPPED: {variable} is not set; `.ci/run --install-clients` installs the clients and prints it\n"
            );
            std::io::stderr().write_all(text.as_bytes()).expect("standard error takes it");
            None
        }
    }
}

/// A home with a tool to call, one that tells how far it is, one that asks, one that says that it has begun and never ends, and one that writes
/// when its person says yes.
fn home() -> Home {
    let home = Home::new();
    let mut operator = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    for groups in ["groups = [\"tests\"]\n", "groups = [\"engineering\"]\n"] {
        operator = operator.replace(groups, &format!("{groups}{PERSON}"));
    }
    home.write("wardkeep.toml", &operator);
    let wasm = guests::path("writes");
    let tools = "[tools.keep]\neffect = \"write\"\nside_effects = \"writes a note\"\nuses = [\"files.tree\"]\n\
                 allow = [\"group:tests\", \"user:me\"]\n"
        .to_owned();
    let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"write\"\n";
    home.install(&Plugin { tools, ..Plugin::granted("writes", &wasm, &[], grants) });
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home.install(&Plugin::plain("reports", &guests::path("reports"), &["report"]));
    let wasm = guests::path("waits");
    let mut waits = Plugin::granted("waits", &wasm, &[("for_ever", "[\"clock.now\"]")], "[grants.clock.now]\n");
    waits.limits = "deadline = \"60s\"\n";
    home.install(&waits);
    let wasm = guests::path("asks");
    let tools =
        "[tools.ask]\neffect = \"read\"\nallow = [\"group:tests\", \"user:me\"]\nuses = []\nasks = true\n".to_owned();
    home.install(&Plugin { tools, ..Plugin::granted("asks", &wasm, &[], "") });
    home
}

const TOOLS: [&str; 5] = ["asks_ask", "fixture_echo", "reports_report", "waits_for_ever", "writes_keep"];

/// How the writes on record were confirmed.
fn confirmed(home: &Home) -> Vec<String> {
    let writes = lines(home, "intent").into_iter().filter(|line| line["unmapped"]["effect"] == "write");
    writes.map(|line| line["unmapped"]["confirmed"]["how"].as_str().unwrap_or("not at all").to_owned()).collect()
}

fn json_of(command: &mut Command) -> Value {
    let output = command.output().expect("the client starts");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    // some clients go without a schema that they cannot compile, and say so here only
    assert!(!errors.contains("unknown format"), "{errors}");
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// How `serve --stdio` of this home is started.
fn stdio(home: &Home) -> Vec<String> {
    let program = program();
    let (program, path) = (program.to_str().unwrap(), home.path().to_str().unwrap());
    [program, "--home", path, "serve", "--stdio"].map(str::to_owned).to_vec()
}

fn lines(home: &Home, phase: &str) -> Vec<Value> {
    home.journal().into_iter().filter(|line| line["unmapped"]["phase"] == phase).collect()
}

/// The revision of each call, as its record says it.
fn protocols(home: &Home) -> Vec<String> {
    lines(home, "intent").iter().map(|line| line["unmapped"]["protocol"].as_str().unwrap_or_default().into()).collect()
}

/// How each call ended, in the order that they began; waits for all of them to have ended.
fn outcomes(home: &Home) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let (intents, outcomes) = (lines(home, "intent"), lines(home, "outcome"));
        let ended = intents.iter().map(|intent| {
            let id = &intent["metadata"]["correlation_uid"];
            let outcome = outcomes.iter().find(|outcome| outcome["metadata"]["correlation_uid"] == *id)?;
            Some(outcome["unmapped"]["outcome"].as_str().unwrap_or_default().to_owned())
        });
        if let Some(ended) = ended.collect() {
            return ended;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "a call goes on: {intents:?} {outcomes:?}");
        thread::sleep(Duration::from_millis(20));
    }
}
