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

/// The same to the nanosecond, of the threads that live (`/proc/PID/task/TID/schedstat`, the first field).
pub fn spent_exactly(process: i32) -> Duration {
    let mut spent = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        // one that has just ended is gone
        let Ok(stat) = fs::read_to_string(thread.unwrap().path().join("schedstat")) else { continue };
        let nanoseconds = stat.split_whitespace().next().and_then(|field| field.parse().ok());
        spent += Duration::from_nanos(nanoseconds.expect("a number"));
    }
    spent
}

/// Processor time of this process so far.
pub fn spent_here() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// Resident memory in KiB.
pub fn resident(process: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
