use std::sync::Arc;

use super::owned::Owned;
use crate::sys::Handle;
use crate::sys::enums::LayerInformationFormat;
use crate::sys::slots::inspector;
use crate::{Engine, Error, ExecutionContext, result};

/// Tells what an engine is made of; how much depends on the profiling verbosity of its build.
pub struct EngineInspector {
    // Before the engine it comes from: fields drop in this order.
    object: Owned<inspector::Inspector>,
    engine: Arc<Engine>,
}

// SAFETY: an inspector belongs to no thread; it is not `Sync`, since its answers live in a buffer of its own.
unsafe impl Send for EngineInspector {}

impl EngineInspector {
    /// # Safety
    /// The inspector was made by that engine and is nobody else's.
    pub(super) unsafe fn new(engine: &Arc<Engine>, handle: Handle<inspector::Inspector>) -> Self {
        // SAFETY: the caller's promise.
        let object = unsafe { Owned::new(engine.library(), handle) };
        Self { object, engine: Arc::clone(engine) }
    }

    /// The whole engine, as JSON.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words.
    pub fn engine_json(&mut self) -> Result<String, Error> {
        // SAFETY: the inspector is alive and used by nobody else; the answer is copied before the next call.
        self.object.call(|version, inspector| unsafe {
            result::engine::engine_information(version, inspector, LayerInformationFormat::Json)
        })
    }

    /// One layer, as JSON.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words: no such layer.
    pub fn layer_json(&mut self, index: i32) -> Result<String, Error> {
        // SAFETY: as for `engine_json`.
        self.object.call(|version, inspector| unsafe {
            result::engine::layer_information(version, inspector, index, LayerInformationFormat::Json)
        })
    }

    /// The whole engine with the shapes of a context, as JSON.
    ///
    /// # Errors
    /// [`Error::Argument`] where the context is of another engine, otherwise as for
    /// [`EngineInspector::engine_json`].
    pub fn context_json(&mut self, context: &mut ExecutionContext) -> Result<String, Error> {
        if !Arc::ptr_eq(&self.engine, context.engine()) {
            return Err(Error::argument("the context to inspect is of another engine"));
        }
        let inspect = |context| {
            // SAFETY: inspector and context are alive, and borrowed exclusively by this call.
            self.object
                .call(|version, inspector| unsafe { result::engine::inspect_context(version, inspector, context) })
        };
        inspect(Some(context.handle()))?;
        // SAFETY: as for `engine_json`.
        let json = self.object.call(|version, inspector| unsafe {
            result::engine::engine_information(version, inspector, LayerInformationFormat::Json)
        });
        // The context may be dropped before the inspector.
        inspect(None)?;
        json
    }
}

impl std::fmt::Debug for EngineInspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineInspector").field("engine", &self.engine.name()).finish_non_exhaustive()
    }
}
