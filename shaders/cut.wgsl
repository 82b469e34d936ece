// Cuts a slice out of a volume that the device holds, into the texture that the slice pass reads: one texel a pixel of the
// slice, no filter. `src/ui/views/cut.rs` cuts the same slice on the processor.

// Mirror of `CutUniforms` in `src/render/volumes.rs`; a test compares the offset of every field. The fourth of each four
// integers is padding.
struct CutUniforms {
    // Voxel (i, j, k) under the slice's first pixel, and how it changes from column to column and from row to row.
    first: vec4<i32>,
    column: vec4<i32>,
    row: vec4<i32>,
    // Slope and intercept from stored to measured values; then padding.
    scaling: vec4<f32>,
}

// As in slice.wgsl.
const MISSING_BELOW: f32 = -1.0e38;
const LARGEST: f32 = 1.0e30;

@group(0) @binding(0) var<uniform> u: CutUniforms;
// Of each pipeline one.
@group(1) @binding(0) var integers: texture_3d<i32>;
@group(1) @binding(1) var values: texture_3d<f32>;
@group(1) @binding(2) var labels: texture_3d<u32>;

// One triangle over the whole target.
@vertex
fn vs_main(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    return vec4<f32>(corner * 4.0 - 1.0, 0.0, 1.0);
}

fn voxel_at(position: vec4<f32>) -> vec3<i32> {
    let pixel = vec2<i32>(position.xy);
    return u.first.xyz + pixel.x * u.column.xyz + pixel.y * u.row.xyz;
}

fn measured(stored: f32) -> f32 {
    return clamp(stored * u.scaling.x + u.scaling.y, -LARGEST, LARGEST);
}

@fragment
fn fs_integers(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    return vec4<f32>(measured(f32(textureLoad(integers, voxel_at(position), 0).r)), 0.0, 0.0, 1.0);
}

@fragment
fn fs_values(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    let stored = textureLoad(values, voxel_at(position), 0).r;
    return vec4<f32>(select(measured(stored), stored, stored < MISSING_BELOW), 0.0, 0.0, 1.0);
}

@fragment
fn fs_labels(@builtin(position) position: vec4<f32>) -> @location(0) vec4<u32> {
    return vec4<u32>(textureLoad(labels, voxel_at(position), 0).r, 0u, 0u, 1u);
}
