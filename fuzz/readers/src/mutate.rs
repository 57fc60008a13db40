//! Changing sound files into unsound ones, at random but always in the same way.
#![allow(
    clippy::ptr_arg,
    reason = "all changes have one type, though some leave the length as it is"
)]

/// Nothing longer is made.
const LONGEST: usize = 1 << 18;

/// Small generator of random numbers (Vigna's splitmix64): the same numbers from the same seed everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator that begins here.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % (limit.max(1) as u64)) as usize
    }
}

/// A change of bytes; `other` is another sound file of the same reader.
type Change = fn(&mut Vec<u8>, &[u8], &mut Random);

const CHANGES: &[Change] = &[
    flip_bit, set_byte, set_number, set_digits, cut_end, cut_within, repeat, splice, insert, nest,
];

/// A sound file with one to four changes.
pub fn changed(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds
        .get(random.below(seeds.len()))
        .cloned()
        .unwrap_or_default();
    for _ in 0..=random.below(4) {
        let other = random.below(seeds.len());
        let change = CHANGES[random.below(CHANGES.len())];
        change(
            &mut bytes,
            seeds.get(other).map_or(&[], Vec::as_slice),
            random,
        );
        bytes.truncate(LONGEST);
    }
    bytes
}

/// A place, more often near the beginning, where headers are.
fn place(length: usize, random: &mut Random) -> usize {
    match random.below(3) {
        0 => random.below(length.min(64)),
        1 => random.below(length.min(1024)),
        _ => random.below(length),
    }
}

/// A range of at most `longest` bytes.
fn range(length: usize, longest: usize, random: &mut Random) -> std::ops::Range<usize> {
    let start = place(length, random);
    let end = start + random.below(longest.min(length - start) + 1);
    start..end
}

fn flip_bit(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    let at = place(bytes.len(), random);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn set_byte(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    const ODD: &[u8] = b"\x00\x01\x7f\x80\xff\n\r \"'\\/%&=:;,.()[]{}<>*+?$^|-0u";
    let at = place(bytes.len(), random);
    if let Some(byte) = bytes.get_mut(at) {
        *byte = if random.below(3) == 0 {
            random.below(256) as u8
        } else {
            ODD[random.below(ODD.len())]
        };
    }
}

/// A number of 2, 4 or 8 bytes: lengths, sizes, offsets.
fn set_number(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    const ODD: [u64; 12] = [
        0,
        1,
        2,
        0x7f,
        0xff,
        0x7fff,
        0xffff,
        0x7fff_ffff,
        0xffff_ffff,
        1 << 40,
        i64::MAX as u64,
        u64::MAX,
    ];
    let width = [2, 4, 8][random.below(3)];
    let at = place(bytes.len(), random);
    let length = bytes.len() as u64;
    let number = match random.below(4) {
        0 => length.wrapping_add(random.below(5) as u64).wrapping_sub(2),
        _ => ODD[random.below(ODD.len())],
    };
    let mut written = number.to_le_bytes()[..width].to_vec();
    if random.below(2) == 0 {
        written.reverse();
    }
    if let Some(target) = bytes.get_mut(at..at + width) {
        target.copy_from_slice(&written);
    }
}

/// Another number in place of one that is written in digits.
fn set_digits(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    const ODD: [&str; 12] = [
        "0",
        "-1",
        "1",
        "3",
        "1e999",
        "65536",
        "2147483648",
        "4294967296",
        "9223372036854775807",
        "18446744073709551615",
        "99999999999999999999",
        "0.5",
    ];
    let from = place(bytes.len(), random);
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let start = from + start;
    let digits = bytes[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let end = start + digits.count();
    let odd = ODD[random.below(ODD.len())];
    bytes.splice(start..end, odd.bytes());
}

fn cut_end(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    bytes.truncate(random.below(bytes.len()));
}

fn cut_within(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    let range = range(bytes.len(), 64, random);
    bytes.drain(range);
}

/// A piece many times over.
fn repeat(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    let longest = [1, 4, 16, 256][random.below(4)];
    let range = range(bytes.len(), longest, random);
    let piece = bytes[range.clone()].to_vec();
    let times = [1, 3, 100, 5000][random.below(4)];
    let times = times.min(LONGEST / 4 / piece.len().max(1));
    bytes.splice(range.end..range.end, piece.repeat(times));
}

/// A piece of another file.
fn splice(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let piece = range(other.len(), 1024, random);
    let target = range(bytes.len(), 1024, random);
    bytes.splice(target, other[piece].iter().copied());
}

fn insert(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    let at = place(bytes.len(), random);
    let new: Vec<u8> = (0..=random.below(8))
        .map(|_| random.below(256) as u8)
        .collect();
    bytes.splice(at..at, new);
}

/// Brackets within brackets, for readers that call themselves.
fn nest(bytes: &mut Vec<u8>, _: &[u8], random: &mut Random) {
    const OPEN: [&[u8]; 8] = [
        b"[", b"{\"a\":", b"(", b"((?:", b"- ", b"&a [*a,", b"\x85", b"{{",
    ];
    let at = place(bytes.len(), random);
    let open = OPEN[random.below(OPEN.len())];
    let times = [10, 200, 20_000][random.below(3)];
    bytes.splice(at..at, open.repeat(times));
}
