//! The network of an engine, run by ONNX Runtime on the CPU.

use std::collections::HashMap;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gpu_sim::report::lock;
use onnxruntime::{Binding, ElementType, Runtime, Session, SessionOptions};

/// Shapes of all inputs, in order.
pub(crate) type Shapes = Vec<Vec<i64>>;

/// A session shared by all contexts of an engine, and buffers for each run at a time.
pub(crate) struct Model {
    session: Arc<Session>,
    free: Mutex<HashMap<Shapes, Vec<Binding>>>,
    outputs: Mutex<HashMap<Shapes, Shapes>>,
}

/// A range that one run reads or writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    pub(crate) view: *mut u8,
    pub(crate) size: usize,
}

impl Model {
    /// Loads the network.
    pub(crate) fn load(onnx: &[u8]) -> Result<Self, String> {
        let runtime = runtime()?;
        let file = memory_file(onnx).map_err(|error| format!("no memory file: {error}"))?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let options = SessionOptions { threads: 1 };
        let session = Session::open(&runtime, Path::new(&path), options).map_err(|error| error.to_string())?;
        Ok(Self { session, free: Mutex::default(), outputs: Mutex::default() })
    }

    /// Shapes of the outputs for these inputs.
    pub(crate) fn output_shapes(&self, inputs: &Shapes) -> Result<Shapes, String> {
        if let Some(known) = lock(&self.outputs).get(inputs) {
            return Ok(known.clone());
        }
        let binding = self.bind(inputs)?;
        let outputs = self.session.outputs().iter().enumerate();
        let shapes: Shapes =
            outputs.map(|(index, info)| output_shape(&binding, index, info.element)).collect::<Result<_, _>>()?;
        lock(&self.free).entry(inputs.clone()).or_default().push(binding);
        lock(&self.outputs).insert(inputs.clone(), shapes.clone());
        Ok(shapes)
    }

    /// Runs the network from `inputs` to `outputs`, in the model's order.
    ///
    /// # Safety
    /// Inputs are readable, outputs writable, and nobody else touches them meanwhile.
    pub(crate) unsafe fn run(&self, shapes: &Shapes, inputs: &[Bytes], outputs: &[Bytes]) -> Result<(), String> {
        let pooled = lock(&self.free).get_mut(shapes).and_then(Vec::pop);
        let mut binding = match pooled {
            Some(binding) => binding,
            None => self.bind(shapes)?,
        };
        for (index, (info, bytes)) in self.session.inputs().iter().zip(inputs).enumerate() {
            // SAFETY: the caller vouches for the range.
            unsafe { fill(&mut binding, index, info.element, *bytes)? };
        }
        binding.run().map_err(|error| error.to_string())?;
        for (index, (info, bytes)) in self.session.outputs().iter().zip(outputs).enumerate() {
            // SAFETY: the caller vouches for the range.
            unsafe { fetch(&binding, index, info.element, *bytes)? };
        }
        lock(&self.free).entry(shapes.clone()).or_default().push(binding);
        Ok(())
    }

    fn bind(&self, shapes: &Shapes) -> Result<Binding, String> {
        self.session.bind(shapes).map_err(|error| error.to_string())
    }
}

/// Calls a function with the Rust type of an element.
macro_rules! with_type {
    ($element:expr, $type:ident => $body:expr) => {
        match $element {
            Some(ElementType::Float32) => {
                type $type = f32;
                $body
            }
            Some(ElementType::Float16) => {
                type $type = half::f16;
                $body
            }
            Some(ElementType::Bfloat16) => {
                type $type = half::bf16;
                $body
            }
            Some(ElementType::Int64) => {
                type $type = i64;
                $body
            }
            Some(ElementType::Int32) => {
                type $type = i32;
                $body
            }
            Some(ElementType::Uint8) => {
                type $type = u8;
                $body
            }
            Some(ElementType::Int8) => {
                type $type = i8;
                $body
            }
            Some(ElementType::Bool) => {
                type $type = bool;
                $body
            }
            other => Err(format!("the simulator does not pass tensors of {other:?}")),
        }
    };
}

fn output_shape(binding: &Binding, index: usize, element: Option<ElementType>) -> Result<Vec<i64>, String> {
    with_type!(element, T => binding.output::<T>(index).map(|(shape, _)| shape.to_vec()).map_err(|error| error.to_string()))
}

/// # Safety
/// `bytes` is readable.
unsafe fn fill(binding: &mut Binding, index: usize, element: Option<ElementType>, bytes: Bytes) -> Result<(), String> {
    with_type!(element, T => {
        let data = binding.input_mut::<T>(index).map_err(|error| error.to_string())?;
        if size_of_val(data) != bytes.size {
            return Err(format!("input {index} has {} bytes, {} are wanted", bytes.size, size_of_val(data)));
        }
        // SAFETY: both are `size` bytes; a bool that is neither 0 nor 1 is the model's trouble, as on a GPU.
        unsafe { std::ptr::copy_nonoverlapping(bytes.view, data.as_mut_ptr().cast(), bytes.size) };
        Ok(())
    })
}

/// # Safety
/// `bytes` is writable.
unsafe fn fetch(binding: &Binding, index: usize, element: Option<ElementType>, bytes: Bytes) -> Result<(), String> {
    with_type!(element, T => {
        let (_, data) = binding.output::<T>(index).map_err(|error| error.to_string())?;
        if size_of_val(data) != bytes.size {
            return Err(format!("output {index} has {} bytes, {} are wanted", bytes.size, size_of_val(data)));
        }
        // SAFETY: both are `size` bytes.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr().cast(), bytes.view, bytes.size) };
        Ok(())
    })
}

/// ONNX Runtime, from `ORT_DYLIB_PATH`, the project's `.deps`, or where the system has it.
fn runtime() -> Result<Runtime, String> {
    const NAME: &str = "libonnxruntime.so";
    let mut places = Vec::new();
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        places.push(PathBuf::from(path));
    } else {
        let starts = [std::env::current_exe(), std::env::current_dir()];
        for start in starts.iter().flatten() {
            places.extend(
                start.ancestors().map(|dir| dir.join(".deps/onnxruntime").join(NAME)).find(|path| path.exists()),
            );
        }
        places.extend(["/usr/lib/watchkeeper", ""].map(|dir| Path::new(dir).join(NAME)));
    }
    let mut reasons = Vec::new();
    for place in places {
        match Runtime::load(&place) {
            Ok(runtime) => return Ok(runtime),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(format!("the simulated GPU needs ONNX Runtime; set ORT_DYLIB_PATH ({})", reasons.join("; ")))
}

fn memory_file(bytes: &[u8]) -> std::io::Result<std::fs::File> {
    // SAFETY: a plain system call with a constant name.
    let file = unsafe { libc::memfd_create(c"simulated engine".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened and is owned by nobody else.
    let mut file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(file) });
    file.write_all(bytes)?;
    Ok(file)
}
