//! What bounds calls and answers, told as what it lets through. A bound that is not there lets all through, so what there is to tell
//! depends on the other manifest too: of `only`, `redact` and `fields`, the places that either of the two names.
//!
//! So a list that comes new takes away "anything", and adds nothing; a list that goes adds "anything".

use std::collections::{BTreeMap, BTreeSet};

use wardkeep_model::ToolName;

use crate::{
    manifest::{Keep, Manifest, Only, Pattern, Rate, Rates, Stage},
    pointer::Pointer,
};

use super::Authority;

/// Every place that one of two manifests bounds.
#[derive(Debug, Default)]
pub(in crate::diff) struct Bounds<'m>(BTreeMap<&'m ToolName, Places<'m>>);

#[derive(Debug, Default)]
struct Places<'m> {
    only: BTreeMap<&'m Pointer, BTreeSet<&'m Pattern>>,
    redact: BTreeSet<&'m Pointer>,
    fields: BTreeSet<&'m Pointer>,
    pilots: BTreeSet<&'m str>,
    caller_rates: BTreeSet<Rate>,
    tool_rates: BTreeSet<Rate>,
    cut: bool,
}

impl<'m> Bounds<'m> {
    pub(in crate::diff) fn of(manifests: impl Iterator<Item = &'m Manifest>) -> Self {
        let mut bounds = Self::default();
        for (name, terms) in manifests.flat_map(|manifest| manifest.tools()) {
            let places = bounds.0.entry(name).or_default();
            for Only { at, patterns } in &terms.only {
                places.only.entry(at).or_default().extend(patterns);
            }
            places.redact.extend(&terms.returns.redact);
            places.fields.extend(&terms.returns.fields);
            places.pilots.extend(terms.pilot_groups.iter().map(String::as_str));
            places.caller_rates.extend(terms.rate.caller);
            places.tool_rates.extend(terms.rate.tool);
            places.cut |= terms.returns.content != Keep::Full;
        }
        bounds
    }

    /// Whether either keeps something of the answers back as a whole.
    pub(super) fn cuts(&self, tool: &ToolName) -> bool {
        self.0.get(tool).is_some_and(|places| places.cut)
    }

    /// To which of the pilot groups it is served: at the stage of all callers, to each of them.
    pub(super) fn piloted(&self, tool: &ToolName, stage: Stage, groups: &[String], all: &mut BTreeSet<Authority>) {
        let serves = |group: &str| match stage {
            Stage::Off => false,
            Stage::Pilot => groups.iter().any(|named| named == group),
            Stage::General => true,
        };
        let pilots = self.0.get(tool).into_iter().flat_map(|places| &places.pilots).filter(|group| serves(group));
        all.extend(pilots.map(|group| Authority::Piloted { tool: tool.clone(), group: (*group).to_owned() }));
    }

    /// How often it may be called: at each of the rates that one of the two manifests names, and at any.
    pub(super) fn often(&self, tool: &ToolName, rates: &Rates, all: &mut BTreeSet<Authority>) {
        let Some(places) = self.0.get(tool) else { return };
        let Rates { caller, tool: together } = rates;
        for (by, named, own) in
            [("one caller", &places.caller_rates, caller), ("all callers together", &places.tool_rates, together)]
        {
            let often = |rate: Option<&Rate>| Authority::CalledOften {
                tool: tool.clone(),
                by,
                rate: rate.map(ToString::to_string),
            };
            if own.is_none() && !named.is_empty() {
                all.insert(often(None));
            }
            all.extend(named.iter().filter(|rate| own.is_none_or(|own| **rate <= own)).map(|rate| often(Some(rate))));
        }
    }

    /// What calls may name.
    pub(super) fn named(&self, tool: &ToolName, only: &[Only], all: &mut BTreeSet<Authority>) {
        for (at, patterns) in self.0.get(tool).into_iter().flat_map(|places| &places.only) {
            let (own, at) = (only.iter().find(|only| only.at == **at), (*at).clone());
            if own.is_none() {
                all.insert(Authority::NamesAnything { tool: tool.clone(), at: at.clone() });
            }
            let lists = |pattern: &Pattern| own.is_none_or(|only| only.patterns.contains(pattern));
            all.extend(patterns.iter().filter(|pattern| lists(pattern)).map(|pattern| Authority::Names {
                tool: tool.clone(),
                at: at.clone(),
                pattern: pattern.to_string(),
            }));
        }
    }

    /// What of a structured answer leaves.
    pub(super) fn shown(&self, tool: &ToolName, fields: &[Pointer], redact: &[Pointer], all: &mut BTreeSet<Authority>) {
        let Some(places) = self.0.get(tool) else { return };
        if fields.is_empty() && !places.fields.is_empty() {
            all.insert(Authority::ShowsEveryField { tool: tool.clone() });
        }
        let kept = places.fields.iter().filter(|at| fields.is_empty() || fields.contains(at));
        all.extend(kept.map(|at| Authority::ShowsField { tool: tool.clone(), at: (*at).clone() }));
        let plain = places.redact.iter().filter(|at| !redact.contains(at));
        all.extend(plain.map(|at| Authority::ShowsUnredacted { tool: tool.clone(), at: (*at).clone() }));
    }
}
