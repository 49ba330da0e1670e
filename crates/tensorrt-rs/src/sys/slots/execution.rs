/// `ICudaEngine`.
pub mod engine {
    use super::super::{Text, at, interface, since};
    use crate::sys::method::{DELETE, Interface, Method, Row};
    use crate::sys::{Dims, Object};

    interface! {
        /// Weights on a device, shared by any number of execution contexts.
        Engine = "ICudaEngine" in "VCudaEngine", forwards: true, serialised: true, destroy: DELETE;
        GET_NB_LAYERS "getNbLayers" [at(3), at(3)] () -> i32;
        SERIALIZE "serialize" [at(4), at(4)] () -> *mut Object;
        CREATE_EXECUTION_CONTEXT "createExecutionContext" [at(5), at(5)] (i32) -> *mut Object;
        IS_REFITTABLE "isRefittable" [at(8), at(6)] () -> u8;
        GET_NAME "getName" [at(9), at(7)] () -> Text;
        GET_NB_OPTIMIZATION_PROFILES "getNbOptimizationProfiles" [at(10), at(8)] () -> i32;
        GET_PROFILING_VERBOSITY "getProfilingVerbosity" [at(17), at(13)] () -> i32;
        CREATE_ENGINE_INSPECTOR "createEngineInspector" [at(18), at(14)] () -> *mut Object;
        GET_TENSOR_SHAPE "getTensorShape" [at(19), at(15)] (Text) -> Dims;
        GET_TENSOR_DATA_TYPE "getTensorDataType" [at(20), at(16)] (Text) -> i32;
        GET_TENSOR_LOCATION "getTensorLocation" [at(21), at(17)] (Text) -> i32;
        IS_SHAPE_INFERENCE_IO "isShapeInferenceIO" [at(22), at(18)] (Text) -> u8;
        GET_TENSOR_IO_MODE "getTensorIOMode" [at(23), at(19)] (Text) -> i32;
        GET_PROFILE_SHAPE "getProfileShape" [at(29), at(25)] (Text, i32, i32) -> Dims;
        GET_NB_IO_TENSORS "getNbIOTensors" [at(30), at(26)] () -> i32;
        GET_IO_TENSOR_NAME "getIOTensorName" [at(31), at(27)] (i32) -> Text;
        GET_HARDWARE_COMPATIBILITY_LEVEL "getHardwareCompatibilityLevel" [at(32), at(28)] () -> i32;
        GET_NB_AUX_STREAMS "getNbAuxStreams" [at(33), at(29)] () -> i32;
        GET_TENSOR_BYTES_PER_COMPONENT "getTensorBytesPerComponentV2" [at(34), at(30)] (Text, i32) -> i32;
        GET_TENSOR_COMPONENTS_PER_ELEMENT "getTensorComponentsPerElementV2" [at(35), at(31)] (Text, i32) -> i32;
        GET_TENSOR_FORMAT "getTensorFormatV2" [at(36), at(32)] (Text, i32) -> i32;
        GET_TENSOR_FORMAT_DESC "getTensorFormatDescV2" [at(37), at(33)] (Text, i32) -> Text;
        GET_TENSOR_VECTORIZED_DIM "getTensorVectorizedDimV2" [at(38), at(34)] (Text, i32) -> i32;
        GET_DEVICE_MEMORY_SIZE "getDeviceMemorySizeV2" [since(1, 52), at(44)] () -> i64;
        GET_DEVICE_MEMORY_SIZE_FOR_PROFILE "getDeviceMemorySizeForProfileV2" [since(1, 53), at(45)] (i32) -> i64;
        GET_ENGINE_STAT "getEngineStat" [since(14, 57), at(49)] (i32) -> i64;
    }
}

/// `IExecutionContext`.
pub mod context {
    use std::ffi::c_void;

    use super::super::{RawStream, Text, at, interface, since};
    use crate::sys::method::{DELETE, Interface, Method, Row};
    use crate::sys::{Dims, Object};

    interface! {
        /// One user's execution of an engine.
        Context = "IExecutionContext" in "VExecutionContext", forwards: true, serialised: true, destroy: DELETE;
        SET_NAME "setName" [at(8), at(8)] (Text);
        GET_NAME "getName" [at(9), at(9)] () -> Text;
        GET_OPTIMIZATION_PROFILE "getOptimizationProfile" [at(11), at(11)] () -> i32;
        ALL_INPUT_DIMENSIONS_SPECIFIED "allInputDimensionsSpecified" [at(12), at(12)] () -> u8;
        SET_OPTIMIZATION_PROFILE_ASYNC "setOptimizationProfileAsync" [at(17), at(16)] (i32, RawStream) -> u8;
        SET_INPUT_SHAPE "setInputShape" [at(21), at(20)] (Text, *const Dims) -> u8;
        GET_TENSOR_SHAPE "getTensorShape" [at(22), at(21)] (Text) -> Dims;
        GET_TENSOR_STRIDES "getTensorStrides" [at(23), at(22)] (Text) -> Dims;
        SET_TENSOR_ADDRESS "setTensorAddress" [at(24), at(23)] (Text, *mut c_void) -> u8;
        GET_TENSOR_ADDRESS "getTensorAddress" [at(25), at(24)] (Text) -> *const c_void;
        INFER_SHAPES "inferShapes" [at(28), at(27)] (i32, *mut Text) -> i32;
        GET_MAX_OUTPUT_SIZE "getMaxOutputSize" [at(34), at(33)] (Text) -> i64;
        ENQUEUE_V3 "enqueueV3" [at(37), at(36)] (RawStream) -> u8;
        UPDATE_DEVICE_MEMORY_SIZE "updateDeviceMemorySizeForShapes" [at(48), at(47)] () -> usize;
        SET_DEVICE_MEMORY_V2 "setDeviceMemoryV2" [since(1, 49), at(48)] (*mut c_void, i64);
    }
}

/// `IHostMemory`.
pub mod host_memory {
    use std::ffi::c_void;

    use super::super::{at, interface};
    use crate::sys::Object;
    use crate::sys::method::{DELETE, Interface, Method, Row};

    interface! {
        /// Bytes that TensorRT allocated: a plan, a timing cache.
        HostMemory = "IHostMemory" in "VHostMemory", forwards: true, serialised: false, destroy: DELETE;
        DATA "data" [at(2), at(2)] () -> *mut c_void;
        SIZE "size" [at(3), at(3)] () -> usize;
        TYPE "type" [at(4), at(4)] () -> i32;
    }
}

/// `IEngineInspector`.
pub mod inspector {
    use super::super::{Text, at, interface};
    use crate::sys::Object;
    use crate::sys::method::{DELETE, Interface, Method, Row};

    interface! {
        /// Tells what an engine is made of.
        Inspector = "IEngineInspector" in "VEngineInspector", forwards: true, serialised: false, destroy: DELETE;
        SET_EXECUTION_CONTEXT "setExecutionContext" [at(3), at(3)] (*const Object) -> u8;
        GET_LAYER_INFORMATION "getLayerInformation" [at(5), at(5)] (i32, i32) -> Text;
        GET_ENGINE_INFORMATION "getEngineInformation" [at(6), at(6)] (i32) -> Text;
    }
}
