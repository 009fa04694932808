//! The files of one plugin, each read once: the bytes that are verified are the bytes that are written.

use std::{fs, os::unix::ffi::OsStrExt as _, path::Path};

use wardkeep_policy::{Fault, Faults, manifest::Manifest};

use crate::{
    document::{MANIFEST, NoDocument, Signatures},
    home::{Foreign, ReadError, WriteError, cap, create_directory, sync_directory, write_new},
    screen::{Told as _, escaped_name},
};

const SIGNATURES: &str = "manifest.toml.sigs";

/// What a plugin's directory holds, as bytes.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// How messages name the manifest.
    pub(crate) file: String,
    pub(crate) manifest: Vec<u8>,
    /// Plain file names and bytes.
    pub(crate) signatures: Signatures,
    /// What the manifest names as its component.
    component: Result<Vec<u8>, ReadError>,
    name: Option<String>,
}

impl Bundle {
    /// Reads what belongs to a plugin out of a directory, whoever owns that, and nothing else that lies there.
    pub(crate) fn read(directory: &Path) -> Result<Self, NoDocument> {
        let source = Foreign::open(directory)?;
        let manifest = source.read(MANIFEST, cap::DOCUMENT)?;
        let mut signatures = Signatures::new();
        if let Some(inner) = source.inner(SIGNATURES)? {
            for name in inner.names()?.into_iter().filter(|name| name.as_bytes().ends_with(b".sig")) {
                if name.as_bytes().starts_with(b".") {
                    continue;
                }
                if signatures.len() == cap::SIGNATURES {
                    return Err(NoDocument::TooMany(inner.path().to_path_buf()));
                }
                let bytes = inner.read(&name, cap::SIGNATURE)?;
                let name = name
                    .into_string()
                    .map_err(|name| NoDocument::NotUtf8 { directory: inner.path().to_path_buf(), name })?;
                signatures.push((name, bytes));
            }
        }
        let file = source.path().join(MANIFEST).told();
        // Its name is a plain one once the manifest has been understood; of another manifest nothing is looked for.
        let name = Manifest::parse(&file, &manifest).ok().map(|read| read.component().file.clone());
        let component = match &name {
            Some(name) => source.read(name, cap::COMPONENT),
            None => Err(ReadError::Absent(directory.join("*.wasm"))),
        };
        Ok(Self { file, manifest, signatures, component, name })
    }

    /// The component's bytes.
    pub(crate) fn component(&self) -> Result<&[u8], Faults> {
        self.component.as_deref().map_err(|error| {
            let told = error.to_string();
            let (message, mend) = told.split_once("\n  mend: ").unwrap_or((&told, "put the approved component there"));
            Fault::of(&self.file, message).at(None, "component.file").mend(mend).into()
        })
    }

    /// Writes all of it into a new directory, and makes it last.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), WriteError> {
        create_directory(directory)?;
        write_new(&directory.join(MANIFEST), &self.manifest, FILE)?;
        if let (Some(name), Ok(bytes)) = (&self.name, &self.component) {
            write_new(&directory.join(name), bytes, FILE)?;
        }
        let signatures = directory.join(SIGNATURES);
        create_directory(&signatures)?;
        for (name, bytes) in &self.signatures {
            write_new(&signatures.join(name), bytes, FILE)?;
        }
        sync_directory(&signatures)?;
        sync_directory(directory)
    }
}

const FILE: u32 = 0o600;

/// The names of the directories in `plugins/`, as messages show them.
pub(crate) fn installed(plugins: &Path) -> Vec<String> {
    let names = crate::document::names(plugins).unwrap_or_default();
    let there = |name: &std::ffi::OsString| fs::metadata(plugins.join(name)).is_ok_and(|metadata| metadata.is_dir());
    names.iter().filter(|name| there(name)).map(|name| escaped_name(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "format = 1\n[plugin]\nname = \"a\"\nversion = \"1.0.0\"\nserial = 1\nexpires = 2027-06-30\nowner = \"me\"\n\
        [component]\nfile = \"a.wasm\"\nsha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n\
        contract_sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\n[tools.t]\neffect = \"read\"\n";

    #[test]
    fn what_is_written_is_what_was_read_whatever_the_source_has_become_since() {
        let directory = tempfile::tempdir().unwrap();
        let (source, target) = (directory.path().join("source"), directory.path().join("target"));
        fs::create_dir_all(source.join(SIGNATURES)).unwrap();
        for (name, text) in [("manifest.toml", TEXT), ("a.wasm", "component"), ("manifest.toml.sigs/me.sig", "signed")]
        {
            fs::write(source.join(name), text).unwrap();
        }
        // What is no part of a plugin stays where it is.
        for name in ["README.md", "b.wasm", ".hidden", "manifest.toml.sigs/notes", "manifest.toml.sigs/.a.sig"] {
            fs::write(source.join(name), "not asked for").unwrap();
        }
        let bundle = Bundle::read(&source).unwrap();
        for name in ["manifest.toml", "a.wasm", "manifest.toml.sigs/me.sig"] {
            fs::write(source.join(name), "changed meanwhile").unwrap();
        }
        bundle.write(&target).unwrap();
        let read = |name: &str| fs::read_to_string(target.join(name)).unwrap();
        assert_eq!((read("manifest.toml").as_str(), read("a.wasm").as_str()), (TEXT, "component"));
        assert_eq!(read("manifest.toml.sigs/me.sig"), "signed");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 3);
        assert_eq!(fs::read_dir(target.join(SIGNATURES)).unwrap().count(), 1);
    }
}
