//! Every shader is valid WGSL for any device, and the uniform block has the layout of its Rust mirror.
#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

use std::mem::offset_of;
use std::path::PathBuf;

use mindgap::render::pipeline::SLICE_WGSL;
use mindgap::render::volumes::CUT_WGSL;
use mindgap::render::{CutUniforms, SliceUniforms};
use naga::valid::{Capabilities, ValidationFlags, Validator};

#[test]
fn every_shader_is_valid_without_optional_device_features() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut checked = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wgsl") {
            let source = std::fs::read_to_string(&path).unwrap();
            let module = naga::front::wgsl::parse_str(&source)
                .unwrap_or_else(|error| panic!("{}: {}", path.display(), error.emit_to_string(&source)));
            Validator::new(ValidationFlags::all(), Capabilities::empty())
                .validate(&module)
                .unwrap_or_else(|error| panic!("{}: {}", path.display(), error.emit_to_string(&source)));
            checked += 1;
        }
    }
    assert!(checked > 0, "no shader in {}", folder.display());
}

/// Names and offsets of a struct's members in a shader, and its size.
fn in_shader(wgsl: &str, name: &str) -> (Vec<(String, usize)>, usize) {
    let module = naga::front::wgsl::parse_str(wgsl).unwrap();
    let (_, ty) =
        module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some(name)).expect("the uniform struct");
    let naga::TypeInner::Struct { members, span } = &ty.inner else { panic!("{name} is no struct") };
    let offsets = members.iter().map(|member| (member.name.clone().unwrap(), member.offset as usize));
    (offsets.collect(), *span as usize)
}

macro_rules! in_rust {
    ($mirror:ty: $($field:ident),* $(,)?) => {
        (vec![$((stringify!($field).to_owned(), offset_of!($mirror, $field))),*], size_of::<$mirror>())
    };
}

#[test]
fn the_uniforms_lie_where_the_shaders_read_them() {
    let slice = in_rust![
        SliceUniforms: image_from_uv_scale,
        image_from_uv_offset,
        extent_px,
        image_px_per_screen_px,
        window_level,
        window_width,
        heat_opacity,
        heat_threshold,
        heat_low,
        heat_high,
        heat_ramp,
        label_fill_opacity,
        label_outline_opacity,
        label_outline_px,
        highlight_label,
        flags,
        image_colormap,
        heat_colormap,
        taps,
        opacity,
    ];
    assert_eq!(in_shader(SLICE_WGSL, "SliceUniforms"), slice);
    assert_eq!(in_shader(CUT_WGSL, "CutUniforms"), in_rust![CutUniforms: first, column, row, scaling]);
}
