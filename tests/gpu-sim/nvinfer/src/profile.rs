//! `IOptimizationProfile`; it belongs to its builder.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::sync::Mutex;

use gpu_sim::plan;
use gpu_sim::report::lock;
use sim_nvinfer_abi::{Dims, Interface, method, methods, text};

/// Shapes by input name: min, opt and max, as far as they are set.
#[derive(Default)]
pub(crate) struct Profile {
    shapes: Mutex<BTreeMap<String, [Option<Vec<i64>>; 3]>>,
}

impl Profile {
    pub(crate) fn is_valid(&self) -> bool {
        let shapes = lock(&self.shapes);
        shapes.values().all(|shapes| match shapes {
            [Some(min), Some(opt), Some(max)] => {
                let ordered = |small: &[i64], large: &[i64]| {
                    small.len() == large.len() && small.iter().zip(large).all(|(small, large)| small <= large)
                };
                ordered(min, opt) && ordered(opt, max)
            }
            _ => false,
        })
    }

    /// Smallest, best and largest shapes are the same.
    pub(crate) fn is_fixed(&self) -> bool {
        lock(&self.shapes).values().all(|[min, opt, max]| min == opt && opt == max)
    }

    /// As a plan has it; what is not complete is left out.
    pub(crate) fn to_plan(&self) -> plan::Profile {
        let shapes = lock(&self.shapes);
        let ranges = shapes.iter().filter_map(|(name, shapes)| match shapes {
            [Some(min), Some(opt), Some(max)] => {
                Some((name.clone(), plan::Range { min: min.clone(), opt: opt.clone(), max: max.clone() }))
            }
            _ => None,
        });
        ranges.collect()
    }
}

impl Interface for Profile {
    const CLASS: &'static str = "VOptimizationProfile";
    const INTERFACE: &'static str = "IOptimizationProfile";
    const OWNED: bool = true;

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "setDimensions" => set_dimensions,
            "getDimensions" => get_dimensions,
            "getNbShapeValues" => no_values,
            "setExtraMemoryTarget" => accept_target,
            "getExtraMemoryTarget" => get_target,
            "isValid" => is_valid,
        }
    }
}

extern "C" fn set_dimensions(this: *const c_void, name: *const c_char, select: i32, dims: *const Dims) -> bool {
    // SAFETY: TensorRT asks its callers for a NUL-terminated name and a reference.
    let (name, shape) = unsafe { (text(name), (*dims).shape().to_vec()) };
    let Some(index) = usize::try_from(select).ok().filter(|index| *index < 3) else {
        return false;
    };
    lock(&method::<Profile>(this).shapes).entry(name).or_default()[index] = Some(shape);
    true
}

extern "C" fn get_dimensions(this: *const c_void, name: *const c_char, select: i32) -> Dims {
    // SAFETY: TensorRT asks its callers for a NUL-terminated name.
    let name = unsafe { text(name) };
    let profile = method::<Profile>(this);
    let shapes = lock(&profile.shapes);
    let shape = shapes.get(&name).and_then(|shapes| shapes.get(usize::try_from(select).ok()?)?.as_ref());
    shape.map_or(Dims::NONE, |shape| Dims::new(shape))
}

extern "C" fn no_values(_: *const c_void, _: *const c_char) -> i32 {
    -1
}

extern "C" fn accept_target(_: *const c_void, target: f32) -> bool {
    (0.0..=1.0).contains(&target)
}

extern "C" fn get_target(_: *const c_void) -> f32 {
    1.0
}

extern "C" fn is_valid(this: *const c_void) -> bool {
    method::<Profile>(this).is_valid()
}
