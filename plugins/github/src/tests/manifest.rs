//! The README's manifest is one that a host reads, and gives what the README says.

use serde_json::json;
use wardkeep_policy::Manifest;
use wardkeep_sdk::http::segment;

fn shown(page: &str) -> Manifest {
    let block = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    Manifest::parse("manifest.toml", block.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_manifest_of_the_readme_is_read_without_a_fault() {
    let manifest = shown(include_str!("../../README.md"));
    assert_eq!((manifest.name().as_str(), manifest.tools().len(), manifest.grants().len()), ("github", 6, 6));
    let known: Vec<_> = super::plugin().describe().tools.into_iter().map(|tool| tool.name).collect();
    for tool in manifest.tools().values() {
        assert!(known.iter().any(|name| name == tool.name.as_str()), "{}", tool.name);
    }
    assert_eq!(super::plugin().describe().version, manifest.version().to_string());
}

/// Plugin and host must spell a path alike, or nothing that is not plain would ever be let through.
#[test]
fn what_an_argument_becomes_in_a_path_is_what_the_host_expects() {
    for name in ["web", "a b", "ü.x", "50%", "a+b&c", "~x_-."] {
        let pattern: wardkeep_policy::manifest::PathPattern = "=/repos/{/repo}".parse().unwrap();
        let filled = pattern.filled(&json!({ "repo": name })).map(|path| path.to_string());
        if let Some(filled) = filled {
            assert_eq!(filled, format!("=/repos/{}", segment(name)), "{name}");
        }
    }
}
