//! What `inspect` finds out, and what it refuses before anything is approved.

use wardkeep_model::{Effect, LimitKind, Outcome};

use super::{
    ENGINE, Guest,
    running::{inspect, wait},
};
use crate::InspectError;

fn refused(bytes: Vec<u8>) -> InspectError {
    wait(ENGINE.inspect(bytes.into())).unwrap_err()
}

#[test]
fn a_plugin_describes_itself_and_its_imports_are_listed() {
    let guest = Guest::that("(call $log (i32.const 1) (i32.const 0) (i32.const 0))").importing(
        "import wardkeep:log/log@0.1.0; import wardkeep:files/reader@0.1.0;",
        r#"(import "wardkeep:log/log@0.1.0" "write" (func $log (param i32 i32 i32)))
           (import "wardkeep:files/reader@0.1.0" "granted" (func $granted (param i32)))"#,
    );
    let inspected = inspect(&guest);
    let found = inspected.inspection();
    assert_eq!(found.imports, ["wardkeep:log/log@0.1.0", "wardkeep:files/reader@0.1.0"]);
    assert_eq!(found.exports, ["wardkeep:tool/handler@0.1.0"]);
    assert_eq!((found.description.name.as_str(), found.description.version.as_str()), ("guest", "1.0.0"));
    let tool = &found.description.tools[0];
    assert_eq!((tool.name.as_str(), tool.effect, tool.idempotent), ("t", Effect::Read, true));
    assert_eq!(tool.input_schema, r#"{"type":"object"}"#);
    assert_eq!(found.size, guest.bytes().len() as u64);
    assert!(found.fuel > 0 && found.fuel < 1_000);
}

#[test]
fn a_capability_called_from_describe_ends_it_and_says_so() {
    let calls = Guest { describe: "(call $granted (i32.const 1024))", ..Guest::default() }.importing(
        "import wardkeep:files/reader@0.1.0;",
        r#"(import "wardkeep:files/reader@0.1.0" "granted" (func $granted (param i32)))"#,
    );
    let InspectError::Describe(stopped) = refused(calls.bytes()) else { panic!() };
    assert_eq!(stopped.outcome, Outcome::Trap);
    assert!(stopped.detail.contains("`describe` called a capability"), "{}", stopped.detail);
}

#[test]
fn unknown_imports_are_listed_without_running_anything() {
    let unknown = Guest { describe: "unreachable", ..Guest::default() }.importing(
        "import wasi:http/types@0.2.3; import wardkeep:log/log@0.1.0;",
        r#"(import "wasi:http/types@0.2.3" "f" (func)) (import "wardkeep:log/log@0.1.0" "write" (func (param i32 i32 i32)))"#,
    );
    let InspectError::UnknownImports { unknown, imports } = refused(unknown.bytes()) else { panic!() };
    assert_eq!(unknown, ["wasi:http/types@0.2.3"]);
    assert_eq!(imports.len(), 2);
}

#[test]
fn a_describe_that_loops_ends_by_its_little_fuel() {
    let loops = Guest { describe: "(loop $l (br $l))", ..Guest::default() };
    let InspectError::Describe(stopped) = refused(loops.bytes()) else { panic!() };
    assert_eq!(stopped.outcome, Outcome::Limit(LimitKind::Fuel));
}

#[test]
fn what_is_no_plugin_is_told_what_it_is() {
    assert!(matches!(refused(b"hello".to_vec()), InspectError::NotWebAssembly));
    assert!(matches!(refused(Vec::new()), InspectError::NotWebAssembly));
    assert!(matches!(refused(wat::parse_str("(module)").unwrap()), InspectError::CoreModule));
    assert!(matches!(refused(wat::parse_str("(component)").unwrap()), InspectError::NotAPlugin(_)));
    let mut broken = Guest::default().bytes();
    broken.truncate(200);
    assert!(matches!(refused(broken), InspectError::Invalid(_)));
}

#[test]
fn webassembly_beyond_what_guests_may_use_is_refused_before_it_is_compiled() {
    let beyond = [
        ("multiple memories", "(memory 1) (memory 1)"),
        ("threads", "(memory 1 1 shared)"),
        ("memory64", "(memory i64 1)"),
        ("tail calls", "(func $f return_call $f)"),
        ("exceptions", "(tag)"),
        ("gc", "(type (struct))"),
    ];
    for (what, module) in beyond {
        let component = wat::parse_str(format!("(component (core module {module}))")).unwrap();
        assert!(matches!(refused(component), InspectError::Invalid(_)), "{what}");
    }
}

#[test]
fn a_component_beyond_the_caps_is_refused_before_it_is_compiled() {
    let options = crate::EngineOptions { component_bytes: 10_000, functions: 10, ..Default::default() };
    let check = |wat: String| crate::validate::validate(&wat::parse_str(wat).unwrap(), &options);
    let functions = |count| format!("(component (core module {}))", "(func)".repeat(count));
    assert!(check(functions(10)).is_ok());
    assert!(matches!(check(functions(11)), Err(InspectError::TooManyFunctions { limit: 10 })));
    let two = "(component (core module (func) (func) (func) (func) (func) (func)) (core module (func) (func) (func) (func) (func)))";
    assert!(matches!(check(two.to_owned()), Err(InspectError::TooManyFunctions { .. })), "counted together");
    let large = check(format!("(component (core module (data \"{}\")))", "x".repeat(10_000)));
    assert!(matches!(large, Err(InspectError::TooLarge { .. })));
}
