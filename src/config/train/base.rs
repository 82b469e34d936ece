//! Presets, and configurations that change some fields of one.

use super::ConfigError;
use crate::config::{AssetError, assets_dir};
use std::path::{Component, Path, PathBuf};

/// The configuration whole: where it names another preset as its `base`, that preset with what this one changes.
///
/// Tables are merged field by field; lists, such as the data, are replaced. Without a base, the text as it is.
pub fn self_contained(text: &str) -> Result<String, ConfigError> {
    with_bases(text, |name| {
        let path = preset_path(name).map_err(|error| error.to_string())?;
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    })
}

/// [`self_contained`], with the presets that `read` gives or says why it cannot.
fn with_bases(text: &str, read: impl Fn(&str) -> Result<String, String>) -> Result<String, ConfigError> {
    let mut table: toml::Table = toml::from_str(text)?;
    if !table.contains_key("base") {
        return Ok(text.to_owned());
    }
    let wrong = |expected: &str, got: String| ConfigError::Value {
        field: "base".to_owned(),
        expected: expected.to_owned(),
        got,
    };
    let mut names: Vec<String> = Vec::new();
    while let Some(base) = table.remove("base") {
        let Some(name) = base.as_str().filter(|name| is_plain_name(name)) else {
            return Err(wrong("the name of a preset, such as \"abdomen-ct-to-mr\"", base.to_string()));
        };
        let comes_again = names.iter().any(|earlier| earlier == name);
        names.push(name.to_owned());
        if comes_again {
            return Err(wrong("presets that come to one without a base", names.join(", then ")));
        }
        let unreadable = |reason: String| ConfigError::Base { name: name.to_owned(), reason };
        let text = read(name).map_err(unreadable)?;
        let mut whole: toml::Table =
            toml::from_str(&text).map_err(|error: toml::de::Error| unreadable(error.to_string()))?;
        merge(&mut whole, table);
        table = whole;
    }
    toml::to_string(&table)
        .map_err(|error| ConfigError::Base { name: names.join(", then "), reason: error.to_string() })
}

/// Whether it names a file of the presets' own folder: a path would be found wherever it leads.
fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(only)), None) if only == name)
}

fn merge(base: &mut toml::Table, changes: toml::Table) {
    for (key, change) in changes {
        match (base.get_mut(&key), change) {
            (Some(toml::Value::Table(below)), toml::Value::Table(change)) => merge(below, change),
            (_, change) => {
                base.insert(key, change);
            }
        }
    }
}

/// The committed configuration of that name, if there is one.
pub fn preset_path(name: &str) -> Result<PathBuf, AssetError> {
    Ok(assets_dir()?.join("presets").join(Path::new(name).with_extension("toml")))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::train::TrainConfig;

    /// A configuration that stands by itself.
    pub fn preset() -> String {
        std::fs::read_to_string(preset_path("abdomen-ct-to-mr").unwrap()).unwrap()
    }

    #[test]
    fn every_committed_preset_is_valid_and_named_after_its_bundle() {
        let folder = assets_dir().unwrap().join("presets");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let config = self_contained(&std::fs::read_to_string(&path).unwrap())
                .and_then(|text| TrainConfig::parse(&text));
            let config = config.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(path.file_stem().unwrap().to_str().unwrap(), config.id);
        }
    }

    #[test]
    fn a_preset_changes_of_its_base_what_it_names_and_nothing_else() {
        let text =
            self_contained("base = \"abdomen-ct-to-mr\"\nid = \"mine\"\n[network]\nbase_channels = 24\n");
        let config = TrainConfig::parse(&text.unwrap()).unwrap();
        let mut expected = TrainConfig::parse(&preset()).unwrap();
        (expected.id, expected.network.base_channels) = ("mine".to_owned(), 24);
        assert_eq!(config, expected);
    }

    #[test]
    fn a_base_that_is_a_path_or_leads_back_to_itself_is_refused_instead_of_read_for_ever() {
        let read = |name: &str| match name {
            "a" => Ok("base = \"b\"".to_owned()),
            "b" => Ok("base = \"a\"".to_owned()),
            "whole" => Ok("seed = 1".to_owned()),
            _ => Err("no such preset".to_owned()),
        };
        let whole: toml::Table =
            toml::from_str(&with_bases("base = \"whole\"\nid = \"x\"", read).unwrap()).unwrap();
        assert_eq!(whole, toml::from_str("seed = 1\nid = \"x\"").unwrap());
        for (base, said) in [
            ("\"a\"", "a, then b, then a"),
            ("\"gone\"", "no such preset"),
            ("\"/tmp/whole\"", "the name of a preset"),
            ("\"../whole\"", "the name of a preset"),
            ("\"more/whole\"", "the name of a preset"),
            ("\"whole/\"", "the name of a preset"),
            ("\"..\"", "the name of a preset"),
            ("\"\"", "the name of a preset"),
            ("1", "the name of a preset"),
        ] {
            let error = with_bases(&format!("base = {base}"), read).unwrap_err().to_string();
            assert!(error.contains("base") && error.contains(said), "{base}: {error}");
        }
    }
}
