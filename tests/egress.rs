//! Requests leave for where the manifest says, and for nowhere else, whatever a guest asks for and whatever its arguments hold.

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin},
    outside::Outside,
    serving::Serving,
    web::{Answer, Web},
};

const SECRET: &str = "wk-test-credential-0123456789";

struct Reaches {
    outside: Outside,
    home: Home,
    serving: Serving,
}

/// One repository by the arguments, with a credential; what is written there; and one exact path that is signed as an exception.
fn manifest(port: u16) -> (String, String) {
    let grants = format!(
        r#"[grants.http.repo]
host = "api.example.com"
port = {port}
methods = ["GET", "HEAD"]
paths = ["/repos/{{/owner}}/{{/repo}}/"]
secret = "token"
private = ["127.0.0.0/8"]
[grants.http.issues]
host = "api.example.com"
port = {port}
methods = ["POST"]
paths = ["=/repos/{{/owner}}/{{/repo}}/issues"]
private = ["127.0.0.0/8"]
[grants.http.search]
host = "api.example.com"
port = {port}
methods = ["POST"]
paths = ["=/graphql"]
read_only = true
private = ["127.0.0.0/8"]
[grants.http.public]
host = "public.example.com"
port = {port}
methods = ["GET"]
paths = ["/"]
[secrets.token]
source = "file:token"
inject = {{ header = "authorization", format = "Bearer {{}}" }}
"#
    );
    let tools =
        "[tools.look]\neffect = \"read\"\nuses = [\"http.repo\", \"http.issues\", \"http.search\", \"http.public\"]\n\
        allow = [\"group:tests\"]\n"
            .to_owned();
    (grants, tools)
}

impl Reaches {
    fn new() -> Self {
        let web = Web::start(&["api.example.com", "public.example.com"], |seen| match seen.path() {
            "/repos/acme/web/moved" => {
                Answer::status(302).header("location", "https://api.example.com/repos/acme/other/")
            }
            _ => Answer::bytes(200, "text/plain", format!("{} {}", seen.method, seen.target)),
        });
        let outside = Outside::new(web);
        let home = outside.home(&[("token", SECRET)]);
        let (grants, tools) = manifest(outside.web.address.port());
        let component = guests::path("reaches");
        let mut plugin = Plugin::granted("reaches", &component, &[], &grants);
        plugin.tools = tools;
        home.install(&plugin);
        let serving = home.serve();
        Self { outside, home, serving }
    }

    fn look_at(&self, owner: &str, repo: &str, requests: &[Value]) -> Vec<String> {
        let arguments = json!({ "owner": owner, "repo": repo, "requests": requests });
        let answer = self.serving.mcp().call("reaches_look", arguments);
        let came = answer["result"]["structuredContent"]["to"].as_array().unwrap_or_else(|| panic!("{answer}"));
        came.iter().map(|came| came.as_str().unwrap().to_owned()).collect()
    }

    fn look(&self, requests: &[Value]) -> Vec<String> {
        self.look_at("acme", "web", requests)
    }
}

fn get(path: &str) -> Value {
    json!({ "host": "api.example.com", "path": path })
}

#[test]
fn a_guest_reaches_the_repository_of_the_arguments_and_no_other_whatever_they_hold() {
    let reaches = Reaches::new();
    let came = reaches.look(&[
        get("/repos/acme/web/issues"),
        json!({ "host": "API.EXAMPLE.COM.", "path": "/repos/%61cme/web/", "query": [["q", "a b&c"]], "secret": "token" }),
    ]);
    assert_eq!(came, ["200 GET /repos/acme/web/issues", "200 GET /repos/acme/web/?q=a%20b%26c"]);
    let seen = reaches.outside.web.seen();
    assert_eq!(seen[0].header("authorization"), None, "without a handle it goes without");
    assert_eq!(seen[1].header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
    assert_eq!(seen[0].connection, seen[1].connection, "one connection");

    let before = reaches.outside.web.seen().len();
    let paths = [
        "/repos/acme/other/",
        "/repos/evil/web/",
        "/repos/acme/web",
        "/repos/acme/webs/",
        "/repos/acme/web/../other/",
        "/repos/acme/web/%2e%2e/other/",
        "/repos/acme/web/%252e%252e/other/",
        "/repos/acme/web/..;/other/",
        "/repos/acme/web/..%2fother/",
        "/repos/acme/web/\\..\\other",
        "/repos//acme/web/",
        "//api.example.com/repos/acme/web/",
        "https://api.example.com/repos/acme/web/",
        "https://evil.example.com/repos/acme/web/",
        "/repos/acme/web/\r\nhost: evil.example.com",
        "/repos/acme/web/?x=/repos/acme/other/",
        "/repos/acme/web/#x",
        "repos/acme/web/",
        "/",
        "",
    ];
    let came = reaches.look(&paths.map(get));
    assert!(came.iter().all(|came| came == "denied" || came == "invalid-request"), "{came:?}");
    for (owner, repo) in [
        ("acme", ".."),
        ("acme/web/..", "other"),
        ("..", ".."),
        (".", "web"),
        ("", "web"),
        ("acme", "web%2f..%2fother"),
        ("acme", "%2e%2e"),
        ("acme", "..;x"),
        ("acme", "web\\..\\other"),
        ("acme", "web\u{0}"),
        ("*", "*"),
        ("{/owner}", "{/repo}"),
    ] {
        let came = reaches.look_at(owner, repo, &[get("/repos/acme/other/"), get("/repos/acme/web/"), get("/repos/")]);
        assert!(came.iter().all(|came| came == "denied" || came == "invalid-request"), "{owner} {repo}: {came:?}");
    }
    assert_eq!(reaches.outside.web.seen().len(), before, "nothing of it arrived");
    // and what an argument holds is one segment, encoded once
    let came = reaches.look_at("a b", "w?b#x&y", &[get("/repos/a%20b/w%3Fb%23x%26y/z"), get("/repos/a%20b/w")]);
    assert_eq!(came, ["200 GET /repos/a%20b/w%3Fb%23x%26y/z", "denied"]);
}

#[test]
fn no_host_is_another_by_the_way_it_is_written_and_no_name_leads_inside() {
    let reaches = Reaches::new();
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "017700000001",
        "0",
        "localhost",
        "localhost.",
        "[::1]",
        "::1",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "①②⑦.0.0.1",
        "api.example.com:443",
        "api.example.com@evil.example.com",
        "user:pass@api.example.com",
        "api.example.com/",
        "api.example.com\\@evil.example.com",
        "api.example.com#",
        "https://api.example.com",
        "api.example.com%00.evil.example.com",
        "evil.example.com",
        "api.example.com.evil.example.com",
        "apiexample.com",
        "xapi.example.com",
        "",
    ];
    let requests: Vec<Value> = hosts.iter().map(|host| json!({ "host": host, "path": "/repos/acme/web/" })).collect();
    let came = reaches.look(&requests);
    for (host, came) in hosts.iter().zip(&came) {
        assert!(came == "denied" || came == "invalid-request", "{host}: {came}");
    }
    // granted, and leads to this machine with one key of two
    assert_eq!(reaches.look(&[json!({ "host": "public.example.com", "path": "/" })]), ["denied"]);
    assert!(reaches.outside.web.seen().is_empty());
    assert_eq!(
        reaches.look(&[json!({ "host": "ＡＰＩ。example。com", "path": "/repos/acme/web/" })]),
        ["200 GET /repos/acme/web/"]
    );
    reaches.serving.terminate();
    let journal = reaches.home.journal();
    let notes: String = journal.iter().map(|line| line["unmapped"]["notes"].to_string()).collect();
    assert!(notes.contains("`public.example.com` leads to 127.0.0.1, which is loopback"), "{notes}");
    let shown = String::from_utf8(reaches.home.run(&["audit", "tail"]).stdout).unwrap();
    assert!(shown.contains("denied http: GET 127.1/repos/acme/web/"), "{shown}");
}

#[test]
fn a_reading_tool_cannot_post_and_no_header_makes_it() {
    let reaches = Reaches::new();
    let issues = "/repos/acme/web/issues";
    let with =
        |method: &str, path: &str| json!({ "method": method, "host": "api.example.com", "path": path, "body": "x" });
    let mut requests: Vec<Value> =
        ["POST", "PUT", "PATCH", "DELETE"].iter().map(|method| with(method, issues)).collect();
    for name in [
        "x-http-method-override",
        "X_HTTP_Method_Override",
        "x-method-override",
        "x-http-method",
        "host",
        "Host",
        "authorization",
        "cookie",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "x-original-url",
        "x-rewrite-url",
        "x_forwarded_host",
        "proxy-authorization",
        "a\r\nb",
    ] {
        requests.push(json!({ "host": "api.example.com", "path": issues, "headers": [[name, "POST"]] }));
    }
    requests.push(
        json!({ "host": "api.example.com", "path": issues, "headers": [["x-a", "b\r\nx-http-method-override: POST"]] }),
    );
    requests.push(json!({ "host": "api.example.com", "path": issues, "headers": [["x-a", "b"], ["x_a", "c"]] }));
    requests.push(json!({ "host": "api.example.com", "path": issues, "query": [["_method", "DELETE"]] }));
    requests.push(
        json!({ "host": "api.example.com", "path": issues, "secret": "token", "headers": [["range", "bytes=0-3"]] }),
    );
    requests.push(json!({ "host": "public.example.com", "path": "/", "secret": "token" }));
    requests.push(
        json!({ "method": "POST", "host": "api.example.com", "path": "/graphql", "secret": "token", "body": "{}" }),
    );
    let count = requests.len();
    for part in requests.chunks(8) {
        let came = reaches.look(part);
        assert!(came.iter().all(|came| came == "denied" || came == "invalid-request"), "{came:?}");
    }
    assert!(count > 20 && reaches.outside.web.seen().is_empty());
    let exception = json!({ "method": "POST", "host": "api.example.com", "path": "/graphql", "body": "{}" });
    assert_eq!(reaches.look(&[exception]), ["200 POST /graphql"], "the signed exception");
    assert_eq!(reaches.look(&[get("/repos/acme/web/moved")]), ["302 "], "shown, not followed");
    let seen = reaches.outside.web.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn a_calls_requests_stand_in_the_record_by_host_and_without_contents() {
    let reaches = Reaches::new();
    let ask = json!({ "host": "api.example.com", "path": "/repos/acme/web/x", "query": [["q", "what-people-typed"]], "secret": "token" });
    let came = reaches.look(&[ask, get("/repos/acme/web/y")]);
    assert!(came.iter().all(|came| came.starts_with("200")), "{came:?}");
    reaches.serving.terminate();
    let journal = reaches.home.journal();
    let text: String = journal.iter().map(ToString::to_string).collect();
    assert!(!text.contains(SECRET) && !text.contains("what-people-typed"));
    let outcome = journal.iter().rfind(|line| line["unmapped"]["phase"] == "outcome").expect("an outcome");
    let egress = &outcome["unmapped"]["egress"][0];
    let host = format!("api.example.com:{}", reaches.outside.web.address.port());
    assert_eq!((&egress["host"], &egress["requests"]), (&json!(host), &json!(2)), "{outcome}");
    assert!(egress["bytes_in"].as_u64() > Some(40), "{egress}");
}

#[test]
fn the_same_answer_costs_the_same_fuel() {
    let reaches = Reaches::new();
    for _ in 0..4 {
        reaches.look(&[get("/repos/acme/web/x"), get("/repos/acme/web/y")]);
    }
    reaches.serving.terminate();
    let journal = reaches.home.journal();
    let fuel: Vec<u64> = journal
        .iter()
        .filter(|line| line["unmapped"]["phase"] == "outcome")
        .map(|line| line["unmapped"]["cost"]["fuel"].as_u64().unwrap_or_else(|| panic!("{line}")))
        .collect();
    assert!(fuel.len() == 4 && fuel.iter().all(|one| *one == fuel[0]), "{fuel:?}");
}
