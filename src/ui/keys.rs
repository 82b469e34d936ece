//! Keys. Nothing destructive is on a bare letter, and none acts while a text field has the focus.

use super::action::Action;
use super::state::{
    Comparison, Dialog, Drawer, GapOptions, LabelOptions, OpenDialog, OpenTarget, State, Switch, Tile,
};
use egui::{Context, InputState, Key, Modifiers};

const OPACITY_STEP: f32 = 0.1;
/// More than any scan has slices.
const TO_THE_END: i64 = 1 << 40;

/// What the keys of this frame ask for. `was_typing` says whether a text field had the focus before it: Esc takes the focus away
/// before anything is drawn.
pub fn actions(context: &Context, state: &State, was_typing: bool) -> Vec<Action> {
    let typing = context.text_edit_focused();
    // A slider moves by the arrows and a button is pressed by the space bar, once Tab has brought the focus there.
    let on_control = context.memory(|memory| memory.focused()).is_some();
    // An open menu has the first right to Esc.
    let menu_open = egui::Popup::is_any_open(context);
    context.input_mut(|input| {
        let mut actions = Vec::new();
        // Without a dialog to be closed, Esc in a text field leaves the field, and the run goes on.
        let leaves_field = was_typing && state.dialog.is_none();
        if !menu_open && !leaves_field && input.consume_key(Modifiers::NONE, Key::Escape) {
            actions.push(Action::Cancel);
        }
        if state.view.source_in_place && !input.key_down(Key::H) {
            actions.push(Action::HoldSource(false));
        }
        if typing || state.dialog.is_some() {
            return actions;
        }
        commands(input, state, &mut actions);
        if !on_control {
            if input.consume_key(Modifiers::NONE, Key::Space) {
                actions.push(Action::ResetView);
            }
            slices(input, state.view.active, &mut actions);
        }
        overlays(input, state, &mut actions);
        presets(input, &mut actions);
        actions
    })
}

fn commands(input: &mut InputState, state: &State, actions: &mut Vec<Action>) {
    if input.consume_key(Modifiers::NONE, Key::F5) && state.run.is_none() {
        actions.push(Action::Run);
    }
    if input.consume_key(Modifiers::COMMAND, Key::O) {
        let dialog = OpenDialog::new(OpenTarget::ByModality, state.task);
        actions.push(Action::Show(Dialog::Open(dialog)));
    }
    let asked = input.events.iter().any(|event| matches!(event, egui::Event::Text(text) if text == "?"));
    if asked {
        actions.push(Action::Show(Dialog::Keys));
    }
}

fn slices(input: &mut InputState, tile: Tile, actions: &mut Vec<Action>) {
    let steps = [
        (Key::ArrowUp, 1),
        (Key::ArrowRight, 1),
        (Key::PageUp, 1),
        (Key::ArrowDown, -1),
        (Key::ArrowLeft, -1),
        (Key::PageDown, -1),
    ];
    for (key, by) in steps {
        for _ in 0..input.count_and_consume_key(Modifiers::SHIFT, key) {
            actions.push(Action::StepSlice { tile, by: by * 5 });
        }
        for _ in 0..input.count_and_consume_key(Modifiers::NONE, key) {
            actions.push(Action::StepSlice { tile, by });
        }
    }
    for (key, by) in [(Key::Home, -TO_THE_END), (Key::End, TO_THE_END)] {
        if input.consume_key(Modifiers::NONE, key) {
            actions.push(Action::StepSlice { tile, by });
        }
    }
}

fn overlays(input: &mut InputState, state: &State, actions: &mut Vec<Action>) {
    let view = &state.view;
    let mut labels = view.labels;
    labels.shown ^= input.consume_key(Modifiers::NONE, Key::S);
    labels.outline ^= input.consume_key(Modifiers::NONE, Key::O);
    let steps = input.count_and_consume_key(Modifiers::NONE, Key::D) as f32
        - input.count_and_consume_key(Modifiers::NONE, Key::A) as f32;
    labels.fill_opacity = (labels.fill_opacity + steps * OPACITY_STEP).clamp(0.0, 1.0);
    if labels != view.labels {
        actions.push(Action::SetLabels(LabelOptions { ..labels }));
    }
    let mut gap = view.gap;
    gap.shown ^= input.consume_key(Modifiers::NONE, Key::G);
    gap.uncertainty ^= input.consume_key(Modifiers::NONE, Key::T);
    if gap != view.gap {
        actions.push(Action::SetGap(GapOptions { ..gap }));
    }
    if input.consume_key(Modifiers::SHIFT, Key::X) {
        actions.push(Action::Set(Switch::Crosshair, !view.show_crosshair));
    }
    if input.consume_key(Modifiers::NONE, Key::X) {
        actions.push(Action::Set(Switch::Annotations, !view.annotations));
    }
    if input.consume_key(Modifiers::NONE, Key::C) {
        actions.push(Action::Set(Switch::Cine, !view.cine));
    }
    if input.consume_key(Modifiers::NONE, Key::K) {
        let all = Comparison::ALL;
        let now = all.iter().position(|comparison| *comparison == view.comparison).unwrap_or(0);
        actions.push(Action::Compare(all[(now + 1) % all.len()], view.comparison_share));
    }
    if input.consume_key(Modifiers::NONE, Key::R) {
        let report = (state.drawer != Some(Drawer::Report)).then_some(Drawer::Report);
        actions.push(Action::ShowDrawer(report));
    }
    if input.consume_key(Modifiers::NONE, Key::I) {
        actions.push(Action::ToggleInverse(view.active.pane));
    }
    if input.key_down(Key::H) && !view.source_in_place && input.modifiers.is_none() {
        actions.push(Action::HoldSource(true));
    }
}

fn presets(input: &mut InputState, actions: &mut Vec<Action>) {
    let digits = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8];
    for (number, key) in digits.into_iter().enumerate() {
        if input.consume_key(Modifiers::NONE, key) {
            actions.push(Action::Preset(number));
        }
    }
}
