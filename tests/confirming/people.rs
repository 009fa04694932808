//! Who is a person: whoever acts for one, and programs with tokens of their own, confirm nothing; their writes wait for the operator.

use super::*;
use crate::support::issuer::Issuer;

fn serve(issuer: &Issuer, human: &str) -> (Home, Serving) {
    let home = issuer.home(&format!("writes = true\n{human}\n"), "");
    let component = guests::files_write();
    let tools = "[tools.write]\neffect = \"write\"\nside_effects = \"changes files below tree/\"\nuses = [\"files.tree\"]\n\
                 allow = [\"group:tests\"]\nresources = [\"/path\"]\n";
    let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"write\"\n";
    home.install(&Plugin { tools: tools.to_owned(), ..Plugin::granted("files", &component, &[], grants) });
    let serving = home.serve();
    (home, serving)
}

/// Whose token says these things.
fn of(issuer: &Issuer, serving: &Serving, says: &Value) -> Mcp {
    let mut claims = issuer.claims("tools:read tools:write");
    for (claim, value) in says.as_object().unwrap() {
        claims[claim] = value.clone();
    }
    Mcp { address: serving.address, key: issuer.ed.token(&claims) }
}

fn write(mcp: &Mcp, retry: &Value) -> Value {
    let answer = call(mcp, "files_write", note(), retry);
    if answer["result"].is_null() { answer } else { answer["result"].clone() }
}

/// The approval that it is told to wait for.
fn waits(answer: &Value) -> String {
    assert_eq!(answer["_meta"]["dev.wardkeep/approval-is"], "pending", "{answer}");
    answer["_meta"]["dev.wardkeep/approval"].as_str().unwrap().to_owned()
}

fn agent(issuer: &Issuer, serving: &Serving, name: &str) -> Mcp {
    let act = json!({ "sub": name, "iss": "https://agents.example.com" });
    of(issuer, serving, &json!({ "client_id": name, "act": act }))
}

#[test]
fn an_agent_that_acts_for_a_person_confirms_nothing_and_an_operator_s_yes_is_that_agent_s_alone() {
    let issuer = Issuer::start();
    let (home, serving) = serve(&issuer, "human = true");
    let alice = of(&issuer, &serving, &json!({ "client_id": "desktop" }));
    let [seven, eight] = ["agent-7", "agent-8"].map(|name| agent(&issuer, &serving, name));
    let asked = ask(&alice);
    let stolen = write(&seven, &yes(&asked));
    assert_eq!(stolen["error"]["code"], -32602, "{stolen}");
    on_record(&home, "state-of-another-call", "denied");
    let id = waits(&write(&seven, &json!({})));
    nothing_written(&home, "nobody has said yes");

    let shown = String::from_utf8(home.run(&["approvals", "show", &id]).stdout).unwrap();
    for words in ["oauth:corp/alice", "foreign:https://agents.example.com#agent-7"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    home.json(&["approvals", "approve", &id]);
    assert_ne!(waits(&write(&eight, &json!({}))), id, "another agent of the same person");
    assert_eq!(ask(&alice)["resultType"], "input_required", "and that person");
    nothing_written(&home, "the yes was said to another");
    let done = write(&seven, &json!({}));
    assert_eq!(done["isError"], json!(false), "{done}");
    let by_agent = lines(&home, "intent").pop().unwrap();
    assert_eq!(by_agent["unmapped"]["confirmed"]["how"], "operator", "{by_agent}");

    fs::remove_file(home.tree().join("a.md")).unwrap();
    let done = write(&alice, &yes(&asked));
    assert_eq!(done["isError"], json!(false), "her own question is hers to answer: {done}");
    assert_eq!(lines(&home, "intent").pop().unwrap()["unmapped"]["confirmed"]["by"], "oauth:corp/alice");
}

#[test]
fn the_token_of_a_program_confirms_nothing_however_its_issuer_writes_it() {
    let issuer = Issuer::start();
    let (home, serving) = serve(&issuer, "human = true");
    for program in [
        json!({ "sub": "nobody-says-by-which-client" }),
        json!({ "sub": "C1d@clients", "azp": "C1d" }),
        json!({ "sub": "d952", "azp": "svc", "preferred_username": "service-account-svc" }),
        json!({ "sub": "0oa1", "cid": "0oa1" }),
        json!({ "sub": "9f-sp", "oid": "9f-sp", "appid": "1a-app" }),
        json!({ "sub": "bot", "client_id": "other", "azp": "bot" }),
    ] {
        waits(&write(&of(&issuer, &serving, &program), &json!({})));
    }
    nothing_written(&home, "nobody has said yes");
}

#[test]
fn where_the_operator_says_which_claim_people_have_no_other_token_is_a_person_s() {
    let issuer = Issuer::start();
    let (home, serving) = serve(&issuer, "human = { amr = \"mfa\" }");
    let without = of(&issuer, &serving, &json!({ "client_id": "desktop", "amr": ["pwd"] }));
    waits(&write(&without, &json!({})));
    nothing_written(&home, "nobody has said yes");
    let with = of(&issuer, &serving, &json!({ "client_id": "desktop", "amr": ["pwd", "mfa"] }));
    let done = write(&with, &yes(&ask(&with)));
    assert_eq!(done["isError"], json!(false), "{done}");
}
