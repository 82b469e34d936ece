// The slice pass: one fullscreen triangle per pane, drawn into the viewport of that pane.
//
// Order: slice through its window to grey (or a colour map) -> heat map (gap or uncertainty) -> label fill -> label
// outline. Labels are always sampled nearest. Outside the slice the pane is black. Two images are compared by drawing one
// over the other with an opacity below 1: colours leave this pass multiplied by it.
//
// Every texture is read with textureLoad and filtered here by hand: R32Float needs no filtering support of the device,
// and `src/render/reference.rs`, the CPU twin of this file, computes the same picture. Change both together.
//
// Image coordinates: slice pixel (column, row) covers [column, column + 1) x [row, row + 1), row 0 at the top.

// Mirror of `SliceUniforms` in `src/render/uniforms.rs`; a test compares the offset of every field.
struct SliceUniforms {
    image_from_uv_scale: vec2<f32>,
    image_from_uv_offset: vec2<f32>,
    extent_px: vec2<f32>,
    image_px_per_screen_px: vec2<f32>,
    window_level: f32,
    window_width: f32,
    heat_opacity: f32,
    heat_threshold: f32,
    heat_low: f32,
    heat_high: f32,
    heat_ramp: f32,
    label_fill_opacity: f32,
    label_outline_opacity: f32,
    label_outline_px: f32,
    highlight_label: u32,
    flags: u32,
    image_colormap: u32,
    heat_colormap: u32,
    taps: u32,
    opacity: f32,
}

const FLAG_INVERSE: u32 = 1u;
const FLAG_NEAREST: u32 = 2u;
const FLAG_LABELS: u32 = 4u;
const FLAG_HEAT: u32 = 8u;

// `stored_texel` in `src/render/slice.rs` writes MISSING for NaN and keeps every other value within 1e30 of zero.
const MISSING: f32 = -3.0e38;
const MISSING_BELOW: f32 = -1.0e38;
const COLORMAP_INTERVALS: f32 = 32.0;
const HIGHLIGHT_FILL: f32 = 0.25;
const HIGHLIGHT_OUTLINE_PX: f32 = 1.0;
const DIAGONAL: f32 = 0.70710678;

// Bind groups by update frequency: never; every frame; when the slice, its labels, heat or palette change.
@group(0) @binding(0) var colormap_texture: texture_2d<f32>;
@group(1) @binding(0) var<uniform> u: SliceUniforms;
@group(2) @binding(0) var image_texture: texture_2d<f32>;
@group(2) @binding(1) var label_texture: texture_2d<u32>;
@group(2) @binding(2) var heat_texture: texture_2d<f32>;
@group(2) @binding(3) var palette_texture: texture_2d<f32>;

struct Varyings {
    @builtin(position) position: vec4<f32>,
    // (0, 0) at the top left of the pane, (1, 1) at its bottom right.
    @location(0) uv: vec2<f32>,
    // flags, taps, image_colormap, heat_colormap of the uniforms: what decides between branches. Read here and not from
    // the uniforms, because Mesa's software driver (lavapipe 22.3) builds, and never frees, another shader for every draw
    // with branches on uniforms: over a megabyte a pane and frame.
    @location(1) @interpolate(flat) modes: vec4<u32>,
}

var<private> flags: u32;
var<private> taps: u32;
var<private> image_colormap: u32;
var<private> heat_colormap: u32;

@vertex
fn vs_main(@builtin(vertex_index) vertex: u32) -> Varyings {
    let uv = vec2<f32>(f32((vertex << 1u) & 2u), f32(vertex & 2u));
    var out: Varyings;
    out.position = vec4<f32>(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0);
    out.uv = uv;
    out.modes = vec4<u32>(u.flags, u.taps, u.image_colormap, u.heat_colormap);
    return out;
}

// For targets that store gamma-encoded bytes (Rgba8Unorm, Bgra8Unorm), the usual case under egui.
@fragment
fn fs_gamma(in: Varyings) -> @location(0) vec4<f32> {
    return vec4<f32>(slice_colour(in.uv, in.modes), 1.0) * u.opacity;
}

// For *Srgb targets, which encode what they are given: undo that encoding first, so that the bytes are the same.
@fragment
fn fs_linear(in: Varyings) -> @location(0) vec4<f32> {
    return vec4<f32>(linear_from_gamma(slice_colour(in.uv, in.modes)), 1.0) * u.opacity;
}

fn slice_colour(uv: vec2<f32>, modes: vec4<u32>) -> vec3<f32> {
    flags = modes.x;
    taps = modes.y;
    image_colormap = modes.z;
    heat_colormap = modes.w;
    let at = uv * u.image_from_uv_scale + u.image_from_uv_offset;
    if !is_inside(at) {
        return vec3<f32>(0.0);
    }
    var colour = image_colour(at);
    if (flags & FLAG_HEAT) != 0u {
        colour = blend_heat(colour, at);
    }
    if (flags & FLAG_LABELS) != 0u {
        colour = blend_label(colour, at);
    }
    return colour;
}

fn is_inside(at: vec2<f32>) -> bool {
    return at.x >= 0.0 && at.y >= 0.0 && at.x < u.extent_px.x && at.y < u.extent_px.y;
}

fn image_colour(at: vec2<f32>) -> vec3<f32> {
    let value = sample_area(image_texture, at);
    if value < MISSING_BELOW {
        return vec3<f32>(0.0);
    }
    var grey = clamp((value - u.window_level) / u.window_width + 0.5, 0.0, 1.0);
    if (flags & FLAG_INVERSE) != 0u {
        grey = 1.0 - grey;
    }
    return map_colour(image_colormap, grey);
}

fn blend_heat(under: vec3<f32>, at: vec2<f32>) -> vec3<f32> {
    let value = sample_area(heat_texture, at);
    if value < MISSING_BELOW {
        return under;
    }
    let alpha = u.heat_opacity * clamp((value - u.heat_threshold) / u.heat_ramp, 0.0, 1.0);
    let position = clamp((value - u.heat_low) / (u.heat_high - u.heat_low), 0.0, 1.0);
    return mix(under, map_colour(heat_colormap, position), alpha);
}

fn blend_label(under: vec3<f32>, at: vec2<f32>) -> vec3<f32> {
    let label = label_at(at);
    let paint = palette_colour(label);
    if paint.a <= 0.0 {
        return under;
    }
    var fill = u.label_fill_opacity;
    var outline_px = u.label_outline_px;
    if label == u.highlight_label {
        fill = min(fill + HIGHLIGHT_FILL, 1.0);
        outline_px += HIGHLIGHT_OUTLINE_PX;
    }
    let filled = mix(under, paint.rgb, fill * paint.a);
    if is_border(at, label, outline_px) {
        return mix(filled, paint.rgb, u.label_outline_opacity * paint.a);
    }
    return filled;
}

// A pixel is border when any of the eight points `outline_px` screen pixels away carries another label.
fn is_border(at: vec2<f32>, label: u32, outline_px: f32) -> bool {
    let reach = u.image_px_per_screen_px * outline_px;
    for (var dy = -1; dy <= 1; dy++) {
        for (var dx = -1; dx <= 1; dx++) {
            var step = vec2<f32>(f32(dx), f32(dy));
            if dx != 0 && dy != 0 {
                step *= DIAGONAL;
            }
            if label_at(at + step * reach) != label {
                return true;
            }
        }
    }
    return false;
}

fn label_at(at: vec2<f32>) -> u32 {
    if !is_inside(at) {
        return 0u;
    }
    return textureLoad(label_texture, vec2<i32>(floor(at)), 0).r;
}

// Value v lies at column v % 256, row v / 256; values past the last row are hidden.
fn palette_colour(label: u32) -> vec4<f32> {
    let row = label >> 8u;
    if row >= textureDimensions(palette_texture).y {
        return vec4<f32>(0.0);
    }
    return textureLoad(palette_texture, vec2<u32>(label & 255u, row), 0);
}

// Averages taps x taps samples over the screen pixel, so that thin structures do not flicker when a slice is shrunk.
fn sample_area(plane: texture_2d<f32>, at: vec2<f32>) -> f32 {
    let nearest = texel(plane, vec2<i32>(floor(at)));
    if nearest < MISSING_BELOW || (flags & FLAG_NEAREST) != 0u {
        return nearest;
    }
    if taps <= 1u {
        return sample_bilinear(plane, at);
    }
    let step = u.image_px_per_screen_px / f32(taps);
    let first = at - 0.5 * u.image_px_per_screen_px + 0.5 * step;
    var sum = 0.0;
    var weight = 0.0;
    for (var row = 0u; row < taps; row++) {
        for (var column = 0u; column < taps; column++) {
            let value = sample_bilinear(plane, first + step * vec2<f32>(f32(column), f32(row)));
            if value >= MISSING_BELOW {
                sum += value;
                weight += 1.0;
            }
        }
    }
    if weight == 0.0 {
        return nearest;
    }
    return sum / weight;
}

// Bilinear over the texels that hold a value, missing ones left out of the weights.
fn sample_bilinear(plane: texture_2d<f32>, at: vec2<f32>) -> f32 {
    let corner = floor(at - 0.5);
    let f = at - 0.5 - corner;
    let base = vec2<i32>(corner);
    var sum = 0.0;
    var weight = 0.0;
    for (var dy = 0; dy <= 1; dy++) {
        for (var dx = 0; dx <= 1; dx++) {
            let value = texel(plane, base + vec2<i32>(dx, dy));
            let w = select(1.0 - f.x, f.x, dx == 1) * select(1.0 - f.y, f.y, dy == 1);
            if value >= MISSING_BELOW {
                sum += w * value;
                weight += w;
            }
        }
    }
    if weight <= 0.0 {
        return MISSING;
    }
    return sum / weight;
}

fn texel(plane: texture_2d<f32>, position: vec2<i32>) -> f32 {
    let last = vec2<i32>(textureDimensions(plane)) - 1;
    return textureLoad(plane, clamp(position, vec2<i32>(0), last), 0).r;
}

// Map 0 is grey; map n > 0 is row n - 1 of the table of nodes, linear between them.
fn map_colour(map: u32, position: f32) -> vec3<f32> {
    if map == 0u {
        return vec3<f32>(position);
    }
    let x = position * COLORMAP_INTERVALS;
    let node = min(floor(x), COLORMAP_INTERVALS - 1.0);
    let row = i32(map) - 1;
    let low = textureLoad(colormap_texture, vec2<i32>(i32(node), row), 0).rgb;
    let high = textureLoad(colormap_texture, vec2<i32>(i32(node) + 1, row), 0).rgb;
    return mix(low, high, x - node);
}

// Inverse of the sRGB transfer function (IEC 61966-2-1).
fn linear_from_gamma(gamma: vec3<f32>) -> vec3<f32> {
    let low = gamma / 12.92;
    let high = pow((gamma + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, gamma <= vec3<f32>(0.04045));
}
