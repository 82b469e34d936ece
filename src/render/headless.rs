//! A window without a display: runs an egui interface and reads back what a real window would show.
//!
//! Draws through the same renderer and the same slice pass as the real window, at one fixed size. Time advances by 1/60 s
//! a frame whatever the clock says, so that a picture depends on the frames run and on nothing else.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use egui_wgpu::wgpu;

use super::adapter::{DeviceHealth, describe_adapter, draws_on_processor, watch_device};
use super::error::RenderError;
use super::resources::SliceResources;

/// A software device may take seconds for a large picture; a hung driver must not take the program with it.
const GPU_PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two frames while something outside the interface is awaited.
const IDLE: Duration = Duration::from_millis(10);
const FRAME_SECONDS: f64 = 1.0 / 60.0;

/// A picture: RGBA8, row 0 at the top, opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    pub width: u32,
    pub height: u32,
    /// `width * height * 4` bytes.
    pub rgba: Vec<u8>,
}

/// An egui context, a device to draw it with, and what the last frame asked to be drawn.
pub struct HeadlessWindow {
    context: egui::Context,
    state: egui_wgpu::RenderState,
    health: DeviceHealth,
    size_points: egui::Vec2,
    screen: egui_wgpu::ScreenDescriptor,
    frames: u64,
    shapes: Vec<egui::epaint::ClippedShape>,
    to_free: Vec<egui::TextureId>,
}

impl HeadlessWindow {
    /// A window of `size_points`, each point `pixels_per_point` pixels wide, with [`SliceResources`] registered.
    ///
    /// # Errors
    /// [`RenderError::NoAdapter`] and [`RenderError::NoDevice`] where nothing can draw, [`RenderError::Size`] where the
    /// device cannot draw that many pixels.
    pub fn new(size_points: [f32; 2], pixels_per_point: f32) -> Result<Self, RenderError> {
        let size_in_pixels = size_points.map(|points| (points * pixels_per_point).round() as u32);
        let [width, height] = size_in_pixels;
        let state = render_state(size_in_pixels)?;
        let health = watch_device(&state.device);
        let max = state.device.limits().max_texture_dimension_2d;
        if !(1..=max).contains(&width)
            || !(1..=max).contains(&height)
            || !(0.1..=10.0).contains(&pixels_per_point)
        {
            return Err(RenderError::Size { width, height, max });
        }
        SliceResources::register(&state);
        let screen = egui_wgpu::ScreenDescriptor { size_in_pixels, pixels_per_point };
        Ok(Self {
            context: egui::Context::default(),
            state,
            health,
            size_points: size_points.into(),
            screen,
            frames: 0,
            shapes: Vec::new(),
            to_free: Vec::new(),
        })
    }

    /// The context, for fonts, style and memory.
    pub fn context(&self) -> &egui::Context {
        &self.context
    }

    /// The device and renderer, as eframe gives them to a real window.
    pub fn render_state(&self) -> &egui_wgpu::RenderState {
        &self.state
    }

    /// Who draws: see [`describe_adapter`].
    pub fn adapter(&self) -> String {
        describe_adapter(&self.state.adapter.get_info())
    }

    /// Whether pictures are better computed by [`super::software`]: see [`draws_on_processor`].
    pub fn draws_on_processor(&self) -> bool {
        draws_on_processor(&self.state.adapter.get_info())
    }

    /// Runs one frame of the interface with `events` as its input. egui may call `ui` twice when a layout settles.
    pub fn frame(&mut self, events: Vec<egui::Event>, ui: impl FnMut(&mut egui::Ui)) {
        let input = self.input(events);
        let mut output = self.context.run_ui(input, ui);
        let mut renderer = self.state.renderer.write();
        // Textures freed by a frame may still be drawn by it, so they go when the next frame replaces its shapes.
        for id in self.to_free.drain(..) {
            renderer.free_texture(&id);
        }
        for (id, deltas) in output.textures_delta.set.drain() {
            for delta in deltas {
                renderer.update_texture(&self.state.device, &self.state.queue, id, &delta);
            }
        }
        self.to_free.extend(output.textures_delta.free.drain());
        self.shapes = output.shapes;
    }

    /// Runs frames until `done`, pausing between them, and once more so that the picture shows the final state. `ui`
    /// draws `app`, `done` looks at it.
    ///
    /// # Errors
    /// [`RenderError::Timeout`] after `patience`.
    pub fn run_until<A>(
        &mut self,
        app: &mut A,
        mut ui: impl FnMut(&mut A, &mut egui::Ui),
        mut done: impl FnMut(&A) -> bool,
        patience: Duration,
    ) -> Result<(), RenderError> {
        let start = Instant::now();
        loop {
            self.frame(Vec::new(), |root| ui(app, root));
            if done(app) {
                self.frame(Vec::new(), |root| ui(app, root));
                return Ok(());
            }
            if start.elapsed() > patience {
                return Err(RenderError::Timeout { seconds: patience.as_secs_f64() });
            }
            std::thread::sleep(IDLE);
        }
    }

    /// Draws the last frame and reads the picture back.
    ///
    /// # Errors
    /// [`RenderError::Device`] if the device failed now or at any time before.
    pub fn pixels(&mut self) -> Result<Pixels, RenderError> {
        let egui_wgpu::RenderState { device, queue, renderer, target_format, .. } = &self.state;
        let primitives = self.context.tessellate(self.shapes.clone(), self.screen.pixels_per_point);
        let ground = ground(&self.context.global_style().visuals, *target_format);
        let target =
            draw(device, queue, &mut renderer.write(), *target_format, ground, &primitives, &self.screen);
        let pixels = read_rgba8(device, queue, &target);
        match self.health.failure() {
            Some(detail) => Err(RenderError::Device { detail }),
            None => pixels,
        }
    }

    /// Draws the last frame and waits until the device has done so, reading nothing back: what a frame costs.
    ///
    /// # Errors
    /// [`RenderError::Device`] if the device failed now or at any time before.
    pub fn present(&mut self) -> Result<(), RenderError> {
        let egui_wgpu::RenderState { device, queue, renderer, target_format, .. } = &self.state;
        let primitives = self.context.tessellate(self.shapes.clone(), self.screen.pixels_per_point);
        let ground = ground(&self.context.global_style().visuals, *target_format);
        draw(device, queue, &mut renderer.write(), *target_format, ground, &primitives, &self.screen);
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(GPU_PATIENCE) };
        device.poll(wait).map_err(device_error)?;
        match self.health.failure() {
            Some(detail) => Err(RenderError::Device { detail }),
            None => Ok(()),
        }
    }

    fn input(&mut self, events: Vec<egui::Event>) -> egui::RawInput {
        let mut input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, self.size_points)),
            max_texture_side: Some(self.state.device.limits().max_texture_dimension_2d as usize),
            time: Some(self.frames as f64 * FRAME_SECONDS),
            events,
            ..egui::RawInput::default()
        };
        if let Some(viewport) = input.viewports.get_mut(&egui::ViewportId::ROOT) {
            viewport.native_pixels_per_point = Some(self.screen.pixels_per_point);
        }
        self.frames += 1;
        input
    }
}

/// What a window is cleared with before its panels, which have no ground of their own, are drawn: their colour, as a target of
/// that format takes it.
pub fn ground(visuals: &egui::Visuals, format: wgpu::TextureFormat) -> wgpu::Color {
    let [r, g, b, a] = match format.is_srgb() {
        true => egui::Rgba::from(visuals.panel_fill).to_array(),
        false => visuals.panel_fill.to_normalized_gamma_f32(),
    };
    wgpu::Color { r: f64::from(r), g: f64::from(g), b: f64::from(b), a: f64::from(a) }
}

/// Draws `primitives` with `renderer` onto a new texture of the `format` the renderer was made for.
fn draw(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    renderer: &mut egui_wgpu::Renderer,
    format: wgpu::TextureFormat,
    ground: wgpu::Color,
    primitives: &[egui::ClippedPrimitive],
    screen: &egui_wgpu::ScreenDescriptor,
) -> wgpu::Texture {
    let target = target_texture(device, format, screen.size_in_pixels);
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let prepared = renderer.update_buffers(device, queue, &mut encoder, primitives, screen);
    {
        let view = target.create_view(&wgpu::TextureViewDescriptor::default());
        let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("headless window"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load: wgpu::LoadOp::Clear(ground), store: wgpu::StoreOp::Store },
            })],
            ..wgpu::RenderPassDescriptor::default()
        });
        renderer.render(&mut pass.forget_lifetime(), primitives, screen);
    }
    queue.submit(prepared.into_iter().chain([encoder.finish()]));
    target
}

/// Instance, adapter, device and renderer with no display; draws to Rgba8Unorm. The device is asked for pictures as large
/// as `size_px` where the usual ones are smaller, as far as its adapter goes.
fn render_state(size_px: [u32; 2]) -> Result<egui_wgpu::RenderState, RenderError> {
    let mut setup = egui_wgpu::WgpuSetupCreateNew::without_display_handle();
    let usual = setup.device_descriptor.clone();
    setup.device_descriptor = Arc::new(move |adapter| {
        let (mut descriptor, most) = (usual(adapter), adapter.limits());
        let limits = &mut descriptor.required_limits;
        let side = size_px[0].max(size_px[1]).min(most.max_texture_dimension_2d);
        limits.max_texture_dimension_2d = limits.max_texture_dimension_2d.max(side);
        // It is read back through one buffer, whose rows are padded.
        let bytes = (u64::from(size_px[0]) * 4 + 256) * u64::from(size_px[1]);
        limits.max_buffer_size = limits.max_buffer_size.max(bytes.min(most.max_buffer_size));
        descriptor
    });
    let wgpu_setup = egui_wgpu::WgpuSetup::CreateNew(setup);
    let instance = pollster::block_on(wgpu_setup.new_instance());
    let configuration = egui_wgpu::WgpuConfiguration { wgpu_setup, ..Default::default() };
    // Dithering is noise in a picture that is kept and compared.
    let options = egui_wgpu::RendererOptions { dithering: false, ..Default::default() };
    pollster::block_on(egui_wgpu::RenderState::create(&configuration, &instance, None, options)).map_err(
        |error| {
            let detail = error.to_string();
            match error {
                egui_wgpu::WgpuError::RequestDeviceError(_) => RenderError::NoDevice { detail },
                _ => RenderError::NoAdapter { detail },
            }
        },
    )
}

fn target_texture(
    device: &wgpu::Device,
    format: wgpu::TextureFormat,
    [width, height]: [u32; 2],
) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: Some("headless window"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

/// Reads a texture of four bytes a pixel in RGBA order back from the device; waits for all work submitted before.
fn read_rgba8(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    texture: &wgpu::Texture,
) -> Result<Pixels, RenderError> {
    let (width, height) = (texture.width(), texture.height());
    let row_bytes = width as usize * 4;
    let padded_row_bytes = row_bytes.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as usize);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("read back"),
        size: (padded_row_bytes * height as usize) as u64,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(padded_row_bytes as u32),
                rows_per_image: None,
            },
        },
        texture.size(),
    );
    queue.submit([encoder.finish()]);
    wait_until_mapped(device, &buffer)?;
    let mapped = buffer.get_mapped_range(..).map_err(device_error)?;
    let rgba =
        mapped.chunks_exact(padded_row_bytes).flat_map(|row| row[..row_bytes].iter().copied()).collect();
    Ok(Pixels { width, height, rgba })
}

fn wait_until_mapped(device: &wgpu::Device, buffer: &wgpu::Buffer) -> Result<(), RenderError> {
    let (sender, receiver) = mpsc::channel();
    buffer.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver lives until the end of this function; if it is gone, nobody waits for the answer.
        let _ = sender.send(result);
    });
    let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(GPU_PATIENCE) };
    device.poll(wait).map_err(device_error)?;
    receiver.try_recv().map_err(device_error)?.map_err(device_error)
}

fn device_error(error: impl std::fmt::Display) -> RenderError {
    RenderError::Device { detail: error.to_string() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use crate::render::{
        Interpolation, LabelPalette, PaneTransform, Plane, SliceCallback, SliceGrid, SliceLayers, SliceStyle,
    };

    /// A window of this size, or `None` and a loud word where nothing can draw.
    pub fn window_of(size_points: [f32; 2], pixels_per_point: f32) -> Option<HeadlessWindow> {
        match HeadlessWindow::new(size_points, pixels_per_point) {
            Err(error @ RenderError::NoAdapter { .. }) => {
                // Past the test harness, which keeps what a passing test prints to itself.
                let _ = std::io::Write::write_all(
                    &mut std::io::stderr(),
                    format!("SKIPPED: {error}\n").as_bytes(),
                );
                None
            }
            window => Some(window.unwrap()),
        }
    }

    fn window() -> Option<HeadlessWindow> {
        window_of([64.0, 32.0], 2.0)
    }

    #[test]
    fn a_click_reaches_the_interface_and_the_picture_has_the_size_asked_for() {
        let Some(mut window) = window() else { return };
        let mut clicked = false;
        let pos = egui::pos2(10.0, 10.0);
        let press = |pressed| egui::Event::PointerButton {
            pos,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: egui::Modifiers::NONE,
        };
        for events in [vec![egui::Event::PointerMoved(pos)], vec![press(true)], vec![press(false)]] {
            window.frame(events, |ui| {
                clicked |= ui.add_sized([60.0, 30.0], egui::Button::new("Run")).clicked()
            });
        }
        assert!(clicked);
        let pixels = window.pixels().unwrap();
        assert_eq!((pixels.width, pixels.height, pixels.rgba.len()), (128, 64, 128 * 64 * 4));
        assert!(pixels.rgba.chunks_exact(4).any(|pixel| pixel[0] > 60), "nothing was drawn");
    }

    #[test]
    fn waiting_for_the_engine_ends_when_it_is_done_or_patience_is() {
        let Some(mut window) = window() else { return };
        let mut frames = 0;
        let count = |frames: &mut u32, _: &mut egui::Ui| *frames += 1;
        window.run_until(&mut frames, count, |frames| *frames >= 3, Duration::from_secs(60)).unwrap();
        assert!(frames >= 4, "one frame more is drawn after the end");
        let error = window.run_until(&mut frames, count, |_| false, Duration::ZERO).unwrap_err();
        assert!(matches!(error, RenderError::Timeout { .. }));
    }

    #[test]
    fn a_picture_of_no_pixels_is_refused() {
        if window().is_some() {
            assert!(matches!(HeadlessWindow::new([0.0, 10.0], 1.0), Err(RenderError::Size { .. })));
            assert!(matches!(HeadlessWindow::new([1e6, 10.0], 1.0), Err(RenderError::Size { .. })));
        }
    }

    #[test]
    fn a_target_that_encodes_srgb_itself_shows_the_same_greys() {
        let Some(window) = window() else { return };
        let egui_wgpu::RenderState { adapter, device, queue, .. } = &window.state;
        let format = wgpu::TextureFormat::Rgba8UnormSrgb;
        let mut renderer = egui_wgpu::Renderer::new(device, format, egui_wgpu::RendererOptions::default());
        renderer.callback_resources.insert(SliceResources::new(adapter, device, queue, format));
        let grid = SliceGrid::new(256, 1, [1.0, 256.0]).unwrap();
        let image = Plane::new(grid, (0_u8..=255).map(f32::from).collect()).unwrap();
        let rect = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(256.0, 256.0));
        let callback = SliceCallback {
            pane: 0,
            rect,
            layers: SliceLayers::new(Arc::new(image)),
            palette: Arc::new(LabelPalette::new([])),
            style: SliceStyle {
                window_level: 127.5,
                window_width: 255.0,
                interpolation: Interpolation::Nearest,
                ..SliceStyle::default()
            },
            transform: PaneTransform::fit(&grid, [256.0, 256.0], 1.0, [0.0, 0.0]),
        };
        let egui::Shape::Callback(callback) = callback.into_shape() else { panic!("not a callback") };
        let primitive = egui::ClippedPrimitive {
            clip_rect: rect,
            primitive: egui::epaint::Primitive::Callback(callback),
        };
        let screen = egui_wgpu::ScreenDescriptor { size_in_pixels: [256, 256], pixels_per_point: 1.0 };
        let target = draw(device, queue, &mut renderer, format, wgpu::Color::BLACK, &[primitive], &screen);
        let pixels = read_rgba8(device, queue, &target).unwrap();
        for (grey, pixel) in (0_u8..=255).zip(pixels.rgba.chunks_exact(4)) {
            assert!(pixel[0].abs_diff(grey) <= 1, "{pixel:?} for {grey}");
        }
    }
}
