//! `wardkeep sign`: shows a whole document, asks, and lets `ssh-keygen` sign the very bytes that were shown. Keys, agents and
//! passphrases stay with ssh-keygen.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    thread,
};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::Serialize;
use wardkeep_model::Digest;
use wardkeep_policy::{Faults, verify_signature};

use super::check::known;
use crate::{
    ask,
    cli::Globals,
    comparison::{Comparison, Seen, directory_of, until_now},
    document::{self, Kind},
    home::{Home, create_directory, write_durable},
    load::{Terms, refusals},
    screen::{Ink, Screen, Told as _, chain, escaped_lines, note, shell_quoted},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wardkeep sign ~/.local/share/wardkeep/plugins/files/manifest.toml --key ~/.ssh/id_ed25519\n  \
    wardkeep sign trust.toml --key ~/.ssh/id_ed25519_sk\n\nWith --key naming a public key, ssh-keygen asks the SSH agent."
)]
pub(crate) struct Args {
    /// A manifest.toml or its directory, a trust.toml, or a file in revoked/
    path: PathBuf,
    /// The private key, or the public key of one that an agent holds; by default the one that `init` made, then ~/.ssh/id_ed25519
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Sign without asking
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Signed<'a> {
    document: &'a Path,
    namespace: &'a str,
    sha256: Digest,
    signed_by: &'a str,
    signature: &'a Path,
}

pub(crate) async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let screen = globals.screen();
    let (path, kind) = document::resolve(&args.path)?;
    let bytes = document::read_anywhere(&path)?;
    // What could never be served is not worth a signature.
    kind.check(&path.told(), &bytes)?;
    let key = match &args.key {
        Some(key) => key.clone(),
        None => default_key().context("no key\n  mend: name one with `--key FILE`")?,
    };
    if !screen.is_json() {
        show(screen, &path, kind, &bytes, &key)?;
    }
    if !screen.is_json() && kind == Kind::Manifest {
        compare(globals, screen, &path, &bytes).await?;
    }
    let question = format!("sign this {}?", kind.as_str());
    if !args.yes && !ask::yes(&question, "read the document, then sign it with `--yes`")? {
        note("not signed");
        return Ok(ExitCode::FAILURE);
    }
    let (fingerprint, file) = sign(&path, kind, &bytes, &key)?;
    if document::read_anywhere(&path)? != bytes {
        bail!("`{}` was changed meanwhile: the signature is for what was shown\n  mend: sign it again", path.told());
    }
    if screen.is_json() {
        let sha256 = Digest::of(&bytes);
        let (namespace, signed_by) = (kind.namespace(), fingerprint.as_str());
        screen.document(&Signed { document: &path, namespace, sha256, signed_by, signature: &file })?;
    } else {
        screen.line(format!("{} by {fingerprint}\n  {}", screen.paint(Ink::Good, "signed"), file.told()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Signs with ssh-keygen, checks what it made and files it beside the document; gives the signer and the file.
pub(crate) fn sign(path: &Path, kind: Kind, bytes: &[u8], key: &Path) -> anyhow::Result<(String, PathBuf)> {
    let signature = ssh_keygen(kind, bytes, key)?;
    let signed = verify_signature(kind.namespace(), bytes, &signature)
        .with_context(|| format!("the signature that ssh-keygen made with `{}` does not count", key.told()))?;
    let fingerprint = signed.key.fingerprint().to_owned();
    let directory = document::signature_directory(path);
    create_directory(&directory)?;
    let file = directory.join(document::signature_name(&fingerprint));
    write_durable(&file, &signature, 0o600)?;
    Ok((fingerprint, file))
}

fn show(screen: Screen, path: &Path, kind: Kind, bytes: &[u8], key: &Path) -> io::Result<()> {
    let rule = screen.paint(Ink::Dim, "─".repeat(72));
    screen.line(format!("{} {}", screen.paint(Ink::Bold, kind.as_str()), path.told()))?;
    screen.line(&rule)?;
    // It has been parsed, so it is UTF-8.
    screen.line(escaped_lines(String::from_utf8_lossy(bytes).trim_end_matches('\n')))?;
    screen.line(&rule)?;
    screen.line(format!("sha256   {}", Digest::of(bytes)))?;
    screen.line(format!(
        "command  ssh-keygen -Y sign -f {} -n {} < {}",
        shell_quoted(&key.display().to_string()),
        kind.namespace(),
        shell_quoted(&path.display().to_string())
    ))
}

/// What signing would change, as far as there is a home to compare with.
async fn compare(globals: &Globals, screen: Screen, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let Ok(home) = Home::open(globals.home.as_deref()) else { return Ok(()) };
    let compared = async {
        let (_, state) = known(&home)?;
        let new = Seen::of(path, bytes).await?;
        // Before anything is asked: a signature under what is refused has to be made again.
        let now = Timestamp::now();
        match Terms::read(&home, now) {
            Ok(terms) => warn(screen, &refusals(&home, path, &new, bytes, (&terms, &state), now))?,
            Err(error) => note(escaped_lines(&format!("not judged: {}", chain(error.as_ref())))),
        }
        let old = until_now(&home, &state, &new, &directory_of(path)).await?;
        anyhow::Ok(Comparison::of(old, new))
    };
    match compared.await {
        Ok(comparison) => comparison.print(screen)?,
        // The whole document stands above, which is what is signed.
        Err(error) => note(escaped_lines(&format!("not compared: {}", chain(error.as_ref())))),
    }
    Ok(())
}

fn warn(screen: Screen, refused: &Faults) -> io::Result<()> {
    let word = screen.paint(Ink::Warning, "refused here");
    refused.iter().try_for_each(|fault| screen.line(format!("{word}  {fault}")))
}

fn ssh_keygen(kind: Kind, bytes: &[u8], key: &Path) -> anyhow::Result<Vec<u8>> {
    if !key.exists() {
        bail!("there is no key `{}`\n  mend: name one with `--key FILE`", key.told());
    }
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", kind.namespace(), "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .context("cannot run ssh-keygen\n  mend: install OpenSSH's client tools")?;
    let mut input = child.stdin.take().context("ssh-keygen has no standard input")?;
    let document = bytes.to_vec();
    // In a thread of its own: ssh-keygen may write before it has read everything.
    let feeding = thread::spawn(move || input.write_all(&document));
    let output = child.wait_with_output().context("ssh-keygen did not end")?;
    let fed = feeding.join().map_err(|_| anyhow::anyhow!("feeding ssh-keygen failed"))?;
    if !output.status.success() {
        bail!("ssh-keygen could not sign with `{}` ({})", key.told(), output.status);
    }
    fed.context("ssh-keygen did not read the whole document")?;
    Ok(output.stdout)
}

/// The key that `init` makes, then the usual one.
fn default_key() -> Option<PathBuf> {
    let ssh = PathBuf::from(std::env::var_os("HOME")?).join(".ssh");
    [super::init::NEW_KEY, "id_ed25519"].iter().map(|name| ssh.join(name)).find(|path| path.exists())
}
