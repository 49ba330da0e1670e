//! What is in the slots of methods that the simulator does not have.

use crate::object::{Class, end};

/// A function for each slot, which names the method and ends the process.
pub(crate) type Stub = extern "C" fn(*const *const usize) -> !;

extern "C" fn missing<const SLOT: usize>(this: *const *const usize) -> ! {
    // SAFETY: every vtable of ours has its class in front of the two words that come before its slots; methods that
    // return a struct, whose first argument is not the object, are never missing.
    let class = unsafe { &*(*this).sub(3).cast::<*const Class>().read() };
    end("unsupported", &format!("{} is not simulated", class.method(SLOT)));
}

/// The functions by slot.
#[rustfmt::skip]
pub(crate) static MISSING: [Stub; 96] = [
    missing::<0>, missing::<1>, missing::<2>, missing::<3>, missing::<4>, missing::<5>,
    missing::<6>, missing::<7>, missing::<8>, missing::<9>, missing::<10>, missing::<11>,
    missing::<12>, missing::<13>, missing::<14>, missing::<15>, missing::<16>, missing::<17>,
    missing::<18>, missing::<19>, missing::<20>, missing::<21>, missing::<22>, missing::<23>,
    missing::<24>, missing::<25>, missing::<26>, missing::<27>, missing::<28>, missing::<29>,
    missing::<30>, missing::<31>, missing::<32>, missing::<33>, missing::<34>, missing::<35>,
    missing::<36>, missing::<37>, missing::<38>, missing::<39>, missing::<40>, missing::<41>,
    missing::<42>, missing::<43>, missing::<44>, missing::<45>, missing::<46>, missing::<47>,
    missing::<48>, missing::<49>, missing::<50>, missing::<51>, missing::<52>, missing::<53>,
    missing::<54>, missing::<55>, missing::<56>, missing::<57>, missing::<58>, missing::<59>,
    missing::<60>, missing::<61>, missing::<62>, missing::<63>, missing::<64>, missing::<65>,
    missing::<66>, missing::<67>, missing::<68>, missing::<69>, missing::<70>, missing::<71>,
    missing::<72>, missing::<73>, missing::<74>, missing::<75>, missing::<76>, missing::<77>,
    missing::<78>, missing::<79>, missing::<80>, missing::<81>, missing::<82>, missing::<83>,
    missing::<84>, missing::<85>, missing::<86>, missing::<87>, missing::<88>, missing::<89>,
    missing::<90>, missing::<91>, missing::<92>, missing::<93>, missing::<94>, missing::<95>,
];
