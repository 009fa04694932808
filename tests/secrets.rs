//! Secrets of a running host: opened by name and never read, rotated without a restart, shown without their values, and found wherever one would
//! leave.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin, sha256},
    http::Mcp,
    serving::Serving,
};

const FIRST: &str = "wk-first-value-0123456789";
const SECOND: &str = "wk-second-value-9876543210";
const OTHER: &str = "wk-value-of-the-other-tool";

const GRANTS: &str = r#"
[grants.http.issues]
host = "api.example.com"
methods = ["GET"]
paths = ["/issues/"]
secret = "tracker"
[grants.http.wiki]
host = "wiki.example.com"
methods = ["GET"]
paths = ["/"]
secret = "wiki"
[secrets.tracker]
source = "file:tracker"
inject = { header = "authorization", format = "Bearer {}" }
rotated_by = "oncall@example.com"
every = "30d"
if_it_fails = "issues can't be read"
[secrets.wiki]
source = "file:wiki-token"
inject = { basic = "reader" }
"#;

struct Holds {
    home: Home,
}

impl Holds {
    fn new() -> Self {
        Self::with("")
    }

    /// With more in the operator's file.
    fn with(more: &str) -> Self {
        let home = Home::new();
        fs::create_dir(home.path().join("secrets")).unwrap();
        fs::set_permissions(home.path().join("secrets"), fs::Permissions::from_mode(0o700)).unwrap();
        let root = sha256(&home.read("trust.toml"));
        let more = format!("[sources.file]\ndirectory = \"secrets\"\n{more}");
        home.write("wardkeep.toml", &home.operator_file(&root, &more));
        let component = guests::path("holds");
        let tools = [("hold", "[\"http.issues\"]"), ("other", "[\"http.wiki\"]")];
        home.install(&Plugin::granted("holds", &component, &tools, GRANTS));
        let this = Self { home };
        this.put("tracker", FIRST);
        this.put("wiki-token", OTHER);
        this
    }

    fn place(&self, name: &str) -> PathBuf {
        self.home.path().join("secrets").join(name)
    }

    fn put(&self, name: &str, value: &str) {
        self.home.write(&format!("secrets/{name}"), &format!("{value}\n"));
    }

    /// The answer, and the record of its outcome.
    fn call(&self, serving: &Serving, tool: &str, secret: &str, (say, to): (&str, &str)) -> (Value, Value) {
        let arguments = json!({ "secret": secret, "say": say, "where": to });
        let answer = serving.mcp().call(&format!("holds_{tool}"), arguments)["result"].clone();
        let id = &answer["_meta"]["dev.wardkeep/correlation-id"];
        let journal = self.home.journal();
        let outcome =
            journal.iter().rfind(|r| r["metadata"]["correlation_uid"] == *id && r["unmapped"]["phase"] == "outcome");
        (answer.clone(), outcome.unwrap_or_else(|| panic!("no outcome of {answer}")).clone())
    }

    fn opened(&self, serving: &Serving, tool: &str, secret: &str) -> (String, Value) {
        let (answer, record) = self.call(serving, tool, secret, ("", "nowhere"));
        let opened = answer["structuredContent"]["opened"].as_str().unwrap_or_else(|| panic!("{answer}"));
        (opened.to_owned(), record["unmapped"]["notes"].clone())
    }

    /// Neither the records nor the host's log know any value.
    fn assert_silent(&self, serving: &Serving) {
        let journal = self.home.journal().iter().map(ToString::to_string).collect::<String>();
        for text in [journal, serving.stderr()] {
            for value in [FIRST, SECOND, OTHER] {
                assert!(!text.contains(value), "{value} in {text}");
            }
        }
    }
}

#[test]
fn a_tool_opens_the_secrets_of_its_own_grants_and_no_other() {
    let holds = Holds::new();
    let serving = holds.home.serve();
    assert_eq!(holds.opened(&serving, "hold", "tracker").0, "tracker");
    assert_eq!(holds.opened(&serving, "other", "wiki").0, "wiki");
    for (tool, secret) in [("hold", "wiki"), ("other", "tracker"), ("hold", "none"), ("hold", "")] {
        let (opened, notes) = holds.opened(&serving, tool, secret);
        assert_eq!(opened, "denied", "{tool} {secret}");
        assert_eq!((&notes[0]["kind"], &notes[0]["capability"]), (&json!("denied"), &json!("secrets")), "{notes}");
        assert_eq!(notes[0]["detail"], secret);
    }
    holds.assert_silent(&serving);
}

#[test]
fn a_value_that_would_leave_withholds_the_answer_and_is_replaced_elsewhere() {
    let holds = Holds::new();
    let serving = holds.home.serve();
    let encoded = FIRST.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for say in [FIRST, &format!("x{FIRST}x"), &encoded] {
        for to in ["text", "failure"] {
            let (answer, record) = holds.call(&serving, "hold", "tracker", (say, to));
            assert_eq!(answer["isError"], true, "{answer}");
            assert!(!answer.to_string().contains(say), "{answer}");
            // said before by its caller, as here, it is no leak of the plugin's
            assert_eq!(record["status_detail"], "secret-echoed", "{record}");
            assert_eq!(record["unmapped"]["outcome"], "output-rejected", "{record}");
        }
    }
    for (to, capability) in [("log", "log"), ("progress", "progress")] {
        let (answer, record) = holds.call(&serving, "hold", "tracker", (&format!("it is {FIRST}!"), to));
        assert_eq!(answer["isError"], false, "{answer}");
        let notes = record["unmapped"]["notes"].to_string();
        assert!(notes.contains(capability) && notes.contains("a secret's value was replaced"), "{notes}");
    }
    let (_, record) = holds.call(&serving, "hold", "tracker", (&format!("is-it-{FIRST}"), "secret"));
    assert_eq!(record["unmapped"]["notes"][0]["detail"], "is-it-[secret]", "{record}");
    assert!(serving.says("it is [secret]!"), "{}", serving.stderr());
    // another tool's, which nobody has opened: every value of the plugin counts
    let (answer, _) = holds.call(&serving, "hold", "tracker", (OTHER, "text"));
    assert_eq!(answer["isError"], true, "{answer}");
    holds.assert_silent(&serving);
}

#[test]
fn a_caller_that_guesses_a_secret_stops_itself_and_not_the_plugin() {
    let key = "wk_test_of_another_0123456789abcdef0123456789abcdef";
    let another = format!(
        "[callers.keys.another]\nsha256 = \"{}\"\nprincipal = \"service:another\"\ngroups = [\"tests\"]\n",
        sha256(key.as_bytes())
    );
    let holds = Holds::with(&format!("{another}[brakes]\ncaller = {{ denials = 25 }}\n"));
    let serving = holds.home.serve();
    let guesses = |times: usize| {
        for _ in 0..times {
            let answer =
                serving.mcp().call("holds_hold", json!({ "secret": "tracker", "say": FIRST, "where": "text" }));
            assert_eq!(answer["result"]["isError"], true, "{answer}");
        }
    };
    guesses(25);
    assert_eq!(holds.home.json(&["kills"])["kills"], json!([]), "at its limit");
    guesses(1);
    let begun = Instant::now();
    while holds.home.json(&["kills"])["kills"][0]["target"] != "caller:service:test" {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", serving.stderr());
        thread::sleep(Duration::from_millis(20));
    }
    let another = Mcp { key: key.to_owned(), ..serving.mcp() };
    let answer = another.call("holds_hold", json!({ "secret": "tracker", "say": "", "where": "nowhere" }));
    assert_eq!(
        answer["result"]["structuredContent"]["opened"], "tracker",
        "the plugin goes on for the others: {answer}"
    );
    assert_eq!(holds.home.json(&["kills"])["kills"].as_array().map(Vec::len), Some(1));
    holds.assert_silent(&serving);
}

#[test]
fn a_value_is_looked_for_from_the_first_call_after_a_start() {
    let holds = Holds::new();
    let serving = holds.home.serve();
    // this tool opens none of the two
    let (answer, record) = holds.call(&serving, "hold", "none", (OTHER, "text"));
    assert_eq!((&answer["isError"], &record["status_detail"]), (&json!(true), &json!("secret-echoed")), "{record}");
    holds.assert_silent(&serving);
}

#[test]
fn a_secret_is_rotated_and_taken_away_without_a_restart() {
    let holds = Holds::new();
    let serving = holds.home.serve();
    let says = |value: &str| holds.call(&serving, "hold", "tracker", (value, "text")).0["isError"] == json!(true);
    assert!(says(FIRST) && !says(SECOND));
    holds.put("tracker", SECOND);
    assert!(says(SECOND), "the new value counts at once");
    assert!(says(FIRST), "and the one before is still looked for");
    fs::remove_file(holds.place("tracker")).unwrap();
    let (opened, notes) = holds.opened(&serving, "hold", "tracker");
    assert_eq!((opened.as_str(), &notes[0]["detail"]), ("unavailable", &json!("tracker: absent")));
    assert_eq!(notes[0]["kind"], "unavailable");
    holds.put("tracker", SECOND);
    fs::set_permissions(holds.place("tracker"), fs::Permissions::from_mode(0o644)).unwrap();
    let (opened, notes) = holds.opened(&serving, "hold", "tracker");
    assert_eq!((opened.as_str(), &notes[0]["detail"]), ("unavailable", &json!("tracker: open-to-others")));
    assert!(serving.says("others may read it (mode 0644)"), "{}", serving.stderr());
    holds.put("tracker", FIRST);
    assert_eq!(holds.opened(&serving, "hold", "tracker").0, "tracker");
    holds.assert_silent(&serving);
}

#[test]
fn secrets_are_shown_with_their_age_and_users_and_never_with_their_values() {
    let holds = Holds::new();
    let old = std::time::SystemTime::now() - Duration::from_secs(40 * 86_400);
    fs::File::options().write(true).open(holds.place("tracker")).unwrap().set_modified(old).unwrap();
    let shown = holds.home.json(&["secrets"]);
    let [tracker, wiki] = &shown["secrets"].as_array().unwrap()[..] else { panic!("two secrets: {shown}") };
    assert_eq!((&tracker["plugin"], &tracker["secret"]), (&json!("holds"), &json!("tracker")));
    assert_eq!((&tracker["source"], &tracker["kind"]), (&json!("file:tracker"), &json!("value")));
    assert_eq!((&tracker["usable"], &tracker["overdue"]), (&json!(true), &json!(true)));
    assert_eq!(tracker["used_by"], json!([{ "tool": "hold", "grants": ["http.issues"] }]));
    assert_eq!(tracker["if_it_fails"], "issues can't be read");
    assert_eq!((&wiki["overdue"], &wiki["due"]), (&json!(false), &Value::Null));
    let text = String::from_utf8(holds.home.run(&["secrets"]).stdout).unwrap();
    for part in
        ["tracker", "40d", "overdue", "hold through http.issues", "the header `authorization`", "oncall@example.com"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let check = String::from_utf8(holds.home.run(&["check"]).stdout).unwrap();
    assert!(check.contains("overdue: it is 40d old and is to be changed every 30d"), "{check}");
    fs::remove_file(holds.place("wiki-token")).unwrap();
    let refused = holds.home.refused(&["secrets"]);
    assert!(refused.contains("wiki-token") && refused.contains("it is not there"), "{refused}");
    let check = holds.home.run(&["check"]);
    let told = String::from_utf8(check.stdout).unwrap();
    assert!(
        check.status.success() && told.contains("secrets.wiki.source") && told.contains("install -m 600"),
        "{told}"
    );
    for text in [shown.to_string(), text, refused, told] {
        assert!(!text.contains(FIRST) && !text.contains(OTHER), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_a_host_that_serves_is_closed_to_its_own_user() {
    let holds = Holds::new();
    let serving = holds.home.serve();
    let process = serving.process().as_raw_nonzero();
    // What belongs to a process that cannot be dumped belongs to root (proc(5)); where the tests are root, core dumps show it.
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("/proc/{process}/environ")).unwrap());
    assert_eq!(owner, 0);
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let dumping = status.lines().find(|line| line.starts_with("CoreDumping"));
    assert!(dumping.is_none_or(|line| line.ends_with('0')), "{dumping:?}");
}
