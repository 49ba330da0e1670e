/// `IBuilder`.
pub mod builder {
    use std::ffi::c_void;

    use super::super::{at, interface};
    use crate::sys::Object;
    use crate::sys::method::{DELETE, Interface, Method, Row};

    interface! {
        /// Turns networks into plans.
        Builder = "IBuilder" in "VBuilder", forwards: true, serialised: true, destroy: DELETE;
        GET_NB_DLA_CORES "getNbDLACores" [at(5), at(3)] () -> i32;
        SET_GPU_ALLOCATOR "setGpuAllocator" [at(6), at(4)] (*mut c_void);
        CREATE_BUILDER_CONFIG "createBuilderConfig" [at(7), at(5)] () -> *mut Object;
        CREATE_NETWORK "createNetworkV2" [at(8), at(6)] (u32) -> *mut Object;
        CREATE_OPTIMIZATION_PROFILE "createOptimizationProfile" [at(9), at(7)] () -> *mut Object;
        SET_ERROR_RECORDER "setErrorRecorder" [at(10), at(8)] (*mut c_void);
        BUILD_SERIALIZED_NETWORK "buildSerializedNetwork" [at(14), at(11)] (*mut Object, *mut Object) -> *mut Object;
        IS_NETWORK_SUPPORTED "isNetworkSupported" [at(15), at(12)] (*const Object, *const Object) -> u8;
        GET_LOGGER "getLogger" [at(16), at(13)] () -> *mut c_void;
        SET_MAX_THREADS "setMaxThreads" [at(17), at(14)] (i32) -> u8;
    }
}

/// `IBuilderConfig`.
pub mod config {
    use std::ffi::c_void;

    use super::super::{at, interface};
    use crate::sys::Object;
    use crate::sys::method::{DELETE, Interface, Method, Row};

    interface! {
        /// How a plan is built.
        Config = "IBuilderConfig" in "VBuilderConfig", forwards: true, serialised: false, destroy: DELETE;
        CLEAR_FLAG "clearFlag" [at(10), at(8)] (i32);
        SET_FLAG "setFlag" [at(11), at(9)] (i32);
        GET_FLAG "getFlag" [at(12), at(10)] (i32) -> u8;
        SET_DLA_CORE "setDLACore" [at(18), at(16)] (i32);
        SET_DEFAULT_DEVICE_TYPE "setDefaultDeviceType" [at(20), at(18)] (i32);
        ADD_OPTIMIZATION_PROFILE "addOptimizationProfile" [at(25), at(23)] (*const Object) -> i32;
        GET_NB_OPTIMIZATION_PROFILES "getNbOptimizationProfiles" [at(26), at(24)] () -> i32;
        SET_PROFILING_VERBOSITY "setProfilingVerbosity" [at(27), at(25)] (i32);
        SET_TACTIC_SOURCES "setTacticSources" [at(38), at(27)] (u32) -> u8;
        CREATE_TIMING_CACHE "createTimingCache" [at(40), at(29)] (*const c_void, usize) -> *mut Object;
        SET_TIMING_CACHE "setTimingCache" [at(41), at(30)] (*const Object, bool) -> u8;
        SET_MEMORY_POOL_LIMIT "setMemoryPoolLimit" [at(43), at(32)] (i32, usize);
        GET_MEMORY_POOL_LIMIT "getMemoryPoolLimit" [at(44), at(33)] (i32) -> usize;
        SET_PREVIEW_FEATURE "setPreviewFeature" [at(45), at(34)] (i32, bool);
        SET_BUILDER_OPTIMIZATION_LEVEL "setBuilderOptimizationLevel" [at(47), at(36)] (i32);
        SET_HARDWARE_COMPATIBILITY_LEVEL "setHardwareCompatibilityLevel" [at(49), at(38)] (i32);
        // 11.x answers with a bool, 10.x with nothing: the answer is left unread.
        SET_MAX_AUX_STREAMS "setMaxAuxStreams" [at(54), at(43)] (i32);
        SET_PROGRESS_MONITOR "setProgressMonitor" [at(56), at(45)] (*mut c_void);
    }
}

/// `INetworkDefinition`; only slots below 44, which no version moved.
pub mod network {
    use super::super::{Text, at, interface};
    use crate::sys::Object;
    use crate::sys::method::{DELETE, Interface, Method, Row};

    interface! {
        /// The layers to build from.
        Network = "INetworkDefinition" in "VNetworkDefinition", forwards: true, serialised: false, destroy: DELETE;
        GET_NB_LAYERS "getNbLayers" [at(12), at(12)] () -> i32;
        GET_NB_INPUTS "getNbInputs" [at(14), at(14)] () -> i32;
        GET_INPUT "getInput" [at(15), at(15)] (i32) -> *mut Object;
        GET_NB_OUTPUTS "getNbOutputs" [at(16), at(16)] () -> i32;
        GET_OUTPUT "getOutput" [at(17), at(17)] (i32) -> *mut Object;
        SET_NAME "setName" [at(30), at(30)] (Text);
        GET_NAME "getName" [at(31), at(31)] () -> Text;
    }
}

/// `ITensor`.
pub mod tensor {
    use super::super::{Text, at, interface};
    use crate::sys::method::{Interface, Method, Row};
    use crate::sys::{Dims, Object};

    interface! {
        /// A tensor of a network, owned by it.
        Tensor = "ITensor" in "VTensor", forwards: true, serialised: false, destroy: None;
        GET_NAME "getName" [at(3), at(3)] () -> Text;
        GET_DIMENSIONS "getDimensions" [at(5), at(5)] () -> Dims;
        GET_TYPE "getType" [at(7), at(6)] () -> i32;
        SET_ALLOWED_FORMATS "setAllowedFormats" [at(19), at(13)] (u32);
    }
}

/// `IOptimizationProfile`.
pub mod profile {
    use super::super::{Text, at, interface};
    use crate::sys::method::{Interface, Method, Row};
    use crate::sys::{Dims, Object};

    interface! {
        /// Ranges of the open dimensions; owned by the builder.
        Profile = "IOptimizationProfile" in "VOptimizationProfile", forwards: true, serialised: false, destroy: None;
        SET_DIMENSIONS "setDimensions" [at(2), at(2)] (Text, i32, *const Dims) -> u8;
        GET_DIMENSIONS "getDimensions" [at(3), at(3)] (Text, i32) -> Dims;
        SET_EXTRA_MEMORY_TARGET "setExtraMemoryTarget" [at(7), at(5)] (f32) -> u8;
        IS_VALID "isValid" [at(9), at(7)] () -> u8;
    }
}

/// `ITimingCache`.
pub mod timing_cache {
    use super::super::{at, interface};
    use crate::sys::Object;
    use crate::sys::method::{DELETE, Interface, Method, Row};

    interface! {
        /// Kernel timings kept from build to build.
        TimingCache = "ITimingCache" in "VTimingCache", forwards: true, serialised: false, destroy: DELETE;
        SERIALIZE "serialize" [at(2), at(2)] () -> *mut Object;
        COMBINE "combine" [at(3), at(3)] (*const Object, bool) -> u8;
        RESET "reset" [at(4), at(4)] () -> u8;
    }
}
