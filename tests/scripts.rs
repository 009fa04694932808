//! What scripts stand on: with `--json` a command that has no result says why on standard output, as one object, with the same exit status; and
//! what people read of a wrong use asks for nothing that is there already.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use serde_json::Value;

use crate::support::home::{Home, program};

/// Standard output and standard error, and the exit status.
fn said(command: &mut Command) -> (String, String, Option<i32>) {
    let output = command.output().expect("wardkeep starts");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn with_json_every_error_is_one_object_on_standard_output_and_ends_as_without() {
    let home = Home::new();
    for (arguments, code, words, mend) in [
        (&["why", "nobody", "x"][..], 1, "no caller `nobody`", "user:me"),
        (&["revive", "writes"], 1, "is not killed", "wardkeep kills"),
        (
            &["keys", "new", "bad", "--principal", "bob"],
            1,
            "--principal: `bob` is no caller's name",
            "--principal user:me",
        ),
        (&["keys", "revoke", "gone"], 1, "there is no key `gone`", ""),
        (&["approvals", "show", "apv-0000000000000000"], 1, "no approval is named", "wardkeep approvals list --all"),
        (&["remove", "gone"], 1, "no plugin `gone` is installed", "is empty"),
        (&["call", "x", "{"], 1, "not valid JSON", ""),
        (&["call", "x"], 1, "unknown tool", ""),
        (&["state", "reset", "--reason", " "], 1, "the reason is empty", "say why"),
        (&["kill", "caller"], 2, "invalid value 'caller'", ""),
        (&["kill"], 2, "required arguments were not provided", "Usage: wardkeep kill "),
        (&["nosuch"], 2, "unrecognized subcommand", "Usage: wardkeep"),
    ] {
        let (stdout, stderr, status) = said(&mut home.wardkeep(&[&["--json"], arguments].concat()));
        assert_eq!(status, Some(code), "{arguments:?}: {stdout}{stderr}");
        let told: Value =
            serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stdout}"));
        let text = |key: &str| told["error"][key].as_str().unwrap_or_default().to_owned();
        assert!(text("message").contains(words) && text("mend").contains(mend), "{arguments:?}: {told}");
        assert_eq!(told["error"]["mend"].is_string(), !mend.is_empty(), "{arguments:?}: {told}");
        assert!(!stderr.contains("error:"), "{arguments:?}: told twice: {stderr}");
        let (plain, stderr, status) = said(&mut home.wardkeep(arguments));
        assert!(
            plain.is_empty() && stderr.contains("error: ") && status == Some(code),
            "{arguments:?}: {plain}{stderr}"
        );
    }
    let before = home.read("wardkeep.toml");
    home.write("wardkeep.toml", &String::from_utf8(before).unwrap().replace("format = 1", "format = 2\ncolour = 3"));
    let (stdout, _, status) = said(&mut home.wardkeep(&["serve", "--json"]));
    let told: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((status, &told["error"]["faults"][1]["key"]), (Some(1), &"colour".into()), "{told}");
    // a client speaks there, and understands nothing else
    let (stdout, stderr, status) = said(&mut home.wardkeep(&["--json", "serve", "--stdio"]));
    assert!(stdout.is_empty() && stderr.contains("error: ") && status == Some(1), "{stdout}{stderr}");
}

#[test]
fn a_home_that_the_environment_names_is_found_and_no_usage_asks_for_it_again() {
    let home = Home::new();
    let named = |value: &std::ffi::OsStr, arguments: &[&str]| {
        let mut command = Command::new(program());
        said(command.args(arguments).env("WARDKEEP_HOME", value).env("NO_COLOR", "1"))
    };
    let (stdout, stderr, status) = named(home.path().as_os_str(), &["kills"]);
    assert_eq!((status, stderr.trim()), (Some(0), "nothing is stopped"), "{stdout}");
    let (_, stderr, status) = named(home.path().as_os_str(), &["kill"]);
    assert!(status == Some(2) && stderr.contains("Usage: wardkeep kill <TARGET>"), "{stderr}");
    let (help, _, _) = named(home.path().as_os_str(), &["kill", "--help"]);
    assert!(help.contains("$WARDKEEP_HOME"), "{help}");
    let (_, stderr, status) = named("".as_ref(), &["kills"]);
    assert!(status == Some(1) && stderr.contains("`WARDKEEP_HOME` is set and empty"), "{stderr}");
}

/// Ctrl-C goes to both: to ssh-keygen, which asks, and to what has started it.
#[test]
fn who_stops_at_the_passphrase_leaves_neither_a_home_nor_a_directory_of_keys() {
    let own = tempfile::Builder::new().prefix("wk-").tempdir().unwrap();
    let keygen = own.path().join("ssh-keygen");
    fs::write(&keygen, "#!/bin/sh\nkill -INT $PPID\nsleep 0.2\nexit 130\n").unwrap();
    fs::set_permissions(&keygen, fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", own.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program());
    command.env("HOME", own.path()).env("PATH", path).env_remove("WARDKEEP_HOME").env_remove("XDG_DATA_HOME");
    let (_, stderr, status) = said(command.arg("init"));
    assert!(status == Some(1) && stderr.contains("there is no home yet"), "{status:?} {stderr}");
    let left: Vec<_> = fs::read_dir(own.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["ssh-keygen"]);
}
