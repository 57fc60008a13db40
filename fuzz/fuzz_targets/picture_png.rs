#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| comfy_fuzz::read("picture_png", bytes));
