//! Debian's Rust, unpacked into the cache folder and completed by a std for the guests' target.
//!
//! Debian packages the compiler (`rustc-web`) and its sources (`rust-web-src`), but no std for WebAssembly without WASI. Compiler and std must be of
//! one version, so std is built from those sources. apt checks what it fetches against the signed archive.
//!
//! The folder is named after the packages' versions. All work happens in a sibling `….part` under a lock, and the last step renames it: a
//! folder with the right name is whole. What a stopped build has fetched and compiled stays in the part and is used by the next.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use anyhow::{Context, Result, bail};

use crate::{
    TARGET, cache,
    command::{self, say},
    compiler,
};

/// The oldest compiler that the guests here build with (`rust-version` of the workspace).
const OLDEST: (u32, u32) = (1, 95);

/// Raised when the steps below change what comes out of them.
const RECIPE: u32 = 1;

/// The wrapper that finds its own libraries.
pub(crate) fn rustc(prefix: &Path) -> PathBuf {
    prefix.join("bin/rustc")
}

/// The folder with compiler and std, made if it is not there.
pub(crate) fn prefix(host: &str) -> Result<PathBuf> {
    let all = cache::folder()?.join("toolchains");
    let memory = Memory::of(&all, host);
    if let Some(whole) = memory.recall() {
        return Ok(whole);
    }
    let packages = Packages::find()?;
    let whole = all.join(packages.key(host));
    if !rustc(&whole).is_file() {
        cache::make(&all)?;
        let _lock = cache::lock(&all.join(".lock"), "prepares the compiler for guests")?;
        // Another build may have made it meanwhile.
        if !rustc(&whole).is_file() {
            prepare(&packages, host, &whole)?;
        }
    }
    memory.keep(&whole);
    Ok(whole)
}

fn prepare(packages: &Packages, host: &str, whole: &Path) -> Result<()> {
    say(&format!("preparing Debian's rustc {} for guests, about two minutes, once", packages.upstream()));
    let part = whole.with_added_extension("part");
    let work = Work { packages, host, part: &part };
    work.fetch()?;
    work.unpack()?;
    work.wrap()?;
    work.build_std()?;
    work.clear()?;
    fs::rename(&part, whole).with_context(|| format!("cannot move the compiler to {}", whole.display()))?;
    say(&format!("the compiler for guests is ready in {}", whole.display()));
    Ok(())
}

/// Which folder was right when apt's lists were last fetched: asking apt takes seconds where it keeps no cache of its own.
struct Memory {
    file: PathBuf,
    lists: Option<SystemTime>,
}

impl Memory {
    fn of(all: &Path, host: &str) -> Self {
        let lists = fs::metadata("/var/lib/apt/lists").and_then(|lists| lists.modified()).ok();
        Self { file: all.join(format!("{host}.last")), lists }
    }

    fn line(&self, whole: &Path) -> Option<String> {
        let lists = self.lists?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(format!("{} {}", lists.as_nanos(), whole.file_name()?.to_str()?))
    }

    fn recall(&self) -> Option<PathBuf> {
        let line = fs::read_to_string(&self.file).ok()?;
        let whole = self.file.with_file_name(line.split_once(' ')?.1);
        (self.line(&whole)? == line && rustc(&whole).is_file()).then_some(whole)
    }

    fn keep(&self, whole: &Path) {
        if let Some(line) = self.line(whole) {
            // Without it, the next build asks apt again.
            let _ = fs::write(&self.file, line);
        }
    }
}

/// What is fetched, each with its version.
struct Packages {
    /// Of `rustc-web` and of all that is built with it.
    version: String,
    /// The library package, whose name holds the release.
    library: String,
    llvm: String,
    linker: String,
    llvm_version: String,
}

impl Packages {
    fn find() -> Result<Self> {
        let known = candidate("rustc-web")?.filter(|version| new_enough(version));
        let version = match known {
            Some(version) => version,
            None => {
                update()?;
                let version = candidate("rustc-web")?.context("the package `rustc-web` is not known")?;
                if !new_enough(&version) {
                    bail!(
                        "`rustc-web` is {version} and {}.{} or newer is needed: is the security archive on?",
                        OLDEST.0,
                        OLDEST.1
                    );
                }
                version
            }
        };
        let library = depends_on(&format!("libstd-rust-web-dev={version}"), "libstd-rust-web-")?;
        let llvm = depends_on(&format!("{library}={version}"), "libllvm")?;
        let linker = llvm.replacen("libllvm", "lld-", 1);
        let llvm_version = candidate(&llvm)?.with_context(|| format!("the package `{llvm}` is not known"))?;
        Ok(Self { version, library, llvm, linker, llvm_version })
    }

    /// Debian's `1.96.0+dfsg1-1` is upstream's `1.96.0`.
    fn upstream(&self) -> &str {
        self.version.split('+').next().unwrap_or(&self.version)
    }

    fn key(&self, host: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' };
        format!("{}-{}-{host}-{RECIPE}", self.version, self.llvm_version).chars().map(plain).collect()
    }

    fn with_versions(&self) -> Vec<String> {
        let rust = ["rustc-web", "libstd-rust-web-dev", &self.library, "rust-web-llvm", "rust-web-src"];
        let llvm = [&self.llvm, &self.linker];
        let rust = rust.iter().map(|name| format!("{name}={}", self.version));
        rust.chain(llvm.iter().map(|name| format!("{name}={}", self.llvm_version))).collect()
    }
}

fn apt(program: &str) -> Command {
    let mut command = command::clean(program);
    // The output is read below.
    command.env("LC_ALL", "C").args(["-q", "-o", "DPkg::Lock::Timeout=120"]);
    command
}

fn candidate(package: &str) -> Result<Option<String>> {
    let policy = command::output(apt("apt-cache").args(["policy", package]))?;
    let line = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    Ok(line.filter(|version| *version != "(none)").map(str::to_owned))
}

fn new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default()) >= OLDEST
}

/// The name of the dependency of `package` that begins so.
fn depends_on(package: &str, begins: &str) -> Result<String> {
    let shown = command::output(apt("apt-cache").args(["show", package]))?;
    let depends = shown.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap_or_default();
    let names = depends.split(',').filter_map(|one| one.split_whitespace().next());
    let found = names.into_iter().find(|name| name.starts_with(begins));
    Ok(found.with_context(|| format!("`{package}` depends on no `{begins}…`"))?.to_owned())
}

/// Only root may; for anybody else the error says what to do.
fn update() -> Result<()> {
    let user = command::output(command::clean("id").arg("-u"))?;
    if user.trim() != "0" {
        bail!("the package `rustc-web` is not known in a fresh enough version: run `apt-get update` as root");
    }
    say("the package `rustc-web` is not known: running `apt-get update`");
    command::output(apt("apt-get").arg("update")).map(drop)
}

/// The steps, each of which may be done again.
struct Work<'a> {
    packages: &'a Packages,
    host: &'a str,
    part: &'a Path,
}

impl Work<'_> {
    fn downloads(&self) -> PathBuf {
        self.part.join("downloads")
    }

    fn root(&self) -> PathBuf {
        self.part.join("root/usr")
    }

    fn rustlib(&self) -> PathBuf {
        self.root().join("lib/rustlib")
    }

    fn library_sources(&self) -> PathBuf {
        self.part.join("sources").join(format!("usr/src/rustc-{}/library", self.packages.upstream()))
    }

    fn fetch(&self) -> Result<()> {
        say("fetching the packages (100 MB)");
        cache::make(&self.downloads())?;
        let mut command = apt("apt-get");
        // apt's own user cannot enter a folder of ours.
        command.args(["-o", "APT::Sandbox::User=root", "download"]).args(self.packages.with_versions());
        command::output(command.current_dir(self.downloads())).map(drop)
    }

    fn unpack(&self) -> Result<()> {
        say("unpacking");
        for entry in fs::read_dir(self.downloads())? {
            let package = entry?;
            if !package.file_name().to_string_lossy().ends_with(".deb") {
                continue;
            }
            let sources = package.file_name().to_string_lossy().starts_with("rust-web-src_");
            let goal = self.part.join(if sources { "sources" } else { "root" });
            command::output(command::clean("dpkg-deb").arg("-x").arg(package.path()).arg(goal))?;
        }
        Ok(())
    }

    /// Debian's rustc looks for its libraries where Debian installs them, and for its linker beside itself.
    fn wrap(&self) -> Result<()> {
        let lld = self.root().join("lib").join(self.packages.linker.replacen("lld-", "llvm-", 1)).join("bin/lld");
        let place = self.rustlib().join(self.host).join("bin/rust-lld");
        let _ = fs::remove_file(&place);
        symlink(relative_to_bin(&lld, &self.root()), &place).context("cannot link the linker")?;

        let libraries = self.host.replacen("-unknown-", "-", 1);
        let script = format!(
            "#!/bin/sh\n\
             usr=$(dirname \"$(dirname \"$(readlink -f \"$0\")\")\")/root/usr\n\
             LD_LIBRARY_PATH=\"$usr/lib/{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\" exec \"$usr/bin/rustc\" \"$@\"\n"
        );
        let rustc = rustc(self.part);
        cache::make(&self.part.join("bin"))?;
        fs::write(&rustc, script)?;
        fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755))?;
        command::output(command::clean(&rustc).arg("-vV")).context("Debian's rustc does not run here").map(drop)
    }

    fn build_std(&self) -> Result<()> {
        say("building std");
        let build = self.part.join("build");
        let sources = self.library_sources();
        let remap = format!("--remap-path-prefix={}=/rustc/{}/library", sources.display(), self.packages.upstream());
        let mut cargo = command::clean(compiler::beside_cargo("cargo"));
        cargo
            .current_dir(sources.join("sysroot"))
            .env("RUSTC", rustc(self.part))
            // std is made of unstable features; the guests themselves get none.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("RUSTFLAGS", format!("-Zforce-unstable-if-unmarked -Cembed-bitcode=yes {remap}"))
            .args(["build", "--quiet", "--release", "--locked", "--target", TARGET])
            .args(["--no-default-features", "--features", "panic-unwind"]);
        command::output(&mut cargo)?;
        let goal = self.rustlib().join(TARGET).join("lib");
        cache::make(&goal)?;
        for entry in fs::read_dir(build.join(TARGET).join("release/deps"))? {
            let built = entry?;
            if built.path().extension().is_some_and(|extension| extension == "rlib") {
                fs::copy(built.path(), goal.join(built.file_name()))?;
            }
        }
        if !compiler::has_std(&goal) {
            bail!("the build of std left no std in {}", goal.display());
        }
        Ok(())
    }

    /// Half a gigabyte is left of two.
    fn clear(&self) -> Result<()> {
        for folder in ["downloads", "sources", "build", "root/usr/share"] {
            let path = self.part.join(folder);
            if path.exists() {
                fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

/// From `lib/rustlib/HOST/bin` to something under the same root, so that the folder may be moved.
fn relative_to_bin(path: &Path, root: &Path) -> PathBuf {
    Path::new("../../../..").join(path.strip_prefix(root).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages() -> Packages {
        Packages {
            version: "1.96.0+dfsg1-1~deb12u2".into(),
            library: "libstd-rust-web-1.96".into(),
            llvm: "libllvm22".into(),
            linker: "lld-22".into(),
            llvm_version: "1:22.1.8-1~deb12u1".into(),
        }
    }

    #[test]
    fn the_folder_is_named_after_everything_that_makes_it_another() {
        let key = packages().key("x86_64-unknown-linux-gnu");
        assert_eq!(key, "1.96.0_dfsg1-1_deb12u2-1_22.1.8-1_deb12u1-x86_64-unknown-linux-gnu-1");
        let newer = Packages { version: "1.96.1+dfsg1-1".into(), ..packages() };
        assert_ne!(newer.key("x86_64-unknown-linux-gnu"), key);
    }

    #[test]
    fn debians_older_compilers_do_not_do() {
        assert!(new_enough("1.96.0+dfsg1-1~deb12u2"));
        assert!(new_enough("2.0.0"));
        assert!(!new_enough("1.85.0+dfsg3-1~deb12u3"));
    }
}
