//! The only bridge between volumes and tensors.
//!
//! A network volume of `w x h x n` voxels, i fastest, is the contiguous tensor (n, 1, h, w).

use mindgap::volume::Volume;
use tch::{Device, Kind, TchError, Tensor};

/// Slices `first .. first + count` of a network volume as (count, 1, h, w) float32.
pub fn slices_to_tensor(
    volume: &Volume<f32>,
    first: usize,
    count: usize,
    device: Device,
) -> Result<Tensor, TchError> {
    let [w, h, _] = volume.dims();
    let plane = w * h;
    image_batch(&volume.voxels()[first * plane..(first + count) * plane], count, [w, h], device)
}

/// `count` images of `w x h` as (count, 1, h, w) float32.
pub fn image_batch(
    pixels: &[f32],
    count: usize,
    [w, h]: [usize; 2],
    device: Device,
) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(pixels)?.f_view([count as i64, 1, h as i64, w as i64])?.f_to_device(device)
}

/// `count` label images of `w x h` as (count, h, w) int64.
pub fn label_batch(
    labels: &[u8],
    count: usize,
    [w, h]: [usize; 2],
    device: Device,
) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(labels)?
        .f_view([count as i64, h as i64, w as i64])?
        .f_to_kind(Kind::Int64)?
        .f_to_device(device)
}

/// All values of a tensor as float32, in memory order.
pub fn values(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut out = vec![0.0f32; flat.numel()];
    flat.f_copy_data(&mut out, flat.numel())?;
    Ok(out)
}

/// All values of a tensor of bytes, in memory order.
pub fn bytes(tensor: &Tensor) -> Result<Vec<u8>, TchError> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut out = vec![0u8; flat.numel()];
    flat.f_copy_data(&mut out, flat.numel())?;
    Ok(out)
}
