//! Gzip members as a file has them; what does not begin like gzip is another target's matter.
#![no_main]

mod survive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        survive::survive("x.nii.gz", bytes);
    }
});
