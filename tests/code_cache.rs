//! Compiled code is kept, and runs only where this host left it untouched: what is swapped, cut, foreign or of another version is
//! refused by name, compiled again, and the call works. A component that hurts the compiler hurts a child of its own.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    guests,
    home::{Home, Plugin, day, program, sha256},
    serving::wait,
};

/// Two plugins whose answers tell them apart.
fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home.install(&Plugin::plain("hostile", &guests::path("hostile"), &["keeps_its_schema"]));
    home
}

/// The file of a plugin's compiled code.
fn cached(home: &Home, plugin: &str) -> PathBuf {
    let digest = sha256(&home.read(&format!("plugins/{plugin}/{plugin}.wasm")));
    let files = fs::read_dir(home.path().join("cache")).unwrap().map(|entry| entry.unwrap().path());
    let mut of_plugin = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&digest));
    of_plugin.next().unwrap_or_else(|| panic!("no compiled code of {plugin}"))
}

/// What a call says on standard error; it must work.
fn called(home: &Home) -> String {
    let output = home.run(&["call", "fixture_echo", "{\"text\":\"well\"}"]);
    let (out, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("well"), "{out}{told}");
    // Under load even small ones take their time.
    told.lines().filter(|line| !line.starts_with("compiling ")).collect::<Vec<_>>().join("\n")
}

fn swap(one: &Path, other: &Path) {
    let aside = one.with_extension("aside");
    fs::rename(one, &aside).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(&aside, other).unwrap();
}

#[test]
fn code_swapped_between_two_components_never_runs_under_a_running_host_or_after_a_restart() {
    let home = home();
    let serving = home.serve();
    let mcp = serving.mcp();
    let both = || {
        let answer = mcp.call("fixture_echo", json!({ "text": "well" }));
        assert!(answer.to_string().contains("well"), "{answer}");
        let answer = mcp.call("hostile_keeps_its_schema", json!({}));
        assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    };
    both();
    let (fixture, hostile) = (cached(&home, "fixture"), cached(&home, "hostile"));
    swap(&fixture, &hostile);
    both();
    // In place too: what is mapped is no page of these files.
    for path in [&fixture, &hostile] {
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(&vec![0xcc; usize::try_from(file.metadata().unwrap().len()).unwrap()], 0).unwrap();
        both();
        file.set_len(0).unwrap();
        both();
        fs::remove_file(path).unwrap();
        both();
    }
    assert_eq!(serving.terminate().0, Some(0));

    called(&home);
    swap(&cached(&home, "fixture"), &cached(&home, "hostile"));
    let serving = home.serve();
    let told = serving.stderr();
    assert_eq!(told.matches("it is the code of another component").count(), 2, "{told}");
    let mcp = serving.mcp();
    assert!(mcp.call("fixture_echo", json!({ "text": "well" })).to_string().contains("well"));
    serving.terminate();
    assert_eq!(called(&home), "", "made anew, it is used again");
}

#[test]
fn whatever_is_done_to_a_file_of_the_cache_it_is_refused_told_once_and_made_anew() {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    assert_eq!(called(&home), "");
    let file = cached(&home, "fixture");
    let good = fs::read(&file).unwrap();
    let elsewhere = home.path().join("elsewhere");
    let write = |bytes: &[u8]| fs::write(&file, bytes).unwrap();
    let flipped = |at: usize| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        write(&bad);
    };
    let tamper: [(&str, &dyn Fn()); 12] = [
        ("length", &|| write(&[])),
        ("length", &|| write(&good[..good.len() / 2])),
        ("length", &|| write(&[&good[..], &good[..]].concat())),
        ("not compiled code", &|| flipped(3)),
        ("code of another component", &|| flipped(20)),
        ("another version", &|| flipped(60)),
        ("tag", &|| flipped(good.len() / 2)),
        ("tag", &|| flipped(good.len() - 1)),
        ("mode is 0644", &|| fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap()),
        ("2 names", &|| fs::hard_link(&file, &elsewhere).unwrap()),
        ("symlink", &|| {
            fs::rename(&file, &elsewhere).unwrap();
            symlink(&elsewhere, &file).unwrap();
        }),
        ("key", &|| home.write("keys/cache.key", "0123456789abcdef0123456789abcdef")),
    ];
    for (word, tamper) in tamper {
        tamper();
        let told = called(&home);
        let word = if word == "key" { "tag" } else { word };
        assert!(told.contains(word) && told.contains(file.to_str().unwrap()), "{word}: {told}");
        assert_eq!(told.lines().count(), 1, "{word}: {told}");
        assert_eq!(called(&home), "", "after {word}");
        assert_eq!(file.symlink_metadata().unwrap().mode() & 0o7777, 0o600, "{word}");
    }
    home.json(&["audit", "verify"]);
}

#[test]
fn what_only_looks_writes_nothing_and_a_cache_that_cannot_be_written_stops_nothing() {
    let home = home();
    let all = |folder: &str| fs::read_dir(home.path().join(folder)).map_or(0, Iterator::count);
    home.json(&["check"]);
    home.json(&["tools"]);
    home.json(&["inspect", guests::path("fixture").to_str().unwrap()]);
    assert_eq!((all("cache"), all("keys")), (0, 0));
    assert!(!home.path().join("keys").exists());

    called(&home);
    assert_eq!((all("cache"), all("keys")), (2, 1));
    // Read, and left as it is.
    let file = cached(&home, "fixture");
    fs::write(&file, "spoilt").unwrap();
    let output = home.run(&["check"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("length"), "{output:?}");
    assert_eq!(fs::read(&file).unwrap(), b"spoilt");

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let told = called(&home);
    assert!(told.contains("not a regular file") && told.contains("cannot be kept"), "{told}");
}

/// A component that is small, valid and dear: every value of every function may come from every one of many branches.
fn bomb(path: &Path) {
    const LOCALS: usize = 60;
    const DEEP: usize = 400;
    let set: String = (0..LOCALS).map(|n| format!("local.get 0 i32.const {n} i32.add local.set {n} ")).collect();
    let locals = "i32 ".repeat(LOCALS);
    let mut body = "block ".repeat(DEEP);
    for around in (1..=DEEP).rev() {
        let targets: String = (0..around).map(|n| format!("{n} ")).collect();
        body += &format!("{set} local.get 0 br_table {targets} 0 end ");
    }
    // Nothing is pushed that branches would have to carry; what they carry is the locals.
    let function = format!("(func (param i32) (local {locals}) {body})\n");
    let text = format!("(component (core module {}))", function.repeat(20));
    fs::write(path, wat::parse_str(text).unwrap()).unwrap();
}

/// Puts a component among the plugins with a manifest that pins it and makes up its contract: nobody gets to look at that.
fn install_unseen(home: &Home, name: &str, component: &Path) {
    let folder = home.path().join("plugins").join(name);
    fs::create_dir_all(&folder).unwrap();
    let bytes = fs::read(component).unwrap();
    let manifest = format!(
        "format = 1\n[plugin]\nname = \"{name}\"\nversion = \"1.0.0\"\nserial = 1\nexpires = {}\nowner = \"tests@example.com\"\n\
         purpose = \"to be tested\"\n[component]\nfile = \"{name}.wasm\"\nsha256 = \"{}\"\ncontract_sha256 = \"{}\"\n\
         [tools.t]\neffect = \"read\"\nallow = [\"group:tests\"]\n",
        day(200),
        sha256(&bytes),
        "0".repeat(64),
    );
    fs::write(folder.join(format!("{name}.wasm")), bytes).unwrap();
    home.write(&format!("plugins/{name}/manifest.toml"), &manifest);
    home.sign(name);
}

fn with_compile(home: &Home, settings: &str) {
    let text = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &format!("{text}[compile]\n{settings}\n"));
}

#[test]
fn a_compile_bomb_ends_alone_while_its_neighbour_serves() {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    let component = home.path().join("bomb.wasm");
    bomb(&component);
    assert!(component.metadata().unwrap().len() < 32 << 20);
    install_unseen(&home, "bomb", &component);
    // The neighbour's own compilation must fit.
    with_compile(&home, "time = \"3s\"");
    let begun = Instant::now();
    let serving = home.serve();
    let answer = serving.mcp().call("fixture_echo", json!({ "text": "well" }));
    assert!(answer.to_string().contains("well"), "{answer}");
    assert_eq!(serving.mcp().tools(), ["fixture_echo"]);
    let told = serving.stderr();
    assert!(told.contains("compiling the component took more than 3 s of processor time"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    serving.terminate();
    let rejected = home.journal().into_iter().find(|record| record.to_string().contains("plugin-rejected"));
    let rejected = rejected.expect("it is on record").to_string();
    assert!(rejected.contains("bomb") && rejected.contains("more than 3 s of processor time"), "{rejected}");
    let text = home.refused(&["check"]);
    assert!(text.contains("component.file: compiling the component took more than 3 s of processor time"), "{text}");
    assert!(text.contains("\n  mend: ") && text.contains("`time` in [compile] of wardkeep.toml"), "{text}");
    assert!(text.contains("passed ") && text.contains("fixture"), "{text}");
}

#[test]
fn a_component_that_wants_too_much_memory_ends_alone() {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    let component = home.path().join("bomb.wasm");
    bomb(&component);
    install_unseen(&home, "bomb", &component);
    with_compile(&home, "memory = \"150MiB\"");
    let text = home.refused(&["check"]);
    assert!(text.contains("component.file: compiling the component took more than 150 MiB of memory"), "{text}");
    assert!(text.contains("`memory` in [compile] of wardkeep.toml"), "{text}");
    assert!(text.contains("passed "), "{text}");
}

/// The processes that this one started and that still run.
fn children_of(parent: u32) -> Vec<u32> {
    let all =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    all.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = after_name.split_whitespace();
        fields.next().is_some_and(|state| state != "Z") && fields.next() == Some(&parent.to_string())
    })
    .collect()
}

#[test]
fn no_child_outlives_a_host_that_is_stopped_or_killed_while_it_compiles() {
    let home = Home::new();
    let component = home.path().join("bomb.wasm");
    bomb(&component);
    install_unseen(&home, "bomb", &component);
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::KILL] {
        let mut host: std::process::Child = home.wardkeep(&["serve"]).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let child = loop {
            if let Some(child) = children_of(host.id()).first() {
                break *child;
            }
            assert!(Instant::now() < deadline, "no child was started");
            thread::sleep(Duration::from_millis(5));
        };
        let limits = fs::read_to_string(format!("/proc/{child}/limits")).unwrap_or_default();
        rustix::process::kill_process(rustix::process::Pid::from_child(&host), signal).unwrap();
        wait(&mut host, Duration::from_secs(10)).expect("the host ends");
        let deadline = Instant::now() + Duration::from_secs(2);
        let runs = || {
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
        };
        while runs() {
            assert!(Instant::now() < deadline, "child {child} outlives its host after {signal:?}: {limits}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_child_by_hand_does_nothing_for_those_who_did_not_start_it() {
    let order = r#"{"parent":1,"limits":{"time":{"secs":9,"nanos":0},"memory":999999999},"component_bytes":9,"functions":9,"memory":65536,"table_elements":9}"#;
    for (order, word) in [(order, "is gone"), ("{}", "missing field")] {
        let mut command = Command::new(program());
        let output = command.args(["compile-component", order]).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty() && String::from_utf8_lossy(&output.stderr).contains(word), "{output:?}");
    }
    let help = Command::new(program()).arg("--help").output().unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains("compile-component"));
}
