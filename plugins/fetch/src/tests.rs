use serde_json::{Value, json};
use wardkeep_sdk::{
    Failure,
    fake::{self, Asked, Fakes, Response},
    http::Error,
    raw::{Completion, Content},
};

use super::plugin;

fn call(arguments: Value) -> Result<(Value, String), Failure> {
    let Completion { content, structured, .. } = fake::call(&plugin(), "fetch", &arguments)?;
    let [Content::Text(text)] = &content[..] else { panic!("one text, not {content:?}") };
    Ok((serde_json::from_str(&structured.unwrap()).unwrap(), text.clone()))
}

fn html(body: &str) -> Fakes {
    let page = body.to_owned();
    Fakes::new().http(move |_| Response::bytes(200, "text/html; charset=utf-8", page.clone()))
}

const PAGE: &str = r#"<!doctype html><html><head><title> The
  <b>guide</b> </title><style>p { color: red }</style><script>alert("never")</script></head><body>
<nav><a href="/start">Start</a></nav>
<h1>Guide &amp; more</h1>
<p>Read <a href="../more?x=1#y">more</a> or <a href="javascript:alert(1)">less</a>, <em>please</em>.<br>Second line.</p>
<script>var never = 1;</script><noscript>never</noscript><p hidden>never</p><!-- never -->
<ul><li>one<li>two <code>x_y</code></ul>
<pre><code>let a  = 1;
let b;</code></pre>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
<img src="pic.png" alt="A picture"><img src="data:image/png;base64,AAAA" alt="inline">
<template><p>never</p></template><svg><title>never</title><text>never</text></svg>
</body></html>"#;

#[test]
fn a_page_is_told_as_markdown_with_absolute_links_and_without_what_nobody_reads() {
    let fakes = html(PAGE).install();
    let (part, text) = call(json!({ "url": "https://docs.example.com/a/guide?v=2&q=x%20y#part" })).unwrap();
    assert_eq!(
        (&part["url"], &part["title"]),
        (&json!("https://docs.example.com/a/guide?v=2&q=x%20y"), &json!("The <b>guide</b>"))
    );
    assert_eq!(
        (&part["status"], &part["content_type"], &part["offset"]),
        (&json!(200), &json!("text/html; charset=utf-8"), &json!(0))
    );
    assert_eq!((part["text"].as_str(), part.get("next_offset")), (Some(text.as_str()), None));
    for line in [
        "[Start](https://docs.example.com/start)",
        "# Guide & more",
        "Read [more](https://docs.example.com/more?x=1#y) or less, *please*.",
        "- one",
        "- two `x_y`",
        "let a  = 1;\nlet b;",
        "| 1",
        "![A picture](https://docs.example.com/a/pic.png)",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
    assert!(
        !text.contains("never") && !text.contains("color") && !text.contains("AAAA") && !text.contains("The <b>"),
        "{text}"
    );

    let asked = fakes.asked();
    let [Asked { host, path, query, body, secret, .. }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((host.as_str(), path.as_str()), ("docs.example.com", "/a/guide"));
    assert_eq!(query[..], [("v".into(), "2".into()), ("q".into(), "x y".into())]);
    assert_eq!((body, secret), (&None, &None));
}

#[test]
fn a_page_is_told_as_text_or_as_it_came() {
    let _fakes = html(PAGE).install();
    let (_, text) = call(json!({ "url": "https://docs.example.com/", "format": "text" })).unwrap();
    let expected = "Start\n\nGuide & more\n\nRead more or less, please.\nSecond line.\n\none\ntwo x_y\n\nlet a  = 1;\nlet b;\n\na\tb\n1\t2";
    assert_eq!(text, expected);
    let (part, text) = call(json!({ "url": "https://docs.example.com/", "format": "raw" })).unwrap();
    assert_eq!((text.as_str(), &part["total"]), (PAGE, &json!(PAGE.len())));
}

#[test]
fn a_base_of_the_page_is_heeded() {
    let _fakes = html("<head><base href='https://cdn.example.org/x/'></head><a href=y>z</a>").install();
    let (_, text) = call(json!({ "url": "https://docs.example.com/" })).unwrap();
    assert_eq!(text, "[z](https://cdn.example.org/x/y)");
}

#[test]
fn what_is_no_html_stays_as_it_is() {
    let _fakes = Fakes::new()
        .http(|asked| match asked.path.as_str() {
            "/json" => Response::json(200, &json!({ "a": [1, 2] })),
            "/md" => Response::bytes(200, "text/markdown", "# One\n<b>x</b>"),
            "/latin" => Response::bytes(200, "text/plain; charset=ISO-8859-1", b"gr\xfcn".to_vec()),
            "/none" => Response::status(204),
            _ => Response::bytes(200, "image/png", vec![0; 10]),
        })
        .install();
    let text = |path: &str| call(json!({ "url": format!("https://a.example{path}") })).map(|(_, text)| text);
    assert_eq!(text("/json").unwrap(), r#"{"a":[1,2]}"#);
    assert_eq!(text("/md").unwrap(), "# One\n<b>x</b>");
    assert_eq!(text("/latin").unwrap(), "grün");
    assert_eq!(text("/none").unwrap(), "[nothing to read from byte 0 of 0]");
    let told = "`https://a.example/pic` is `image/png` (10 bytes), which is no text: this tool shows text only";
    assert_eq!(text("/pic").unwrap_err(), Failure::invalid_arguments(told));
}

#[test]
fn a_long_page_comes_in_parts_that_join_to_the_whole() {
    let whole: String = (0..9_000).map(|number| format!("Zeile {number} ü\n")).collect();
    let page = whole.clone();
    let _fakes = Fakes::new().http(move |_| Response::text(200, page.clone())).install();
    let (first, text) = call(json!({ "url": "https://a.example/" })).unwrap();
    assert_eq!((&first["total"], first["text"].as_str().unwrap().len()), (&json!(whole.len()), 64 << 10));
    assert!(text.ends_with(&format!("[cut after byte 65536 of {}: go on with `offset` 65536]", whole.len())), "{text}");
    let (mut joined, mut offset) = (String::new(), json!(0));
    while offset.is_number() {
        let (part, _) = call(json!({ "url": "https://a.example/", "offset": offset, "length": 50_001 })).unwrap();
        joined.push_str(part["text"].as_str().unwrap());
        offset = part["next_offset"].clone();
    }
    assert!(joined == whole);
    let (past, text) = call(json!({ "url": "https://a.example/", "offset": 999_999 })).unwrap();
    assert_eq!((past["text"].as_str(), past.get("next_offset")), (Some(""), None));
    assert!(text.starts_with("[nothing to read"), "{text}");
}

#[test]
fn redirects_are_followed_one_request_at_a_time_and_told() {
    let fakes = Fakes::new()
        .http(|asked| match (asked.host.as_str(), asked.path.as_str()) {
            ("a.example", "/old") => Response::status(301).header("Location", "/newer?x=1"),
            ("a.example", "/newer") => Response::status(307).header("location", "https://b.example/newest#part"),
            ("b.example", "/newest") => Response::text(200, "here"),
            ("a.example", path) if path.starts_with("/round") => {
                Response::status(302).header("location", &format!("{path}x"))
            }
            ("a.example", "/away") => Response::status(303).header("location", "https://c.example/secret"),
            ("a.example", "/port") => Response::status(302).header("location", "https://a.example:8443/"),
            ("a.example", "/file") => Response::status(302).header("location", "file:///etc/passwd"),
            ("a.example", "/user") => Response::status(302).header("location", "https://me:pw@b.example/"),
            ("a.example", "/nowhere") => Response::status(302),
            _ => Response::error(Error::Denied("no grant for this host".into())),
        })
        .install();
    let (part, _) = call(json!({ "url": "https://a.example/old" })).unwrap();
    assert_eq!((&part["url"], &part["text"]), (&json!("https://b.example/newest"), &json!("here")));
    assert_eq!(part["redirected_from"], json!(["https://a.example/old", "https://a.example/newer?x=1"]));
    assert_eq!(
        fakes.asked().iter().map(|asked| asked.host.clone()).collect::<Vec<_>>(),
        ["a.example", "a.example", "b.example"]
    );

    let failed = |path: &str| call(json!({ "url": format!("https://a.example{path}") })).unwrap_err();
    let before = fakes.asked().len();
    assert!(
        matches!(failed("/round"), Failure::Upstream(told) if told.message.contains("the end of 5 redirects") && told.status == Some(302))
    );
    assert_eq!(fakes.asked().len() - before, 6);
    let away = "`https://c.example/secret`, to which `https://a.example/away` redirects, is not granted to this tool: no grant for this host";
    assert_eq!(failed("/away"), Failure::denied(away));
    for (path, words) in [
        ("/port", "the port 8443"),
        ("/file", "the scheme `file`"),
        ("/user", "a user or password"),
        ("/nowhere", "does not say where"),
    ] {
        assert!(
            matches!(failed(path), Failure::Upstream(told) if told.message.contains(words)),
            "{path}: {:?}",
            failed(path)
        );
    }
}

#[test]
fn urls_that_this_tool_does_not_read_are_refused_before_anything_is_sent() {
    let fakes = html("x").install();
    for (url, words) in [
        ("docs.example.com/x", "begin with `https://`"),
        ("ftp://a.example/", "the scheme `ftp`"),
        ("file:///etc/passwd", "the scheme `file`"),
        ("data:text/html,x", "the scheme `data`"),
        ("https://me@a.example/", "a user or password"),
        ("https://me:pw@a.example/", "a user or password"),
        ("https://a.example:8443/", "the port 8443"),
        ("http://a.example:443/", "the port 443"),
        ("https://a b/", "no URL"),
        ("https:///", "no URL"),
        ("", "no URL"),
    ] {
        let failed = call(json!({ "url": url })).unwrap_err();
        assert!(matches!(&failed, Failure::InvalidArguments(told) if told.contains(words)), "{url}: {failed:?}");
    }
    let long = format!("https://a.example/{}", "x".repeat(9_000));
    assert!(matches!(call(json!({ "url": long })), Err(Failure::InvalidArguments(_))));
    assert_eq!(fakes.asked(), []);
}

#[test]
fn hosts_and_paths_reach_the_host_in_one_spelling() {
    let fakes = html("x").install();
    for (url, host, path) in [
        ("HTTPS://DOCS.example.com:443/A", "docs.example.com", "/A"),
        ("https://bücher.example./ä b", "xn--bcher-kva.example", "/%C3%A4%20b"),
        ("https://0x7f.1/", "127.0.0.1", "/"),
        ("https://a.example/x/../y/./z", "a.example", "/y/z"),
        ("https://a.example/a|b^c{d}", "a.example", "/a%7Cb%5Ec%7Bd%7D"),
        ("https://a.example\\b", "a.example", "/b"),
    ] {
        call(json!({ "url": url })).unwrap();
        let asked = fakes.asked().pop().unwrap();
        assert_eq!((asked.host.as_str(), asked.path.as_str()), (host, path), "{url}");
    }
    let failed = call(json!({ "url": "https://a.example/a//b" })).unwrap_err();
    assert!(matches!(&failed, Failure::InvalidArguments(told) if told.contains("empty segment")), "{failed:?}");
}

#[test]
fn failures_of_the_other_side_are_told_with_their_status() {
    let _fakes = Fakes::new()
        .http(|asked| match asked.path.as_str() {
            "/slow" => Response::error(Error::Timeout),
            "/cut" => Response::text(200, "half of").breaks_off(),
            "/large" => Response::text(200, "x".repeat((4 << 20) + 1)),
            "/many" => Response::status(429).header("retry-after", "17"),
            "/away" => Response::status(503).header("retry-after", "60"),
            path => Response::text(path.trim_start_matches('/').parse().unwrap(), "the server's words"),
        })
        .install();
    let failed = |path: &str| call(json!({ "url": format!("https://a.example/{path}") })).unwrap_err();
    for status in [400, 401, 404, 410, 418, 500, 503] {
        let failed = failed(&status.to_string());
        assert!(
            matches!(&failed, Failure::Upstream(told) if told.status == Some(status) && !told.message.contains("words")),
            "{failed:?}"
        );
    }
    assert!(matches!(failed("slow"), Failure::Upstream(told) if told.message.contains("did not answer in time")));
    assert!(matches!(failed("cut"), Failure::Upstream(told) if told.message.contains("broke off")));
    assert!(matches!(failed("large"), Failure::Upstream(told) if told.message.contains("more than 4194304 bytes")));
    assert!(matches!(failed("many"), Failure::RateLimited(told) if told.after_seconds == Some(17)));
    assert!(matches!(failed("away"), Failure::RateLimited(told) if told.after_seconds == Some(60)));
}

#[test]
fn a_page_of_any_depth_is_read_and_keeps_its_words() {
    let deep = 50_000;
    for (open, close) in [
        ("<div>", "</div>"),
        ("<b>", "</b>"),
        ("<blockquote>", "</blockquote>"),
        ("<ul><li>", "</li></ul>"),
        ("<table><tr><td>", "</td></tr></table>"),
    ] {
        let page = format!("{}in the depth{}<p>after", open.repeat(deep / open.len()), close.repeat(deep / open.len()));
        let _fakes = html(&page).install();
        for format in ["markdown", "text"] {
            let (_, text) = call(json!({ "url": "https://a.example/", "format": format })).unwrap();
            assert!(text.contains("in the depth") && text.contains("after"), "{open}: {text}");
        }
    }
}

#[test]
fn the_audit_log_gets_the_page_without_its_query() {
    let _fakes = html("x").install();
    let touched = |url: &str| fake::call(&plugin(), "fetch", &json!({ "url": url })).unwrap().touched;
    assert_eq!(touched("https://a.example/page?token=xyz#part"), ["https://a.example/page"]);
    let long = touched(&format!("https://a.example/{}", "p".repeat(400)));
    assert_eq!(long.iter().map(String::len).collect::<Vec<_>>(), [256]);
}

#[test]
fn the_tool_has_both_schemas_and_asks_for_requests_only() {
    let [tool] = &plugin().describe().tools[..] else { panic!("one tool") };
    for schema in [Some(&tool.input_schema), tool.output_schema.as_ref()] {
        let schema: Value = serde_json::from_str(schema.unwrap()).unwrap();
        assert_eq!(schema["type"], "object", "{schema:#}");
    }
    assert_eq!(tool.asks.len(), 1);
}

#[test]
fn the_manifest_of_the_readme_is_read_without_a_fault() {
    let page = include_str!("../README.md");
    let block = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let manifest =
        wardkeep_policy::Manifest::parse("manifest.toml", block.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((manifest.name().as_str(), manifest.tools().len(), manifest.grants().len()), ("fetch", 1, 2));
    assert_eq!(plugin().describe().version, manifest.version().to_string());
}
