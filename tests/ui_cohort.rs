//! The folder of a batch in the window: the table, its order, and the cases behind it.

#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

#[path = "support/cohort_files.rs"]
mod cohort_files;
#[path = "support/scripted_engine.rs"]
mod scripted_engine;
#[allow(dead_code)]
#[path = "support/study_files.rs"]
mod study_files;
#[path = "support/window.rs"]
mod window;

use cohort_files::{CohortFiles, Numbers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use mindgap::session::Role;
use mindgap::ui::{App, StartUp};
use mindgap::volume::Task;
use window::{click, drop_files, settle, type_path, window_with};

/// Three finished cases, one that cannot be read and one that failed.
fn cohort() -> CohortFiles {
    let files = CohortFiles::new();
    files.add("case-bbb", false, &Numbers { liver_ml: 300.0, liver_gap: 0.1, flags: 2 });
    files.add("case-aaa", false, &Numbers { liver_ml: 100.0, liver_gap: 0.3, flags: 0 });
    files.add("case-ccc", false, &Numbers { liver_ml: 200.0, liver_gap: 0.2, flags: 1 });
    files.add_broken("case-ddd");
    files.add_failed(&files.scans().join("Jane_Doe.nii.gz"), "no scan at all");
    files
}

fn window_on(files: &CohortFiles) -> Harness<'static, App> {
    let mut window = window_with(StartUp { demo: true, ..StartUp::default() });
    drop_files(&mut window, [files.cases()]);
    window
}

/// The cases as they stand below each other.
fn order(window: &Harness<'static, App>) -> Vec<String> {
    let names = ["case-aaa", "case-bbb", "case-ccc", "case-ddd", "Jane_Doe.nii.gz"];
    let mut rows: Vec<(f32, &str)> =
        names.into_iter().map(|name| (window.get_by_label(name).rect().top(), name)).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.into_iter().map(|(_, name)| name.to_owned()).collect()
}

fn told(window: &Harness<'static, App>) -> String {
    window.state().state().cohort.told.clone().unwrap_or_default()
}

#[test]
fn a_dropped_cohort_folder_is_shown_as_a_table_and_a_broken_case_hides_no_other() {
    let files = cohort();
    let window = window_on(&files);
    window.get_by_label("5 cases: 3 finished, 1 unreadable, 1 failed");
    assert_eq!(order(&window), ["Jane_Doe.nii.gz", "case-aaa", "case-bbb", "case-ccc", "case-ddd"]);
    for volume in ["100.0", "200.0", "300.0"] {
        window.get_by_label(volume);
    }
    window.get_by_label("Volume of each structure, a dot a case");
    assert!(window.state().state().notices.is_empty(), "it is not taken for a folder of scans");
}

#[test]
fn a_column_sorts_both_ways_and_cases_without_a_value_stay_at_the_end() {
    let files = cohort();
    let mut window = window_on(&files);
    click(&mut window, "Sort by Liver mL");
    assert_eq!(order(&window)[..3], ["case-aaa", "case-ccc", "case-bbb"]);
    click(&mut window, "Sort by Liver mL");
    assert_eq!(order(&window)[..3], ["case-bbb", "case-ccc", "case-aaa"]);
    click(&mut window, "Sort by Flags");
    assert_eq!(order(&window)[..3], ["case-aaa", "case-ccc", "case-bbb"]);
    click(&mut window, "Sort by Mean gap");
    assert_eq!(order(&window)[..3], ["case-bbb", "case-ccc", "case-aaa"]);
    click(&mut window, "Sort by Status");
    assert_eq!(order(&window)[0], "Jane_Doe.nii.gz");
}

#[test]
fn a_click_on_a_case_opens_the_scan_it_was_made_of_with_its_labels_even_after_the_file_was_renamed() {
    let files = cohort();
    let mut window = window_on(&files);
    click(&mut window, "case-ccc");
    settle(&mut window);
    assert!(told(&window).contains("choose the folder in which they are"), "{}", told(&window));
    std::fs::rename(files.scans().join("case-ccc_scan.nii.gz"), files.scans().join("other.nii.gz")).unwrap();
    window.get_by_label("Folder of the scans").focus();
    window::rest(&mut window);
    window.event(egui::Event::Text(files.scans().display().to_string()));
    window::rest(&mut window);
    click(&mut window, "case-ccc");
    settle(&mut window);
    let study = &window.state().state().study;
    let opened = Role::ALL.into_iter().filter_map(|role| study.scan(role));
    let scan = opened.into_iter().find(|scan| scan.name == "other.nii.gz").expect("the scan is open");
    assert_eq!(scan.labels(Task::Abdomen).map(|labels| labels.at(15, 3, 3)), Some(1));
    assert_eq!(told(&window), "");
}

#[test]
fn a_case_whose_scan_is_gone_or_another_one_now_says_which_file_and_opens_nothing() {
    let files = CohortFiles::new();
    let numbers = |liver_ml| Numbers { liver_ml, liver_gap: 0.1, flags: 0 };
    let gone = files.add("gone", true, &numbers(100.0));
    let other = files.add("replaced", true, &numbers(200.0));
    std::fs::copy(&gone, &other).unwrap();
    std::fs::remove_file(&gone).unwrap();
    files.add_failed(&files.scans().join("lost.nii.gz"), "no scan at all");
    let mut window = window_on(&files);
    let before = window.state().state().study.scan(Role::Target).unwrap().id;
    for (case, file) in
        [("gone", "gone_scan.nii.gz"), ("replaced", "replaced_scan.nii.gz"), ("lost.nii.gz", "lost.nii.gz")]
    {
        click(&mut window, case);
        settle(&mut window);
        assert!(told(&window).contains(file), "{case}: {}", told(&window));
        assert!(window.state().state().study.is_open(Role::Target, before), "{case}");
    }
}

#[test]
fn labels_that_are_gone_are_named_and_the_scan_is_opened_all_the_same() {
    let files = CohortFiles::new();
    files.add("kept", true, &Numbers { liver_ml: 100.0, liver_gap: 0.1, flags: 0 });
    std::fs::remove_file(files.cases().join("kept/labels.nii.gz")).unwrap();
    let mut window = window_on(&files);
    click(&mut window, "kept");
    settle(&mut window);
    assert!(told(&window).contains("labels.nii.gz is missing"), "{}", told(&window));
    let study = &window.state().state().study;
    assert!(Role::ALL.iter().any(|role| study.scan(*role).unwrap().name == "kept_scan.nii.gz"));
}

#[test]
fn a_folder_that_is_no_cohort_is_refused_by_name_and_the_one_that_is_shown_stays() {
    let files = cohort();
    let mut window = window_on(&files);
    click(&mut window, "Open cohort folder…");
    type_path(&mut window, &files.scans().display().to_string());
    click(&mut window, "Open");
    settle(&mut window);
    assert!(told(&window).contains("scans: expected a folder that mindgap batch"), "{}", told(&window));
    window.get_by_label("case-aaa");
}

#[test]
fn a_batch_that_is_still_running_shows_more_cases_when_its_folder_is_read_again() {
    let files = CohortFiles::new();
    std::fs::create_dir(files.cases().join(".case-one.partial")).unwrap();
    let mut window = window_on(&files);
    window.get_by_label("1 case: 1 in progress");
    std::fs::remove_dir(files.cases().join(".case-one.partial")).unwrap();
    files.add("case-one", false, &Numbers { liver_ml: 100.0, liver_gap: 0.1, flags: 0 });
    click(&mut window, "Read again");
    settle(&mut window);
    window.get_by_label("1 case: 1 finished");
}

#[test]
fn names_of_files_are_not_shown_where_identity_is_hidden() {
    let files = cohort();
    let mut window = window_on(&files);
    click(&mut window, "View");
    click(&mut window, "Hide identity");
    window.key_press(egui::Key::Escape);
    window::rest(&mut window);
    assert!(window.query_by_label("Jane_Doe.nii.gz").is_none());
    let hidden = window.get_by_label("name hidden");
    assert_eq!(hidden.accesskit_node().role(), egui::Role::Button);
}
