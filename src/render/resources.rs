//! GPU memory of the slice pass: one slot a pane, its textures refreshed only when another plane is shown.
//!
//! Lives in egui's `CallbackResources`, which hands it to every [`super::SliceCallback`].

use std::collections::HashMap;

use super::blit::PictureResources;
use super::palette::{LabelPalette, PALETTE_COLUMNS};
use super::pipeline::{COLOUR_FORMAT, IMAGE_FORMAT, LABEL_FORMAT, SlicePipeline};
use super::slice::{Plane, SliceGrid, SliceLayers, stored_texel};
use super::uniforms::SliceUniforms;
use super::volumes::DeviceVolumes;
use crate::colormap::{COLORMAP_NODES, node_table};

/// Pipelines, colour maps and the slots of all panes of one window.
pub struct SliceResources {
    pipeline: SlicePipeline,
    colormaps: wgpu::BindGroup,
    largest_texture: u32,
    panes: HashMap<u64, PaneSlot>,
    pub(super) pictures: PictureResources,
    /// Where slices can be cut by the device.
    volumes: Option<DeviceVolumes>,
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

/// Where a frame's work for the device goes.
pub(super) struct Gpu<'a> {
    pub device: &'a wgpu::Device,
    pub queue: &'a wgpu::Queue,
    pub encoder: &'a mut wgpu::CommandEncoder,
}

/// What it takes to fill the textures of a pane.
struct Filler<'a> {
    gpu: Gpu<'a>,
    volumes: Option<&'a mut DeviceVolumes>,
    /// Slice pixels a texel stands for.
    stride: u32,
}

/// How textures are filled that are sent.
const SENT: wgpu::TextureUsages = wgpu::TextureUsages::COPY_DST;

/// Something to be held by a [`LayerTexture`].
struct LayerContent {
    revision: u64,
    size: [u32; 2],
    bytes: Vec<u8>,
}

impl SliceResources {
    /// For a render pass with one colour target of `target_format`, one sample a pixel and no depth buffer, as eframe
    /// and [`super::HeadlessWindow`] set up unless told otherwise.
    pub fn new(
        adapter: &wgpu::Adapter,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        target_format: wgpu::TextureFormat,
    ) -> Self {
        let pipeline = SlicePipeline::new(device, target_format);
        let mut table = LayerTexture::absent(device, COLOUR_FORMAT, SENT);
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
        let volumes = DeviceVolumes::new(adapter, device);
        Self { pipeline, colormaps, largest_texture, panes: HashMap::new(), pictures, volumes }
    }

    /// Makes the resources for a window's renderer and leaves them there for the callbacks. Once a window, at start.
    pub fn register(state: &egui_wgpu::RenderState) {
        let resources = Self::new(&state.adapter, &state.device, &state.queue, state.target_format);
        state.renderer.write().callback_resources.insert(resources);
    }

    /// What was left for the callbacks of a window; said where it was not.
    pub(super) fn of_window(left: &mut egui_wgpu::CallbackResources) -> Option<&mut Self> {
        let resources = left.get_mut::<Self>();
        if resources.is_none() {
            tracing::error!("SliceResources::register was not called for this window");
        }
        resources
    }

    /// Slice pixels a texel stands for along each axis: 1 unless the slice exceeds the device's largest texture, in
    /// which case every `stride`-th pixel is shown.
    pub(super) fn stride(&self, grid: &SliceGrid) -> u32 {
        grid.width().max(grid.height()).div_ceil(self.largest_texture)
    }

    /// Brings the slot of `pane` up to date; cuts or uploads only what has another revision than last time.
    pub(super) fn update(
        &mut self,
        gpu: Gpu<'_>,
        pane: u64,
        layers: &SliceLayers,
        palette: &LabelPalette,
        uniforms: &SliceUniforms,
    ) {
        let stride = self.stride(layers.grid());
        let (device, queue, pipeline) = (gpu.device, gpu.queue, &self.pipeline);
        // Slices of textures are drawn into as well, where the device cuts them.
        let filled =
            if self.volumes.is_some() { SENT | wgpu::TextureUsages::RENDER_ATTACHMENT } else { SENT };
        let slot = self.panes.entry(pane).or_insert_with(|| PaneSlot::new(device, pipeline, filled));
        // Most frames change nothing in most panes, and each write costs the driver memory for a copy.
        if slot.shown != Some(*uniforms) {
            queue.write_buffer(&slot.uniforms, 0, bytemuck::bytes_of(uniforms));
            slot.shown = Some(*uniforms);
        }
        let mut filler = Filler { gpu, volumes: self.volumes.as_mut(), stride };
        if slot.show(&mut filler, layers, palette) {
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
    fn new(device: &wgpu::Device, pipeline: &SlicePipeline, filled: wgpu::TextureUsages) -> Self {
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
        let image = LayerTexture::absent(device, IMAGE_FORMAT, filled);
        let labels = LayerTexture::absent(device, LABEL_FORMAT, filled);
        let heat = LayerTexture::absent(device, IMAGE_FORMAT, filled);
        let palette = LayerTexture::absent(device, COLOUR_FORMAT, SENT);
        let layer_group = group(device, &pipeline.layer_layout, &[&image, &labels, &heat, &palette]);
        Self { uniforms, shown: None, uniform_group, image, labels, heat, palette, layer_group }
    }

    /// True if a texture was replaced, so that the bind group must be too.
    fn show(&mut self, filler: &mut Filler<'_>, layers: &SliceLayers, palette: &LabelPalette) -> bool {
        let mut replaced = filler.fill(&mut self.image, layers.image(), stored_texel);
        if let Some(heat) = layers.heat() {
            replaced |= filler.fill(&mut self.heat, heat, stored_texel);
        }
        if let Some(labels) = layers.labels() {
            replaced |= filler.fill(&mut self.labels, labels, |label| label);
        }
        let Gpu { device, queue, .. } = filler.gpu;
        replaced |= self.palette.show(device, queue, palette.revision(), || colours(palette));
        replaced
    }

    fn bind_layers(&self, device: &wgpu::Device, pipeline: &SlicePipeline) -> wgpu::BindGroup {
        let layers = [&self.image, &self.labels, &self.heat, &self.palette];
        group(device, &pipeline.layer_layout, &layers)
    }
}

impl Filler<'_> {
    /// Brings a texture up to date, cut by the device or sent to it; true if another texture took its place.
    fn fill<T: Copy + bytemuck::NoUninit>(
        &mut self,
        texture: &mut LayerTexture,
        plane: &Plane<T>,
        texel: impl Fn(T) -> T,
    ) -> bool {
        if texture.revision == plane.revision() {
            return false;
        }
        let Gpu { device, queue, encoder } = &mut self.gpu;
        let mut replaced = false;
        if let (Some(volumes), Some(slice), 1) = (self.volumes.as_mut(), plane.slice(), self.stride) {
            replaced = texture.resize(device, [plane.grid().width(), plane.grid().height()]);
            if volumes.cut(device, queue, encoder, slice, &texture.texture) {
                texture.revision = plane.revision();
                return replaced;
            }
        }
        texture.show(device, queue, plane.revision(), || content(plane, self.stride, texel)) || replaced
    }
}

impl LayerTexture {
    fn absent(device: &wgpu::Device, format: wgpu::TextureFormat, filled: wgpu::TextureUsages) -> Self {
        Self { texture: create_texture(device, format, [1, 1], filled), revision: 0 }
    }

    /// True if its size needed another texture.
    fn resize(&mut self, device: &wgpu::Device, size: [u32; 2]) -> bool {
        let replace = [self.texture.width(), self.texture.height()] != size;
        if replace {
            let filled = self.texture.usage() & !wgpu::TextureUsages::TEXTURE_BINDING;
            self.texture = create_texture(device, self.texture.format(), size, filled);
        }
        replace
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
        let replaced = self.resize(device, size);
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
        replaced
    }
}

pub(super) fn create_texture(
    device: &wgpu::Device,
    format: wgpu::TextureFormat,
    [width, height]: [u32; 2],
    filled: wgpu::TextureUsages,
) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("slice layer"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | filled,
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

fn content<T: Copy + bytemuck::NoUninit>(
    plane: &Plane<T>,
    stride: u32,
    texel: impl Fn(T) -> T,
) -> LayerContent {
    let (size, texels) = thinned(plane, stride, texel);
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
    use crate::render::headless::tests::window_of;
    use crate::render::volumes::can_cut;
    use crate::render::{
        HeadlessWindow, PaneTransform, SliceCallback, SliceStyle, Texels, VolumeSlice, VolumeTexels,
    };
    use std::ops::Range;
    use std::sync::Arc;

    /// Every voxel of a plane has the plane's number.
    #[derive(Debug)]
    struct Steps {
        dims: [usize; 3],
        voxels: Vec<i16>,
    }

    impl Steps {
        fn new(dims: [usize; 3]) -> Arc<Self> {
            let plane = dims[0] * dims[1];
            Arc::new(Self { dims, voxels: (0..plane * dims[2]).map(|n| (n / plane) as i16).collect() })
        }

        fn slice(self: &Arc<Self>, k: usize) -> Arc<Plane<f32>> {
            let [ni, nj, _] = self.dims;
            let grid = SliceGrid::new(ni as u32, nj as u32, [1.0, 1.0]).unwrap();
            Arc::new(Plane::of_volume(
                grid,
                VolumeSlice {
                    volume: self.clone(),
                    first: [0, 0, k as i32],
                    column: [1, 0, 0],
                    row: [0, 1, 0],
                    cut: Box::new(move || vec![k as f32; ni * nj]),
                },
            ))
        }
    }

    impl VolumeTexels for Steps {
        fn dims(&self) -> [usize; 3] {
            self.dims
        }

        fn planes(&self, planes: Range<usize>) -> Option<Texels<'_>> {
            let plane = self.dims[0] * self.dims[1];
            Some(Texels::Integers((&self.voxels[plane * planes.start..plane * planes.end]).into()))
        }
    }

    /// Draws a slice of a hundred grey levels and answers the one in the middle of the picture.
    fn level_shown(window: &mut HeadlessWindow, image: &Arc<Plane<f32>>) -> f32 {
        let rect = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(32.0, 32.0));
        let style = SliceStyle { window_level: 50.0, window_width: 100.0, ..SliceStyle::default() };
        let callback = SliceCallback {
            pane: 0,
            rect,
            layers: SliceLayers::new(image.clone()),
            palette: Arc::new(LabelPalette::new([])),
            style,
            transform: PaneTransform::fit(image.grid(), [32.0, 32.0], 1.0, [0.0, 0.0]),
        };
        window.frame(Vec::new(), |ui| {
            ui.painter().add(callback.clone().into_shape());
        });
        let picture = window.pixels().unwrap();
        f32::from(picture.rgba[4 * (16 * 32 + 16)]) / 2.55
    }

    #[test]
    fn a_large_volume_is_shown_while_it_is_sent_and_cut_by_the_device_from_then_on() {
        let Some(mut window) = window_of([32.0, 32.0], 1.0) else { return };
        // Five megabytes.
        let volume = Steps::new([256, 256, 40]);
        let mut cut_here = Vec::new();
        for k in [7, 39, 12, 30, 39] {
            let image = volume.slice(k);
            let level = level_shown(&mut window, &image);
            assert!((level - k as f32).abs() < 0.6, "slice {k} shows {level}");
            cut_here.push(image.is_cut());
        }
        let here_for_ever = !can_cut(&window.render_state().adapter);
        assert_eq!(cut_here, [true, true, here_for_ever, here_for_ever, here_for_ever]);
    }

    #[test]
    fn a_volume_beyond_the_devices_limits_is_shown_all_the_same() {
        let Some(mut window) = window_of([32.0, 32.0], 1.0) else { return };
        let most = window.render_state().device.limits().max_texture_dimension_3d as usize;
        let volume = Steps::new([1, 1, most + 1]);
        for k in [3, 90] {
            let image = volume.slice(k);
            let level = level_shown(&mut window, &image);
            assert!((level - k as f32).abs() < 0.6, "slice {k} shows {level}");
            assert!(image.is_cut());
        }
    }

    #[test]
    fn a_slice_beyond_the_largest_texture_is_thinned_evenly() {
        let grid = SliceGrid::new(5, 3, [1.0, 1.0]).unwrap();
        let plane = Plane::new(grid, (0..15).collect::<Vec<u16>>()).unwrap();
        assert_eq!(thinned(&plane, 2, |v| v), ([3, 2], vec![0, 2, 4, 10, 12, 14]));
        assert_eq!(thinned(&plane, 1, |v| v).1.len(), 15);
    }
}
