//! Compiles the project's kernels for the host, where their sources and a C++ compiler are.

use std::path::Path;

fn main() {
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libcuda.so.1");
    println!("cargo:rustc-check-cfg=cfg(host_kernels)");
    println!("cargo:rerun-if-changed=build.rs");
    let source = Path::new("../../../crates/gpu/kernels/host/kernels.cpp");
    println!("cargo:rerun-if-changed=../../../crates/gpu/kernels");
    if !source.exists() {
        println!("cargo:warning={} is not there: the simulated GPU has no kernels", source.display());
        return;
    }
    // The kernels must round as they do elsewhere: no multiply-add that the source does not ask for.
    let built = cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .flag("-ffp-contract=off")
        .warnings(false)
        .file(source)
        .try_compile("watchkeeper_host_kernels");
    match built {
        Ok(()) => println!("cargo:rustc-cfg=host_kernels"),
        Err(error) => println!("cargo:warning=no C++ compiler ({error}): the simulated GPU has no kernels"),
    }
}
