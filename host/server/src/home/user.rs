//! The name of a user by its number, for messages and for `init`. Never a reason to trust anybody.

use std::{fs, process::Command};

/// The name of this user: from the password file, or from `id` where users live elsewhere.
pub(crate) fn user_name(uid: u32) -> Option<String> {
    let listed = fs::read_to_string("/etc/passwd").ok().and_then(|text| find(&text, uid));
    listed.or_else(|| ask_id(uid)).filter(|name| !name.is_empty() && name.chars().all(plain))
}

/// `name (uid 1000)`, or the number alone.
pub(super) fn describe(uid: u32) -> String {
    user_name(uid).map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

fn find(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

fn ask_id(uid: u32) -> Option<String> {
    let output = Command::new("id").args(["-un", &uid.to_string()]).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number_in_the_password_file() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n";
        assert_eq!(find(passwd, 1000), Some("me".to_owned()));
        assert_eq!(find(passwd, 7), None);
    }
}
