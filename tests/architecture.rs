//! Which module may use which. The table is the architecture: a new edge is a decision, made here and in the crate's
//! map, not by an import.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// (folder under `src`, modules it may use, by `crate::` in the library and by `mindgap::` in the engine).
const MAY_USE: [(&str, &[&str]); 13] = [
    ("colormap", &[]),
    ("volume", &[]),
    ("config", &["volume"]),
    ("protocol", &["volume", "config"]),
    ("eval", &["volume"]),
    ("dataset", &["volume", "config"]),
    ("session", &["protocol", "eval", "volume", "config", "colormap"]),
    ("render", &["colormap"]),
    ("ui", &["session", "render", "volume", "eval", "config", "protocol"]),
    ("cli", &["ui", "session", "dataset", "eval", "volume", "config", "protocol", "render"]),
    ("bin/mindgap-engine/model", &["volume", "config"]),
    ("bin/mindgap-engine/train", &["model", "dataset", "eval", "config", "volume"]),
    ("bin/mindgap-engine/engine", &["train", "model", "eval", "volume", "config", "protocol"]),
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

/// The first path segments after `crate::` or `mindgap::` in a file, `crate::{a, b}` included.
fn modules_used(text: &str) -> BTreeSet<String> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = BTreeSet::new();
    for (at, path) in text.match_indices("crate::").chain(text.match_indices("mindgap::")) {
        let rest = &text[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split('}').next().unwrap_or_default();
                used.extend(group.split(',').map(|item| word(item.trim())));
            }
            None => {
                used.insert(word(rest));
            }
        }
    }
    used.remove("");
    used
}

#[test]
fn modules_use_only_what_the_architecture_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    for (module, allowed) in MAY_USE {
        for file in rust_files(&src.join(module)) {
            for used in modules_used(&std::fs::read_to_string(&file).unwrap()) {
                if !module.ends_with(&used) && !allowed.contains(&used.as_str()) {
                    violations.push(format!("{} uses {used}", file.strip_prefix(&src).unwrap().display()));
                }
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn only_the_engine_knows_libtorch() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let is_word_part = |c: char| c.is_alphanumeric() || c == '_';
        let uses_tch = text.match_indices("tch::").any(|(at, _)| !text[..at].ends_with(is_word_part));
        assert!(relative.starts_with("bin/mindgap-engine") || !uses_tch, "{} uses tch", relative.display());
    }
}

#[test]
fn every_module_is_in_the_table() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let listed: BTreeSet<String> = MAY_USE.iter().map(|(module, _)| (*module).to_owned()).collect();
    let mut declared = BTreeSet::new();
    for (root, prefix) in [("lib.rs", ""), ("bin/mindgap-engine/main.rs", "bin/mindgap-engine/")] {
        let text = std::fs::read_to_string(src.join(root)).unwrap();
        let modules = text.lines().filter_map(|line| {
            line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')
        });
        declared.extend(modules.map(|module| format!("{prefix}{module}")));
    }
    assert_eq!(declared, listed);
}
