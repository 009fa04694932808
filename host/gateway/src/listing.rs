//! A tool as `tools/list` shows it: the signed story, with annotations from the signed effect and not from the component.

use rmcp::model::{MetaObject, ToolAnnotations};
use serde_json::json;
use wardkeep_model::{Ask, Effect};
use wardkeep_policy::Tool;

use crate::{META, ToolView};

pub(crate) fn view(tool: &Tool) -> ToolView {
    let definition = tool.definition();
    let annotations = ToolAnnotations::from_raw(
        None,
        Some(tool.effect() == Effect::Read),
        Some(tool.effect() == Effect::Destructive),
        Some(tool.idempotent()),
        // only a tool that may reach other machines meets an open world
        Some(definition.asks.iter().any(|ask| matches!(ask, Ask::Http(_)))),
    );
    let mut view = ToolView::new(
        tool.published().as_str().to_owned(),
        definition.description.clone(),
        tool.input_schema().clone(),
    )
    .with_annotations(annotations)
    .with_meta(meta(tool));
    if let Some(title) = &definition.title {
        view = view.with_title(title.clone());
    }
    // Clients check an answer against it: what is listed is true of what leaves. An answer that the manifest's `returns` changes need not
    // fit what the plugin promises.
    if let Some(schema) = tool.output_schema().filter(|_| tool.returns().is_whole()) {
        view = view.with_raw_output_schema(schema.clone());
    }
    view
}

/// MCP has no tool versions: what pins a tool stands in `_meta` of its definition and of its results.
pub(crate) fn meta(tool: &Tool) -> MetaObject {
    let mut meta = MetaObject::new();
    meta.0.insert(format!("{META}plugin"), json!(tool.plugin()));
    meta.0.insert(format!("{META}plugin-version"), json!(tool.version().to_string()));
    meta.0.insert(format!("{META}manifest-sha256"), json!(tool.manifest_digest()));
    meta.0.insert(format!("{META}contract-sha256"), json!(tool.contract_digest()));
    meta
}
