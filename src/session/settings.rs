//! What the window remembers from one start to the next: preferences, layout and recent files, one JSON file a user.
//!
//! Losing it costs comfort and nothing else: a file that cannot be read is told once and begun anew, and unknown fields of
//! another version are ignored.

use crate::volume::io;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Recent files that are remembered.
const MOST_RECENT: usize = 10;

/// Smallest and largest size of text and controls.
pub const TEXT_SCALES: [f32; 2] = [0.75, 2.0];

/// Everything remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub radiological: bool,
    pub sagittal_flipped: bool,
    pub smooth: bool,
    pub annotations: bool,
    pub crosshair: bool,
    pub hide_identity: bool,
    pub pacs_mouse: bool,
    /// The frame around the images is light; images are on black either way.
    pub light: bool,
    /// Size of text and controls, 1 as designed.
    pub text_scale: f32,
    /// Dividers of the five panes and of the three planes: two columns and a row each, in shares of the whole.
    pub dividers: [[f32; 3]; 2],
    /// Which of the five panes is where, by its number in the usual order.
    pub order: [usize; 5],
    /// The command that reaches an engine elsewhere; empty: the engine of this machine.
    pub engine_command: String,
    pub window_size: Option<[f32; 2]>,
    pub window_maximised: bool,
    /// Newest first. Paths may name patients, so they are kept only where `keep_recent` says so.
    pub recent: Vec<PathBuf>,
    pub keep_recent: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            radiological: true,
            sagittal_flipped: false,
            smooth: true,
            annotations: true,
            crosshair: true,
            hide_identity: false,
            pacs_mouse: false,
            light: false,
            text_scale: 1.0,
            dividers: [[1.0 / 3.0, 2.0 / 3.0, 0.5], [0.5, 1.0, 0.5]],
            order: [0, 1, 2, 3, 4],
            engine_command: String::new(),
            window_size: None,
            window_maximised: false,
            recent: Vec::new(),
            keep_recent: true,
        }
    }
}

/// The user's settings file; `MINDGAP_SETTINGS` names another one. `None` where the system has no place for it.
pub fn settings_path() -> Option<PathBuf> {
    let named = std::env::var_os("MINDGAP_SETTINGS").map(PathBuf::from);
    named.or_else(|| Some(dirs::config_dir()?.join("mindgap").join("settings.json")))
}

impl Settings {
    /// Reads them; the usual ones where there is no file, and with a word where it cannot be read.
    pub fn load(path: &Path) -> (Self, Option<String>) {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => return (Self::default(), Some(format!("{}: {error}", path.display()))),
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(settings) => (settings.made_usable(), None),
            Err(error) => {
                let kept = path.with_added_extension("bad");
                let what_of_it = match std::fs::rename(path, &kept) {
                    Ok(()) => format!("kept as {}, and begun anew", kept.display()),
                    Err(_) => "begun anew".to_owned(),
                };
                let words =
                    format!("{}: not settings of this program ({error}); {what_of_it}", path.display());
                (Self::default(), Some(words))
            }
        }
    }

    /// Reads them and leaves a file that cannot be read as it is, for [`Self::load`] to tell of: for what has to be known before
    /// there is a window to tell it in.
    pub fn peek(path: &Path) -> Self {
        let text = std::fs::read(path).ok();
        let read = text.and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        read.map(Self::made_usable).unwrap_or_default()
    }

    /// Whatever the file says, the window can be seen and its text read.
    fn made_usable(mut self) -> Self {
        let [least, most] = TEXT_SCALES;
        self.text_scale = if self.text_scale.is_finite() { self.text_scale.clamp(least, most) } else { 1.0 };
        self.window_size = self.window_size.filter(|size| size.iter().all(|side| (1.0..1e5).contains(side)));
        self
    }

    /// Writes them, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        io::write_file(path, &text).map(|_| ()).map_err(|error| error.to_string())
    }

    /// Puts a file to the top of the recent ones. A path that JSON has no words for would cost all settings: it is left out.
    pub fn remember(&mut self, path: &Path) {
        if !self.keep_recent || path.to_str().is_none() {
            return;
        }
        self.recent.retain(|known| known != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(MOST_RECENT);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_saved_comes_back_and_a_damaged_file_costs_no_more_than_comfort() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new folder").join("settings.json");
        assert_eq!(Settings::load(&path), (Settings::default(), None));
        let mut settings = Settings { pacs_mouse: true, text_scale: 1.25, ..Settings::default() };
        settings.remember(Path::new("/scans/a.nii.gz"));
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path), (settings, None));
        std::fs::write(&path, b"{ \"pacs_mouse\": tr").unwrap();
        // Looked at before there is a window to tell it in.
        assert_eq!(Settings::peek(&path), Settings::default());
        let (found, told) = Settings::load(&path);
        assert_eq!(found, Settings::default());
        assert!(told.unwrap().contains("kept as"));
        // Told once, and whoever wrote them by hand can mend them.
        assert_eq!(Settings::load(&path), (Settings::default(), None));
        let bad = folder.path().join("new folder").join("settings.json.bad");
        assert!(std::fs::read(bad).unwrap().starts_with(b"{ \"pacs_mouse\""));
    }

    #[test]
    fn two_windows_that_save_at_once_leave_whole_settings_of_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let ours = |scale| Settings { text_scale: scale, ..Settings::default() };
        ours(1.5).save(&path).unwrap();
        std::thread::scope(|scope| {
            for scale in [1.25, 1.5] {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| ours(scale).save(path).unwrap()));
            }
            for _ in 0..40 {
                let (found, told) = Settings::load(&path);
                assert!([1.25, 1.5].contains(&found.text_scale) && told.is_none(), "{found:?} {told:?}");
            }
        });
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn settings_of_another_version_are_read_as_far_as_they_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        std::fs::write(&path, br#"{ "smooth": false, "from_the_future": [1, 2] }"#).unwrap();
        let (found, told) = Settings::load(&path);
        assert_eq!((found.smooth, found.radiological, told), (false, true, None));
    }

    #[test]
    fn a_size_that_would_hide_the_window_or_its_text_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        std::fs::write(&path, br#"{ "text_scale": 0.0, "window_size": [0.0, 1e30] }"#).unwrap();
        let (found, _) = Settings::load(&path);
        assert_eq!((found.text_scale, found.window_size), (TEXT_SCALES[0], None));
    }

    #[test]
    fn recent_files_are_few_newest_first_and_none_where_they_are_not_wanted() {
        let mut settings = Settings::default();
        for n in 0..30 {
            settings.remember(Path::new(&format!("/scans/{}.nii", n % 12)));
        }
        assert_eq!(settings.recent.len(), MOST_RECENT);
        assert_eq!(settings.recent[0], Path::new("/scans/5.nii"));
        let mut private = Settings { keep_recent: false, ..Settings::default() };
        private.remember(Path::new("/scans/a.nii"));
        assert!(private.recent.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_whose_name_json_cannot_hold_costs_no_settings() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        let mut settings = Settings { pacs_mouse: true, ..Settings::default() };
        settings.remember(Path::new(std::ffi::OsStr::from_bytes(b"/scans/Andr\xe9.nii.gz")));
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path), (settings, None));
    }
}
