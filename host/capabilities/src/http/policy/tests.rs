use serde_json::{Value, json};
use wardkeep_policy::manifest::{Credential, SourceKey, SourceKind};

use super::*;

fn grant(name: &str, host: &str, methods: &[Method], paths: &[&str]) -> HttpGrant {
    HttpGrant {
        name: name.parse().unwrap(),
        scheme: Scheme::Https,
        host: host.parse().unwrap(),
        port: 443,
        methods: methods.to_vec(),
        paths: paths.iter().map(|path| path.parse().unwrap()).collect(),
        secret: None,
        read_only: false,
        private: Vec::new(),
    }
}

fn rule(grant: HttpGrant, reading: bool, arguments: &Value) -> HttpRule {
    let paths = grant.paths.iter().filter_map(|path| path.filled(arguments)).collect();
    HttpRule { grant: Arc::new(grant), reading, paths }
}

fn secret(name: &str, inject: Inject) -> Arc<SecretTerms> {
    Arc::new(SecretTerms {
        name: name.parse().unwrap(),
        source: SourceKey { kind: SourceKind::File, name: name.to_owned() },
        credential: Credential::Static,
        inject,
        rotated_by: None,
        every: None,
        if_it_fails: None,
    })
}

fn header(name: &str) -> Inject {
    Inject::Header { name: name.to_owned(), before: String::new(), after: String::new() }
}

/// One grant of each kind, at a tool that writes.
struct World {
    rules: Vec<HttpRule>,
    secrets: Vec<Arc<SecretTerms>>,
    private: Vec<IpNet>,
    cleartext_to_loopback: bool,
}

impl World {
    fn new(reading: bool) -> Self {
        use Method as M;
        let arguments = json!({"owner": "acme", "repo": "web"});
        let with = |secret: &str, grant| HttpGrant { secret: Some(secret.parse().unwrap()), ..grant };
        let repos = "/repos/{/owner}/{/repo}/";
        let grants = [
            with("ro", grant("a-read", "api.example.com", &[M::Get, M::Head], &[repos])),
            with("rw", grant("b-write", "api.example.com", &[M::Get, M::Post], &["=/repos/{/owner}/{/repo}/issues"])),
            HttpGrant { read_only: true, ..grant("c-graph", "api.example.com", &[M::Post], &["=/graphql"]) },
            grant("d-below", "*.pages.example", &[M::Get], &["/"]),
            HttpGrant {
                port: 8443,
                private: vec!["10.2.0.0/16".parse().unwrap()],
                ..grant("e-inner", "10.2.3.4", &[M::Get, M::Put], &["/"])
            },
            with("q", HttpGrant { scheme: Scheme::Http, port: 80, ..grant("f-clear", "localhost", &[M::Get], &["/"]) }),
            grant("g-missing", "missing.example.com", &[M::Get], &["/{/absent}/"]),
        ];
        Self {
            rules: grants.map(|grant| rule(grant, reading, &arguments)).into(),
            secrets: vec![
                secret("ro", header("x-api-key")),
                secret("rw", Inject::Basic { user: "u".into() }),
                secret("q", Inject::Query { name: "token".into() }),
            ],
            private: Vec::new(),
            cleartext_to_loopback: false,
        }
    }

    fn decide(&self, asked: &Asked<'_>) -> Result<Decision, Refusal> {
        let standing = Standing {
            rules: &self.rules,
            secrets: &self.secrets,
            private: &self.private,
            cleartext_to_loopback: self.cleartext_to_loopback,
            request_body: 10,
        };
        decide(asked, &standing)
    }

    /// The grant, or the name of the refusal.
    fn by(&self, asked: &Asked<'_>) -> String {
        match self.decide(asked) {
            Ok(decision) => decision.grant.name.to_string(),
            Err(refusal) => {
                let text = match refusal {
                    Refusal::Invalid(invalid) => format!("{invalid:?}"),
                    Refusal::Denied(denied) => format!("{denied:?}"),
                    Refusal::TooLarge(_) => "TooLarge".into(),
                };
                text.split([' ', '(', '{']).next().unwrap().to_owned()
            }
        }
    }
}

const GET: Asked<'_> = Asked {
    method: Method::Get,
    host: "api.example.com",
    path: "/repos/acme/web/issues",
    query: &[],
    headers: &[],
    secret: None,
    body: None,
};

fn named(name: &str) -> SecretName {
    name.parse().unwrap()
}

#[test]
fn a_request_leaves_by_the_grant_that_names_it_and_by_no_other() {
    use Method as M;
    let writing = World::new(false);
    for (method, host, path, by) in [
        (M::Get, "api.example.com", "/repos/acme/web/issues", "a-read"),
        (M::Get, "API.example.com.", "/repos/acme/%77eb/", "a-read"),
        (M::Head, "api.example.com", "/repos/acme/web/x", "a-read"),
        (M::Post, "api.example.com", "/repos/acme/web/issues", "b-write"),
        (M::Post, "api.example.com", "/graphql", "c-graph"),
        (M::Get, "a.b.pages.example", "/", "d-below"),
        (M::Put, "0xa.2.772", "/x", "e-inner"),
        (M::Get, "localhost", "/", "f-clear"),
        // and these by none
        (M::Get, "evil.example", "/repos/acme/web/", "Host"),
        (M::Get, "pages.example", "/", "Host"),
        (M::Get, "api.example.com.evil.example", "/repos/acme/web/", "Host"),
        (M::Get, "10.2.3.5", "/", "Host"),
        (M::Delete, "api.example.com", "/repos/acme/web/issues", "Method"),
        (M::Options, "api.example.com", "/repos/acme/web/issues", "Method"),
        (M::Head, "api.example.com", "/graphql", "Path"),
        (M::Get, "api.example.com", "/graphql", "Path"),
        (M::Post, "api.example.com", "/repos/acme/web/issues/1", "Path"),
        (M::Get, "api.example.com", "/repos/acme/other/", "Path"),
        (M::Get, "api.example.com", "/repos/acme/web", "Path"),
        (M::Get, "api.example.com", "/Repos/acme/web/", "Path"),
        (M::Get, "missing.example.com", "/", "Path"),
        (M::Get, "api.example.com", "/repos/acme/web/../other/", "Path(Dots)"),
        (M::Get, "api.example.com", "/repos/acme/web/%2e%2e/other/", "Path(Dots)"),
        (M::Get, "api.example.com", "//evil.example/repos/acme/web/", "Path(Empty)"),
        (M::Get, "api.example.com", "https://evil.example/", "Path(NoSlash)"),
        (M::Get, "api.example.com", "/repos/acme/web/?x", "Path(Character)"),
        (M::Get, "api.example.com@evil.example", "/", "Host(NotAName)"),
    ] {
        let asked = Asked { method, host, path, ..GET };
        let found = match writing.decide(&asked) {
            Err(Refusal::Invalid(invalid)) => format!("{invalid:?}"),
            _ => writing.by(&asked),
        };
        assert_eq!(found, by, "{method} {host} {path}");
    }
}

#[test]
fn a_reading_tool_uses_safe_methods_and_signed_exceptions_only() {
    use Method as M;
    let reading = World::new(true);
    for (method, path, by) in [
        (M::Get, "/repos/acme/web/issues", "a-read"),
        (M::Post, "/graphql", "c-graph"),
        (M::Post, "/repos/acme/web/issues", "Path"),
        (M::Put, "/", "Method"),
    ] {
        assert_eq!(reading.by(&Asked { method, path, ..GET }), by, "{method} {path}");
    }
    // without the exception there is nothing left that a POST could use
    let plain: Vec<HttpRule> = reading.rules.iter().filter(|rule| !rule.grant.read_only).cloned().collect();
    let asked = Asked { method: M::Post, ..GET };
    assert_eq!(World { rules: plain, ..World::new(true) }.by(&asked), "Reading");
    assert_eq!(reading.by(&Asked { method: M::Put, host: "10.2.3.4", path: "/", ..GET }), "Reading");
}

#[test]
fn a_secret_rides_along_only_where_its_grant_says_so() {
    let world = World::new(false);
    let [ro, rw, q, other] = ["ro", "rw", "q", "other"].map(named);
    for (secret, method, path, by) in [
        (None, Method::Get, "/repos/acme/web/issues", "a-read"),
        (Some(&ro), Method::Get, "/repos/acme/web/issues", "a-read"),
        (Some(&rw), Method::Get, "/repos/acme/web/issues", "b-write"),
        (Some(&rw), Method::Get, "/repos/acme/web/other", "Secret"),
        (Some(&ro), Method::Post, "/repos/acme/web/issues", "Secret"),
        (Some(&ro), Method::Post, "/graphql", "Secret"),
        (Some(&q), Method::Get, "/repos/acme/web/issues", "Secret"),
        (Some(&other), Method::Get, "/repos/acme/web/issues", "Secret"),
    ] {
        assert_eq!(world.by(&Asked { secret, method, path, ..GET }), by, "{secret:?} {method} {path}");
    }
    let elsewhere = Asked { secret: Some(&ro), host: "a.pages.example", path: "/", ..GET };
    assert_eq!(world.by(&elsewhere), "Secret");
}

#[test]
fn of_grants_that_fit_alike_the_first_by_name_is_used_whatever_their_order() {
    let grants = ["b", "a", "c"].map(|name| {
        let port = u16::from(name.as_bytes()[0]);
        HttpGrant { port, ..grant(name, "api.example.com", &[Method::Get], &["/"]) }
    });
    let secret: SecretName = named("s");
    let carrying = HttpGrant { secret: Some(secret.clone()), ..grant("0", "api.example.com", &[Method::Get], &["/"]) };
    let mut rules: Vec<HttpRule> = grants.into_iter().chain([carrying]).map(|g| rule(g, true, &json!({}))).collect();
    for _ in 0..4 {
        rules.rotate_left(1);
        let world = World { rules: rules.clone(), ..World::new(true) };
        assert_eq!(world.by(&GET), "a", "one without a secret, where none came along");
        assert_eq!(world.by(&Asked { secret: Some(&secret), ..GET }), "0");
    }
}

#[test]
fn where_it_goes_comes_from_the_grant() {
    let mut world = World::new(false);
    let target = |world: &World, asked: &Asked<'_>| world.decide(asked).unwrap().target;
    let plain = target(&world, &Asked { host: "API.EXAMPLE.com.", ..GET });
    let expected = Target {
        scheme: Scheme::Https,
        host: "api.example.com".into(),
        port: 443,
        private: Vec::new(),
        loopback_only: false,
    };
    assert_eq!(plain, expected);

    let inner = Asked { host: "10.2.3.4", path: "/", ..GET };
    assert_eq!((target(&world, &inner).port, target(&world, &inner).private), (8443, Vec::new()), "one key");
    world.private = vec!["10.0.0.0/8".parse().unwrap()];
    assert_eq!(target(&world, &inner).private, ["10.2.0.0/16".parse().unwrap()], "both keys");
    assert_eq!(target(&world, &GET).private, [], "the operator alone opens nothing");
}

#[test]
fn a_secret_goes_in_the_clear_to_this_machine_only_and_only_if_the_operator_says_so() {
    let mut world = World::new(false);
    let q = named("q");
    let clear = Asked { host: "localhost", path: "/", ..GET };
    let with = Asked { secret: Some(&q), ..clear };
    assert!(!world.decide(&clear).unwrap().target.loopback_only);
    assert_eq!(world.by(&with), "Cleartext");
    world.cleartext_to_loopback = true;
    assert!(world.decide(&with).unwrap().target.loopback_only);
}

#[test]
fn a_query_is_encoded_by_the_host() {
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let world = World::new(false);
    let sent =
        |query: &[(String, String)]| world.decide(&Asked { query, ..GET }).map(|decision| decision.path_and_query);
    let query = pairs(&[("q", "a b&c=d#e?f/ä%20+"), ("", ""), ("x", "\r\n"), ("q", "2")]);
    let encoded = "/repos/acme/web/issues?q=a%20b%26c%3Dd%23e%3Ff%2F%C3%A4%2520%2B&=&x=%0D%0A&q=2";
    assert_eq!(sent(&query).as_deref(), Ok(encoded));
    for name in ["token", "TOKEN", " token", "token[]", "token[a]", "token\0x", "\ttoken"] {
        let refused = sent(&pairs(&[("a", "b"), (name, "mine")]));
        assert!(matches!(refused, Err(Refusal::Invalid(Invalid::SecretInQuery(_)))), "{name:?}: {refused:?}");
    }
    let overrides = ["_method", "_METHOD", "X-HTTP-Method-Override", "$httpMethod"];
    let of_php = [".method", " _method", "_method\0x", "_method[]", "x.http.method.override"];
    for name in overrides.into_iter().chain(of_php) {
        let refused = sent(&pairs(&[(name, "DELETE")]));
        assert!(matches!(refused, Err(Refusal::Invalid(Invalid::OverrideInQuery(_)))), "{name:?}: {refused:?}");
    }
    assert!(sent(&pairs(&[("method", "flickr.photos.search"), ("tokens", "3")])).is_ok());
    assert!(sent(&pairs(&[("a", "b"); 100])).is_ok());
    assert_eq!(sent(&pairs(&[("a", "b"); 101])), Err(Invalid::Pairs.into()));
}

#[test]
fn path_query_and_headers_have_thirty_two_kibibytes_together() {
    let world = World::new(false);
    let path = GET.path;
    // "q=" and the header's name of one byte
    let room = (32 << 10) - path.len() - 2 - 1;
    let query = vec![("q".to_owned(), "v".repeat(1_000))];
    for (more, fits) in [(0, true), (1, false)] {
        let headers = vec![("h".to_owned(), "v".repeat(room - 1_000 + more))];
        let found = world.decide(&Asked { query: &query, headers: &headers, ..GET });
        assert_eq!(found.is_ok(), fits, "{more}");
    }
    let query = vec![("q".to_owned(), "ä".repeat(6_000))];
    assert_eq!(world.by(&Asked { query: &query, ..GET }), "Head", "as it is encoded");
}

#[test]
fn a_body_goes_with_methods_that_have_one_and_no_further_than_its_limit() {
    let world = World::new(false);
    let post = Asked { method: Method::Post, path: "/repos/acme/web/issues", ..GET };
    assert_eq!(world.by(&Asked { body: Some(10), ..post }), "b-write");
    assert_eq!(world.by(&Asked { body: Some(11), ..post }), "TooLarge");
    assert_eq!(world.by(&post), "b-write", "and without one");
    for method in [Method::Get, Method::Head] {
        assert_eq!(world.by(&Asked { method, body: Some(0), path: "/repos/acme/web/", ..GET }), "Body", "{method}");
    }
}

#[test]
fn the_guest_learns_the_rule_and_the_record_learns_the_line() {
    let world = World::new(true);
    let long = format!("/repos/acme/other/{}", "x".repeat(200));
    for (asked, guest, record) in [
        (
            Asked { host: "evil.example", path: "/secret", ..GET },
            "no grant of this tool names the host `evil.example`",
            "GET evil.example/secret: no grant in the tool's `uses` has this `host`",
        ),
        (
            Asked { method: Method::Delete, ..GET },
            "no grant of this tool allows DELETE to `api.example.com`",
            "DELETE api.example.com/repos/acme/web/issues: `methods` of grants.http.a-read, grants.http.b-write, \
             grants.http.c-graph do not list DELETE",
        ),
        (
            Asked { path: &long, ..GET },
            "no grant of this tool allows GET with this path of `api.example.com`",
            &format!(
                "GET api.example.com{}…: `paths` of grants.http.a-read, grants.http.b-write do not cover it with these \
                 arguments",
                long.chars().take(100).collect::<String>()
            ),
        ),
        (
            Asked { headers: &[("X_HTTP_Method".into(), "PUT".into())], ..GET },
            "`x_http_method` would make a server take the request for another one",
            "GET api.example.com/repos/acme/web/issues: `x_http_method` would make a server take the request for another \
             one",
        ),
    ] {
        let refusal = world.decide(&asked).unwrap_err();
        assert_eq!(refusal.to_string(), guest);
        assert_eq!(refusal.record(&asked), record);
    }
}

#[test]
fn a_tool_that_holds_a_secret_asks_for_no_part_of_an_answer_whether_it_carries_the_secret_or_not() {
    let range = [("range".to_owned(), "bytes=0-9".to_owned())];
    let ro = named("ro");
    let mut world = World::new(true);
    for secret in [None, Some(&ro)] {
        assert_eq!(world.by(&Asked { headers: &range, secret, ..GET }), "Header", "{secret:?}");
    }
    world.secrets.clear();
    assert_eq!(world.by(&Asked { headers: &range, ..GET }), "a-read");
}
