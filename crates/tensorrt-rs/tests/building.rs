//! From an ONNX model to a plan, with everything a build can be told.

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};

use common::Fake;
use tensorrt_rs::enums::{
    DataType, HardwareCompatibility, MemoryPool, ProfileSelector, ProfilingVerbosity, TensorFormat,
};
use tensorrt_rs::{
    Builder, BuilderFlag, Dims, Error, NetworkFlag, OnnxParser, OnnxParserFlag, OnnxParserLibrary, PreviewFeature,
    ProfileRange, Progress, Runtime, RuntimeOptions, TacticSource, Version,
};

fn dims(shape: &[i64]) -> Dims {
    Dims::new(shape).expect("at most 8")
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>, bool);

impl Progress for Heard {
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: i32) {
        self.0.lock().expect("the list").push(format!("{phase} in {parent:?}: {steps}"));
    }

    fn step_complete(&self, _phase: &str, _step: i32) -> bool {
        !self.1
    }

    fn phase_finish(&self, phase: &str) {
        self.0.lock().expect("the list").push(format!("{phase} done"));
    }
}

#[test]
fn a_model_becomes_a_plan_that_loads() {
    for fake in Fake::both() {
        let library = fake.library();
        let log = library.collect_log();
        let mut builder = Builder::new(&library, None).expect("a builder");
        builder.set_max_threads(2).expect("a number");
        assert_eq!(builder.dla_core_count().expect("a number"), 2);
        let mut network = builder.create_network(&[NetworkFlag::StronglyTyped]).expect("a network");
        let flags = if library.version().major == 10 { "network flags 2" } else { "network flags 0" };
        assert_eq!(library.recent_lines().last().map(|line| line.text.as_str()), Some(flags));
        let parsers = OnnxParserLibrary::load(fake.path(), &library).expect("a parser library");
        let mut parser = OnnxParser::new(&parsers, &mut network).expect("a parser");
        parser.set_flag(OnnxParserFlag::NativeInstanceNorm).expect("in both");
        assert!(parser.flag(OnnxParserFlag::NativeInstanceNorm).expect("in both"));
        parser.parse(b"a good model", Some(Path::new("/models/model.onnx"))).expect("it is good");

        network.set_name("detection").expect("a name");
        assert_eq!(
            (network.name().expect("a name").as_str(), network.layer_count().expect("layers")),
            ("detection", 9)
        );
        let inputs = network.inputs().expect("inputs");
        assert_eq!((inputs.len(), inputs[0].name.as_str(), inputs[0].data_type), (1, "images", DataType::Half));
        assert_eq!(inputs[0].shape, dims(&[-1, 3, 640, 640]));
        assert_eq!(network.outputs().expect("outputs")[0].name, "scores");
        network.set_allowed_formats("scores", &[TensorFormat::Linear]).expect("an output");
        assert!(network.set_allowed_formats("score", &[]).is_err());

        let mut config = builder.create_config().expect("a configuration");
        let mut profile = builder.create_profile().expect("a profile");
        assert!(config.add_profile(&profile).is_err(), "it is empty");
        let shape = |batch| dims(&[batch, 3, 640, 640]);
        profile
            .set_range("images", &ProfileRange { min: shape(1), opt: shape(2), max: shape(4) })
            .expect("three shapes");
        assert_eq!(profile.dimensions("images", ProfileSelector::Opt).expect("a shape"), shape(2));
        assert!(profile.dimensions("image", ProfileSelector::Opt).is_err());
        profile.set_extra_memory_target(0.5).expect("0 to 1");
        let error = profile.set_extra_memory_target(1.5).expect_err("past 1");
        assert!(error.to_string().ends_with("refused 1.5, it takes 0 to 1"), "{error}");
        assert!(profile.is_valid().expect("an answer"));
        assert_eq!(config.add_profile(&profile).expect("an index"), 0);
        assert_eq!(config.profile_count().expect("a count"), 1);

        config.set_memory_pool_limit(MemoryPool::Workspace, 1 << 33).expect("bytes");
        assert_eq!(config.memory_pool_limit(MemoryPool::Workspace).expect("bytes"), 1 << 33);
        config.set_flag(BuilderFlag::VersionCompatible, true).expect("in both");
        assert!(config.flag(BuilderFlag::VersionCompatible).expect("in both"));
        config.set_flag(BuilderFlag::VersionCompatible, false).expect("in both");
        assert!(!config.flag(BuilderFlag::VersionCompatible).expect("in both"));
        assert_eq!(config.set_flag(BuilderFlag::Fp16, true).is_ok(), library.version().major == 10);
        let sources = [TacticSource::EdgeMaskConvolutions, TacticSource::JitConvolutions];
        config.set_tactic_sources(&sources).expect("in both");
        config.set_preview_feature(PreviewFeature::AliasedPluginIo, false).expect("in both");
        config.set_optimization_level(5).expect("a level");
        config.set_profiling_verbosity(ProfilingVerbosity::Detailed).expect("a level");
        config.set_hardware_compatibility(HardwareCompatibility::None).expect("a level");
        config.set_max_aux_streams(1).expect("a number");
        config.use_dla(1).expect("a core");
        let heard = Heard::default();
        config.set_progress_monitor(heard.clone()).expect("a monitor");
        let mut cache = config.create_timing_cache(b"old").expect("a cache");
        let other = config.create_timing_cache(b"new").expect("a cache");
        assert!(cache.combine(&other, false).is_err());
        cache.combine(&other, true).expect("ignoring the mismatch");
        assert_eq!(*cache.serialize().expect("bytes"), *b"cache:oldnew");
        cache.reset().expect("emptied");
        config.set_timing_cache(&cache, false).expect("it fits");
        drop(cache);

        assert!(builder.is_network_supported(&network, &config).expect("an answer"));
        let plan = builder.build(&network, &config).expect("a plan");
        assert_eq!(
            *heard.0.lock().expect("the list"),
            ["Building in None: 2", "Timing in Some(\"Building\"): 1", "Timing done", "Building done"]
        );
        assert!(log.lines().iter().any(|(_, line)| line == flags), "{:?}", log.lines());
        drop(log);
        // The builder first: whatever it made holds it.
        drop((builder, other, profile));
        drop((network, config));
        let runtime = Runtime::new(&library, &RuntimeOptions::default()).expect("a runtime");
        drop(runtime.deserialize(&plan).expect("a plan that loads"));
        drop((plan, runtime));
        fake.assert_clean();
    }
}

#[test]
fn a_refused_model_comes_with_the_parsers_list() {
    for fake in Fake::both() {
        let library = fake.library();
        let parsers = OnnxParserLibrary::load(fake.path(), &library).expect("a parser library");
        let builder = Builder::new(&library, None).expect("a builder");
        let mut network = builder.create_network(&[]).expect("a network");
        let mut parser = OnnxParser::new(&parsers, &mut network).expect("a parser");
        let error = parser.parse_file(Path::new("/models/bad.onnx")).expect_err("it is bad");
        assert_eq!(
            error.to_string(),
            "the ONNX parser refused the model: node 12 (\"/head/frob\", Frobnicate): no importer for Frobnicate (code \
             8, parseNode); TensorRT says: ModelImporter.cpp:1: ERROR: no importer for Frobnicate"
        );
        let Error::Onnx { errors, .. } = error else { panic!("another error") };
        assert_eq!((errors.len(), errors[0].place.as_str()), (1, "importer.cpp:77"));
        assert_eq!(parser.errors().expect("the list"), errors);
        parser.clear_errors().expect("cleared");
        assert!(parser.errors().expect("the list").is_empty());
        parser.parse_file(Path::new("/models/good.onnx")).expect("it is good");
        assert_eq!(parser.network().layer_count().expect("layers"), 9);
        drop((builder, network));
        fake.assert_clean();
    }
}

#[test]
fn a_build_that_fails_or_is_cancelled_says_so() {
    for fake in Fake::both() {
        let library = fake.library();
        let parsers = OnnxParserLibrary::load(fake.path(), &library).expect("a parser library");
        let mut builder = Builder::new(&library, None).expect("a builder");
        let mut config = builder.create_config().expect("a configuration");
        let mut network = builder.create_network(&[]).expect("a network");
        let error = builder.build(&network, &config).expect_err("it is empty");
        assert!(error.to_string().contains("Error Code 4"), "{error}");
        assert!(!tensorrt_rs::is_myelin_failure(&error));
        let parsed = OnnxParser::new(&parsers, &mut network).expect("a parser").parse(b"good", None);
        parsed.expect("it is good");
        config.set_progress_monitor(Heard(Arc::default(), true)).expect("a monitor");
        assert!(builder.build(&network, &config).is_err());
        let stranger = Builder::new(&library, None).expect("a builder").create_network(&[]).expect("a network");
        assert!(matches!(builder.build(&stranger, &config), Err(Error::Argument(_))));
    }
}

#[test]
fn a_parser_of_another_library_is_refused() {
    let fakes = Fake::both();
    let [ten, eleven] = fakes.as_slice() else { return };
    let error = OnnxParserLibrary::load(eleven.path(), &ten.library()).expect_err("another major");
    assert!(matches!(error, Error::Table { .. }), "{error}");
    assert!(error.to_string().contains("it is linked to another library than"), "{error}");
}

#[test]
fn flags_wait_for_their_version() {
    let fake = Fake::new(10);
    fake.set_version(Version::new(10, 3, 0));
    let builder = Builder::new(&fake.library(), None).expect("a builder");
    let mut config = builder.create_config().expect("a configuration");
    let error = config.set_flag(BuilderFlag::StrictNans, true).expect_err("from 10.6");
    assert_eq!(error.to_string(), "BuilderFlag::STRICT_NANS came with TensorRT 10.6, the loaded library is 10.3.0");
    assert!(builder.create_network(&[NetworkFlag::PreferAotPythonPlugins]).is_err());
}
