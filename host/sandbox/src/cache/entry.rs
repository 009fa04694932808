//! One file of the cache: a head that says what it is for, the story, the code, and a tag over all of it. The tag is checked over
//! a copy that nobody else can reach, and that copy is what is used: a file that changes a moment later changes nothing here.

use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek as _, SeekFrom, Write},
};

use hmac::Mac as _;
use wardkeep_model::Digest;

use super::{key::Key, own::NotOwn};
use crate::{code::Code, compile::Described};

const MAGIC: &[u8; 16] = b"wardkeep code 1\n";
/// Magic, component, binding, bytes of the story, bytes of the code.
const HEAD: usize = 16 + 32 + 32 + 8 + 8;
const TAG: usize = 32;
/// Bytes of a story: as long as one may be that comes from a child.
const LARGEST_STORY: u64 = 32 << 20;
/// Bytes of a file of the cache.
const LARGEST: u64 = 640 << 20;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    NotOwn(#[from] NotOwn),
    #[error("it is not compiled code")]
    Foreign,
    #[error("it is the code of another component")]
    OtherComponent,
    #[error("it was compiled by another version, for another processor or with other settings")]
    OtherBinding,
    #[error("its length is not what it should be")]
    Length,
    #[error("its tag is not one that this host made")]
    Tag,
    #[error("the story in it cannot be read")]
    Story,
    #[error("{error}")]
    Unusable { error: String },
}

/// Where the code of a component for an engine lies. The name is for finding only: what counts is the head, under the tag.
pub(super) fn name(component: Digest, binding: Digest) -> String {
    let short: String = binding.to_string().chars().take(16).collect();
    format!("{component}-{short}.code")
}

/// Was this name made by [`name`].
pub(super) fn is_name(name: &str) -> bool {
    let is_hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let parts = name.strip_suffix(".code").and_then(|stem| stem.split_once('-'));
    parts.is_some_and(|(component, binding)| is_hex(component, 64) && is_hex(binding, 16))
}

fn head(component: Digest, binding: Digest, story: u64, code: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let parts: [&[u8]; 5] =
        [MAGIC, component.as_bytes(), binding.as_bytes(), &story.to_le_bytes(), &code.to_le_bytes()];
    head.iter_mut().zip(parts.concat()).for_each(|(to, from)| *to = from);
    head
}

/// Writes head, story, code and tag.
pub(super) fn write(
    file: &File,
    key: &Key,
    component: Digest,
    binding: Digest,
    described: &Described,
    code: &Code,
) -> io::Result<()> {
    let story = serde_json::to_vec(described).map_err(io::Error::other)?;
    let mut out = Tagging { tag: key.tag(), out: BufWriter::new(file) };
    out.write_all(&head(component, binding, story.len() as u64, code.len()))?;
    out.write_all(&story)?;
    code.write_to(&mut out)?;
    let Tagging { tag, mut out } = out;
    out.write_all(&tag.finalize().into_bytes())?;
    out.flush()
}

/// Reads a file and checks everything. The code it gives lies in a sealed copy, and that copy is what the tag was checked over.
pub(super) fn read(
    mut file: &File,
    key: &Key,
    component: Digest,
    binding: Digest,
) -> Result<(Described, Code), Refusal> {
    let unreadable = |error: io::Error| match error.kind() {
        // It was cut while it was read.
        io::ErrorKind::UnexpectedEof => Refusal::Length,
        _ => Refusal::NotOwn(error.into()),
    };
    let size = file.metadata().map_err(unreadable)?.len();
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let mut bytes = [0; HEAD];
    if size < (HEAD + TAG) as u64 || size > LARGEST {
        return Err(Refusal::Length);
    }
    file.read_exact(&mut bytes).map_err(unreadable)?;
    let number = |at: usize| {
        let bytes = bytes.get(at..at.saturating_add(8)).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(u64::MAX, u64::from_le_bytes)
    };
    let (story, code) = (number(HEAD - 16), number(HEAD - 8));
    // What it claims to be is looked at first, for the sake of a better word; nothing of it is believed before the tag.
    let expected = head(component, binding, story, code);
    let differs = |range: std::ops::Range<usize>| bytes.get(range.clone()) != expected.get(range);
    if differs(0..16) {
        return Err(Refusal::Foreign);
    }
    if differs(16..48) {
        return Err(Refusal::OtherComponent);
    }
    if differs(48..80) {
        return Err(Refusal::OtherBinding);
    }
    let whole = story.checked_add(code).and_then(|both| both.checked_add((HEAD + TAG) as u64));
    if whole != Some(size) || story > LARGEST_STORY {
        return Err(Refusal::Length);
    }
    let mut tag = key.tag();
    tag.update(&bytes);
    let mut told = vec![0; usize::try_from(story).map_err(|_| Refusal::Length)?];
    file.read_exact(&mut told).map_err(unreadable)?;
    tag.update(&told);
    let code = Code::copied(file, code, |part| tag.update(part)).map_err(unreadable)?;
    let mut claimed = [0; TAG];
    file.read_exact(&mut claimed).map_err(unreadable)?;
    tag.verify(&claimed.into()).map_err(|_| Refusal::Tag)?;
    let described = serde_json::from_slice(&told).map_err(|_| Refusal::Story)?;
    Ok((described, code))
}

struct Tagging<W> {
    tag: hmac::Hmac<sha2::Sha256>,
    out: W,
}

impl<W: Write> Write for Tagging<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.tag.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
