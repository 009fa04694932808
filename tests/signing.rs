//! Before a signature: whoever signs is told together what the home would refuse, and need not sign twice.

use std::fs;

use serde_json::Value;

use crate::support::{
    guests,
    home::{Home, Plugin},
};

fn faults(checked: &Value) -> Vec<String> {
    let rejected = checked["rejected"].as_array().unwrap();
    let faults = rejected.iter().flat_map(|rejected| rejected["faults"].as_array().unwrap());
    faults.map(|fault| format!("{}: {}", fault["key"].as_str().unwrap(), fault["message"].as_str().unwrap())).collect()
}

fn check(home: &Home) -> Vec<String> {
    let output = home.run(&["--json", "check"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    faults(&serde_json::from_slice(&output.stdout).unwrap())
}

/// A plugin of the home that is not signed, after these edits of its manifest.
fn unsigned(home: &Home, edits: &[(&str, &str)]) {
    let component = guests::path("fixture");
    let grant = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
    home.install(&Plugin::granted("fixture", &component, &[("echo", "[\"files.tree\"]")], grant));
    let manifest = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    let edited = edits.iter().fold(manifest, |text, (from, to)| {
        assert!(text.contains(from), "{from}: {text}");
        text.replace(from, to)
    });
    home.write("plugins/fixture/manifest.toml", &edited);
    fs::remove_dir_all(home.path().join("plugins/fixture/manifest.toml.sigs")).unwrap();
}

#[test]
fn check_looks_at_the_component_of_a_manifest_that_is_not_signed_yet() {
    let home = Home::new();
    let signed = ": signed by 0 of the 1 people whom a manifest with a read tool needs";
    // the root is not there, and the component has no such tool
    unsigned(&home, &[("root = \"tree\"", "root = \"wiki\""), ("[tools.echo]", "[tools.ecco]")]);
    let told = check(&home);
    assert!(told.contains(&signed.to_owned()), "{told:?}");
    assert!(told.contains(&"tools.ecco: the component has no tool of this name".to_owned()), "{told:?}");
    let root = "grants.files.tree.root: this host has no root named `wiki`, or none that may be used";
    assert!(told.contains(&root.to_owned()), "{told:?}");

    // the component imports what no grant gives
    let component = guests::path("writes");
    home.install(&Plugin::plain("writes", &component, &["scribble"]));
    fs::remove_dir_all(home.path().join("plugins/writes/manifest.toml.sigs")).unwrap();
    let told = check(&home);
    assert!(
        told.iter().any(|told| told.contains("`wardkeep:files/writer@0.1.0`, which this manifest does not grant")),
        "{told:?}"
    );
    fs::remove_dir_all(home.path().join("plugins/writes")).unwrap();

    // another story than the pinned one
    let contract = home.json(&["inspect", guests::path("fixture").to_str().unwrap()])["contract_sha256"].clone();
    unsigned(&home, &[(contract.as_str().unwrap(), &"0".repeat(64))]);
    let told = check(&home);
    let story = "component.contract_sha256: the component tells another story of its tools than the approved one";
    assert_eq!(told, [signed, story]);

    // another component than the pinned one is told, and not compiled
    unsigned(&home, &[]);
    fs::write(home.path().join("plugins/fixture/fixture.wasm"), "not even a component").unwrap();
    assert_eq!(check(&home), [signed, "component.sha256: fixture.wasm is another component than the approved one"]);
    fs::remove_file(home.path().join("plugins/fixture/fixture.wasm")).unwrap();
    assert!(check(&home)[1].starts_with("component.file: "), "{:?}", check(&home));

    // nothing but the signature is missing
    unsigned(&home, &[]);
    assert_eq!(check(&home), [signed]);
    assert!(home.journal().is_empty());
}

#[test]
fn sign_tells_what_the_home_would_refuse_before_it_asks() {
    let home = Home::new();
    let key = home.path().join("key");
    home.write("key", &home.approver.private);
    let sign = |path: &str| {
        let output = home.run(&["sign", path, "--key", key.to_str().unwrap()]);
        // standard input is no terminal, so that nothing is signed
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let path = home.path().join("plugins/fixture");
    let path = path.to_str().unwrap();
    unsigned(&home, &[]);
    assert!(!sign(path).contains("refused here"), "{}", sign(path));
    unsigned(&home, &[("root = \"tree\"", "root = \"wiki\""), ("[tools.echo]", "[tools.ecco]")]);
    let told = sign(path);
    for fault in ["grants.files.tree.root: this host has no root", "tools.ecco: the component has no tool of this name"]
    {
        assert!(told.lines().any(|line| line.starts_with("refused here") && line.contains(fault)), "{fault}: {told}");
    }

    // a serial that is in service already stands for other bytes
    unsigned(&home, &[]);
    home.sign("fixture");
    home.serve().terminate();
    unsigned(&home, &[("to be tested", "to be tested again")]);
    let told = sign(path);
    let line = told.lines().find(|line| line.contains("plugin.serial")).unwrap_or_else(|| panic!("{told}"));
    assert!(line.starts_with("refused here"), "{line}");
    // and so it does elsewhere, where the name of the directory says nothing
    let elsewhere = tempfile::tempdir().unwrap();
    for file in ["manifest.toml", "fixture.wasm"] {
        fs::copy(home.path().join("plugins/fixture").join(file), elsewhere.path().join(file)).unwrap();
    }
    let told = sign(elsewhere.path().to_str().unwrap());
    assert!(told.contains("plugin.serial") && !told.contains("lies in a directory"), "{told}");
}
