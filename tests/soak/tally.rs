//! What was done and how it ended, by kind. Everything that a driver did not expect is kept word for word.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard},
};

use serde_json::Value;

/// What went wrong that is kept: more says nothing more.
const KEPT: usize = 20;

#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    /// By kind and ending.
    of: BTreeMap<(&'static str, String), u64>,
    calls: u64,
    wrong: Vec<String>,
}

/// How a call's answer looks from outside.
pub fn ending(message: &Value) -> &'static str {
    let result = &message["result"];
    if result["resultType"] == "input_required" {
        "asked"
    } else if result["_meta"]["dev.wardkeep/retry-after-seconds"].is_u64()
        && result["_meta"]["dev.wardkeep/failure"].is_null()
    {
        "throttled"
    } else if result["isError"] == true {
        "failed"
    } else if message["error"]["code"] == -32_602 {
        "unknown"
    } else if message["error"].is_object() {
        "error"
    } else {
        "ok"
    }
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap()
    }

    /// Something that is no call: a request that never gets so far, a session, a reload.
    pub fn done(&self, kind: &'static str, ending: &str) {
        *self.counts().of.entry((kind, ending.to_owned())).or_default() += 1;
    }

    /// One call of a tool, however it ended.
    pub fn call(&self, kind: &'static str, ending: &str) {
        self.counts().calls += 1;
        self.done(kind, ending);
    }

    /// One call whose answer is one of those that may be, or something is wrong with the host. A busy host may always say so.
    pub fn answered(&self, kind: &'static str, message: &Value, expected: &[&str]) {
        let ending = ending(message);
        self.call(kind, ending);
        if !expected.contains(&ending) && ending != "throttled" {
            self.wrong(format!("{kind}: {message}"));
        }
    }

    pub fn wrong(&self, what: String) {
        let mut counts = self.counts();
        if counts.wrong.len() < KEPT {
            counts.wrong.push(what);
        }
    }

    pub fn calls(&self) -> u64 {
        self.counts().calls
    }

    pub fn take_wrong(&self) -> Vec<String> {
        std::mem::take(&mut self.counts().wrong)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        let mut kinds: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for ((kind, ending), count) in &counts.of {
            kinds.entry(kind).or_default().push(format!("{ending} {count}"));
        }
        kinds.iter().try_for_each(|(kind, endings)| writeln!(f, "  {kind}: {}", endings.join(", ")))
    }
}
