//! `wardkeep init`: a new home for the user who runs it. Nothing of an existing home is overwritten.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, bail};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde::Serialize;
use wardkeep_model::Digest;
use wardkeep_policy::{InitialTrust, PublicKey, Trust};

use crate::{
    cli::Globals,
    config,
    home::{self, Home, check_directory, create_directory, user_name, write_new},
    screen::{Ink, Told as _, escaped, note},
    stop::on_signal,
};

/// The name of a new approver's key in `~/.ssh`.
pub(crate) const NEW_KEY: &str = "wardkeep_approver";

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wardkeep init --approver-key ~/.ssh/id_ed25519.pub --person ada\n  wardkeep init\n  \
    wardkeep --home /srv/wardkeep init --new-key /media/stick/approver"
)]
pub(crate) struct Args {
    /// The first approver's public key: ssh-ed25519, sk-ssh-ed25519 or ecdsa-sha2-nistp256
    #[arg(long, value_name = "FILE.pub", conflicts_with = "new_key")]
    approver_key: Option<PathBuf>,
    /// Where to write a new key pair; by default ~/.ssh/wardkeep_approver
    #[arg(long, value_name = "FILE")]
    new_key: Option<PathBuf>,
    /// The first approver's name; by default the operating-system user's
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
}

#[derive(Serialize)]
struct Made<'a> {
    home: &'a Path,
    root_sha256: Digest,
    approver: &'a str,
    fingerprint: &'a str,
    public_key: &'a Path,
    principal: String,
}

pub(crate) fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let uid = rustix::process::geteuid().as_raw();
    let user = user_name(uid).unwrap_or_else(|| format!("uid{uid}"));
    let person = args.person.clone().unwrap_or_else(|| user.clone());
    let directory = Home::locate(globals.home.as_deref())?;
    fits(&directory)?;
    let public = match &args.approver_key {
        Some(file) => file.clone(),
        None => make_key(args.new_key.as_deref(), &person)?,
    };
    let key = read_key(&public)?;
    // Not before there is a key: whoever stops at the passphrase leaves nothing behind.
    create_directory(&directory)?;
    let directory = check_directory(&directory)?;
    let expires = Timestamp::now().to_zoned(TimeZone::UTC).date().checked_add(365.days())?;
    let trust = Trust::render_initial(&InitialTrust { person: &person, key: &key, expires });
    // A name that the document cannot hold shows here, before anything is written.
    let root = Trust::parse(home::TRUST, trust.as_bytes())?.digest();
    for name in ["plugins", "revoked"] {
        create_directory(&directory.join(name))?;
    }
    write_new(&directory.join(home::TRUST), trust.as_bytes(), 0o600)?;
    // Last: a directory is a home once it has this file.
    write_new(&directory.join(home::CONFIG), config::render(root, &user).as_bytes(), 0o600)?;
    let screen = globals.screen();
    let principal = format!("user:{user}");
    if screen.is_json() {
        let (approver, fingerprint) = (person.as_str(), key.fingerprint());
        screen.document(&Made {
            home: &directory,
            root_sha256: root,
            approver,
            fingerprint,
            public_key: &public,
            principal,
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    screen.line(format!("{} {}", screen.paint(Ink::Bold, "home    "), directory.told()))?;
    screen.line(format!("{} {} with {}", screen.paint(Ink::Bold, "approver"), escaped(&person), key.fingerprint()))?;
    screen.line(format!("{} {root}", screen.paint(Ink::Bold, "trust   ")))?;
    screen.line(format!("{} {principal} over standard input", screen.paint(Ink::Bold, "caller  ")))?;
    note(
        "\nNext: `wardkeep draft FILE.wasm` writes a manifest, `wardkeep sign` approves it, `wardkeep serve --stdio` serves it.",
    );
    Ok(ExitCode::SUCCESS)
}

/// Whether the directory can be a new home: empty of one or not there yet, under parents that nobody else may write.
fn fits(directory: &Path) -> anyhow::Result<()> {
    if directory.exists() {
        let real = check_directory(directory)?;
        if let Some(name) =
            [home::CONFIG, home::TRUST, "state", "audit", "keys"].iter().find(|name| real.join(name).exists())
        {
            bail!(
                "`{}` has a `{name}` already and is left as it is\n  mend: take another directory with `--home DIR`",
                real.told()
            );
        }
        return Ok(());
    }
    let above = directory.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    home::check_parent(above)?;
    Ok(())
}

fn read_key(file: &Path) -> anyhow::Result<PublicKey> {
    let text = fs::read_to_string(file).with_context(|| format!("the key `{}` cannot be read", file.told()))?;
    if text.contains("PRIVATE KEY") {
        bail!("`{}` is a private key\n  mend: name the public one, which ends in .pub", file.told());
    }
    let line = text.lines().next().unwrap_or_default().trim_end();
    line.parse::<PublicKey>().with_context(|| format!("the key `{}`", file.told()))
}

/// Lets ssh-keygen make a key pair, and ask for a passphrase where there is somebody to ask.
fn make_key(asked: Option<&Path>, person: &str) -> anyhow::Result<PathBuf> {
    let file = match asked {
        Some(file) => file.to_path_buf(),
        None => {
            let home = std::env::var_os("HOME")
                .context("`HOME` is not set\n  mend: name a key with `--approver-key` or `--new-key`")?;
            PathBuf::from(home).join(".ssh").join(NEW_KEY)
        }
    };
    if file.exists() {
        let public = with_pub(&file);
        bail!(
            "`{}` exists already and is left as it is\n  mend: `--approver-key {}` takes that key; `--new-key FILE` makes another",
            file.told(),
            public.told()
        );
    }
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let made = parent.filter(|parent| !parent.exists());
    if let Some(parent) = parent {
        create_directory(parent)?;
    }
    // Ctrl-C is ssh-keygen's to end by, and this process lives on to clean up.
    let _stop = on_signal().context("cannot listen for signals")?;
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-C"]).arg(format!("wardkeep approver {person}")).arg("-f").arg(&file);
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        note(format!("the new key `{}` has no passphrase, for nobody can be asked for one", file.told()));
        command.args(["-N", ""]);
    }
    // Its questions must not end up in what a script reads.
    command.stdout(std::io::stderr());
    let status = command.status().context("cannot run ssh-keygen\n  mend: install OpenSSH's client tools")?;
    if !status.success() {
        // It goes only while it is empty.
        let _ = made.map(fs::remove_dir);
        bail!("ssh-keygen made no key ({status}); there is no home yet");
    }
    Ok(with_pub(&file))
}

fn with_pub(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}
