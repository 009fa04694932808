//! What a component must be before it is compiled. Compile time is not bounded by wasmtime, so what it grows with is.

use wasmparser::{FuncValidatorAllocations, FunctionBody, Parser, Payload, ValidPayload, Validator, WasmFeatures};

use crate::{EngineOptions, InspectError};

/// Bytes of one function: far above what interpreters' loops need, far below what the compiler would take minutes for.
pub(crate) const FUNCTION_BYTES: usize = 1 << 20;

/// The WebAssembly that guests may use: no threads, no exceptions, no garbage collection, one memory a module.
const FEATURES: WasmFeatures =
    WasmFeatures::WASM2.union(WasmFeatures::EXTENDED_CONST).union(WasmFeatures::COMPONENT_MODEL);

/// Checks the bytes from outside to inside, cheapest first.
pub(crate) fn validate(bytes: &[u8], options: &EngineOptions) -> Result<(), InspectError> {
    if bytes.len() > options.component_bytes {
        return Err(InspectError::TooLarge { bytes: bytes.len(), limit: options.component_bytes });
    }
    if !Parser::is_component(bytes) {
        return Err(if Parser::is_core_wasm(bytes) { InspectError::CoreModule } else { InspectError::NotWebAssembly });
    }
    let mut validator = Validator::new_with_features(FEATURES);
    let mut functions = 0_u32;
    let mut allocations = FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(invalid)?;
        match &payload {
            Payload::FunctionSection(section) => {
                functions = functions.saturating_add(section.count());
                if functions > options.functions {
                    return Err(InspectError::TooManyFunctions { limit: options.functions });
                }
            }
            Payload::CodeSectionEntry(body) if body_bytes(body) > FUNCTION_BYTES => {
                return Err(InspectError::FunctionTooLarge { bytes: body_bytes(body), limit: FUNCTION_BYTES });
            }
            _ => {}
        }
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(invalid)? {
            let mut function = function.into_validator(allocations);
            function.validate(&body).map_err(invalid)?;
            allocations = function.into_allocations();
        }
    }
    Ok(())
}

fn invalid(error: wasmparser::BinaryReaderError) -> InspectError {
    InspectError::Invalid(error.into())
}

fn body_bytes(body: &FunctionBody<'_>) -> usize {
    let range = body.range();
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}
