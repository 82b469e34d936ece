//! The render pipeline of the slice pass and the layouts of its bind groups, one group per update frequency.

use std::num::NonZeroU64;

use super::uniforms::SliceUniforms;

/// The shader source, for validation in tests.
pub const SLICE_WGSL: &str = include_str!("../../shaders/slice.wgsl");

/// Texture formats of group 2, read by `textureLoad` alone, so that none needs filtering support.
pub(super) const IMAGE_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::R32Float;
pub(super) const LABEL_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::R16Uint;
pub(super) const COLOUR_FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// Pipeline and layouts, made once for a device and a target format.
pub(super) struct SlicePipeline {
    pub pipeline: wgpu::RenderPipeline,
    /// Group 0: the colour map table, never changed.
    pub colormap_layout: wgpu::BindGroupLayout,
    /// Group 1: the uniforms of a pane, written every frame.
    pub uniform_layout: wgpu::BindGroupLayout,
    /// Group 2: slice, labels, heat map, palette, replaced when one of them is.
    pub layer_layout: wgpu::BindGroupLayout,
}

impl SlicePipeline {
    /// For a render pass with one colour target of `format`, one sample a pixel and no depth buffer.
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: NonZeroU64::new(size_of::<SliceUniforms>() as u64),
        };
        let flat = wgpu::TextureViewDimension::D2;
        let values = texture_binding(wgpu::TextureSampleType::Float { filterable: false }, flat);
        let labels = texture_binding(wgpu::TextureSampleType::Uint, flat);
        let colormap_layout = layout(device, "slice colour maps", &[(0, values)]);
        let uniform_layout = layout(device, "slice uniforms", &[(0, uniform)]);
        let layers = [(0, values), (1, labels), (2, values), (3, values)];
        let layer_layout = layout(device, "slice layers", &layers);
        let groups = [Some(&colormap_layout), Some(&uniform_layout), Some(&layer_layout)];
        let over = Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING);
        let pipeline = pass(device, format, SLICE_WGSL, entry_for(format), &groups, over);
        Self { pipeline, colormap_layout, uniform_layout, layer_layout }
    }
}

pub(super) fn texture_binding(
    sample_type: wgpu::TextureSampleType,
    view_dimension: wgpu::TextureViewDimension,
) -> wgpu::BindingType {
    wgpu::BindingType::Texture { sample_type, view_dimension, multisampled: false }
}

/// By number of the binding.
pub(super) fn layout(
    device: &wgpu::Device,
    label: &str,
    bindings: &[(u32, wgpu::BindingType)],
) -> wgpu::BindGroupLayout {
    let entries: Vec<_> = bindings
        .iter()
        .map(|&(binding, ty)| wgpu::BindGroupLayoutEntry {
            binding,
            // The vertex stage hands on those uniforms that fragments branch on.
            visibility: match ty {
                wgpu::BindingType::Buffer { .. } => wgpu::ShaderStages::VERTEX_FRAGMENT,
                _ => wgpu::ShaderStages::FRAGMENT,
            },
            ty,
            count: None,
        })
        .collect();
    device
        .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries })
}

/// The fragment shader of a picture for a target that encodes what is written to it, or holds it as it is.
pub(super) fn entry_for(format: wgpu::TextureFormat) -> &'static str {
    if format.is_srgb() { "fs_linear" } else { "fs_gamma" }
}

/// A pass that draws without vertices: `vs_main` and the named fragment shader.
pub(super) fn pass(
    device: &wgpu::Device,
    format: wgpu::TextureFormat,
    wgsl: &str,
    entry: &str,
    groups: &[Option<&wgpu::BindGroupLayout>],
    blend: Option<wgpu::BlendState>,
) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("slice pass"),
        source: wgpu::ShaderSource::Wgsl(wgsl.into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("slice pass"),
        bind_group_layouts: groups,
        immediate_size: 0,
    });
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("slice pass"),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("vs_main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(wgpu::ColorTargetState { format, blend, write_mask: wgpu::ColorWrites::ALL })],
        }),
        primitive: wgpu::PrimitiveState::default(),
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        multiview_mask: None,
        cache: None,
    })
}
