//! A call of an older client that waits for its person goes on by the rights that its caller has when the answer comes, and the answer counts
//! from whoever has at least these.

use super::{older::Session, *};

/// A key of the same principal that may do less.
const WEAK: &str = "wk_weak_00123456789abcdef0123456789abcdef";

fn serve() -> (Home, Serving) {
    let weak = sha256(WEAK.as_bytes());
    let key = format!(
        "[callers.keys.weak]\nsha256 = \"{weak}\"\nprincipal = \"service:test\"\ngroups = [\"tests\"]\nwrites = true\n"
    );
    let home = home(PERSON, "", &key);
    let serving = home.serve();
    (home, serving)
}

fn request() -> Value {
    json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "files_write", "arguments": note() } })
}

/// Says yes to whatever the host has asked in this session; the statuses.
fn say_yes(session: &Session<'_>, key: &str) -> Vec<u16> {
    let yes =
        |id| json!({ "jsonrpc": "2.0", "id": id, "result": { "action": "accept", "content": { "confirm": "yes" } } });
    (0..8).map(|id| session.send("POST", key, yes(id).to_string().as_bytes()).status).collect()
}

/// Calls, does this while the call waits, says yes by this key; what the call comes to.
fn meanwhile(session: &Session<'_>, key: &str, act: impl FnOnce()) -> Value {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| session.post(&request()));
        thread::sleep(Duration::from_millis(500));
        assert!(!waiting.is_finished(), "it waits for its person");
        act();
        say_yes(session, key);
        waiting.join().unwrap().message()
    })
}

#[test]
fn another_key_of_the_same_caller_that_may_do_less_does_not_say_yes_for_it() {
    let (home, serving) = serve();
    let session = Session::open(&serving, KEY);
    let answer = meanwhile(&session, KEY, || {
        assert_eq!(say_yes(&session, WEAK), [403; 8]);
        thread::sleep(Duration::from_millis(300));
        nothing_written(&home, "a program of the same caller has said yes");
        on_record(&home, "weaker-answer", "denied");
    });
    assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    assert_eq!(fs::read_to_string(home.tree().join("a.md")).unwrap(), "very private");
}

#[test]
fn rights_that_are_taken_away_while_a_call_waits_for_its_person_count_no_more() {
    let (home, serving) = serve();
    let before = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    let mcp = serving.mcp();
    let now = || call(&mcp, "files_write", note(), &json!({}));
    let until = |holds: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed().as_secs() < 30, "it is never reloaded: {}", serving.stderr());
            thread::sleep(Duration::from_millis(50));
        }
    };
    let asks = || now()["result"]["resultType"] == "input_required";
    let own = "principal = \"service:test\"\ngroups = [\"tests\"]\nwrites = true\nhuman = true\n";
    assert!(before.contains(own), "{before}");
    for (what, left, holds) in [
        (
            "human",
            "groups = [\"tests\"]\nwrites = true\n",
            &(|| now()["result"]["_meta"]["dev.wardkeep/approval"].is_string()) as &dyn Fn() -> bool,
        ),
        ("writes", "groups = [\"tests\"]\nhuman = true\n", &|| now()["error"].is_object()),
        ("the group", "groups = [\"nobody\"]\nwrites = true\nhuman = true\n", &|| now()["error"].is_object()),
    ] {
        until(&asks);
        let session = Session::open(&serving, KEY);
        let answer = meanwhile(&session, KEY, || {
            home.write("wardkeep.toml", &before.replace(own, &format!("principal = \"service:test\"\n{left}")));
            serving.hang_up();
            until(holds);
        });
        assert_ne!(answer["result"]["isError"], json!(false), "{what}: {answer}");
        nothing_written(&home, what);
        home.write("wardkeep.toml", &before);
        serving.hang_up();
    }
    until(&asks);
    // and the key itself; whoever has another of the same caller says yes to nothing of it
    let session = Session::open(&serving, KEY);
    let answer = meanwhile(&session, WEAK, || {
        assert!(home.run(&["keys", "revoke", "test"]).status.success());
    });
    assert_ne!(answer["result"]["isError"], json!(false), "{answer}");
    nothing_written(&home, "the key is gone");
}

#[test]
fn the_stream_of_a_key_that_is_taken_back_ends() {
    let (home, serving) = serve();
    let session = Session::open(&serving, KEY);
    thread::scope(|scope| {
        let stream = scope.spawn(|| session.send("GET", KEY, b""));
        thread::sleep(Duration::from_millis(500));
        assert!(!stream.is_finished(), "it lasts");
        let begun = Instant::now();
        assert!(home.run(&["keys", "revoke", "test"]).status.success());
        assert_eq!(stream.join().unwrap().status, 200);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    });
}
