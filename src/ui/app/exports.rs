//! Results on their way into files, and how that is told: in the dialog that asked for it, or above the images where that has
//! been closed or asks for something else meanwhile.

use super::App;
use super::tasks::{Done, in_full};
use crate::session::Role;
use crate::session::export::{self, ExportContent, Exported};
use crate::session::loader::LoadError;
use crate::ui::state::{Dialog, ExportDialog, NoticeKind};
use std::path::{Path, PathBuf};

impl App {
    pub(super) fn export(&mut self, role: Role, content: ExportContent, path: PathBuf, overwrite: bool) {
        let Some(of) = self.exportable(role) else { return };
        self.edit_export(|export| (export.writing, export.trouble) = (true, None));
        self.spawn_writer(move || {
            if !overwrite && path.exists() {
                return Done::ExportExists { role, content, path };
            }
            let result = export::export(&path, content, &of);
            Done::Exported { role, content, path, result }
        });
    }

    /// Said above the images; the dialog that asked for it has nothing left to ask.
    pub(super) fn exported(
        &mut self,
        role: Role,
        content: ExportContent,
        path: &Path,
        result: Result<Exported, LoadError>,
    ) {
        let words = match result {
            Ok(Exported { path, content: ExportContent::Report }) => {
                format!("Saved the report in {}.", path.display())
            }
            Ok(Exported { path, .. }) => format!(
                "Saved {} on the scan's own grid, read back and compared; where it comes from is beside it.",
                path.display()
            ),
            Err(error) => return self.export_failed(role, content, path, in_full(&error)),
        };
        if self.export_asked_for(role, content, path).is_some() {
            self.state.dialog = None;
        }
        self.state.notify(NoticeKind::Done, words);
    }

    /// In the dialog, or above the images where it has been closed or asks for something else meanwhile.
    fn export_failed(&mut self, role: Role, content: ExportContent, path: &Path, words: String) {
        match self.export_asked_for(role, content, path) {
            Some(export) => {
                (export.writing, export.confirm_overwrite) = (false, false);
                export.trouble = Some(words);
            }
            None => self.fail(words),
        }
    }

    pub(super) fn export_exists(&mut self, role: Role, content: ExportContent, path: &Path) {
        match self.export_asked_for(role, content, path) {
            Some(export) => (export.writing, export.confirm_overwrite) = (false, true),
            None => {
                let text =
                    format!("{} is there already and was not replaced; nothing was saved.", path.display());
                self.state.notify(NoticeKind::Warning, text);
            }
        }
    }

    /// The dialog that asked for an export, while it is open.
    fn export_asked_for(
        &mut self,
        role: Role,
        content: ExportContent,
        path: &Path,
    ) -> Option<&mut ExportDialog> {
        match &mut self.state.dialog {
            Some(Dialog::Export(export)) if export.asked_for(role, content, path) => Some(export),
            _ => None,
        }
    }

    pub(super) fn edit_export(&mut self, edit: impl FnOnce(&mut ExportDialog)) {
        if let Some(Dialog::Export(export)) = &mut self.state.dialog {
            edit(export);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ui::StartUp;
    use std::sync::Arc;

    #[test]
    fn an_export_that_ends_after_its_dialog_was_closed_is_told_and_closes_no_other_dialog() {
        let mut app = App::new(StartUp::default(), Arc::new(|| ()));
        let (role, content, path) = (Role::Target, ExportContent::Labels, Path::new("labels.nii.gz"));
        let saved = || Ok(Exported { path: path.to_owned(), content });
        let told = |app: &App| app.state.notices.last().map(|notice| notice.text.clone()).unwrap_or_default();
        let question = Dialog::Concerns(vec!["too thick".to_owned()]);
        app.state.dialog = Some(question.clone());
        app.exported(role, content, path, saved());
        assert!(told(&app).starts_with("Saved labels.nii.gz"), "{}", told(&app));
        app.exported(role, content, path, Err(LoadError::NothingToExport("prediction")));
        assert!(told(&app).contains("no finished prediction"), "{}", told(&app));
        app.export_exists(role, content, path);
        assert!(told(&app).contains("was not replaced"), "{}", told(&app));
        assert_eq!(app.state.dialog, Some(question));

        // While its own dialog is open, that asks and closes; one for another file does not.
        let ask = |path: &str, writing| {
            let (path, confirm_overwrite, trouble) = (path.to_owned(), false, None);
            Some(Dialog::Export(ExportDialog { role, content, path, confirm_overwrite, writing, trouble }))
        };
        app.state.dialog = ask("labels.nii.gz ", true);
        app.export_exists(role, content, path);
        let Some(Dialog::Export(export)) = &app.state.dialog else { panic!("it asks") };
        assert!(export.confirm_overwrite && !export.writing);
        for other in [ask("labels.nii.gz", false), ask("others.nii.gz", true)] {
            app.state.dialog = other.clone();
            app.exported(role, content, path, saved());
            assert_eq!(app.state.dialog, other);
        }
        app.state.dialog = ask("labels.nii.gz", true);
        app.exported(role, content, path, saved());
        assert_eq!(app.state.dialog, None);
    }
}
