//! `wardkeep --version` says what the binary is made of, and can't go stale: it is compared with the lock file and with
//! `wit/`.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn says(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_wardkeep")).args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The version that `Cargo.lock` has of the one package of that name.
fn locked(name: &str) -> String {
    let lock: toml::Table = fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let found: Vec<_> = packages.iter().filter(|package| package["name"].as_str() == Some(name)).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0]["version"].as_str().unwrap().to_owned()
}

/// The folders of `wit/deps` are named after what they hold: `wardkeep-files-0.1.0` is `wardkeep:files@0.1.0`.
fn packages() -> Vec<String> {
    let folders = fs::read_dir(root().join("wit/deps")).unwrap();
    let mut packages: Vec<_> = folders
        .map(|folder| {
            let name = folder.unwrap().file_name().into_string().unwrap();
            let (package, version) = name.rsplit_once('-').unwrap();
            format!("{}@{version}", package.replacen('-', ":", 1))
        })
        .collect();
    packages.sort();
    packages
}

#[test]
fn the_binary_says_what_it_is_made_of_and_what_it_speaks() {
    let expected = json!({
        "wardkeep": locked("wardkeep"),
        "wasmtime": locked("wasmtime"),
        "rmcp": locked("rmcp"),
        "wit": packages(),
        "manifest": 1,
        "mcp": ["2026-07-28", "2025-11-25", "2025-06-18"],
    });
    for words in [["--version", "--json"], ["--json", "--version"]] {
        assert_eq!(serde_json::from_str::<Value>(&says(&words)).unwrap(), expected, "{words:?}");
    }

    let text = says(&["--version"]);
    let lines: Vec<_> =
        text.lines().map(|line| line.split_once(' ').map(|(key, rest)| (key, rest.trim())).unwrap()).collect();
    let list = |key: &str| {
        expected[key].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        lines,
        [
            ("wardkeep", expected["wardkeep"].as_str().unwrap()),
            ("wasmtime", expected["wasmtime"].as_str().unwrap()),
            ("rmcp", expected["rmcp"].as_str().unwrap()),
            ("wit", &list("wit")),
            ("manifest", "format 1"),
            ("mcp", &list("mcp")),
        ]
    );
}

#[test]
fn the_short_version_is_one_line_for_scripts() {
    assert_eq!(says(&["-V"]), format!("wardkeep {}\n", locked("wardkeep")));
    assert_eq!(says(&["serve", "-V"]), format!("wardkeep-serve {}\n", locked("wardkeep")));
}
