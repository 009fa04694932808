use wardkeep_model::{Ask, Definition, Description, Effect};

use super::*;
use crate::document::hidden;

const BASE: &str = r#"format = 1
[plugin]
name = "github"
version = "1.4.0"
serial = 7
expires = 2027-06-30
owner = "me@example.com"
[component]
file = "github.wasm"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
contract_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[grants.files.reports]
root = "reports"
access = "read"
[tools.search]
effect = "read"
uses = ["files.reports"]
allow = ["group:engineering"]
[tools.list]
effect = "read"
allow = ["user:me"]
"#;

/// As `diff` shows it to a host that knows more: keys that this host refuses are read all the same.
fn manifest(text: &str) -> Manifest {
    let (_, manifest, faults) = Manifest::parse_further("manifest.toml", text.as_bytes());
    manifest.unwrap_or_else(|| panic!("{faults}\n{text}"))
}

fn definition(name: &str) -> Definition {
    Definition {
        name: name.into(),
        title: None,
        description: "does something".into(),
        input_schema: r#"{"type":"object"}"#.into(),
        output_schema: None,
        effect: Effect::Read,
        idempotent: true,
        asks: Vec::new(),
    }
}

fn description() -> Description {
    Description {
        name: "github".into(),
        version: "1.4.0".into(),
        tools: vec![definition("search"), definition("list")],
    }
}

fn between(old: &str, new: &str) -> Difference {
    let (old, new, description) = (manifest(old), manifest(new), description());
    let side = |manifest| Side { manifest, description: Some(&description) };
    diff(Some(side(&old)), side(&new))
}

fn described(change: impl FnOnce(&mut Description)) -> Difference {
    let (manifest, old, mut new) = (manifest(BASE), description(), description());
    change(&mut new);
    let side = |description| Side { manifest: &manifest, description: Some(description) };
    diff(Some(side(&old)), side(&new))
}

fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

fn lines<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_manifest_and_component_do_not_differ() {
    let none = between(BASE, BASE);
    assert!(none.is_empty() && none.sections().is_empty(), "{none}");
}

#[test]
fn every_way_to_let_more_happen_is_added_and_its_reverse_taken_away() {
    const WIKI: &str = "[grants.files.wiki]\nroot = \"wiki\"\naccess = \"read\"\n[tools.search]";
    let both = r#"uses = ["files.reports", "files.wiki"]"#;
    let uses = r#"uses = ["files.reports"]"#;
    let effect = "effect = \"read\"\nuses";
    let write = "effect = \"write\"\nside_effects = \"changes\"\nuses";
    let http = "[grants.http.x]\nhost = \"a.b\"\nmethods = [\"POST\"]\npaths = [\"=/g\"]\nread_only = ";
    type Edits<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(Edits<'_>, &[&str])] = &[
        (&[("[tools.search]", WIKI), (uses, both)], &["`search` reads files of the root `wiki`"]),
        (
            &[("effect = \"read\"\nallow", "effect = \"read\"\nuses = [\"files.reports\"]\nallow")],
            &["`list` reads files of the root `reports`"],
        ),
        (
            &[
                ("[tools.search]", "[grants.clock.now]\n[tools.search]"),
                (uses, "uses = [\"files.reports\", \"clock.now\"]"),
            ],
            &["`search` knows the time"],
        ),
        (
            &[
                ("[tools.search]", "[grants.random.any]\n[tools.search]"),
                (uses, "uses = [\"files.reports\", \"random.any\"]"),
            ],
            &["`search` gets random numbers"],
        ),
        (
            &[("effect = \"read\"\nuses", "effect = \"read\"\nasks = true\nuses")],
            &["`search` puts questions of the plugin's own to the person who calls"],
        ),
        (
            &[("allow = [\"user:me\"]", "allow = [\"user:me\", \"service:ci\"]")],
            &["`list` may be called by `service:ci`"],
        ),
        (
            &[("[component]", "[component]\nwasi = \"inert\"")],
            &["the component imports WASI, linked to stubs that do nothing"],
        ),
        (
            &[
                ("[tools.search]", &format!("{http}false\n[tools.search]")),
                (uses, "uses = [\"files.reports\", \"http.x\"]"),
            ],
            &[],
        ),
        (
            &[
                ("[tools.search]", &format!("{http}true\n[tools.search]")),
                (uses, "uses = [\"files.reports\", \"http.x\"]"),
            ],
            &["SIGNED EXCEPTION: `search` only reads, and yet may POST https://a.b/g"],
        ),
        (&[("access = \"read\"", "access = \"write\"")], &[]),
    ];
    for (edits, words) in cases {
        let new = edited(edits);
        let (there, back) = (between(BASE, &new), between(&new, BASE));
        assert_eq!(
            (lines(&there.added), lines(&there.taken)),
            (words.iter().map(|word| (*word).to_owned()).collect(), Vec::new()),
            "{edits:?}"
        );
        assert_eq!((lines(&back.added), lines(&back.taken)), (Vec::new(), lines(&there.added)), "{edits:?}");
    }
    // A class changes both ways; with it, what a grant is worth.
    let wide = BASE.replace("access = \"read\"", "access = \"write\"");
    let graver = between(&wide, &wide.replace(effect, write));
    assert_eq!(
        lines(&graver.added),
        [
            "`search` changes files of the root `reports`",
            "`search` runs as write",
            "`search` waits for a confirmation by the client"
        ]
    );
    assert_eq!(lines(&graver.taken), ["`search` runs as read"]);
    let off = between(BASE, &BASE.replace("effect = \"read\"\nuses", "effect = \"read\"\nstage = \"off\"\nuses"));
    assert_eq!((lines(&off.added), lines(&off.taken)), (Vec::new(), vec!["`search` is served".to_owned()]));
    let bound = between(BASE, &BASE.replace("[component]", "deployment = \"prod\"\n[component]"));
    assert_eq!(
        (lines(&bound.added), lines(&bound.taken)),
        (vec!["holds in the deployment `prod`".to_owned()], vec!["holds in every deployment".to_owned()])
    );
}

/// From each stage to the next only something is added, and back only taken; the same with rates, of which none is any.
#[test]
fn a_wider_stage_and_a_higher_rate_are_added_and_narrower_ones_taken_away() {
    let with = |terms: &str| BASE.replace("effect = \"read\"\nuses", &format!("effect = \"read\"\n{terms}\nuses"));
    let pilots = |groups: &str| with(&format!("stage = \"pilot\"\npilot_groups = {groups}"));
    let rate = |rate: &str| with(&format!("rate = {{ {rate} }}"));
    let served = |group: &str| format!("`search` is served to the callers of group `{group}` whom `allow` names");
    let often = |rate: &str, by: &str| format!("`search` may be called {rate} by {by}");
    let any = |by: &str| format!("`search` may be called by {by} as often as the operator's file lets them");
    let (one, all) = ("one caller", "all callers together");
    for (narrow, wide, words) in [
        (with("stage = \"off\""), pilots("[\"a\"]"), vec![served("a")]),
        (pilots("[\"a\"]"), pilots("[\"b\", \"a\"]"), vec![served("b")]),
        (pilots("[\"a\"]"), with(""), vec!["`search` is served".to_owned()]),
        (rate("caller = \"10/min\""), rate("caller = \"20/min\""), vec![often("20/min", one)]),
        (rate("caller = \"1/s\""), rate("caller = \"60/min\""), vec![often("60/min", one)]),
        (rate("caller = \"10/min\""), with(""), vec![any(one)]),
        (rate("caller = \"1/s\", tool = \"5/s\""), rate("caller = \"1/s\""), vec![any(all)]),
        (rate("caller = \"1/s\", tool = \"5/s\""), rate("tool = \"6/s\""), vec![often("6/s", all), any(one)]),
    ] {
        let (there, back) = (between(&narrow, &wide), between(&wide, &narrow));
        assert_eq!((lines(&there.added), lines(&there.taken)), (words.clone(), Vec::new()), "{narrow}\n{wide}");
        assert_eq!((lines(&back.added), lines(&back.taken)), (Vec::new(), words), "{wide}\n{narrow}");
    }
    let first = super::diff(None, Side { manifest: &manifest(&rate("caller = \"10/min\"")), description: None });
    assert!(lines(&first.added).contains(&often("10/min", one)), "{first}");
    let other = between(&pilots("[\"a\"]"), &pilots("[\"b\"]"));
    assert_eq!((lines(&other.added), lines(&other.taken)), (vec![served("b")], vec![served("a")]));
}

/// A manifest with requests, a secret and a tool that writes.
const REACHING: &str = r#"format = 1
[plugin]
name = "github"
version = "1.4.0"
serial = 7
expires = 2027-06-30
owner = "me@example.com"
[component]
file = "github.wasm"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
contract_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[grants.http.read]
host = "api.github.com"
methods = ["GET"]
paths = ["/repos/{/owner}/"]
secret = "ro"
[grants.http.write]
host = "api.github.com"
methods = ["POST"]
paths = ["=/user/issues"]
secret = "ro"
[secrets.ro]
source = "file:ro"
inject = { header = "authorization", format = "Bearer {}" }
[tools.list]
effect = "write"
side_effects = "creates"
uses = ["http.read", "http.write"]
[tools.search]
effect = "read"
uses = ["http.read"]
"#;

#[test]
fn what_reaches_out_is_told_request_by_request_with_its_credential() {
    let (new, description) = (manifest(REACHING), description());
    let first = diff(None, Side { manifest: &new, description: Some(&description) });
    assert_eq!(
        lines(&first.added),
        [
            "the secret `ro` goes into the header `authorization` as \"Bearer {}\", from `file:ro`",
            "`list` may POST https://api.github.com/user/issues with the secret `ro`",
            "`list` may GET https://api.github.com/repos/{/owner}/… with the secret `ro`",
            "`search` may GET https://api.github.com/repos/{/owner}/… with the secret `ro`",
            "`list` runs as write",
            "`search` runs as read",
            "`list` waits for a confirmation by the client",
            "`list` is served",
            "`search` is served",
            "holds in every deployment",
        ]
    );
}

#[test]
fn every_key_of_a_grant_of_requests_changes_what_may_happen_and_its_name_does_not() {
    const READ: &str = "https://api.github.com/repos/{/owner}/… with the secret `ro`";
    const POST: &str = "`list` may POST https://api.github.com/user/issues with the secret `ro`";
    let get = |tool: &str, what: &str| format!("`{tool}` may GET {what}");
    let both = |what: &str| vec![get("list", what), get("search", what)];
    let posts = |what: &str| vec![format!("`list` may POST {what}")];
    let none = Vec::<String>::new;
    // What is edited (in the first place where it stands), what is added, what is taken away.
    for (from, to, added, taken) in [
        (
            "[\"GET\"]",
            "[\"GET\", \"HEAD\"]",
            both("").iter().map(|line| line.replace("GET ", "HEAD ") + READ).collect(),
            none(),
        ),
        (
            "[\"/repos/{/owner}/\"]",
            "[\"/repos/{/owner}/{/repo}/\"]",
            both("https://api.github.com/repos/{/owner}/{/repo}/… with the secret `ro`"),
            both(READ),
        ),
        ("host = \"api", "port = 8443\nhost = \"api", both(&READ.replace(".com", ".com:8443")), both(READ)),
        ("host = \"api.", "host = \"*.", both(&READ.replace("api", "*")), both(READ)),
        (
            "paths = [\"/repos/{/owner}/\"]\nsecret = \"ro\"",
            "paths = [\"/repos/{/owner}/\"]",
            both("https://api.github.com/repos/{/owner}/…"),
            both(READ),
        ),
        (
            "[\"=/user/issues\"]",
            "[\"/user/issues/\"]",
            posts("https://api.github.com/user/issues/… with the secret `ro`"),
            vec![POST.into()],
        ),
        (
            "secret = \"ro\"",
            "secret = \"ro\"\nprivate = [\"10.2.0.0/16\"]",
            ["list", "search"]
                .map(|tool| {
                    format!("`{tool}` reaches https://api.github.com in the network 10.2.0.0/16, which is not public")
                })
                .into(),
            none(),
        ),
        ("[\"=/user/issues\"]", "[\"=/user/issues\"]\nread_only = true", none(), none()),
        ("uses = [\"http.read\"]", "uses = [\"http.read\", \"http.write\"]", none(), none()),
    ] {
        let there = between(REACHING, &REACHING.replacen(from, to, 1));
        assert_eq!((lines(&there.added), lines(&there.taken)), (added, taken), "{to}");
        let back = between(&REACHING.replacen(from, to, 1), REACHING);
        assert_eq!((lines(&back.taken), lines(&back.added)), (lines(&there.added), lines(&there.taken)), "{to}");
    }
    let renamed = between(REACHING, &REACHING.replace("http.read", "http.reading"));
    assert!(renamed.added.is_empty() && renamed.taken.is_empty(), "{renamed}");
}

#[test]
fn a_script_reads_a_request_field_by_field() {
    let (new, description) = (manifest(REACHING), description());
    let first = diff(None, Side { manifest: &new, description: Some(&description) });
    let told = serde_json::to_value(&first.added[1]).unwrap();
    let request = serde_json::json!({
        "is": "write-requests",
        "tool": "list",
        "to": "https://api.github.com",
        "path": "=/user/issues",
        "method": "POST",
        "secret": "ro",
    });
    assert_eq!(told, request);
}

#[test]
fn what_several_tools_may_do_is_one_line() {
    let (new, description) = (manifest(REACHING), description());
    let first = diff(None, Side { manifest: &new, description: Some(&description) });
    let added = first.sections().remove(0).lines;
    assert_eq!(
        added,
        [
            "+ the secret `ro` goes into the header `authorization` as \"Bearer {}\", from `file:ro`",
            "+ `list` may POST https://api.github.com/user/issues with the secret `ro`",
            "+ each of `list`, `search` may GET https://api.github.com/repos/{/owner}/… with the secret `ro`",
            "+ `list` runs as write",
            "+ `search` runs as read",
            "+ `list` waits for a confirmation by the client",
            "+ each of `list`, `search` is served",
            "+ holds in every deployment",
        ]
    );
}

#[test]
fn exceptions_to_a_rule_are_told_first_and_apart() {
    let text = REACHING
        .replace("[\"=/user/issues\"]", "[\"=/user/issues\"]\nread_only = true")
        .replace("uses = [\"http.read\"]", "uses = [\"http.read\", \"http.write\"]")
        .replace("{ header = \"authorization\", format = \"Bearer {}\" }", "{ query = \"key\" }");
    let there = between(REACHING, &text);
    let first = there.sections().remove(0);
    assert_eq!((first.title, first.weight), ("exceptions to a rule: read these first", Weight::Grave));
    assert_eq!(
        first.lines,
        [
            "+ SIGNED EXCEPTION: `search` only reads, and yet may POST https://api.github.com/user/issues with the secret `ro`",
            "+ IN EVERY LOG ON THE WAY: the secret `ro` goes into the query parameter \"key\", from `file:ro`",
        ]
    );
    assert_eq!(there.added.len(), 2);
}

#[test]
fn a_secret_in_the_clear_is_an_exception_wherever_it_goes() {
    let oauth = "\n[secrets.ro.oauth]\ntoken_url = \"http://localhost:8080/t\"\nclient_id = \"me\"\n[tools.list]";
    for (text, to) in [
        (REACHING.replacen("[grants.http.read]", "[grants.http.read]\nscheme = \"http\"", 1), "http://api.github.com"),
        (REACHING.replacen("[tools.list]", oauth, 1), "http://localhost:8080/t"),
    ] {
        let first = between(REACHING, &text).sections().remove(0);
        assert_eq!((first.title, first.weight), ("exceptions to a rule: read these first", Weight::Grave));
        assert_eq!(
            first.lines,
            [format!("+ IN THE CLEAR: the secret `ro` goes to {to}, read by everybody on the way")]
        );
    }
}

#[test]
fn every_key_of_a_secret_is_told() {
    const SECRET: &str = "source = \"file:ro\"\ninject = { header = \"authorization\", format = \"Bearer {}\" }";
    const THERE: &str = "the secret `ro` goes into the header `authorization` as \"Bearer {}\", from `file:ro`";
    for (table, told) in [
        (SECRET.replace("file:ro", "env:RO"), THERE.replace("file:ro", "env:RO")),
        (SECRET.replace("authorization", "x-key"), THERE.replace("authorization", "x-key")),
        (SECRET.replace("Bearer", "token"), THERE.replace("Bearer", "token")),
        (
            SECRET.replace("{ header = \"authorization\", format = \"Bearer {}\" }", "{ basic = \"me\" }"),
            THERE.replace("Bearer {}", "Basic me:{}"),
        ),
        (
            format!(
                "{SECRET}\noauth = {{ token_url = \"https://a.test/t\", client_id = \"me\", scopes = [\"r\", \"w\"] }}"
            ),
            format!(
                "{THERE}, as tokens of https://a.test/t for the client \"me\", scopes [\"r\", \"w\"], audience any"
            ),
        ),
        (
            format!("{SECRET}\ngithub_app = {{ app = \"1\", installation = 2 }}"),
            format!("{THERE}, as tokens of https://api.github.com/ for the GitHub App \"1\", installation 2"),
        ),
    ] {
        let there = between(REACHING, &REACHING.replacen(SECRET, &table, 1));
        assert_eq!((lines(&there.added), lines(&there.taken)), (vec![told], vec![THERE.to_owned()]));
    }
    let words = format!("{SECRET}\nrotated_by = \"me\"\nevery = \"30d\"\nif_it_fails = \"nothing\"");
    let there = between(REACHING, &REACHING.replacen(SECRET, &words, 1));
    assert!(there.added.is_empty() && there.taken.is_empty(), "{there}");
    assert_eq!(
        lines(&there.rest),
        [
            "who rotates the secret `ro`: \"me\" instead of nothing",
            "how often the secret `ro` is rotated: 30d instead of nothing",
            "what fails without the secret `ro`: \"nothing\" instead of nothing",
        ]
    );
}

#[test]
fn a_bound_that_comes_only_takes_away_and_one_that_goes_only_adds() {
    let with = |terms: &str| format!("{REACHING}{terms}");
    for (wide, narrow, lost) in [
        ("", "only = { \"/owner\" = [\"acme\"] }\n", "`search` may be called with anything at `/owner`"),
        (
            "only = { \"/owner\" = [\"acme\", \"web-*\"] }\n",
            "only = { \"/owner\" = [\"acme\"] }\n",
            "`search` may be called with \"web-*\" at `/owner`",
        ),
        ("", "returns = { redact = [\"/a/*/b\"] }\n", "`search` returns `/a/*/b` as it is"),
        ("", "returns = { fields = [\"/a\"] }\n", "`search` returns every field of its structured answers"),
        (
            "returns = { fields = [\"/a\", \"/b\"] }\n",
            "returns = { fields = [\"/a\"] }\n",
            "`search` returns the field `/b`",
        ),
        ("", "returns = { content = \"snippet\" }\n", "`search` returns whole answers"),
        (
            "returns = { content = \"snippet\" }\n",
            "returns = { content = \"metadata\" }\n",
            "`search` returns the beginning of its answers",
        ),
    ] {
        let narrowed = between(&with(wide), &with(narrow));
        assert_eq!((lines(&narrowed.added), lines(&narrowed.taken)), (Vec::new(), vec![lost.to_owned()]), "{narrow}");
        let widened = between(&with(narrow), &with(wide));
        assert_eq!((lines(&widened.added), lines(&widened.taken)), (vec![lost.to_owned()], Vec::new()), "{narrow}");
    }
    let max = between(REACHING, &with("returns = { max = \"16KiB\" }\nresources = [\"/owner\"]\n"));
    assert_eq!(lines(&max.limits), ["- returns.max 16KiB instead of 256KiB: `search`"]);
    assert_eq!(
        lines(&max.rest),
        ["what the audit log keeps of the arguments of `search`: [\"/owner\"] instead of nothing"]
    );
}

#[test]
fn a_confirmation_that_goes_is_added_and_told() {
    let confirmed = REACHING.replace("side_effects", "confirm = \"operator\"\nside_effects");
    let not = REACHING.replace("side_effects", "confirm = \"none\"\nside_effects");
    let gone = between(&confirmed, &not);
    assert_eq!(lines(&gone.added), ["`list` writes without a confirmation"]);
    assert_eq!(lines(&gone.taken), ["`list` waits for a confirmation by the operator"]);
}

#[test]
fn another_root_under_the_same_name_of_a_grant_is_added_and_another_name_for_the_same_is_not() {
    let moved = between(BASE, &edited(&[("root = \"reports\"", "root = \"secrets\"")]));
    assert_eq!(lines(&moved.added), ["`search` reads files of the root `secrets`"]);
    assert_eq!(lines(&moved.taken), ["`search` reads files of the root `reports`"]);
    let renamed = between(BASE, &BASE.replace("files.reports", "files.papers"));
    assert!(renamed.added.is_empty() && renamed.taken.is_empty(), "{renamed}");
    assert_eq!(lines(&renamed.rest), ["names of grants: [\"files.papers\"] instead of [\"files.reports\"]"]);
}

#[test]
fn a_first_manifest_is_added_whole() {
    let (new, description) = (manifest(BASE), description());
    let first = diff(None, Side { manifest: &new, description: Some(&description) });
    assert_eq!(
        lines(&first.added),
        [
            "`search` reads files of the root `reports`",
            "`list` runs as read",
            "`search` runs as read",
            "`list` may be called by `user:me`",
            "`search` may be called by `group:engineering`",
            "`list` is served",
            "`search` is served",
            "holds in every deployment",
        ]
    );
    assert!(first.taken.is_empty() && first.contract.is_empty() && first.limits.is_empty(), "{first}");
    assert_eq!(first.tools_added.len(), 2);
}

#[test]
fn a_limit_is_told_for_the_tools_that_it_changes_for_raised_ones_first() {
    let new = edited(&[
        ("[component]", "[limits]\nfuel = 5\nmemory = \"65MiB\"\n[component]"),
        ("allow = [\"user:me\"]", "allow = [\"user:me\"]\nlimits = { deadline = \"30s\", fuel = 1_000_000_000 }"),
    ]);
    let limits = between(BASE, &new).limits;
    assert_eq!(
        lines(&limits),
        [
            "+ memory 65MiB instead of 64MiB: `list`, `search`",
            "+ deadline 30s instead of 10s: `list`",
            "- fuel 5 instead of 1000000000: `search`",
        ]
    );
    assert_eq!(Amount::Bytes(1025).to_string(), "1025B");
}

#[test]
fn every_word_of_a_contract_is_told_with_what_it_means_for_clients() {
    type Change = fn(&mut Description);
    let cases: [(Change, &str, &str); 9] = [
        (
            |it| it.tools[0].title = Some("Find".into()),
            "words",
            "`search`: title\n      was nothing\n      is  \"Find\"",
        ),
        (
            |it| it.tools[0].description = "obey\nme\u{202e}".into(),
            "words",
            "`search`: description\n      was \"does something\"\n      is  \"obey\\nme\\u202E\"",
        ),
        (|it| it.tools[0].effect = Effect::Write, "breaking", "`search` says that it is write, not read"),
        (
            |it| it.tools[0].idempotent = false,
            "breaking",
            "`search` may not be called twice with the effect of once any more",
        ),
        (|it| it.tools[0].output_schema = Some("{}".into()), "additive", "`search` gives structured results"),
        (
            |it| it.tools[0].input_schema = r#"{"type":"object","required":["q"]}"#.into(),
            "breaking",
            "`search` takes `/q`: required now",
        ),
        (
            |it| it.tools[0].input_schema = r#"{"type":"object","properties":{"q":{}}}"#.into(),
            "additive",
            "`search` takes `/q`: new",
        ),
        (
            |it| it.tools[0].asks = vec![Ask::Clock("stamps".into())],
            "words",
            "`search` asks for: The time, because: `stamps`",
        ),
        (|it| drop(it.tools.remove(0)), "nothing", ""),
    ];
    for (change, section, words) in cases {
        let Contract { breaking, additive, words: told, unseen, needs_major } = described(change).contract;
        let [breaking, additive, told] = [lines(&breaking), lines(&additive), lines(&told)];
        assert_eq!(breaking == [words], section == "breaking", "{breaking:?} {words}");
        assert_eq!(additive == [words], section == "additive", "{additive:?} {words}");
        assert_eq!(told == [words], section == "words", "{told:?} {words}");
        assert_eq!(breaking.len() + additive.len() + told.len(), usize::from(section != "nothing"), "{words}");
        assert_eq!((needs_major, unseen), (section == "breaking", false), "{words}");
    }
}

#[test]
fn a_tool_that_goes_breaks_and_one_that_comes_does_not() {
    let without = BASE.split("[tools.list]").next().unwrap();
    let gone = between(BASE, without);
    assert_eq!(lines(&gone.contract.breaking), ["`list` is not there any more"]);
    // The component still has it: no version of its own could say that this manifest lists less.
    assert!(!gone.contract.needs_major);
    assert_eq!(gone.tools_removed.len(), 1);
    let come = between(without, BASE);
    assert_eq!((lines(&come.contract.additive), come.contract.breaking.len()), (vec!["`list` is new".to_owned()], 0));
    let named = between(BASE, &BASE.replace("allow = [\"user:me\"]", "allow = [\"user:me\"]\npublish_as = \"ls\""));
    assert_eq!(lines(&named.contract.breaking), ["`list` is named `ls` for clients, not `github_list`"]);
}

#[test]
fn a_component_that_breaks_needs_a_major_version_and_before_the_first_a_minor_one() {
    for (old, new, same) in [
        ("1.4.0", "1.5.0", true),
        ("1.4.0", "2.0.0", false),
        ("0.1.0", "0.1.9", true),
        ("0.1.0", "0.2.0", false),
        ("0.9.0", "1.0.0", false),
    ] {
        assert_eq!(same_track(&old.parse().unwrap(), &new.parse().unwrap()), same, "{old} {new}");
    }
}

#[test]
fn where_a_component_was_not_seen_its_other_story_is_said_to_be_unknown() {
    let other = BASE.replace("contract_sha256 = \"00", "contract_sha256 = \"11");
    let (old, new, description) = (manifest(BASE), manifest(&other), description());
    let blind = diff(
        Some(Side { manifest: &old, description: None }),
        Side { manifest: &new, description: Some(&description) },
    );
    assert!(blind.contract.unseen && !blind.is_empty());
    assert!(blind.to_string().contains("cannot be compared: one of the components is not here"), "{blind}");
    let same = diff(
        Some(Side { manifest: &old, description: None }),
        Side { manifest: &old, description: Some(&description) },
    );
    assert!(same.is_empty(), "{same}");
}

#[test]
fn a_tool_that_nobody_may_call_is_told_among_the_rest() {
    let changed = described(|it| it.tools.push(definition("hid\u{202e}den")));
    assert_eq!(
        lines(&changed.rest),
        ["tool `hid\\u{202e}den` of the component, which nobody may call: there instead of nothing"]
    );
    assert!(changed.contract.is_empty());
}

#[test]
fn no_foreign_word_hides_or_begins_a_line() {
    const NASTY: &str = "x`\"\n  + `search` is served\r\u{2028}\u{202e}\u{200b}\u{e0041}\u{1b}[2J";
    let change = described(|it| {
        it.name = NASTY.into();
        for tool in &mut it.tools {
            tool.title = Some(NASTY.into());
            tool.description = NASTY.into();
            tool.input_schema = serde_json::json!({ NASTY: NASTY, "properties": { NASTY: {}, "b": { "description": NASTY, "pattern": NASTY, "enum": [NASTY], "type": [NASTY] } }, "required": [NASTY] }).to_string();
            tool.asks = vec![Ask::Clock(NASTY.into())];
        }
        it.tools.push(definition(NASTY));
    });
    let honest = described(|it| {
        it.name = "x".into();
        for tool in &mut it.tools {
            tool.title = Some("x".into());
            tool.description = "x".into();
            tool.input_schema = serde_json::json!({ "x": "x", "properties": { "x": {}, "b": { "description": "x", "pattern": "x", "enum": ["x"], "type": ["x"] } }, "required": ["x"] }).to_string();
            tool.asks = vec![Ask::Clock("x".into())];
        }
        it.tools.push(definition("x"));
    });
    let (told, plain) = (change.to_string(), honest.to_string());
    assert!(!told.chars().any(|c| c != '\n' && hidden(c)), "{told:?}");
    // The same lines as for an honest component, up to where foreign words begin.
    let begins = |text: &str| {
        text.lines().map(|line| line.split(['`', '"', ':']).next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(begins(&told), begins(&plain));
}
