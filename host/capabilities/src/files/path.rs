//! A guest's path, checked against the rules that the WIT names before anything is opened.

use super::temporary::is_temporary;
use crate::bindings::reader::Error;

/// Bytes of a path.
const LONGEST: usize = 4_096;
/// Bytes of one part of it: what file systems allow.
const PART: usize = 255;

/// A path below a root: parts parted by `/`, none of them `.`, `..` or empty. Empty: the root itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GuestPath(String);

impl GuestPath {
    /// Checks a guest's text.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() || text == "." {
            return Ok(Self(String::new()));
        }
        // a file that is still being written is nobody's: not to be read, and not to be written through
        let allowed = |part: &str| !part.is_empty() && part != ".." && part.len() <= PART && !is_temporary(part);
        if text.len() > LONGEST || text.contains(|c: char| c == '\\' || c.is_control()) || !text.split('/').all(allowed)
        {
            return Err(Error::InvalidPath);
        }
        let parts: Vec<_> = text.split('/').filter(|part| *part != ".").collect();
        Ok(Self(parts.join("/")))
    }

    /// As `cap_std` takes it.
    pub(super) fn as_str(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }

    /// The directory, and the name in it; nothing for the root itself, which has none.
    pub(super) fn parted(&self) -> Option<(&str, &str)> {
        match self.0.rsplit_once('/') {
            _ if self.0.is_empty() => None,
            None => Some((".", &self.0)),
            Some(parted) => Some(parted),
        }
    }

    /// With a `/` at its end, to be put before names; empty for the root itself.
    pub(super) fn prefix(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("{}/", self.0) }
    }
}

/// May a name in a directory be told to a guest, and given back by it.
pub(super) fn is_tellable(name: &str) -> bool {
    !name.contains(|c: char| c == '\\' || c.is_control()) && !is_temporary(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_could_lead_elsewhere_are_refused() {
        for bad in ["..", "a/..", "../a", "/", "/etc", "a//b", "a/", "a\\b", "a\0b", "a\nb", "a/../../b"] {
            assert_eq!(GuestPath::parse(bad), Err(Error::InvalidPath), "{bad:?}");
        }
        assert_eq!(GuestPath::parse(&"a".repeat(256)), Err(Error::InvalidPath));
        let long = vec!["a".repeat(200); 21].join("/");
        assert_eq!(GuestPath::parse(&long), Err(Error::InvalidPath));
    }

    #[test]
    fn a_file_that_is_still_being_written_has_no_path() {
        let name = format!(".wardkeep-{}.tmp", "0a".repeat(16));
        for path in [name.clone(), format!("a/{name}"), format!("{name}/b"), name.to_uppercase()] {
            assert_eq!(GuestPath::parse(&path), Err(Error::InvalidPath), "{path}");
        }
        assert!(!is_tellable(&name) && is_tellable(".wardkeep-notes.tmp") && GuestPath::parse(".wardkeep.tmp").is_ok());
    }

    #[test]
    fn a_path_is_parted_at_its_last_slash_and_the_root_has_no_name() {
        let parted = |path: &str| GuestPath::parse(path).unwrap().parted().map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(parted("a/b/./c"), Some(("a/b".to_owned(), "c".to_owned())));
        assert_eq!(parted("c"), Some((".".to_owned(), "c".to_owned())));
        assert_eq!((parted(""), parted("."), parted("./.")), (None, None, None));
    }

    #[test]
    fn the_root_itself_has_two_names_and_dots_fall_out() {
        assert_eq!(GuestPath::parse("").map(|p| p.prefix()), Ok(String::new()));
        assert_eq!(GuestPath::parse(".").map(|p| p.as_str().to_owned()), Ok(".".to_owned()));
        assert_eq!(GuestPath::parse("./a/./..b/.c").map(|p| p.prefix()), Ok("a/..b/.c/".to_owned()));
    }
}
