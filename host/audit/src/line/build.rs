//! From what the host knows to OCSF's attributes: one constructor a kind of line.

use std::{borrow::Cow, time::Duration};

use jiff::Timestamp;
use wardkeep_model::{Authenticated, Cost, Digest, Effect, Limits, Outcome, PluginName, Principal};

use super::{
    Actor, Api, CLAIMED, Endpoint, Line, LineCost, LineLimits, Metadata, NAMED, Name, Phase, Product, Resource, Uid,
    Unmapped, User,
};
use crate::{Closing, Event, Intent, Origin, Refusal, record::TidyClosing};

const OCSF: &str = "1.8.0";
const CLASS: u32 = 6003;
const UNSET: Digest = Digest::from_bytes([0; 32]);

const INFORMATIONAL: u32 = 1;
const LOW: u32 = 2;
const MEDIUM: u32 = 3;
const HIGH: u32 = 4;

impl<'a> Line<'a> {
    pub(crate) fn intent(intent: &'a Intent, time: Timestamp) -> Self {
        let mut line = Self::call(intent, Phase::Intent, time);
        let Limits { fuel, memory, deadline, output, host_calls, .. } = intent.limits;
        line.unmapped.limits = Some(LineLimits { fuel, memory, deadline_ms: millis(deadline), output, host_calls });
        line
    }

    pub(crate) fn outcome(intent: &'a Intent, tidy: &'a TidyClosing, time: Timestamp) -> Self {
        let mut line = Self::call(intent, Phase::Outcome, time);
        let Closing { outcome, error_class, cost, notes, touched, egress } = &tidy.closing;
        line.end(*outcome, error_class.as_deref());
        line.duration = Some(millis(cost.elapsed));
        let claimed = touched.iter().map(|id| Resource { uid: Cow::Borrowed(id), r#type: Cow::Borrowed(CLAIMED) });
        line.resources.extend(claimed);
        let Cost { fuel, memory_peak, elapsed, host_calls, output, log_lines_dropped, progress_dropped } = *cost;
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        line.unmapped.cost =
            Some(LineCost { fuel, memory_peak, elapsed_us, host_calls, output, log_lines_dropped, progress_dropped });
        line.unmapped.egress = Cow::Borrowed(egress);
        line.unmapped.notes = Cow::Borrowed(notes);
        line.unmapped.notes_dropped = Some(tidy.notes_dropped).filter(|count| *count > 0);
        line.unmapped.resources_dropped = Some(tidy.touched_dropped).filter(|count| *count > 0);
        line
    }

    pub(crate) fn refusal(refusal: &'a Refusal, time: Timestamp) -> Self {
        let mut line = Self::new(Phase::Refusal, "refusal", (0, "Unknown"), time);
        line.metadata.correlation_uid = Some(refusal.correlation.clone());
        line.who(refusal.principal.as_ref(), &refusal.origin);
        // Not every refused request names a tool.
        line.api.operation = Cow::Borrowed(refusal.tool.as_deref().unwrap_or("unknown"));
        line.unmapped.rule = Some(Cow::Borrowed(&refusal.rule));
        line.end(refusal.outcome, None);
        line
    }

    pub(crate) fn refusals(
        refusal: &'a Refusal,
        count: u64,
        (from, to): (Timestamp, Timestamp),
        time: Timestamp,
    ) -> Self {
        let mut line = Self::refusal(refusal, time);
        line.count = Some(count);
        line.start_time = Some(from.as_millisecond());
        line.end_time = Some(to.as_millisecond());
        line
    }

    pub(crate) fn event(event: &'a Event, time: Timestamp) -> Self {
        let mut line = Self::new(Phase::Event, event.code(), (99, event.code()), time);
        line.actor.app_name = Some(Cow::Borrowed("wardkeep"));
        line.api.operation = Cow::Borrowed(event.code());
        line.severity_id = match event {
            Event::StateReset { .. } | Event::Unfinished { .. } => HIGH,
            Event::PluginRejected { .. }
            | Event::ReloadRefused { .. }
            | Event::Revoked { .. }
            | Event::Killed { .. }
            | Event::Braked { .. }
            | Event::TornTail { .. } => MEDIUM,
            _ => INFORMATIONAL,
        };
        let failed = matches!(
            event,
            Event::PluginRejected { .. }
                | Event::ReloadRefused { .. }
                | Event::TornTail { .. }
                | Event::Unfinished { .. }
        );
        line.status(if failed { (2, "Failure") } else { (1, "Success") });
        if let Event::Unfinished { correlation, .. } | Event::ApprovalAsked { correlation, .. } = event {
            line.metadata.correlation_uid = Some(correlation.clone());
        }
        line.unmapped.event = Some(Cow::Borrowed(event));
        line
    }

    fn call(intent: &'a Intent, phase: Phase, time: Timestamp) -> Self {
        let activity = match intent.effect {
            Effect::Read => (2, "Read"),
            Effect::Write => (3, "Update"),
            Effect::Destructive => (4, "Delete"),
        };
        let mut line = Self::new(phase, phase.as_str(), activity, time);
        line.metadata.correlation_uid = Some(intent.correlation.clone());
        line.who(Some(&intent.principal), &intent.origin);
        line.api.operation = Cow::Borrowed(intent.published.as_str());
        line.api.service =
            Some(Name { name: Cow::Borrowed(intent.plugin.as_str()), version: Some(Cow::Borrowed(&intent.version)) });
        line.unmapped.tool = Some(Cow::Borrowed(intent.tool.as_str()));
        line.unmapped.effect = Some(intent.effect);
        line.unmapped.manifest = Some(intent.manifest_digest);
        line.unmapped.serial = Some(intent.serial);
        line.unmapped.contract = Some(intent.contract_digest);
        line.unmapped.rule = Some(Cow::Borrowed(&intent.rule));
        line.unmapped.resumes.clone_from(&intent.resumes);
        line.unmapped.confirmed = intent.confirmed.as_ref().map(Cow::Borrowed);
        let named = |(place, id): &'a (String, String)| Resource {
            uid: Cow::Borrowed(id),
            r#type: Cow::Owned(format!("{NAMED}{place}")),
        };
        line.resources = intent.resources.iter().map(named).collect();
        line
    }

    fn new(phase: Phase, code: &'a str, (activity_id, activity_name): (u32, &'a str), time: Timestamp) -> Self {
        Self {
            category_uid: 6,
            category_name: Cow::Borrowed("Application Activity"),
            class_uid: CLASS,
            class_name: Cow::Borrowed("API Activity"),
            activity_id,
            activity_name: Cow::Borrowed(activity_name),
            type_uid: CLASS * 100 + activity_id,
            severity_id: INFORMATIONAL,
            time: time.as_millisecond(),
            status_id: None,
            status: None,
            status_code: None,
            status_detail: None,
            duration: None,
            count: None,
            start_time: None,
            end_time: None,
            metadata: Metadata {
                version: Cow::Borrowed(OCSF),
                product: Product {
                    name: Cow::Borrowed("Wardkeep"),
                    vendor_name: Cow::Borrowed("Wardkeep"),
                    version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
                },
                profiles: Vec::new(),
                event_code: Cow::Borrowed(code),
                correlation_uid: None,
                sequence: 0,
            },
            actor: Actor { user: None, app_name: None },
            api: Api { operation: Cow::Borrowed(""), service: None, request: None },
            src_endpoint: Endpoint { name: Cow::Borrowed("host"), ip: None },
            trace: None,
            resources: Vec::new(),
            unmapped: Unmapped {
                phase,
                tool: None,
                effect: None,
                manifest: None,
                serial: None,
                contract: None,
                rule: None,
                resumes: None,
                confirmed: None,
                authenticated: None,
                actors: Cow::Borrowed(&[]),
                client: None,
                protocol: None,
                limits: None,
                outcome: None,
                blame: None,
                cost: None,
                egress: Cow::Borrowed(&[]),
                notes: Cow::Borrowed(&[]),
                notes_dropped: None,
                resources_dropped: None,
                event: None,
                prev: UNSET,
                digest: UNSET,
            },
        }
    }

    fn who(&mut self, principal: Option<&'a Principal>, origin: &'a Origin) {
        if let Some(principal) = principal {
            let groups =
                principal.groups.iter().map(|name| Name { name: Cow::Borrowed(name), version: None }).collect();
            self.actor.user = Some(User { name: Cow::Borrowed(&principal.name), groups });
            self.unmapped.authenticated = Some(Cow::Borrowed(match principal.authenticated {
                Authenticated::Stdio => "stdio",
                Authenticated::Socket => "socket",
                Authenticated::ApiKey => "api-key",
                Authenticated::OAuth => "oauth",
            }));
            self.unmapped.actors = Cow::Borrowed(&principal.actors);
        }
        let client = origin.client.as_ref();
        // OCSF asks for at least one of them; a caller without either is named for what it is.
        let nameless = principal.is_none().then_some("unauthenticated");
        self.actor.app_name = client.map(|client| client.name.as_str()).or(nameless).map(Cow::Borrowed);
        self.unmapped.client = client
            .map(|client| Name { name: Cow::Borrowed(&client.name), version: Some(Cow::Borrowed(&client.version)) });
        self.unmapped.protocol = origin.protocol.as_deref().map(Cow::Borrowed);
        self.src_endpoint.name = Cow::Borrowed(origin.transport);
        self.src_endpoint.ip = origin.peer.as_deref().map(Cow::Borrowed);
        self.api.request = origin.request_id.as_deref().map(|uid| Uid { uid: Cow::Borrowed(uid) });
        self.trace = origin.trace_id.as_deref().map(|uid| Uid { uid: Cow::Borrowed(uid) });
        if self.trace.is_some() {
            self.metadata.profiles = vec![Cow::Borrowed("trace")];
        }
    }

    fn end(&mut self, outcome: Outcome, class: Option<&'a str>) {
        self.status(match outcome {
            Outcome::Ok | Outcome::InputRequired => (1, "Success"),
            Outcome::Partial => (99, "Partial"),
            _ => (2, "Failure"),
        });
        self.severity_id = match outcome {
            Outcome::Ok | Outcome::InputRequired | Outcome::Partial => INFORMATIONAL,
            Outcome::Trap | Outcome::Limit(_) | Outcome::OutputRejected | Outcome::Killed => MEDIUM,
            Outcome::HostError => HIGH,
            _ => LOW,
        };
        self.status_code = Some(Cow::Borrowed(outcome.as_str()));
        self.status_detail = class.map(Cow::Borrowed);
        self.unmapped.outcome = Some(outcome);
        self.unmapped.blame = outcome.blame();
    }

    fn status(&mut self, (id, name): (u32, &'a str)) {
        self.status_id = Some(id);
        self.status = Some(Cow::Borrowed(name));
    }

    /// The plugin of a call, or of an event about one.
    pub(crate) fn plugin(&self) -> Option<&str> {
        match self.unmapped.event.as_deref() {
            Some(Event::PluginLoaded { plugin, .. } | Event::PluginRemoved { plugin, .. }) => {
                Some(PluginName::as_str(plugin))
            }
            Some(Event::PluginRejected { plugin, .. }) => Some(plugin),
            _ => self.api.service.as_ref().map(|service| &*service.name),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
