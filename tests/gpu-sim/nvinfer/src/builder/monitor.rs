//! A caller's `IProgressMonitor`, and the phases of a build that it hears of.

use std::ffi::{CStr, CString, c_char, c_void};
use std::time::Duration;

/// What the build consists of, by TensorRT's manner: phases in phases.
const BUILD: &CStr = c"Building Engine (simulated)";
const GRAPH: &CStr = c"Graph optimization";
const TIMING: &CStr = c"Timing layers";
const SERIALISE: &CStr = c"Serializing engine";
const GRAPH_STEPS: i32 = 10;
const TACTICS: i32 = 3;
const PARTS: i32 = 4;

/// Slots 4 to 6 start a phase, step in it (false: cancel) and end it.
#[derive(Clone, Copy)]
pub(super) struct Monitor(pub(super) usize);

/// The caller wants no more of it.
pub(super) struct Cancelled;

impl Monitor {
    /// Goes through a build of so many layers that takes so long, on a thread of its own as the real builder does.
    pub(super) fn build(self, layers: &[String], takes: Duration) -> Result<(), Cancelled> {
        let ticks = u32::try_from(layers.len()).unwrap_or(1).max(1) * TACTICS as u32 + 2 * GRAPH_STEPS as u32;
        let run = move || {
            let tick = takes / ticks;
            self.phase(BUILD, None, PARTS, |part| match part {
                0 => self.phase(GRAPH, Some(BUILD), GRAPH_STEPS, |_| wait(tick)),
                1 => self.phase(TIMING, Some(BUILD), layers.len() as i32, |layer| {
                    let name = CString::new(format!("Tactics of {}", layers[layer as usize])).unwrap_or_default();
                    self.phase(&name, Some(TIMING), TACTICS, |_| wait(tick))
                }),
                2 => Ok(()),
                _ => self.phase(SERIALISE, Some(BUILD), GRAPH_STEPS, |_| wait(tick)),
            })
        };
        std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or(Ok(()))
    }

    /// A phase; it ends also where it was cancelled.
    fn phase(
        self,
        name: &CStr,
        parent: Option<&CStr>,
        steps: i32,
        mut step: impl FnMut(i32) -> Result<(), Cancelled>,
    ) -> Result<(), Cancelled> {
        self.start(name, parent, steps);
        let outcome = (0..steps).try_for_each(|number| {
            step(number)?;
            if self.step(name, number) { Ok(()) } else { Err(Cancelled) }
        });
        self.finish(name);
        outcome
    }

    fn entry(self, slot: usize) -> *const c_void {
        // SAFETY: TensorRT asks its callers for a live, thread-safe monitor; the slots used here exist.
        unsafe { (*(self.0 as *const *const *const c_void)).add(slot).read() }
    }

    fn start(self, phase: &CStr, parent: Option<&CStr>, steps: i32) {
        type Start = unsafe extern "C" fn(usize, *const c_char, *const c_char, i32);
        if self.0 != 0 {
            // SAFETY: slot 4 has this type.
            unsafe {
                let start: Start = std::mem::transmute(self.entry(4));
                start(self.0, phase.as_ptr(), parent.map_or(std::ptr::null(), CStr::as_ptr), steps);
            }
        }
    }

    fn step(self, phase: &CStr, number: i32) -> bool {
        type Step = unsafe extern "C" fn(usize, *const c_char, i32) -> u8;
        // SAFETY: slot 5 has this type.
        self.0 == 0
            || unsafe {
                let step: Step = std::mem::transmute(self.entry(5));
                step(self.0, phase.as_ptr(), number) != 0
            }
    }

    fn finish(self, phase: &CStr) {
        type Finish = unsafe extern "C" fn(usize, *const c_char);
        if self.0 != 0 {
            // SAFETY: slot 6 has this type.
            unsafe {
                let finish: Finish = std::mem::transmute(self.entry(6));
                finish(self.0, phase.as_ptr());
            }
        }
    }
}

fn wait(tick: Duration) -> Result<(), Cancelled> {
    if !tick.is_zero() {
        std::thread::sleep(tick);
    }
    Ok(())
}
