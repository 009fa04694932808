//! A decision explained, rule by rule, without anything being run: for `wardkeep why`. It walks the rules of the decision itself, and
//! stops where that stops; the tests hold the two together.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    authorize::{Denial, Rule},
    case::{Case, Confirmation},
    decision::{Granted, Step, judge},
    document::{Fault, basic_string, quoted},
    plugin::Tool,
    pointer::Pointer,
    reason, resources,
    snapshot::Snapshot,
};

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It lets the call pass, by what stands there.
    Passed(Fault),
    /// It refuses, by what stands there.
    Refused {
        /// As records spell it.
        rule: &'static str,
        /// Where, and what would change it.
        #[serde(flatten)]
        why: Fault,
    },
    /// A rule before it refused, or there are no arguments to ask it of.
    NotReached,
}

/// One rule and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ruling {
    /// What the rule looks at, such as `allow`.
    pub step: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// A decision, explained.
#[derive(Debug)]
pub struct Explanation {
    /// The tool, where one is published by this name.
    pub tool: Option<Arc<Tool>>,
    /// Every rule in its order.
    pub rulings: Vec<Ruling>,
    /// Whose yes the call would wait for, where the rules let it come so far.
    pub confirmation: Option<Confirmation>,
    /// What the record would keep of the arguments.
    pub resources: Vec<(Pointer, String)>,
}

const TOOL: &str = "tool";
const SCHEMA: &str = "schema";
const ONLY: &str = "only";

impl Explanation {
    /// Whether the call is let pass; without arguments, whether some call of the tool may be.
    #[must_use]
    pub fn allowed(&self) -> bool {
        self.refusal().is_none()
    }

    /// The rule that refuses, as records spell it.
    #[must_use]
    pub fn refusal(&self) -> Option<&'static str> {
        self.rulings.iter().find_map(|ruling| match &ruling.verdict {
            Verdict::Refused { rule, .. } => Some(*rule),
            Verdict::Passed(_) | Verdict::NotReached => None,
        })
    }
}

/// Explains the decision on a call of the tool that is published by this name.
#[must_use]
pub fn explain(snapshot: &Snapshot, case: &Case<'_>, name: &str, arguments: Option<Map<String, Value>>) -> Explanation {
    let mut told = Telling { rulings: Vec::new(), refused: false };
    let Some((tool, _, standing)) = snapshot.entry(name) else {
        let unknown = Fault::of("the manifests", format!("none publishes a tool named {}", quoted(name)));
        told.ask(TOOL, || Err((Rule::UnknownTool.as_str(), unknown)));
        Step::ALL.map(Step::as_str).into_iter().chain([SCHEMA, ONLY]).for_each(|step| told.skip(step));
        return Explanation { tool: None, rulings: told.rulings, confirmation: None, resources: Vec::new() };
    };
    let table = format!("tools.{}", tool.name());
    told.ask(TOOL, || Ok(tool.manifest().fault(&table, format!("published as `{}`", tool.published()))));
    let mut granted = Granted::NOTHING;
    for step in Step::ALL {
        told.ask(step.as_str(), || match judge(step, tool, standing, case, &mut granted) {
            Ok(()) => Ok(reason::pass(step, tool, standing, case, &granted)),
            Err(rule) => Err((rule.as_str(), reason::refusal(rule, tool, case))),
        });
    }
    let confirmation = (!told.refused).then_some(granted.confirmation);
    let resources = of_arguments(&mut told, tool, arguments);
    Explanation { tool: Some(tool.clone()), rulings: told.rulings, confirmation, resources }
}

/// The rules on arguments.
fn of_arguments(told: &mut Telling, tool: &Tool, arguments: Option<Map<String, Value>>) -> Vec<(Pointer, String)> {
    let Some(arguments) = arguments else {
        [SCHEMA, ONLY].into_iter().for_each(|step| told.skip(step));
        return Vec::new();
    };
    let mut checked = None;
    told.ask(SCHEMA, || match tool.check(arguments) {
        Ok(arguments) => {
            checked = Some(arguments);
            Ok(Fault::of("the arguments", "fit the tool's schema"))
        }
        Err(mismatch) => Err(("schema", Fault::of("the arguments", mismatch.to_string()))),
    });
    told.ask(ONLY, || {
        let value = checked.as_ref().map_or(&Value::Null, |arguments| arguments.value());
        if let Some(only) = tool.only().iter().find(|only| !only.allows(value)) {
            return Err((Rule::OnlyList.as_str(), Denial::not_listed(only, tool, value)));
        }
        let places: Vec<_> = tool.only().iter().map(|only| basic_string(only.at.as_str())).collect();
        let message = match places.as_slice() {
            [] => "bounds nothing".to_owned(),
            places => format!("lists what the call names at {}", places.join(", ")),
        };
        Ok(tool.manifest().fault(&format!("tools.{}.only", tool.name()), message))
    });
    checked.map_or_else(Vec::new, |arguments| resources::named(tool.resources(), arguments.value()))
}

/// Rulings as they are given: after the first refusal no rule is asked.
struct Telling {
    rulings: Vec<Ruling>,
    refused: bool,
}

impl Telling {
    fn ask(&mut self, step: &'static str, asked: impl FnOnce() -> Result<Fault, (&'static str, Fault)>) {
        if self.refused {
            return self.skip(step);
        }
        let verdict = match asked() {
            Ok(by) => Verdict::Passed(by),
            Err((rule, why)) => {
                self.refused = true;
                Verdict::Refused { rule, why }
            }
        };
        self.rulings.push(Ruling { step, verdict });
    }

    fn skip(&mut self, step: &'static str) {
        self.rulings.push(Ruling { step, verdict: Verdict::NotReached });
    }
}
