//! The contract with tool authors: a released folder of `wit/deps` never changes.

use std::{collections::BTreeMap, fs, path::Path};

use sha2::{Digest, Sha256};

#[derive(Debug, PartialEq)]
struct Changed {
    folder: String,
    is: Option<String>,
}

/// SHA-256 over the files of a folder, sorted by name, each name and content behind its length.
fn digest(folder: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        for field in [file.file_name().unwrap().as_encoded_bytes(), &fs::read(&file).unwrap()] {
            digest.update((field.len() as u64).to_le_bytes());
            digest.update(field);
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn folders(deps: &Path) -> BTreeMap<String, String> {
    let folders = fs::read_dir(deps).unwrap().map(|folder| folder.unwrap());
    folders.map(|folder| (folder.file_name().into_string().unwrap(), digest(&folder.path()))).collect()
}

/// Released folders that are not what they were, and folders that are neither released nor said to be coming.
fn changed(table: &str, found: &BTreeMap<String, String>) -> Vec<Changed> {
    let table: toml::Table = toml::from_str(table).unwrap();
    let released: BTreeMap<String, String> = table["released"].clone().try_into().unwrap();
    let coming: Vec<String> = table.get("coming").map_or_else(Vec::new, |list| list.clone().try_into().unwrap());
    let lost = released.iter().filter(|(folder, digest)| found.get(*folder) != Some(*digest));
    let known = |folder: &String| released.contains_key(folder) || coming.contains(folder);
    let fresh = found.iter().filter(|(folder, _)| !known(folder));
    let lost = lost.map(|(folder, _)| Changed { folder: folder.clone(), is: found.get(folder).cloned() });
    lost.chain(fresh.map(|(folder, is)| Changed { folder: folder.clone(), is: Some(is.clone()) })).collect()
}

#[test]
fn a_released_folder_never_changes() {
    let wit = crate::checkout().join("wit");
    let table = fs::read_to_string(wit.join("released.toml")).unwrap();
    assert_eq!(changed(&table, &folders(&wit.join("deps"))), [], "see the head of wit/released.toml");
}

#[test]
fn a_comment_more_a_file_less_and_a_new_folder_are_seen() {
    let deps = tempfile::tempdir().unwrap();
    let (old, file) = (deps.path().join("wardkeep-old-0.1.0"), deps.path().join("wardkeep-old-0.1.0/old.wit"));
    fs::create_dir(&old).unwrap();
    fs::write(&file, "package wardkeep:old@0.1.0;").unwrap();
    let table = format!("[released]\n\"wardkeep-old-0.1.0\" = \"{}\"\n", digest(&old));
    assert_eq!(changed(&table, &folders(deps.path())), []);

    fs::write(&file, "package wardkeep:old@0.1.0; // one").unwrap();
    let is = Some(digest(&old));
    assert_eq!(changed(&table, &folders(deps.path())), [Changed { folder: "wardkeep-old-0.1.0".into(), is }]);
    fs::remove_dir_all(&old).unwrap();
    assert_eq!(changed(&table, &folders(deps.path())), [Changed { folder: "wardkeep-old-0.1.0".into(), is: None }]);
    fs::create_dir(deps.path().join("wardkeep-new-0.1.0")).unwrap();
    assert_eq!(changed("[released]", &folders(deps.path())).len(), 1);
    let coming = "coming = [\"wardkeep-new-0.1.0\"]\n[released]";
    assert_eq!(changed(coming, &folders(deps.path())), [], "what is coming may still change");
}

/// componentize-py puts them into docstrings, where a backslash begins an escape and the plugin no longer compiles.
#[test]
fn no_comment_of_the_contract_holds_a_backslash() {
    for folder in fs::read_dir(crate::checkout().join("wit/deps")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            assert!(!fs::read_to_string(&file).unwrap().contains('\\'), "{}", file.display());
        }
    }
}
