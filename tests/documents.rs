//! What the documents show is what there is.

use std::{fs, path::PathBuf};

fn read(file: &str) -> String {
    let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_readme_shows_the_hello_plugin_as_it_is_in_under_30_lines() {
    let source = read("examples/rust-hello/src/lib.rs");
    let plugin = source.split("#[cfg(test)]").next().expect("there is always a first part").trim_end();
    assert!(plugin.lines().count() < 30, "{} lines", plugin.lines().count());
    assert!(read("README.md").contains(plugin), "README.md shows another plugin than examples/rust-hello");
}

#[test]
fn the_gate_runs_exactly_the_test_command_of_the_readme() {
    let command = "cargo test --workspace";
    assert!(read("README.md").lines().any(|line| line.starts_with(command)));
    let gate = read(".ci/run");
    let last = gate.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    assert_eq!(last, command);
}

#[test]
fn every_page_that_a_page_links_to_is_there() {
    for page in [
        "README.md",
        "docs/architecture.md",
        "docs/manifest.md",
        "docs/plugins.md",
        "docs/secrets.md",
        "docs/audit.md",
        "docs/limits.md",
        "docs/security-model.md",
        "docs/confirmation.md",
        "plugins/files/README.md",
        "plugins/github/README.md",
    ] {
        let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
        let text = read(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or(link);
            let path = format!("{}/../../{folder}/{file}", env!("CARGO_MANIFEST_DIR"));
            assert!(fs::exists(&path).unwrap_or(false), "{page} links to {link}, which is not there");
        }
    }
}

/// A line of the model without its test, or with one that was renamed away, is a claim that nobody keeps.
#[test]
fn every_test_that_the_security_model_names_is_there() {
    let model = read("docs/security-model.md");
    let sources = rust_files(&["tests", "host"]);
    let named: Vec<_> = model.split('`').skip(1).step_by(2).filter(|word| is_test_name(word)).collect();
    assert!(named.len() > 50, "{} names", named.len());
    for name in named {
        let function = format!("fn {name}(");
        assert!(sources.iter().any(|source| source.contains(&function)), "docs/security-model.md names {name}");
    }
}

/// Tests are named by sentences; nothing else in the page has so many words.
fn is_test_name(word: &str) -> bool {
    word.matches('_').count() >= 3 && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn rust_files(folders: &[&str]) -> Vec<String> {
    let mut open: Vec<_> =
        folders.iter().map(|f| PathBuf::from(format!("{}/../../{f}", env!("CARGO_MANIFEST_DIR")))).collect();
    let mut texts = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(&path).unwrap());
        }
    }
    texts
}
