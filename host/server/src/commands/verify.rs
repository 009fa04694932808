//! `wardkeep verify`: the signatures beside a document, judged by the home's trust. Nothing is loaded or run.

use std::{path::PathBuf, process::ExitCode};

use jiff::Timestamp;
use serde::Serialize;
use wardkeep_model::{Digest, Effect};
use wardkeep_policy::{Fault, Faults, Revocation, manifest::Manifest, verify_signature};

use super::check::known;
use crate::{
    cli::Globals,
    document::{self, Kind},
    home::Home,
    load::Terms,
    screen::{Ink, Told as _, escaped},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wardkeep verify ~/.local/share/wardkeep/plugins/files/manifest.toml\n  wardkeep verify revoked/stolen.toml\n\n\
    The same without Wardkeep: ssh-keygen -Y verify -f ALLOWED_SIGNERS -I PERSON -n manifest@wardkeep.dev -s FILE.sig < manifest.toml"
)]
pub(crate) struct Args {
    /// A manifest.toml or its directory, a trust.toml, or a file in revoked/
    path: PathBuf,
}

#[derive(Serialize)]
struct Report {
    document: PathBuf,
    kind: &'static str,
    sha256: Digest,
    ok: bool,
    signatures: Vec<Signature>,
    signed_by: usize,
    needed: u32,
    faults: Faults,
}

#[derive(Serialize)]
struct Signature {
    file: String,
    fingerprint: Option<String>,
    person: Option<String>,
    counts: bool,
    reason: Option<String>,
}

pub(crate) fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    let now = Timestamp::now();
    let terms = Terms::read(&home, now)?;
    let (store, state) = known(&home)?;
    let (path, kind) = document::resolve(&args.path)?;
    let bytes = document::read_anywhere(&path)?;
    let file = path.told();
    let found = document::signatures(&path)?;
    let revocations = terms.revocations(&state);
    let mut signatures = Vec::new();
    for (name, signature) in &found {
        let (mut fingerprint, mut person, mut reason) = (None, None, None);
        match verify_signature(kind.namespace(), &bytes, signature) {
            Ok(signed) => {
                fingerprint = Some(signed.key.fingerprint().to_owned());
                match terms.trust.approver(&signed.key) {
                    None => reason = Some("a key that no approver has".to_owned()),
                    Some(approver) => {
                        person = Some(approver.name().to_owned());
                        if revocations.revokes_key(signed.key.fingerprint()) {
                            reason = Some("the key is revoked".to_owned());
                        } else if !approver.valid_at(now) {
                            reason = Some("may not approve at this time".to_owned());
                        }
                    }
                }
            }
            Err(error) => reason = Some(error.to_string()),
        }
        signatures.push(Signature { file: name.clone(), fingerprint, person, counts: reason.is_none(), reason });
    }
    let mut people: Vec<_> =
        signatures.iter().filter(|one| one.counts).filter_map(|one| one.person.as_deref()).collect();
    people.sort_unstable();
    people.dedup();
    let signed_by = people.len();
    let mut faults = Faults::none();
    let effect = match kind {
        Kind::Manifest => match Manifest::parse(&file, &bytes) {
            Ok(manifest) => manifest.gravest(),
            Err(wrong) => {
                faults.extend(wrong);
                Effect::Read
            }
        },
        Kind::Trust | Kind::Revocation => Effect::Read,
    };
    let mut needed = terms.trust.threshold(effect);
    match kind {
        Kind::Manifest => {}
        Kind::Revocation => {
            needed = 1;
            let verified =
                Revocation::parse(&file, &bytes).and_then(|revocation| revocation.verify(&terms.trust, &found, now));
            faults.extend(verified.err().into_iter().flatten());
        }
        // The pinned document stands by its pin; another one has to be signed to follow it.
        Kind::Trust if Digest::of(&bytes) == terms.trust.digest() => {
            needed = 0;
            if let Err(error) = terms.may_follow(&store, &state, now) {
                match error.downcast::<Faults>() {
                    Ok(wrong) => faults.extend(wrong),
                    Err(error) => faults.push(Fault::of(&file, error.to_string())),
                }
            }
        }
        Kind::Trust => match wardkeep_policy::Trust::parse(&file, &bytes) {
            Ok(new) => {
                let follows = wardkeep_policy::check_rotation(&terms.trust, &new, &bytes, &found, &revocations, now);
                faults.extend(follows.err().into_iter().flatten());
            }
            Err(wrong) => faults.extend(wrong),
        },
    }
    let enough = u32::try_from(signed_by).is_ok_and(|signed| signed >= needed);
    let unfit = kind == Kind::Manifest && signatures.iter().any(|one| one.fingerprint.is_none());
    let ok = enough && !unfit && faults.is_empty();
    let report = Report {
        document: path,
        kind: kind.as_str(),
        sha256: Digest::of(&bytes),
        ok,
        signatures,
        signed_by,
        needed,
        faults,
    };
    print(globals, &report)?;
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(globals: &Globals, report: &Report) -> std::io::Result<()> {
    let screen = globals.screen();
    if screen.is_json() {
        return screen.document(report);
    }
    screen.line(format!("{} {}", screen.paint(Ink::Bold, report.kind), report.document.told()))?;
    screen.line(format!("sha256 {}", report.sha256))?;
    for one in &report.signatures {
        let mark = if one.counts { screen.paint(Ink::Good, "counts") } else { screen.paint(Ink::Bad, "not   ") };
        let who = one.person.as_deref().map_or_else(|| "nobody known".to_owned(), escaped);
        let key = one.fingerprint.as_deref().unwrap_or("-");
        let reason = one.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        screen.line(format!("  {mark}  {who}  {key}  {}{reason}", escaped(&one.file)))?;
    }
    if !report.faults.is_empty() {
        screen.line(&report.faults)?;
    }
    let (word, ink) = if report.ok { ("accepted", Ink::Good) } else { ("refused", Ink::Bad) };
    let why = match report.needed {
        0 => format!("signed by {} people; wardkeep.toml pins it", report.signed_by),
        needed => format!("signed by {} of the {needed} people who are needed", report.signed_by),
    };
    screen.line(format!("{}: {why}", screen.paint(ink, word)))
}
