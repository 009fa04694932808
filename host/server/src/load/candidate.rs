//! One plugin's directory: manifest, signatures, component, each read once.

use std::path::PathBuf;

use jiff::Timestamp;
use wardkeep_model::Digest;
use wardkeep_policy::{Approved, Candidate, Fault, Faults, Revocations, approve, document::Document};

use crate::{
    document::{self, MANIFEST, NoDocument, Signatures},
    home::{Home, cap, read_file},
};

use super::{Rejected, Terms};

/// A plugin's directory as it was found.
pub(crate) struct Found {
    /// The directory's name.
    pub(crate) name: String,
    directory: PathBuf,
    /// The manifest's path as messages show it.
    file: String,
    read: Result<(Vec<u8>, Signatures), Fault>,
}

/// Every directory under `plugins/`, sorted by name.
pub(crate) fn find(home: &Home) -> Result<Vec<Found>, NoDocument> {
    let plugins = home.plugins();
    let names = document::names(&plugins)?;
    Ok(names.into_iter().map(|name| read(home, name)).collect())
}

fn read(home: &Home, name: String) -> Found {
    let directory = home.plugins().join(&name);
    let path = directory.join(MANIFEST);
    let file = home.display(&path);
    let manifest = read_file(&path, cap::DOCUMENT).map_err(|error| fault(&file, &error));
    let read = manifest.and_then(|bytes| {
        let signatures = document::signatures(&path).map_err(|error| fault(&file, &error))?;
        let shown = home.display(&document::signature_directory(&path));
        let signatures = signatures.into_iter().map(|(name, bytes)| (format!("{shown}/{name}"), bytes)).collect();
        Ok((bytes, signatures))
    });
    Found { name, directory, file, read }
}

impl Found {
    /// Asks policy everything that can be asked without the component.
    pub(crate) fn approve(
        &self,
        terms: &Terms,
        revocations: &Revocations,
        known: Option<(u64, Digest)>,
        now: Timestamp,
    ) -> Result<Approved, Faults> {
        let (manifest, signatures) = self.read.as_ref().map_err(|fault| Faults::from(fault.clone()))?;
        let candidate = Candidate { file: &self.file, directory: &self.name, manifest, signatures, known };
        approve(&candidate, &terms.trust, revocations, &terms.host, now)
    }

    /// The component's bytes: those that are digested, inspected and compiled.
    pub(crate) fn component(&self, name: &str) -> Result<Vec<u8>, Faults> {
        read_file(&self.directory.join(name), cap::COMPONENT).map_err(|error| {
            let Fault { message, mend, .. } = fault(&self.file, &error);
            Fault { mend, ..self.fault("component.file", message) }.into()
        })
    }

    /// A fault at a key of the manifest.
    pub(super) fn fault(&self, key: &str, message: String) -> Fault {
        let bytes = self.read.as_ref().map_or(&[][..], |(bytes, _)| bytes);
        let line = Document::read(&self.file, bytes).ok().and_then(|document| document.lines().of_key(key));
        Fault::of(&self.file, message).at(line, key)
    }

    pub(crate) fn rejected(&self, faults: Faults) -> Rejected {
        let manifest = self.read.as_ref().ok().map(|(bytes, _)| Digest::of(bytes));
        Rejected { plugin: self.name.clone(), manifest, faults }
    }
}

/// An error of this crate as a fault: what it says after `mend:` is the mend.
pub(super) fn fault(file: &str, error: &dyn std::error::Error) -> Fault {
    let text = error.to_string();
    match text.split_once("\n  mend: ") {
        Some((message, mend)) => Fault::of(file, message).mend(mend),
        None => Fault::of(file, text),
    }
}
