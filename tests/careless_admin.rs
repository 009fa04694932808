//! What a careless admin does, and what somebody makes of it: nothing that was signed away comes back, and each refusal says what
//! to do.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _, fs::symlink},
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use crate::support::{
    guests,
    home::{Home, Plugin, sha256},
    serving::wait,
};

fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

fn empty(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
}

/// A revocation of the fixture's component, signed by the approver.
fn revoke(home: &Home) {
    let component = sha256(&home.read("plugins/fixture/fixture.wasm"));
    let text = format!("format = 1\nreason = \"stolen\"\ncomponents = [\"{component}\"]\n");
    let signature =
        wardkeep_policy::sign(wardkeep_policy::REVOKE_NAMESPACE, text.as_bytes(), &home.approver.private).unwrap();
    home.write("revoked/one.toml", &text);
    fs::create_dir(home.path().join("revoked/one.toml.sigs")).unwrap();
    home.write("revoked/one.toml.sigs/tess.sig", &signature);
}

fn terminate(child: &Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM).unwrap();
}

#[test]
fn a_signed_revocation_counts_although_others_may_write_to_its_file_or_directory() {
    for place in ["revoked", "revoked/one.toml", "revoked/one.toml.sigs", "revoked/one.toml.sigs/tess.sig"] {
        let home = home();
        revoke(&home);
        let path = home.path().join(place);
        mode(&path, 0o777);
        let mend = format!("chmod go-w {}", path.display());
        has(&home.refused(&["check"]), &["this component is revoked", "others may write", &mend]);
        let serving = home.serve();
        assert!(serving.mcp().tools().is_empty(), "{place}");
        has(&serving.stderr(), &["this component is revoked", &mend]);
        serving.terminate();
    }
}

#[test]
fn a_file_beside_a_revocations_signature_does_not_lift_it() {
    let home = home();
    revoke(&home);
    home.write("revoked/one.toml.sigs/a.sig", "no signature");
    fifo(&home.path().join("revoked/one.toml.sigs/b.sig"));
    has(
        &home.refused(&["check"]),
        &["this component is revoked", "revoked/one.toml.sigs/a.sig", "b.sig` is not a regular file"],
    );
}

#[test]
fn a_journal_that_was_taken_away_is_refused_until_a_reset_that_keeps_the_state() {
    let home = home();
    let text = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    home.write("plugins/fixture/manifest.toml", &text.replace("serial = 1", "serial = 5"));
    home.sign("fixture");
    home.serve().terminate();
    empty(&home.path().join("audit"));
    for command in [&["serve"][..], &["check"], &["call", "fixture_echo"]] {
        has(&home.refused(command), &["its journal is lost", "wardkeep state reset --reason TEXT"]);
    }
    empty(&home.path().join("audit"));
    fs::remove_dir(home.path().join("audit")).unwrap();
    has(&home.refused(&["serve"]), &["its journal is lost"]);
    let output = home.run(&["state", "reset", "--reason", "somebody tidied up"]);
    assert!(output.status.success(), "{output:?}");
    home.write("plugins/fixture/manifest.toml", &text);
    home.sign("fixture");
    has(&home.refused(&["check"]), &["serial 1 is lower than 5"]);
    let serving = home.serve();
    has(&serving.stderr(), &["serial 1 is lower than 5"]);
    serving.terminate();
    assert!(home.journal().iter().any(|record| record.to_string().contains("somebody tidied up")));
}

#[test]
fn a_damaged_journal_fails_the_check_with_the_way_on() {
    let home = home();
    home.serve().terminate();
    let segment = fs::read_dir(home.path().join("audit"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .unwrap();
    let text = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, text.replacen("started", "sturted", 1)).unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();
    let mend = format!(
        "mv {0}/audit {0}/audit.damaged && wardkeep --home {0} state reset --reason TEXT",
        home.path().display()
    );
    for command in [&["check"][..], &["serve"]] {
        let said = home.refused(command);
        has(&said, &["the audit journal cannot be continued", name, &mend]);
        assert_eq!(said.matches("cannot be continued").count(), 1, "{said}");
    }
    fs::rename(home.path().join("audit"), home.path().join("audit.damaged")).unwrap();
    assert!(home.run(&["state", "reset", "--reason", "a bad disk"]).status.success());
    assert!(home.run(&["check"]).status.success());
    home.serve().terminate();
}

#[test]
fn a_directory_of_a_home_that_others_may_write_to_is_refused_with_its_chmod_sticky_or_not() {
    let home = home();
    home.serve().terminate();
    for (place, bits) in [("audit", 0o1777), ("keys", 0o1777), ("state", 0o770), ("plugins", 0o1777), ("cache", 0o777)]
    {
        let path = home.path().join(place);
        mode(&path, bits);
        let mend = format!("mend: chmod go-w {}", path.display());
        for command in [&["check"][..], &["serve"]] {
            has(&home.refused(command), &["others may write to", &mend]);
        }
        mode(&path, 0o700);
    }
    for place in ["plugins/fixture", "plugins/fixture/manifest.toml.sigs"] {
        let path = home.path().join(place);
        mode(&path, 0o1777);
        has(&home.refused(&["check"]), &["refused  fixture", &format!("mend: chmod go-w {}", path.display())]);
        mode(&path, 0o700);
    }
    assert!(home.run(&["check"]).status.success());
}

#[test]
fn what_lies_in_the_place_of_a_file_is_told_with_its_mend() {
    let home = home();
    let refuse = |file: &str, words: &[&str]| {
        let (path, kept) = (home.path().join(file), home.path().join("kept"));
        let commands: &[&[&str]] = &[&["check"], &["serve"]];
        let commands = if file.starts_with("plugins") { &commands[..1] } else { commands };
        let check = |words: &[&str]| commands.iter().for_each(|command| has(&home.refused(command), words));
        let there = path.exists();
        if there {
            fs::rename(&path, &kept).unwrap();
            // The host makes the others anew.
            if !words.is_empty() {
                check(words);
            }
        }
        fs::create_dir(&path).unwrap();
        check(&["is not a regular file\n", "mend: "]);
        fs::remove_dir(&path).unwrap();
        fifo(&path);
        check(&["is not a regular file\n", "mend: "]);
        fs::remove_file(&path).unwrap();
        if file != "lock" {
            symlink("/dev/zero", &path).unwrap();
            let said = home.refused(&["check"]);
            has(&said, &["`/dev/zero` is not a regular file", "mend: put a regular file in its place"]);
            assert!(!said.contains("chmod"), "{said}");
            fs::remove_file(&path).unwrap();
            symlink("nothing", &path).unwrap();
            check(&["which does not exist", "mend: put it there, or remove the symlink"]);
            fs::remove_file(&path).unwrap();
        }
        if there {
            fs::rename(&kept, &path).unwrap();
        }
    };
    refuse("plugins/fixture/manifest.toml", &["does not exist", "mend: write one: wardkeep draft FILE.wasm -o "]);
    refuse("plugins/fixture/fixture.wasm", &["does not exist", "mend: put the approved component there"]);
    refuse("plugins/fixture/manifest.toml.sigs/tess.sig", &["mend: have an approver sign it: wardkeep sign "]);
    refuse(
        "trust.toml",
        &["trust.toml: does not exist", "mend: put it back: wardkeep.toml pins the one with the SHA-256 "],
    );
    refuse("wardkeep.toml", &["has no wardkeep.toml, and was in use", "mend: put wardkeep.toml back"]);
    refuse("state/state.json", &[]);
    refuse("lock", &[]);
    home.write("plugins/fixture/fixture.wasm.big", "");
    let component = home.path().join("plugins/fixture/fixture.wasm");
    fs::File::options().write(true).open(&component).unwrap().set_len((32 << 20) + 1).unwrap();
    has(&home.refused(&["check"]), &["has more than 33554432 bytes", "mend: put a file in its place that has at most"]);
}

#[test]
fn check_finds_who_listens_there_already_and_limits_of_nobody() {
    let home = Home::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    let more = "[limits.callers.\"service:tset\"]\nrate = \"1/s\"\n[limits.callers.\"service:test\"]\nrate = \"1/s\"\n";
    home.write("wardkeep.toml", &format!("{}{more}", file.replace("127.0.0.1:0", &address)));
    let said = home.refused(&["check"]);
    has(&said, &["listen.http: ", "cannot be listened on: Address already in use", "end what listens there"]);
    has(&said, &["limits.callers.\"service:tset\": no caller of this file has this name, so it bounds nobody"]);
    assert!(!said.contains("service:test\":"), "{said}");
    drop(other);
    assert!(home.run(&["check"]).status.success(), "what warns does not fail");
    // the host's own place is no other's
    let serving = home.serve();
    assert!(home.run(&["check"]).status.success());
    serving.terminate();
}

#[test]
fn a_key_that_a_faulty_file_keeps_from_being_revoked_is_told_with_the_kill_that_works() {
    let home = Home::new();
    let made = home.json(&["keys", "new", "ada", "--principal", "user:ada", "--expires", "2027-11-23"]);
    let listed = home.json(&["keys", "list"]);
    let ada = listed.as_array().unwrap().iter().find(|key| key["name"] == "ada").unwrap();
    assert_eq!((&made["expires"], &ada["expires"]), (&"2027-11-23".into(), &"2027-11-23".into()));
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &format!("{file}[callers.keys.other]\nsha256 = 3\n"));
    let said = home.refused(&["keys", "revoke", "ada"]);
    has(&said, &["the key is not revoked", "callers.keys.other.sha256", "wardkeep kill caller:user:ada"]);
    assert!(home.run(&["kill", "caller:user:ada"]).status.success());
    home.write("wardkeep.toml", &file);
    assert!(home.run(&["keys", "revoke", "ada"]).status.success());
}

#[test]
fn a_stray_file_among_the_plugins_is_ignored_with_a_warning() {
    let home = home();
    home.write("plugins/README", "what lies here");
    let output = home.run(&["check"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    has(&text, &["warning  plugins/README: is no plugin's directory, and is ignored", "passed   fixture"]);
    let serving = home.serve();
    assert_eq!(serving.mcp().tools(), ["fixture_echo"]);
    has(&serving.stderr(), &["plugins/README"]);
}

#[test]
fn a_name_that_is_not_utf8_is_named_as_such() {
    let home = home();
    let name = |directory: &str, name: &[u8]| home.path().join(directory).join(OsStr::from_bytes(name));
    fs::create_dir(name("plugins", b"odd\xff")).unwrap();
    fs::write(name("plugins/fixture/manifest.toml.sigs", b"x\xfe.sig"), "").unwrap();
    let text = home.refused(&["check"]);
    has(&text, &[r"plugins/odd\xff: a name that is not UTF-8", r"`x\xfe.sig` in `", "is a name that is not UTF-8"]);
}

#[test]
fn at_the_highest_serial_no_higher_one_is_asked_for() {
    let home = home();
    let text = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    home.write("plugins/fixture/manifest.toml", &text.replace("serial = 1", "serial = 9223372036854775807"));
    home.sign("fixture");
    home.serve().terminate();
    home.write("plugins/fixture/manifest.toml", &text);
    home.sign("fixture");
    let said = home.refused(&["check"]);
    has(&said, &["no serial is higher", "name the plugin anew"]);
    assert!(!said.contains("9223372036854775808"), "{said}");
}

#[test]
fn verify_takes_a_relative_path_and_inspect_no_fifo() {
    let home = home();
    let mut command = home.wardkeep(&["verify", "manifest.toml"]);
    let output = command.current_dir(home.path().join("plugins/fixture")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let path = home.path().join("component.wasm");
    fifo(&path);
    has(&home.refused(&["inspect", path.to_str().unwrap()]), &["is not a regular file", "mend: "]);
}

#[test]
fn json_writes_out_what_hides_or_reorders_text() {
    let home = home();
    fs::create_dir(home.path().join("plugins/a\u{202e}b")).unwrap();
    let output = home.run(&["--json", "call", "fixture_echo", "{\"text\":\"a\\u202eb\\u200bc\"}"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains(['\u{202e}', '\u{200b}']), "{text:?}");
    // the first is written out before it leaves the guest, the second by the writer of JSON
    has(&text, &["a\\\\u{202e}b", "\\u200b"]);
}

#[test]
fn a_long_call_answers_those_who_come_meanwhile() {
    let home = home();
    let component = guests::path("waits");
    let mut waits = Plugin::granted("waits", &component, &[("briefly", "[\"clock.now\"]")], "[grants.clock.now]\n");
    waits.wasi = "inert";
    waits.limits = "deadline = \"20s\"\n";
    home.install(&waits);
    let mut long = home
        .wardkeep(&["call", "waits_briefly", "{\"milliseconds\":6000}"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !home.path().join("relay.sock").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the call serves no socket");
        std::thread::sleep(Duration::from_millis(20));
    }
    let text = home.run(&["call", "fixture_echo", "{\"text\":\"meanwhile\"}"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("meanwhile"), "{text:?}");
    assert!(long.try_wait().unwrap().is_none(), "the long call still runs");
    let status = wait(&mut long, Duration::from_secs(20)).expect("it ends");
    assert!(status.success(), "{status}");
    assert!(!home.path().join("relay.sock").exists());
}

#[test]
fn who_waits_for_an_owner_that_does_not_answer_is_told_whom_for_and_ends_at_the_first_signal() {
    let home = home();
    // Holds the lock as an owner that hangs does.
    let lock = fs::File::create(home.path().join("lock")).unwrap();
    fs::write(home.path().join("lock"), "4321\n").unwrap();
    lock.lock().unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(home.path().join("relay.sock")).unwrap();
    for (arguments, code) in [(&["call", "fixture_echo"][..], 1), (&["serve", "--stdio"], 0)] {
        let mut child = home
            .wardkeep(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains("mend: ") {
            assert!(said.read_line(&mut text).unwrap() > 0, "{text}");
        }
        has(&text, &["(process 4321), which does not answer", "kill -9 4321"]);
        let begun = Instant::now();
        terminate(&child);
        let status = wait(&mut child, Duration::from_secs(5)).expect("the first signal ends it");
        assert_eq!(status.code(), Some(code), "{arguments:?}");
        assert!(begun.elapsed() < Duration::from_secs(2));
        said.read_to_string(&mut text).unwrap();
        assert_eq!(text.matches("does not answer").count(), 1, "{text}");
    }
}
