//! The first-party plugin `fetch` through a real host, over TLS: pages of hosts that the manifest lists, and of no other.

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::Home,
    outside::Outside,
    serving::Serving,
    web::{Answer, Seen, Step, Web},
};

const PAGE: &str = "<!doctype html><title>The guide</title><h1>Guide</h1><p>Read <a href=\"/more\">more</a>.</p><script>never()</script>";

fn answer(seen: &Seen) -> Answer {
    match (seen.host.as_str(), seen.path()) {
        ("en.docs.example.com", "/guide") => Answer::bytes(200, "text/html; charset=utf-8", PAGE),
        ("en.docs.example.com", "/old") => {
            Answer::status(301).header("location", "https://doc.rust-lang.org/stable/new")
        }
        ("en.docs.example.com", "/away") => Answer::status(302).header("location", "https://evil.example.com/x"),
        ("en.docs.example.com", "/inside") => Answer::status(302).header("location", "https://127.0.0.1/x"),
        ("en.docs.example.com", "/latin") => Answer::bytes(200, "text/plain; charset=iso-8859-1", b"gr\xfcn".to_vec()),
        ("en.docs.example.com", "/large") => Answer::bytes(200, "text/plain", "0123456789".repeat(20_000)),
        ("en.docs.example.com", "/endless") => (0..6)
            .fold(Answer::status(200).header("content-type", "text/plain"), |answer, _| {
                answer.step(Step::Bytes(vec![b'x'; 1 << 20]))
            }),
        ("en.docs.example.com", "/deep") => {
            Answer::bytes(200, "text/html", format!("{}in the depth", "<div>".repeat(2_000)))
        }
        // What parses HTML looks through all open elements for each new one.
        ("en.docs.example.com", "/abyss") => Answer::bytes(200, "text/html", "<div>".repeat(100_000)),
        ("en.docs.example.com", "/manual") => Answer::bytes(200, "text/html", manual()),
        ("en.docs.example.com", "/picture") => Answer::bytes(200, "image/png", vec![0_u8; 64]),
        ("doc.rust-lang.org", "/stable/new") => Answer::bytes(200, "text/markdown", "# New"),
        _ => Answer::bytes(404, "text/html", "<h1>Not here</h1>"),
    }
}

/// A page of some 260 KB, as manuals are made.
fn manual() -> String {
    let section = "<section class=\"part\" id=\"s\"><h2>Part</h2><p>Some <em>words</em> with <a href=\"/a/b?c=d\">a link</a>, <code>code</code> &amp; more.</p>\
                   <ul><li>one</li><li>two <b>bold</b></li></ul><pre><code>let a = 1;\nlet b = 2;</code></pre>\
                   <table><tr><th>key</th><th>value</th></tr><tr><td>a</td><td>1</td></tr></table></section>\n";
    format!("<!doctype html><title>Manual</title><body>{}</body>", section.repeat(800))
}

struct Fetch {
    outside: Outside,
    home: Home,
    serving: Serving,
}

impl Fetch {
    fn new() -> Self {
        let names = ["en.docs.example.com", "doc.rust-lang.org", "evil.example.com"];
        let outside = Outside::new(Web::start(&names, answer));
        let home = outside.home(&[]);
        outside.install(&home, "fetch", &guests::fetch(), &[]);
        let serving = home.serve();
        Self { outside, home, serving }
    }

    fn call(&self, arguments: Value) -> Value {
        self.serving.mcp().call("fetch_fetch", arguments)["result"].clone()
    }

    fn read(&self, url: &str) -> Value {
        let answer = self.call(json!({ "url": url }));
        assert_eq!(answer["isError"], json!(false), "{answer}");
        answer["structuredContent"].clone()
    }

    fn failed(&self, url: &str) -> String {
        let answer = self.call(json!({ "url": url }));
        assert_eq!(answer["isError"], json!(true), "{answer}");
        answer.to_string()
    }
}

#[test]
fn pages_are_read_as_markdown_through_redirects_and_in_parts() {
    let fetch = Fetch::new();
    let page = fetch.read("https://en.docs.example.com/guide?x=1#part");
    assert_eq!(
        (&page["title"], &page["text"]),
        (&json!("The guide"), &json!("# Guide\n\nRead [more](https://en.docs.example.com/more)."))
    );
    let moved = fetch.read("https://en.docs.example.com/old");
    assert_eq!((&moved["url"], &moved["text"]), (&json!("https://doc.rust-lang.org/stable/new"), &json!("# New")));
    assert_eq!(moved["redirected_from"], json!(["https://en.docs.example.com/old"]));
    assert_eq!(fetch.read("https://en.docs.example.com/latin")["text"], json!("grün"));
    assert_eq!(fetch.read("https://en.docs.example.com/deep")["text"], json!("in the depth"));

    let (mut joined, mut offset) = (String::new(), json!(0));
    while offset.is_number() {
        let answer =
            fetch.call(json!({ "url": "https://en.docs.example.com/large", "offset": offset, "length": 90_000 }));
        assert_eq!(answer["isError"], json!(false), "{answer}");
        joined.push_str(answer["structuredContent"]["text"].as_str().unwrap());
        offset = answer["structuredContent"]["next_offset"].clone();
    }
    assert_eq!(joined, "0123456789".repeat(20_000));
    for seen in fetch.outside.web.seen() {
        assert_eq!((seen.method.as_str(), seen.header("authorization"), seen.header("cookie")), ("GET", None, None));
    }
}

#[test]
fn what_is_not_granted_is_not_reached_even_through_a_redirect() {
    let fetch = Fetch::new();
    let away = fetch.failed("https://en.docs.example.com/away");
    assert!(away.contains("to which `https://en.docs.example.com/away` redirects, is not granted"), "{away}");
    fetch.failed("https://en.docs.example.com/inside");
    for url in [
        "https://evil.example.com/",
        "https://docs.example.com/",
        "https://doc.rust-lang.org/nightly/",
        "https://doc.rust-lang.org/stable/../nightly/",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://en.docs.example.com.evil.example.com/",
    ] {
        fetch.failed(url);
    }
    let hosts: Vec<_> = fetch.outside.web.seen().iter().map(|seen| seen.host.clone()).collect();
    assert_eq!(hosts, ["en.docs.example.com", "en.docs.example.com"]);
    assert!(fetch.outside.names.asked().iter().all(|name| name.trim_end_matches('.') == "en.docs.example.com"));
}

#[test]
fn pages_that_cannot_be_shown_are_failures_that_say_why() {
    let fetch = Fetch::new();
    for (path, words) in
        [("/picture", "`image/png`"), ("/nothing", "status 404"), ("/endless", "more than 4194304 bytes")]
    {
        let failed = fetch.failed(&format!("https://en.docs.example.com{path}"));
        assert!(failed.contains(words), "{path}: {failed}");
    }
}

#[test]
fn a_large_manual_is_read_within_the_recommended_limits_and_a_hostile_page_ends_alone() {
    let fetch = Fetch::new();
    let size = manual().len();
    for format in ["markdown", "text", "raw"] {
        let answer = fetch.call(json!({ "url": "https://en.docs.example.com/manual", "format": format }));
        assert_eq!(answer["isError"], json!(false), "{answer}");
        let record = fetch.home.journal().pop().unwrap();
        // shown with `--nocapture`; fuel is the same on every machine
        println!("{format} of {size} bytes: {}", record["unmapped"]["cost"]);
    }
    let ended = fetch.failed("https://en.docs.example.com/abyss");
    assert!(ended.contains("used up its fuel"), "{ended}");
    let raw = fetch.call(json!({ "url": "https://en.docs.example.com/abyss", "format": "raw" }));
    assert_eq!(raw["structuredContent"]["total"], json!(500_000), "{raw}");
    assert_eq!(fetch.read("https://en.docs.example.com/guide")["title"], json!("The guide"));
}

#[test]
fn the_record_says_what_was_read_and_where_and_nothing_of_the_page() {
    let fetch = Fetch::new();
    fetch.read("https://en.docs.example.com/guide");
    let text = json!(fetch.home.journal()).to_string();
    assert!(text.contains("https://en.docs.example.com/guide"), "{text}");
    assert!(!text.contains("Read [more]") && !text.contains("The guide"), "{text}");
}
