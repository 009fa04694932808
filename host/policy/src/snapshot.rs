//! The plugins of one moment, and who may call which of their tools. Immutable: a reload makes a new one.
//!
//! Lists, searches and decisions run on every request, so what they need is prepared here once: published names in order, and for
//! each plugin the people whose signatures count under the trust that is in force.

pub(crate) mod standing;

use std::sync::Arc;

use jiff::Timestamp;
use wardkeep_model::PluginName;

use crate::{
    authorize::{Denial, Rule},
    case::Case,
    decision::decide,
    document::{Fault, Faults},
    plugin::{PluginTerms, Tool},
    revocation::Revocations,
    trust::Trust,
};

use standing::Standing;

/// The plugins that are served.
#[derive(Debug, Default)]
pub struct Snapshot {
    plugins: Vec<(Arc<PluginTerms>, Standing)>,
    /// In the order of published names.
    tools: Vec<Entry>,
    /// What calls that began under an older snapshot are judged by.
    terms: Option<(Trust, Revocations)>,
}

#[derive(Debug)]
struct Entry {
    tool: Arc<Tool>,
    plugin: usize,
}

impl Snapshot {
    /// The snapshot of no plugin: every call is refused.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The snapshot of these plugins under this trust. Approvals are asked again of it: a person who was taken out of the trust no
    /// longer counts, whenever the manifest was loaded.
    ///
    /// # Errors
    /// Two plugins have the same name, or two tools the same published name.
    pub fn new(plugins: Vec<Arc<PluginTerms>>, trust: &Trust, revocations: &Revocations) -> Result<Self, Faults> {
        let mut tools: Vec<Entry> = Vec::new();
        let mut faults = Faults::none();
        for (index, plugin) in plugins.iter().enumerate() {
            if plugins.iter().take(index).any(|other| other.plugin() == plugin.plugin()) {
                let message = format!("another plugin is named `{}` too", plugin.plugin());
                faults.push(plugin.manifest.fault("plugin.name", message).mend("remove one of them"));
            }
            tools.extend(plugin.tools.iter().map(|tool| Entry { tool: tool.clone(), plugin: index }));
        }
        // The sort is stable, so of two equal names the later plugin's is at fault.
        tools.sort_by(|a, b| a.tool.published().cmp(b.tool.published()));
        faults.extend(tools.windows(2).filter_map(collision));
        let standing = |plugin: Arc<PluginTerms>| {
            let standing = Standing::of(&plugin, trust, revocations);
            (plugin, standing)
        };
        faults.unless(()).map(|()| Self {
            plugins: plugins.into_iter().map(standing).collect(),
            tools,
            terms: Some((trust.clone(), revocations.clone())),
        })
    }

    /// The plugins in the order that they were given.
    pub fn plugins(&self) -> impl Iterator<Item = &Arc<PluginTerms>> {
        self.plugins.iter().map(|(plugin, _)| plugin)
    }

    /// The plugin of this name.
    #[must_use]
    pub fn plugin(&self, name: &PluginName) -> Option<&Arc<PluginTerms>> {
        self.plugins().find(|plugin| plugin.plugin() == name)
    }

    /// How many plugins.
    #[must_use]
    pub const fn plugin_count(&self) -> usize {
        self.plugins.len()
    }

    /// How many tools, whoever may call them.
    #[must_use]
    pub const fn tool_count(&self) -> usize {
        self.tools.len()
    }

    /// Why this plugin's tools are not served at this time, whoever calls; nothing if they are.
    #[must_use]
    pub fn out_of_service(&self, name: &PluginName, now: Timestamp) -> Option<Rule> {
        let standing = self.plugins.iter().find(|(plugin, _)| plugin.plugin() == name).map(|(_, standing)| standing);
        standing.map_or(Some(Rule::UnknownTool), |standing| standing.objection(now))
    }

    /// Why a call that began under these terms must not go on at this time; nothing if it may. A plugin that was replaced since lets
    /// its calls end as they began; one that is gone, revoked, expired or not approved any more does not. Asked of the terms that the
    /// call has, and not of those that took their place.
    #[must_use]
    pub fn objection(&self, running: &Arc<PluginTerms>, now: Timestamp) -> Option<Rule> {
        let served = self.plugins.iter().find(|(plugin, _)| plugin.plugin() == running.plugin());
        match (served, &self.terms) {
            (Some((plugin, standing)), _) if Arc::ptr_eq(plugin, running) => standing.objection(now),
            (Some(_), Some((trust, revocations))) => Standing::of(running, trust, revocations).objection(now),
            _ => Some(Rule::UnknownTool),
        }
    }

    /// The next moment at which time alone may change what is served: a manifest, the trust or a person's say begins or ends.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.plugins.iter().flat_map(|(_, standing)| standing.moments()).filter(|moment| *moment > now).min()
    }

    pub(crate) fn entry(&self, name: &str) -> Option<(&Arc<Tool>, &Arc<PluginTerms>, &Standing)> {
        let index = self.tools.binary_search_by(|entry| entry.tool.published().as_str().cmp(name)).ok()?;
        let entry = self.tools.get(index)?;
        let (terms, standing) = self.plugins.get(entry.plugin)?;
        Some((&entry.tool, terms, standing))
    }

    /// The tools that may be called in this case, in the order of their published names.
    pub fn list(&self, case: &Case<'_>) -> impl Iterator<Item = &Arc<Tool>> {
        let served = move |entry: &&Entry| {
            let standing = self.plugins.get(entry.plugin).map(|(_, standing)| standing);
            standing.is_some_and(|standing| decide(&entry.tool, standing, case).is_ok())
        };
        self.tools.iter().filter(served).map(|entry| &entry.tool)
    }

    /// The tool that the principal knows by this name. A tool that is there but not for this principal is denied with its real rule,
    /// which is for the operator: the caller must not learn the difference.
    ///
    /// # Errors
    /// There is none, or it is not served in this case.
    pub fn find(&self, case: &Case<'_>, name: &str) -> Result<&Arc<Tool>, Denial> {
        let (tool, _, standing) = self.entry(name).ok_or_else(|| Denial::unknown(name))?;
        match decide(tool, standing, case) {
            Ok(_) => Ok(tool),
            Err(rule) => Err(Denial::of(rule, tool, case)),
        }
    }
}

fn collision(pair: &[Entry]) -> Option<Fault> {
    let [first, second] = pair else { return None };
    let (first, second) = (&first.tool, &second.tool);
    (first.published() == second.published()).then(|| {
        let message = format!(
            "`{}` is also the published name of `{}` in plugin `{}`",
            second.published(),
            first.name(),
            first.plugin()
        );
        second
            .manifest()
            .fault(&format!("tools.{}", second.name()), message)
            .mend("give one of them another `publish_as`")
    })
}
