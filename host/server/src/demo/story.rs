//! The steps of the demo. Each looks at what really happened, in the answer and in the audit log, and says so in one line.

use std::path::Path;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use wardkeep_audit::{Phase, Query, Record};
use wardkeep_gateway::{Called, CancellationToken, Client, ClientError, HttpOptions, HttpServer};
use wardkeep_model::{LimitKind, Outcome};

use super::{
    Steps,
    stage::{self, SPINNER_FUEL, Stage},
};
use crate::{
    commands::check,
    home::{Home, Owner},
    owner::Owned,
    screen::{escaped, escaped_lines},
};

pub(super) async fn tell(directory: &Path, steps: &mut Steps) -> anyhow::Result<()> {
    if !steps.screen.is_json() {
        steps.screen.line(format!("A throwaway home in {}\n", directory.display()))?;
    }
    let stage = stage::build(directory).await?;
    steps.show(
        "approve",
        "An SSH key was made; the operator's file pins it, and it signed one manifest for each of two WebAssembly plugins.",
        Ok(format!("approver {}", stage.fingerprint)),
    )?;
    let owned = Owned::open_with(&stage.home, Owner::of(stage.home.path())?, Some(stage.engine.clone())).await?;
    let stop = CancellationToken::new();
    let told = serve(&stage, &owned, &stop, steps).await;
    stop.cancel();
    owned.close("demo").await;
    told?;
    verified(&stage.home, steps)
}

/// Serves over HTTP and speaks to it as any client would.
async fn serve(stage: &Stage, owned: &Owned, stop: &CancellationToken, steps: &mut Steps) -> anyhow::Result<()> {
    let options =
        HttpOptions { listen: owned.terms.config.listen.http, public_url: None, origins: Vec::new(), proxies: None };
    let server = HttpServer::bind(options, owned.host.clone()).await?;
    let url = format!("http://{}/mcp", server.address());
    let serving = tokio::spawn(server.run(stop.clone()));
    let client = Client::connect(&url, &stage.key).await.context("the demo's client")?;
    let names: Vec<_> = client.tools().await?.into_iter().map(|tool| tool.name.to_string()).collect();
    let expected = ["files_read", "files_search", "spinner_spin"];
    let seen = format!("{url} lists {}", names.join(", "));
    let explanation = "A host serves MCP over HTTP; its client is shown what its own key may call, and nothing else.";
    steps.show("serve", explanation, if names == expected { Ok(seen) } else { Err(seen) })?;
    allowed(&client, steps).await?;
    refused(stage, &client, steps).await?;
    neighbour(stage, &client, steps).await?;
    endless(stage, &client, steps).await?;
    tampered(stage, &client, steps).await?;
    client.close().await;
    stop.cancel();
    Ok(serving.await?)
}

async fn call(client: &Client, tool: &str, arguments: Value) -> Result<Called, ClientError> {
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    client.call(tool, arguments).await
}

async fn allowed(client: &Client, steps: &mut Steps) -> anyhow::Result<()> {
    let called = call(client, "files_search", json!({ "root": "tree", "pattern": "lighthouse" })).await?;
    let found = !called.is_error && called.text.contains("monday.txt") && called.text.contains("tuesday.txt");
    let seen = escaped_lines(called.text.trim_end());
    let explanation =
        "A read that the manifest allows: the component searches a directory that it was granted, and sees no other.";
    steps.show("allowed", explanation, if found { Ok(seen) } else { Err(seen) })
}

async fn refused(stage: &Stage, client: &Client, steps: &mut Steps) -> anyhow::Result<()> {
    let answer = call(client, "files_list", json!({ "root": "tree" })).await;
    let said = match &answer {
        Err(ClientError::Refused { message, .. }) => Ok(message.clone()),
        Err(other) => Err(other.to_string()),
        Ok(called) => Err(called.text.clone()),
    };
    let query = Query { tool: Some("files_list".into()), outcome: Some(Outcome::Denied), ..Query::default() };
    let rule = find(&stage.home, &query)?.and_then(|record| record.rule);
    let seen = match (said, rule) {
        (Ok(said), Some(rule)) if rule != "unknown-tool" => {
            Ok(format!("the client reads: {}\nthe audit log says: denied, {}", escaped(&said), escaped(&rule)))
        }
        (Ok(said) | Err(said), rule) => Err(format!("{}; the rule was {rule:?}", escaped(&said))),
    };
    steps.show(
        "refused",
        "A call for want of a right: the tool is there, for others. The client cannot tell; the log can.",
        seen,
    )
}

async fn neighbour(stage: &Stage, client: &Client, steps: &mut Steps) -> anyhow::Result<()> {
    let called = call(client, "files_read", json!({ "root": "vault", "path": "pin.txt" })).await?;
    let record = outcome(&stage.home, &called)?;
    let ended = record.and_then(|record| record.outcome);
    let seen = format!("the client reads: {}", escaped(&called.text));
    let well = called.is_error && ended == Some(Outcome::ToolError) && !called.text.contains("1234");
    let seen = if well { Ok(seen) } else { Err(seen) };
    steps.show(
        "no grant",
        "The same tool asks for a directory that exists but was not granted to it: it is told no.",
        seen,
    )
}

async fn endless(stage: &Stage, client: &Client, steps: &mut Steps) -> anyhow::Result<()> {
    let called = call(client, "spinner_spin", json!({})).await?;
    let record = outcome(&stage.home, &called)?;
    let ended = record.as_ref().and_then(|record| record.outcome);
    let seen = match record {
        Some(record) => {
            format!("{}: fuel {} of {SPINNER_FUEL}", ended.map_or("-", Outcome::as_str), record.fuel.unwrap_or(0))
        }
        None => "no record".to_owned(),
    };
    let well = called.is_error && ended == Some(Outcome::Limit(LimitKind::Fuel));
    let explanation = "A plugin that never ends: it is stopped when its fuel is gone, alone, and the host goes on.";
    steps.show("stopped", explanation, if well { Ok(seen) } else { Err(seen) })
}

async fn tampered(stage: &Stage, client: &Client, steps: &mut Steps) -> anyhow::Result<()> {
    stage::tamper(&stage.home)?;
    let (_, loaded) = check::loaded(&stage.home, Timestamp::now()).await?;
    let rejected = loaded.rejected.iter().find(|rejected| rejected.plugin == "files");
    let fault = rejected.and_then(|rejected| rejected.faults.iter().next());
    let serves_on = call(client, "files_read", json!({ "root": "tree", "path": "notes/monday.txt" })).await;
    let serves_on = serves_on.is_ok_and(|called| !called.is_error);
    let seen = match fault {
        Some(fault) if serves_on && loaded.served.len() == 1 => Ok(format!("{}: {}", fault.file, fault.message)),
        Some(fault) => Err(format!("{fault}; serves on: {serves_on}")),
        None => Err("the changed manifest was accepted".to_owned()),
    };
    let explanation = "Somebody widens a signed manifest by one word: it is refused by its signature, and what was approved serves on.";
    steps.show("tampered", explanation, seen)
}

fn verified(home: &Home, steps: &mut Steps) -> anyhow::Result<()> {
    let seen = match wardkeep_audit::verify(&home.audit()) {
        Ok(verified) if verified.unfinished.is_empty() && verified.incomplete.is_none() => {
            Ok(format!("{} records, head {}", verified.records, verified.head))
        }
        Ok(verified) => Err(verified.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let explanation =
        "All of it stands in the audit log, each call before it ran and before it was answered; the chain is whole.";
    steps.show("audit", explanation, seen)
}

fn outcome(home: &Home, called: &Called) -> anyhow::Result<Option<Record>> {
    let correlation = called.correlation.as_deref().and_then(|id| id.parse().ok());
    let Some(correlation) = correlation else { return Ok(None) };
    let found = wardkeep_audit::query(&home.audit(), &Query { correlation: Some(correlation), ..Query::default() })?;
    Ok(found.into_iter().find(|record| record.phase == Phase::Outcome))
}

fn find(home: &Home, query: &Query) -> anyhow::Result<Option<Record>> {
    Ok(wardkeep_audit::query(&home.audit(), query)?.pop())
}
