//! The walls between the host's crates, kept by the graph that cargo builds from.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Each host crate with the host crates that it may depend on. Arrows point down only.
const FLOORS: [(&str, &[&str]); 7] = [
    ("wardkeep-model", &[]),
    ("wardkeep-policy", &["wardkeep-model"]),
    ("wardkeep-audit", &["wardkeep-model"]),
    ("wardkeep-capabilities", &["wardkeep-model", "wardkeep-policy"]),
    ("wardkeep-sandbox", &["wardkeep-model", "wardkeep-policy", "wardkeep-audit", "wardkeep-capabilities"]),
    ("wardkeep-gateway", &["wardkeep-model", "wardkeep-policy", "wardkeep-audit", "wardkeep-sandbox"]),
    (
        "wardkeep",
        &[
            "wardkeep-model",
            "wardkeep-policy",
            "wardkeep-audit",
            "wardkeep-capabilities",
            "wardkeep-sandbox",
            "wardkeep-gateway",
        ],
    ),
];

/// Packages that only some crates of the workspace may know, tests aside.
const KEPT: [(&str, &[&str]); 7] = [
    ("wasmtime", &["wardkeep-capabilities", "wardkeep-sandbox"]),
    ("rmcp", &["wardkeep-gateway"]),
    ("axum", &["wardkeep-gateway"]),
    ("hyper", &["wardkeep-gateway", "wardkeep-capabilities"]),
    ("ssh-key", &["wardkeep-policy"]),
    ("jsonschema", &["wardkeep-policy"]),
    ("cap-std", &["wardkeep-capabilities"]),
];

fn direct() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata answers");
    let normal = |package: &cargo_metadata::Package| {
        package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal).map(|d| d.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

#[test]
fn host_crates_depend_on_lower_floors_only() {
    let direct = direct();
    for (name, allowed) in FLOORS {
        let known = direct.get(name).unwrap_or_else(|| panic!("`{name}` is no member of the workspace any more"));
        let upward: Vec<_> =
            known.iter().filter(|d| d.starts_with("wardkeep") && !allowed.contains(&d.as_str())).collect();
        assert!(upward.is_empty(), "`{name}` must not depend on {upward:?}");
    }
}

#[test]
fn only_the_crates_meant_to_know_a_package_do() {
    let direct = direct();
    // its files, sockets and preview 1 must never be linked: tests alone hold our own baseline beside it
    let linked: Vec<_> = direct.iter().filter(|(_, known)| known.contains("wasmtime-wasi")).collect();
    assert!(linked.is_empty(), "wasmtime-wasi is linked by {linked:?}");
    for (package, keepers) in KEPT {
        let others: Vec<_> = direct
            .iter()
            .filter(|(name, known)| known.contains(package) && !keepers.contains(&name.as_str()))
            .collect();
        assert!(others.is_empty(), "`{package}` is known to others than {keepers:?}: {others:?}");
        assert!(keepers.iter().any(|keeper| direct[*keeper].contains(package)), "nobody uses `{package}`: strike it");
    }
}
