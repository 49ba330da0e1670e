//! Providers put into a session's options, and what to do where one cannot be.

use std::fmt::Write as _;

use ort::ep::{ArenaExtendStrategy, CUDA, TensorRT, cuda::ConvAlgorithmSearch};
use ort::session::builder::SessionBuilder;

use crate::{DeviceOptions, Error, Provider, ShapeRange, Tensorrt};

/// Registers what `options` ask for, TensorRT with CUDA behind it.
///
/// # Safety
/// The stream outlives the session that is built.
pub(crate) unsafe fn register(mut builder: SessionBuilder, options: &DeviceOptions) -> Result<SessionBuilder, Error> {
    let unavailable = |reason: String| unavailable(&options.provider, &reason);
    if let Provider::Tensorrt(tensorrt) = &options.provider {
        if let Some(folder) = &tensorrt.cache {
            std::fs::create_dir_all(folder)
                .map_err(|error| unavailable(format!("its cache {}: {error}", folder.display())))?;
        }
        // SAFETY: the caller's promise.
        let provider = unsafe { tensorrt_provider(options, tensorrt) };
        builder = builder
            .with_execution_providers([provider.build().error_on_failure()])
            .map_err(|error| unavailable(error.to_string()))?;
    }
    // SAFETY: the caller's promise.
    let provider = |exact| unsafe { cuda_provider(options, exact) }.build().error_on_failure();
    builder.with_execution_providers([provider(true)]).or_else(|error| {
        let reason = error.to_string();
        // Before 1.18 it has no such option, and no TF32 either.
        if reason.contains(TF32) {
            return error
                .recover()
                .with_execution_providers([provider(false)])
                .map_err(|error| unavailable(error.to_string()));
        }
        Err(unavailable(reason))
    })
}

const TF32: &str = "use_tf32";

/// # Safety
/// As for [`register`].
unsafe fn cuda_provider(options: &DeviceOptions, exact: bool) -> CUDA {
    let mut provider = CUDA::default()
        .with_device_id(i32::try_from(options.ordinal).unwrap_or(i32::MAX))
        // Device memory is shared with other sessions, decoders and ourselves.
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        // The exhaustive search measures, so that two starts may choose, and answer, differently.
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic);
    if exact {
        provider = provider.with_tf32(false);
    }
    // SAFETY: the caller's promise.
    unsafe { provider.with_compute_stream(options.stream.raw().cast()) }
}

/// # Safety
/// As for [`register`].
unsafe fn tensorrt_provider(options: &DeviceOptions, tensorrt: &Tensorrt) -> TensorRT {
    let mut provider =
        TensorRT::default().with_device_id(i32::try_from(options.ordinal).unwrap_or(i32::MAX)).with_fp16(tensorrt.fp16);
    if let Some(folder) = &tensorrt.cache {
        let folder = folder.display();
        provider = provider
            .with_engine_cache(true)
            .with_engine_cache_path(&folder)
            .with_timing_cache(true)
            .with_timing_cache_path(&folder);
    }
    if !tensorrt.ranges.is_empty() {
        provider = provider
            .with_profile_min_shapes(shapes(&tensorrt.ranges, |range| &range.min))
            .with_profile_opt_shapes(shapes(&tensorrt.ranges, |range| &range.opt))
            .with_profile_max_shapes(shapes(&tensorrt.ranges, |range| &range.max));
    }
    // SAFETY: the caller's promise.
    unsafe { provider.with_compute_stream(options.stream.raw().cast()) }
}

/// `images:1x3x128x64,sizes:1x2`.
fn shapes(ranges: &[ShapeRange], of: impl Fn(&ShapeRange) -> &[i64]) -> String {
    let mut text = String::new();
    for range in ranges {
        let comma = if text.is_empty() { "" } else { "," };
        let dims: Vec<String> = of(range).iter().map(ToString::to_string).collect();
        let _ = write!(text, "{comma}{}:{}", range.input, dims.join("x"));
    }
    text
}

/// ONNX Runtime's words, without the place in its source, and what to do about them.
pub(crate) fn unavailable(provider: &Provider, reason: &str) -> Error {
    let reason = essence(reason);
    let next = next_step(provider, reason);
    Error::Unavailable { provider: provider.name(), reason: reason.to_owned(), next }
}

/// True where the words are about the machine, not the model.
pub(crate) fn is_about_machine(reason: &str) -> bool {
    missing_library(reason).is_some()
        || ["cuDNN is not available", "CUDA failure", "CUDNN failure", "CUDA error"]
            .iter()
            .any(|words| reason.contains(words))
}

/// What follows `[ONNXRuntimeError] : 1 : FAIL : `, in one line.
fn essence(reason: &str) -> &str {
    let tail = reason.rfind("[ONNXRuntimeError]").map_or(reason, |at| &reason[at..]);
    tail.splitn(4, " : ").nth(3).unwrap_or(reason).trim()
}

/// `libcudnn.so.9` of `...: libcudnn.so.9: cannot open shared object file: No such file or directory`.
fn missing_library(reason: &str) -> Option<&str> {
    let before = &reason[..reason.find(": cannot open shared object file")?];
    before.rsplit([' ', '/', '\n']).next().filter(|name| name.contains(".so"))
}

fn next_step(provider: &Provider, reason: &str) -> String {
    if reason.contains("not enabled in this build") || reason.contains("not supported in this build") {
        return "this library is a build without it: install ONNX Runtime's GPU build, all of its files in one folder \
                (for Python it is called onnxruntime-gpu; for a Jetson take the build for its JetPack)"
            .to_owned();
    }
    if let Some(library) = missing_library(reason) {
        return for_missing(library);
    }
    if reason.contains("cuDNN is not available") {
        return "install cuDNN 9, or put its folder into LD_LIBRARY_PATH".to_owned();
    }
    // A function of the driver that the one installed does not have.
    if reason.contains("driver version is insufficient") || reason.contains("undefined symbol: cu") {
        return "update the NVIDIA driver, or take an ONNX Runtime that is built for an older CUDA".to_owned();
    }
    if reason.contains("no CUDA-capable device") {
        return "look at nvidia-smi; in a container, pass the GPU in (--gpus all, or --runtime nvidia)".to_owned();
    }
    if reason.contains("cache ") {
        return "make that folder writable".to_owned();
    }
    format!("see \"Requirements\" of ONNX Runtime's page on its {} execution provider", provider.name())
}

fn for_missing(library: &str) -> String {
    let (name, version) = library.split_once(".so").unwrap_or((library, ""));
    let version = version.trim_start_matches('.').split('.').next().unwrap_or_default();
    let folder = "or put the folder that has it into LD_LIBRARY_PATH";
    if name == "libcuda" {
        return format!("{library} is the NVIDIA driver's: install the driver; in a container, pass the GPU in");
    }
    if name.starts_with("libcudnn") && version.is_empty() {
        return format!(
            "install cuDNN, of the major version that ONNX Runtime's page on its providers names, {folder}"
        );
    }
    if name.starts_with("libcudnn") {
        return format!(
            "{library} is missing: this ONNX Runtime is built for cuDNN {version} and no other major version does; \
             install that, {folder}, or take an ONNX Runtime that is built for the cuDNN that is there"
        );
    }
    if name.starts_with("libnvinfer") || name.starts_with("libnvonnxparser") {
        return format!("{library} is missing: install TensorRT {version}, {folder}");
    }
    if name.starts_with("libonnxruntime") {
        return format!("{library} is missing: keep all files of ONNX Runtime's GPU build in one folder");
    }
    // libcurand and libcufft count on their own.
    let cuda = ["libcudart", "libcublas", "libcublasLt", "libnvrtc"].contains(&name);
    let which =
        if cuda { format!("CUDA {version}") } else { "the CUDA that this ONNX Runtime is built for".to_owned() };
    format!("{library} is missing: install the libraries of {which}, {folder}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(provider: &Provider, reason: &str) -> String {
        unavailable(provider, reason).to_string()
    }

    const LOADING: &str = "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& \
        onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library \
        /opt/ort/libonnxruntime_providers_cuda.so with error: ";

    #[test]
    fn a_missing_library_is_named_with_what_brings_it() {
        let tensorrt = Provider::Tensorrt(Tensorrt::default());
        for (provider, library, step) in [
            (&Provider::Cuda, "libcublasLt.so.13", "install the libraries of CUDA 13"),
            (&Provider::Cuda, "libcudart.so.12", "install the libraries of CUDA 12"),
            (&Provider::Cuda, "libcurand.so.10", "install the libraries of the CUDA that this"),
            (&Provider::Cuda, "libcudnn.so.8", "built for cuDNN 8 and no other major version does"),
            (&Provider::Cuda, "libcudnn_adv_infer.so.8", "built for cuDNN 8"),
            (&Provider::Cuda, "libcuda.so.1", "install the driver"),
            (&tensorrt, "libnvinfer.so.10", "install TensorRT 10"),
            (&tensorrt, "libnvonnxparser.so.10", "install TensorRT 10"),
            (&tensorrt, "libonnxruntime_providers_shared.so", "in one folder"),
        ] {
            let reason = format!("{LOADING}{library}: cannot open shared object file: No such file or directory\n");
            let words = words(provider, &reason);
            assert!(words.contains(&format!("with error: {library}: cannot open")), "{words}");
            assert!(words.contains(step), "{words}");
            assert!(!words.contains("provider_bridge_ort") && !words.contains('\n'), "{words}");
            assert!(is_about_machine(&reason));
        }
    }

    #[test]
    fn words_of_later_steps_are_understood_too() {
        for (reason, step) in [
            (
                "cuDNN is unavailable or disabled for CUDA Execution Provider: dlopen failed for libcudnn.so: libcudnn.so: \
                 cannot open shared object file: No such file or directory",
                "install cuDNN, of the major version that",
            ),
            (
                "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version",
                "update the NVIDIA driver",
            ),
            ("CUDA failure 100: no CUDA-capable device is detected", "pass the GPU in"),
        ] {
            assert!(is_about_machine(reason), "{reason}");
            let words = words(&Provider::Cuda, reason);
            assert!(words.contains(reason) && words.contains(step), "{words}");
        }
        let words =
            words(&Provider::Cuda, &format!("{LOADING}/opt/ort/p.so: undefined symbol: cuTensorMapEncodeTiled"));
        assert!(words.contains("update the NVIDIA driver"), "{words}");
        assert!(!is_about_machine("Type Error: Type parameter (T) of Optype (Add) bound to different types"));
    }

    #[test]
    fn the_library_without_the_provider_sends_to_the_gpu_build() {
        let words = words(&Provider::Cuda, "CUDA execution provider is not enabled in this build.");
        assert!(words.contains("CUDA provider cannot be used: CUDA execution provider is not enabled"), "{words}");
        assert!(words.contains("install ONNX Runtime's GPU build"), "{words}");
    }

    #[test]
    fn ranges_are_written_as_onnx_runtime_reads_them() {
        let range = |input: &str, batch| ShapeRange {
            input: input.to_owned(),
            min: vec![1, 3],
            opt: vec![batch, 3],
            max: vec![8, 3],
        };
        let ranges = [range("images", 4), range("sizes", 2)];
        assert_eq!(shapes(&ranges, |range| &range.opt), "images:4x3,sizes:2x3");
        assert_eq!(shapes(&ranges, |range| &range.max), "images:8x3,sizes:8x3");
    }
}
