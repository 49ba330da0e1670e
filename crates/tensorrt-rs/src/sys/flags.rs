//! Enums that 11.0 renumbered. A flag is asked for by meaning; the number comes from the loaded major,
//! and a flag that a version lacks is an error instead of another flag.

use super::{Major, Slot, Version};
use crate::Error;

/// A flag's number in one major and since which minor version; the same shape as a vtable slot.
type Number = Option<Slot>;

const fn at(index: u16) -> Number {
    since(0, index)
}

const fn since(minor: u16, index: u16) -> Number {
    Some(Slot { index, since: minor })
}

const NONE: Number = None;

macro_rules! moved {
    ($(#[$doc:meta])* $name:ident = $class:literal {
        $($(#[$item_doc:meta])* $item:ident $text:literal [$ten:expr, $eleven:expr],)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$item_doc])* $item,)* }

        impl $name {
            /// Every flag.
            pub const ALL: &[Self] = &[$(Self::$item),*];

            /// TensorRT's name for it, without the leading `k`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$item => $text,)* }
            }

            /// Its number in that version.
            ///
            /// # Errors
            /// [`Error::Unsupported`] where the version has no such flag.
            pub fn number(self, version: Version) -> Result<i32, Error> {
                let (ten, eleven) = match self { $(Self::$item => ($ten, $eleven),)* };
                number($class, self.name(), ten, eleven, version)
            }
        }
    };
}

fn number(
    class: &'static str,
    name: &'static str,
    ten: Number,
    eleven: Number,
    version: Version,
) -> Result<i32, Error> {
    let row = super::Row { interface: class, name, signature: "", ten, eleven };
    // At most 31 by the tables below, so nothing is lost.
    row.slot(version).map(|number| i32::try_from(number).unwrap_or(i32::MAX))
}

moved! {
    /// How a plan is built. Precision flags exist in 10.x only: for 11.x the model itself is typed.
    BuilderFlag = "BuilderFlag" {
        /// 16-bit kernels allowed.
        Fp16 "FP16" [at(0), NONE],
        /// 8-bit integer kernels allowed.
        Int8 "INT8" [at(1), NONE],
        /// Synchronise after each layer, for debugging.
        Debug "DEBUG" [at(2), at(2)],
        /// Layers that the DLA cannot run go to the GPU.
        GpuFallback "GPU_FALLBACK" [at(3), at(3)],
        /// Weights can be replaced later.
        Refit "REFIT" [at(4), at(4)],
        /// Ignore timing caches.
        DisableTimingCache "DISABLE_TIMING_CACHE" [at(5), at(5)],
        /// TF32 in 32-bit kernels; on by default.
        Tf32 "TF32" [at(6), at(6)],
        /// Structured sparsity allowed.
        SparseWeights "SPARSE_WEIGHTS" [at(7), at(7)],
        /// Safety-restricted layers only.
        SafetyScope "SAFETY_SCOPE" [at(8), at(8)],
        /// Layer precisions must be kept.
        ObeyPrecisionConstraints "OBEY_PRECISION_CONSTRAINTS" [at(9), NONE],
        /// Layer precisions are kept where possible.
        PreferPrecisionConstraints "PREFER_PRECISION_CONSTRAINTS" [at(10), NONE],
        /// No reformat at the network's edges.
        DirectIo "DIRECT_IO" [at(11), at(11)],
        /// The plan runs on later versions too.
        VersionCompatible "VERSION_COMPATIBLE" [at(13), at(12)],
        /// A version-compatible plan without its own runtime.
        ExcludeLeanRuntime "EXCLUDE_LEAN_RUNTIME" [at(14), at(13)],
        /// 8-bit float kernels allowed.
        Fp8 "FP8" [at(15), NONE],
        /// A timing missing in the cache is an error.
        ErrorOnTimingCacheMiss "ERROR_ON_TIMING_CACHE_MISS" [at(16), at(15)],
        /// Brain-float kernels allowed.
        Bf16 "BF16" [at(17), NONE],
        /// No cache of compiled kernels.
        DisableCompilationCache "DISABLE_COMPILATION_CACHE" [at(18), at(17)],
        /// A plan without its weights.
        StripPlan "STRIP_PLAN" [at(19), at(18)],
        /// Refit with the same weights only.
        RefitIdentical "REFIT_IDENTICAL" [at(20), at(19)],
        /// Weights may stay on the host.
        WeightStreaming "WEIGHT_STREAMING" [at(21), at(20)],
        /// 4-bit integer weights allowed.
        Int4 "INT4" [since(1, 22), NONE],
        /// Refit of marked weights only.
        RefitIndividual "REFIT_INDIVIDUAL" [since(2, 23), at(22)],
        /// NaN handled strictly.
        StrictNans "STRICT_NANS" [since(6, 24), at(23)],
        /// Memory figures while building.
        MonitorMemory "MONITOR_MEMORY" [since(6, 25), at(24)],
        /// 4-bit float kernels allowed.
        Fp4 "FP4" [since(8, 26), NONE],
        /// The timing cache can be edited.
        EditableTimingCache "EDITABLE_TIMING_CACHE" [since(8, 27), at(26)],
        /// The same answer in every slot of a batch.
        DistributiveIndependence "DISTRIBUTIVE_INDEPENDENCE" [since(12, 28), at(27)],
    }
}

moved! {
    /// How a network is created.
    NetworkFlag = "NetworkDefinitionCreationFlag" {
        /// Element types are the model's; always on in 11.x.
        StronglyTyped "STRONGLY_TYPED" [at(1), at(0)],
        /// Prefer plugins compiled when needed.
        PreferJitPythonPlugins "PREFER_JIT_PYTHON_PLUGINS" [since(9, 2), at(1)],
        /// Prefer plugins compiled ahead.
        PreferAotPythonPlugins "PREFER_AOT_PYTHON_PLUGINS" [since(9, 3), at(2)],
    }
}

moved! {
    /// Features to try.
    PreviewFeature = "PreviewFeature" {
        /// Plugins that write into their inputs.
        AliasedPluginIo "ALIASED_PLUGIN_IO_10_03" [since(3, 1), at(0)],
        /// Activation memory resized at run time.
        RuntimeActivationResize "RUNTIME_ACTIVATION_RESIZE_10_10" [since(10, 2), at(1)],
    }
}

moved! {
    /// Where kernels come from.
    TacticSource = "TacticSource" {
        /// cuBLAS.
        Cublas "CUBLAS" [at(0), NONE],
        /// cuBLAS Lt.
        CublasLt "CUBLAS_LT" [at(1), NONE],
        /// cuDNN.
        Cudnn "CUDNN" [at(2), NONE],
        /// Edge-mask convolutions.
        EdgeMaskConvolutions "EDGE_MASK_CONVOLUTIONS" [at(3), at(0)],
        /// Convolutions compiled when needed.
        JitConvolutions "JIT_CONVOLUTIONS" [at(4), at(1)],
    }
}

moved! {
    /// How the ONNX parser reads.
    OnnxParserFlag = "OnnxParserFlag" {
        /// TensorRT's own instance normalisation.
        NativeInstanceNorm "NATIVE_INSTANCENORM" [at(0), at(0)],
        /// Asymmetric unsigned quantisation on the DLA.
        EnableUint8AndAsymmetricQuantizationDla
            "ENABLE_UINT8_AND_ASYMMETRIC_QUANTIZATION_DLA" [since(11, 1), at(1)],
        /// Tell what the DLA can run.
        ReportCapabilityDla "REPORT_CAPABILITY_DLA" [since(15, 2), at(2)],
        /// Plugins replace built-in operators of the same name.
        EnablePluginOverride "ENABLE_PLUGIN_OVERRIDE" [since(15, 3), at(3)],
    }
}

/// The major's way to ask for a strongly typed network: a flag in 10.x, the only kind in 11.x.
///
/// # Errors
/// [`Error::Unsupported`] where a flag is not in that version.
pub fn network_mask(flags: &[NetworkFlag], version: Version) -> Result<u32, Error> {
    let mut mask = 0;
    for &flag in flags {
        if flag == NetworkFlag::StronglyTyped && version.abi() == Some(Major::Eleven) {
            continue;
        }
        mask |= 1 << flag.number(version)?;
    }
    Ok(mask)
}
