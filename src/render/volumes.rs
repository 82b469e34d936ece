//! Volumes that the device holds as 3-D textures, so that a slice is cut there and only its number travels.
//!
//! A volume is sent a few planes at a time, with each slice of it that is newly shown, and is cut here as soon as it is
//! whole; until then, and for volumes beyond the device's limits or this module's share of its memory, slices are cut on the
//! processor and sent one by one. Both ways fill the same texture with the same values.

use super::pipeline::{IMAGE_FORMAT, LABEL_FORMAT, layout, pass, texture_binding};
use super::slice::{VolumeSlice, stored_texel};
use bytemuck::{Pod, Zeroable};
use std::borrow::Cow;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::{Arc, Weak};

/// The shader source, for validation in tests.
pub const CUT_WGSL: &str = include_str!("../../shaders/cut.wgsl");

/// All volumes of a window together take no more of the device's memory, of which nothing more is known.
const MOST_BYTES: u64 = 1 << 30;
/// Sent with each newly shown slice of a volume that is not whole yet: from five panes at once little enough for a frame.
const BYTES_A_LAYER: u64 = 2 << 20;

/// Voxels as a device can hold them.
#[derive(Debug)]
pub enum Texels<'a> {
    Integers(Cow<'a, [i16]>),
    Values(&'a [f32]),
    Labels(&'a [u16]),
}

/// A volume that a device may hold.
pub trait VolumeTexels: std::fmt::Debug + Send + Sync {
    /// Voxels along i, j, k.
    fn dims(&self) -> [usize; 3];
    /// Measured value = stored value x slope + intercept.
    fn scaling(&self) -> [f32; 2] {
        [1.0, 0.0]
    }
    /// The voxels of some planes of equal k, i fastest; `None` where they are of a type that no device holds.
    fn planes(&self, planes: Range<usize>) -> Option<Texels<'_>>;
}

/// Mirror of `CutUniforms` in `shaders/cut.wgsl`: same fields, same order, 64 bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
pub struct CutUniforms {
    pub first: [i32; 4],
    pub column: [i32; 4],
    pub row: [i32; 4],
    pub scaling: [f32; 4],
}

/// The volumes of one window.
pub(super) struct DeviceVolumes {
    pipelines: [CutPipeline; 3],
    uniform_layout: wgpu::BindGroupLayout,
    most_voxels_a_side: usize,
    kept: Vec<DeviceVolume>,
    /// The device has said that its memory is full.
    full: bool,
}

/// For one kind of texels.
struct CutPipeline {
    pipeline: wgpu::RenderPipeline,
    volume_layout: wgpu::BindGroupLayout,
}

struct DeviceVolume {
    /// Keeps the address from being used again, and not the voxels.
    of: Weak<dyn VolumeTexels>,
    kind: usize,
    group: wgpu::BindGroup,
    texture: wgpu::Texture,
    /// Planes of equal k that have been sent.
    sent: usize,
}

/// Whether an adapter's devices can draw into the textures that slices are cut into; not all of OpenGL's can.
pub fn can_cut(adapter: &wgpu::Adapter) -> bool {
    [IMAGE_FORMAT, LABEL_FORMAT].into_iter().all(|format| {
        let usages = adapter.get_texture_format_features(format).allowed_usages;
        usages.contains(wgpu::TextureUsages::RENDER_ATTACHMENT)
    })
}

impl DeviceVolumes {
    /// `None` where slices cannot be cut by the device.
    pub fn new(adapter: &wgpu::Adapter, device: &wgpu::Device) -> Option<Self> {
        if !can_cut(adapter) {
            return None;
        }
        let uniforms = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: NonZeroU64::new(size_of::<CutUniforms>() as u64),
        };
        let uniform_layout = layout(device, "cut", &[(0, uniforms)]);
        let pipelines = KINDS.map(|kind| {
            let volume = texture_binding(kind.sample_type, wgpu::TextureViewDimension::D3);
            let volume_layout = layout(device, "cut", &[(kind.binding, volume)]);
            let groups = [Some(&uniform_layout), Some(&volume_layout)];
            let pipeline = pass(device, kind.target, CUT_WGSL, kind.entry, &groups, None);
            CutPipeline { pipeline, volume_layout }
        });
        let most_voxels_a_side = device.limits().max_texture_dimension_3d as usize;
        Some(Self { pipelines, uniform_layout, most_voxels_a_side, kept: Vec::new(), full: false })
    }

    /// Cuts the slice into `target`, which has its size, if the device holds the whole volume; sends some more of it if not.
    pub fn cut<T>(
        &mut self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        encoder: &mut wgpu::CommandEncoder,
        slice: &VolumeSlice<T>,
        target: &wgpu::Texture,
    ) -> bool {
        let Some(index) = self.find_or_begin(device, &slice.volume) else { return false };
        let volume = &mut self.kept[index];
        if volume.sent < slice.volume.dims()[2] {
            volume.send(queue, slice.volume.as_ref());
        }
        if volume.sent < slice.volume.dims()[2] {
            return false;
        }
        let volume = &self.kept[index];
        let of = |[i, j, k]: [i32; 3]| [i, j, k, 0];
        let [slope, intercept] = slice.volume.scaling();
        let uniforms = CutUniforms {
            first: of(slice.first),
            column: of(slice.column),
            row: of(slice.row),
            scaling: [slope, intercept, 0.0, 0.0],
        };
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("cut"),
            size: size_of::<CutUniforms>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        queue.write_buffer(&buffer, 0, bytemuck::bytes_of(&uniforms));
        let uniform_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("cut"),
            layout: &self.uniform_layout,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
        });
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("cut"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::BLACK),
                    store: wgpu::StoreOp::Store,
                },
            })],
            ..wgpu::RenderPassDescriptor::default()
        });
        pass.set_pipeline(&self.pipelines[volume.kind].pipeline);
        pass.set_bind_group(0, &uniform_group, &[]);
        pass.set_bind_group(1, &volume.group, &[]);
        pass.draw(0..3, 0..1);
        true
    }

    /// Where the volume is kept; `None` if it is not and cannot be. Volumes that nobody shows any more make room first.
    fn find_or_begin(&mut self, device: &wgpu::Device, volume: &Arc<dyn VolumeTexels>) -> Option<usize> {
        let same = |kept: &DeviceVolume| std::ptr::addr_eq(kept.of.as_ptr(), Arc::as_ptr(volume));
        if let Some(index) = self.kept.iter().position(same) {
            return Some(index);
        }
        let before = self.kept.len();
        self.kept.retain(|kept| kept.of.strong_count() > 0);
        self.full &= self.kept.len() == before;
        let dims = volume.dims();
        let kind = kind_of(&volume.planes(0..1)?);
        let bytes = dims.iter().product::<usize>() as u64 * KINDS[kind].bytes;
        let taken: u64 = self.kept.iter().map(DeviceVolume::bytes).sum();
        if self.full
            || dims.iter().any(|side| *side == 0 || *side > self.most_voxels_a_side)
            || taken + bytes > MOST_BYTES
        {
            return None;
        }
        let scope = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let [width, height, depth_or_array_layers] = dims.map(|side| side as u32);
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("volume"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D3,
            format: KINDS[kind].volume,
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        if let Some(error) = pollster::block_on(scope.pop()) {
            tracing::info!(
                "the device has no room for a volume of {bytes} bytes ({error}); its slices are sent one by one"
            );
            self.full = true;
            return None;
        }
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("volume"),
            layout: &self.pipelines[kind].volume_layout,
            entries: &[wgpu::BindGroupEntry {
                binding: KINDS[kind].binding,
                resource: wgpu::BindingResource::TextureView(&view),
            }],
        });
        self.kept.push(DeviceVolume { of: Arc::downgrade(volume), kind, group, texture, sent: 0 });
        Some(self.kept.len() - 1)
    }
}

impl DeviceVolume {
    fn bytes(&self) -> u64 {
        let size = self.texture.size();
        u64::from(size.width)
            * u64::from(size.height)
            * u64::from(size.depth_or_array_layers)
            * KINDS[self.kind].bytes
    }

    /// The next planes of it.
    fn send(&mut self, queue: &wgpu::Queue, volume: &dyn VolumeTexels) {
        let [ni, nj, nk] = volume.dims();
        let row = ni as u64 * KINDS[self.kind].bytes;
        let planes = (BYTES_A_LAYER / (row * nj as u64)).clamp(1, (nk - self.sent) as u64) as usize;
        let range = self.sent..self.sent + planes;
        let bytes: Cow<'_, [u8]> = match volume.planes(range) {
            Some(Texels::Integers(Cow::Borrowed(texels))) => Cow::Borrowed(bytemuck::cast_slice(texels)),
            Some(Texels::Integers(Cow::Owned(texels))) => bytemuck::cast_slice(&texels).to_vec().into(),
            Some(Texels::Labels(texels)) => Cow::Borrowed(bytemuck::cast_slice(texels)),
            Some(Texels::Values(texels)) => {
                let texels: Vec<f32> = texels.iter().map(|value| stored_texel(*value)).collect();
                bytemuck::cast_slice(&texels).to_vec().into()
            }
            None => return,
        };
        queue.write_texture(
            wgpu::TexelCopyTextureInfo {
                texture: &self.texture,
                mip_level: 0,
                origin: wgpu::Origin3d { x: 0, y: 0, z: self.sent as u32 },
                aspect: wgpu::TextureAspect::All,
            },
            &bytes,
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(row as u32),
                rows_per_image: Some(nj as u32),
            },
            wgpu::Extent3d { width: ni as u32, height: nj as u32, depth_or_array_layers: planes as u32 },
        );
        self.sent += planes;
    }
}

/// What becomes of each kind of texels.
struct Kind {
    volume: wgpu::TextureFormat,
    bytes: u64,
    sample_type: wgpu::TextureSampleType,
    binding: u32,
    entry: &'static str,
    target: wgpu::TextureFormat,
}

const KINDS: [Kind; 3] = [
    Kind {
        volume: wgpu::TextureFormat::R16Sint,
        bytes: 2,
        sample_type: wgpu::TextureSampleType::Sint,
        binding: 0,
        entry: "fs_integers",
        target: IMAGE_FORMAT,
    },
    Kind {
        volume: wgpu::TextureFormat::R32Float,
        bytes: 4,
        sample_type: wgpu::TextureSampleType::Float { filterable: false },
        binding: 1,
        entry: "fs_values",
        target: IMAGE_FORMAT,
    },
    Kind {
        volume: wgpu::TextureFormat::R16Uint,
        bytes: 2,
        sample_type: wgpu::TextureSampleType::Uint,
        binding: 2,
        entry: "fs_labels",
        target: LABEL_FORMAT,
    },
];

fn kind_of(texels: &Texels<'_>) -> usize {
    match texels {
        Texels::Integers(_) => 0,
        Texels::Values(_) => 1,
        Texels::Labels(_) => 2,
    }
}
