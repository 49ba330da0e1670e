//! `IRuntimeConfig`, `ISerializationConfig` and `IBuilderConfig`.

mod builder_config;

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use sim_nvinfer_abi::{Interface, method, methods};

pub(crate) use builder_config::BuilderConfig;

use crate::context::Strategy;

/// How contexts take their memory.
#[derive(Default)]
pub(crate) struct RuntimeConfig {
    strategy: AtomicI32,
}

impl RuntimeConfig {
    pub(crate) fn strategy(&self) -> Strategy {
        Strategy::from_number(self.strategy.load(Ordering::Relaxed))
    }
}

impl Interface for RuntimeConfig {
    const CLASS: &'static str = "VRuntimeConfig";
    const INTERFACE: &'static str = "IRuntimeConfig";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "getPImpl" => get_interface,
            "setExecutionContextAllocationStrategy" => set_strategy,
            "getExecutionContextAllocationStrategy" => get_strategy,
        }
    }
}

extern "C" fn get_interface(this: *const c_void) -> *const c_void {
    (this as usize - 2 * size_of::<usize>()) as *const c_void
}

extern "C" fn set_strategy(this: *const c_void, strategy: i32) {
    method::<RuntimeConfig>(this).strategy.store(strategy, Ordering::Relaxed);
}

extern "C" fn get_strategy(this: *const c_void) -> i32 {
    method::<RuntimeConfig>(this).strategy.load(Ordering::Relaxed)
}

/// Flags that change nothing here.
#[derive(Default)]
pub(crate) struct SerializationConfig {
    flags: AtomicU32,
}

impl Interface for SerializationConfig {
    const CLASS: &'static str = "VSerializationConfig";
    const INTERFACE: &'static str = "ISerializationConfig";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "setFlags" => set_flags,
            "getFlags" => get_flags,
            "clearFlag" => clear_flag,
            "setFlag" => set_flag,
            "getFlag" => get_flag,
        }
    }
}

extern "C" fn set_flags(this: *const c_void, flags: u32) -> bool {
    method::<SerializationConfig>(this).flags.store(flags, Ordering::Relaxed);
    true
}

extern "C" fn get_flags(this: *const c_void) -> u32 {
    method::<SerializationConfig>(this).flags.load(Ordering::Relaxed)
}

extern "C" fn clear_flag(this: *const c_void, flag: u32) -> bool {
    method::<SerializationConfig>(this).flags.fetch_and(!(1 << (flag & 31)), Ordering::Relaxed);
    true
}

extern "C" fn set_flag(this: *const c_void, flag: u32) -> bool {
    method::<SerializationConfig>(this).flags.fetch_or(1 << (flag & 31), Ordering::Relaxed);
    true
}

extern "C" fn get_flag(this: *const c_void, flag: u32) -> bool {
    get_flags(this) & 1 << (flag & 31) != 0
}
