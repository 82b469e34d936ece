//! GPU memory of the slice pass: one slot a pane, its textures refreshed only when another plane is shown.
//!
//! Lives in egui's `CallbackResources`, which hands it to every [`super::SliceCallback`].

use std::collections::HashMap;

use super::blit::PictureResources;
use super::palette::{LabelPalette, PALETTE_COLUMNS};
use super::pipeline::{COLOUR_FORMAT, IMAGE_FORMAT, LABEL_FORMAT, SlicePipeline};
use super::slice::{Plane, SliceGrid, SliceLayers, stored_texel};
use super::uniforms::SliceUniforms;
use crate::colormap::{COLORMAP_NODES, node_table};

/// Pipelines, colour maps and the slots of all panes of one window.
pub struct SliceResources {
    pipeline: SlicePipeline,
    colormaps: wgpu::BindGroup,
    largest_texture: u32,
    panes: HashMap<u64, PaneSlot>,
    pub(super) pictures: PictureResources,
}

/// What one pane holds on the GPU.
struct PaneSlot {
    uniforms: wgpu::Buffer,
    /// What is in that buffer.
    shown: Option<SliceUniforms>,
    uniform_group: wgpu::BindGroup,
    image: LayerTexture,
    labels: LayerTexture,
    heat: LayerTexture,
    palette: LayerTexture,
    layer_group: wgpu::BindGroup,
}

/// A texture and the revision of what is in it; 0 is the single zero texel of an absent layer.
struct LayerTexture {
    texture: wgpu::Texture,
    revision: u64,
}

/// Something to be held by a [`LayerTexture`].
struct LayerContent {
    revision: u64,
    size: [u32; 2],
    bytes: Vec<u8>,
}

impl SliceResources {
    /// For a render pass with one colour target of `target_format`, one sample a pixel and no depth buffer, as eframe
    /// and [`super::HeadlessWindow`] set up unless told otherwise.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, target_format: wgpu::TextureFormat) -> Self {
        let pipeline = SlicePipeline::new(device, target_format);
        let mut table = LayerTexture::absent(device, COLOUR_FORMAT);
        let maps = node_table();
        let size = [COLORMAP_NODES as u32, (maps.len() / COLORMAP_NODES) as u32];
        table.show(device, queue, 1, || LayerContent {
            revision: 1,
            size,
            bytes: bytemuck::cast_slice(&maps).to_vec(),
        });
        let colormaps = group(device, &pipeline.colormap_layout, &[&table]);
        let largest_texture = device.limits().max_texture_dimension_2d;
        let pictures = PictureResources::new(device, target_format);
        Self { pipeline, colormaps, largest_texture, panes: HashMap::new(), pictures }
    }

    /// Makes the resources for a window's renderer and leaves them there for the callbacks. Once a window, at start.
    pub fn register(state: &egui_wgpu::RenderState) {
        let resources = Self::new(&state.device, &state.queue, state.target_format);
        state.renderer.write().callback_resources.insert(resources);
    }

    /// Slice pixels a texel stands for along each axis: 1 unless the slice exceeds the device's largest texture, in
    /// which case every `stride`-th pixel is shown.
    pub(super) fn stride(&self, grid: &SliceGrid) -> u32 {
        grid.width().max(grid.height()).div_ceil(self.largest_texture)
    }

    /// Brings the slot of `pane` up to date; uploads only what has another revision than last time.
    pub(super) fn update(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        pane: u64,
        layers: &SliceLayers,
        palette: &LabelPalette,
        uniforms: &SliceUniforms,
    ) {
        let stride = self.stride(layers.grid());
        let pipeline = &self.pipeline;
        let slot = self.panes.entry(pane).or_insert_with(|| PaneSlot::new(device, pipeline));
        // Most frames change nothing in most panes, and each write costs the driver memory for a copy.
        if slot.shown != Some(*uniforms) {
            queue.write_buffer(&slot.uniforms, 0, bytemuck::bytes_of(uniforms));
            slot.shown = Some(*uniforms);
        }
        if slot.show(device, queue, layers, palette, stride) {
            slot.layer_group = slot.bind_layers(device, pipeline);
        }
    }

    /// Draws the slot of `pane` over the current viewport; nothing if it was never updated.
    pub(super) fn draw(&self, pane: u64, pass: &mut wgpu::RenderPass<'static>) {
        let Some(slot) = self.panes.get(&pane) else { return };
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.colormaps, &[]);
        pass.set_bind_group(1, &slot.uniform_group, &[]);
        pass.set_bind_group(2, &slot.layer_group, &[]);
        pass.draw(0..3, 0..1);
    }
}

impl PaneSlot {
    fn new(device: &wgpu::Device, pipeline: &SlicePipeline) -> Self {
        let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("slice uniforms"),
            size: size_of::<SliceUniforms>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let uniform_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("slice uniforms"),
            layout: &pipeline.uniform_layout,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: uniforms.as_entire_binding() }],
        });
        let image = LayerTexture::absent(device, IMAGE_FORMAT);
        let labels = LayerTexture::absent(device, LABEL_FORMAT);
        let heat = LayerTexture::absent(device, IMAGE_FORMAT);
        let palette = LayerTexture::absent(device, COLOUR_FORMAT);
        let layer_group = group(device, &pipeline.layer_layout, &[&image, &labels, &heat, &palette]);
        Self { uniforms, shown: None, uniform_group, image, labels, heat, palette, layer_group }
    }

    /// True if a texture was replaced, so that the bind group must be too.
    fn show(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        layers: &SliceLayers,
        palette: &LabelPalette,
        stride: u32,
    ) -> bool {
        let image = layers.image();
        let mut replaced = self.image.show(device, queue, image.revision(), || values(image, stride));
        if let Some(heat) = layers.heat() {
            replaced |= self.heat.show(device, queue, heat.revision(), || values(heat, stride));
        }
        if let Some(labels) = layers.labels() {
            replaced |= self.labels.show(device, queue, labels.revision(), || label_values(labels, stride));
        }
        replaced |= self.palette.show(device, queue, palette.revision(), || colours(palette));
        replaced
    }

    fn bind_layers(&self, device: &wgpu::Device, pipeline: &SlicePipeline) -> wgpu::BindGroup {
        let layers = [&self.image, &self.labels, &self.heat, &self.palette];
        group(device, &pipeline.layer_layout, &layers)
    }
}

impl LayerTexture {
    fn absent(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        Self { texture: create_texture(device, format, [1, 1]), revision: 0 }
    }

    /// Uploads `content` unless `revision` is already shown; true if its size needed another texture.
    fn show(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        revision: u64,
        content: impl FnOnce() -> LayerContent,
    ) -> bool {
        if self.revision == revision {
            return false;
        }
        let LayerContent { revision, size, bytes } = content();
        let replace = [self.texture.width(), self.texture.height()] != size;
        if replace {
            self.texture = create_texture(device, self.texture.format(), size);
        }
        queue.write_texture(
            self.texture.as_image_copy(),
            &bytes,
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some((bytes.len() / size[1] as usize) as u32),
                rows_per_image: None,
            },
            self.texture.size(),
        );
        self.revision = revision;
        replace
    }
}

pub(super) fn create_texture(
    device: &wgpu::Device,
    format: wgpu::TextureFormat,
    [width, height]: [u32; 2],
) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("slice layer"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

fn group(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    textures: &[&LayerTexture],
) -> wgpu::BindGroup {
    let views: Vec<_> = textures.iter().map(|layer| layer.texture.create_view(&Default::default())).collect();
    let entries: Vec<_> = (0..)
        .zip(&views)
        .map(|(binding, view)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::TextureView(view),
        })
        .collect();
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("slice layers"),
        layout,
        entries: &entries,
    })
}

fn values(plane: &Plane<f32>, stride: u32) -> LayerContent {
    let (size, texels) = thinned(plane, stride, stored_texel);
    LayerContent { revision: plane.revision(), size, bytes: bytemuck::cast_slice(&texels).to_vec() }
}

fn label_values(plane: &Plane<u16>, stride: u32) -> LayerContent {
    let (size, texels) = thinned(plane, stride, |label| label);
    LayerContent { revision: plane.revision(), size, bytes: bytemuck::cast_slice(&texels).to_vec() }
}

fn colours(palette: &LabelPalette) -> LayerContent {
    let rows = palette.rows();
    LayerContent {
        revision: palette.revision(),
        size: [PALETTE_COLUMNS, rows.len() as u32 / PALETTE_COLUMNS],
        bytes: bytemuck::cast_slice(rows).to_vec(),
    }
}

/// Every `stride`-th pixel of every `stride`-th row.
fn thinned<T: Copy>(plane: &Plane<T>, stride: u32, texel: impl Fn(T) -> T) -> ([u32; 2], Vec<T>) {
    let size = [plane.grid().width().div_ceil(stride), plane.grid().height().div_ceil(stride)];
    let rows = plane.values().chunks_exact(plane.grid().width() as usize).step_by(stride as usize);
    let texels =
        rows.flat_map(|row| row.iter().step_by(stride as usize)).map(|&value| texel(value)).collect();
    (size, texels)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_beyond_the_largest_texture_is_thinned_evenly() {
        let grid = SliceGrid::new(5, 3, [1.0, 1.0]).unwrap();
        let plane = Plane::new(grid, (0..15).collect::<Vec<u16>>()).unwrap();
        assert_eq!(thinned(&plane, 2, |v| v), ([3, 2], vec![0, 2, 4, 10, 12, 14]));
        assert_eq!(thinned(&plane, 1, |v| v).1.len(), 15);
    }
}
