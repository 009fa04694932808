//! The attacks that no compiler would make: each a few lines of WebAssembly, how its call must end, and what the record must say.

use serde_json::{Value, json};

use crate::support::wat::Guest;

const FUEL: u64 = 5_000_000;
const LIMITS: &str =
    "fuel = 5_000_000\nmemory = \"4MiB\"\ndeadline = \"20s\"\noutput = \"64KiB\"\nhost_calls = 20\nlog_lines = 100\n";
const LOOP: &str = "(loop $forever (br $forever))";

pub struct Attack {
    /// The plugin's name.
    pub name: &'static str,
    pub guest: Guest,
    pub outcome: &'static str,
    /// Of what the record keeps besides (`unmapped`).
    pub holds: fn(&Value) -> bool,
    pub wasi: &'static str,
    pub grants: &'static str,
    /// What `t`, which attacks, and `u`, which is not called, may use of the grants.
    pub uses: [&'static str; 2],
    pub limits: &'static str,
}

impl Attack {
    fn new(name: &'static str, guest: Guest, outcome: &'static str, holds: fn(&Value) -> bool) -> Self {
        Self { name, guest, outcome, holds, wasi: "none", grants: "", uses: ["[]"; 2], limits: LIMITS }
    }

    fn inert(self) -> Self {
        Self { wasi: "inert", ..self }
    }

    fn granted(self, grants: &'static str, uses: [&'static str; 2]) -> Self {
        Self { grants, uses, ..self }
    }

    fn limited(self, limits: &'static str) -> Self {
        Self { limits, ..self }
    }
}

fn all_fuel(record: &Value) -> bool {
    record["cost"]["fuel"] == json!(FUEL)
}

fn any(_: &Value) -> bool {
    true
}

fn little_fuel(record: &Value) -> bool {
    record["cost"]["fuel"].as_u64().is_some_and(|fuel| fuel < 10_000)
}

fn within_memory(record: &Value) -> bool {
    record["cost"]["memory_peak"].as_u64().is_some_and(|bytes| bytes <= 4 << 20)
}

fn has_note(record: &Value, kind: &str, capability: &str, count: u64) -> bool {
    let notes = record["notes"].as_array().into_iter().flatten();
    notes.into_iter().any(|n| n["kind"] == kind && n["capability"] == capability && n["count"].as_u64() >= Some(count))
}

const CLOCK: (&str, &str) = (
    "import wasi:clocks/monotonic-clock@0.2.3; import wasi:io/poll@0.2.3;",
    r#"(import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $now (result i64)))
       (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $subscribe (param i64) (result i32)))
       (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
       (import "wasi:io/poll@0.2.3" "poll" (func $poll (param i32 i32 i32)))"#,
);
const RANDOM: (&str, &str) = (
    "import wasi:random/random@0.2.3;",
    r#"(import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))
       (import "wasi:random/random@0.2.3" "get-random-bytes" (func $bytes (param i64 i32)))"#,
);
const LOG: (&str, &str) =
    ("import wardkeep:log/log@0.1.0;", r#"(import "wardkeep:log/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#);
const FILES: (&str, &str) = (
    "import wardkeep:files/reader@0.1.0;",
    r#"(import "wardkeep:files/reader@0.1.0" "read-text" (func $read-text (param i32 i32 i32 i32 i32 i32)))
       (data (i32.const 1200) "tree")"#,
);
const EXIT: (&str, &str) =
    ("import wasi:cli/exit@0.2.3;", r#"(import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))"#);
const STDOUT: (&str, &str) = (
    "import wasi:cli/stdout@0.2.3; import wasi:io/streams@0.2.3;",
    r#"(import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))
       (import "wasi:io/streams@0.2.3" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))"#,
);
const CLOCK_GRANT: &str = "[grants.clock.now]\n";
const CLOCK_USED: [&str; 2] = ["[\"clock.now\"]", "[\"clock.now\"]"];
const CLOCK_OF_THE_OTHER: [&str; 2] = ["[]", "[\"clock.now\"]"];
const RANDOM_GRANT: &str = "[grants.random.any]\n";
const TREE_GRANT: &str = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";

/// A guest with functions of its own.
fn with(fields: &str, call: &'static str) -> Guest {
    Guest { fields: fields.to_owned(), ..Guest::that(call) }
}

fn importing(import: (&'static str, &str), call: &'static str) -> Guest {
    Guest::that(call).importing(import.0, import.1)
}

pub fn all() -> Vec<Attack> {
    [time(), memory(), answers(), host(), wasi()].into_iter().flatten().collect()
}

fn time() -> Vec<Attack> {
    vec![
        Attack::new("loops", Guest::that(LOOP), "limit(fuel)", all_fuel),
        Attack::new("loops-in-realloc", Guest { realloc: LOOP, ..Guest::default() }, "limit(fuel)", all_fuel),
        Attack::new("loops-in-post-return", Guest { post_return: LOOP, ..Guest::default() }, "limit(fuel)", all_fuel),
        Attack::new(
            "traps-in-post-return",
            Guest { post_return: "unreachable", ..Guest::default() },
            "trap",
            little_fuel,
        ),
        // while it describes itself the clock stands still: it shows what it is only when it is called
        Attack::new(
            "loops-in-start",
            Guest {
                fields: format!(
                    "{} (func $s (if (i64.ne (call $now) (i64.const 0)) (then {LOOP}))) (start $s)",
                    CLOCK.1
                ),
                ..importing(CLOCK, "(drop (i32.const 0))")
            },
            "limit(fuel)",
            all_fuel,
        )
        .granted(CLOCK_GRANT, CLOCK_USED),
        Attack::new(
            "recurses",
            with(
                "(func $dive (param i64) (result i64) (i64.add (local.get 0) (call $dive (i64.add (local.get 0) (i64.const 1)))))",
                "(drop (call $dive (i64.const 0)))",
            ),
            "limit(stack)",
            any,
        ),
        Attack::new(
            "recurses-through-a-table",
            with(
                "(type $f (func)) (table 1 funcref) (elem (i32.const 0) $dive)
                  (func $dive (call_indirect (type $f) (i32.const 0)) (call_indirect (type $f) (i32.const 0)))",
                "(call $dive)",
            ),
            "limit(stack)",
            any,
        ),
        Attack::new(
            "traps-in-the-middle",
            importing(LOG, "(call $log (i32.const 3) (i32.const 192) (i32.const 5)) unreachable"),
            "trap",
            little_fuel,
        ),
        // each fill is one instruction; its bytes cost all the same
        Attack::new(
            "fills-memory-again-and-again",
            Guest {
                memory: "64",
                ..Guest::that("(loop $l (memory.fill (i32.const 65536) (i32.const 7) (i32.const 4000000)) (br $l))")
            },
            "limit(fuel)",
            |record| record["cost"]["elapsed_us"].as_u64().is_some_and(|us| us < 10_000_000),
        ),
    ]
}

fn memory() -> Vec<Attack> {
    vec![
        Attack::new(
            "hoards-memory",
            Guest::that("(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable"),
            "limit(memory)",
            |record| record["cost"]["memory_peak"] == json!(4 << 20),
        ),
        Attack::new("begins-with-too-much", Guest { memory: "65", ..Guest::default() }, "limit(memory)", within_memory),
        Attack::new(
            "has-data-to-the-last-byte",
            Guest { memory: "64", fields: "(data (i32.const 4194303) \"x\")".into(), ..Guest::default() },
            "ok",
            |record| record["cost"]["memory_peak"] == json!(4 << 20),
        ),
        Attack::new(
            "asks-for-memory-again-and-again",
            Guest::that("(loop $l (drop (memory.grow (i32.const 65535))) (br $l))"),
            "limit(fuel)",
            |record| all_fuel(record) && record["cost"]["memory_peak"] == json!(65_536),
        ),
        Attack::new(
            "hoards-tables",
            with(
                "(table $t 1 funcref)",
                "(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 100)) (i32.const -1)))) unreachable",
            ),
            "limit(memory)",
            any,
        ),
        Attack::new(
            "hoards-handles",
            importing(CLOCK, "(loop $l (drop (call $subscribe (i64.const 1))) (br $l))"),
            "limit(host-calls)",
            little_fuel_for_handles,
        )
        .inert(),
    ]
}

/// A thousand handles, some ten instructions each: not a million.
fn little_fuel_for_handles(record: &Value) -> bool {
    record["cost"]["fuel"].as_u64().is_some_and(|fuel| fuel < 100_000)
}

fn answers() -> Vec<Attack> {
    let list = |len: &str| {
        let call: &'static str = format!("(i32.store (i32.const 268) (i32.const {len}))").leak();
        Guest::that(call)
    };
    vec![
        Attack::new("tells-of-two-gigabytes", list("50000000"), "trap", little_fuel),
        Attack::new("tells-of-a-list-that-wraps", list("-1"), "trap", little_fuel),
        Attack::new(
            "tells-from-beyond-its-memory",
            Guest::that("(i32.store (i32.const 264) (i32.const -8)) (i32.store (i32.const 268) (i32.const 1))"),
            "trap",
            little_fuel,
        ),
        Attack::new(
            "tells-from-an-odd-address",
            Guest::that("(i32.store (i32.const 264) (i32.const 513)) (i32.store (i32.const 268) (i32.const 1))"),
            "trap",
            little_fuel,
        ),
        Attack::new(
            "is-neither-well-nor-failed",
            Guest::that("(i32.store8 (i32.const 256) (i32.const 9))"),
            "trap",
            little_fuel,
        ),
        Attack::new(
            "has-a-block-of-no-kind",
            Guest::that(
                "(i32.store8 (i32.const 512) (i32.const 99)) (i32.store (i32.const 264) (i32.const 512)) (i32.store (i32.const 268) (i32.const 1))",
            ),
            "trap",
            little_fuel,
        ),
        Attack::new(
            "speaks-no-utf-8",
            Guest::that(
                "(i32.store8 (i32.const 1024) (i32.const 255))
             (i32.store (i32.const 516) (i32.const 1024)) (i32.store (i32.const 520) (i32.const 1))
             (i32.store (i32.const 264) (i32.const 512)) (i32.store (i32.const 268) (i32.const 1))",
            ),
            "trap",
            little_fuel,
        ),
        Attack::new(
            "logs-no-utf-8",
            importing(
                LOG,
                "(i32.store8 (i32.const 1024) (i32.const 255)) (call $log (i32.const 3) (i32.const 1024) (i32.const 1))",
            ),
            "trap",
            little_fuel,
        ),
        // 2,000 blocks of the same 60 KB: 120 MB if the host took them
        Attack::new(
            "tells-one-text-again-and-again",
            Guest {
                memory: "4",
                ..Guest::that(
                    "(local $i i32)
             (loop $l
               (i32.store (i32.add (i32.const 65540) (i32.mul (local.get $i) (i32.const 44))) (i32.const 1024))
               (i32.store (i32.add (i32.const 65544) (i32.mul (local.get $i) (i32.const 44))) (i32.const 60000))
               (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2000))))
             (i32.store (i32.const 264) (i32.const 65536)) (i32.store (i32.const 268) (i32.const 2000))",
                )
            },
            "limit(output)",
            any,
        ),
        // no text at all, and still a list of many
        Attack::new(
            "claims-a-hundred-thousand-nothings",
            Guest {
                memory: "32",
                ..Guest::that(
                    "(i32.store (i32.const 284) (i32.const 65536)) (i32.store (i32.const 288) (i32.const 100000))",
                )
            },
            "limit(output)",
            |record| record["cost"]["output"].as_u64() > Some(64 << 10) && record["resources"].is_null(),
        ),
        Attack::new(
            "claims-ten-million-nothings",
            Guest {
                memory: "64",
                ..Guest::that(
                    "(i32.store (i32.const 284) (i32.const 65536)) (i32.store (i32.const 288) (i32.const 500000))",
                )
            },
            "limit(output)",
            little_fuel,
        ),
    ]
}

fn host() -> Vec<Attack> {
    vec![
        Attack::new("floods-the-log", importing(LOG,
            "(local $i i32) (loop $l (call $log (i32.const 1) (i32.const 192) (i32.const 5))
             (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000))))"),
            "ok", |record| record["cost"]["log_lines_dropped"] == json!(99_900) && record["cost"]["host_calls"] == json!(0)),
        Attack::new("floods-the-log-for-ever", importing(LOG,
            "(loop $l (call $log (i32.const 1) (i32.const 192) (i32.const 5)) (br $l))"), "limit(fuel)", all_fuel),
        Attack::new("logs-megabytes", Guest { memory: "64", ..importing(LOG,
            "(local $i i32) (loop $l (call $log (i32.const 3) (i32.const 65536) (i32.const 3000000))
             (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50))))") },
            "ok", |record| record["cost"]["log_lines_dropped"].is_null() || record["cost"]["log_lines_dropped"] == json!(0)),
        Attack::new("floods-with-host-calls", importing(RANDOM, "(loop $l (drop (call $random)) (br $l))"), "limit(host-calls)",
            |record| record["cost"]["host_calls"] == json!(20) && has_note(record, "exhausted", "host-calls", 1))
            .granted(RANDOM_GRANT, ["[\"random.any\"]"; 2]),
        Attack::new("takes-no-for-no-answer", importing(FILES,
            "(loop $l (call $read-text (i32.const 192) (i32.const 5) (i32.const 1200) (i32.const 4) (i32.const 10) (i32.const 1024)) (br $l))"),
            "limit(fuel)", |record| {
                all_fuel(record) && record["cost"]["host_calls"] == json!(20) && has_note(record, "denied", "files", 20)
                    && has_note(record, "exhausted", "host-calls", 1_000)
            })
            .granted(TREE_GRANT, ["[\"files.tree\"]"; 2]),
        // some 3 MB for the host to copy and look through, for ten instructions
        Attack::new("sends-megabytes", Guest { memory: "64", ..importing(FILES,
            "(loop $l (call $read-text (i32.const 1200) (i32.const 4) (i32.const 65536) (i32.const 3000000) (i32.const 10) (i32.const 1024)) (br $l))") },
            "limit(deadline)", |record| record["cost"]["host_calls"] == json!(20) && record["notes"].to_string().len() < 10_000)
            .granted(TREE_GRANT, ["[\"files.tree\"]"; 2])
            .limited("fuel = 20_000_000_000\nmemory = \"4MiB\"\ndeadline = \"1s\"\noutput = \"64KiB\"\nhost_calls = 20\n"),
        Attack::new("sends-more-than-the-host-takes", Guest { memory: "64", ..importing(FILES,
            "(call $read-text (i32.const 1200) (i32.const 4) (i32.const 0) (i32.const 4194304) (i32.const 10) (i32.const 1024))") },
            "limit(output)", little_fuel)
            .granted(TREE_GRANT, ["[\"files.tree\"]"; 2]),
        Attack::new("sends-from-beyond-its-memory", importing(FILES,
            "(call $read-text (i32.const -4) (i32.const 8) (i32.const 0) (i32.const 4) (i32.const 10) (i32.const 1024))"),
            "trap", little_fuel)
            .granted(TREE_GRANT, ["[\"files.tree\"]"; 2]),
        // the host is in the middle of a call into the guest
        Attack::new("calls-the-host-from-realloc",
            Guest { realloc: "(call $log (i32.const 3) (i32.const 192) (i32.const 5))", ..importing(LOG, "") }, "trap", little_fuel),
    ]
}

fn wasi() -> Vec<Attack> {
    vec![
        Attack::new("reaches-for-the-others-clock", importing(CLOCK, "(drop (call $now))"), "denied", |record| {
            has_note(record, "denied", "clock", 1)
        })
        .granted(CLOCK_GRANT, CLOCK_OF_THE_OTHER),
        Attack::new("reaches-for-the-others-dice", importing(RANDOM, "(drop (call $random))"), "denied", |record| {
            has_note(record, "denied", "random", 1)
        })
        .granted(RANDOM_GRANT, ["[]", "[\"random.any\"]"]),
        Attack::new(
            "wants-a-gigabyte-of-dice",
            importing(RANDOM, "(call $bytes (i64.const 1073741824) (i32.const 1024))"),
            "limit(host-calls)",
            little_fuel,
        )
        .inert(),
        Attack::new(
            "waits-for-ever",
            importing(CLOCK, "(call $block (call $subscribe (i64.const 9000000000000000000)))"),
            "limit(deadline)",
            little_fuel,
        )
        .granted(CLOCK_GRANT, CLOCK_USED)
        .limited("fuel = 5_000_000\ndeadline = \"1s\"\n"),
        Attack::new(
            "waits-with-its-hands-full",
            importing(
                CLOCK,
                "(local $i i32) (loop $l (drop (call $subscribe (i64.const 1)))
             (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 900))))
             (call $block (call $subscribe (i64.const 9000000000000000000)))",
            ),
            "limit(deadline)",
            any,
        )
        .granted(CLOCK_GRANT, CLOCK_USED)
        .limited("fuel = 5_000_000\ndeadline = \"1s\"\n"),
        // one handle, told a hundred thousand times
        Attack::new(
            "polls-a-hundred-thousand",
            Guest {
                memory: "64",
                ..importing(
                    CLOCK,
                    "(local $i i32) (local $h i32) (local.set $h (call $subscribe (i64.const 0)))
             (loop $l (i32.store (i32.add (i32.const 65536) (i32.shl (local.get $i) (i32.const 2))) (local.get $h))
             (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100000))))
             (loop $l (call $poll (i32.const 65536) (i32.const 100000) (i32.const 1024)) (br $l))",
                )
            },
            "trap",
            any,
        )
        .inert(),
        Attack::new("polls-what-is-not-there", importing(CLOCK, "(call $block (i32.const 77))"), "trap", little_fuel)
            .inert(),
        Attack::new("exits", importing(EXIT, "(call $exit (i32.const 0))"), "trap", little_fuel).inert(),
        // 40 MB on standard output in one line that never ends
        Attack::new(
            "never-ends-its-line",
            Guest {
                memory: "64",
                ..importing(
                    STDOUT,
                    "(local $i i32) (local $h i32) (local.set $h (call $stdout))
             (loop $l (call $write (local.get $h) (i32.const 65536) (i32.const 4000000) (i32.const 1024))
             (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10))))",
                )
            },
            "ok",
            |record| record["cost"]["log_lines_dropped"].as_u64().is_some_and(|lines| lines >= 9),
        )
        .inert(),
    ]
}
