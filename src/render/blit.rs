//! Pictures that the processor computed for whole pixels of the screen, on their way there.
//!
//! Each pane has a slot with a texture of exactly its size, whose texels are copied one to one: no filter, no blending
//! unless something is to shine through. On an adapter that is a program, egui's own way, a filtered and blended image,
//! takes several times as long.

use super::pipeline::{COLOUR_FORMAT, entry_for, layout, pass, texture_binding};
use super::resources::{SliceResources, create_texture};
use egui_wgpu::wgpu;
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The shader source, for validation in tests.
pub const PICTURE_WGSL: &str = include_str!("../../shaders/picture.wgsl");

/// sRGB-encoded, opaque, row 0 at the top.
#[derive(Debug)]
pub struct ComputedPicture {
    size_px: [u32; 2],
    rgba: Vec<u8>,
    /// Unique in the process.
    revision: u64,
}

impl ComputedPicture {
    /// `None` unless there are four bytes for each of at least one pixel.
    pub fn new(size_px: [u32; 2], rgba: Vec<u8>) -> Option<Self> {
        static LAST_REVISION: AtomicU64 = AtomicU64::new(0);
        let pixels = size_px[0] as usize * size_px[1] as usize;
        let revision = LAST_REVISION.fetch_add(1, Ordering::Relaxed) + 1;
        (pixels > 0 && rgba.len() == 4 * pixels).then_some(Self { size_px, rgba, revision })
    }
}

/// Four integers, of which the shader reads two.
const UNIFORM_BYTES: u64 = 16;

/// One picture in one pane, this frame.
#[derive(Debug, Clone)]
pub(super) struct BlitCallback {
    /// Whose GPU slot to use; within a frame always with the same picture and place.
    pub slot: u64,
    /// First pixel of the screen.
    pub origin_px: [i32; 2],
    pub picture: Arc<ComputedPicture>,
    /// 0..=1, over what was drawn there before.
    pub opacity: f32,
}

/// Pipelines and the slots of all panes of one window.
pub(super) struct PictureResources {
    layout: wgpu::BindGroupLayout,
    opaque: wgpu::RenderPipeline,
    blended: wgpu::RenderPipeline,
    slots: HashMap<u64, Slot>,
}

struct Slot {
    texture: wgpu::Texture,
    revision: u64,
    uniforms: wgpu::Buffer,
    origin_px: [i32; 2],
    group: wgpu::BindGroup,
}

impl egui_wgpu::CallbackTrait for BlitCallback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _screen: &egui_wgpu::ScreenDescriptor,
        _encoder: &mut wgpu::CommandEncoder,
        callback_resources: &mut egui_wgpu::CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(resources) = SliceResources::of_window(callback_resources) {
            resources.pictures.update(device, queue, self);
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        render_pass: &mut wgpu::RenderPass<'static>,
        callback_resources: &egui_wgpu::CallbackResources,
    ) {
        if let Some(resources) = callback_resources.get::<SliceResources>() {
            resources.pictures.draw(self.slot, self.opacity, render_pass);
        }
    }
}

impl PictureResources {
    /// For a render pass with one colour target of `format`, one sample a pixel and no depth buffer.
    pub fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let uniforms = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: NonZeroU64::new(UNIFORM_BYTES),
        };
        let texels = texture_binding(
            wgpu::TextureSampleType::Float { filterable: false },
            wgpu::TextureViewDimension::D2,
        );
        let layout = layout(device, "computed picture", &[(0, uniforms), (1, texels)]);
        let through = wgpu::BlendComponent {
            src_factor: wgpu::BlendFactor::Constant,
            dst_factor: wgpu::BlendFactor::OneMinusConstant,
            operation: wgpu::BlendOperation::Add,
        };
        let blended = Some(wgpu::BlendState { color: through, alpha: through });
        let [opaque, blended] = [None, blended]
            .map(|blend| pass(device, format, PICTURE_WGSL, entry_for(format), &[Some(&layout)], blend));
        Self { layout, opaque, blended, slots: HashMap::new() }
    }

    fn update(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, of: &BlitCallback) {
        let [width, height] = of.picture.size_px;
        let most = device.limits().max_texture_dimension_2d;
        if width > most || height > most {
            tracing::error!("a pane of {width} x {height} pixels exceeds what the device can show ({most})");
            return;
        }
        let fits = |slot: &Slot| [slot.texture.width(), slot.texture.height()] == [width, height];
        if !self.slots.get(&of.slot).is_some_and(fits) {
            self.slots.insert(of.slot, Slot::new(device, &self.layout, [width, height]));
        }
        let Some(slot) = self.slots.get_mut(&of.slot) else { return };
        if slot.revision != of.picture.revision {
            let rows = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(4 * width),
                rows_per_image: None,
            };
            queue.write_texture(slot.texture.as_image_copy(), &of.picture.rgba, rows, slot.texture.size());
            slot.revision = of.picture.revision;
        }
        if slot.origin_px != of.origin_px {
            let [x, y] = of.origin_px;
            queue.write_buffer(&slot.uniforms, 0, bytemuck::bytes_of(&[x, y, 0, 0]));
            slot.origin_px = of.origin_px;
        }
    }

    fn draw(&self, slot: u64, opacity: f32, pass: &mut wgpu::RenderPass<'static>) {
        let Some(slot) = self.slots.get(&slot) else { return };
        if opacity < 1.0 {
            let share = f64::from(opacity.max(0.0));
            pass.set_pipeline(&self.blended);
            pass.set_blend_constant(wgpu::Color { r: share, g: share, b: share, a: share });
        } else {
            pass.set_pipeline(&self.opaque);
        }
        pass.set_bind_group(0, &slot.group, &[]);
        pass.draw(0..3, 0..1);
    }
}

impl Slot {
    fn new(device: &wgpu::Device, layout: &wgpu::BindGroupLayout, size_px: [u32; 2]) -> Self {
        let texture = create_texture(device, COLOUR_FORMAT, size_px, wgpu::TextureUsages::COPY_DST);
        // New buffers hold zeros.
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("computed picture"),
            size: UNIFORM_BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("computed picture"),
            layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: uniforms.as_entire_binding() },
                wgpu::BindGroupEntry {
                    binding: 1,
                    resource: wgpu::BindingResource::TextureView(&texture.create_view(&Default::default())),
                },
            ],
        });
        Self { texture, revision: 0, uniforms, origin_px: [0; 2], group }
    }
}
