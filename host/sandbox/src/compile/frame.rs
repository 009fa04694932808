//! What a child says on its standard output: perhaps code, then a verdict. Each is a letter, a length and that many bytes.
//! The code goes first and before any guest runs, so that a guest which broke out could not have touched it.

use std::io::{self, Read, Write};

use super::Described;
use crate::{InspectError, code::Code};

const CODE: u8 = b'c';
const VERDICT: u8 = b'v';
/// Bytes of code. JavaScript engines have 34 MB.
const LARGEST_CODE: u64 = 512 << 20;
/// Bytes of a verdict: a description is at most 4 MiB in a guest's memory, and JSON may write six letters for one.
const LARGEST_VERDICT: u64 = 32 << 20;

/// What a child found out.
pub(super) type Verdict = Result<Described, InspectError>;

pub(super) fn code(mut out: impl Write, bytes: &[u8]) -> io::Result<()> {
    head(&mut out, CODE, bytes.len() as u64)?;
    out.write_all(bytes)?;
    out.flush()
}

pub(super) fn verdict(mut out: impl Write, verdict: &Verdict) -> io::Result<()> {
    let bytes = serde_json::to_vec(verdict).map_err(io::Error::other)?;
    head(&mut out, VERDICT, bytes.len() as u64)?;
    out.write_all(&bytes)?;
    out.flush()
}

fn head(mut out: impl Write, kind: u8, len: u64) -> io::Result<()> {
    out.write_all(&[kind])?;
    out.write_all(&len.to_le_bytes())
}

/// Reads to the end: a verdict, and code before it where the component is good.
pub(super) fn read(mut from: impl Read) -> io::Result<(Option<Code>, Verdict)> {
    let mut code = None;
    loop {
        let mut head = [0; 9];
        from.read_exact(&mut head)?;
        let [kind, len @ ..] = head;
        let len = u64::from_le_bytes(len);
        match kind {
            CODE if code.is_none() && len <= LARGEST_CODE => code = Some(Code::copied(&mut from, len, |_| ())?),
            VERDICT if len <= LARGEST_VERDICT => {
                let mut bytes = Vec::new();
                (&mut from).take(len).read_to_end(&mut bytes)?;
                let verdict = serde_json::from_slice(&bytes).map_err(io::Error::other)?;
                return if from.read(&mut [0])? == 0 { Ok((code, verdict)) } else { Err(garbled()) };
            }
            _ => return Err(garbled()),
        }
    }
}

fn garbled() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not what a compiling child says")
}

#[cfg(test)]
mod tests {
    use wardkeep_model::Description;

    use super::*;

    fn described() -> Described {
        let description = Description { name: "n".into(), version: "1.0.0".into(), tools: Vec::new() };
        Described { description, fuel: 7 }
    }

    #[test]
    fn code_and_verdict_arrive_as_they_were_said() {
        let mut pipe = Vec::new();
        code(&mut pipe, b"\x7fELF code").unwrap();
        verdict(&mut pipe, &Ok(described())).unwrap();
        let (code, verdict) = read(pipe.as_slice()).unwrap();
        let mut bytes = Vec::new();
        code.unwrap().write_to(&mut bytes).unwrap();
        assert_eq!((bytes.as_slice(), verdict.unwrap()), (&b"\x7fELF code"[..], described()));
    }

    #[test]
    fn an_error_arrives_with_its_kind_and_words() {
        let mut pipe = Vec::new();
        let error = InspectError::UnknownImports { unknown: vec!["a".into()], imports: vec!["a".into(), "b".into()] };
        verdict(&mut pipe, &Err(error)).unwrap();
        let (_, verdict) = read(pipe.as_slice()).unwrap();
        let error = verdict.unwrap_err();
        assert_eq!(error.to_string(), "the component imports what this host does not know: `a`");
        assert!(matches!(error, InspectError::UnknownImports { imports, .. } if imports.len() == 2));
    }

    #[test]
    fn what_no_child_says_is_refused() {
        let mut good = Vec::new();
        verdict(&mut good, &Ok(described())).unwrap();
        let mut twice = Vec::new();
        code(&mut twice, b"1").unwrap();
        code(&mut twice, b"2").unwrap();
        let trailing = [&good[..], b"x"].concat();
        let huge = [&[CODE][..], &u64::MAX.to_le_bytes()].concat();
        for bad in [&b""[..], b"hello world, this is stdout", &good[..good.len() - 1], &trailing, &twice, &huge] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
