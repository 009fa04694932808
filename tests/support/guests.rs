//! The components of `tests/guests`, built once, at their first use.

use std::{collections::BTreeMap, path::PathBuf, sync::OnceLock};

use wardkeep_build::Guest;

fn all() -> &'static BTreeMap<String, PathBuf> {
    static ALL: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    ALL.get_or_init(|| {
        let guests = Guest::package("wardkeep-test-guests").examples();
        guests.unwrap_or_else(|error| panic!("{error:#}")).into_iter().collect()
    })
}

/// The component of `tests/guests/examples/<name>.rs`.
pub fn path(name: &str) -> PathBuf {
    all().get(name).unwrap_or_else(|| panic!("no guest `{name}` among {:?}", all().keys())).clone()
}

/// The first-party plugin `files` with the tools that change something.
pub fn files_write() -> PathBuf {
    static FILES: OnceLock<PathBuf> = OnceLock::new();
    let build = || Guest::package("wardkeep-files-write").build().unwrap_or_else(|error| panic!("{error:#}"));
    FILES.get_or_init(build).clone()
}

/// The first-party plugin `files`.
pub fn files() -> PathBuf {
    static FILES: OnceLock<PathBuf> = OnceLock::new();
    plugin(&FILES, "wardkeep-files")
}

/// The first-party plugin `fetch`.
pub fn fetch() -> PathBuf {
    static FETCH: OnceLock<PathBuf> = OnceLock::new();
    plugin(&FETCH, "wardkeep-fetch")
}

/// The first-party plugin `github`.
pub fn github() -> PathBuf {
    static GITHUB: OnceLock<PathBuf> = OnceLock::new();
    plugin(&GITHUB, "wardkeep-github")
}

fn plugin(built: &OnceLock<PathBuf>, package: &str) -> PathBuf {
    built.get_or_init(|| Guest::package(package).build().unwrap_or_else(|error| panic!("{error:#}"))).clone()
}
