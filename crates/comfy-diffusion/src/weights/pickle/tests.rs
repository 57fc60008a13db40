//! Files that PyTorch wrote, and files that nobody should open.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use proptest::prelude::*;

use crate::error::{Error, Result};
use crate::weights::Weights;

fn bytes(name: &str) -> Vec<u8> {
    comfy_fixtures::bytes(&format!("pickles/{name}"))
}

fn open(bytes: Vec<u8>) -> Result<Weights> {
    Weights::from_bytes("test.ckpt", bytes)
}

#[test]
fn every_way_of_pytorch_to_save_is_read() {
    for name in ["zipped.ckpt", "packed.ckpt", "legacy.pt"] {
        let weights = open(bytes(name)).unwrap();
        let counted = |numbers: &[usize]| numbers.iter().map(|n| *n as f32).collect::<Vec<_>>();
        let expected: [(&str, &[usize], Vec<f32>); 10] = [
            ("plain.weight", &[2, 3], counted(&[0, 1, 2, 3, 4, 5])),
            ("transposed.weight", &[2, 3], counted(&[0, 2, 4, 1, 3, 5])),
            ("half", &[3], vec![0.5, -2.0, 65504.0]),
            (
                "brain",
                &[2],
                vec![half::bf16::from_f32(1e30).to_f32(), -1.0],
            ),
            (
                "second.half.of.a.storage",
                &[3, 4],
                counted(&(12..24).collect::<Vec<_>>()),
            ),
            (
                "every.other.column",
                &[4, 3],
                counted(&(0..24).step_by(2).collect::<Vec<_>>()),
            ),
            (
                "integers",
                &[2, 2],
                vec![1.0, -2.0, 3.0, 1_099_511_627_776.0],
            ),
            ("scalar", &[], vec![4.5]),
            ("empty", &[0, 7], vec![]),
            ("parameter", &[2], vec![1.0, 1.0]),
        ];
        assert_eq!(weights.names("").count(), expected.len(), "{name}");
        for (tensor, shape, values) in expected {
            assert_eq!(weights.shape(tensor), Some(shape), "{name} {tensor}");
            assert_eq!(weights.values(tensor).unwrap(), values, "{name} {tensor}");
        }
    }
}

#[test]
fn eight_bits_and_dictionaries_within_are_read() {
    let weights = open(bytes("eight_bits.pt")).unwrap();
    assert_eq!(weights.values("a").unwrap(), [1.0, -0.5]);
    let weights = open(bytes("embedding.pt")).unwrap();
    assert_eq!(weights.shape("string_to_param.*"), Some(&[2, 3][..]));
}

/// A file of PyTorch's old kind whose tensors are what this pickle makes.
fn old_file(pickle: &[u8]) -> Vec<u8> {
    let preamble: [&[u8]; 4] = [
        b"\x80\x02K\x00.",
        b"\x80\x02M\xe9\x03.",
        b"\x80\x02}.",
        pickle,
    ];
    [preamble.concat(), b"\x80\x02].".to_vec()].concat()
}

#[test]
fn other_names_are_refused_and_named() {
    let attacks: [&[u8]; 4] = [
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.",
        b"\x80\x02c__builtin__\nexec\n(X\x01\x00\x00\x001tR.",
        b"\x80\x02}q\x00X\x01\x00\x00\x00ac_codecs\nlookup\ns.",
    ];
    for (attack, name) in attacks.into_iter().zip([
        "os.system",
        "builtins.eval",
        "__builtin__.exec",
        "_codecs.lookup",
    ]) {
        let error = open(old_file(attack)).unwrap_err();
        assert!(matches!(error, Error::RefusedPickle { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn impossible_tensors_are_errors() {
    // A tensor of one float, whose offset, shape and strides are changed.
    let tensor = |offset: &[u8], shape: &[u8], strides: &[u8]| {
        let storage: &[u8] = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01NtQ";
        let parts: [&[u8]; 8] = [
            b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor\n(",
            storage,
            offset,
            shape,
            strides,
            b"tRs.",
            b"\x80\x02]X\x01\x00\x00\x000a.",
            &[],
        ];
        let preamble: [&[u8]; 3] = [b"\x80\x02K\x00.", b"\x80\x02M\xe9\x03.", b"\x80\x02}."];
        let data: [&[u8]; 2] = [&1_u64.to_le_bytes(), &1.5_f32.to_le_bytes()];
        [preamble.concat(), parts.concat(), data.concat()].concat()
    };
    let good = open(tensor(b"K\x00", b"K\x01\x85", b"K\x01\x85")).unwrap();
    assert_eq!(good.values("a").unwrap(), [1.5]);
    let bad: [(&[u8], &[u8], &[u8]); 7] = [
        (b"K\x01", b"K\x01\x85", b"K\x01\x85"),
        (b"K\x00", b"K\x02\x85", b"K\x01\x85"),
        (b"J\xff\xff\xff\xff", b"K\x01\x85", b"K\x01\x85"),
        (b"K\x00", b"J\xff\xff\xff\xff\x85", b"K\x01\x85"),
        // A thousand million million elements, all of them the same one.
        (
            b"K\x00",
            b"\x8a\x07\x00\x00\x00\x00\x00\x00\x04\x85",
            b"K\x00\x85",
        ),
        (
            b"K\x00",
            b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x87",
            b"K\x00K\x00K\x00\x87",
        ),
        (
            b"K\x00",
            b"K\x02\x85",
            b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85",
        ),
    ];
    for (offset, shape, strides) in bad {
        let error = open(tensor(offset, shape, strides)).unwrap_err();
        assert!(
            matches!(error, Error::DamagedWeights { .. }),
            "{shape:?}: {error}"
        );
    }
}

#[test]
fn an_archive_that_fills_memory_is_refused() {
    let mut bomb = bytes("packed.ckpt");
    // What an entry of the directory says of its size is raised to three gigabytes.
    let entries: Vec<usize> = bomb
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"PK\x01\x02")
        .map(|(at, _)| at)
        .collect();
    for at in entries {
        bomb[at + 24..at + 28].copy_from_slice(&(3_u32 << 30).to_le_bytes());
    }
    let error = open(bomb).unwrap_err();
    assert!(matches!(error, Error::DamagedWeights { .. }), "{error}");
}

/// What makes a tensor of this shape, a view of the eight floats of storage `0`.
fn tensor(shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let storage: &[u8] =
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x08NtQ";
    let parts: [&[u8]; 6] = [
        b"ctorch._utils\n_rebuild_tensor\n(",
        storage,
        b"K\0",
        shape,
        strides,
        b"tR",
    ];
    parts.concat()
}

/// A file of PyTorch's old kind whose tensors are what this pickle makes of storage `0`, which has so many floats.
fn old_file_of(pickle: &[u8], floats: usize) -> Vec<u8> {
    let mut file = old_file(pickle);
    file.truncate(file.len() - b"\x80\x02].".len());
    file.extend(b"\x80\x02]X\x01\0\0\x000a.");
    file.extend((floats as u64).to_le_bytes());
    file.resize(file.len() + floats * 4, 0);
    file
}

/// The complaint about such a file of eight floats.
fn complaint(pickle: &[u8]) -> String {
    open(old_file_of(pickle, 8)).unwrap_err().to_string()
}

/// A text in a pickle.
fn text(bytes: &[u8]) -> Vec<u8> {
    [b"X", &(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

#[test]
fn tuples_without_end_are_refused() {
    // Two hundred thousand tuples, each around the one before.
    let pickle = [b"\x80\x02)", &vec![0x85; 200_000][..], b"."].concat();
    let text = complaint(&pickle);
    assert!(text.contains("tuples within each other"), "{text}");
}

#[test]
fn dictionaries_that_are_copied_without_end_are_refused() {
    // A list of a thousand pairs, and a hundred thousand dictionaries made of it.
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\nq\x01]q\x02(".to_vec();
    pickle.extend(b"NN\x86".repeat(1000));
    pickle.extend(b"e0");
    pickle.extend(b"h\x01h\x02\x85R0".repeat(100_000));
    pickle.extend(b"}.");
    let text = complaint(&pickle);
    assert!(text.contains("steps"), "{text}");
}

#[test]
fn names_that_fill_memory_are_refused() {
    // Sixty thousand characters, below which stand ten thousand tensors.
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend(tensor(b"K\x08\x85", b"K\x01\x85"));
    pickle.extend(b"q\x010}");
    pickle.extend(text(&vec![b'a'; 60_000]));
    pickle.extend(b"}(");
    for number in 0..10_000 {
        pickle.extend(text(number.to_string().as_bytes()));
        pickle.extend(b"h\x01");
    }
    pickle.extend(b"usX\x01\0\0\0bNs.");
    let words = complaint(&pickle);
    assert!(words.contains("names of more than"), "{words}");
    let mut pickle = b"\x80\x02}".to_vec();
    pickle.extend(text(&[b'a'; 2000]));
    pickle.extend(tensor(b"K\x08\x85", b"K\x01\x85"));
    pickle.extend(b"s.");
    let words = complaint(&pickle);
    assert!(words.contains("a name of 2000 bytes"), "{words}");
}

#[test]
fn views_that_fill_memory_are_refused() {
    // A million floats, and a hundred tensors that are the same of them transposed.
    let storage: &[u8] =
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ\0\0\x10\0NtQ";
    let mut pickle = b"\x80\x02}(".to_vec();
    for number in 0..100 {
        pickle.extend([b'X', 2, 0, 0, 0]);
        pickle.extend(format!("{number:02}").bytes());
        pickle.extend(b"ctorch._utils\n_rebuild_tensor\n(");
        pickle.extend(storage);
        pickle.extend(b"K\0M\0\x04M\0\x04\x86K\x01M\0\x04\x86tR");
    }
    pickle.extend(b"u.");
    let file = old_file_of(&pickle, 1 << 20);
    let text = open(file).unwrap_err().to_string();
    assert!(text.contains("views of the same storages"), "{text}");
}

#[test]
fn long_texts_are_passed_over_and_facts_are_few() {
    let mut pickle = b"\x80\x02}(X\x01\0\0\0t".to_vec();
    pickle.extend(tensor(b"K\x08\x85", b"K\x01\x85"));
    pickle.extend(text(b"note"));
    pickle.extend(text(&vec![0xff; 100_000]));
    pickle.extend(b"q\x02");
    pickle.extend(text(b"short"));
    pickle.extend(text(b"text"));
    for number in 0..2000 {
        pickle.extend(text(number.to_string().as_bytes()));
        pickle.extend(b"K\x01");
    }
    pickle.extend(b"u.");
    let weights = open(old_file_of(&pickle, 8)).unwrap();
    assert_eq!(weights.names("").collect::<Vec<_>>(), ["t"]);
    assert_eq!(weights.metadata()["short"], "text");
    assert!(!weights.metadata().contains_key("note"));
    assert_eq!(weights.metadata().len(), 1000);
}

#[test]
fn a_name_without_end_is_refused_in_few_words() {
    let pickle = [b"\x80\x02cos\n", &vec![b'x'; 100_000][..], b"\n."].concat();
    let text = complaint(&pickle);
    assert!(
        text.contains("os.xxx") && text.len() < 2000,
        "{}",
        text.len()
    );
}

#[test]
fn files_that_are_cut_off_are_errors() {
    for name in ["zipped.ckpt", "packed.ckpt", "legacy.pt"] {
        let whole = bytes(name);
        for length in (3..whole.len()).step_by(7) {
            let cut = whole[..length].to_vec();
            assert!(open(cut).is_err(), "{name} cut to {length}");
        }
    }
}

#[test]
fn a_pickle_without_tensors_is_no_file_of_weights() {
    for pickle in [&b"\x80\x02}."[..], b"\x80\x02K\x01.", b"\x80\x02]."] {
        let error = open(old_file(pickle)).unwrap_err();
        assert!(matches!(error, Error::NotSafetensors { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(
        name in prop::sample::select(vec!["zipped.ckpt", "packed.ckpt", "legacy.pt"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = bytes(name);
        for (at, byte) in changes {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Ok(weights) = open(file) {
            for name in weights.names("") {
                let _ = weights.values(name);
            }
        }
    }

    #[test]
    fn any_program_ends_without_panic(program in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = open(old_file(&program));
        let _ = open([b"\x80\x02", program.as_slice()].concat());
        let _ = open([b"PK\x03\x04", program.as_slice()].concat());
    }
}
