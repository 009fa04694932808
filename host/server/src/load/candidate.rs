//! One plugin's directory: manifest, signatures, component, each read once.

use std::{ffi::OsString, path::PathBuf};

use jiff::Timestamp;
use wardkeep_model::Digest;
use wardkeep_policy::{Approved, Candidate, Fault, Faults, Reviewed, Revocations, approve, document::Document, review};

use crate::{
    document::{self, MANIFEST, NoDocument, Signatures},
    home::{Home, ReadError, cap, check_directory, read_file},
    screen::{escaped_name, shell_quoted},
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

/// Every directory under `plugins/`, sorted by name; and what lies there besides, which is no plugin.
pub(crate) fn find(home: &Home) -> Result<(Vec<Found>, Faults), NoDocument> {
    let plugins = home.plugins();
    let (mut found, mut strays) = (Vec::new(), Faults::none());
    for name in document::names(&plugins)? {
        // What cannot be looked at may be a plugin, and is refused as one.
        if plugins.join(&name).metadata().is_ok_and(|metadata| !metadata.is_dir()) {
            let file = format!("{}/{}", home.display(&plugins), escaped_name(&name));
            let message = "is no plugin's directory, and is ignored";
            strays.push(Fault::of(&file, message).mend("move it away: `plugins` holds directories only"));
        } else {
            found.push(read(home, &name));
        }
    }
    Ok((found, strays))
}

fn read(home: &Home, name: &OsString) -> Found {
    let directory = home.plugins().join(name);
    let shown = escaped_name(name);
    if name.to_str().is_none() {
        let file = format!("{}/{shown}", home.display(&home.plugins()));
        let wrong = Fault::of(&file, "a name that is not UTF-8").mend("rename the directory as the plugin is named");
        return Found { name: shown, directory, file, read: Err(wrong) };
    }
    let name = shown;
    let path = directory.join(MANIFEST);
    let file = home.display(&path);
    let manifest = check_directory(&directory).map_err(|error| fault(&file, &error)).and_then(|_| {
        read_file(&path, cap::DOCUMENT).map_err(|error| match error {
            ReadError::Absent(path) => Fault::of(&file, "does not exist").mend(format!(
                "write one: wardkeep draft FILE.wasm -o {}\nor move the directory away from `plugins`",
                shell_quoted(&path.display().to_string())
            )),
            error => fault(&file, &error),
        })
    });
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
        let approved = approve(&candidate, &terms.trust, revocations, &terms.host, now);
        // The highest serial that TOML can write: a mend that asks for a higher one would lead nowhere.
        let highest = known.is_some_and(|(serial, _)| i64::try_from(serial).map_or(true, |serial| serial == i64::MAX));
        approved.map_err(|faults| if highest { without_higher_serial(faults) } else { faults })
    }

    /// Asks policy the same but for the signatures; nothing where the manifest cannot be read.
    pub(super) fn review(&self, terms: &Terms, revocations: &Revocations, now: Timestamp) -> Option<Reviewed> {
        let (manifest, signatures) = self.read.as_ref().ok()?;
        let candidate = Candidate { file: &self.file, directory: &self.name, manifest, signatures, known: None };
        review(&candidate, &terms.trust, revocations, &terms.host, now).0
    }

    /// The component's bytes: those that are digested, inspected and compiled.
    pub(crate) fn component(&self, name: &str) -> Result<Vec<u8>, Faults> {
        read_file(&self.directory.join(name), cap::COMPONENT).map_err(|error| {
            let Fault { message, mut mend, .. } = fault(&self.file, &error);
            if matches!(error, ReadError::Absent(_)) {
                mend = Some("put the approved component there, under that name".to_owned());
            }
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

fn without_higher_serial(faults: Faults) -> Faults {
    let mut mended = Faults::none();
    mended.extend(faults.into_iter().map(|fault| match fault.key.as_str() {
        "plugin.serial" => fault.mend("no serial is higher: put the accepted manifest back, or name the plugin anew"),
        _ => fault,
    }));
    mended
}

/// An error of this crate as a fault: what it says after `mend:` is the mend.
pub(super) fn fault(file: &str, error: &dyn std::error::Error) -> Fault {
    let text = error.to_string();
    match text.split_once("\n  mend: ") {
        Some((message, mend)) => Fault::of(file, message).mend(mend),
        None => Fault::of(file, text),
    }
}
