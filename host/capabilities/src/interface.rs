//! Which interfaces the host knows, and which of them a plugin's grants bring into its linker.

/// An interface that a component may import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// `wardkeep:files/reader`.
    FilesReader,
    /// `wardkeep:files/writer`.
    FilesWriter,
    /// `wardkeep:http/client`.
    HttpClient,
    /// `wardkeep:log/log`. Needs no grant.
    Log,
    /// `wardkeep:progress/progress`. Needs no grant.
    Progress,
    /// `wardkeep:secrets/handle`, a type only. Needs no grant.
    SecretsHandle,
    /// `wardkeep:secrets/store`.
    SecretsStore,
    /// One of WASI 0.2's.
    Wasi(Wasi),
}

/// The interfaces of WASI 0.2, by what brings them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wasi {
    /// `wasi:clocks/*`.
    Clocks,
    /// `wasi:random/*`.
    Random,
    /// `wasi:io/poll`, which the clocks need.
    Poll,
    /// The rest of what toolchains import: `wasi:cli`, `wasi:io`, `wasi:filesystem`, `wasi:sockets`. Never `wasi:http`.
    Baseline,
}

impl Interface {
    /// The interface behind an import such as `wardkeep:files/reader@0.1.3`. Versions count by their semver track, as the
    /// linker counts them: 0.1.3 is served by 0.1.0, 0.2.0 is not.
    #[must_use]
    pub fn parse(import: &str) -> Option<Self> {
        let (name, version) = import.split_once('@')?;
        let found = match name.split_once(':')? {
            ("wardkeep", "files/reader") => Self::FilesReader,
            ("wardkeep", "files/writer") => Self::FilesWriter,
            ("wardkeep", "http/client") => Self::HttpClient,
            ("wardkeep", "log/log") => Self::Log,
            ("wardkeep", "progress/progress") => Self::Progress,
            ("wardkeep", "secrets/handle") => Self::SecretsHandle,
            ("wardkeep", "secrets/store") => Self::SecretsStore,
            ("wasi", rest) => Self::Wasi(match rest.split_once('/')? {
                ("clocks", _) => Wasi::Clocks,
                ("random", _) => Wasi::Random,
                ("io", "poll") => Wasi::Poll,
                ("io" | "cli" | "filesystem" | "sockets", _) => Wasi::Baseline,
                _ => return None,
            }),
            _ => return None,
        };
        let track = if matches!(found, Self::Wasi(_)) { "0.2." } else { "0.1." };
        let patch = version.strip_prefix(track)?;
        (!patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit())).then_some(found)
    }
}

/// What the tools of one plugin use, taken together: this and nothing else is in the plugin's linker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Served {
    /// Some tool reads files.
    pub files: bool,
    /// Some tool whose effect is not `read` writes files. Without one a component that imports the writer is refused, so that what
    /// is to read only cannot do more.
    pub writer: bool,
    /// Some tool sends requests.
    pub http: bool,
    /// Some tool uses a secret.
    pub secrets: bool,
    /// Some tool may know the time.
    pub clock: bool,
    /// Some tool may have random numbers.
    pub random: bool,
    /// The manifest says `wasi = "inert"`.
    pub inert: bool,
}

impl Served {
    /// Is this interface in the linker.
    #[must_use]
    pub const fn includes(&self, interface: Interface) -> bool {
        match interface {
            Interface::Log | Interface::Progress | Interface::SecretsHandle => true,
            Interface::FilesReader => self.files,
            Interface::FilesWriter => self.writer,
            Interface::HttpClient => self.http,
            Interface::SecretsStore => self.secrets,
            Interface::Wasi(Wasi::Clocks | Wasi::Poll) => self.clock || self.inert,
            Interface::Wasi(Wasi::Random) => self.random || self.inert,
            Interface::Wasi(Wasi::Baseline) => self.inert,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_known_by_their_semver_track() {
        let parse = Interface::parse;
        assert_eq!(parse("wardkeep:files/reader@0.1.0"), Some(Interface::FilesReader));
        assert_eq!(parse("wardkeep:files/reader@0.1.17"), Some(Interface::FilesReader));
        assert_eq!(parse("wardkeep:http/client@0.1.4"), Some(Interface::HttpClient));
        assert_eq!(parse("wardkeep:secrets/store@0.1.0"), Some(Interface::SecretsStore));
        assert_eq!(parse("wardkeep:secrets/handle@0.1.0"), Some(Interface::SecretsHandle));
        assert_eq!(parse("wasi:io/poll@0.2.3"), Some(Interface::Wasi(Wasi::Poll)));
        assert_eq!(parse("wasi:sockets/tcp@0.2.0"), Some(Interface::Wasi(Wasi::Baseline)));
        for unknown in [
            "wardkeep:files/reader@0.2.0",
            "wardkeep:files/reader@0.1.0-rc.1",
            "wardkeep:files/reader",
            "wardkeep:files/other@0.1.0",
            "wardkeep:http/client@0.2.0",
            "wardkeep:http/server@0.1.0",
            "wasi:http/types@0.2.0",
            "wasi:io/poll@0.3.0",
            "wasi:io/poll@0.2.",
            "evil:files/reader@0.1.0",
        ] {
            assert_eq!(parse(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn nothing_granted_serves_log_and_progress_only() {
        let none = Served::default();
        assert!(none.includes(Interface::Log) && none.includes(Interface::Progress));
        for wasi in [Wasi::Clocks, Wasi::Random, Wasi::Poll, Wasi::Baseline] {
            assert!(!none.includes(Interface::Wasi(wasi)));
        }
        assert!(!none.includes(Interface::FilesReader) && !none.includes(Interface::FilesWriter));
        let reads = Served { files: true, ..none };
        assert!(reads.includes(Interface::FilesReader) && !reads.includes(Interface::FilesWriter));
        assert!(Served { writer: true, ..reads }.includes(Interface::FilesWriter));
        assert!(!none.includes(Interface::HttpClient) && !none.includes(Interface::SecretsStore));
        assert!(none.includes(Interface::SecretsHandle), "a type alone");
    }
}
