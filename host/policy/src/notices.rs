//! What is no fault, but what the people in charge should know: `wardkeep check` shows it, and nothing is refused for it.

mod limits;
mod networks;
mod places;

use std::{collections::BTreeSet, sync::Arc};

use ipnet::IpNet;
use wardkeep_model::{Ask, Definition, Description, Effect, Scheme};

use crate::{
    approval::HostTerms,
    document::{Fault, quoted},
    manifest::{Access, Grant, GrantKey, HostPattern, HttpGrant, Inject, Manifest, SourceKind, Stage, ToolTerms},
    plugin::Tool,
};

/// All of them, in the order of the document where that is easy.
pub(crate) fn notices(manifest: &Manifest, tools: &[Arc<Tool>], told: &Description, host: &HostTerms) -> Vec<Fault> {
    let mut notices = Vec::new();
    for (key, grant) in manifest.grants() {
        match grant {
            Grant::Http(http) => notices.extend(requests(manifest, http)),
            Grant::Files(files) if files.access == Access::Write => notices.extend(unwritten(manifest, key)),
            _ => {}
        }
    }
    notices.extend(secrets(manifest));
    for terms in manifest.tools().values() {
        notices.extend(limits::capped(manifest, terms, host));
        notices.extend(served(manifest, terms));
        notices.extend(unusable(manifest, terms));
        notices.extend(unasked(manifest, terms));
        if let Some(definition) = told.tools.iter().find(|tool| tool.name == terms.name.as_str()) {
            notices.extend(uncarried(manifest, terms, definition));
        }
        if let Some(tool) = tools.iter().find(|tool| *tool.name() == terms.name) {
            notices.extend(places::notices(manifest, terms, tool));
        }
    }
    notices.extend(unlisted(manifest, told));
    notices
}

/// Whom a tool does not serve, though it looks as if it did.
fn served(manifest: &Manifest, terms: &ToolTerms) -> Option<Fault> {
    let fault = |key: &str, message: &str| manifest.fault(&format!("tools.{}.{key}", terms.name), message);
    let nobody = terms.stage != Stage::Off && terms.allow.is_empty();
    nobody.then(|| fault("allow", "nobody may call this tool").mend("allow = [\"group:NAME\"]"))
}

fn requests(manifest: &Manifest, http: &HttpGrant) -> Vec<Fault> {
    let fault = |key: &str, message: String| manifest.fault(&format!("grants.http.{}.{key}", http.name), message);
    let mut notices = Vec::new();
    if http.scheme == Scheme::Http {
        let message = "in the clear: everybody on the way reads and changes it";
        notices.push(fault("scheme", message.to_owned()).mend("write scheme = \"https\""));
    }
    if let (Some(secret), HostPattern::Below(name)) = (&http.secret, &http.host) {
        let message = format!("every host below `{name}` is sent the secret `{secret}`, whoever runs it");
        notices.push(fault("host", message).mend("name the hosts, one grant each"));
    }
    if http.read_only {
        let message = "a signed exception: tools that read send every method of this grant, and only its signers vouch that nothing is \
                       changed by it";
        notices.push(fault("read_only", message.to_owned()));
    }
    for net in http.private.iter().filter(|net| networks::is_public(net)) {
        let message = format!("`{net}` is public, and reached without being named here");
        notices.push(fault("private", message).mend("remove it"));
    }
    if http.private.iter().any(holds_metadata) {
        let message = "holds the address at which clouds tell machines their own credentials";
        notices.push(fault("private", message.to_owned()).mend("name a smaller network"));
    }
    notices
}

/// 169.254.169.254 of most clouds, and what stands for it in IPv6 at one of them.
fn holds_metadata(net: &IpNet) -> bool {
    let [four, six] = [[169, 254, 169, 254].into(), [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254].into()];
    net.contains::<&std::net::IpAddr>(&four) || net.contains::<&std::net::IpAddr>(&six)
}

fn secrets(manifest: &Manifest) -> Vec<Fault> {
    let mut notices = Vec::new();
    for (name, terms) in manifest.secrets() {
        let fault = |key: &str, message: &str| manifest.fault(&format!("secrets.{name}.{key}"), message);
        if let Inject::Query { .. } = terms.inject {
            let message = "goes into the query, which ends in the logs of everybody on the way";
            let mend = "inject = { header = \"…\" }, if the upstream takes it there";
            notices.push(fault("inject", message).mend(mend));
        }
        if terms.source.kind == SourceKind::Env {
            let message = "from the environment, which other programs may see and which changes with a restart only";
            notices.push(fault("source", message).mend("source = \"file:NAME\""));
        }
    }
    notices
}

/// A grant of writing that only tools use which read.
fn unwritten(manifest: &Manifest, key: &GrantKey) -> Option<Fault> {
    let mut users = manifest.tools().values().filter(|tool| tool.uses.contains(key));
    users.all(|tool| tool.effect == Effect::Read).then(|| {
        let fault = manifest.fault(&format!("grants.{key}.access"), "only tools that read use it, so nobody writes");
        fault.mend("access = \"read\"")
    })
}

/// A grant of which this tool gets no method.
fn unusable(manifest: &Manifest, terms: &ToolTerms) -> Vec<Fault> {
    let reading = terms.effect == Effect::Read;
    let useless = |key: &&GrantKey| match manifest.grants().get(key) {
        Some(Grant::Http(http)) => !http.methods.iter().any(|method| http.gives(reading, *method)),
        _ => false,
    };
    let told = |key: &GrantKey| {
        let message = format!("a tool that reads sends GET, HEAD and OPTIONS only, so it gets nothing of `{key}`");
        manifest.fault(&format!("tools.{}.uses", terms.name), message)
    };
    terms.uses.iter().filter(useless).map(told).collect()
}

/// Questions that are never put.
fn unasked(manifest: &Manifest, terms: &ToolTerms) -> Option<Fault> {
    (terms.asks && terms.returns.hides_words()).then(|| {
        let message = "its questions are never put, since `returns` keeps the plugin's own words from leaving";
        let mend = "remove it, or `redact`, `fields` and `content = \"metadata\"` of `returns`";
        manifest.fault(&format!("tools.{}.asks", terms.name), message).mend(mend)
    })
}

/// Secrets that the component will open by a name under which the tool holds none: mostly another name for the same.
fn uncarried(manifest: &Manifest, terms: &ToolTerms, definition: &Definition) -> Vec<Fault> {
    let held = |name: &str| {
        terms.uses.iter().any(|key| match manifest.grants().get(key) {
            Some(Grant::Http(http)) => http.secret.as_ref().is_some_and(|secret| secret.as_str() == name),
            _ => false,
        })
    };
    let asked: BTreeSet<&str> = definition
        .asks
        .iter()
        .filter_map(|ask| match ask {
            Ask::Secret(secret) => Some(secret.name.as_str()),
            _ => None,
        })
        .collect();
    let told = |name: &str| {
        let message =
            format!("the component asks for the secret {}, which no grant of this tool carries", quoted(name));
        let mend = "a grant with this `secret`, by the component's own name for it, and that grant in `uses`";
        manifest.fault(&format!("tools.{}.uses", terms.name), message).mend(mend)
    };
    asked.into_iter().filter(|name| !held(name)).map(told).collect()
}

fn unlisted(manifest: &Manifest, description: &Description) -> Option<Fault> {
    let listed = |name: &str| manifest.tools().keys().any(|listed| listed.as_str() == name);
    let unlisted: Vec<_> =
        description.tools.iter().map(|tool| &tool.name).filter(|name| !listed(name)).map(|name| quoted(name)).collect();
    (!unlisted.is_empty()).then(|| {
        let message = format!("tools of the component that are not listed, so not served: {}", unlisted.join(", "));
        manifest.fault("tools", message)
    })
}
