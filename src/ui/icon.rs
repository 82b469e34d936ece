//! The window's icon, drawn: two halves of a ring that do not quite meet.

use egui::IconData;

const SIDE: u32 = 64;

/// RGBA icon of 64 x 64 pixels.
pub fn icon() -> IconData {
    let mut rgba = Vec::with_capacity((SIDE * SIDE * 4) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            rgba.extend(pixel(x as f32 + 0.5 - 32.0, y as f32 + 0.5 - 32.0));
        }
    }
    IconData { rgba, width: SIDE, height: SIDE }
}

/// Colour at an offset from the middle, in pixels.
fn pixel(x: f32, y: f32) -> [u8; 4] {
    let radius = x.hypot(y);
    if radius > 31.0 {
        return [0, 0, 0, 0];
    }
    let on_ring = (radius - 18.0).abs() < 6.0;
    let in_gap = x.abs() < 4.0;
    match (on_ring && !in_gap, x < 0.0) {
        (true, true) => [230, 159, 0, 255],
        (true, false) => [86, 180, 233, 255],
        _ => [24, 26, 31, 255],
    }
}
