use std::ffi::{c_char, c_void};
use std::path::Path;

use super::loader::{open, symbol};
use crate::{Error, Library, lifecycle};

/// TensorRT's own plugins (`libnvinfer_plugin`), registered with a library: plans that use such layers
/// cannot be loaded without.
#[derive(Debug)]
pub struct PluginLibrary(());

impl PluginLibrary {
    /// Loads the plugin library and registers its plugins; both stay until the process ends.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Symbol`], or [`Error::Call`] where registering failed.
    pub fn load(path: impl AsRef<Path>, library: &Library) -> Result<Self, Error> {
        let path = path.as_ref();
        let _lock = lifecycle::lock();
        let raw = std::mem::ManuallyDrop::new(open(path)?);
        // SAFETY: the types are those of the functions in 10.x and 11.x; the logger lives as long as the process.
        let registered = unsafe {
            let register: unsafe extern "C" fn(*mut c_void, *const c_char) -> u8 =
                symbol(&raw, path, "initLibNvInferPlugins", "it is not TensorRT's plugin library")?;
            register(library.logger(), c"".as_ptr())
        };
        library.quoting(|| match registered {
            0 => Err(Error::Call {
                interface: "plugins",
                method: "initLibNvInferPlugins",
                what: format!("registered nothing from {}", path.display()),
                vendor: Vec::new(),
            }),
            _ => Ok(Self(())),
        })
    }
}
