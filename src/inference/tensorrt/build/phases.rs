//! How far a build is, out of TensorRT's phases: they have names and numbers of steps, nest, and run on several threads.

use std::time::Duration;

/// Phases deeper than this are not looked at.
const DEEPEST: usize = 8;

/// The phases that are under way.
#[derive(Clone, Debug, Default)]
pub struct Phases {
    active: Vec<Phase>,
    /// How far the outermost phase was at most.
    part: f64,
}

#[derive(Clone, Debug)]
struct Phase {
    name: String,
    parent: Option<String>,
    steps: u32,
    done: u32,
}

/// What there is to show.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The phase with the most steps of those that the newest one is part of.
    pub phase: String,
    /// Steps of it that are done.
    pub step: u32,
    /// All of them.
    pub steps: u32,
    /// The newest phase, where that is another.
    pub detail: Option<String>,
    /// How much of the outermost phase is done, 0 to 1; never less than before.
    pub part: f64,
}

impl Phases {
    /// A phase begins.
    pub fn start(&mut self, name: &str, parent: Option<&str>, steps: i32) {
        if parent.is_none_or(|parent| !self.active.iter().any(|phase| phase.name == parent)) {
            // Another outermost one.
            self.part = 0.0;
        }
        self.active.retain(|phase| phase.name != name);
        let parent = parent.filter(|parent| *parent != name).map(str::to_owned);
        let steps = u32::try_from(steps).unwrap_or(0);
        self.active.push(Phase { name: name.to_owned(), parent, steps, done: 0 });
    }

    /// A step of a phase, counted from 0, is done.
    pub fn step(&mut self, name: &str, number: i32) {
        if let Some(phase) = self.active.iter_mut().find(|phase| phase.name == name) {
            let done = u32::try_from(number).unwrap_or(0).saturating_add(1);
            phase.done = phase.done.max(done).min(phase.steps);
        }
    }

    /// A phase ends.
    pub fn finish(&mut self, name: &str) {
        self.active.retain(|phase| phase.name != name);
    }

    /// What there is to show; `None` between phases.
    pub fn view(&mut self) -> Option<View> {
        let newest = self.active.last()?;
        let chain = self.chain(newest);
        let outermost = chain.last()?;
        // Of two with as many steps the outer one.
        let shown = chain.iter().max_by_key(|phase| phase.steps)?;
        let detail = (shown.name != newest.name).then(|| newest.name.clone());
        let (phase, step, steps) = (shown.name.clone(), shown.done, shown.steps);
        let part = self.part_of(outermost, 0).max(self.part);
        self.part = part;
        Some(View { phase, step, steps, detail, part })
    }

    /// A phase and those around it, from the inside out.
    fn chain<'a>(&'a self, innermost: &'a Phase) -> Vec<&'a Phase> {
        let mut chain = vec![innermost];
        while let Some(phase) = chain.last().and_then(|phase| self.named(phase.parent.as_deref()?))
            && chain.len() < DEEPEST
        {
            chain.push(phase);
        }
        chain
    }

    fn named(&self, name: &str) -> Option<&Phase> {
        self.active.iter().find(|phase| phase.name == name)
    }

    /// Steps done, and of the one under way what the phases in it have done.
    fn part_of(&self, phase: &Phase, depth: usize) -> f64 {
        if phase.steps == 0 {
            return 0.0;
        }
        let inner = self.active.iter().filter(|inner| depth < DEEPEST && inner.parent.as_ref() == Some(&phase.name));
        let inner = inner.map(|inner| self.part_of(inner, depth + 1)).fold(0.0, f64::max);
        ((f64::from(phase.done) + inner) / f64::from(phase.steps)).min(1.0)
    }
}

/// A guess of the time left: from how long the build of the engine before took, else from how far this one is.
#[must_use]
pub fn remaining(elapsed: Duration, part: f64, before: Option<Duration>) -> Option<Duration> {
    /// Too little to go by.
    const LEAST: f64 = 0.02;
    if let Some(left) = before.and_then(|before| before.checked_sub(elapsed)) {
        return Some(left);
    }
    let known = part >= LEAST && elapsed >= Duration::from_secs(1);
    known.then(|| elapsed.mul_f64((1.0 - part) / part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(calls: &[(&str, Option<&str>, i32, i32)]) -> Phases {
        let mut phases = Phases::default();
        for &(name, parent, steps, done) in calls {
            phases.start(name, parent, steps);
            (0..done).for_each(|step| phases.step(name, step));
        }
        phases
    }

    #[test]
    fn the_longest_phase_is_shown_and_the_newest_beside_it() {
        let mut phases =
            of(&[("build", None, 4, 1), ("layers", Some("build"), 60, 14), ("tactics", Some("layers"), 3, 1)]);
        let view = phases.view().expect("under way");
        assert_eq!((view.phase.as_str(), view.step, view.steps), ("layers", 14, 60));
        assert_eq!(view.detail.as_deref(), Some("tactics"));
        let wanted = (1.0 + (14.0 + 1.0 / 3.0) / 60.0) / 4.0;
        assert!((view.part - wanted).abs() < 1e-9, "{view:?}");
    }

    #[test]
    fn the_part_only_grows_until_another_outermost_phase_begins() {
        let mut phases = of(&[("build", None, 4, 1), ("layers", Some("build"), 10, 9)]);
        let before = phases.view().expect("under way").part;
        phases.finish("layers");
        assert!(phases.view().expect("under way").part >= before);
        phases.step("build", 3);
        assert!((phases.view().expect("under way").part - 1.0).abs() < 1e-9);
        phases.finish("build");
        assert_eq!(phases.view(), None);
        phases.start("again", None, 2);
        assert!(phases.view().expect("under way").part < 0.01);
    }

    #[test]
    fn odd_calls_do_no_harm() {
        let mut phases = of(&[("loop", Some("loop"), 3, 1), ("a", Some("b"), -1, 0), ("b", Some("a"), 2, 9)]);
        let view = phases.view().expect("under way");
        assert!((0.0..=1.0).contains(&view.part), "{view:?}");
        phases.step("unknown", 1);
        phases.finish("unknown");
        phases.step("loop", -5);
        assert!(phases.view().is_some());
    }

    #[test]
    fn what_remains_is_guessed_from_the_build_before_or_from_the_progress() {
        let s = Duration::from_secs;
        assert_eq!(remaining(s(10), 0.5, Some(s(60))), Some(s(50)));
        assert_eq!(remaining(s(70), 0.7, Some(s(60))), Some(s(70).mul_f64(0.3 / 0.7)));
        assert_eq!(remaining(s(10), 0.25, None), Some(s(30)));
        assert_eq!(remaining(s(10), 0.0, None), None);
    }
}
