//! What is asked once the component has been seen: that it is the one that was approved, tells the approved story and imports no more
//! than it was granted.

use std::{collections::BTreeMap, sync::Arc};

use wardkeep_model::{Definition, Description, Digest};

use crate::{
    approval::{Approved, HostTerms, Reviewed},
    document::{Faults, quoted},
    grants::Grants,
    imports,
    manifest::{Manifest, ToolTerms},
    notices::notices,
    plugin::{PluginTerms, Tool},
    revocation::Revocations,
    schema::Schema,
};

/// What was seen of the very bytes that will be compiled.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Their digest.
    pub component: Digest,
    /// What the component imports, such as `wardkeep:files/reader@0.1.0`.
    pub imports: &'a [String],
    /// What it says of itself.
    pub description: &'a Description,
}

impl Approved {
    /// Are these the approved bytes. Asked before anything looks into them: what nobody approved is not compiled either.
    ///
    /// # Errors
    /// Another component than the approved one, or a revoked one.
    pub fn admits(&self, component: Digest, revocations: &Revocations) -> Result<(), Faults> {
        let mut faults = Faults::none();
        bytes(&self.manifest, component, revocations, &mut faults);
        faults.unless(())
    }

    /// The plugin, if its component is the approved one.
    ///
    /// # Errors
    /// All that is wrong with the component.
    pub fn with_component(
        self,
        evidence: Evidence<'_>,
        host: &HostTerms,
        revocations: &Revocations,
    ) -> Result<PluginTerms, Faults> {
        let manifest = &self.manifest;
        let mut faults = Faults::none();
        bytes(manifest, evidence.component, revocations, &mut faults);
        story(manifest, evidence.description, &mut faults);
        let grants = manifest.tools().values().map(|tool| Grants::of(manifest, tool));
        let grants = grants.fold(Grants::default(), |all, grants| all.with(&grants));
        if let Some((message, mend)) = imports::missing(evidence.imports, &grants, evidence.description) {
            faults.push(manifest.fault("component.file", message).mend(mend));
        }
        let tools = tools(manifest, evidence.description, host, &mut faults);
        faults.unless(())?;
        let notices = notices(manifest, &tools, evidence.description, host);
        let description = evidence.description.clone();
        Ok(PluginTerms { manifest: self.manifest, signers: self.signers, tools, grants, notices, description })
    }
}

impl Reviewed {
    /// What would be wrong with these bytes, before anything looks into them.
    #[must_use]
    pub fn bytes(&self, component: Digest, revocations: &Revocations) -> Faults {
        self.0.admits(component, revocations).err().unwrap_or_default()
    }

    /// What would be wrong with the component.
    #[must_use]
    pub fn component(&self, evidence: Evidence<'_>, host: &HostTerms, revocations: &Revocations) -> Faults {
        self.0.clone().with_component(evidence, host, revocations).err().unwrap_or_default()
    }
}

fn bytes(manifest: &Manifest, component: Digest, revocations: &Revocations, faults: &mut Faults) {
    let approved = manifest.component();
    if component != approved.sha256 {
        let message = format!("{} is another component than the approved one", approved.file);
        let mend = format!(
            "put the approved one back, or approve this one: sha256 = \"{}\", a higher serial, new signatures",
            component
        );
        faults.push(manifest.fault("component.sha256", message).mend(mend));
    }
    if revocations.revokes_component(&component) {
        let mend = "approve a component that is not revoked";
        faults.push(manifest.fault("component.file", "this component is revoked").mend(mend));
    }
}

fn story(manifest: &Manifest, description: &Description, faults: &mut Faults) {
    let contract = description.contract_digest();
    if contract != manifest.component().contract_sha256 {
        let message = "the component tells another story of its tools than the approved one";
        let mend = format!(
            "read what `wardkeep inspect` shows; to approve that, write contract_sha256 = \"{contract}\", raise the serial \
             and sign again"
        );
        faults.push(manifest.fault("component.contract_sha256", message).mend(mend));
    }
    if description.version != manifest.version().to_string() {
        let message = format!("the component says that it is version {}", quoted(&description.version));
        faults.push(manifest.fault("plugin.version", message).mend("write the component's own version"));
    }
}

fn tools(manifest: &Arc<Manifest>, description: &Description, host: &HostTerms, faults: &mut Faults) -> Vec<Arc<Tool>> {
    let mut definitions: BTreeMap<&str, &Definition> = BTreeMap::new();
    for definition in &description.tools {
        if definitions.insert(&definition.name, definition).is_some() {
            let message = format!("the component has two tools named {}", quoted(&definition.name));
            let mend = "the component's author has to name them apart";
            faults.push(manifest.fault("component.file", message).mend(mend));
        }
    }
    let mut tools = Vec::new();
    for terms in manifest.tools().values() {
        let key = format!("tools.{}", terms.name);
        let Some(definition) = definitions.get(terms.name.as_str()) else {
            let names: Vec<String> = definitions.keys().map(|name| quoted(name)).collect();
            let mend = format!("remove the table, or name one of {}", names.join(", "));
            faults.push(manifest.fault(&key, "the component has no tool of this name").mend(mend));
            continue;
        };
        if terms.effect < definition.effect {
            let message = format!("looser than the component, which says `{}`", definition.effect);
            let mend = format!("write effect = \"{}\"", definition.effect);
            faults.push(manifest.fault(&format!("{key}.effect"), message).mend(mend));
        }
        tools.extend(tool(manifest, terms, definition, host, faults).map(Arc::new));
    }
    tools.sort_by(|a, b| a.published().cmp(b.published()));
    tools
}

fn tool(
    manifest: &Arc<Manifest>,
    terms: &ToolTerms,
    definition: &Definition,
    host: &HostTerms,
    faults: &mut Faults,
) -> Option<Tool> {
    let mut compile = |which: &str, text: &str| match Schema::compile(text) {
        Ok(schema) => Some(Arc::new(schema)),
        Err(error) => {
            let fault = manifest.fault(&format!("tools.{}", terms.name), format!("its {which} schema {error}"));
            faults.push(fault.mend("the component's author has to change the schema; until then remove the table"));
            None
        }
    };
    let input = compile("input", &definition.input_schema);
    let output = definition.output_schema.as_deref().map(|text| compile("output", text));
    Some(Tool::new(manifest, terms, definition.clone(), input?, output.map_or(Some(None), |it| it.map(Some))?, host))
}
