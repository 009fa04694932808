use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::PathBuf,
};

use secrecy::ExposeSecret as _;

use super::*;

const VALUE: &str = "a-value-of-a-secret";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.directory()).unwrap();
        place
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join("secrets")
    }

    fn put(&self, path: &str, value: &str, mode: u32) -> PathBuf {
        let path = self.directory().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, value).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn read(&self, name: &str) -> Result<String, SourceError> {
        read(&self.directory(), name).map(|reading| String::from_utf8(reading.value.expose_secret().to_vec()).unwrap())
    }
}

#[test]
fn a_file_that_only_its_owner_reads_is_read_as_it_is_now() {
    let place = Place::new();
    for mode in [0o600, 0o400] {
        let path = place.put("token", "the-first-value\n", mode);
        assert_eq!(place.read("token").unwrap(), "the-first-value");
        fs::remove_file(&path).unwrap();
    }
    assert!(matches!(place.read("token"), Err(SourceError::Absent)));
    place.put("token", VALUE, 0o600);
    assert_eq!(place.read("token").unwrap(), VALUE);
    assert!(read(&place.directory(), "token").ok().unwrap().changed.unwrap().elapsed().unwrap().as_secs() < 60);
}

#[test]
fn a_file_that_others_may_read_or_change_is_refused_with_its_mode() {
    let place = Place::new();
    for mode in [0o604, 0o640, 0o644, 0o440] {
        place.put("token", VALUE, mode);
        assert!(
            matches!(place.read("token"), Err(SourceError::OpenToOthers { mode: told }) if told == mode),
            "{mode:o}"
        );
    }
    for mode in [0o602, 0o620, 0o666] {
        place.put("token", VALUE, mode);
        assert!(matches!(place.read("token"), Err(SourceError::Untrusted(_))), "{mode:o}");
    }
    place.put("token", VALUE, 0o600);
    fs::set_permissions(place.directory(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(place.read("token"), Err(SourceError::Untrusted(_))), "others could put another in its place");
}

#[test]
fn a_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    let path = place.put("token", VALUE, 0o600);
    chown(&path, Some(12_345), None).unwrap();
    assert!(matches!(place.read("token"), Err(SourceError::Untrusted(_))));
}

/// As a kubelet lays them out: the directory itself is open and sticky, and a link is changed when the secret is.
#[test]
fn secrets_that_kubernetes_mounts_are_read_and_rotated() {
    let place = Place::new();
    fs::set_permissions(place.directory(), fs::Permissions::from_mode(0o1777)).unwrap();
    place.put("..2026_11_23/token", "the-first-value", 0o400);
    place.put("..2026_11_24/token", "the-second-value", 0o400);
    let data = place.directory().join("..data");
    symlink("..2026_11_23", &data).unwrap();
    symlink("..data/token", place.directory().join("token")).unwrap();
    // Root's directory may be sticky; one's own may not, since its owner can change all that is in it.
    if rustix::process::geteuid().is_root() {
        assert_eq!(place.read("token").unwrap(), "the-first-value");
        symlink("..2026_11_24", place.directory().join("..new")).unwrap();
        fs::rename(place.directory().join("..new"), &data).unwrap();
        assert_eq!(place.read("token").unwrap(), "the-second-value");
    }
}

#[test]
fn a_link_that_leads_out_of_the_directory_is_refused() {
    let place = Place::new();
    fs::write(place.0.path().join("elsewhere"), VALUE).unwrap();
    fs::set_permissions(place.0.path().join("elsewhere"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("../elsewhere", place.directory().join("token")).unwrap();
    assert!(matches!(place.read("token"), Err(SourceError::LeadsOut)));
    fs::remove_file(place.directory().join("token")).unwrap();
    symlink("/dev/zero", place.directory().join("token")).unwrap();
    assert!(matches!(place.read("token"), Err(SourceError::Untrusted(_))));
}

#[test]
fn a_fifo_a_directory_and_a_file_without_end_are_refused_without_waiting() {
    let place = Place::new();
    let fifo = place.directory().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    fs::create_dir(place.directory().join("directory")).unwrap();
    assert!(place.read("fifo").is_err() && place.read("directory").is_err());
    place.put("long", &"x".repeat(1 << 20), 0o600);
    assert!(matches!(place.read("long"), Err(SourceError::TooLong)));
    place.put("most", &format!("{}\r\n", "x".repeat(LONGEST_SECRET)), 0o600);
    assert_eq!(place.read("most").unwrap().len(), LONGEST_SECRET);
    place.put("short", "1234567", 0o600);
    assert!(matches!(place.read("short"), Err(SourceError::TooShort)));
}
