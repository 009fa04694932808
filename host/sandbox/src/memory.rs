//! How much memory there is for guests, and how the host's own is kept together.

use std::{fs, path::Path};

/// Half of what this machine, or the control group that this process is in, has: bytes.
pub(crate) fn for_guests() -> u64 {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    // Nobody knows elsewhere: 4 GiB are for guests.
    of_machine.into_iter().chain(of_group()).min().unwrap_or(8 << 30) / 2
}

/// Arenas of the C library's allocator. It would make one for each thread that meets another, sixteen on two cores, and what is freed in
/// one is of no use to the others: under load the host came to hold twice the memory that it used (docs/testing.md).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 2;

/// Keeps the host's own memory together. To be called before there is a second thread.
pub fn keep_together() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "the allocator can be told in no other way from within")]
    // SAFETY: it takes two numbers and no pointer, and sets how the allocator works from here on.
    let _set = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1_024)
}

/// The lowest limit of this process's group and those above it (control groups, version 2).
fn of_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let limit = |group: &Path| {
        let text = fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join("memory.max")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    Path::new(own).ancestors().filter_map(limit).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_words_are_understood() {
        assert_eq!(total("MemTotal:       24684092 kB\nMemFree: 1 kB\n"), Some(24_684_092 << 10));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert!(for_guests() >= 64 << 20, "{}", for_guests());
    }
}
