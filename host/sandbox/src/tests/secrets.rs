//! A guest that opens and uses a secret never has its value: its whole memory is looked through from outside, as it stands after the call.
#![cfg(target_os = "linux")]

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    sync::{Arc, Mutex},
};

use wardkeep_capabilities::{Outside, OutsideOptions, Reading, SecretSources, SourceError};
use wardkeep_model::Outcome;
use wardkeep_policy::manifest::SourceKey;

use super::{ENGINE, Guest, served::Served};
use crate::Remains;

/// What the guest has at its address 1024, and nobody has at 1024 of anything else.
const MARK: &[u8] = b"the memory of the guest of secrets.rs";

/// Gives a value for each time that it is asked.
struct Rotating(Mutex<u32>);

impl std::fmt::Debug for Rotating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rotating")
    }
}

impl SecretSources for Rotating {
    fn read(&self, _: &SourceKey) -> Result<Reading, SourceError> {
        let mut times = self.0.lock().unwrap();
        *times += 1;
        Reading::new(value(*times).into_bytes(), None)
    }
}

fn value(time: u32) -> String {
    format!("correct-horse-battery-{time}")
}

/// Every memory of a guest that begins with the mark, whole: from where it is mapped to where it may not be touched any more.
fn memories(_alive: &Remains) -> Vec<Vec<u8>> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let own = File::open("/proc/self/mem").unwrap();
    let open = |line: &str| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        rest.starts_with("rw").then_some((number(from), number(to)))
    };
    let open: Vec<_> = maps.lines().filter_map(open).collect();
    let bytes = |from: u64, length: u64| {
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        // What another test's thread gives back meanwhile is not the guest's.
        own.read_exact_at(&mut bytes, from).ok().map(|()| bytes)
    };
    let marked = |(from, to): &(u64, u64)| {
        to - from > 2048 && bytes(from + 1024, MARK.len() as u64).is_some_and(|found| found == MARK)
    };
    let whole = |(from, to): &(u64, u64)| {
        let end = open
            .iter()
            .filter(|(next, _)| next > from)
            .fold(*to, |end, (next, to)| if *next == end { *to } else { end });
        bytes(*from, end - from)
    };
    open.iter().filter(|range| marked(range)).filter_map(whole).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_is_in_the_memory_of_a_guest_after_any_of_its_calls() {
    let mark = std::str::from_utf8(MARK).unwrap();
    let fields = format!(
        r#"(import "wardkeep:secrets/store@0.1.0" "open" (func $open (param i32 i32 i32)))
           (import "wardkeep:secrets/handle@0.1.0" "[method]secret.name" (func $name (param i32 i32)))
           (data (i32.const 1024) "{mark}") (data (i32.const 1100) "api-token")"#
    );
    let guest = Guest::that(
        "(call $open (i32.const 1100) (i32.const 9) (i32.const 2048))
         (if (i32.load8_u (i32.const 2048)) (then unreachable))
         (call $name (i32.load (i32.const 2052)) (i32.const 2064))",
    )
    .importing("import wardkeep:secrets/store@0.1.0; import wardkeep:secrets/handle@0.1.0;", &fields);
    let terms = r#"
[grants.http.api]
host = "api.example.com"
methods = ["GET"]
paths = ["/"]
secret = "api-token"
[secrets.api-token]
source = "file:api-token"
inject = { header = "authorization", format = "Bearer {}" }
"#;
    let sources = Arc::new(Rotating(Mutex::new(0)));
    let outside = Outside::new(OutsideOptions { sources, ..OutsideOptions::default() }).unwrap();
    let served = Served::reaching(&ENGINE, &guest, (terms, "files.mine\", \"http.api"), &outside).await;
    for time in 1..=3 {
        let (ran, remains) = served.call_and_keep("t", "{}").await;
        assert_eq!(ran.outcome(), Outcome::Ok, "{:?}", ran.result);
        let guard = ran.guard.expect("a value was read");
        assert!(guard.finds(value(time).as_bytes()).is_some(), "the host has it");
        let memories = memories(&remains);
        // The place where the component described itself has the mark too.
        let names = |memory: &Vec<u8>| memory.windows(9).filter(|window| window == b"api-token").count();
        let after: Vec<_> = memories.iter().filter(|memory| names(memory) == 2).collect();
        assert_eq!(after.len(), 1, "one has the host's answer beside the guest's own text");
        assert!(after[0].len() >= 64 << 10, "{}", after[0].len());
        for memory in &memories {
            assert_eq!(guard.finds(memory), None, "in none of the usual encodings");
        }
    }
}
