use super::{DEEPEST, LONGEST_ID, LONGEST_NAME, MOST_VALUES, Refusal, Screened, screen, screened};

const PASSES: Result<Screened, Refusal> = Ok(Screened { initializes: false, asks: None, calls: None, answers: false });

fn told(message: &str) -> Result<Screened, Refusal> {
    screen(message.as_bytes())
}

#[test]
fn a_message_may_hold_so_many_values_and_not_one_more() {
    let list = |values: usize| format!("[{}]", vec!["0"; values - 1].join(","));
    assert_eq!(told(&list(MOST_VALUES)), PASSES);
    assert_eq!(told(&list(MOST_VALUES + 1)), Err(Refusal::TooManyValues));
    // keys are not values, what they lead to is
    let objects = |pairs: usize| format!("[{}]", vec!["{\"\":0}"; pairs].join(","));
    assert_eq!(told(&objects((MOST_VALUES - 1) / 2)), PASSES);
    assert_eq!(told(&objects(MOST_VALUES / 2)), Err(Refusal::TooManyValues));
}

#[test]
fn a_message_may_be_so_deep_and_not_one_deeper() {
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}0{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for nested in [lists(DEEPEST), objects(DEEPEST)] {
        assert_eq!(told(&nested), PASSES);
    }
    for nested in [lists(DEEPEST + 1), objects(DEEPEST + 1), "[".repeat(4 << 20)] {
        assert_eq!(told(&nested), Err(Refusal::TooDeep));
    }
}

#[test]
fn the_same_key_twice_in_one_object_is_refused_wherever_it_is_and_however_it_is_written() {
    for twice in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"params":{"arguments":{"x":[{"deep":{"k":1,"k":2}}]}}}"#,
        r#"[{"":1,"":2}]"#,
    ] {
        assert_eq!(told(twice), Err(Refusal::DuplicateKey), "{twice}");
    }
    for once in [r#"{"a":{"a":1},"b":{"a":1}}"#, r#"[{"a":1},{"a":1}]"#, r#"{"a":1,"A":2}"#] {
        assert_eq!(told(once), PASSES, "{once}");
    }
}

#[test]
fn what_is_no_json_is_told_from_what_is_too_much() {
    for bad in ["", " ", "{", "{}{}", "nonsense", "{\"a\":}", "[1,]", "\"\u{1}\"", "{a:1}", "\u{feff}{}"] {
        assert_eq!(told(bad), Err(Refusal::NotJson), "{bad:?}");
    }
    assert_eq!(screen(b"\"\xff\""), Err(Refusal::NotJson));
    for good in ["{}", " [] \r", "null", "-1.5e3", "18446744073709551615", r#""\u00e4""#] {
        assert_eq!(told(good), PASSES, "{good:?}");
    }
}

#[test]
fn only_the_message_s_own_method_says_that_it_initializes() {
    let opens = Ok(Screened { initializes: true, asks: Some("1".into()), calls: None, answers: false });
    assert_eq!(told(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#), opens);
    assert_eq!(told(r#"{"id":1,"method":"initi\u0061lize"}"#), opens);
    for other in [
        r#"{"method":"notifications/x","params":{"method":"initialize"}}"#,
        r#"[{"method":"initialize"}]"#,
        r#"{"method":["initialize"]}"#,
    ] {
        assert_eq!(told(other), PASSES, "{other}");
    }
}

#[test]
fn a_method_and_a_name_may_be_so_long_and_not_one_byte_longer() {
    let (at, beyond) = ("x".repeat(LONGEST_NAME), "x".repeat(LONGEST_NAME + 1));
    for (before, after) in
        [(r#"{"result":1,"method":["x"],"params":{"uri":""#, r#""}}"#), (r#"{"params":{"name":""#, r#""}}"#)]
    {
        assert!(told(&format!("{before}{at}{after}")).is_ok());
        assert_eq!(told(&format!("{before}{beyond}{after}")), Err(Refusal::LongName));
    }
    assert!(told(&format!(r#"{{"id":1,"method":"{at}"}}"#)).is_ok());
    assert_eq!(told(&format!(r#"{{"id":1,"method":"{beyond}"}}"#)), Err(Refusal::LongName));
    // an argument may be called so too
    assert_eq!(told(&format!(r#"{{"params":{{"arguments":{{"name":"{beyond}"}}}}}}"#)), PASSES);
}

#[tokio::test]
async fn a_long_message_is_screened_like_a_short_one() {
    let long = format!("{{\"id\":1,\"method\":\"initialize\",\"text\":\"{}\"}}", "x".repeat(1 << 20));
    assert_eq!(
        screened(long.clone()).await,
        Ok((long, Screened { initializes: true, asks: Some("1".into()), calls: None, answers: false }))
    );
    assert_eq!(screened("[".repeat(1 << 20)).await, Err(Refusal::TooDeep));
}

#[test]
fn a_refusal_is_one_line_of_json_rpc() {
    for (refusal, code) in [(Refusal::NotJson, -32_700), (Refusal::DuplicateKey, -32_600)] {
        let message = refusal.message();
        assert!(!message.contains('\n'));
        let message: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!(message["error"]["code"], serde_json::json!(code));
        assert!(message["id"].is_null() && message.as_object().unwrap().contains_key("id"));
    }
}

#[test]
fn the_id_of_a_request_is_told_as_it_was_written_and_bounded() {
    let asks = |message: &str| told(message).map(|screened| screened.asks);
    assert_eq!(asks(r#"{"id":7,"method":"x"}"#), Ok(Some("7".into())));
    assert_eq!(asks(r#"{"method":"x","id":-7}"#), Ok(Some("-7".into())));
    assert_eq!(asks(r#"{"method":"x","id":"7"}"#), Ok(Some("\"7\"".into())));
    for other in [r#"{"id":7,"result":{}}"#, r#"{"method":"notifications/x","params":{"id":7}}"#] {
        assert_eq!(asks(other), Ok(None), "{other}");
    }
    for none in ["", r#""id":null,"#, r#""id":7.5,"#, r#""id":true,"#, r#""id":{"id":7},"#] {
        let message = format!(r#"{{{none}"method":"tools/call"}}"#);
        assert_eq!(asks(&message), Err(Refusal::NoId), "{message}");
    }
    let id = |bytes: usize| format!(r#"{{"method":"x","id":"{}"}}"#, "i".repeat(bytes));
    assert!(told(&id(LONGEST_ID)).is_ok());
    assert_eq!(told(&id(LONGEST_ID + 1)), Err(Refusal::LongId));
}

#[test]
fn whatever_might_be_taken_for_an_answer_is_told_as_one() {
    let answers = |message: &str| told(message).unwrap().answers;
    for answer in [
        r#"{"jsonrpc":"2.0","id":0,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":""}}"#,
        r#"{"jsonrpc":"2.0","id":0,"r\u0065sult":{}}"#,
        r#"{"id":0,"method":"tools/call","params":5,"result":{}}"#,
        r#"{"id":0,"method":5,"result":null}"#,
    ] {
        assert!(answers(answer), "{answer}");
    }
    for other in [
        r#"{"jsonrpc":"2.0","id":0,"method":"tools/call","params":{"result":1,"error":2}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"[{"result":{}}]"#,
    ] {
        assert!(!answers(other), "{other}");
    }
}
