use wardkeep_model::FilesAsk;

use super::*;
use crate::manifest::FilesGrant;

fn none() -> Description {
    Description { name: "x".into(), version: "1.0.0".into(), tools: Vec::new() }
}

fn lets_in(grants: &Grants, import: &str) -> bool {
    missing(&[import.to_owned()], grants, &none()).is_none()
}

fn files(access: Access) -> Grants {
    Grants { files: vec![FilesGrant { root: "reports".parse().unwrap(), access }], ..Grants::default() }
}

#[test]
fn each_grant_lets_in_its_own_interfaces_and_no_other() {
    let nothing = Grants::default();
    let grants = [
        ("nothing", nothing.clone()),
        ("files", files(Access::Read)),
        ("clock", Grants { clock: true, ..nothing.clone() }),
        ("random", Grants { random: true, ..nothing.clone() }),
        ("inert", Grants { wasi_inert: true, ..nothing }),
    ];
    for (import, by) in [
        ("wardkeep:log/log@0.1.0", &["nothing", "files", "clock", "random", "inert"][..]),
        ("wardkeep:progress/progress@0.1.0", &["nothing", "files", "clock", "random", "inert"]),
        ("wardkeep:files/reader@0.1.0", &["files"]),
        ("wasi:clocks/wall-clock@0.2.6", &["clock", "inert"]),
        ("wasi:clocks/monotonic-clock@0.2.0", &["clock", "inert"]),
        ("wasi:clocks/timezone@0.2.0", &["inert"]),
        ("wasi:io/poll@0.2.6", &["clock", "inert"]),
        ("wasi:io/streams@0.2.6", &["inert"]),
        ("wasi:random/random@0.2.6", &["random", "inert"]),
        ("wasi:random/insecure@0.2.6", &["random", "inert"]),
        ("wasi:cli/environment@0.2.3", &["inert"]),
        ("wasi:filesystem/types@0.2.3", &["inert"]),
        ("wasi:sockets/tcp@0.2.3", &["inert"]),
        ("wasi:http/outgoing-handler@0.2.3", &["inert"]),
        ("wardkeep:files/writer@0.1.0", &[]),
        ("wardkeep:http/client@0.1.0", &[]),
        ("wardkeep:secrets/store@0.1.0", &[]),
        ("wardkeep:log/other@0.1.0", &[]),
        ("wardkeep:log/log", &[]),
        ("wasi:cli", &[]),
        ("wasi:cli/environment", &[]),
        ("wasi:cli/environment@0.3.0", &[]),
        ("wasi:keyvalue/store@0.2.0", &[]),
        ("wasi_snapshot_preview1", &[]),
        ("wasi:clients/x@0.2.0", &[]),
        ("", &[]),
        ("env", &[]),
    ] {
        let by_now: Vec<&str> =
            grants.iter().filter(|(_, grants)| lets_in(grants, import)).map(|(name, _)| *name).collect();
        assert_eq!(by_now, by, "{import}");
    }
    assert!(!lets_in(&files(Access::Write), "wardkeep:files/writer@0.1.0"), "not enforceable yet");
}

#[test]
fn an_import_is_matched_by_its_compatible_track() {
    let grants = files(Access::Read);
    for (version, fits) in [
        ("0.1.0", true),
        ("0.1.7", true),
        ("0.2.0", false),
        ("1.1.0", false),
        ("0.0.1", false),
        ("0.1.0-rc.1", false),
        ("0.1", false),
        ("", false),
    ] {
        assert_eq!(lets_in(&grants, &format!("wardkeep:files/reader@{version}")), fits, "{version}");
    }
}

#[test]
fn all_missing_grants_are_named_with_the_lines_that_would_grant_them() {
    let ask = |root: &str| Ask::Files(FilesAsk { root: root.into(), write: false, purpose: String::new() });
    let mut description = none();
    description.tools.push(wardkeep_model::Definition {
        name: "search".into(),
        title: None,
        description: String::new(),
        input_schema: String::new(),
        output_schema: None,
        effect: wardkeep_model::Effect::Read,
        idempotent: true,
        asks: vec![ask("wiki"), ask("x\"\n[grants.files.all]"), ask("docs"), ask("wiki")],
    });
    let imports = ["wardkeep:files/reader@0.1.0", "wasi:random/random@0.2.6", "evil\n\"x"].map(String::from);
    let (message, mend) = missing(&imports, &Grants::default(), &description).unwrap();
    assert_eq!(
        message,
        "the component imports `wardkeep:files/reader@0.1.0`, `wasi:random/random@0.2.6`, which this manifest does not grant; \
         imports `evil\\u{a}\"x`, which this host does not have"
    );
    assert_eq!(
        mend,
        "grant it with these lines, and list it in `uses` of each tool that needs it:\n\
         [grants.files.docs]\nroot = \"docs\"\naccess = \"read\"\n[grants.files.wiki]\nroot = \"wiki\"\naccess = \"read\"\n\
         [grants.random.any]\nif unused, leave it out of your world: the import goes away with it"
    );
}
