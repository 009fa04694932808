use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;

pub(crate) fn terms() -> IssuerTerms {
    IssuerTerms {
        name: "corp".into(),
        issuer: "https://login.example.com/".into(),
        audience: "https://tools.example.com/mcp".into(),
        algorithms: Algorithm::ALL.into(),
        groups_claim: "groups".into(),
        groups: None,
        scope_claim: "scope".into(),
        longest_life: Duration::from_secs(86_400),
        writes: true,
        human: true,
        human_claims: Vec::new(),
        unconfirmed_writes: false,
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// Good claims with some of them replaced; null takes one away.
fn read(changes: Value) -> Result<Claimed, BadToken> {
    read_under(&terms(), changes)
}

fn read_under(terms: &IssuerTerms, changes: Value) -> Result<Claimed, BadToken> {
    let mut claims = json!({
        "iss": "https://login.example.com/",
        "sub": "alice",
        "client_id": "desktop",
        "aud": "https://tools.example.com/mcp",
        "exp": NOW + 300,
        "iat": NOW,
        "scope": "openid tools:read",
        "groups": ["engineering"],
    });
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
            value => claims[key] = value.clone(),
        }
    }
    let own = self::terms();
    let partner = IssuerTerms { name: "partner".into(), issuer: "https://partner.example".into(), ..self::terms() };
    let known = |issuer: &str| [terms, &own, &partner].into_iter().find(|terms| terms.issuer == issuer);
    claimed(claims.as_object().unwrap(), terms, known, now())
}

#[test]
fn a_good_token_stands_for_its_subject_within_what_the_operator_allows() {
    let claimed = read(json!({})).unwrap();
    assert_eq!(claimed.expires, Timestamp::from_second(NOW + 300).unwrap());
    let principal = claimed.principal;
    assert_eq!(principal.name, "oauth:corp/alice");
    assert_eq!(principal.groups, ["engineering"]);
    assert_eq!(principal.scopes, Some(Scopes { read: true, write: false, destructive: false }));
    assert_eq!((principal.writes, principal.human, principal.unconfirmed_writes), (true, true, false));
    assert!(principal.actors.is_empty());
    assert_eq!(read(json!({ "sub": "ren\u{e9}e" })).unwrap().principal.name, "oauth:corp/ren\u{e9}e");
}

#[test]
fn each_claim_that_is_missing_or_wrong_refuses_the_token() {
    let unfit = BadToken::Unfit;
    for (changes, expected) in [
        (json!({ "iss": null }), BadToken::Issuer),
        (json!({ "iss": "https://login.example.com" }), BadToken::Issuer),
        (json!({ "iss": "https://LOGIN.example.com/" }), BadToken::Issuer),
        (json!({ "iss": "https://login.example.com//" }), BadToken::Issuer),
        (json!({ "iss": ["https://login.example.com/"] }), unfit("iss")),
        (json!({ "aud": null }), BadToken::Missing("aud")),
        (json!({ "aud": "" }), BadToken::Audience),
        (json!({ "aud": "https://tools.example.com/mcp/" }), BadToken::Audience),
        (json!({ "aud": "https://tools.example.com/mc" }), BadToken::Audience),
        (json!({ "aud": "https://tools.example.com/mcp2" }), BadToken::Audience),
        (json!({ "aud": "https://TOOLS.example.com/mcp" }), BadToken::Audience),
        (json!({ "aud": " https://tools.example.com/mcp" }), BadToken::Audience),
        (json!({ "aud": "https://other.example.com https://tools.example.com/mcp" }), BadToken::Audience),
        (json!({ "aud": ["https://other.example.com"] }), BadToken::Audience),
        (json!({ "aud": [] }), unfit("aud")),
        (json!({ "aud": [["https://tools.example.com/mcp"]] }), unfit("aud")),
        (json!({ "aud": ["https://tools.example.com/mcp", 7] }), unfit("aud")),
        (json!({ "aud": { "https://tools.example.com/mcp": 1 } }), unfit("aud")),
        (json!({ "aud": vec!["https://tools.example.com/mcp"; MOST_AUDIENCES + 1] }), unfit("aud")),
        (json!({ "aud": 7 }), unfit("aud")),
        (json!({ "exp": null }), BadToken::Missing("exp")),
        (json!({ "exp": NOW }), BadToken::Expired),
        (json!({ "exp": NOW - 1 }), BadToken::Expired),
        (json!({ "exp": 0 }), BadToken::Expired),
        (json!({ "exp": -1 }), unfit("exp")),
        (json!({ "exp": i64::MIN }), unfit("exp")),
        (json!({ "exp": u64::MAX }), unfit("exp")),
        (json!({ "exp": Timestamp::MAX.as_second() + 1 }), unfit("exp")),
        (json!({ "exp": Timestamp::MAX.as_second() }), BadToken::TooLongLived),
        (json!({ "exp": NOW + 86_401 }), BadToken::TooLongLived),
        (json!({ "exp": 1_800_000_300.0 }), unfit("exp")),
        (json!({ "exp": 1_800_000_300.5 }), unfit("exp")),
        (json!({ "exp": "1800000300" }), unfit("exp")),
        (json!({ "exp": true }), unfit("exp")),
        (json!({ "exp": [NOW + 300] }), unfit("exp")),
        (json!({ "nbf": NOW + 31 }), BadToken::NotYet),
        (json!({ "nbf": "soon" }), unfit("nbf")),
        (json!({ "nbf": -1 }), unfit("nbf")),
        (json!({ "iat": NOW + 31 }), BadToken::NotYet),
        (json!({ "iat": 1e10 }), unfit("iat")),
        (json!({ "iat": "now" }), unfit("iat")),
        (json!({ "sub": null }), BadToken::Missing("sub")),
        (json!({ "sub": "" }), unfit("sub")),
        (json!({ "sub": 7 }), unfit("sub")),
        (json!({ "sub": ["alice"] }), unfit("sub")),
        (json!({ "sub": "al ice" }), unfit("sub")),
        (json!({ "sub": "alice\n" }), unfit("sub")),
        (json!({ "sub": "ali\u{200b}ce" }), unfit("sub")),
        (json!({ "sub": "\u{202e}ecila" }), unfit("sub")),
        (json!({ "sub": "ali\u{2800}ce" }), unfit("sub")),
        (json!({ "sub": "alice\u{1d159}" }), unfit("sub")),
        (json!({ "sub": "al\u{a0}ice" }), unfit("sub")),
        (json!({ "sub": "ren\u{65}\u{301}e" }), unfit("sub")),
        (json!({ "sub": "\u{212b}ngstr\u{f6}m" }), unfit("sub")),
        (json!({ "sub": "a".repeat(LONGEST_NAME) }), unfit("sub")),
        (json!({ "scope": 7 }), unfit("scope")),
        (json!({ "scope": { "tools:read": true } }), unfit("scope")),
        (json!({ "scope": ["tools:read", 7] }), unfit("scope")),
        (json!({ "groups": "engineering" }), unfit("groups")),
        (json!({ "groups": { "engineering": true } }), unfit("groups")),
        (json!({ "groups": ["engineering", 7] }), unfit("groups")),
        (json!({ "client_id": 7 }), unfit("client_id")),
        (json!({ "azp": ["desktop"] }), unfit("azp")),
        (json!({ "act": "agent" }), unfit("act")),
        (json!({ "act": {} }), unfit("act")),
        (json!({ "act": { "sub": "" } }), unfit("act")),
        (json!({ "act": { "sub": "agent", "act": [] } }), unfit("act")),
        (json!({ "cnf": { "jkt": "x" } }), BadToken::Bound),
        (json!({ "cnf": {} }), BadToken::Bound),
    ] {
        assert_eq!(read(changes.clone()).err(), Some(expected), "{changes}");
    }
}

#[test]
fn times_hold_to_the_second() {
    for good in [
        json!({ "exp": NOW + 1 }),
        json!({ "exp": NOW + 86_400 }),
        json!({ "nbf": NOW + 30 }),
        json!({ "iat": NOW + 30 }),
        json!({ "iat": null }),
        json!({ "iat": 0, "nbf": 0 }),
    ] {
        assert!(read(good.clone()).is_ok(), "{good}");
    }
}

#[test]
fn an_audience_may_be_one_of_several() {
    let several = json!({ "aud": ["account", "https://tools.example.com/mcp"] });
    assert!(read(several).is_ok());
    assert!(read(json!({ "aud": vec!["https://tools.example.com/mcp"; MOST_AUDIENCES] })).is_ok());
}

#[test]
fn a_scope_is_a_whole_word_and_what_is_not_said_is_not_there() {
    let scopes = |scope: Value| read(json!({ "scope": scope })).unwrap().principal.scopes.unwrap();
    let none = Scopes { read: false, write: false, destructive: false };
    for nothing in [
        Value::Null,
        json!(""),
        json!("tools"),
        json!("tools:*"),
        json!("tools:readx xtools:write TOOLS:READ"),
        json!("tools:read,tools:write"),
        json!(["tools:read tools:write"]),
    ] {
        assert_eq!(scopes(nothing.clone()), none, "{nothing}");
    }
    let all = Scopes { read: true, write: true, destructive: true };
    assert_eq!(scopes(json!("tools:destructive tools:read tools:write")), all);
    assert_eq!(scopes(json!(["tools:write", "tools:read", "tools:destructive"])), all);
    let other = IssuerTerms { scope_claim: "scp".into(), ..terms() };
    let principal = read_under(&other, json!({ "scope": "tools:write", "scp": "tools:read" })).unwrap().principal;
    assert_eq!(principal.scopes, Some(Scopes { read: true, ..none }));
}

#[test]
fn groups_are_those_that_can_be_named_and_that_the_operator_lets_count() {
    let groups = |groups: Value| read(json!({ "groups": groups })).map(|claimed| claimed.principal.groups);
    let unfit = json!(["a", "a", "with blank", "", "b\u{200b}", "*", "x".repeat(129), "group:c"]);
    assert_eq!(groups(unfit).unwrap(), ["a", "group:c"]);
    let many = |count: usize| json!((0..count).map(|n| format!("g{n}")).collect::<Vec<_>>());
    assert_eq!(groups(many(MOST_GROUPS)).unwrap().len(), MOST_GROUPS);
    assert_eq!(groups(many(MOST_GROUPS + 1)), Err(BadToken::Unfit("groups")));
    let few = IssuerTerms { groups: Some(vec!["g1".into(), "g7".into()]), ..terms() };
    let principal = read_under(&few, json!({ "groups": many(MOST_GROUPS + 1) })).unwrap().principal;
    assert_eq!(principal.groups, ["g1", "g7"], "an issuer gives no group that the operator does not let it give");
    let other = IssuerTerms { groups_claim: "https://example.com/roles".into(), ..terms() };
    let principal = read_under(&other, json!({ "https://example.com/roles": ["r"] })).unwrap().principal;
    assert_eq!(principal.groups, ["r"]);
}

#[test]
fn only_a_token_that_shows_a_person_can_confirm() {
    let human = |changes| read(changes).unwrap().principal.human;
    assert!(human(json!({})) && human(json!({ "azp": "desktop" })));
    assert!(!human(json!({ "client_id": "alice" })) && !human(json!({ "client_id": null })));
    assert!(!human(json!({ "act": { "sub": "agent-7" } })), "who acts for a person is none");
}

#[test]
fn who_acts_for_the_caller_is_kept_eight_deep_with_the_nearest_first() {
    let chain = |length: usize| {
        (0..length).rev().fold(Value::Null, |inner, n| {
            let mut act = json!({ "sub": format!("agent-{n}"), "iss": "https://agents.example" });
            if !inner.is_null() {
                act["act"] = inner;
            }
            act
        })
    };
    let actors = read(json!({ "act": chain(MOST_ACTORS) })).unwrap().principal.actors;
    assert_eq!(actors.len(), MOST_ACTORS);
    assert_eq!(actors.first().unwrap(), "foreign:https://agents.example#agent-0");
    assert_eq!(read(json!({ "act": chain(MOST_ACTORS + 1) })).err(), Some(BadToken::Unfit("act")));
}

#[test]
fn who_acts_is_named_as_a_kill_can_name_it_and_as_that_caller_is_named_itself() {
    let actor = |act: Value| read(json!({ "act": act })).unwrap().principal.actors.remove(0);
    for (act, name) in [
        // of the token's own issuer, said or not
        (json!({ "sub": "bob" }), "oauth:corp/bob"),
        (json!({ "client_id": "desktop" }), "oauth:corp/desktop"),
        (json!({ "sub": "bob", "iss": "https://login.example.com/" }), "oauth:corp/bob"),
        (json!({ "sub": "bob", "iss": "https://partner.example" }), "oauth:partner/bob"),
        // to the byte, or it is another
        (json!({ "sub": "bob", "iss": "https://partner.example/" }), "foreign:https://partner.example/#bob"),
        (json!({ "sub": "c", "iss": "https://a/b" }), "foreign:https://a/b#c"),
        (json!({ "sub": "b/c", "iss": "https://a" }), "foreign:https://a#b/c"),
        (json!({ "sub": "b#c", "iss": "a" }), "foreign:a#b%23c"),
        (json!({ "sub": "c", "iss": "a#b" }), "foreign:a%23b#c"),
        (json!({ "sub": "%23", "iss": "a" }), "foreign:a#%2523"),
        // what no caller of that issuer could be named
        (json!({ "sub": "a\n\u{202e}b c" }), "foreign:https://login.example.com/#a%0A%E2%80%AEb%20c"),
    ] {
        assert_eq!(actor(act.clone()), name, "{act}");
        let target: wardkeep_policy::kill::Target = format!("caller:{name}").parse().unwrap();
        assert_eq!(target.to_string(), format!("caller:{name}"));
    }
    let long = |end: char| actor(json!({ "sub": format!("{}{end}", "\u{e9}".repeat(100)), "iss": "https://a" }));
    assert_ne!(long('a'), long('b'), "what is cut is told apart");
    assert!(long('a').len() <= LONGEST_NAME && long('a').starts_with("foreign:https://a#\u{e9}"), "{}", long('a'));
}

#[test]
fn two_issuers_never_name_the_same_caller() {
    let other = IssuerTerms { name: "partner".into(), ..terms() };
    assert_eq!(read_under(&other, json!({})).unwrap().principal.name, "oauth:partner/alice");
    // the first slash ends the issuer's name, which has none
    assert_eq!(read(json!({ "sub": "partner/alice" })).unwrap().principal.name, "oauth:corp/partner/alice");
}
