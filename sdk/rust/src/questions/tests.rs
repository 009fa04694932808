use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::{
    Effect, NoArguments, Plugin, Tool,
    fake::{call, talk},
};

#[derive(Deserialize, JsonSchema)]
struct Number {
    number: u64,
}

/// Adds up what the person says until they say no more; tells how the last answer was.
fn sum(_: NoArguments, answers: Option<Answers>) -> Result<Step<String>> {
    let (mut sum, mut last) = (0, "nothing said");
    if let Some(answers) = answers {
        sum = answers.kept::<u64>()?;
        match answers.to::<Number>("number")? {
            Said::Accepted(more) => return Ok(Step::Ask(ask("And then?", sum + more.number))),
            Said::Declined => last = "declined",
            Said::Cancelled => last = "cancelled",
        }
    }
    if last == "nothing said" { Ok(Step::Ask(ask("First?", 0))) } else { Ok(Step::Done(format!("{sum}, {last}"))) }
}

fn ask(message: &str, sum: u64) -> Questions {
    Questions::new().form::<Number>("number", message).keep(&sum)
}

fn dialogue<F>(function: F) -> Plugin
where
    F: Fn(NoArguments, Option<Answers>) -> Result<Step<String>> + 'static,
{
    Plugin::new("test", "1.0.0").tool(Tool::dialogue("ask", "Asks", Effect::Read, function))
}

fn text(plugin: &Plugin, person: impl FnMut(&Question) -> Said<Value>) -> Result<String> {
    match talk(plugin, "ask", &json!({}), person)?.content.as_slice() {
        [crate::raw::Content::Text(text)] => Ok(text.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dialogue_goes_on_with_what_it_kept_until_it_is_done() {
    let mut asked = Vec::new();
    let mut said =
        [Said::Accepted(json!({ "number": 40 })), Said::Accepted(json!({ "number": 2 })), Said::Declined].into_iter();
    let told = text(&dialogue(sum), |question| {
        asked.push(question.message.clone());
        said.next().unwrap()
    });
    assert_eq!(told, Ok("42, declined".into()));
    assert_eq!(asked, ["First?", "And then?", "And then?"]);
    assert_eq!(text(&dialogue(sum), |_| Said::Cancelled), Ok("0, cancelled".into()));
}

#[test]
fn a_dialogue_of_read_is_idempotent_and_one_of_write_is_not() {
    let plugin = |effect| Plugin::new("test", "1.0.0").tool(Tool::dialogue("ask", "Asks", effect, sum));
    let idempotent = |effect| plugin(effect).describe().tools.first().map(|tool| (tool.effect, tool.idempotent));
    assert_eq!(idempotent(Effect::Read), Some((Effect::Read, true)));
    assert_eq!(idempotent(Effect::Destructive), Some((Effect::Destructive, false)));
}

#[test]
fn an_answer_that_the_type_does_not_take_is_the_callers_fault_and_the_rest_is_the_plugins() {
    let fault = text(&dialogue(sum), |_| Said::Accepted(json!({ "number": 1.5 }))).unwrap_err();
    assert!(
        matches!(&fault, Failure::InvalidArguments(text) if text.starts_with("the answer to `number`: ")),
        "{fault:?}"
    );

    let internal =
        |function: fn(NoArguments, Option<Answers>) -> Result<Step<String>>| match text(&dialogue(function), |_| {
            Said::Accepted(json!({}))
        })
        .unwrap_err()
        {
            Failure::Internal(text) => text,
            other => panic!("{other:?}"),
        };
    let nested = |_, _| Ok(Step::Ask(Questions::new().form::<Vec<u8>>("list", "Which?").form::<Value>("any", "Any?")));
    assert_eq!(internal(nested), "the form `list`: its type is no struct with named fields");
    let unkept = |_, answers: Option<Answers>| match answers {
        None => Ok(Step::Ask(Questions::new().form::<NoArguments>("sure", "Sure?"))),
        Some(answers) => answers.kept().map(Step::Done),
    };
    assert!(internal(unkept).starts_with("what was kept: "));
    let unasked = |_, answers: Option<Answers>| match answers {
        None => Ok(Step::Ask(Questions::new().form::<NoArguments>("sure", "Sure?"))),
        Some(answers) => answers.to::<NoArguments>("safe").map(|_| Step::Done(String::new())),
    };
    assert_eq!(internal(unasked), "`safe` was not asked");
}

#[test]
fn the_fake_person_is_asked_no_more_than_a_host_would_let_it() {
    let fault = |questions: Questions| {
        let plugin = dialogue(move |_, _| Ok(Step::Ask(questions.clone())));
        text(&plugin, |_| Said::Accepted(json!({ "number": 0 }))).unwrap_err()
    };
    let form = |id: &str| Questions::new().form::<NoArguments>(id, "?");
    let many = (0..9).fold(Questions::new(), |all, n| all.form::<NoArguments>(&format!("q{n}"), "?"));
    let table = [
        (ask("Again?", 0), "more than 8 rounds of questions"),
        (Questions::new(), "a round has 1 to 8 questions"),
        (many, "a round has 1 to 8 questions"),
        (form("a b"), "the id of a question is 1 to 64 of A-Z, a-z, 0-9, `_`, `-` and `.`"),
        (form("a").form::<NoArguments>("a", "?"), "two questions have the same id"),
        (ask(&"x".repeat(1_025), 0), "a question has more than 1,024 bytes"),
        (form("a").keep(&"x".repeat(16 << 10)), "more than 16 KiB are kept"),
    ];
    for (questions, why) in table {
        assert_eq!(fault(questions), Failure::internal(why));
    }
    assert_eq!(call(&dialogue(sum), "ask", &json!({})), Err(Failure::internal("the tool asks a question")));
}
