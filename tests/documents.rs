//! What the documents show is what there is.

use std::fs;

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
    for page in ["README.md", "docs/architecture.md", "docs/manifest.md", "docs/audit.md"] {
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
