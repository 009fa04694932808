//! What the host's process holds, from outside: `/proc` knows it better than the host itself. And the rule by which it must not grow.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Pid;

/// One look at a process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    pub resident_kib: u64,
    /// Of it what no file is behind: heap, stacks, guests' memories.
    pub anonymous_kib: u64,
    /// Its share of everything, in proportion.
    pub proportional_kib: u64,
    pub sockets: u64,
    pub pipes: u64,
    pub memory_files: u64,
    pub files: u64,
    /// Event queues and timers.
    pub other: u64,
    pub threads: u64,
    pub mappings: u64,
    pub children: u64,
}

impl Held {
    pub fn by(process: Pid) -> Self {
        let process = format!("/proc/{}", process.as_raw_nonzero());
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let rollup = fs::read_to_string(format!("{process}/smaps_rollup")).unwrap_or_default();
        let number = |text: &str, key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let mut held = Self {
            resident_kib: number(&status, "VmRSS:").unwrap(),
            anonymous_kib: number(&status, "RssAnon:").unwrap(),
            proportional_kib: number(&rollup, "Pss:").unwrap_or_default(),
            threads: number(&status, "Threads:").unwrap(),
            mappings: fs::read(format!("{process}/maps")).unwrap().iter().filter(|byte| **byte == b'\n').count() as u64,
            ..Self::default()
        };
        for descriptor in fs::read_dir(format!("{process}/fd")).unwrap().flatten() {
            // one that was closed meanwhile is none
            let Ok(target) = fs::read_link(descriptor.path()) else { continue };
            let target = target.to_string_lossy();
            match target.split_once(':').map_or(&*target, |(kind, _)| kind) {
                "socket" => held.sockets += 1,
                "pipe" => held.pipes += 1,
                "anon_inode" => held.other += 1,
                path if path.starts_with("/memfd") => held.memory_files += 1,
                _ => held.files += 1,
            }
        }
        let tasks = fs::read_dir(format!("{process}/task")).unwrap().flatten();
        let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        held.children = children.map(|children| children.split_whitespace().count() as u64).sum();
        held
    }

    /// Nothing but memory, which comes back when the allocator thinks so, and threads that wait for work: each does so for ten seconds,
    /// and the look at the home, once a second, takes another of them each time.
    pub fn is_idle_as(&self, idle: &Self) -> bool {
        let things = |held: &Self| [held.sockets, held.pipes, held.memory_files, held.files, held.other, held.children];
        things(self).iter().zip(things(idle)).all(|(now, then)| *now <= then) && self.threads <= idle.threads + 10
    }
}

/// One look while the host worked: how many calls it had answered by then.
pub struct Sample {
    pub at: Duration,
    pub calls: u64,
    pub held: Held,
}

/// What is looked at, and by how much it may grow.
type Rule = (&'static str, u64, fn(&Held) -> u64);

/// Looks that were taken at even intervals.
pub struct Samples {
    begun: Instant,
    pub all: Vec<Sample>,
}

impl Samples {
    pub fn begin() -> Self {
        Self { begun: Instant::now(), all: Vec::new() }
    }

    pub fn take(&mut self, process: Pid, calls: u64) {
        self.all.push(Sample { at: self.begun.elapsed(), calls, held: Held::by(process) });
    }

    /// The median of one fifth, from 0.
    fn fifth(&self, fifth: usize, of: impl Fn(&Sample) -> u64) -> u64 {
        let part = self.all.len() * fifth / 5..self.all.len() * (fifth + 1) / 5;
        let mut values: Vec<_> = self.all[part].iter().map(of).collect();
        values.sort_unstable();
        values[values.len() / 2]
    }

    /// What has grown from the second fifth of the time to the last, beyond what it may. The first fifth is left out: caches, arenas and
    /// pools fill in it.
    ///
    /// Memory: the smallest block of the C library's allocator has 32 bytes, so a call that leaves anything behind leaves as much;
    /// half of that is allowed on average, and `noise` besides, since what is in flight at a median differs.
    pub fn grown(&self, noise_kib: u64) -> Vec<String> {
        let calls = self.fifth(4, |sample| sample.calls) - self.fifth(1, |sample| sample.calls);
        let memory = noise_kib + calls * BYTES_EACH / 1_024;
        let rules: [Rule; 9] = [
            ("KiB resident", memory, |held| held.resident_kib),
            ("KiB anonymous", memory, |held| held.anonymous_kib),
            ("KiB in proportion", memory, |held| held.proportional_kib),
            ("sockets", 8, |held| held.sockets),
            ("pipes", 2, |held| held.pipes),
            ("memory files", 4, |held| held.memory_files),
            ("files", 2, |held| held.files),
            ("threads", 4, |held| held.threads),
            ("mappings", 32, |held| held.mappings),
        ];
        let mut grown = Vec::new();
        println!("  from the second fifth to the last, in {calls} calls:");
        for (what, allowed, of) in rules {
            let fifths = [0, 1, 2, 3, 4].map(|fifth| self.fifth(fifth, |sample| of(&sample.held)));
            println!("    {what}: medians {fifths:?}, may grow by {allowed}");
            if fifths[4] > fifths[1] + allowed {
                grown.push(format!("{what}: {fifths:?}, more than {allowed} more"));
            }
        }
        grown
    }
}

/// Bytes of memory that a call may leave behind on average.
const BYTES_EACH: u64 = 16;

#[test]
fn the_rule_sees_one_smallest_block_a_call_and_one_socket_a_second_and_no_noise() {
    let samples = |of: fn(u64) -> Held| Samples {
        begun: Instant::now(),
        all: (0..300).map(|n| Sample { at: Duration::from_secs(2 * n), calls: n * 1_000, held: of(n) }).collect(),
    };
    let noisy =
        |n: u64| Held { resident_kib: 90_000 + n * 7_919 % 3_000, sockets: 40 + n * 31 % 20, ..Held::default() };
    assert_eq!(samples(noisy).grown(2_048), Vec::<String>::new());
    let leaks = samples(|n| Held { resident_kib: 90_000 + n * 1_000 * 32 / 1_024, ..Held::default() });
    assert_eq!(leaks.grown(2_048).len(), 1);
    let leaks = samples(|n| Held { sockets: 40 + n, ..Held::default() });
    assert_eq!(leaks.grown(2_048).len(), 1);
}
