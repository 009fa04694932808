use std::{
    collections::BTreeSet,
    os::{
        fd::AsRawFd as _,
        unix::fs::{PermissionsExt as _, symlink},
    },
    sync::atomic::{AtomicBool, Ordering},
};

use super::*;

const TEXT: &str = "format = 1\n[plugin]\nname = \"a\"\nversion = \"1.0.0\"\nserial = 1\nexpires = 2027-06-30\nowner = \"me\"\n\
    [component]\nfile = \"a.wasm\"\nsha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n\
    contract_sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n[tools.t]\neffect = \"read\"\n";

struct Fixture {
    directory: tempfile::TempDir,
    home: Home,
    name: PluginName,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("home");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(path.join("wardkeep.toml"), "").unwrap();
        let home = Home::open(Some(&path)).unwrap();
        Self { directory, home, name: "a".parse().unwrap() }
    }

    /// A plugin whose component holds this text.
    fn bundle(&self, component: &str) -> Bundle {
        let source = self.directory.path().join(component);
        fs::create_dir_all(source.join("manifest.toml.sigs")).unwrap();
        fs::write(source.join("manifest.toml"), TEXT).unwrap();
        fs::write(source.join("manifest.toml.sigs/me.sig"), "signed").unwrap();
        fs::write(source.join("a.wasm"), component).unwrap();
        Bundle::read(&source).unwrap()
    }

    fn component(&self) -> Option<String> {
        fs::read_to_string(self.home.plugins().join("a/a.wasm")).ok()
    }

    fn left_over(&self) -> usize {
        fs::read_dir(self.home.staging()).unwrap().count()
    }
}

#[test]
fn a_plugin_is_put_replaced_and_removed_and_nothing_is_left_over() {
    let fixture = Fixture::new();
    let staging = Staging::open(&fixture.home).unwrap();
    assert!(!staging.put(&fixture.name, &fixture.bundle("one")).unwrap());
    assert_eq!(fixture.component().as_deref(), Some("one"));
    assert!(staging.put(&fixture.name, &fixture.bundle("two")).unwrap());
    assert_eq!((fixture.component().as_deref(), fixture.left_over()), (Some("two"), 0));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&fixture.home.staging()), mode(&fixture.home.plugins().join("a"))), (0o700, 0o700));
    staging.remove(&fixture.name).unwrap();
    assert_eq!((fixture.component(), fixture.left_over()), (None, 0));
}

#[test]
fn two_at_once_wait_for_nothing_and_the_second_is_refused() {
    let fixture = Fixture::new();
    let first = Staging::open(&fixture.home).unwrap();
    assert!(matches!(Staging::open(&fixture.home), Err(StagingError::Busy)));
    drop(first);
    Staging::open(&fixture.home).unwrap();
}

#[test]
fn what_an_interrupted_run_left_is_cleared_and_a_plugin_without_successor_goes_back() {
    let fixture = Fixture::new();
    drop(Staging::open(&fixture.home).unwrap());
    let staged = |name: &str| {
        let path = fixture.home.staging().join(name);
        fixture.bundle(name).write(&path).unwrap();
    };
    // Ended while it was written; while the removed one was deleted; between two renames.
    staged("new.half");
    fs::remove_file(fixture.home.staging().join("new.half/manifest.toml")).unwrap();
    staged("gone.b");
    staged("old.a");
    fs::write(fixture.home.staging().join("new.file"), "no directory").unwrap();
    symlink("/etc", fixture.home.staging().join("new.link")).unwrap();
    drop(Staging::open(&fixture.home).unwrap());
    assert_eq!((fixture.component().as_deref(), fixture.left_over()), (Some("old.a"), 0));
    assert!(Path::new("/etc/passwd").exists());
    // Ended after the second rename: the successor is in place, and the old one goes.
    staged("old.a");
    fs::write(fixture.home.plugins().join("a/a.wasm"), "successor").unwrap();
    drop(Staging::open(&fixture.home).unwrap());
    assert_eq!((fixture.component().as_deref(), fixture.left_over()), (Some("successor"), 0));
}

#[test]
fn whoever_looks_meanwhile_sees_one_plugin_whole_or_the_other() {
    let fixture = Fixture::new();
    let staging = Staging::open(&fixture.home).unwrap();
    let (one, two) = (fixture.bundle("one"), fixture.bundle("two"));
    staging.put(&fixture.name, &one).unwrap();
    let stop = AtomicBool::new(false);
    let place = fixture.home.plugins();
    let seen = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                let names: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
                assert_eq!(names, ["a"]);
                // Held open: a look that begins in the old one ends in the old one, which may be gone by then but never half.
                let directory = File::open(place.join("a")).unwrap();
                let held = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
                match (fs::read_to_string(held.join("a.wasm")), fs::read(held.join("manifest.toml"))) {
                    (Ok(component), Ok(_)) => drop(seen.insert(component)),
                    // Only the one that has been taken out of place loses files.
                    _ => assert_ne!(
                        fs::metadata(place.join("a")).unwrap().ino(),
                        directory.metadata().unwrap().ino(),
                        "the plugin in place is not whole"
                    ),
                }
            }
            seen
        });
        for _ in 0..50 {
            staging.put(&fixture.name, &two).unwrap();
            staging.put(&fixture.name, &one).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        looking.join().unwrap()
    });
    assert_eq!(seen, ["one".to_owned(), "two".to_owned()].into());
}

#[test]
fn a_symlink_in_the_place_of_a_plugin_is_replaced_and_what_it_leads_to_stays() {
    let fixture = Fixture::new();
    let staging = Staging::open(&fixture.home).unwrap();
    let elsewhere = fixture.directory.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("a.wasm"), "mine").unwrap();
    symlink(&elsewhere, fixture.home.plugins().join("a")).unwrap();
    assert!(staging.put(&fixture.name, &fixture.bundle("one")).unwrap());
    assert_eq!(fixture.component().as_deref(), Some("one"));
    assert_eq!(fs::read_to_string(elsewhere.join("a.wasm")).unwrap(), "mine");
    symlink(&elsewhere, fixture.home.plugins().join("b")).unwrap();
    staging.remove(&"b".parse().unwrap()).unwrap();
    assert!(elsewhere.join("a.wasm").exists() && fixture.left_over() == 0);
}
