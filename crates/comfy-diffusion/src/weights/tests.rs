//! Files that are wrong in every way that files are, and numbers in every format.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::Path;
use std::sync::Arc;

use burn::tensor::DType;
use half::{bf16, f16};
use proptest::prelude::*;
use safetensors::Dtype;

use super::header::{Header, MAX_HEADER_BYTES};
use super::{View, Weights};
use crate::device::ComputeDevice;
use crate::error::Error;
use crate::residency::Room;

/// A file of this header and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn open(header: &str, data: &[u8]) -> Result<Weights, Error> {
    Weights::from_bytes("test.safetensors", file(header, data))
}

/// A file of one tensor.
fn single(element: &str, shape: &[usize], data: &[u8]) -> Weights {
    let header = format!(
        r#"{{"t":{{"dtype":"{element}","shape":{shape:?},"data_offsets":[0,{}]}}}}"#,
        data.len()
    );
    open(&header, data).unwrap()
}

fn message(result: Result<Weights, Error>) -> String {
    let error = result.expect_err("the file is wrong");
    let text = error.to_string();
    assert!(text.contains("test.safetensors"), "{text}");
    text
}

const TWO: &str = r#"{"__metadata__":{"format":"pt"},
    "block.0.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
    "block.0.bias":{"dtype":"F16","shape":[2],"data_offsets":[24,28]},
    "block.10.bias":{"dtype":"F16","shape":[],"data_offsets":[28,30]}}"#;

fn two() -> Weights {
    let mut data: Vec<u8> = (0..6_u8)
        .flat_map(|value| f32::from(value).to_le_bytes())
        .collect();
    data.extend(
        [1.5, -2.0, 7.0]
            .iter()
            .flat_map(|&value| f16::from_f32(value).to_le_bytes()),
    );
    open(TWO, &data).unwrap()
}

#[test]
fn lists_names_shapes_and_types_without_reading() {
    let weights = two();
    assert_eq!(
        weights.names("").collect::<Vec<_>>(),
        ["block.0.bias", "block.0.weight", "block.10.bias"]
    );
    assert_eq!(
        weights.names("block.1").collect::<Vec<_>>(),
        ["block.10.bias"]
    );
    assert_eq!(weights.shape("block.0.weight"), Some([2, 3].as_slice()));
    assert_eq!(weights.element("block.0.bias"), Some(Dtype::F16));
    assert_eq!(weights.metadata()["format"], "pt");
    assert_eq!(weights.stored_bytes("block.0."), 28);
    assert_eq!(weights.unused("").count(), 3);
}

#[test]
fn scopes_see_what_lies_below_them() {
    let weights = two();
    let block = weights.root().enter("block");
    assert_eq!(
        block.children().into_iter().collect::<Vec<_>>(),
        ["0", "10"]
    );
    assert_eq!(weights.root().count("block"), 1);
    assert!(block.enter(0).has("bias") && !block.enter(1).has("bias"));
    // `block.1` is the start of `block.10`, and yet no scope.
    assert!(!block.has_scope(1) && block.has_scope("10"));
    assert_eq!(block.enter(0).values("bias").unwrap(), [1.5, -2.0]);
    assert_eq!(
        block.enter(0).rows("weight", &[1, 0, 1]).unwrap(),
        [3.0, 4.0, 5.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    );
    block.ignore("10.bias");
    assert_eq!(weights.unused("").count(), 0);
    let tensor = block
        .enter(0)
        .tensor("weight", [2, 3], &ComputeDevice::cpu())
        .unwrap();
    assert_eq!(
        tensor.into_data().try_to_vec::<f32>().unwrap(),
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    );
}

#[test]
fn missing_and_misshaped_tensors_are_named() {
    let weights = two();
    let (device, block) = (ComputeDevice::cpu(), weights.root().enter("block"));
    let error = block
        .enter(0)
        .tensor("scale", [2], &device)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`block.0.scale`") && error.contains("`block.0.bias`"),
        "{error}"
    );
    let error = block.enter(7).shape("bias").unwrap_err().to_string();
    assert!(
        error.contains("`block.7.bias`") && error.contains("nothing below `block.7`"),
        "{error}"
    );
    let error = block
        .enter(0)
        .tensor("weight", [3, 2], &device)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("[2, 3]") && error.contains("[3, 2]") && error.contains("`block.0.weight`"),
        "{error}"
    );
    assert!(block.enter(0).dims::<3>("weight").is_err());
    assert!(block.enter(0).rows("weight", &[2]).is_err());
    assert!(block.enter(0).rows("bias", &[0]).is_err());
    assert!(
        block
            .enter(0)
            .optional_tensor("scale", [2], &device)
            .unwrap()
            .is_none()
    );
}

#[test]
fn other_formats_are_recognised() {
    let seen = |bytes: &[u8]| message(Weights::from_bytes("test.safetensors", bytes.to_vec()));
    assert!(seen(b"").contains("0 bytes"));
    assert!(seen(b"1234567").contains("7 bytes"));
    assert!(seen(b"PK\x03\x04 and the archive").contains("zip archive"));
    assert!(seen(b"\x80\x02}q\x00.").contains("pickle"));
    assert!(seen(b"version https://git-lfs.github.com/spec/v1\n").contains("Git LFS"));
    assert!(seen(b"<!DOCTYPE html><html></html>").contains("web page"));
    assert!(seen(b"GGUF\x03\0\0\0\0\0\0\0").contains("GGUF"));
    assert!(seen(b"just a text that is long enough").contains("is no file of weights"));
    assert!(message(open("[1]", b"")).contains("JSON"));
    assert!(message(open(r#"{"a":1}"#, b"")).contains("JSON"));
    assert!(
        message(open(
            r#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#,
            b"1234"
        ))
        .contains("F99")
    );
}

#[test]
fn a_header_of_a_terabyte_is_refused_unread() {
    for length in [1_u64 << 40, u64::MAX, MAX_HEADER_BYTES + 1] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(b"{}");
        assert!(message(Weights::from_bytes("test.safetensors", bytes)).contains("allowed"));
    }
    let mut bytes = 1000_u64.to_le_bytes().to_vec();
    bytes.extend_from_slice(b"{}");
    assert!(message(Weights::from_bytes("test.safetensors", bytes)).contains("cut off"));
}

#[test]
fn tensors_of_a_terabyte_are_refused_unread() {
    let text = message(open(
        r#"{"t":{"dtype":"F32","shape":[262144,1048576],"data_offsets":[0,1099511627776]}}"#,
        b"1234",
    ));
    assert!(text.contains("`t`") && text.contains("cut off"), "{text}");
    let text = message(open(
        r#"{"t":{"dtype":"F32","shape":[4294967296,4294967296,9],"data_offsets":[0,4]}}"#,
        b"1234",
    ));
    assert!(text.contains("more than any file can hold"), "{text}");
    // A product that would wrap around to something small.
    let text = message(open(
        r#"{"t":{"dtype":"U8","shape":[9223372036854775808,2],"data_offsets":[0,0]}}"#,
        b"",
    ));
    assert!(text.contains("more than any file can hold"), "{text}");
}

#[test]
fn names_and_shapes_that_no_model_has_are_refused() {
    let empty = |shape: &str| {
        let header = format!(r#"{{"t":{{"dtype":"F32","shape":{shape},"data_offsets":[0,0]}}}}"#);
        message(open(&header, b""))
    };
    let text = empty("[0,1099511627776]");
    assert!(text.contains("has no elements"), "{text}");
    let text = empty(&format!("[0{}]", ",1".repeat(16)));
    assert!(text.contains("17 dimensions"), "{text}");
    let name = "n".repeat(100_000);
    let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
    let text = message(open(&header, &[0; 4]));
    assert!(text.contains("name of 100000 bytes"), "{text}");
    // What is wrong is told in few words, however long it is.
    let text = message(open(&header, b""));
    assert!(text.contains("cut off") || text.len() < 2000, "{text}");
}

#[test]
fn offsets_must_be_true() {
    let tensor = |name: &str, shape: usize, start: usize, end: usize| {
        format!(r#""{name}":{{"dtype":"F32","shape":[{shape}],"data_offsets":[{start},{end}]}}"#)
    };
    let opened = |tensors: &[String], bytes: usize| {
        message(open(&format!("{{{}}}", tensors.join(",")), &vec![0; bytes]))
    };
    let text = opened(&[tensor("a", 2, 0, 8), tensor("b", 2, 4, 12)], 12);
    assert!(text.contains("`a` and `b` overlap by 4 bytes"), "{text}");
    let text = opened(&[tensor("a", 2, 0, 8), tensor("b", 1, 12, 16)], 16);
    assert!(text.contains("4 bytes between `a` and `b`"), "{text}");
    let text = opened(&[tensor("a", 1, 4, 8)], 8);
    assert!(
        text.contains("4 bytes between the header and `a`"),
        "{text}"
    );
    let text = opened(&[tensor("a", 2, 0, 8)], 11);
    assert!(text.contains("3 bytes after `a`"), "{text}");
    let text = opened(&[tensor("a", 2, 0, 8)], 7);
    assert!(text.contains("cut off"), "{text}");
    let text = opened(&[tensor("a", 2, 0, 7)], 8);
    assert!(
        text.contains("takes 8 bytes") && text.contains("0 to 7"),
        "{text}"
    );
    let text = opened(&[tensor("a", 2, 8, 0)], 8);
    assert!(text.contains("8 to 0"), "{text}");
    let text = opened(&[tensor("a", 1, 0, 4), tensor("a", 1, 0, 4)], 4);
    assert!(text.contains("declared twice"), "{text}");
}

#[test]
fn files_are_read_through_the_map() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let data: Vec<u8> = [1.0_f32, 2.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let bytes = file(
        r#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        &data,
    );
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(
        Weights::open(&path).unwrap().values("t").unwrap(),
        [1.0, 2.0]
    );
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(
        Weights::open(&path),
        Err(Error::DamagedWeights { .. })
    ));
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(
        Weights::open(&path),
        Err(Error::NotSafetensors { .. })
    ));
    assert!(matches!(
        Weights::open(folder.path()),
        Err(Error::Io { .. })
    ));
    assert!(matches!(
        Weights::open(Path::new("/nowhere/at/all")),
        Err(Error::Io { .. })
    ));
}

#[test]
fn half_a_networks_weights_take_half_the_memory() {
    let device = ComputeDevice::imitating_a_card().for_networks();
    let tensor = |element: &str, data: &[u8]| {
        let weights = single(element, &[1, 2], data);
        let room = Arc::new(Room::default());
        let scope = weights.root().in_room(&room);
        let tensor = scope.compact_tensor::<2>("t", [1, 2], &device).unwrap();
        let estimate = scope.footprint(device.strategies().width_of_weights());
        let values: Vec<f32> = tensor.clone().into_data().iter().collect();
        (tensor.dtype(), room.used(), estimate, values)
    };
    let half = |values: [f32; 2]| (DType::F16, 4, 4, values.to_vec());
    let bytes = |values: [f32; 2]| values.map(f32::to_le_bytes).concat();
    assert_eq!(
        tensor("F32", &bytes([0.5, -65504.0])),
        half([0.5, -65504.0])
    );
    let brain = [1.5, 3e-5].map(|value| bf16::from_f32(value).to_le_bytes());
    let rounded = f16::from_f32(bf16::from_f32(3e-5).to_f32()).to_f32();
    assert_eq!(tensor("BF16", &brain.concat()), half([1.5, rounded]));
    assert_eq!(tensor("F8_E4M3", &[0x7e, 0xb8]), half([448.0, -1.0]));
    let stored = [0.1, 2.0].map(|value| f16::from_f32(value).to_le_bytes());
    let tenth = f16::from_f32(0.1).to_f32();
    assert_eq!(tensor("F16", &stored.concat()), half([tenth, 2.0]));
    // What would be infinite keeps its bits.
    let (element, used, _, values) = tensor("F32", &bytes([1.0, 1e6]));
    assert_eq!((element, used, values), (DType::F32, 8, vec![1.0, 1e6]));
}

#[test]
fn every_number_format_is_decoded() {
    let values = |element: &str, data: &[u8], count: usize| {
        single(element, &[count], data).values("t").unwrap()
    };
    assert_eq!(values("F64", &(-0.5_f64).to_le_bytes(), 1), [-0.5]);
    assert_eq!(
        values("F16", &f16::from_f32(0.333).to_le_bytes(), 1),
        [f16::from_f32(0.333).to_f32()]
    );
    assert_eq!(
        values("BF16", &bf16::from_f32(1e30).to_le_bytes(), 1),
        [bf16::from_f32(1e30).to_f32()]
    );
    assert_eq!(values("I64", &(-3_i64).to_le_bytes(), 1), [-3.0]);
    assert_eq!(values("U16", &65535_u16.to_le_bytes(), 1), [65535.0]);
    assert_eq!(values("I8", &[0xff], 1), [-1.0]);
    assert_eq!(values("BOOL", &[0, 1], 2), [0.0, 1.0]);
    // From the tables of the FP8 paper: largest normal, smallest normal, smallest subnormal, one, a negative.
    assert_eq!(
        values("F8_E4M3", &[0x7e, 0x08, 0x01, 0x38, 0xb8], 5),
        [448.0, 0.015_625, 0.001_953_125, 1.0, -1.0]
    );
    assert_eq!(
        values("F8_E5M2", &[0x7b, 0x04, 0x01, 0x3c, 0xbc], 5),
        [57344.0, 0.000_061_035_156, 0.000_015_258_789, 1.0, -1.0]
    );
    for (element, byte) in [("F8_E4M3", 0x7f), ("F8_E4M3", 0xff), ("F8_E4M3FNUZ", 0x80)] {
        let error = single(element, &[1], &[byte]).values("t").unwrap_err();
        assert!(matches!(error, Error::NotNumbers { .. }), "{error}");
    }
    assert_eq!(
        values("F8_E5M2", &[0x7c, 0xfc], 2),
        [f32::INFINITY, f32::NEG_INFINITY]
    );
    assert_eq!(
        values("F8_E4M3FNUZ", &[0x7f, 0x40, 0x01], 3),
        [240.0, 1.0, 0.000_976_562_5]
    );
    assert_eq!(values("F8_E5M2FNUZ", &[0x7f, 0x40], 2), [57344.0, 1.0]);
    assert_eq!(
        values("F8_E8M0", &[127, 130, 0], 3),
        [1.0, 8.0, 2.0_f32.powi(-127)]
    );
    let complex = single("C64", &[1], &[0; 8])
        .values("t")
        .unwrap_err()
        .to_string();
    assert!(
        complex.contains("C64") && complex.contains("`t`"),
        "{complex}"
    );
}

#[test]
fn long_tensors_are_decoded_whole() {
    let count = 100_003;
    let data: Vec<u8> = (0..count)
        .flat_map(|index| f16::from_f32((index % 2048) as f32).to_le_bytes())
        .collect();
    let values = single("F16", &[count], &data).values("t").unwrap();
    assert!(
        values
            .iter()
            .enumerate()
            .all(|(index, &value)| (value - (index % 2048) as f32).abs() < 1e-6)
    );
    assert_eq!(values.len(), count);
}

#[test]
fn rounding_to_half_is_to_nearest() {
    let weights = single(
        "F32",
        &[2],
        &[0.1_f32.to_le_bytes(), 2049.0_f32.to_le_bytes()].concat(),
    );
    assert_eq!(
        weights.root().rounded_to_half().values("t").unwrap(),
        [f16::from_f32(0.1).to_f32(), 2048.0]
    );
    assert_eq!(weights.root().values("t").unwrap(), [0.1, 2049.0]);
}

/// A header that is nearly right, so that the reader gets past the first check.
fn nearly_right() -> impl Strategy<Value = Vec<u8>> {
    let tensor = (
        prop::sample::select(vec!["F32", "F16", "F8_E4M3", "F4", "I64", "X"]),
        prop::collection::vec(prop_oneof![0..4_u64, any::<u64>()], 0..4),
        prop_oneof![0..64_u64, any::<u64>()],
        prop_oneof![0..64_u64, any::<u64>()],
    );
    let tensors = prop::collection::btree_map("[a-c.]{0,4}", tensor, 0..4);
    (tensors, prop::collection::vec(any::<u8>(), 0..64)).prop_map(|(tensors, data)| {
        let entries: Vec<String> = tensors
            .into_iter()
            .map(|(name, (element, shape, start, end))| {
                format!(r#""{name}":{{"dtype":"{element}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#)
            })
            .collect();
        file(&format!("{{{}}}", entries.join(",")), &data)
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Header::read(&bytes);
    }

    #[test]
    fn arbitrary_json_never_panics(text in r#"[\[\]{}:,"0-9a-z_ .-]{0,100}"#) {
        let _ = Header::read(&file(&text, b"0123456789"));
    }

    #[test]
    fn whatever_a_header_lists_can_be_read(bytes in nearly_right()) {
        if let Ok(weights) = Weights::from_bytes("test.safetensors", bytes) {
            for name in weights.names("") {
                let count: usize = weights.shape(name).unwrap().iter().product();
                if let Ok(values) = weights.values(name) {
                    prop_assert_eq!(values.len(), count);
                }
                let _ = weights.rows(name, &[0, 1]);
            }
        }
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_a_panic(at in 0..TWO.len() + 8, byte in any::<u8>()) {
        let mut bytes = file(TWO, &[0; 30]);
        bytes[at] = byte;
        if let Ok(weights) = Weights::from_bytes("test.safetensors", bytes) {
            for name in weights.names("") {
                let _ = weights.values(name);
            }
        }
    }
}

#[test]
fn eight_bits_are_scaled_where_the_file_says_so() {
    let header = |mark: &str| {
        format!(
            r#"{{"p.{mark}":{{"dtype":"F8_E4M3","shape":[0],"data_offsets":[0,0]}},
                "p.a.scale_weight":{{"dtype":"F32","shape":[],"data_offsets":[0,4]}},
                "p.a.weight":{{"dtype":"F8_E4M3","shape":[2],"data_offsets":[4,6]}}}}"#
        )
    };
    let mut data = 2.5_f32.to_le_bytes().to_vec();
    data.extend([0x38, 0xb8]);
    for (mark, expected) in [("scaled_fp8", [2.5, -2.5]), ("other", [1.0, -1.0])] {
        let weights = open(&header(mark), &data).unwrap();
        assert_eq!(weights.values("p.a.weight").unwrap(), expected);
    }
}

#[test]
fn tensors_are_seen_in_another_arrangement() {
    let data: Vec<u8> = (0..6).flat_map(|n| (n as f32).to_le_bytes()).collect();
    let weights = single("F32", &[3, 2], &data).arranged(|name, shape| {
        assert_eq!((name, shape), ("t", &[3, 2][..]));
        vec![
            ("rows".to_owned(), View::Rows(1..3)),
            ("turned".to_owned(), View::Transposed),
            ("beyond".to_owned(), View::Rows(2..4)),
        ]
    });
    assert_eq!(weights.names("").collect::<Vec<_>>(), ["rows", "turned"]);
    assert_eq!(weights.shape("rows"), Some(&[2, 2][..]));
    assert_eq!(weights.values("rows").unwrap(), [2.0, 3.0, 4.0, 5.0]);
    assert_eq!(weights.shape("turned"), Some(&[2, 3][..]));
    assert_eq!(
        weights.values("turned").unwrap(),
        [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]
    );
}
