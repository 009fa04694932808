//! What is compared with what: a document that somebody names, beside what this home last took into service.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::Serialize;
use wardkeep_model::{Description, Digest, PluginName};
use wardkeep_policy::{
    diff::{Difference, Side, Weight, diff},
    manifest::Manifest,
};
use wardkeep_sandbox::Inspection;

use crate::{
    approved, compiling,
    document::{self, MANIFEST},
    home::{Foreign, Home, ReadError, cap},
    screen::{Ink, Screen, Told as _, chain, escaped, note},
    state::State,
};

/// One side: a manifest and, where the component that it pins lies beside it, what that says of itself.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Where it is from, for people.
    pub(crate) origin: String,
    pub(crate) manifest: Manifest,
    pub(crate) description: Option<Description>,
    /// What lies beside a manifest that was read from a directory, under the component's name.
    pub(crate) beside: Option<Beside>,
}

/// A component that may be the one that a manifest pins.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) digest: Digest,
    /// What was seen of it, if it is: another one is not looked at.
    pub(crate) inspection: Option<Inspection>,
}

/// Both sides and what differs.
pub(crate) struct Comparison {
    pub(crate) old: Option<Seen>,
    pub(crate) new: Seen,
    pub(crate) difference: Difference,
}

/// One side, for scripts.
#[derive(Serialize)]
struct Told<'a> {
    from: &'a str,
    plugin: &'a str,
    version: String,
    serial: u64,
    manifest: Digest,
}

#[derive(Serialize)]
pub(crate) struct Report<'a> {
    same: bool,
    old: Option<Told<'a>>,
    new: Told<'a>,
    difference: &'a Difference,
}

impl Seen {
    /// Reads a plugin's directory, or a manifest under any name; the component is looked for beside it.
    pub(crate) async fn read(path: &Path) -> anyhow::Result<Self> {
        let file = if path.is_dir() { path.join(MANIFEST) } else { path.to_path_buf() };
        Self::of(&file, &document::read_anywhere(&file)?).await
    }

    /// These very bytes of a manifest that lies at this path.
    pub(crate) async fn of(file: &Path, manifest: &[u8]) -> anyhow::Result<Self> {
        let origin = file.told();
        let manifest = Manifest::parse(&origin, manifest)?;
        let beside = Foreign::open(&directory_of(file))?.read(&manifest.component().file, cap::COMPONENT);
        let beside = match beside {
            Ok(component) => Some(inspect(&manifest, component).await?),
            Err(ReadError::Absent(_)) => None,
            Err(error) => {
                note(&error);
                None
            }
        };
        let inspection = beside.as_ref().and_then(|beside| beside.inspection.as_ref());
        let description = inspection.and_then(|inspection| told(&manifest, &inspection.description));
        Ok(Self { origin, manifest, description, beside })
    }

    fn side(&self) -> Side<'_> {
        Side { manifest: &self.manifest, description: self.description.as_ref() }
    }

    fn told(&self) -> Told<'_> {
        Told {
            from: &self.origin,
            plugin: self.manifest.name().as_str(),
            version: self.manifest.version().to_string(),
            serial: self.manifest.serial(),
            manifest: self.manifest.digest(),
        }
    }
}

/// What lies there, and what can be seen of it if it is the component that the manifest pins.
async fn inspect(manifest: &Manifest, component: Vec<u8>) -> anyhow::Result<Beside> {
    let (pinned, digest) = (manifest.component(), Digest::of(&component));
    if digest != pinned.sha256 {
        note(format!("`{}` is not the component that `{}` pins, and is not looked at", pinned.file, manifest.file()));
        return Ok(Beside { digest, inspection: None });
    }
    let inspected = compiling::plain()?.inspect(component.into()).await;
    // On one line: names of functions, which the component chose, stand in a trap's words.
    let inspected = inspected
        .map_err(|error| anyhow!("`{}` beside `{}`: {}", pinned.file, manifest.file(), escaped(&chain(&error))))?;
    Ok(Beside { digest, inspection: Some(inspected.inspection().clone()) })
}

/// What the component says, if it is the story that the manifest pins.
fn told(manifest: &Manifest, description: &Description) -> Option<Description> {
    let pinned = manifest.component();
    if description.contract_digest() != pinned.contract_sha256 {
        note(format!("`{}` does not tell the story that `{}` pins", pinned.file, manifest.file()));
        return None;
    }
    Some(description.clone())
}

/// What stands for this plugin in a home until now: what it last took into service, or what lies in `plugins/`; nothing where that is
/// what it is compared with.
pub(crate) async fn until_now(
    home: &Home,
    state: &State,
    new: &Seen,
    directory: &Path,
) -> anyhow::Result<Option<Seen>> {
    let name: &PluginName = new.manifest.name();
    if let Some(known) = state.plugins.get(name)
        && let Some(seen) = approved::read(home, name, known.manifest)?
    {
        return Ok(Some(seen));
    }
    let place = home.plugins().join(name.as_str());
    let is_itself = place.canonicalize().is_ok_and(|place| directory.canonicalize().is_ok_and(|it| it == place));
    if is_itself || !place.join(MANIFEST).exists() {
        return Ok(None);
    }
    match Seen::read(&place).await {
        Ok(seen) => Ok(Some(seen)),
        // It could never have been served: nothing that it says was in force.
        Err(error) => {
            note(format!("what lies in `{}` cannot be compared: {error:#}", place.told()));
            Ok(None)
        }
    }
}

/// The directory that a path to a manifest or its directory means.
pub(crate) fn directory_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_path_buf();
    }
    std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_path_buf)).unwrap_or_default()
}

impl Comparison {
    pub(crate) fn of(old: Option<Seen>, new: Seen) -> Self {
        let difference = diff(old.as_ref().map(Seen::side), new.side());
        Self { old, new, difference }
    }

    pub(crate) fn report(&self) -> Report<'_> {
        let Self { old, new, difference } = self;
        let old = old.as_ref().map(Seen::told);
        let same = old.as_ref().is_some_and(|old| old.manifest == new.manifest.digest()) || difference.is_empty();
        Report { same, old, new: new.told(), difference }
    }

    /// For people: what is added in red, first.
    pub(crate) fn print(&self, screen: Screen) -> std::io::Result<()> {
        let Self { old, new, difference } = self;
        let name = |seen: &Seen| {
            let Told { version, serial, .. } = seen.told();
            format!("{version}, serial {serial}  ({})", escaped(&seen.origin))
        };
        screen.line(screen.paint(Ink::Bold, new.manifest.name()))?;
        match old {
            Some(old) if old.manifest.name() != new.manifest.name() => {
                screen.line(format!("  old  {}, another plugin: {}", old.manifest.name(), name(old)))?;
            }
            Some(old) => screen.line(format!("  old  {}", name(old)))?,
            None => screen.line("  old  nothing: this home has not had it in service")?,
        }
        screen.line(format!("  new  {}", name(new)))?;
        if difference.is_empty() {
            return screen.line("no differences");
        }
        for section in difference.sections() {
            screen.line(screen.paint(Ink::Bold, section.title))?;
            for line in section.lines {
                screen.line(match section.weight {
                    Weight::Grave => screen.paint(Ink::Bad, format!("  {line}")),
                    Weight::Mild => screen.paint(Ink::Good, format!("  {line}")),
                    Weight::Plain => format!("  {line}"),
                })?;
            }
        }
        Ok(())
    }
}
