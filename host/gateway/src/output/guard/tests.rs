use wardkeep_model::{Cost, Embedded, Link, Media, Outcome, Question};
use wardkeep_sandbox::Stopped;

use super::*;

const VALUE: &str = "correct-horse-battery";

const NOTHING: Heard<'static> = Heard { arguments: "{}", answers: &[] };

fn guard() -> Option<Arc<Guard>> {
    let name: SecretName = "github-ro".parse().unwrap();
    Guard::over([(&name, VALUE.as_bytes())].into_iter()).unwrap()
}

fn ran(result: Result<Result<Reply, Failure>, Stopped>, output: u64) -> Ran {
    let cost = Cost { output, ..Cost::default() };
    Ran { result, cost, notes: Vec::new(), egress: Vec::new(), guard: guard() }
}

fn complete(completion: Completion) -> Result<Reply, Failure> {
    Ok(Reply::Complete(completion))
}

fn content(content: Content) -> Result<Reply, Failure> {
    complete(Completion { content: vec![Content::Text("fine".into()), content], ..Completion::default() })
}

fn asked(id: &str, message: &str, schema: &str, state: &[u8]) -> Result<Reply, Failure> {
    let question = Question { id: id.into(), message: message.into(), schema: schema.into() };
    Ok(Reply::InputRequired(Pause { questions: vec![question], state: state.to_vec() }))
}

/// One of each place where a guest can put something.
fn places(value: &str) -> Vec<Result<Reply, Failure>> {
    let media = |data: &[u8], mime: &str| Media { mime_type: mime.into(), data: data.to_vec() };
    let embedded = |uri: &str, body| Content::Resource(Embedded { uri: uri.into(), mime_type: None, body });
    let link = |uri: &str, name: &str, description: Option<&str>| {
        Content::Link(Link {
            uri: uri.into(),
            name: name.into(),
            description: description.map(str::to_owned),
            mime_type: None,
        })
    };
    let structured = |text: String| complete(Completion { structured: Some(text), ..Completion::default() });
    let v = value;
    let text = || v.to_owned();
    vec![
        content(Content::Text(format!("it is {v}!"))),
        content(Content::Image(media(v.as_bytes(), "image/png"))),
        content(Content::Audio(media(b"", v))),
        content(embedded(v, ResourceBody::Text(String::new()))),
        content(embedded("a:b", ResourceBody::Text(text()))),
        content(embedded("a:b", ResourceBody::Blob(v.as_bytes().to_vec()))),
        content(link(v, "n", None)),
        content(link("a:b", v, None)),
        content(link("a:b", "n", Some(v))),
        structured(format!("{{\"a\":[{{\"b\":\"x{v}\"}}]}}")),
        structured(format!("{{\"{v}\":1}}")),
        asked(v, "m", "{}", b""),
        asked("i", v, "{}", b""),
        asked("i", "m", &format!("{{\"title\":\"{v}\"}}"), b""),
        asked("i", "m", "{}", v.as_bytes()),
        Err(Failure::InvalidArguments(text())),
        Err(Failure::NotFound(text())),
        Err(Failure::Denied(text())),
        Err(Failure::Internal(text())),
        Err(Failure::RateLimited { message: text(), after_seconds: None }),
        Err(Failure::Upstream { message: text(), status: None }),
        Err(Failure::Partial { message: text(), done: vec![], not_done: vec![] }),
        Err(Failure::Partial { message: String::new(), done: vec![text()], not_done: vec![] }),
        Err(Failure::Partial { message: String::new(), done: vec![], not_done: vec![text()] }),
    ]
}

#[tokio::test]
async fn a_value_leaves_through_no_part_of_an_answer_and_the_record_names_the_secret() {
    for (at, said) in places(VALUE).into_iter().enumerate() {
        for output in [1, AT_ONCE + 1] {
            let mut ran = ran(Ok(said.clone()), output);
            assert_eq!(watch(&mut ran, &NOTHING).await, Err(Rejected::Secret), "{at}");
            let note = ran.notes.first().unwrap();
            assert_eq!(note.detail, "holds the value of the secret `github-ro`");
        }
    }
    for (at, said) in places("correct-horse-batterie").into_iter().enumerate() {
        for output in [1, AT_ONCE + 1] {
            let mut ran = ran(Ok(said.clone()), output);
            assert_eq!(watch(&mut ran, &NOTHING).await, Ok(()), "{at}");
            assert_eq!((&ran.result, ran.notes.len()), (&Ok(said.clone()), 0));
        }
    }
}

#[tokio::test]
async fn a_value_whose_characters_are_escaped_here_and_there_is_found_where_it_is_read() {
    let hidden = r#"{"a":"c\u006frrect-horse\u002dbattery"}"#;
    let said = complete(Completion { structured: Some(hidden.into()), ..Completion::default() });
    assert_eq!(watch(&mut ran(Ok(said), 1), &NOTHING).await, Err(Rejected::Secret));
}

#[tokio::test]
async fn a_value_that_the_caller_said_itself_is_withheld_and_is_no_leak_of_the_plugins() {
    let answer = |content: &str| Answered {
        id: "a".into(),
        action: wardkeep_model::Action::Accept,
        content: Some(content.into()),
    };
    let [said, other] = [VALUE, "tr0ub4dor&3-of-mine"].map(|value| answer(&format!("{{\"a\":\"it is {value}\"}}")));
    let hex = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let arguments = |text: &str| format!("{{\"n\":[1,{{\"a\":\"x{text}\"}}]}}");
    let cases = [
        (arguments(VALUE), vec![], Rejected::Echoed),
        (arguments(&hex), vec![], Rejected::Echoed),
        (r#"{"a":"c\u006frrect-horse\u002dbattery"}"#.to_owned(), vec![], Rejected::Echoed),
        (format!("{{\"{VALUE}\":1}}"), vec![], Rejected::Echoed),
        ("{}".to_owned(), vec![other.clone(), said], Rejected::Echoed),
        // another secret's, part of it, or none
        (arguments("tr0ub4dor&3-of-mine"), vec![other], Rejected::Secret),
        (arguments("orrect-horse-battery"), vec![], Rejected::Secret),
        ("{}".to_owned(), vec![], Rejected::Secret),
    ];
    let [mine, yours]: [SecretName; 2] = ["github-ro", "wiki"].map(|name| name.parse().unwrap());
    let values = [(&mine, VALUE.as_bytes()), (&yours, b"tr0ub4dor&3-of-mine")];
    for (arguments, answers, rejected) in cases {
        let mut ran = ran(Ok(content(Content::Text(VALUE.into()))), 1);
        ran.guard = Guard::over(values.into_iter()).unwrap();
        let heard = Heard { arguments: &arguments, answers: &answers };
        assert_eq!(watch(&mut ran, &heard).await, Err(rejected), "{arguments}");
        let note = &ran.notes.first().unwrap().detail;
        assert_eq!(note.ends_with(", as what the caller said does"), rejected == Rejected::Echoed, "{note}");
        assert_eq!(rejected.to_string(), Rejected::Secret.to_string(), "the caller is told the same");
    }
}

#[tokio::test]
async fn what_goes_on_record_alone_has_the_value_replaced() {
    let completion = Completion { touched: vec![format!("issue {VALUE}")], ..Completion::default() };
    let mut answered = ran(Ok(complete(completion)), 1);
    assert_eq!(watch(&mut answered, &NOTHING).await, Ok(()));
    let Ok(Ok(Reply::Complete(completion))) = answered.result else { panic!("an answer") };
    assert_eq!(completion.touched, ["issue [secret]"]);
    let stopped = Stopped { outcome: Outcome::Trap, detail: format!("panicked at {VALUE}") };
    let mut ended = ran(Err(stopped), 1);
    assert_eq!(watch(&mut ended, &NOTHING).await, Ok(()));
    assert_eq!(ended.result.unwrap_err().detail, "panicked at [secret]");
}

#[test]
fn a_pause_with_a_value_is_none() {
    for (said, held) in [(asked("i", "m", "{}", VALUE.as_bytes()), true), (asked("i", "m", "{}", b"{}"), false)] {
        let Ok(Reply::InputRequired(pause)) = said else { panic!("a pause") };
        assert_eq!(in_pause(guard().as_ref(), &pause), held);
        assert!(!in_pause(None, &pause));
    }
}
