//! Objects with the layout that C++ callers expect, whose insides live in a table of ours.
//!
//! A caller's `IRuntime*` points to two words: the vtable with the destructors, and the pointer to the implementation,
//! whose first word is the vtable with all methods. An object's data is found by its address; an address without data
//! is one that was destroyed, and its vtables say so.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, LazyLock, Mutex};

use gpu_sim::report::{lock, misuse};

use crate::missing::MISSING;
use crate::{Version, slots};

/// Destroyed objects whose memory is kept, so that a late call is noticed.
const KEPT: usize = 4096;
/// Words in front of a vtable's slots: our class, the offset to the top, the type information.
const FRONT: usize = 3;

/// A class as one version has it.
#[derive(Debug)]
pub struct Class {
    name: &'static str,
    version: Version,
    methods: Vec<&'static str>,
}

/// Rust data behind a class of TensorRT.
pub trait Interface: Any + Send + Sync {
    /// Name of the class whose methods it has, such as `VRuntime`.
    const CLASS: &'static str;
    /// Name of the interface in front of it, such as `IRuntime`.
    const INTERFACE: &'static str;
    /// Whether callers may destroy it; what belongs to another object must be left alone.
    const OWNED: bool = false;

    /// Names and addresses of the methods that are simulated.
    fn methods() -> Vec<(&'static str, *const c_void)>;

    /// Looks at what is being destroyed.
    fn destroyed(self: Arc<Self>) {}
}

/// An address of a method, for [`Interface::methods`].
#[macro_export]
macro_rules! methods {
    ($($name:literal => $function:path),* $(,)?) => {
        vec![$(($name, $function as *const ::std::ffi::c_void)),*]
    };
}

/// The three words of an object.
#[repr(C)]
#[derive(Debug)]
pub struct Object {
    destructors: *const usize,
    implementation: *mut *const usize,
    methods: *const usize,
}

type Data = (&'static str, Arc<dyn Any + Send + Sync>);

static LIVE: LazyLock<Mutex<HashMap<usize, Data>>> = LazyLock::new(|| Mutex::new(HashMap::new()));
/// Class, whether it is the one with the destructors, version.
type TableKey = (&'static str, bool, Version);

static TABLES: LazyLock<Mutex<HashMap<TableKey, usize>>> = LazyLock::new(|| Mutex::new(HashMap::new()));
static DESTROYED: Mutex<VecDeque<usize>> = Mutex::new(VecDeque::new());

/// Reports, and ends the process: the real library would do something undefined.
pub(crate) fn end(kind: &str, what: &str) -> ! {
    misuse("TensorRT", kind, what);
    std::process::abort();
}

impl Class {
    pub(crate) fn method(&self, slot: usize) -> String {
        let method = self.methods.get(slot).copied().unwrap_or("a method beyond the last one");
        format!("{}::{method} (slot {slot}, TensorRT {})", self.name, self.version)
    }
}

impl Object {
    /// Makes an object; callers get [`Object::interface`] of it, or the pointer to its methods.
    pub fn create<T: Interface>(version: Version, data: Arc<T>) -> *mut Self {
        let object = Box::into_raw(Box::new(Self {
            destructors: table::<T>(version, true),
            implementation: ptr::null_mut(),
            methods: table::<T>(version, false),
        }));
        // SAFETY: the object was just made and nobody else knows it.
        let implementation = unsafe { &raw mut (*object).methods };
        // SAFETY: as above.
        unsafe { (*object).implementation = implementation };
        lock(&LIVE).insert(implementation as usize, (T::CLASS, data));
        object
    }

    /// The pointer that callers of an interface with an implementation hold, such as `IRuntime*`.
    pub fn interface(object: *mut Self) -> *mut c_void {
        object.cast()
    }

    /// The pointer that callers of an interface without one hold, such as `IParser*`.
    pub fn bare(object: *mut Self) -> *mut c_void {
        (object as usize + size_of::<Self>() - size_of::<usize>()) as *mut c_void
    }

    /// The data behind an interface pointer that a caller hands over; `None` where it is null.
    ///
    /// Ends the process where the pointer is none of ours or the object was destroyed.
    pub fn behind<T: Interface>(interface: *const c_void) -> Option<Arc<T>> {
        (!interface.is_null()).then(|| method((interface as usize + 2 * size_of::<usize>()) as *const c_void))
    }

    /// Destroys an object on behalf of its owner.
    pub fn destroy<T: Interface>(object: *mut Self) {
        let data = take::<T>(Self::bare(object) as usize);
        data.destroyed();
        bury(object);
    }
}

/// The data of the object that a method is called on.
///
/// Ends the process where there is none.
pub fn method<T: Interface>(this: *const c_void) -> Arc<T> {
    let found = lock(&LIVE).get(&(this as usize)).cloned();
    match found.map(|(class, data)| (class, data.downcast::<T>())) {
        Some((_, Ok(data))) => data,
        Some((class, Err(_))) => end("wrong-object", &format!("{this:p} is a {class}, {} is wanted", T::CLASS)),
        None => end("dead-object", &format!("{this:p} is no {}, or was destroyed", T::CLASS)),
    }
}

/// How many objects of each class are alive.
#[must_use]
pub fn live() -> std::collections::BTreeMap<&'static str, usize> {
    let mut counts = std::collections::BTreeMap::new();
    for (class, _) in lock(&LIVE).values() {
        *counts.entry(*class).or_insert(0) += 1;
    }
    counts
}

fn take<T: Interface>(address: usize) -> Arc<T> {
    let gone = lock(&LIVE).remove(&address);
    match gone.map(|(_, data)| data.downcast::<T>()) {
        Some(Ok(data)) => data,
        _ => end("dead-object", &format!("{address:#x}: a {} was destroyed twice", T::CLASS)),
    }
}

/// Points a destroyed object's vtables at functions that say so, and frees the oldest such object.
fn bury(object: *mut Object) {
    // SAFETY: the object was taken out of the table just now, so no other call of ours has it.
    unsafe {
        (*object).destructors = DEAD.as_ptr().cast();
        (*object).methods = DEAD.as_ptr().cast();
    }
    let mut destroyed = lock(&DESTROYED);
    destroyed.push_back(object as usize);
    if destroyed.len() > KEPT
        && let Some(oldest) = destroyed.pop_front()
    {
        // SAFETY: it came from `Box::into_raw`, and was buried once.
        drop(unsafe { Box::from_raw(oldest as *mut Object) });
    }
}

extern "C" fn dead(this: *const c_void) -> ! {
    end("dead-object", &format!("a method of {this:p} was called after its destruction"));
}

static DEAD: [extern "C" fn(*const c_void) -> !; 96] = [dead; 96];

/// Slot 1 of an interface with an implementation: destroys and frees the object.
extern "C" fn destroy_interface<T: Interface>(interface: *mut c_void) {
    if T::OWNED {
        end(
            "destroyed-owned",
            &format!("an {} belongs to the object it came from and must not be destroyed", T::INTERFACE),
        );
    }
    Object::destroy::<T>(interface.cast());
}

/// The same for an interface without one.
extern "C" fn destroy_bare<T: Interface>(this: *mut c_void) {
    let object = (this as usize - 2 * size_of::<usize>()) as *mut c_void;
    destroy_interface::<T>(object);
}

extern "C" fn complete<T: Interface>(_: *mut c_void) {
    end(
        "complete-destructor",
        &format!("{}: slot 0 does not free; the deleting destructor is the next slot", T::INTERFACE),
    );
}

/// The vtable of a class in a version; made once, never freed.
fn table<T: Interface>(version: Version, destructors: bool) -> *const usize {
    let mut tables = lock(&TABLES);
    let made = tables.entry((T::CLASS, destructors, version)).or_insert_with(|| {
        let class = Box::leak(Box::new(if destructors {
            Class { name: T::INTERFACE, version, methods: vec!["~complete", "~deleting"] }
        } else {
            Class { name: T::CLASS, version, methods: slots::methods(T::CLASS, version) }
        }));
        let mut known: HashMap<&str, *const c_void> = HashMap::new();
        if destructors {
            known.insert("~complete", complete::<T> as *const c_void);
            known.insert("~deleting", destroy_interface::<T> as *const c_void);
        } else {
            known.extend(T::methods());
            if !T::CLASS.starts_with('V') {
                known.insert("~deleting", destroy_bare::<T> as *const c_void);
            }
        }
        let mut words = vec![std::ptr::from_ref(class) as usize, 0, 0];
        for (slot, method) in class.methods.iter().enumerate() {
            let missing =
                MISSING.get(slot).map_or(dead as *const c_void as usize, |stub| *stub as *const c_void as usize);
            words.push(known.get(method).map_or(missing, |function| *function as usize));
        }
        Box::leak(words.into_boxed_slice())[FRONT..].as_ptr() as usize
    });
    *made as *const usize
}
