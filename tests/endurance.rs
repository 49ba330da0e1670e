//! Cameras that come and go beside one that stays, on a simulated GPU: memory of the device and of the process, threads and
//! files are what they were, however often.

#![allow(clippy::unwrap_used)]

#[path = "support/production.rs"]
mod production;
#[path = "support/street.rs"]
mod recorded;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use production::{Production, alone};
use recorded::{SEED, Street};
use support::wait_for;
use watchkeeper::config::{self, Camera, Config, SourceKind, camera_from_url};
use watchkeeper::inference::ModelManager;
use watchkeeper::pipeline::{self, CameraPipeline, Environment, Publish, Report};
use watchkeeper::source::{self, Delivery};
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::telemetry::progress::Progress;

const CHILD: &str = "WATCHKEEPER_TEST_RECORDING";
const LIMIT: Duration = Duration::from_secs(480);
const SOON: Duration = Duration::from_secs(60);

/// Lanes with contexts of all four models; a camera's part on the device.
const LANES: usize = 1000;
/// Whole cameras, decoder and threads included.
const CAMERAS: usize = 40;
/// How much more resident memory the second half of the lanes may have, on average, than the first: 16 kB a lane, where
/// its contexts have some hundreds. The camera that runs beside them breathes by one or two megabytes itself.
const LANES_ROOM: u64 = 8 << 20;
/// The same for cameras: less than a megabyte each. Decoders leave their memory to the allocator, which has 220 MB by
/// then and breathes by 5 (over 240 cameras: 224 MB, then 225); a camera's contexts alone are ten times as much.
const CAMERAS_ROOM: u64 = 16 << 20;

/// Runs `test` of this program again, in a process that finds the simulator's libraries.
fn in_a_process_on_the_simulator(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return false;
    }
    let _alone = alone();
    let street = Street::new(20, 1);
    let production = Production::new();
    let out = production.path("out.txt");
    let file = std::fs::File::create(&out).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).stdin(Stdio::null());
    command.stdout(file.try_clone().unwrap()).stderr(file);
    production.environment(&mut command, "parallel", "{}");
    command.env(CHILD, street.path(&format!("street/seed-{SEED:06}/plaza-1/video.mp4")));
    command.env("WATCHKEEPER_TEST_CONFIG", production.path("watchkeeper.toml"));
    let mut child = command.spawn().unwrap();
    let mut status = None;
    wait_for(LIMIT, || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    let _ = child.kill();
    let _ = child.wait();
    let said = std::fs::read_to_string(&out).unwrap();
    assert!(status.is_some_and(|status| status.success()) && said.contains("1 passed"), "{status:?}: {said}");
    println!("{said}");
    assert_eq!(production.misuse(), Vec::<String>::new());
    let report = std::fs::read_to_string(production.path("report.jsonl")).unwrap();
    let leaks: Vec<_> = report.lines().filter(|line| line.contains("\"event\":\"leak\"")).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    true
}

/// What a daemon has, and one camera that stays.
struct House {
    config: Config,
    models: Arc<ModelManager>,
    metrics: Metrics,
    progress: Progress,
    reports: crossbeam_channel::Sender<Report>,
    recording: PathBuf,
}

impl House {
    fn new() -> Self {
        process::prepare(&[], &[]);
        let path = std::env::var_os("WATCHKEEPER_TEST_CONFIG").unwrap();
        let config = config::load(Path::new(&path)).unwrap_or_else(|problems| panic!("{problems}")).config;
        let metrics = Metrics::default();
        let models = Arc::new(ModelManager::load(&config, &metrics, &pipeline::fits_head).unwrap());
        source::init().unwrap();
        let (reports, incoming) = pipeline::channel();
        std::thread::spawn(move || incoming.iter().for_each(drop));
        let recording = std::env::var_os(CHILD).unwrap().into();
        Self { config, models, metrics, progress: Progress::default(), reports, recording }
    }

    fn start(&self, id: &str) -> CameraPipeline {
        let path = self.recording.clone();
        let like = camera_from_url(path.to_str().unwrap(), None, None).unwrap();
        let models = (0..self.config.models.len()).collect();
        let camera = Camera { id: id.to_owned(), source: SourceKind::File { path, repeat: true }, models, ..like };
        let environment = Environment {
            config: &self.config,
            models: &self.models,
            metrics: &self.metrics,
            progress: &self.progress,
            reports: self.reports.clone(),
            publish: Publish::Events,
            media: None,
            track_log: None,
            clips: None,
        };
        CameraPipeline::start(&environment, &Arc::new(camera), Delivery::Newest).unwrap()
    }

    /// A camera that is at work.
    fn at_work(&self, id: &str) -> CameraPipeline {
        let camera = self.start(id);
        assert!(wait_for(SOON, || camera.metrics().inferred.get() >= 1), "{:?}", camera.metrics().status());
        camera
    }

    /// All contexts of a camera, and a run of each where asked for.
    fn lane(&self, run: bool) {
        let lane = self.models.lane("guest").unwrap();
        for index in 0..self.config.models.len() {
            let model = self.models.model(index).unwrap();
            let mut contexts = self.models.create_pipeline_contexts(&lane, &model, 1).unwrap();
            if run {
                let (_, result) = contexts.free.pop_front().unwrap().submit().wait().unwrap();
                result.unwrap();
            }
        }
    }

    /// Bytes on the device by owner.
    fn device(&self) -> BTreeMap<String, u64> {
        self.models.device_memory().into_iter().filter(|(_, bytes)| *bytes > 0).collect()
    }
}

fn stop(camera: CameraPipeline) {
    camera.stop();
    camera.join();
}

/// Resident memory over the cycles.
#[derive(Default)]
struct Resident(Vec<u64>);

impl Resident {
    fn note(&mut self) {
        self.0.push(process::resident_bytes().unwrap());
    }

    fn assert_flat(&self, what: &str, room: u64) {
        let mean = |samples: &[u64]| samples.iter().sum::<u64>() / samples.len() as u64;
        let (first, second) = self.0.split_at(self.0.len() / 2);
        let (first, second) = (mean(first), mean(second));
        println!("{what}: {} kB, then {} kB resident", first >> 10, second >> 10);
        assert!(second <= first + room, "{what}: {first} bytes resident in the first half, {second} in the second");
    }
}

fn threads() -> usize {
    process::threads().unwrap()
}

fn files() -> usize {
    process::open_files().unwrap()
}

#[test]
fn cameras_come_and_go_and_leave_nothing() {
    if in_a_process_on_the_simulator("cameras_come_and_go_and_leave_nothing") {
        return;
    }
    let house = House::new();
    let keeper = house.at_work("keeper");
    // What is made once is made now.
    (0..20).for_each(|_| house.lane(true));
    stop(house.at_work("guest"));
    let (device, baseline) = (house.device(), threads());
    assert!(device.contains_key("camera keeper") && !device.contains_key("camera guest"), "{device:?}");

    let (mut resident, mut open, began) = (Resident::default(), files(), Instant::now());
    let answered = keeper.metrics().inferred.get();
    for cycle in 1..=LANES {
        house.lane(cycle % 10 == 0);
        assert_eq!(house.device(), device, "cycle {cycle}");
        resident.note();
    }
    println!("{LANES} lanes: {:?}", began.elapsed());
    resident.assert_flat("lanes", LANES_ROOM);
    assert!(wait_for(SOON, || threads() <= baseline), "{} threads, and {baseline} before", threads());
    assert!(files() <= open + 2, "{} files, and {open} before", files());
    let kept_on = || keeper.metrics().inferred.get() > answered + 10;
    assert!(wait_for(SOON, kept_on), "the camera that stays hardly ran");

    (resident, open) = (Resident::default(), files());
    let began = Instant::now();
    for cycle in 1..=CAMERAS {
        stop(house.at_work("guest"));
        assert_eq!(house.device(), device, "cycle {cycle}");
        // As the daemon does every quarter of a second: it forgets stages that are gone.
        assert_eq!(house.progress.stuck(SOON), None);
        resident.note();
    }
    println!("{CAMERAS} cameras: {:?}", began.elapsed());
    resident.assert_flat("cameras", CAMERAS_ROOM);
    assert!(wait_for(SOON, || threads() <= baseline), "{} threads, and {baseline} before", threads());
    assert!(wait_for(SOON, || files() <= open), "{} files, and {open} before", files());
    let (counters, before) = (keeper.metrics(), keeper.metrics().inferred.get());
    assert!(wait_for(SOON, || counters.inferred.get() > before), "the camera that stays no longer runs");
    assert_eq!((counters.failed.get(), counters.unanswered.get(), counters.panics.get()), (0, 0, 0));
    assert!(counters.status().online, "{:?}", counters.status());
    stop(keeper);
}
