//! What a tool author can rely on when a plugin reaches out.

use std::io::Read as _;

use serde_json::{Value, json};
use wardkeep_sdk::{
    Ask, Failure,
    fake::{Fakes, Response},
    http::{self, Error, Method},
    raw::{HttpAsk, SecretAsk},
    secrets,
};

#[test]
fn a_request_arrives_as_it_was_made() {
    let fakes = Fakes::new().secret("github-rw").http(|_| Response::json(201, &json!({ "number": 12 }))).install();
    let response = http::post("api.github.com", "/repos")
        .segment("ac me")
        .segment("web")
        .segment("issues")
        .query("a", "x&y=ü")
        .header("Accept", "text/plain")
        .header("accept", "application/json")
        .secret(&secrets::open("github-rw").unwrap())
        .json(&json!({ "title": "It rains in" }))
        .send()
        .unwrap();
    assert_eq!((response.status(), response.is_success()), (201, true));
    assert_eq!(response.header("Content-Type"), Some("application/json; charset=utf-8"));
    assert_eq!(response.json::<Value>(100).unwrap(), json!({ "number": 12 }));

    let asked = fakes.asked();
    let [asked] = &asked[..] else { panic!("one request, not {asked:?}") };
    assert_eq!(asked.line(), "POST /repos/ac%20me/web/issues");
    assert_eq!((asked.host.as_str(), asked.query("a")), ("api.github.com", Some("x&y=ü")));
    assert_eq!(
        (asked.header("accept"), asked.header("content-type")),
        (Some("application/json"), Some("application/json"))
    );
    assert_eq!((asked.json(), asked.secret.as_deref()), (json!({ "title": "It rains in" }), Some("github-rw")));
}

#[test]
fn every_method_has_its_function_and_its_name() {
    let fakes = Fakes::new().http(|_| Response::status(204)).install();
    for request in
        [http::get("a", "/"), http::head("a", "/"), http::post("a", "/"), http::put("a", "/"), http::patch("a", "/")]
    {
        request.send().unwrap();
    }
    http::delete("a", "/").send().unwrap();
    http::Request::new(Method::Options, "a", "/").send().unwrap();
    let names: Vec<_> = fakes.asked().iter().map(|asked| asked.method.name()).collect();
    assert_eq!(names, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
}

#[test]
fn what_is_not_granted_is_denied() {
    let fakes = Fakes::new().install();
    assert!(matches!(http::get("a", "/").send().unwrap_err(), Error::Denied(_)));
    assert_eq!(secrets::open("github-ro").unwrap_err(), secrets::Error::Denied);
    drop(fakes);
    let _fakes = Fakes::new().http(|_| Response::error(Error::Denied("not this path".into()))).install();
    let failure = Failure::from(http::get("a", "/").send().unwrap_err());
    assert_eq!(failure, Failure::denied("this request is not granted to this tool: not this path"));
}

/// A test finds what every host refuses, whatever is granted.
#[test]
fn a_request_that_breaks_the_rules_is_refused_before_it_is_sent() {
    let fakes = Fakes::new().http(|_| Response::status(200)).install();
    let with = |name: &str| http::get("a", "/").header(name, "x").header("x-other", "y");
    let wrong = [
        http::get("a", "relative"),
        http::get("a", "/a?b=c"),
        http::get("a", "/a b"),
        http::get("a", "/ä"),
        http::get("a", "//a"),
        http::get("a", "/a/../b"),
        http::get("a", "/a/%2E%2e/b"),
        http::get("a", "/").segment("..").segment("b"),
        http::get("a", "/repos").segment("a/b"),
        http::get("a", "/").text("x"),
        with("Host"),
        with("authorization"),
        with("x_forwarded_for"),
        with("Proxy-Authorization"),
        with("x-http-method-override"),
        with("x_other"),
        http::get("a", "/").header("x", "a\r\nb: c"),
    ];
    for request in wrong {
        let shown = format!("{request:?}");
        assert!(matches!(request.send(), Err(Error::InvalidRequest(_))), "{shown}");
    }
    assert_eq!(fakes.asked(), []);
    assert!(http::get("a", "/a//").send().is_err() && http::get("a", "/a/").send().is_ok());
}

#[test]
fn a_body_is_read_whole_in_pieces_or_not_at_all() {
    let _fakes = Fakes::new().http(|_| Response::bytes(200, "image/png", vec![7; 3 << 20])).install();
    let get = || http::get("a", "/").send().unwrap();
    assert_eq!(get().bytes(3 << 20).unwrap().len(), 3 << 20);
    assert_eq!(get().bytes((3 << 20) - 1), Err(Error::TooLarge));
    assert_eq!(get().text(100), Err(Error::TooLarge));
    let mut reader = get().reader();
    assert_eq!(reader.piece(10).unwrap().len(), 10);
    assert_eq!(reader.piece(u32::MAX).unwrap().len(), 1 << 20, "one piece is a mebibyte at most");
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), (2 << 20) - 10);
    assert_eq!(reader.piece(10), Ok(vec![]));
}

#[test]
fn a_body_that_breaks_off_or_is_not_what_it_should_be_is_told_so() {
    let get = |response: Response| {
        let _fakes = Fakes::new().http(move |_| response.clone()).install();
        let send = || http::get("a", "/").send().unwrap();
        (send().text(100), send().bytes(100), send().json::<Value>(100))
    };
    let (text, bytes, json) = get(Response::text(200, "[1, 2").breaks_off());
    for error in [text.unwrap_err(), bytes.unwrap_err(), json.unwrap_err()] {
        assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    }
    let (text, bytes, json) = get(Response::bytes(200, "text/plain", vec![0xff]));
    assert_eq!((text, bytes, json), (Err(Error::NotText), Ok(vec![0xff]), Err(Error::NotText)));
    let (text, _, json) = get(Response::text(200, "{\"token\": x}"));
    assert_eq!(text.as_deref(), Ok("{\"token\": x}"));
    let told = "the answer is not the JSON that was expected (line 1, column 11)";
    assert_eq!(json, Err(Error::Unreachable(told.into())), "what stands there is not repeated");
}

#[test]
fn host_calls_run_out() {
    let _fakes = Fakes::new().secret("s").http(|_| Response::text(200, "x")).host_calls(3).install();
    let secret = secrets::open("s").unwrap();
    assert_eq!(http::get("a", "/").secret(&secret).send().unwrap().text(1).as_deref(), Ok("x"));
    assert_eq!(http::get("a", "/").send().unwrap_err(), Error::Exhausted);
    assert_eq!(secrets::open("s").unwrap_err(), secrets::Error::Exhausted);
}

#[test]
fn errors_become_failures_of_their_kind() {
    let upstream = |error: Error| matches!(Failure::from(error), Failure::Upstream(failed) if failed.status.is_none());
    for error in [Error::Unreachable("x".into()), Error::Timeout, Error::TooLarge, Error::NotText, Error::NoSecret] {
        assert!(upstream(error.clone()), "{error:?}");
    }
    assert!(matches!(Failure::from(Error::InvalidRequest("x".into())), Failure::Internal(_)));
    assert!(matches!(Failure::from(Error::Exhausted), Failure::Internal(why) if why.contains("limits.requests")));
    assert!(matches!(Failure::from(secrets::Error::Denied), Failure::Denied(_)));
    assert!(matches!(Failure::from(secrets::Error::Unavailable), Failure::Upstream(_)));

    let _fakes = Fakes::new().http(|_| Response::text(503, "down")).install();
    let failure = http::get("a", "/").send().unwrap().success().unwrap_err();
    assert_eq!(failure, Failure::upstream("the service answered with no success", Some(503)));
}

#[test]
fn hosts_and_credentials_are_asked_for() {
    let (methods, purpose) = (vec!["GET".to_owned(), "POST".to_owned()], "to file issues".to_owned());
    let expected = Ask::Http(HttpAsk { host: "api.github.com".into(), methods, purpose: purpose.clone() });
    assert_eq!(Ask::http("api.github.com", [Method::Get, Method::Post], "to file issues"), expected);
    assert_eq!(
        Ask::secret("github-rw", "to file issues"),
        Ask::Secret(SecretAsk { name: "github-rw".into(), purpose })
    );
}

#[test]
fn neither_a_handle_nor_a_request_shows_more_than_it_is() {
    let _fakes = Fakes::new().secret("s").install();
    let secret = secrets::open("s").unwrap();
    let request = http::get("a", "/b").query("token", "x").secret(&secret);
    assert_eq!((format!("{secret:?}"), format!("{request:?}")), ("Secret".into(), "GET a/b".into()));
}
