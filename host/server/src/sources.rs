//! The operator's sources of secrets: a directory of files, and the environment. Reads them each time it is asked, so that a changed value
//! needs no restart. Decides nothing about who may have a value.

mod file;

use std::{env, ffi::OsString, os::unix::ffi::OsStringExt as _};

use wardkeep_policy::manifest::{SourceKey, SourceKind};
use wardkeep_sandbox::{Reading, SecretSources, SourceError};

use crate::config::Sources;

impl SecretSources for Sources {
    fn read(&self, key: &SourceKey) -> Result<Reading, SourceError> {
        match key.kind {
            SourceKind::File => file::read(self.file.as_deref().ok_or(SourceError::NoSource)?, &key.name),
            SourceKind::Env if self.env => {
                let value = env::var_os(&key.name).map(OsString::into_vec).ok_or(SourceError::Absent)?;
                Reading::new(value, None)
            }
            SourceKind::Env => Err(SourceError::NoSource),
        }
    }
}

impl Sources {
    /// Where the value lies, for people.
    pub(crate) fn place(&self, key: &SourceKey) -> String {
        match (&self.file, key.kind) {
            (Some(directory), SourceKind::File) => directory.join(&key.name).display().to_string(),
            _ => key.to_string(),
        }
    }

    /// What helps against this error.
    pub(crate) fn mend(&self, key: &SourceKey, error: &SourceError) -> String {
        let path = crate::screen::shell_quoted(&self.place(key));
        match (error, key.kind) {
            (SourceError::NoSource, SourceKind::File) => {
                "[sources.file] with directory = \"/run/secrets/wardkeep\" in wardkeep.toml".to_owned()
            }
            (SourceError::NoSource, SourceKind::Env) => "[sources.env] in wardkeep.toml, or a file instead".to_owned(),
            (_, SourceKind::Env) => format!("set {} where the host is started, or use a file", key.name),
            (SourceError::Absent, _) => {
                format!("install -m 600 /dev/stdin {path}, then type or paste the value and Ctrl-D")
            }
            (SourceError::OpenToOthers { .. }, _) => {
                format!("chmod 600 {path}, and a new value if others have read it")
            }
            (SourceError::LeadsOut, _) => "put the file itself there, or a link to one beside it".to_owned(),
            (SourceError::Unreadable(_), _) => format!("let the user who runs the host read it: ls -l {path}"),
            (SourceError::Untrusted(_), _) => format!("see who owns it and what leads to it: ls -ld {path}"),
            (SourceError::TooShort | SourceError::TooLong, _) => {
                format!("put the credential there, and nothing else: {path}")
            }
            (SourceError::Unfit(_), _) => format!("put one line of plain text there: {path}"),
            (SourceError::NoKey, _) => format!("put the App's private key there, as it was downloaded (PEM): {path}"),
        }
    }
}
