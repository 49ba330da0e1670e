//! The tables, checked against themselves and against what is known of the versions.

use std::collections::HashSet;

use tensorrt_rs::sys::{Row, Slot, slots};
use tensorrt_rs::{BuilderFlag, Dims, Error, NetworkFlag, OnnxParserFlag, PreviewFeature, TacticSource, Version};

const V10_0: Version = Version::new(10, 0, 1);
const V10_3: Version = Version::new(10, 3, 0);
const V11_0: Version = Version::new(11, 0, 0);

type Column = fn(&Row) -> Option<Slot>;
const COLUMNS: [Column; 2] = [|row| row.ten, |row| row.eleven];

#[test]
fn no_two_methods_share_a_name_or_a_slot() {
    let rows = slots::all();
    let names: HashSet<_> = rows.iter().map(|row| (row.interface, row.name)).collect();
    assert_eq!(names.len(), rows.len());
    for column in COLUMNS {
        let places: Vec<_> =
            rows.iter().filter_map(|row| column(row).map(|slot| (row.interface, slot.index))).collect();
        assert_eq!(places.iter().collect::<HashSet<_>>().len(), places.len());
    }
}

#[test]
fn later_slots_came_later() {
    let rows = slots::all();
    for column in COLUMNS {
        for pair in rows.windows(2) {
            let (Some(first), Some(second)) = (column(&pair[0]), column(&pair[1])) else { continue };
            if pair[0].interface == pair[1].interface && first.index < second.index {
                assert!(first.since <= second.since, "{:?} before {:?}", pair[0], pair[1]);
            }
        }
    }
}

#[test]
fn eleven_moved_slots_down_only() {
    for row in slots::all() {
        let (Some(ten), Some(eleven)) = (row.ten, row.eleven) else { panic!("{row:?} is in one major only") };
        assert!(eleven.index <= ten.index, "{row:?}");
        assert!(ten.index - eleven.index <= 11, "{row:?}");
    }
}

#[test]
fn no_slot_is_a_destructor() {
    for row in slots::all() {
        let virtual_base = row.interface.starts_with('V');
        for slot in COLUMNS.iter().filter_map(|column| column(&row)) {
            assert!(!virtual_base || slot.index >= 2, "{row:?}");
        }
        // The parser's destructor pair is in the middle.
        if row.interface == "IParser" {
            assert!(row.ten.is_none_or(|slot| slot.index != 8 && slot.index != 9), "{row:?}");
            assert!(row.eleven.is_none_or(|slot| slot.index != 6 && slot.index != 7), "{row:?}");
        }
    }
}

#[test]
fn a_method_that_came_later_is_refused_with_its_version() {
    let row = slots::runtime::DESERIALIZE_CUDA_ENGINE_V2.row();
    assert_eq!(row.slot(Version::new(10, 7, 0)).expect("10.7 has it"), 23);
    assert_eq!(row.slot(V11_0).expect("11.0 has it"), 22);
    let error = row.slot(V10_3).expect_err("10.3 lacks it");
    assert!(matches!(error, Error::Unsupported { since: Some(since), have, .. }
        if since == Version::new(10, 7, 0) && have == V10_3));
    let text = error.to_string();
    assert_eq!(text, "VRuntime::deserializeCudaEngineV2 came with TensorRT 10.7, the loaded library is 10.3.0");
    assert!(slots::context::SET_DEVICE_MEMORY_V2.row().slot(V10_0).is_err());
    assert!(row.slot(Version::new(12, 0, 0)).is_err());
}

#[test]
fn flags_mean_the_same_in_both_majors() {
    let number = |flag: BuilderFlag, version| flag.number(version);
    assert_eq!(number(BuilderFlag::VersionCompatible, V10_3).expect("in 10"), 13);
    assert_eq!(number(BuilderFlag::VersionCompatible, V11_0).expect("in 11"), 12);
    assert_eq!(number(BuilderFlag::Fp16, V10_3).expect("in 10"), 0);
    let error = number(BuilderFlag::Fp16, V11_0).expect_err("gone in 11");
    assert_eq!(
        error.to_string(),
        "BuilderFlag::FP16 is not in this major version of TensorRT, the loaded library is 11.0.0"
    );
    assert!(number(BuilderFlag::StrictNans, V10_3).is_err());
    assert_eq!(TacticSource::JitConvolutions.number(V10_3).expect("in 10"), 4);
    assert_eq!(TacticSource::JitConvolutions.number(V11_0).expect("in 11"), 1);
    assert_eq!(PreviewFeature::AliasedPluginIo.number(V11_0).expect("in 11"), 0);
    assert_eq!(OnnxParserFlag::NativeInstanceNorm.number(V11_0).expect("in 11"), 0);
}

#[test]
fn no_two_flags_share_a_number() {
    for version in [Version::NEWEST_10, Version::NEWEST_11] {
        let numbers: Vec<_> = BuilderFlag::ALL.iter().filter_map(|flag| flag.number(version).ok()).collect();
        assert_eq!(numbers.iter().collect::<HashSet<_>>().len(), numbers.len());
        assert!(numbers.iter().all(|number| (0..32).contains(number)));
    }
}

#[test]
fn strongly_typed_is_a_flag_in_10_and_the_only_kind_in_11() {
    use tensorrt_rs::sys::flags::network_mask;
    assert_eq!(network_mask(&[NetworkFlag::StronglyTyped], V10_3).expect("in 10"), 1 << 1);
    assert_eq!(network_mask(&[NetworkFlag::StronglyTyped], V11_0).expect("in 11"), 0);
    assert_eq!(network_mask(&[NetworkFlag::PreferJitPythonPlugins], V11_0).expect("in 11"), 1 << 1);
}

#[test]
fn versions_read_as_tensorrt_numbers_them() {
    assert_eq!(Version::from_number(101_601), Some(Version::NEWEST_10));
    assert_eq!(Version::from_number(110_400), Some(Version::NEWEST_11));
    assert_eq!(Version::from_number(8601).map(|version| version.abi()), Some(None));
    assert_eq!((Version::from_number(0), Version::from_number(-1)), (None, None));
    // Never announce more than is known, never more than the library is.
    assert_eq!(Version::new(10, 17, 0).announced(), Version::NEWEST_10);
    assert_eq!(V10_3.announced(), V10_3);
    assert_eq!(Version::new(11, 9, 0).announced().number(), 110_400);
}

#[test]
fn shapes_have_the_layout_and_the_words_of_shapes() {
    assert_eq!((size_of::<Dims>(), align_of::<Dims>()), (72, 8));
    let dims = Dims::new(&[-1, 3, 640, 1 << 33]).expect("4 dimensions");
    assert_eq!(dims.to_string(), "?x3x640x8589934592");
    assert_eq!((dims.is_static(), dims.volume()), (false, None));
    assert_eq!(Dims::new(&[2, 3, 1 << 33]).and_then(|dims| dims.volume()), Some(6 << 33));
    assert_eq!(Dims::new(&[i64::MAX, 3]).and_then(|dims| dims.volume()), None);
    assert_eq!(Dims::SCALAR.volume(), Some(1));
    assert!(Dims::new(&[1; 9]).is_none());
}
