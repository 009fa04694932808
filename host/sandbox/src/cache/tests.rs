//! Every way in which a file of the cache can be another than the one that was left there: refused by its own name, told once,
//! and never used.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    path::PathBuf,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, SystemTime},
};

use wardkeep_model::Description;

use super::*;
use crate::tests::{ENGINE, Guest};

struct Home {
    directory: tempfile::TempDir,
    cache: CodeCache,
    told: Arc<Mutex<Vec<String>>>,
}

/// Real code of two components, compiled once for all tests.
static CODE: LazyLock<[(Digest, Vec<u8>); 2]> = LazyLock::new(|| {
    [Guest::default(), Guest::that("unreachable")].map(|guest| {
        let bytes = guest.bytes();
        let Ok(compiled) = ENGINE.compiled(&bytes) else { panic!("it compiles") };
        (Digest::of(&bytes), compiled.serialize().unwrap())
    })
});

fn component(index: usize) -> (Digest, Code, Described) {
    let (digest, bytes) = &CODE[index];
    let description = Description { name: format!("guest-{index}"), version: "1.0.0".into(), tools: Vec::new() };
    let code = Code::copied(bytes.as_slice(), bytes.len() as u64, |_| ()).unwrap();
    (*digest, code, Described { description, fuel: 7 })
}

fn binding() -> Digest {
    ENGINE.0.binding
}

impl Home {
    /// A cache that holds both components.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("keys")).unwrap();
        let (cache, told) = open(&directory, true);
        let home = Self { directory, cache: cache.unwrap(), told };
        (0..2).for_each(|index| home.keep(index));
        assert_eq!(home.told(), Vec::<String>::new());
        home
    }

    fn keep(&self, index: usize) {
        let (digest, code, described) = component(index);
        self.cache.keep(digest, binding(), &described, &code);
    }

    fn file(&self, index: usize) -> PathBuf {
        self.directory.path().join("cache").join(entry::name(CODE[index].0, binding()))
    }

    fn find(&self, index: usize) -> Option<(Described, Code)> {
        self.cache.find(CODE[index].0, binding())
    }

    /// All that was told since the last look.
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    /// The first component's file is refused with this word, told once, and found again once it is kept anew.
    #[track_caller]
    fn refused(&self, word: &str) {
        assert!(self.find(0).is_none(), "used, though {word}");
        let told = self.told();
        let [told] = told.as_slice() else { panic!("told once: {told:?}") };
        assert!(told.contains(word) && told.contains(self.file(0).to_str().unwrap()), "{told}");
        self.keep(0);
        assert_eq!(self.find(0).unwrap().0, component(0).2);
        assert_eq!(self.told(), Vec::<String>::new());
    }
}

fn open(directory: &tempfile::TempDir, keeps: bool) -> (Option<CodeCache>, Arc<Mutex<Vec<String>>>) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let telling = Arc::clone(&told);
    let (path, key) = (directory.path().join("cache"), directory.path().join("keys/cache.key"));
    let cache = CodeCache::open(&path, &key, keeps, move |note| telling.lock().unwrap().push(note.to_string()));
    (cache, told)
}

fn bytes(code: &Code) -> Vec<u8> {
    let mut bytes = Vec::new();
    code.write_to(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_kept_is_found_by_the_next_host_and_can_be_used() {
    let home = Home::new();
    let (next, told) = open(&home.directory, true);
    let (described, code) = next.unwrap().find(CODE[1].0, binding()).unwrap();
    assert_eq!(described, component(1).2);
    assert_eq!(bytes(&code), CODE[1].1);
    assert!(code.component(&ENGINE.0.wasmtime).is_ok());
    assert!(told.lock().unwrap().is_empty());
    for (path, mode) in [(home.file(0), 0o600), (home.directory.path().join("keys/cache.key"), 0o600)] {
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, mode, "{}", path.display());
    }
    assert_eq!(home.directory.path().join("cache").metadata().unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn a_bit_flipped_anywhere_is_refused() {
    let home = Home::new();
    let good = fs::read(home.file(0)).unwrap();
    for place in 0..60 {
        // The head whole, then everything else in even steps, the tag's last byte among it.
        let at = if place < 20 { place * 5 } else { (good.len() - 1) - (place - 20) * (good.len() - 100) / 40 };
        let mut bad = good.clone();
        bad[at] ^= 1 << (place % 8);
        fs::write(home.file(0), bad).unwrap();
        assert!(home.find(0).is_none(), "a bit at {at} of {}", good.len());
        assert_eq!(home.told().len(), 1, "a bit at {at}");
    }
    fs::write(home.file(0), good).unwrap();
    assert!(home.find(0).is_some());
}

#[test]
fn a_file_of_another_length_is_refused() {
    let home = Home::new();
    let good = fs::read(home.file(0)).unwrap();
    for len in [0, 1, 95, 96, 127, 128, 1_000, good.len() - 32, good.len() - 1] {
        fs::write(home.file(0), &good[..len]).unwrap();
        home.refused("its length is not what it should be");
    }
    fs::write(home.file(0), [&good[..], b"x"].concat()).unwrap();
    home.refused("its length");
    // A head that claims more than there is, more than there may be, or more than there are numbers.
    for story in [1_u64 << 20, 1 << 40, u64::MAX] {
        File::options().write(true).open(home.file(0)).unwrap().write_all_at(&story.to_le_bytes(), 80).unwrap();
        home.refused("its length");
    }
}

#[test]
fn a_file_swapped_between_two_components_is_refused_both_ways() {
    let home = Home::new();
    let aside = home.directory.path().join("aside");
    fs::rename(home.file(0), &aside).unwrap();
    fs::rename(home.file(1), home.file(0)).unwrap();
    fs::rename(&aside, home.file(1)).unwrap();
    assert!(home.find(1).is_none());
    assert!(home.told()[0].contains("it is the code of another component"));
    home.refused("it is the code of another component");
}

#[test]
fn a_file_with_a_rewritten_head_is_refused_by_its_tag() {
    let home = Home::new();
    let mut other = fs::read(home.file(1)).unwrap();
    other[16..48].copy_from_slice(CODE[0].0.as_bytes());
    fs::write(home.file(0), other).unwrap();
    home.refused("its tag is not one that this host made");
}

#[test]
fn a_file_of_another_version_or_of_no_kind_is_refused() {
    let home = Home::new();
    let (digest, code, described) = component(0);
    let before = Digest::of(b"another wasmtime");
    home.cache.keep(digest, before, &described, &code);
    let directory = home.directory.path().join("cache");
    fs::rename(directory.join(entry::name(digest, before)), home.file(0)).unwrap();
    home.refused("compiled by another version, for another processor or with other settings");
    fs::write(home.file(0), [0x7f; 4_096]).unwrap();
    home.refused("it is not compiled code");
    File::options().write(true).open(home.file(0)).unwrap().write_all_at(b"2", 14).unwrap();
    home.refused("it is not compiled code");
}

#[test]
fn a_file_that_others_could_have_written_is_refused() {
    let home = Home::new();
    for mode in [0o640, 0o604, 0o644, 0o660, 0o700, 0o4600] {
        fs::set_permissions(home.file(0), fs::Permissions::from_mode(mode)).unwrap();
        home.refused("not 0600");
    }
    fs::hard_link(home.file(0), home.directory.path().join("second")).unwrap();
    home.refused("it has 2 names");
    let elsewhere = home.directory.path().join("elsewhere");
    fs::rename(home.file(0), &elsewhere).unwrap();
    symlink(&elsewhere, home.file(0)).unwrap();
    home.refused("it is a symlink");
    assert!(elsewhere.exists() && home.file(0).symlink_metadata().unwrap().is_file());
    fs::remove_file(home.file(0)).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, home.file(0), rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    home.refused("it is not a regular file");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(home.file(0), Some(65_534), None).unwrap();
        home.refused("it belongs to the user 65534");
    }
}

#[test]
fn a_directory_in_the_place_of_a_file_costs_the_cache_and_nothing_else() {
    let home = Home::new();
    fs::remove_file(home.file(0)).unwrap();
    fs::create_dir(home.file(0)).unwrap();
    assert!(home.find(0).is_none());
    assert!(home.told()[0].contains("it is not a regular file"));
    home.keep(0);
    let told = home.told();
    assert!(told.len() == 1 && told[0].contains("cannot be kept"), "{told:?}");
    assert_eq!(fs::read_dir(home.directory.path().join("cache")).unwrap().count(), 2, "nothing is left beside");
}

#[test]
fn code_in_use_does_not_change_when_its_file_does() {
    let home = Home::new();
    let (_, code) = home.find(0).unwrap();
    let used = code.component(&ENGINE.0.wasmtime).unwrap();
    let file = File::options().write(true).open(home.file(0)).unwrap();
    file.write_all_at(&vec![0xcc; usize::try_from(file.metadata().unwrap().len()).unwrap()], 0).unwrap();
    assert_eq!(bytes(&code), CODE[0].1);
    file.set_len(0).unwrap();
    assert_eq!(bytes(&code), CODE[0].1);
    // Pages that nobody had touched are read only now.
    assert_eq!(used.serialize().unwrap().len(), CODE[0].1.len());
    home.refused("its length");
}

#[test]
fn a_key_that_others_could_know_is_made_anew_and_all_code_with_it() {
    let home = Home::new();
    let key = home.directory.path().join("keys/cache.key");
    let elsewhere = home.directory.path().join("elsewhere");
    fs::copy(&key, &elsewhere).unwrap();
    let spoil: [(&str, &dyn Fn()); 5] = [
        ("its mode is 0644, not 0600", &|| fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap()),
        ("it has 2 names", &|| fs::hard_link(&key, home.directory.path().join("second")).unwrap()),
        ("it is a symlink", &|| {
            fs::remove_file(&key).unwrap();
            symlink(&elsewhere, &key).unwrap();
        }),
        ("its length", &|| File::options().write(true).open(&key).unwrap().set_len(31).unwrap()),
        ("its length", &|| File::options().write(true).open(&key).unwrap().set_len(33).unwrap()),
    ];
    for (word, spoil) in spoil {
        spoil();
        let spoilt = fs::read(&key).unwrap();
        // Who writes nothing uses nothing, and leaves it.
        assert!(open(&home.directory, false).0.is_none(), "{word}");
        assert_eq!(fs::read(&key).unwrap(), spoilt);
        let (cache, told) = open(&home.directory, true);
        let cache = cache.unwrap();
        assert!(told.lock().unwrap()[0].contains(word), "{told:?}");
        assert!(cache.find(CODE[0].0, binding()).is_none(), "code under the old key, though {word}");
        assert!(told.lock().unwrap()[1].contains("its tag is not one that this host made"), "{told:?}");
        assert_ne!(fs::read(&key).unwrap(), spoilt);
        assert_eq!(key.symlink_metadata().unwrap().mode() & 0o7777, 0o600);
        let (digest, code, described) = component(0);
        cache.keep(digest, binding(), &described, &code);
    }
}

#[test]
fn who_must_write_nothing_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("keys")).unwrap();
    let (cache, told) = open(&directory, false);
    assert!(cache.is_none() && told.lock().unwrap().is_empty());
    assert!(!directory.path().join("cache").exists() && !directory.path().join("keys/cache.key").exists());
    let home = Home::new();
    let before = home.file(0).metadata().unwrap().mtime_nsec();
    let (cache, _) = open(&home.directory, false);
    let cache = cache.unwrap();
    assert!(cache.find(CODE[0].0, binding()).is_some(), "it may read");
    fs::remove_file(home.file(1)).unwrap();
    let (digest, code, described) = component(1);
    cache.keep(digest, binding(), &described, &code);
    cache.sweep();
    assert!(!home.file(1).exists());
    assert_eq!(home.file(0).metadata().unwrap().mtime_nsec(), before);
}

#[test]
fn a_place_where_nothing_can_be_written_is_told_and_stops_nothing() {
    let home = Home::new();
    fs::remove_dir_all(home.directory.path().join("cache")).unwrap();
    home.keep(0);
    let told = home.told();
    assert!(told.len() == 1 && told[0].contains("compiled code cannot be kept in"), "{told:?}");
    let shared = tempfile::tempdir().unwrap();
    fs::create_dir_all(shared.path().join("cache")).unwrap();
    fs::set_permissions(shared.path().join("cache"), fs::Permissions::from_mode(0o777)).unwrap();
    let (cache, told) = open(&shared, true);
    assert!(
        cache.is_none() && told.lock().unwrap()[0].contains("others may write there: its mode is 0777"),
        "{told:?}"
    );
}

#[test]
fn what_nobody_has_used_for_a_month_goes_and_what_is_no_entry_stays() {
    let home = Home::new();
    let directory = home.directory.path().join("cache");
    fs::write(directory.join("notes.txt"), "mine").unwrap();
    fs::write(directory.join(".abandoned.new"), "half").unwrap();
    let day = |days: u64| SystemTime::now() + Duration::from_secs(days * 86_400);
    let sweep = |now| sweep::sweep(&home.cache.0.directory, now).unwrap();
    sweep(day(0));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 4);
    sweep(day(29));
    assert!(home.file(0).exists() && home.file(1).exists() && !directory.join(".abandoned.new").exists());
    // Used today, it is not a month old.
    let old = SystemTime::now() - Duration::from_secs(40 * 86_400);
    for index in 0..2 {
        File::options().write(true).open(home.file(index)).unwrap().set_modified(old).unwrap();
    }
    assert!(home.find(0).is_some());
    sweep(day(0));
    assert!(home.file(0).exists() && !home.file(1).exists() && directory.join("notes.txt").exists());
}

#[test]
fn of_too_much_the_longest_unused_goes() {
    let home = Home::new();
    let names: Vec<_> =
        (0..3_u8).map(|n| home.directory.path().join("cache").join(entry::name(Digest::of(&[n]), binding()))).collect();
    for (age, path) in names.iter().enumerate() {
        let file = File::create(path).unwrap();
        // Holes take no room on the disk.
        file.set_len(900 << 20).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3_600 * (age as u64 + 1))).unwrap();
    }
    home.cache.sweep();
    assert_eq!(names.iter().map(|path| path.exists()).collect::<Vec<_>>(), [true, true, false]);
    assert!(home.file(0).exists());
}
