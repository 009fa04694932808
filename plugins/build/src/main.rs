//! The program: `wardkeep-build DIR [-o OUT.wasm]`.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use wardkeep_build::Guest;

const HELP: &str = "\
Builds a Wardkeep plugin written in Rust into a component.

Usage: wardkeep-build [OPTIONS] DIR

  DIR                 the crate: its Cargo.toml has `crate-type = [\"cdylib\"]` and `wardkeep-sdk = \"0.1\"`
  -o, --output FILE   copy the component there; without it, only its path is printed
      --examples      build the crate's examples instead, each a component of its own; FILE is then a directory
  -h, --help          this text

The first build on a machine may take some minutes: where the toolchain has no wasm32-unknown-unknown target and Debian's
packages are to be had, a compiler is prepared in the cache folder (~/.cache/wardkeep).

Examples:
  cargo run -p wardkeep-build -- examples/rust-hello -o hello.wasm
  cargo run -p wardkeep-build -- ~/my-plugin -o ~/.wardkeep/plugins/my-plugin/my-plugin.wasm
";

#[derive(Debug, Default)]
struct Asked {
    directory: Option<PathBuf>,
    output: Option<PathBuf>,
    examples: bool,
    help: bool,
}

impl Asked {
    fn parse(mut words: impl Iterator<Item = std::ffi::OsString>) -> Result<Self> {
        let mut asked = Self::default();
        while let Some(word) = words.next() {
            match word.to_str() {
                Some("-h" | "--help") => asked.help = true,
                Some("--examples") => asked.examples = true,
                Some("-o" | "--output") => {
                    asked.output = Some(words.next().context("`--output` needs a file")?.into());
                }
                Some(option) if option.starts_with('-') => bail!("no option `{option}`; see --help"),
                _ if asked.directory.is_some() => bail!("more than one directory; see --help"),
                _ => asked.directory = Some(word.into()),
            }
        }
        Ok(asked)
    }
}

fn main() -> ExitCode {
    match Asked::parse(env::args_os().skip(1)).and_then(|asked| run(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to tell is no reason to panic.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(asked: &Asked) -> Result<()> {
    let mut output = std::io::stdout().lock();
    if asked.help {
        return output.write_all(HELP.as_bytes()).context("cannot print");
    }
    let directory = asked.directory.as_deref().context("which directory? see --help")?;
    #[cfg(feature = "bindings")]
    if directory == Path::new("bindings") {
        return wardkeep_build::bindings::write();
    }
    let guest = Guest::directory(directory);
    if asked.examples {
        for (name, component) in guest.examples()? {
            let goal = asked.output.as_ref().map(|folder| folder.join(format!("{name}.wasm")));
            writeln!(output, "{}", placed(&component, goal.as_deref())?.display())?;
        }
        return Ok(());
    }
    let component = guest.build()?;
    writeln!(output, "{}", placed(&component, asked.output.as_deref())?.display())?;
    Ok(())
}

/// Copied beside its goal first, so that a host that watches never sees half a component.
fn placed(component: &Path, goal: Option<&Path>) -> Result<PathBuf> {
    let Some(goal) = goal else { return Ok(component.to_owned()) };
    if let Some(folder) = goal.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let part = goal.with_extension("wasm.part");
    fs::copy(component, &part).with_context(|| format!("cannot write {}", part.display()))?;
    fs::rename(&part, goal).with_context(|| format!("cannot write {}", goal.display()))?;
    Ok(goal.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Asked> {
        Asked::parse(words.iter().map(Into::into))
    }

    #[test]
    fn a_directory_and_an_output_are_understood_in_any_order() {
        let asked = parse(&["-o", "a.wasm", "dir"]).unwrap();
        assert_eq!(asked.directory.as_deref(), Some(Path::new("dir")));
        assert_eq!(asked.output.as_deref(), Some(Path::new("a.wasm")));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(parse(&["--fast", "dir"]).unwrap_err().to_string(), "no option `--fast`; see --help");
        assert_eq!(parse(&["dir", "-o"]).unwrap_err().to_string(), "`--output` needs a file");
        assert_eq!(parse(&["a", "b"]).unwrap_err().to_string(), "more than one directory; see --help");
    }
}
