//! Which machine this is.

use std::fs;

use gpu::Device;

/// What the simulator of `tests/gpu-sim` calls itself.
pub fn is_simulated(device: &Device) -> bool {
    device.info().name.starts_with("Simulated")
}

/// Says what the results hold for.
pub fn print(device: &Device) {
    let info = device.info();
    let (major, minor) = info.compute_capability;
    let memory = if info.integrated { "shared with the host" } else { "its own" };
    let gib = info.total_memory as f64 / f64::from(1 << 30);
    println!("device   {}, {}", info.name, info.uuid);
    println!("         sm_{major}{minor}, {} multiprocessors, {gib:.1} GiB of memory, {memory}", info.multiprocessors);
    let (major, minor) = info.driver;
    println!("driver   {}, CUDA {major}.{minor}", driver().unwrap_or_else(|| "unknown release".to_owned()));
    println!("machine  {}, {}", std::env::consts::ARCH, board().unwrap_or_else(|| "no Jetson".to_owned()));
    if is_simulated(device) {
        println!("THIS IS THE SIMULATOR: what follows shows that the tests run, and nothing about any GPU");
    }
    println!();
}

/// Release of NVIDIA's kernel module, such as 570.86.15.
fn driver() -> Option<String> {
    let number = |word: &&str| word.contains('.') && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let module = fs::read_to_string("/proc/driver/nvidia/version").ok();
    let release = module.as_deref().and_then(|text| text.split_whitespace().find(number)).map(str::to_owned);
    release.or_else(|| Some(fs::read_to_string("/sys/module/nvidia/version").ok()?.trim().to_owned()))
}

/// Jetson Linux's release.
fn board() -> Option<String> {
    let text = fs::read_to_string("/etc/nv_tegra_release").ok()?;
    Some(text.lines().next()?.trim_start_matches(['#', ' ']).to_owned())
}
