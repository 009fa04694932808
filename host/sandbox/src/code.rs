//! Compiled code on its way into the engine. It lies where nobody can change it any more: in a sealed memory file, or, where there
//! is none, in this process's own memory. What is hashed on the way in is therefore what is mapped, byte for byte, for as long as
//! the host runs. Decides nothing: who made the code is for `cache` and `compile` to know.

use std::io::{self, Read, Write};

use wasmtime::{Engine, component::Component};

/// Bytes that are copied at once.
const CHUNK: usize = 256 << 10;

/// The machine code of one component, as the compiler gave it.
#[derive(Debug)]
pub(crate) struct Code {
    place: Place,
    len: u64,
}

#[derive(Debug)]
enum Place {
    #[cfg(target_os = "linux")]
    Sealed(std::fs::File),
    Own(Vec<u8>),
}

impl Code {
    /// Copies exactly `len` bytes; each is shown to `seen` as it is kept.
    pub(crate) fn copied(mut from: impl Read, len: u64, mut seen: impl FnMut(&[u8])) -> io::Result<Self> {
        let mut chunk = vec![0; CHUNK];
        let mut left = len;
        let mut into = Place::new();
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let part = chunk.get_mut(..most).unwrap_or_default();
            from.read_exact(part)?;
            seen(part);
            into.write_all(part)?;
            left = left.saturating_sub(most as u64);
        }
        Ok(Self { place: into.sealed()?, len })
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Writes all of it.
    pub(crate) fn write_to(&self, mut out: impl Write) -> io::Result<()> {
        match &self.place {
            #[cfg(target_os = "linux")]
            Place::Sealed(file) => {
                use std::os::unix::fs::FileExt as _;
                let (mut chunk, mut at) = (vec![0; CHUNK], 0);
                while at < self.len {
                    let most = usize::try_from(self.len.saturating_sub(at)).unwrap_or(CHUNK).min(CHUNK);
                    let part = chunk.get_mut(..most).unwrap_or_default();
                    file.read_exact_at(part, at)?;
                    out.write_all(part)?;
                    at = at.saturating_add(most as u64);
                }
                Ok(())
            }
            Place::Own(bytes) => out.write_all(bytes),
        }
    }

    /// Maps it as a component of this engine. Only for code that this host commissioned itself and has kept out of others' reach
    /// since, or authenticated: wasmtime trusts it with everything.
    pub(crate) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        match &self.place {
            #[cfg(target_os = "linux")]
            Place::Sealed(file) => {
                use std::os::fd::AsRawFd as _;
                // Its own descriptor by the name that the kernel gives it: wasmtime maps components by path only.
                let path = format!("/proc/self/fd/{}", file.as_raw_fd());
                if std::fs::exists(&path).unwrap_or(false) {
                    // SAFETY: the bytes are what `Component::serialize` gave in a child that this host started and that had not run
                    // any guest by then, or carry the tag that this host's key made over just such bytes. The file is sealed
                    // against writing, growing and shrinking, so that no page can change or vanish under the mapping.
                    #[allow(unsafe_code)]
                    return unsafe { Component::deserialize_file(engine, path) };
                }
                let mut bytes = Vec::new();
                self.write_to(&mut bytes)?;
                own(engine, &bytes)
            }
            Place::Own(bytes) => own(engine, bytes),
        }
    }
}

fn own(engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: as above; the bytes are in memory of this process, and wasmtime copies them.
    #[allow(unsafe_code)]
    unsafe {
        Component::deserialize(engine, bytes)
    }
}

impl Place {
    #[cfg(target_os = "linux")]
    fn new() -> Self {
        use rustix::fs::{MemfdFlags, memfd_create};
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Not executable as a program, which newer kernels want said; mapping is another matter. Older ones do not know the flag.
        let made = memfd_create(c"wardkeep-code", flags | MemfdFlags::NOEXEC_SEAL)
            .or_else(|_| memfd_create(c"wardkeep-code", flags));
        made.map_or_else(|_| Self::Own(Vec::new()), |file| Self::Sealed(file.into()))
    }

    #[cfg(not(target_os = "linux"))]
    fn new() -> Self {
        Self::Own(Vec::new())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Sealed(file) => file.write_all(bytes),
            Self::Own(own) => {
                own.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn sealed(self) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Self::Sealed(file) = &self {
            use rustix::fs::{SealFlags, fcntl_add_seals};
            fcntl_add_seals(file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        }
        Ok(self)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use super::*;

    #[test]
    fn code_that_is_in_place_cannot_be_written_grown_or_cut() {
        let mut seen = Vec::new();
        let bytes: Vec<u8> = (0..=255).cycle().take(CHUNK + 77).collect();
        let code = Code::copied(bytes.as_slice(), bytes.len() as u64, |part| seen.extend_from_slice(part)).unwrap();
        assert_eq!(seen, bytes);
        let Place::Sealed(file) = &code.place else { panic!("this kernel has memory files") };
        assert_eq!(file.write_at(b"x", 5).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(file.set_len(5).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(file.set_len(1 << 20).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        let mut out = Vec::new();
        code.write_to(&mut out).unwrap();
        assert_eq!((out, code.len()), (bytes, CHUNK as u64 + 77));
    }

    #[test]
    fn too_few_bytes_are_no_code() {
        let error = Code::copied(&b"abc"[..], 4, |_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
