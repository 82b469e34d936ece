//! Every shader is valid WGSL for any device, and the uniform block has the layout of its Rust mirror.
#![cfg(feature = "gui")]
#![allow(clippy::unwrap_used)]

use std::mem::offset_of;
use std::path::PathBuf;

use mindgap::render::SliceUniforms;
use mindgap::render::pipeline::SLICE_WGSL;
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

#[test]
fn the_uniforms_lie_where_the_shader_reads_them() {
    let module = naga::front::wgsl::parse_str(SLICE_WGSL).unwrap();
    let (_, ty) = module
        .types
        .iter()
        .find(|(_, ty)| ty.name.as_deref() == Some("SliceUniforms"))
        .expect("the uniform struct");
    let naga::TypeInner::Struct { members, span } = &ty.inner else { panic!("SliceUniforms is no struct") };
    let in_shader: Vec<(&str, usize)> =
        members.iter().map(|member| (member.name.as_deref().unwrap(), member.offset as usize)).collect();
    macro_rules! offsets {
        ($($field:ident),* $(,)?) => { vec![$((stringify!($field), offset_of!(SliceUniforms, $field))),*] };
    }
    let in_rust = offsets![
        image_from_uv_scale,
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
    assert_eq!(in_shader, in_rust);
    assert_eq!(*span as usize, size_of::<SliceUniforms>());
}
