//! The tables against TensorRT's own headers, where there are some.
//!
//! `TENSORRT_INCLUDE=/path/to/include cargo test -p tensorrt-rs --test conformance -- --ignored` compiles a probe against
//! `NvInfer.h` and `NvOnnxParser.h` there: the compiler says at which slot every method lies, what it takes,
//! how large structs are and which numbers enums have. CUDA's headers are not needed: the two types that
//! TensorRT's headers use are declared by the test.

mod common;

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use tensorrt_rs::enums as e;
use tensorrt_rs::sys::{Row, slots};
use tensorrt_rs::{BuilderFlag, Error, NetworkFlag, OnnxParserFlag, PreviewFeature, TacticSource, Version};

/// Prints a virtual method's slot and its C signature: p pointer, b bool, i 32 bits, l 64 bits, f float,
/// D shape, v nothing; the answer first.
const PRELUDE: &str = r#"
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <type_traits>
#include <NvInfer.h>
#if __has_include(<NvOnnxParser.h>)
#include <NvOnnxParser.h>
#define HAS_PARSER 1
#endif
#define VERSION (NV_TENSORRT_MAJOR * 10000 + NV_TENSORRT_MINOR * 100 + NV_TENSORRT_PATCH)

template <class T> struct Bytes { static constexpr int value = sizeof(T); };
template <class T> struct Bytes<T&> { static constexpr int value = 0; };
template <> struct Bytes<void> { static constexpr int value = 0; };
template <class T> char code() {
    if (std::is_void<T>::value) return 'v';
    if (std::is_reference<T>::value || std::is_pointer<T>::value) return 'p';
    if (std::is_same<T, bool>::value) return 'b';
    if (std::is_same<T, float>::value) return 'f';
    if (std::is_same<T, nvinfer1::Dims>::value) return 'D';
    return Bytes<T>::value == 8 ? 'l' : Bytes<T>::value == 4 ? 'i' : '?';
}
template <class C, class R, class... A> void show(char const* name, R (C::*method)(A...)) {
    std::ptrdiff_t words[2];
    static_assert(sizeof words == sizeof method, "Itanium ABI");
    std::memcpy(words, &method, sizeof words);
#if defined(__aarch64__)
    long slot = words[0] / 8;
#else
    long slot = (words[0] - 1) / 8;
#endif
    std::string signature{code<R>(), code<A>()...};
    std::printf("slot %s %ld %s\n", name, slot, signature.c_str());
}
template <class C, class R, class... A> void show(char const* name, R (C::*method)(A...) const) {
    show(name, reinterpret_cast<R (C::*)(A...)>(method));
}
"#;

/// What the binding says, in the probe's letters.
fn letters(signature: &str) -> String {
    let (arguments, answer) = signature.split_once(')').expect("a signature");
    let letter = |text: &str| match text.trim() {
        "" => 'v',
        "Text" | "RawStream" => 'p',
        text if text.starts_with('*') => 'p',
        "u8" | "bool" => 'b',
        "i32" | "u32" => 'i',
        "i64" | "usize" => 'l',
        "f32" => 'f',
        "Dims" => 'D',
        other => panic!("{other} in {signature}"),
    };
    let answer = letter(answer.trim().trim_start_matches("->"));
    let arguments = arguments.trim_start_matches('(');
    let arguments = arguments.split(',').filter(|text| !text.trim().is_empty()).map(letter);
    std::iter::once(answer).chain(arguments).collect()
}

/// Methods of objects that the caller implements: class, method, slot in 10.x, slot in 11.x, since in 10.x.
const CALLBACKS: &[(&str, &str, i64, i64, u16)] = &[
    ("ILogger", "log", 0, 4, 0),
    ("IErrorRecorder", "getAPILanguage", 0, 0, 0),
    ("IErrorRecorder", "getInterfaceInfo", 1, 1, 0),
    ("IErrorRecorder", "getNbErrors", 4, 4, 0),
    ("IErrorRecorder", "getErrorCode", 5, 5, 0),
    ("IErrorRecorder", "getErrorDesc", 6, 6, 0),
    ("IErrorRecorder", "hasOverflowed", 7, 7, 0),
    ("IErrorRecorder", "clear", 8, 8, 0),
    ("IErrorRecorder", "reportError", 9, 9, 0),
    ("IErrorRecorder", "incRefCount", 10, 10, 0),
    ("IErrorRecorder", "decRefCount", 11, 11, 0),
    ("IStreamReaderV2", "read", 4, 4, 7),
    ("IStreamReaderV2", "seek", 5, 5, 7),
    ("IGpuAllocator", "allocate", 4, 4, 0),
    ("IGpuAllocator", "reallocate", 5, 5, 0),
    ("IGpuAllocator", "deallocate", 6, 6, 0),
    ("IGpuAllocator", "allocateAsync", 7, 7, 0),
    ("IGpuAllocator", "deallocateAsync", 8, 8, 0),
    ("IProgressMonitor", "phaseStart", 4, 4, 0),
    ("IProgressMonitor", "stepComplete", 5, 5, 0),
    ("IProgressMonitor", "phaseFinish", 6, 6, 0),
];

/// Every number of the enums, with the version from which headers have the name.
fn numbers(version: Version) -> Vec<(String, i64)> {
    let late = [
        ("FP4", Version::new(10, 8, 0)),
        ("E8M0", Version::new(10, 12, 0)),
        ("SAME_COMPUTE_CAPABILITY", Version::new(10, 9, 0)),
    ];
    let mut all = Vec::new();
    macro_rules! fixed {
        ($since:expr; $($class:literal $ty:ty),*) => {$(
            for value in <$ty>::ALL {
                let since = late.iter().find(|(name, _)| *name == value.name()).map_or($since, |(_, since)| *since);
                if version >= since {
                    all.push((format!("nvinfer1::{}::k{}", $class, value.name()), i64::from(value.raw())));
                }
            }
        )*};
    }
    fixed!(Version::new(10, 0, 0);
        "DataType" e::DataType, "TensorIOMode" e::TensorIOMode, "TensorLocation" e::TensorLocation,
        "TensorFormat" e::TensorFormat, "ILogger::Severity" e::Severity,
        "ExecutionContextAllocationStrategy" e::AllocationStrategy, "OptProfileSelector" e::ProfileSelector,
        "ProfilingVerbosity" e::ProfilingVerbosity, "HardwareCompatibilityLevel" e::HardwareCompatibility,
        "MemoryPoolType" e::MemoryPool, "DeviceType" e::DeviceType, "LayerInformationFormat" e::LayerInformationFormat);
    fixed!(Version::new(10, 7, 0); "SeekPosition" e::SeekPosition);
    fixed!(Version::new(10, 14, 0); "EngineStat" e::EngineStat);
    macro_rules! moved {
        ($($class:literal $ty:ty),*) => {$(
            for flag in <$ty>::ALL {
                if let Ok(number) = flag.number(version) {
                    all.push((format!("{}::k{}", $class, flag.name()), i64::from(number)));
                }
            }
        )*};
    }
    moved!("nvinfer1::BuilderFlag" BuilderFlag, "nvinfer1::NetworkDefinitionCreationFlag" NetworkFlag,
        "nvinfer1::PreviewFeature" PreviewFeature, "nvinfer1::TacticSource" TacticSource,
        "nvonnxparser::OnnxParserFlag" OnnxParserFlag);
    all
}

/// The class as the probe names it.
fn qualified(row: &Row) -> String {
    if row.interface.starts_with('I') {
        format!("nvonnxparser::{}", row.interface)
    } else {
        format!("nvinfer1::apiv::{}", row.interface)
    }
}

fn probe(version: Version, parser: bool) -> String {
    let mut text = format!("{PRELUDE}int main() {{\n");
    text.push_str("std::printf(\"size Dims %zu\\n\", sizeof(nvinfer1::Dims));\n");
    for row in slots::all() {
        if row.slot(version).is_err() || (!parser && row.interface.starts_with('I')) {
            continue;
        }
        let (class, name) = (qualified(&row), row.name);
        let pointer = match name {
            // The only overloaded one.
            "deserializeCudaEngine" => {
                format!("static_cast<nvinfer1::ICudaEngine* ({class}::*)(void const*, std::size_t)>(&{class}::{name})")
            }
            _ => format!("&{class}::{name}"),
        };
        writeln!(text, "show(\"{}::{name}\", {pointer});", row.interface).expect("a string");
    }
    for (class, method, _, _, since) in CALLBACKS {
        if version.major > 10 || version.minor >= *since {
            writeln!(text, "show(\"{class}::{method}\", &nvinfer1::{class}::{method});").expect("a string");
        }
    }
    for (name, _) in numbers(version).iter().filter(|(name, _)| parser || !name.starts_with("nvonnxparser")) {
        writeln!(text, "std::printf(\"number {name} %ld\\n\", static_cast<long>({name}));").expect("a string");
    }
    text.push_str("}\n");
    text
}

/// Version of the headers, read from their macros, one of which may stand for another.
fn header_version(include: &Path) -> Option<Version> {
    let text = std::fs::read_to_string(include.join("NvInferVersion.h")).ok()?;
    let macros: HashMap<_, _> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("#define "))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    let part = |part: &str| {
        let value = *macros.get(format!("NV_TENSORRT_{part}").as_str())?;
        macros.get(value).unwrap_or(&value).parse().ok()
    };
    Some(Version::new(part("MAJOR")?, part("MINOR")?, part("PATCH")?))
}

#[test]
#[ignore = "needs TensorRT's headers: TENSORRT_INCLUDE=/path/to/include"]
fn the_tables_agree_with_the_headers() {
    let include = std::env::var_os("TENSORRT_INCLUDE").expect("TENSORRT_INCLUDE names the folder of NvInfer.h");
    let mut compiler = common::compiler();
    let include = Path::new(&include);
    let version = header_version(include).expect("NvInferVersion.h has a version");
    let parser = include.join("NvOnnxParser.h").exists();
    let folder = common::scratch().join(format!("probe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let stub = "#pragma once\ntypedef struct CUstream_st* cudaStream_t;\ntypedef struct CUevent_st* cudaEvent_t;\n";
    std::fs::write(folder.join("cuda_runtime_api.h"), stub).expect("a file");
    std::fs::write(folder.join("probe.cpp"), probe(version, parser)).expect("a file");
    // C++14, where `noexcept` is no part of a type. The headers' own inline calls need no library.
    let output = compiler
        .args(["-std=c++14", "-w", "-Wl,--unresolved-symbols=ignore-all", "-o"])
        .arg(folder.join("probe"))
        .arg(folder.join("probe.cpp"))
        .arg("-I")
        .arg(&folder)
        .arg("-isystem")
        .arg(include)
        .output()
        .expect("the compiler starts");
    assert!(output.status.success(), "the probe: {}", String::from_utf8_lossy(&output.stderr));
    let output = std::process::Command::new(folder.join("probe")).output().expect("the probe starts");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("ASCII");
    let found: HashMap<_, _> =
        text.lines().filter_map(|line| line.split_once(' ')).filter_map(|(_, rest)| rest.split_once(' ')).collect();

    let mut compared = 0;
    let mut differences = Vec::new();
    let mut compare = |name: &str, wanted: String| {
        compared += 1;
        if found.get(name).copied() != Some(wanted.as_str()) {
            differences.push(format!("{name}: the headers say {:?}, the binding {wanted}", found.get(name)));
        }
    };
    compare("Dims", size_of::<tensorrt_rs::Dims>().to_string());
    for row in slots::all() {
        match row.slot(version) {
            Ok(_) if !parser && row.interface.starts_with('I') => {}
            Ok(slot) => {
                let mut wanted = letters(row.signature);
                // A void in 10.x, a bool in 11.x, and never read.
                if row.name == "setMaxAuxStreams" && version.major == 11 {
                    wanted.replace_range(..1, "b");
                }
                compare(&format!("{}::{}", row.interface, row.name), format!("{slot} {wanted}"));
            }
            Err(Error::Unsupported { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    for (class, method, ten, eleven, since) in CALLBACKS {
        if version.major == 10 && version.minor < *since {
            continue;
        }
        let name = format!("{class}::{method}");
        let slot = if version.major == 10 { ten } else { eleven };
        // Their signatures are C++'s own here; the slot is what we lay out.
        let letters =
            found.get(name.as_str()).and_then(|found| found.split_once(' ')).map_or("", |(_, letters)| letters);
        compare(&name, format!("{slot} {letters}"));
    }
    for (name, number) in numbers(version) {
        if parser || !name.starts_with("nvonnxparser") {
            compare(&name, number.to_string());
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    eprintln!("TensorRT {version} headers, parser {parser}: {compared} comparisons, {} differences", differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
