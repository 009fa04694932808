use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

/// Each of the host's own files, damaged, and the words that say what comes of it and what to do.
#[test]
fn each_damaged_file_of_the_host_s_own_is_found_with_its_mend() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(directory.path().join("wardkeep.toml"), "").unwrap();
    fs::create_dir(directory.path().join("state")).unwrap();
    fs::set_permissions(directory.path().join("state"), fs::Permissions::from_mode(0o700)).unwrap();
    let home = Home::open(Some(directory.path())).unwrap();
    assert!(memory(&home).2.is_empty(), "a home that never served has no fault");
    for (file, comes, mend) in [
        ("state.json", "", "the next start writes it anew from the journal"),
        ("approvals.json", "; a start sets it aside", "calls that waited are asked for anew"),
        ("kills.json", "; everything is stopped", "a host writes it anew from its audit log"),
        ("brakes.json", "; everything is stopped", "what it held is braked no more"),
    ] {
        let path = home.state().join(file);
        for text in ["", "{", "{\"format\":1,\"more\":2}"] {
            fs::write(&path, text).unwrap();
            let (_, state, faults) = memory(&home);
            assert_eq!(state, State::default());
            let [fault] = faults.as_slice() else { panic!("{file}: {faults:?}") };
            assert_eq!(fault.file, format!("state/{file}"));
            assert!(fault.message.contains("is damaged: ") && fault.message.ends_with(comes), "{fault}");
            assert!(fault.mend.as_ref().is_some_and(|told| told.contains(mend)), "{fault}");
        }
        fs::write(&path, "{\"format\":2}").unwrap();
        let faults = memory(&home).2;
        assert!(faults.len() == 1 && faults[0].message.contains("has format 2"), "{faults:?}");
        fs::remove_file(&path).unwrap();
    }
    let audit = directory.path().join("audit");
    fs::create_dir(&audit).unwrap();
    fs::write(audit.join("segment-00000001.jsonl"), "no record\n").unwrap();
    let faults = memory(&home).2;
    assert!(faults.len() == 1 && faults[0].file == "audit", "{faults:?}");
}
