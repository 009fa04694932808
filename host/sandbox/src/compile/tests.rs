//! Children that misbehave, as small shell scripts in place of the program: each is told by its own name, ended and reaped.

use std::{
    fs,
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use wardkeep_model::{CompileLimits, Description};

use super::{ChildError, Children, Described, bound_schemas};
use crate::{EngineOptions, InspectError, tests::wait};

const LIMITS: CompileLimits = CompileLimits { time: Duration::from_millis(100), memory: 64 << 20 };

struct Script {
    directory: tempfile::TempDir,
    children: Children,
}

impl Script {
    /// The script finds its own process's number in the file `$2` of its own directory, and all bytes on its standard input.
    fn new(script: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("script");
        let script = format!("echo $$ > {}\n{script}\n", directory.path().join("pid").display());
        fs::write(&path, script).unwrap();
        let path: &'static str = path.to_str().unwrap().to_owned().leak();
        Self { directory, children: Children::of(PathBuf::from("/bin/sh"), path, LIMITS) }
    }

    fn compile(&self) -> impl Future<Output = Result<Described, InspectError>> + use<> {
        let (children, bytes) = (self.children.clone(), Arc::from(vec![0; 300_000]));
        async move { children.compile(&EngineOptions::default(), bytes).await.map(|(_, described)| described) }
    }

    fn failed(&self) -> ChildError {
        match wait(self.compile()) {
            Err(InspectError::Child(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn pid(&self) -> Option<PathBuf> {
        let pid = fs::read_to_string(self.directory.path().join("pid")).ok()?;
        (!pid.trim().is_empty()).then(|| PathBuf::from(format!("/proc/{}", pid.trim())))
    }

    /// Its process is no more, not even as a zombie.
    fn is_reaped(&self) -> bool {
        self.pid().is_some_and(|process| !process.exists())
    }
}

#[test]
fn a_child_that_never_ends_is_ended_by_the_clock_and_reaped() {
    let script = Script::new("cat >/dev/null\nexec sleep 60");
    let begun = Instant::now();
    let error = script.failed();
    assert!(matches!(error, ChildError::Clock(limit) if limit == LIMITS.time * 10), "{error:?}");
    assert!(begun.elapsed() >= LIMITS.time * 10 && begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(script.is_reaped());
}

#[test]
fn a_child_that_reads_nothing_is_ended_by_the_clock_too() {
    let script = Script::new("exec sleep 60");
    assert!(matches!(script.failed(), ChildError::Clock(_)));
    assert!(script.is_reaped());
}

#[test]
fn a_child_is_ended_and_reaped_when_nobody_waits_for_it_any_more() {
    let script = Script::new("exec sleep 60");
    wait(async {
        let waiting = tokio::spawn(script.compile());
        while script.pid().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        waiting.abort();
        let _ = waiting.await;
    });
    let begun = Instant::now();
    while !script.is_reaped() {
        assert!(begun.elapsed() < Duration::from_millis(500), "still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_child_that_closes_its_output_and_stays_is_not_waited_for() {
    let script = Script::new("cat >/dev/null\nexec >&-\nexec sleep 60");
    let begun = Instant::now();
    assert!(matches!(script.failed(), ChildError::Killed));
    assert!(begun.elapsed() < LIMITS.time * 8, "{:?}", begun.elapsed());
    assert!(script.is_reaped());
}

#[test]
fn each_bound_is_told_by_its_own_name_and_where_to_raise_it() {
    let processor = Script::new("kill -XCPU $$").failed();
    assert!(matches!(processor, ChildError::Processor(_)), "{processor:?}");
    assert!(processor.to_string().contains("`time` in [compile] of wardkeep.toml"));
    let memory = Script::new("echo 'memory allocation of 64 bytes failed' >&2; kill -ABRT $$").failed();
    assert!(memory.to_string().starts_with("compiling the component took more than 64 MiB of memory\n"), "{memory}");
    assert!(memory.to_string().contains("`memory` in [compile] of wardkeep.toml"));
    let unmapped = r#"{"Err":{"Compile":"failed to map code: Cannot allocate memory (os error 12)"}}"#;
    let unmapped =
        Script::new(&format!("printf 'v\\{:o}\\0\\0\\0\\0\\0\\0\\0%s' '{unmapped}'", unmapped.len())).failed();
    assert!(matches!(unmapped, ChildError::Memory(_)), "{unmapped:?}");
    let killed = Script::new("kill -KILL $$").failed();
    assert!(matches!(killed, ChildError::Killed), "{killed:?}");
}

#[test]
fn last_words_of_a_child_are_told_and_cannot_forge_a_line() {
    let error = Script::new("printf 'went\\nwrong\\033[2J' >&2; exit 7").failed();
    assert_eq!(error.to_string(), r"the compiling child ended with exit status: 7: went\u{a}wrong\u{1b}[2J");
}

#[test]
fn a_child_that_says_what_no_child_says_is_not_believed() {
    for script in [
        "printf hello",
        "printf 'v\\5\\0\\0\\0\\0\\0\\0\\0hello'",
        "printf 'c\\377\\377\\377\\377\\377\\377\\377\\377'",
    ] {
        let error = Script::new(script).failed();
        assert!(matches!(error, ChildError::Ended { .. } | ChildError::Killed), "{script}: {error:?}");
    }
    let lost = Children::of(PathBuf::from("/nonexistent"), "x", LIMITS);
    let error = wait(lost.compile(&EngineOptions::default(), Arc::from([]))).unwrap_err();
    assert!(matches!(error, InspectError::Child(ChildError::Failed(_))), "{error}");
}

#[test]
fn a_good_verdict_counts_only_from_a_child_that_ended_well() {
    let verdict = r#"{"Ok":{"description":{"name":"n","version":"1.0.0","tools":[]},"fuel":7}}"#;
    let says = format!(
        "cat >/dev/null\nprintf 'c\\3\\0\\0\\0\\0\\0\\0\\0abcv\\{:o}\\0\\0\\0\\0\\0\\0\\0%s' '{verdict}'",
        verdict.len()
    );
    let description = Description { name: "n".into(), version: "1.0.0".into(), tools: Vec::new() };
    assert_eq!(wait(Script::new(&says).compile()).unwrap(), Described { description, fuel: 7 });
    let error = Script::new(&format!("{says}\nexit 1")).failed();
    assert!(matches!(error, ChildError::Ended { .. } | ChildError::Killed), "{error:?}");
}

#[test]
fn schemas_that_would_take_the_host_long_are_refused() {
    let tool = |schema: String| wardkeep_model::Definition {
        name: "t".into(),
        title: None,
        description: String::new(),
        input_schema: schema,
        output_schema: None,
        effect: wardkeep_model::Effect::Read,
        idempotent: true,
        asks: Vec::new(),
    };
    let description = |count, schema: &str| Description {
        name: "n".into(),
        version: "1.0.0".into(),
        tools: (0..count).map(|_| tool(schema.to_owned())).collect(),
    };
    assert!(bound_schemas(&description(3, r#"{"type":"object"}"#)).is_ok());
    // What is wrong is for policy to tell, with the line of the manifest.
    assert!(bound_schemas(&description(3, "{")).is_ok());
    let patterns: String = (0..500)
        .map(|n| format!(r#","p{n}":{{"type":"string","pattern":"^[\\p{{L}}\\p{{N}}]{{1,{}}}$"}}"#, 10 + n % 20))
        .collect();
    let costly = format!(r#"{{"type":"object","properties":{{"a":{{}}{patterns}}}}}"#);
    // One takes some 10 ms; a component that says this much is one that no guest's memory could hold.
    let error = bound_schemas(&description(2_000, &costly)).unwrap_err();
    assert!(matches!(&error, InspectError::CostlySchemas { tool } if tool == "t"), "{error}");
}
