//! Every bad document beside the exact text that the administrator reads.
//!
//! `tests/bad/NAME.toml` and `NAME.txt`; `WARDKEEP_BLESS=1` writes the texts anew, to be read in the diff. Lines that begin with `#!`
//! say in what surroundings the document is judged (TOML after the `#!`); `@component@` and `@contract@` stand for the digests of
//! the component that the tests approve. What `trust-` and `revocation-` begin is read as such.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail"
)]

#[path = "home/common.rs"]
mod common;

use std::{fs, path::Path};

use common::{Surroundings, description};
use wardkeep_policy::{Revocation, Trust};

fn documents(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut documents: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    documents.sort();
    documents
}

fn judge(path: &str, bytes: &[u8]) -> Result<String, String> {
    let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
    let surroundings = Surroundings::of(bytes);
    let told = |faults: wardkeep_policy::Faults| faults.to_string();
    if name.starts_with("trust-") {
        return Trust::parse("trust.toml", bytes).map(|_| String::new()).map_err(told);
    }
    if name.starts_with("revocation-") {
        let revocation = Revocation::parse("revoked/a.toml", bytes).map_err(told)?;
        let verified = revocation.verify(&common::trust(), &surroundings.revocation_signatures(bytes), common::now());
        return verified.map(|_| String::new()).map_err(told);
    }
    let bytes = common::fill(bytes);
    let approved = surroundings.approve(&bytes).map_err(told)?;
    let plugin = surroundings.with_component(approved).map_err(told)?;
    Ok(plugin.notices().iter().map(|notice| format!("{notice}\n")).collect())
}

fn compare(path: &str, told: &str) -> Result<(), String> {
    let beside = Path::new(path).with_extension("txt");
    if std::env::var_os("WARDKEEP_BLESS").is_some() {
        fs::write(&beside, told).unwrap();
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    if expected == told { Ok(()) } else { Err(format!("{path}\n--- expected\n{expected}--- told\n{told}")) }
}

#[test]
fn every_bad_document_is_refused_in_exactly_these_words() {
    let documents = documents("bad");
    assert!(documents.len() >= 30, "{} bad documents", documents.len());
    let wrong: Vec<String> = documents
        .iter()
        .filter_map(|(path, bytes)| match judge(path, bytes) {
            Ok(_) => Some(format!("{path}\nis accepted")),
            Err(told) => compare(path, &format!("{told}\n")).err(),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_good_document_is_accepted_with_exactly_these_notices() {
    for (path, bytes) in documents("good") {
        let notices = judge(&path, &bytes).unwrap_or_else(|told| panic!("{path}\n{told}"));
        compare(&path, &notices).unwrap();
    }
}

#[test]
fn the_description_that_the_documents_are_judged_by_is_stable() {
    assert_eq!(description().contract_digest().to_string(), common::CONTRACT);
}
