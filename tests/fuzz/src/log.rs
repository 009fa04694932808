//! An audit log that a journal wrote once, and a second writer of its chain, made from what `docs/audit.md` says of it.

use std::{fs, path::Path};

use sha2::{Digest as _, Sha256};

/// The segments of a log that holds every kind of line; `cargo run --example sample-log` writes it anew.
pub const SEGMENTS: [&[u8]; 2] =
    [include_bytes!("../seeds/audit/segment-00000001.jsonl"), include_bytes!("../seeds/audit/segment-00000002.jsonl")];

/// The lines of both segments, line feeds included.
pub fn lines() -> Vec<Vec<u8>> {
    SEGMENTS.iter().flat_map(|segment| whole_lines(segment)).collect()
}

/// Lines that end.
pub fn whole_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).map(<[u8]>::to_vec).collect()
}

/// Writes a log of these segments, and nothing else, into the directory.
pub fn write(directory: &Path, segments: &[Vec<u8>]) {
    for entry in fs::read_dir(directory).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (number, segment) in (1..).zip(segments) {
        fs::write(directory.join(format!("segment-{number:08}.jsonl")), segment).unwrap();
    }
}

/// Puts `prev`, `sequence` and `digest` into lines, so that they follow each other whatever else they say. A line that has no
/// place for them is left as it is.
pub fn sealed(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut prev = "0".repeat(64);
    let mut out = Vec::new();
    for (sequence, line) in (1..).zip(lines) {
        let line = seal(line, &prev, sequence).unwrap_or_else(|| line.clone());
        prev = hex(&line);
        out.push(line);
    }
    out
}

fn seal(line: &[u8], prev: &str, sequence: usize) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(line).ok()?;
    let (before, rest) = text.split_once("\"sequence\":")?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let text = format!("{before}\"sequence\":{sequence}{rest}");
    let (before, rest) = text.rsplit_once("\"prev\":\"")?;
    let text = format!("{before}\"prev\":\"{prev}{}", rest.get(64..)?);
    let (body, rest) = text.rsplit_once("\"digest\":\"")?;
    let body = format!("{body}\"digest\":\"");
    let digest = hex(body.as_bytes());
    Some(format!("{body}{digest}{}", rest.get(64..)?).into_bytes())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
