//! What a pane adds to egui's shapes so that its slice is drawn there.

use std::sync::Arc;

use egui_wgpu::wgpu;

use super::blit::ComputedPicture;
use super::palette::LabelPalette;
use super::resources::{Gpu, SliceResources};
use super::slice::SliceLayers;
use super::software;
use super::transform::PaneTransform;
use super::uniforms::{PixelView, SliceStyle, SliceUniforms};

/// One slice in one pane, this frame.
#[derive(Debug, Clone)]
pub struct SliceCallback {
    /// Whose GPU slot to use: stable over frames, and used once a frame.
    pub pane: u64,
    /// The pane, in points.
    pub rect: egui::Rect,
    pub layers: SliceLayers,
    pub palette: Arc<LabelPalette>,
    pub style: SliceStyle,
    /// Made for the size of `rect`.
    pub transform: PaneTransform,
}

impl SliceCallback {
    /// The shape to add to the pane's painter: `ui.painter_at(rect).add(callback.into_shape())`. Needs
    /// [`SliceResources::register`] to have been called for the window.
    pub fn into_shape(self) -> egui::Shape {
        egui::Shape::Callback(egui_wgpu::Callback::new_paint_callback(self.rect, self))
    }

    /// The picture of the pane, computed on the processor, and the first of the whole pixels of the screen that it is for;
    /// none if it has none.
    pub(super) fn software_picture(&self, pixels_per_point: f32) -> Option<([i32; 2], ComputedPicture)> {
        let low = (self.rect.min.to_vec2() * pixels_per_point).round();
        let size = (self.rect.max.to_vec2() * pixels_per_point).round() - low;
        let size_px = [size.x.max(0.0) as u32, size.y.max(0.0) as u32];
        if size_px[0] == 0 || size_px[1] == 0 {
            return None;
        }
        let corner = [low.x as i32, low.y as i32];
        let view = PixelView::new(&self.transform, self.rect.min.into(), corner, size_px, pixels_per_point);
        let uniforms = SliceUniforms::new(&self.layers, &self.style, &view, 1);
        let rgba = software::render(&self.layers, &self.palette, &uniforms, size_px);
        Some((corner, ComputedPicture::new(size_px, rgba)?))
    }

    /// The part of the pane that is on the screen, in whole pixels as egui rounds it; none if there is no such pixel.
    fn pixel_view(&self, screen: &egui_wgpu::ScreenDescriptor) -> Option<PixelView> {
        let info = egui::PaintCallbackInfo {
            viewport: self.rect,
            clip_rect: self.rect,
            pixels_per_point: screen.pixels_per_point,
            screen_size_px: screen.size_in_pixels,
        };
        let viewport = info.viewport_in_pixels();
        let size_px = [u32::try_from(viewport.width_px).ok()?, u32::try_from(viewport.height_px).ok()?];
        (size_px[0] > 0 && size_px[1] > 0).then(|| {
            PixelView::new(
                &self.transform,
                self.rect.min.into(),
                [viewport.left_px, viewport.top_px],
                size_px,
                screen.pixels_per_point,
            )
        })
    }
}

impl egui_wgpu::CallbackTrait for SliceCallback {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &egui_wgpu::ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        callback_resources: &mut egui_wgpu::CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(resources) = SliceResources::of_window(callback_resources)
            && let Some(view) = self.pixel_view(screen)
        {
            let stride = resources.stride(self.layers.grid());
            let uniforms = SliceUniforms::new(&self.layers, &self.style, &view, stride);
            let gpu = Gpu { device, queue, encoder };
            resources.update(gpu, self.pane, &self.layers, &self.palette, &uniforms);
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
            resources.draw(self.pane, render_pass);
        }
    }
}
