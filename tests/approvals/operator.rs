//! What the operator does and sees: bounds of the queue, kills, the page.

use super::*;

#[test]
fn only_so_many_calls_of_one_caller_wait() {
    let home = confirming::home(SERVICE, "", "[confirmation]\npending_per_caller = 2\n");
    let serving = home.serve();
    let mcp = serving.mcp();
    let path = |number: u32| json!({ "path": format!("{number}.md"), "text": "x" });
    for number in 0..2 {
        waits(&call(&mcp, "files_write", &path(number), None));
    }
    let full = call(&mcp, "files_write", &path(2), None);
    assert_eq!(full["isError"], json!(true), "{full}");
    on_record(&home, "approvals-full", "throttled");
    waits(&call(&Mcp { key: OTHER.to_owned(), ..mcp }, "files_write", &path(2), None));
}

#[test]
fn a_kill_takes_every_open_approval_with_it_and_lifting_it_brings_none_back() {
    let home = confirming::home(SERVICE, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    let append = |approval| call(&mcp, "files_append", &note(), approval);
    let (approved, pending) = (waits(&write(&mcp, None)), waits(&append(None)));
    approve(&home, &approved);
    assert!(home.run(&["kill", "plugin:files", "--reason", "it misbehaves"]).status.success());
    let unknown = mcp.request_with_meta(
        "tools/call",
        json!({ "name": "files_write", "arguments": note() }),
        json!({ "dev.wardkeep/approval": approved }),
    );
    assert_eq!(unknown.message()["error"]["message"], "unknown tool `files_write`");
    assert!(home.run(&["revive", "plugin:files", "--reason", "mended"]).status.success());
    for (answer, id) in [(write(&mcp, Some(&approved)), &approved), (append(Some(&pending)), &pending)] {
        refused(&home, &answer, "approval-withdrawn");
        let kept = home.json(&["approvals", "show", id]);
        assert_eq!(
            (&kept["standing"]["is"], &kept["standing"]["by"]),
            (&json!("withdrawn"), &json!("wardkeep (kill plugin:files)")),
            "{kept}"
        );
        let told = home.refused(&["approvals", "approve", id]);
        assert!(told.contains("cannot be approved any more: it is withdrawn"), "{told}");
        assert!(!told.contains("owned by another") && !told.contains("kill -9"), "the host is well: {told}");
    }
    nothing_written(&home, "a kill");
    // nobody said no: the same call asks anew, and runs by a new yes
    let anew = waits(&write(&mcp, None));
    assert_ne!(anew, approved);
    approve(&home, &anew);
    assert_eq!(write(&mcp, None)["isError"], json!(false));
    let withdrawn: Vec<_> = codes(&home).into_iter().filter(|code| code == "approval-withdrawn").collect();
    assert_eq!(withdrawn.len(), 2);
}

#[test]
fn an_approval_does_not_outlive_a_kill_that_came_and_went_while_nobody_served_or_while_it_died() {
    let home = confirming::home(SERVICE, "", "[confirmation]\npending_per_caller = 64\n");
    let path = |number: u32| json!({ "path": format!("{number}.md"), "text": "x" });
    let serving = home.serve();
    let mcp = serving.mcp();
    let write = |mcp: &Mcp, number| call(mcp, "files_write", &path(number), None);
    let first: Vec<_> = (0..40).map(|number| waits(&write(&mcp, number))).collect();
    approve(&home, &first[39]);
    // the host dies the moment that it has answered
    assert!(home.run(&["kill", "writes"]).status.success());
    serving.kill_9();
    let serving = home.serve();
    assert!(home.run(&["revive", "writes"]).status.success());
    let mcp = serving.mcp();
    let second = waits(&write(&mcp, 39));
    assert!(!first.contains(&second));
    approve(&home, &second);
    serving.terminate();
    // no host is there at all
    for command in ["kill", "revive"] {
        assert!(home.run(&[command, "all"]).status.success());
    }
    let listed = home.json(&["approvals", "list", "--all"]);
    assert!(listed.as_array().unwrap().iter().all(|it| it["standing"]["is"] == "withdrawn"), "{listed}");
    let serving = home.serve();
    assert!(![first, vec![second]].concat().contains(&waits(&write(&serving.mcp(), 39))));
    nothing_written(&home, "an approval from before a kill");
}

#[test]
fn what_a_host_that_is_well_refuses_to_decide_does_not_read_as_if_it_hung() {
    let home = confirming::home(SERVICE, "", "");
    let _serving = home.serve();
    let told = home.refused(&["approvals", "approve", "apv-0000000000000000"]);
    assert!(told.contains("no approval is named `apv-0000000000000000`"), "{told}");
    assert!(told.contains("mend: wardkeep approvals list --all"), "{told}");
    assert!(!told.contains("owned by another") && !told.contains("if it hangs"), "{told}");
}

#[test]
fn every_command_of_the_confirmation_page_does_what_the_page_says() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/confirmation.md")).unwrap();
    let block = page.split("```").find(|block| block.contains("\nwardkeep approvals list")).expect("the commands");
    let home = confirming::home(SERVICE, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    let [yes, no] =
        ["yes.md", "no.md"].map(|path| waits(&call(&mcp, "files_write", &json!({ "path": path, "text": "x" }), None)));
    let lines: Vec<_> = block.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 4, "{block}");
    for line in lines {
        let id = if line.contains(" deny ") { &no } else { &yes };
        let command = line.split("  #").next().unwrap().replace("APPROVAL", id);
        let words: Vec<_> = command.split_whitespace().skip(1).collect();
        let output = home.run(&words);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command}: {said}");
        assert!(!line.contains("list") || said.contains(&yes) && said.contains(&no), "{command}: {said}");
    }
    let listed = home.json(&["approvals", "list", "--all"]);
    let standing =
        |id: &str| listed.as_array().unwrap().iter().find(|it| it["id"] == id).unwrap()["standing"]["is"].clone();
    assert_eq!((standing(&yes), standing(&no)), (json!("approved"), json!("denied")));
}
