//! What a process has used, as the kernel counts it.

use std::{fs, time::Duration};

/// Processor time of a process and its threads so far (`/proc/PID/stat`, fields 14 and 15, in hundredths of a second).
pub fn spent(process: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    let fields: Vec<_> = after_name.split_whitespace().collect();
    let hundredths: u64 = [11, 12].iter().map(|field| fields[*field].parse::<u64>().unwrap()).sum();
    Duration::from_millis(hundredths * 10)
}

/// Resident memory in KiB.
pub fn resident(process: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
