//! Which shared libraries the built programs ask the loader for, read from the files themselves.
//!
//! Invariant: `mindgap` starts without libtorch; only `mindgap-engine` needs it, and finds it unaided.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::path::Path;

#[test]
fn the_window_starts_on_a_machine_without_libtorch() {
    let needed = DynamicSection::of(env!("CARGO_BIN_EXE_mindgap")).needed;
    assert!(needed.iter().any(|name| name.starts_with("libc.so")), "the list was not read: {needed:?}");
    let torch: Vec<_> = needed.iter().filter(|name| is_libtorch(name)).collect();
    assert!(torch.is_empty(), "mindgap must leave libtorch to mindgap-engine, but asks for {torch:?}");
}

#[test]
#[cfg(feature = "torch")]
fn the_engine_finds_libtorch_with_no_environment_variable_set() {
    let engine = DynamicSection::of(env!("CARGO_BIN_EXE_mindgap-engine"));
    let torch: Vec<_> = engine.needed.iter().filter(|name| is_libtorch(name)).collect();
    assert!(!torch.is_empty(), "the engine computes with libtorch, but asks only for {:?}", engine.needed);
    for library in torch {
        let found = engine.search.iter().any(|folder| Path::new(folder).join(library).is_file());
        assert!(found, "{library} lies in none of the folders the engine looks in: {:?}", engine.search);
    }
}

fn is_libtorch(library: &str) -> bool {
    library.starts_with("libtorch") || library.starts_with("libc10")
}

/// What a 64-bit little-endian ELF program asks of the loader: the libraries it needs and the folders to look in.
struct DynamicSection {
    needed: Vec<String>,
    search: Vec<String>,
}

// Field offsets and tags from the System V ABI, "ELF-64 object file format": program headers and dynamic section.
const PROGRAM_LOAD: u64 = 1;
const PROGRAM_DYNAMIC: u64 = 2;
const TAG_NEEDED: u64 = 1;
const TAG_STRING_TABLE: u64 = 5;
const TAG_RPATH: u64 = 15;
const TAG_RUNPATH: u64 = 29;

impl DynamicSection {
    fn of(program: &str) -> Self {
        let elf = std::fs::read(program).unwrap();
        assert_eq!(&elf[..6], b"\x7fELF\x02\x01", "{program} is not a 64-bit little-endian ELF file");
        let headers_at = number(&elf, 32, 8);
        let header_bytes = number(&elf, 54, 2);
        let headers: Vec<usize> =
            (0..number(&elf, 56, 2)).map(|index| (headers_at + index * header_bytes) as usize).collect();

        let dynamic = headers.iter().find(|&&at| number(&elf, at, 4) == PROGRAM_DYNAMIC).unwrap();
        let (start, bytes) = (number(&elf, dynamic + 8, 8) as usize, number(&elf, dynamic + 32, 8) as usize);
        let entries: Vec<(u64, u64)> = (start..start + bytes)
            .step_by(16)
            .map(|at| (number(&elf, at, 8), number(&elf, at + 8, 8)))
            .collect();

        let strings_address = entries.iter().find(|(tag, _)| *tag == TAG_STRING_TABLE).unwrap().1;
        let strings_at = file_offset(&elf, &headers, strings_address);
        let strings = |wanted: &[u64]| -> Vec<String> {
            let tagged = entries.iter().filter(|(tag, _)| wanted.contains(tag));
            tagged.map(|(_, offset)| text(&elf, strings_at + *offset as usize)).collect()
        };
        let origin = Path::new(program).parent().unwrap().display().to_string();
        let search = strings(&[TAG_RPATH, TAG_RUNPATH]).join(":").replace("$ORIGIN", &origin);
        Self { needed: strings(&[TAG_NEEDED]), search: search.split(':').map(str::to_owned).collect() }
    }
}

/// Where in the file the byte lies that is loaded at `address`.
fn file_offset(elf: &[u8], headers: &[usize], address: u64) -> usize {
    let loads = headers.iter().filter(|&&at| number(elf, at, 4) == PROGRAM_LOAD);
    loads
        .map(|at| (number(elf, at + 8, 8), number(elf, at + 16, 8), number(elf, at + 32, 8)))
        .find(|(_, start, bytes)| (*start..start + bytes).contains(&address))
        .map(|(offset, start, _)| (address - start + offset) as usize)
        .unwrap()
}

fn number(elf: &[u8], at: usize, bytes: usize) -> u64 {
    elf[at..at + bytes].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn text(elf: &[u8], at: usize) -> String {
    let end = elf[at..].iter().position(|byte| *byte == 0).unwrap();
    String::from_utf8(elf[at..at + end].to_vec()).unwrap()
}
