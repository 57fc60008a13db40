//! Intel's matrix registers: eight tiles of sixteen rows of 64 bytes, and the products of pairs of `bf16` in them.
//!
//! The compiler has no stable names for these instructions, so they are written as assembly. A thread must have laid out its tiles
//! before it multiplies ([`prepare`]) and gives them up afterwards, so that nobody saves and restores them.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::cell::Cell;
use std::sync::LazyLock;

use super::{Layout, Tile, block};

/// Two by two tiles of sums, two of the left and two of the right side.
const ROWS: usize = 2 * block::LANES;
const LANES: usize = 2 * block::LANES;

/// Words of a block.
const BLOCK: usize = block::LANES * block::WORDS;

pub(super) fn brain() -> Option<Tile> {
    static THERE: LazyLock<bool> = LazyLock::new(|| block::is_fast() && exists() && is_allowed());
    THERE.then_some(Tile {
        rows: ROWS,
        lanes: LANES,
        layout: Layout::Blocks,
        name: "AMX-BF16",
        run,
        prepare,
        release,
    })
}

/// Whether the processor has tiles of the usual size and products of `bf16`, and the system saves them when it changes threads.
fn exists() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
    const TILE_STATE: u64 = 0b11 << 17;
    if __cpuid(0).eax < 0x1d
        || __cpuid(1).ecx & OSXSAVE == 0
        || __cpuid_count(7, 0).edx & BF16_AND_TILES != BF16_AND_TILES
    {
        return false;
    }
    #[expect(unsafe_code, reason = "an instruction that not every processor has")]
    // SAFETY: the processor was asked for it.
    let state = unsafe { enabled_state() };
    // The only palette: bytes of a row, number of tiles, rows.
    let palette = __cpuid_count(0x1d, 1);
    state & TILE_STATE == TILE_STATE
        && palette.ebx & 0xffff == 64
        && palette.ebx >> 16 == 8
        && palette.ecx & 0xffff == 16
}

#[target_feature(enable = "xsave")]
fn enabled_state() -> u64 {
    #[expect(unsafe_code, reason = "the intrinsic is marked so")]
    // SAFETY: register 0 exists wherever the instruction does.
    unsafe {
        std::arch::x86_64::_xgetbv(0)
    }
}

/// Linux gives the eight kilobytes of tiles to processes that ask for them.
fn is_allowed() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    if !cfg!(target_os = "linux") {
        return false;
    }
    let result: i64;
    #[expect(unsafe_code, reason = "a system call")]
    // SAFETY: on Linux this is the call's convention: it takes numbers, touches no memory of ours, and fails on kernels that do not know it.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

thread_local! {
    /// How often this thread has prepared without releasing.
    static PREPARED: Cell<usize> = const { Cell::new(0) };
}

/// How tiles are laid out: all of them as sixteen rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes_of_row: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = {
    let mut configuration = Configuration {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        bytes_of_row: [0; 16],
        rows: [0; 16],
    };
    let mut tile = 0;
    while tile < 8 {
        configuration.bytes_of_row[tile] = 64;
        configuration.rows[tile] = 16;
        tile += 1;
    }
    configuration
};

fn prepare() {
    PREPARED.set(PREPARED.get() + 1);
    if PREPARED.get() == 1 {
        #[expect(unsafe_code, reason = "an instruction without an intrinsic")]
        // SAFETY: only `brain` gives this function away, where the processor and the system allow tiles; the 64 bytes are a layout
        // that palette 1 has.
        unsafe {
            asm!(
                "ldtilecfg [{}]",
                in(reg) &raw const CONFIGURATION,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, preserves_flags, readonly),
            );
        }
    }
}

fn release() {
    PREPARED.set(PREPARED.get().saturating_sub(1));
    if PREPARED.get() == 0 {
        #[expect(unsafe_code, reason = "an instruction without an intrinsic")]
        // SAFETY: as in `prepare`.
        unsafe {
            asm!(
                "tilerelease",
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack, preserves_flags, nomem),
            );
        }
    }
}

fn run(left: &[f32], right: &[f32], result: &mut [f32], row_stride: usize, add: bool) {
    assert!(PREPARED.get() > 0, "this thread has laid out its tiles");
    let steps = left.len() / (2 * BLOCK);
    assert!(right.len() >= steps * 2 * BLOCK, "both panels are as deep");
    assert!(
        result.len() >= (ROWS - 1) * row_stride + LANES,
        "the result has room for a tile"
    );
    let (left, right) = (left.as_ptr(), right.as_ptr());
    let result = result.as_mut_ptr();
    #[expect(unsafe_code, reason = "instructions without intrinsics")]
    // SAFETY: this thread has laid out its tiles. Each step reads two blocks of both panels, of which there are `steps`, and the result
    // is 32 rows of 32 values, which was checked.
    unsafe {
        asm!(
            "test {add}, {add}",
            "jz 2f",
            "tileloadd tmm0, [{upper} + {row}]",
            "tileloadd tmm1, [{upper} + {row} + 64]",
            "tileloadd tmm2, [{lower} + {row}]",
            "tileloadd tmm3, [{lower} + {row} + 64]",
            "jmp 3f",
            "2:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "3:",
            "test {steps}, {steps}",
            "jz 5f",
            "4:",
            "tileloadd tmm4, [{left} + {side}]",
            "tileloadd tmm6, [{right} + {side}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{next_right} + {side}]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{next_left} + {side}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {left}, 1024",
            "add {right}, 1024",
            "add {next_left}, 1024",
            "add {next_right}, 1024",
            "dec {steps}",
            "jnz 4b",
            "5:",
            "tilestored [{upper} + {row}], tmm0",
            "tilestored [{upper} + {row} + 64], tmm1",
            "tilestored [{lower} + {row}], tmm2",
            "tilestored [{lower} + {row} + 64], tmm3",
            add = in(reg) usize::from(add),
            upper = in(reg) result,
            lower = in(reg) result.add(block::LANES * row_stride),
            row = in(reg) row_stride * size_of::<f32>(),
            left = inout(reg) left => _,
            right = inout(reg) right => _,
            next_left = inout(reg) left.add(steps * BLOCK) => _,
            next_right = inout(reg) right.add(steps * BLOCK) => _,
            side = in(reg) block::WORDS * size_of::<f32>(),
            steps = inout(reg) steps => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
