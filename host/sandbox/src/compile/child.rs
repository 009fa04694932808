//! The child: bounds itself, reads a component from its standard input, compiles it, lets it describe itself, says so on its
//! standard output and ends. It opens nothing and knows nothing but those bytes.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use wardkeep_model::Description;
use wardkeep_policy::Schema;

use super::{Order, confine, frame};
use crate::{Engine, InspectError};

/// Processor time that all schemas of a component may take together. The host compiles them again when it loads the plugin.
const SCHEMAS: Duration = Duration::from_secs(2);

/// What the hidden command of the binary does. `order` is what [`super::Children`] wrote.
#[must_use]
pub fn compile_child(order: &str) -> ExitCode {
    match run(order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent reads it. Where that is gone, nobody is left to tell.
            let _ = writeln!(io::stderr().lock(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(order: &str) -> Result<(), Box<dyn std::error::Error>> {
    let order: Order = serde_json::from_str(order)?;
    confine::bound(&order.limits, order.parent)?;
    // Its threads and its pool are there before the door closes; the bytes come in after.
    let engine = Engine::new(order.options())?;
    confine::close()?;
    let mut bytes = Vec::new();
    let most = (order.component_bytes as u64).saturating_add(1);
    io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    let verdict = engine.dissected(bytes.into(), |code| frame::code(io::stdout().lock(), code))?;
    Ok(frame::verdict(io::stdout().lock(), &verdict)?)
}

impl Engine {
    /// Gives the code to `say` once the component is compiled, and before any of it runs.
    fn dissected(&self, bytes: Arc<[u8]>, say: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<frame::Verdict> {
        let compiled = match self.compiled(&bytes) {
            Ok(compiled) => compiled,
            Err(error) => return Ok(Err(error)),
        };
        match compiled.serialize() {
            Ok(code) => say(&code)?,
            Err(error) => return Ok(Err(error)),
        }
        let Some(handle) = self.0.lanes.handle() else { return Ok(Err(InspectError::Interrupted)) };
        Ok(handle.block_on(self.described(&compiled)).and_then(|described| {
            bound_schemas(&described.description)?;
            Ok(described)
        }))
    }
}

/// Compiles every schema as the host will. What is wrong with one is told there; here counts only what it costs.
pub(crate) fn bound_schemas(description: &Description) -> Result<(), InspectError> {
    let started = processor_time();
    for tool in &description.tools {
        for schema in [Some(&tool.input_schema), tool.output_schema.as_ref()].into_iter().flatten() {
            drop(Schema::compile(schema));
            if processor_time().saturating_sub(started) > SCHEMAS {
                return Err(InspectError::CostlySchemas { tool: tool.name.clone() });
            }
        }
    }
    Ok(())
}

/// Of this thread.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}
