#![no_main]

mod survive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| survive::survive("x.dcm", bytes));
