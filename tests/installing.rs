//! `diff`, `install` and `remove` as an admin types them: what was compared and verified is what comes into place, whole, or nothing does.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    guests,
    home::{Home, Plugin, sha256},
    terminal::Asked,
};

/// A home without plugins, and a signed plugin that lies elsewhere.
struct Fixture {
    home: Home,
    elsewhere: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { home: Home::new(), elsewhere: tempfile::tempdir().unwrap() }
    }

    fn package(&self, folder: &str, serial: u64, tools: &[&str]) -> PathBuf {
        let component = guests::path("fixture");
        self.package_as(folder, &Plugin { serial, ..Plugin::plain("fixture", &component, tools) })
    }

    fn package_as(&self, folder: &str, plugin: &Plugin<'_>) -> PathBuf {
        let path = self.elsewhere.path().join(folder);
        self.home.package(plugin, &path);
        path
    }

    fn install(&self, path: &Path) -> String {
        let output = self.home.run(&["install", "--yes", path.to_str().unwrap()]);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{text}");
        text
    }

    fn manifest(&self) -> Option<Vec<u8>> {
        fs::read(self.home.path().join("plugins/fixture/manifest.toml")).ok()
    }

    fn left_over(&self) -> usize {
        fs::read_dir(self.home.path().join("staging")).map_or(0, Iterator::count)
    }
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

fn edit(path: &Path, from: &str, to: &str) {
    let file = path.join("manifest.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn an_admin_installs_compares_replaces_and_removes_a_plugin() {
    let it = Fixture::new();
    let first = it.package("1", 1, &["echo"]);
    let said = it.install(&first);
    has(&said, &["old  nothing", "added: can be done now\n", "+ `echo` may be called by `group:tests`", "installed "]);
    assert!(it.home.run(&["check"]).status.success());
    let serving = it.home.serve();
    assert_eq!(serving.mcp().tools(), ["fixture_echo"]);
    serving.terminate();

    let second = it.package("2", 2, &["echo", "slow"]);
    let said = it.install(&second);
    has(
        &said,
        &[
            "(last taken into service)",
            "added: can be done now\n  + `slow` runs as read\n  + `slow` may be called by `user:me`\n",
            "~ `slow` is new\n",
            "~ serial: 2 instead of 1\n",
            "installed, in place of what was there: ",
        ],
    );
    assert!(!said.contains("taken away"), "{said}");
    assert!(said.find("added").unwrap() < said.find("contract").unwrap(), "{said}");
    let serving = it.home.serve();
    assert_eq!(serving.mcp().tools(), ["fixture_echo", "fixture_slow"]);
    serving.terminate();

    has(
        &it.home.refused(&["remove", "files", "--yes"]),
        &["no plugin `files` is installed", "mend: name one of fixture"],
    );
    has(&it.home.refused(&["remove", "../audit", "--yes"]), &["no plugin `../audit` is installed"]);
    has(&it.home.refused(&["remove", "fixture"]), &["nobody can be asked", "mend: remove it with `--yes`"]);
    assert!(it.manifest().is_some());
    let output = it.home.run(&["remove", "fixture", "--yes"]);
    has(&String::from_utf8_lossy(&output.stdout), &["removed `fixture`; a lower serial of it stays refused"]);
    assert_eq!((it.manifest(), it.left_over()), (None, 0));
    has(&it.home.refused(&["install", "--yes", first.to_str().unwrap()]), &["serial 1 is lower than 2"]);
    assert_eq!(it.manifest(), None);
}

#[test]
fn what_a_home_would_not_serve_is_not_installed_and_what_was_there_stays() {
    let it = Fixture::new();
    it.install(&it.package("0", 5, &["echo"]));
    it.home.serve().terminate();
    let before = it.manifest();
    let component = guests::path("fixture");
    let refused = |path: &Path, words: &[&str]| {
        let said = it.home.refused(&["install", "--yes", path.to_str().unwrap()]);
        has(&said, words);
        assert_eq!((it.manifest(), it.left_over()), (before.clone(), 0), "{said}");
    };

    let unsigned = it.package("unsigned", 6, &["echo"]);
    fs::remove_dir_all(unsigned.join("manifest.toml.sigs")).unwrap();
    refused(&unsigned, &["signed by 0 of the 1 people"]);
    let edited = it.package("edited", 6, &["echo"]);
    edit(&edited, "group:tests", "group:everyone");
    refused(&edited, &["tess.sig: ", "signed by 0 of the 1 people"]);
    refused(&it.package("older", 4, &["echo"]), &["serial 4 is lower than 5"]);
    refused(&it.package("same", 5, &["echo", "slow"]), &["serial 5 was already accepted with other bytes"]);
    let swapped = it.package("swapped", 6, &["echo"]);
    fs::copy(guests::path("waits"), swapped.join("fixture.wasm")).unwrap();
    refused(&swapped, &["component.sha256", "is another component than the approved one"]);
    let bare = it.package("bare", 6, &["echo"]);
    fs::remove_file(bare.join("fixture.wasm")).unwrap();
    refused(&bare, &["fixture.wasm` does not exist"]);
    refused(&it.package("unknown", 6, &["none"]), &["the component has no tool of this name"]);
    let senses = guests::path("senses");
    let senses = Plugin { serial: 6, ..Plugin::plain("fixture", &senses, &["time"]) };
    refused(&it.package_as("ungranted", &senses), &["imports `wasi:clocks/", "which this manifest does not grant"]);
    let broken = it.package("broken", 6, &["echo"]);
    edit(&broken, "[component]", "[component]\nsmells = \"odd\"");
    refused(&broken, &["component.smells: unknown key"]);
    let said = it.home.refused(&["install", "--yes", broken.to_str().unwrap()]);
    assert!(!said.contains("lies in a directory"), "{said}");

    let mut other = Plugin::plain("other", &component, &["echo"]);
    other.tools.push_str("publish_as = \"fixture_echo\"\n");
    refused(
        &it.package_as("collides", &other),
        &[
            "tools.echo: `fixture_echo` is also the published name of `echo` in plugin `fixture`",
            "another `publish_as`",
        ],
    );
    assert!(!it.home.path().join("plugins/other").exists());
    refused(&it.elsewhere.path().join("nowhere"), &["does not exist", "mend: name the directory that holds"]);
    refused(&it.package("file", 6, &["echo"]).join("manifest.toml"), &["is no directory"]);
}

#[test]
fn a_source_of_symlinks_and_fifos_is_refused_without_following_or_waiting() {
    let it = Fixture::new();
    for (file, words) in [
        ("manifest.toml", "manifest.toml` is a symlink"),
        ("fixture.wasm", "fixture.wasm` is a symlink"),
        ("manifest.toml.sigs/tess.sig", "tess.sig` is a symlink"),
        ("manifest.toml.sigs", "manifest.toml.sigs` is a symlink"),
    ] {
        let path = it.package(&file.replace('/', "-"), 1, &["echo"]);
        let aside = path.join("aside");
        fs::rename(path.join(file), &aside).unwrap();
        symlink(&aside, path.join(file)).unwrap();
        let said = it.home.refused(&["install", "--yes", path.to_str().unwrap()]);
        has(&said, &[words, "mend: put what it leads to in its place"]);
        // A passage of a file that the admin may read and others may not must not come back in an error.
        if file == "manifest.toml" {
            fs::remove_file(path.join(file)).unwrap();
            symlink("/etc/passwd", path.join(file)).unwrap();
            let said = it.home.refused(&["install", "--yes", path.to_str().unwrap()]);
            assert!(!said.contains("root:"), "{said}");
        }
        fs::remove_file(path.join(file)).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path.join(file), rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        let begun = Instant::now();
        it.home.refused(&["install", "--yes", path.to_str().unwrap()]);
        assert!(begun.elapsed() < Duration::from_secs(10), "{file}");
        assert_eq!(it.manifest(), None, "{file}");
    }
}

#[test]
fn what_is_changed_while_the_admin_reads_is_not_what_is_installed() {
    let it = Fixture::new();
    let path = it.package("a", 1, &["echo"]);
    let (manifest, component) =
        (fs::read(path.join("manifest.toml")).unwrap(), fs::read(path.join("fixture.wasm")).unwrap());
    let asked = Asked::start(&mut it.home.wardkeep(&["install", path.to_str().unwrap()]));
    asked.until("+ `echo` may be called by `group:tests`");
    asked.until("install `fixture`? [y/N] ");
    has(
        &it.home.refused(&["install", "--yes", path.to_str().unwrap()]),
        &["another `wardkeep install` or `remove` is at work"],
    );
    edit(&path, "group:tests", "group:everyone");
    fs::copy(guests::path("waits"), path.join("fixture.wasm")).unwrap();
    fs::write(path.join("manifest.toml.sigs/tess.sig"), "another").unwrap();
    let (code, said) = asked.answer("y");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(it.manifest().unwrap(), manifest);
    assert_eq!(it.home.read("plugins/fixture/fixture.wasm"), component);
    assert!(it.home.run(&["check"]).status.success());
}

#[test]
fn nothing_is_installed_or_removed_without_a_yes() {
    let it = Fixture::new();
    let path = it.package("a", 1, &["echo"]);
    let source = path.to_str().unwrap();
    has(&it.home.refused(&["install", source]), &["nobody can be asked", "then install with `--yes`"]);
    for no in ["n", "", "yess"] {
        let asked = Asked::start(&mut it.home.wardkeep(&["install", source]));
        asked.until("[y/N]");
        let (code, said) = asked.answer(no);
        assert_eq!((code, it.manifest()), (Some(1), None), "{said}");
        has(&said, &["not installed"]);
    }
    it.install(&path);
    let asked = Asked::start(&mut it.home.wardkeep(&["remove", "fixture"]));
    asked.until("remove `fixture` from ");
    let (code, said) = asked.answer("n");
    assert_eq!((code, it.manifest().is_some()), (Some(1), true), "{said}");
    has(&said, &["not removed"]);
}

#[test]
fn an_install_that_is_killed_at_any_moment_leaves_a_whole_plugin() {
    let it = Fixture::new();
    let (one, two) = (it.package("1", 1, &["echo"]), it.package("2", 2, &["echo", "slow"]));
    let whole = [one.join("manifest.toml"), two.join("manifest.toml")].map(|path| fs::read(path).unwrap());
    it.install(&one);
    let begun = Instant::now();
    it.install(&two);
    let took = begun.elapsed();
    for step in 0..6u32 {
        let source = if step % 2 == 0 { &one } else { &two };
        let mut child = it
            .home
            .wardkeep(&["install", "--yes", source.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Most of the time goes by before anything is written.
        std::thread::sleep(took.mul_f64(0.5 + f64::from(step) / 10.0));
        let _ = child.kill();
        child.wait().unwrap();
        let manifest = it.manifest().expect("a plugin is in place");
        assert!(whole.contains(&manifest), "step {step}");
        assert_eq!(
            sha256(&it.home.read("plugins/fixture/fixture.wasm")),
            sha256(&fs::read(guests::path("fixture")).unwrap())
        );
        assert!(it.home.path().join("plugins/fixture/manifest.toml.sigs/tess.sig").exists(), "step {step}");
    }
    // As if it had been killed while writing, and while deleting.
    for name in ["new.fixture", "gone.other"] {
        fs::create_dir_all(it.home.path().join("staging").join(name)).unwrap();
        fs::write(it.home.path().join("staging").join(name).join("manifest.toml"), "half").unwrap();
    }
    it.install(&two);
    assert_eq!((it.manifest().as_ref(), it.left_over()), (Some(&whole[1]), 0));
    assert!(it.home.run(&["check"]).status.success());
}

#[test]
fn a_manifest_that_is_edited_where_it_lies_is_compared_with_what_was_in_service() {
    let it = Fixture::new();
    it.install(&it.package("a", 1, &["echo"]));
    let place = it.home.path().join("plugins/fixture");
    it.home.serve().terminate();
    edit(&place, "serial = 1", "serial = 2");
    edit(&place, "\"user:me\"", "\"user:me\", \"group:everyone\"");
    let diff = |arguments: &[&str]| it.home.run(&[&["diff"], arguments].concat());
    for named in [place.to_str().unwrap(), "fixture", place.join("manifest.toml").to_str().unwrap()] {
        let output = diff(&[named]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        has(&text, &["old  1.0.0, serial 1  (last taken into service)", "+ `echo` may be called by `group:everyone`"]);
        assert!(!text.contains("taken away") && !text.contains("cannot be compared"), "{text}");
        assert_eq!(diff(&[named, "--exit-code"]).status.code(), Some(1));
    }
    // Signing shows the same before it asks.
    let asked = Asked::start(&mut it.home.wardkeep(&["sign", place.to_str().unwrap(), "--key", "/nowhere"]));
    asked.until("allow = [\"group:tests\", \"user:me\", \"group:everyone\"]");
    asked.until("+ `echo` may be called by `group:everyone`");
    asked.until("sign this manifest? [y/N] ");
    assert_eq!(asked.answer("n").0, Some(1));
    // What was kept decides nothing: damaged, it is as good as nothing.
    it.home.write("state/approved/fixture.json", "{\"manifest\":\"format = 1\"}");
    has(&String::from_utf8_lossy(&diff(&["fixture"]).stdout), &["old  nothing"]);
}

#[test]
fn two_plugins_anywhere_are_compared_with_what_their_components_say() {
    let it = Fixture::new();
    let one =
        it.package_as("1", &Plugin { serial: 1, ..Plugin::plain("fixture", &guests::path("fixture"), &["echo"]) });
    let two =
        it.package_as("2", &Plugin { serial: 2, ..Plugin::plain("fixture", &guests::path("waits"), &["briefly"]) });
    let paths = [one.to_str().unwrap(), two.to_str().unwrap()];
    let told = it.home.json(&["diff", paths[0], paths[1]]);
    assert_eq!(told["same"], json!(false));
    assert_eq!((&told["old"]["serial"], &told["new"]["serial"]), (&json!(1), &json!(2)));
    assert_eq!(told["difference"]["tools_removed"], json!(["echo"]));
    assert_eq!(told["difference"]["contract"]["breaking"], json!([{ "tool": "echo", "what": "removed" }]));
    assert_eq!(told["difference"]["added"][0], json!({ "is": "runs-as", "tool": "briefly", "effect": "read" }));
    let same = it.home.run(&["diff", paths[0], paths[0], "--exit-code"]);
    assert!(same.status.success());
    has(&String::from_utf8_lossy(&same.stdout), &["no differences"]);
    // Without its component a manifest still tells what it grants.
    fs::remove_file(two.join("fixture.wasm")).unwrap();
    let output = it.home.run(&["diff", paths[0], paths[1]]);
    has(
        &String::from_utf8_lossy(&output.stdout),
        &["+ `briefly` may be called by", "cannot be compared: one of the components is not here"],
    );
}

#[test]
fn scripts_read_what_was_installed_and_removed() {
    let it = Fixture::new();
    let path = it.package("a", 1, &["echo"]);
    let installed = it.home.json(&["install", "--yes", path.to_str().unwrap()]);
    assert_eq!(
        (&installed["installed"], &installed["replaced"], &installed["old"]),
        (&json!("fixture"), &json!(false), &json!(null))
    );
    assert_eq!(installed["signed_by"].as_array().unwrap().len(), 1);
    assert_eq!(installed["difference"]["tools_added"], json!(["echo"]));
    assert_eq!(it.home.json(&["install", "--yes", path.to_str().unwrap()])["replaced"], json!(true));
    assert_eq!(it.home.json(&["remove", "--yes", "fixture"]), json!({ "removed": "fixture" }));
}

#[test]
fn a_running_host_serves_what_is_installed_and_stops_serving_what_is_removed() {
    let it = Fixture::new();
    it.install(&it.package("1", 1, &["echo"]));
    let (two, serving) = (it.package("2", 2, &["echo", "slow"]), it.home.serve());
    let until = |tools: &[&str]| {
        let begun = Instant::now();
        while serving.mcp().tools() != tools {
            assert!(begun.elapsed() < Duration::from_secs(60), "{tools:?}: {}", serving.stderr());
            // Replaced, it is the one or the other at every moment.
            let now = serving.mcp().tools();
            assert!(tools.is_empty() || now.first().is_some_and(|tool| tool == "fixture_echo"), "{now:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    until(&["fixture_echo"]);
    it.install(&two);
    until(&["fixture_echo", "fixture_slow"]);
    assert!(it.home.run(&["remove", "fixture", "--yes"]).status.success());
    until(&[]);
    serving.terminate();
}
