//! The documents that people sign, as files: which kind a path is, its bytes, and the signatures that lie beside it.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use wardkeep_policy::{
    Faults, MANIFEST_NAMESPACE, REVOKE_NAMESPACE, Revocation, TRUST_NAMESPACE, Trust, manifest::Manifest,
};

use crate::{
    home::{self, ReadError, Unsafe, cap, check_directory, read_file},
    screen::{Told as _, escaped_name},
};

/// The name of every manifest.
pub(crate) const MANIFEST: &str = "manifest.toml";

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Manifest,
    Trust,
    Revocation,
}

/// Why a path is no document to sign.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDocument {
    #[error(
        "`{}` is neither a `manifest.toml`, nor a `trust.toml`, nor in a directory `revoked`\n  \
         mend: the name says what a signature is for; name the file as it is named in a home", .0.told()
    )]
    Kind(PathBuf),
    #[error("`{}` holds more than {} signatures\n  mend: remove those of people who are not needed", .0.told(), cap::SIGNATURES)]
    TooMany(PathBuf),
    #[error("`{}` in `{}` is a name that is not UTF-8\n  mend: rename it", escaped_name(.name), .directory.told())]
    NotUtf8 { directory: PathBuf, name: OsString },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
}

/// File names and bytes of detached signatures.
pub(crate) type Signatures = Vec<(String, Vec<u8>)>;

impl Kind {
    /// The purpose that a signature is made for.
    pub(crate) const fn namespace(self) -> &'static str {
        match self {
            Self::Manifest => MANIFEST_NAMESPACE,
            Self::Trust => TRUST_NAMESPACE,
            Self::Revocation => REVOKE_NAMESPACE,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Trust => "trust document",
            Self::Revocation => "revocation",
        }
    }

    /// All faults of a document of this kind.
    pub(crate) fn check(self, file: &str, bytes: &[u8]) -> Result<(), Faults> {
        match self {
            Self::Manifest => Manifest::parse(file, bytes).map(drop),
            Self::Trust => Trust::parse(file, bytes).map(drop),
            Self::Revocation => Revocation::parse(file, bytes).map(drop),
        }
    }
}

/// The document that a path means, a plugin's directory standing for its manifest, and what it is for.
pub(crate) fn resolve(path: &Path) -> Result<(PathBuf, Kind), NoDocument> {
    let path = if path.is_dir() { path.join(MANIFEST) } else { path.to_path_buf() };
    let name = path.file_name().and_then(|name| name.to_str());
    let parent = std::path::absolute(&path).ok().and_then(|path| Some(path.parent()?.file_name()?.to_owned()));
    match name {
        Some(MANIFEST) => Ok((path, Kind::Manifest)),
        Some(crate::home::TRUST) => Ok((path, Kind::Trust)),
        Some(name) if name.ends_with(".toml") && parent.is_some_and(|parent| parent == "revoked") => {
            Ok((path, Kind::Revocation))
        }
        _ => Err(NoDocument::Kind(path)),
    }
}

/// A document wherever it lies: what is signed may still be on its way into a home.
pub(crate) fn read_anywhere(path: &Path) -> Result<Vec<u8>, NoDocument> {
    Ok(home::read_anywhere(path, cap::DOCUMENT)?)
}

/// Where a document's signatures lie: `manifest.toml.sigs`.
pub(crate) fn signature_directory(document: &Path) -> PathBuf {
    let mut name = document.as_os_str().to_owned();
    name.push(".sigs");
    name.into()
}

/// The detached signatures beside a document of a home, by file name. Other files there are left alone.
pub(crate) fn signatures(document: &Path) -> Result<Signatures, NoDocument> {
    let directory = signature_directory(document);
    if directory.symlink_metadata().is_ok() {
        check_directory(&directory)?;
    }
    let mut found = Vec::new();
    for name in signature_files(&directory)? {
        let bytes = read_file(&directory.join(&name), cap::SIGNATURE)?;
        let name = name.into_string().map_err(|name| NoDocument::NotUtf8 { directory: directory.clone(), name })?;
        found.push((name, bytes));
    }
    Ok(found)
}

/// The names in a directory that end in `.sig`.
pub(crate) fn signature_files(directory: &Path) -> Result<Vec<OsString>, NoDocument> {
    let mut names = names(directory)?;
    names.retain(|name| name.as_bytes().ends_with(b".sig"));
    if names.len() > cap::SIGNATURES { Err(NoDocument::TooMany(directory.to_path_buf())) } else { Ok(names) }
}

/// The names in a directory, sorted; none where it is not there. Hidden names are left out.
pub(crate) fn names(directory: &Path) -> Result<Vec<OsString>, NoDocument> {
    let failed = |error| ReadError::Unreadable { path: directory.to_path_buf(), error };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error).into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if !name.as_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The file of one signer's signature: the fingerprint in the letters of a file name. It is for people: trust never comes from it.
pub(crate) fn signature_name(fingerprint: &str) -> String {
    let bare = fingerprint.strip_prefix("SHA256:").unwrap_or(fingerprint);
    format!("{}.sig", bare.replace('/', "_").replace('+', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_document_says_what_a_signature_is_for() {
        for (path, kind) in [
            ("plugins/files/manifest.toml", Kind::Manifest),
            ("trust.toml", Kind::Trust),
            ("/home/revoked/2026-11-stolen.toml", Kind::Revocation),
        ] {
            assert_eq!(resolve(Path::new(path)).unwrap(), (path.into(), kind), "{path}");
        }
        for path in ["wardkeep.toml", "revoked.toml", "revoked/notes.txt", "manifest.toml.bak"] {
            assert!(matches!(resolve(Path::new(path)), Err(NoDocument::Kind(_))), "{path}");
        }
    }

    #[test]
    fn a_directory_stands_for_its_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let (path, kind) = resolve(directory.path()).unwrap();
        assert_eq!((path, kind), (directory.path().join("manifest.toml"), Kind::Manifest));
    }

    #[test]
    fn a_fingerprint_becomes_one_file_name() {
        assert_eq!(signature_name("SHA256:a/b+c"), "a_b-c.sig");
    }
}
