// A picture that the processor has computed for whole pixels of the screen, copied there texel by texel: no filtering, which
// an adapter that is a program pays for at every pixel. Colours are sRGB-encoded and opaque.

// Where the picture's first texel lies in the target, in pixels; the rest is padding.
@group(0) @binding(0) var<uniform> origin_px: vec4<i32>;
@group(0) @binding(1) var picture: texture_2d<f32>;

// One triangle over the whole viewport.
@vertex
fn vs_main(@builtin(vertex_index) index: u32) -> @builtin(position) vec4<f32> {
    let corner = vec2<f32>(f32(index & 1u), f32(index >> 1u));
    return vec4<f32>(corner * 4.0 - 1.0, 0.0, 1.0);
}

fn texel_at(position: vec4<f32>) -> vec3<f32> {
    return textureLoad(picture, vec2<i32>(position.xy) - origin_px.xy, 0).rgb;
}

// For targets that hold sRGB-encoded values as they are.
@fragment
fn fs_gamma(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    return vec4<f32>(texel_at(position), 1.0);
}

fn linear_from_gamma(gamma: vec3<f32>) -> vec3<f32> {
    let low = gamma / 12.92;
    let high = pow((gamma + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, gamma <= vec3<f32>(0.04045));
}

// For targets that encode what is written.
@fragment
fn fs_linear(@builtin(position) position: vec4<f32>) -> @location(0) vec4<f32> {
    return vec4<f32>(linear_from_gamma(texel_at(position)), 1.0);
}
