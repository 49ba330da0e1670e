//! Rules: what tracks do in zones, at lines and by themselves, and what befalls the picture; per camera, pure.
//!
//! State plus [`Input`] gives [`Firing`]s. Time comes from the frame, and what a frame was is told in the numbers in
//! which it is kept ([`Observation`](crate::types::observation::Observation)): a rule that is tried on the past says exactly what it would have said live.
//!
//! To add a rule: a variant of [`RuleKind`], a file here with a `Watch`, and a line in
//! `watch`.

mod abandoned;
mod absence;
mod book;
mod crowd;
mod fallen;
mod gate;
pub mod geometry;
pub mod heat;
mod held;
mod lines;
mod out;
mod passage;
mod place;
mod scene;
mod speed;
mod spell;
mod stand;
mod stopped;
mod succession;
mod tally;
mod trail;
mod view;
mod visit;
mod wrong_way;
mod zones;

use std::sync::Arc;

use crate::config::{self, RuleKind};
use crate::types::event::EventDraft;
pub use crate::types::observation::{Input, Model};

use heat::Heat;
use lines::Line;
use out::Out;
use succession::Succession;
use view::View;
use zones::Zone;

/// A rule fired.
#[derive(Clone, Debug)]
pub struct Firing {
    /// The event.
    pub draft: EventDraft,
    /// The track that it is about, by number.
    pub track: Option<u64>,
    /// Logged and counted, and nobody is told.
    pub shadow: bool,
}

/// The rules of one camera.
pub struct Rules {
    succession: Succession,
    zones: Vec<Zone>,
    lines: Vec<Line>,
    watches: Vec<Box<dyn Watch>>,
    out: Out,
    /// By track of the frame: the zones that it is in, a bit each.
    inside: Vec<u64>,
    heat: Heat,
    model: Arc<Model>,
}

/// One rule.
trait Watch: Send {
    /// A frame. `inside` is, by track of the frame, what zones say of it: a bit for each that it is in.
    fn see(&mut self, view: &View<'_>, inside: &mut [u64], out: &mut Out);

    /// All tracks are over; what is open ends.
    fn reset(&mut self, out: &mut Out);

    /// Classes have other numbers, or other names.
    fn heed(&mut self, labels: &[String]);
}

impl Rules {
    /// The rules of `camera`.
    #[must_use]
    pub fn new(camera: &config::Camera) -> Self {
        Self {
            succession: Succession::default(),
            zones: camera.zones.iter().enumerate().map(|(index, zone)| Zone::new(index, zone)).collect(),
            lines: camera.lines.iter().map(Line::new).collect(),
            watches: watch(camera),
            out: Out::new(camera),
            inside: Vec::with_capacity(64),
            heat: Heat::default(),
            model: Arc::new(Model::default()),
        }
    }

    /// So many are in a zone (an index into [`config::Camera::zones`]) now, by class. Those who were lost from sight a
    /// moment ago are in it.
    #[must_use]
    pub fn counts(&self, zone: usize) -> &[u32] {
        self.zones.get(zone).map_or(&[], Zone::counts)
    }

    /// So many crossed a line (an index into [`config::Camera::lines`]) so far: in, out.
    #[must_use]
    pub fn crossed(&self, line: usize) -> [u64; 2] {
        self.lines.get(line).map_or([0; 2], Line::crossed)
    }

    /// Firings that `max_per_hour` held back so far, by rule; rules with none are not listed.
    pub fn held_back(&self) -> impl Iterator<Item = (&str, u64)> {
        self.out.held_back.iter().map(|(rule, count)| (rule.as_str(), *count))
    }

    /// Takes in what happened; `emit` gets what fires, in order.
    pub fn take(&mut self, input: Input<'_>, mut emit: impl FnMut(Firing)) {
        match input {
            Input::Model(model) => {
                self.model = Arc::clone(model);
                self.out.heed(model);
                self.zones.iter_mut().for_each(|zone| zone.heed(&model.labels));
                self.lines.iter_mut().for_each(|line| line.heed(&model.labels));
                self.watches.iter_mut().for_each(|watch| watch.heed(&model.labels));
            }
            Input::Frame(seen) => {
                self.out.at(seen);
                self.inside.clear();
                self.inside.resize(seen.tracks.len(), 0);
                let (heirs, gone) = self.succession.see(seen);
                let view = View { seen, labels: &self.model.labels, heirs, gone };
                // First: what zones find stands in the events of all others.
                self.zones.iter_mut().for_each(|zone| zone.see(&view, &mut self.inside, &mut self.out));
                self.lines.iter_mut().for_each(|line| line.see(&view, &mut self.out));
                for watch in &mut self.watches {
                    watch.see(&view, &mut self.inside, &mut self.out);
                }
                self.heat.see(&view);
                self.out.tell_zones(seen, &self.inside);
            }
            Input::Reset { capture, arrival } => {
                self.out.at_the_end(capture, arrival);
                self.succession.reset();
                self.zones.iter_mut().for_each(|zone| zone.reset(&mut self.out));
                self.lines.iter_mut().for_each(|line| line.reset(&mut self.out));
                self.watches.iter_mut().for_each(|watch| watch.reset(&mut self.out));
                self.heat.pause();
            }
        }
        self.out.fired.drain(..).for_each(&mut emit);
    }

    /// Where subjects were, and for how long.
    #[must_use]
    pub fn heat(&self) -> &Heat {
        &self.heat
    }

    /// The same, to go on with what was kept, or to begin anew.
    pub fn heat_mut(&mut self) -> &mut Heat {
        &mut self.heat
    }
}

/// All rules but zones and lines.
fn watch(camera: &config::Camera) -> Vec<Box<dyn Watch>> {
    let scene = scene::Scene::new(&camera.scene).map(|scene| Box::new(scene) as Box<dyn Watch>);
    camera.rules.iter().map(|rule| conduct(camera, rule)).chain(scene).collect()
}

/// A further rule.
fn conduct(camera: &config::Camera, rule: &config::Rule) -> Box<dyn Watch> {
    match &rule.kind {
        RuleKind::Crowd { from, until, hold } => Box::new(crowd::Crowd::new(camera, rule, (*from, *until), *hold)),
        RuleKind::Absence { after } => Box::new(absence::Absence::new(camera, rule, *after)),
        RuleKind::WrongWay { way, tolerance_deg, distance } => {
            Box::new(wrong_way::WrongWay::new(camera, rule, *way, (*tolerance_deg, *distance)))
        }
        RuleKind::Stopped { after } => Box::new(stopped::Stopped::new(camera, rule, *after)),
        RuleKind::Abandoned { after, owners, near } => {
            Box::new(abandoned::Abandoned::new(camera, rule, *after, (owners, *near)))
        }
        RuleKind::Speed { above_kmh } => Box::new(speed::Speed::new(camera, rule, *above_kmh)),
        RuleKind::Fallen { after } => Box::new(fallen::Fallen::new(camera, rule, *after)),
    }
}
