use wardkeep_model::{Ask, Definition, Effect, FilesAsk, HttpAsk, SecretAsk};

use super::*;
use crate::manifest::{FilesGrant, Manifest};

fn none() -> Description {
    Description { name: "x".into(), version: "1.0.0".into(), tools: Vec::new() }
}

fn lets_in(grants: &Grants, import: &str) -> bool {
    missing(&[import.to_owned()], grants, &none()).is_none()
}

fn files(access: Access) -> Grants {
    Grants { files: vec![FilesGrant { root: "reports".parse().unwrap(), access }], ..Grants::default() }
}

const EVERY: &[&str] = &["nothing", "files", "writing", "http", "secret", "clock", "random", "inert"];

/// As a manifest grants it.
fn http(secret: bool) -> Grants {
    let (secret, table) = match secret {
        true => ("secret = \"token\"\n", "[secrets.token]\nsource = \"file:token\"\ninject = { header = \"x-key\" }\n"),
        false => ("", ""),
    };
    let manifest = manifest(&format!(
        "[grants.http.api]\nhost = \"api.example.com\"\nmethods = [\"GET\"]\npaths = [\"/\"]\n{secret}{table}\
         [tools.t]\neffect = \"read\"\nuses = [\"http.api\"]\n"
    ));
    of(&manifest)
}

fn manifest(tables: &str) -> Manifest {
    let digest = "0".repeat(64);
    let head = format!(
        "format = 1\n[plugin]\nname = \"x\"\nversion = \"1.0.0\"\nserial = 1\nexpires = 2027-01-01\nowner = \"me\"\n\
         [component]\nfile = \"x.wasm\"\nsha256 = \"{digest}\"\ncontract_sha256 = \"{digest}\"\n"
    );
    Manifest::parse("m.toml", format!("{head}{tables}").as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
}

/// What its tools hold together.
fn of(manifest: &Manifest) -> Grants {
    let grants = manifest.tools().values().map(|tool| Grants::of(manifest, tool));
    grants.fold(Grants::default(), |all, grants| all.with(&grants))
}

#[test]
fn a_plugin_without_a_tool_that_writes_gets_no_writing_import() {
    let granted = |effect: &str| {
        of(&manifest(&format!(
            "[grants.files.notes]\nroot = \"notes\"\naccess = \"write\"\n\
             [tools.t]\neffect = \"{effect}\"\nside_effects = \"writes\"\nuses = [\"files.notes\"]\n"
        )))
    };
    let writer = "wardkeep:files/writer@0.1.0";
    assert!(lets_in(&granted("write"), writer) && lets_in(&granted("destructive"), writer));
    let (message, mend) = missing(&[writer.into()], &granted("read"), &asking(vec![files_ask("notes", true)])).unwrap();
    assert_eq!(message, "the component imports `wardkeep:files/writer@0.1.0`, which this manifest does not grant");
    assert_eq!(
        mend,
        "grant it with these lines, and list it in `uses` of each tool that needs it:\n\
         [grants.files.notes-write]\nroot = \"notes\"\naccess = \"write\"\n\
         what writes is for tools with effect = \"write\" or \"destructive\": one of them has to use it\n\
         for the plugin's author: if unused, leave it out of your world: the import goes away with it"
    );
}

#[test]
fn the_lines_that_a_refusal_proposes_are_those_that_let_the_component_in() {
    let http = |host: &str, methods: &[&str]| {
        let methods = methods.iter().map(|method| (*method).into()).collect();
        Ask::Http(HttpAsk { host: host.into(), methods, purpose: String::new() })
    };
    let secret = |name: &str| Ask::Secret(SecretAsk { name: name.into(), purpose: String::new() });
    let description = |effect| {
        let mut description = asking(vec![
            http("api.example.com", &["GET", "POST"]),
            http("*.example.com", &["HEAD"]),
            http("no host", &["GET"]),
            secret("token"),
            files_ask("notes", true),
        ]);
        description.tools[0].effect = effect;
        description
    };
    let imports = [
        "wardkeep:http/client@0.1.0",
        "wardkeep:secrets/store@0.1.0",
        "wardkeep:files/reader@0.1.0",
        "wardkeep:files/writer@0.1.0",
        "wasi:clocks/wall-clock@0.2.0",
    ]
    .map(String::from);
    // With and without asks, each import alone and all together.
    for description in [description(Effect::Write), description(Effect::Read), none()] {
        for wanted in imports.iter().map(std::slice::from_ref).chain([&imports[..]]) {
            let (_, mend) = missing(wanted, &Grants::default(), &description).unwrap();
            let lines = |line: &&str| line.starts_with('[') || line.contains(" = ") && !line.starts_with("what writes");
            let tables: String = mend.lines().filter(lines).map(|line| format!("{line}\n")).collect();
            let keys = |line: &str| Some(line.strip_prefix("[grants.")?.strip_suffix(']')?.to_owned());
            let uses: Vec<String> = tables.lines().filter_map(keys).map(|key| format!("\"{key}\"")).collect();
            let uses = uses.join(", ");
            let tool = "[tools.t]\neffect = \"write\"\nside_effects = \"writes\"\n";
            let granted = of(&manifest(&format!("{tables}{tool}uses = [{uses}]\n")));
            assert_eq!(missing(wanted, &granted, &description), None, "{tables}");
        }
    }
}

fn files_ask(root: &str, write: bool) -> Ask {
    Ask::Files(FilesAsk { root: root.into(), write, purpose: String::new() })
}

fn asking(asks: Vec<Ask>) -> Description {
    let tool = Definition {
        name: "search".into(),
        title: None,
        description: String::new(),
        input_schema: String::new(),
        output_schema: None,
        effect: Effect::Read,
        idempotent: true,
        asks,
    };
    Description { tools: vec![tool], ..none() }
}

#[test]
fn each_grant_lets_in_its_own_interfaces_and_no_other() {
    let nothing = Grants::default();
    let grants = [
        ("nothing", nothing.clone()),
        ("files", files(Access::Read)),
        ("writing", files(Access::Write)),
        ("http", http(false)),
        ("secret", http(true)),
        ("clock", Grants { clock: true, ..nothing.clone() }),
        ("random", Grants { random: true, ..nothing.clone() }),
        ("inert", Grants { wasi_inert: true, ..nothing }),
    ];
    for (import, by) in [
        ("wardkeep:log/log@0.1.0", EVERY),
        ("wardkeep:progress/progress@0.1.0", EVERY),
        ("wardkeep:files/reader@0.1.0", &["files", "writing"]),
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
        ("wardkeep:files/writer@0.1.0", &["writing"]),
        ("wardkeep:http/client@0.1.0", &["http", "secret"]),
        ("wardkeep:secrets/store@0.1.0", &["secret"]),
        ("wardkeep:secrets/handle@0.1.0", EVERY),
        ("wardkeep:http/client@0.2.0", &[]),
        ("wardkeep:secrets/other@0.1.0", &[]),
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
    let ask = |root| files_ask(root, false);
    let description = asking(vec![ask("wiki"), ask("x\"\n[grants.files.all]"), ask("docs"), ask("wiki")]);
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
         [grants.random.any]\nfor the plugin's author: if unused, leave it out of your world: the import goes away with it"
    );
}
