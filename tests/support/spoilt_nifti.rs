//! Malformed and unusual NIfTI files, each spoilt in one way and named for it.
//!
//! Made byte by byte from nifti1.h and nifti2.h, not by the program's own writer, which must not vouch for its reader.

use std::io::Write;

pub const DIMS: [i16; 3] = [8, 9, 10];
pub const SPACING_MM: [f32; 3] = [2.0, 3.0, 4.0];

// Byte offsets in a NIfTI-1 header.
const DIM: usize = 40;
const DATATYPE: usize = 70;
const BITPIX: usize = 72;
const PIXDIM: usize = 76;
const VOX_OFFSET: usize = 108;
const SCL_SLOPE: usize = 112;
const QFORM_CODE: usize = 252;
const SFORM_CODE: usize = 254;
const QUATERN: usize = 256;
const SROW: usize = 280;
const MAGIC: usize = 344;
const EXTENSION: usize = 348;

/// What every file holds that opens and whose name does not say otherwise: 0, 1, 2, ... as int16.
pub fn ramp() -> Vec<i16> {
    (0..DIMS.iter().product()).collect()
}

/// Every file, by name.
pub fn files() -> Vec<(&'static str, Vec<u8>)> {
    [plain(), damaged(), sizes(), types(), offsets_and_scaling(), places(), extensions(), kinds()].concat()
}

type Files = Vec<(&'static str, Vec<u8>)>;

fn plain() -> Files {
    let ok = sound();
    vec![
        ("ok.nii", ok.clone()),
        ("ok.nii.gz", gzip(&ok)),
        ("not_gz.nii.gz", ok.clone()),
        ("gz_named_nii.nii", gzip(&ok)),
        ("multimember.nii.gz", [gzip(&ok[..600]), gzip(&ok[600..])].concat()),
        ("trailing_junk.nii.gz", [gzip(&ok).as_slice(), b"JUNKJUNK"].concat()),
        ("trailing_junk.nii", [ok.as_slice(), b"JUNKJUNK"].concat()),
        ("Ünïcødé — 患者 🧠.nii.gz", gzip(&ok)),
    ]
}

fn damaged() -> Files {
    let ok = sound();
    let packed = gzip(&ok);
    let end = packed.len();
    let with = |at: usize, bytes: &[u8]| {
        let mut copy = packed.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        copy
    };
    let bomb_of_zeros = gzip(&vec![0; 10_000_000]);
    vec![
        ("empty.nii", Vec::new()),
        ("empty.nii.gz", gzip(&[])),
        ("hdr_only_200.nii", ok[..200].to_vec()),
        ("header_and_nothing.nii", ok[..352].to_vec()),
        ("trunc.nii", ok[..ok.len() - 700].to_vec()),
        ("trunc.nii.gz", packed[..end - 300].to_vec()),
        ("trunc_in_checksum.nii.gz", packed[..end - 3].to_vec()),
        ("crcbad.nii.gz", with(end - 8, &[0; 4])),
        ("isizebad.nii.gz", with(end - 4, &[0xff, 0xff, 0xff, 0x7f])),
        ("bitflip.nii.gz", with(end / 2, &[packed[end / 2] ^ 0x10])),
        // 2 GB of zeros in two hundred members behind a sound scan.
        ("bomb.nii.gz", [packed.clone(), bomb_of_zeros.repeat(200)].concat()),
    ]
}

fn sizes() -> Files {
    let dims = |dims: [i16; 8]| patched(DIM, &dims.map(i16::to_le_bytes).concat());
    vec![
        ("dim_huge.nii", dims([3, 32767, 32767, 32767, 1, 1, 1, 1])),
        ("dim_huge7.nii", dims([7, 32767, 32767, 32767, 32767, 32767, 32767, 32767])),
        ("dim_neg.nii", dims([3, -8, 9, 10, 1, 1, 1, 1])),
        ("dim_zero.nii", dims([3, 0, 9, 10, 1, 1, 1, 1])),
        ("dim0_0.nii", dims([0, 8, 9, 10, 1, 1, 1, 1])),
        ("dim0_9.nii", dims([9, 8, 9, 10, 1, 1, 1, 1])),
        ("dim_1d.nii", dims([1, 720, 1, 1, 1, 1, 1, 1])),
        ("dim_2d.nii", dims([2, 72, 10, 1, 1, 1, 1, 1])),
        ("gz_dim_20gb.nii.gz", gzip(&dims([3, 30000, 30000, 12, 1, 1, 1, 1]))),
    ]
}

fn types() -> Files {
    let datatype = |code: i16, bits: i16| patched(DATATYPE, &[code, bits].map(i16::to_le_bytes).concat());
    vec![
        ("bitpix_mismatch.nii", patched(BITPIX, &8i16.to_le_bytes())),
        ("datatype_bad.nii", datatype(12345, 16)),
        ("datatype_f128.nii", datatype(1536, 128)),
        ("datatype_bin.nii", datatype(1, 1)),
        ("magic_bad.nii", patched(MAGIC, b"abcd")),
        ("sizeof_540.nii", patched(0, &540i32.to_le_bytes())),
        ("sizeof_0.nii", patched(0, &[0; 4])),
        ("dicom_named_nii.nii", [&[0; 128], b"DICM".as_slice(), &[0; 400]].concat()),
    ]
}

fn offsets_and_scaling() -> Files {
    let offset = |value: f32| patched(VOX_OFFSET, &value.to_le_bytes());
    let slope = |slope: f32, inter: f32| patched(SCL_SLOPE, &floats(&[slope, inter]));
    let ok = sound();
    let padded = [&offset(512.0)[..352], &[0xAA; 160], &ok[352..]].concat();
    vec![
        ("vox_512_padded.nii", padded),
        ("vox_nan.nii", offset(f32::NAN)),
        ("vox_huge.nii", offset(3e30)),
        ("vox_neg.nii", offset(-5.0)),
        ("vox_100.nii", offset(100.0)),
        ("vox_1000.nii", offset(1000.0)),
        ("slope_nan.nii", slope(f32::NAN, f32::NAN)),
        ("slope_zero.nii", slope(0.0, 5.0)),
        ("slope_inf.nii", slope(f32::INFINITY, 0.0)),
    ]
}

fn places() -> Files {
    let forms = |qform: i16, sform: i16, changes: &[(usize, Vec<u8>)]| {
        let mut bytes = sound();
        put(&mut bytes, QFORM_CODE, &qform.to_le_bytes());
        put(&mut bytes, SFORM_CODE, &sform.to_le_bytes());
        changes.iter().for_each(|(at, change)| put(&mut bytes, *at, change));
        bytes
    };
    let sheared = [2.0, 0.7, 0.0, -8.0, 0.0, 3.0, 0.0, 5.0, 0.0, 0.3, 4.0, 9.0];
    vec![
        ("pix0_zero_qform.nii", forms(1, 0, &[(PIXDIM, floats(&[0.0]))])),
        ("pix_neg_qform.nii", forms(1, 0, &[(PIXDIM + 4, floats(&[-2.0]))])),
        ("pix_zero.nii", forms(0, 0, &[(PIXDIM + 4, floats(&[0.0; 3]))])),
        ("pix_nan.nii", forms(0, 0, &[(PIXDIM + 4, floats(&[f32::NAN; 3]))])),
        ("pix_metres_said_mm.nii", forms(0, 0, &[(PIXDIM + 4, floats(&[2e-6, 3e-6, 4e-6]))])),
        ("no_form.nii", forms(0, 0, &[])),
        ("quat_bad.nii", forms(1, 0, &[(QUATERN, floats(&[0.9; 3]))])),
        ("quat_nan.nii", forms(1, 0, &[(QUATERN, floats(&[f32::NAN, 0.0, 0.0]))])),
        ("sform_singular.nii", forms(1, 1, &[(SROW, floats(&[0.0; 12]))])),
        ("sform_nan.nii", forms(1, 1, &[(SROW, floats(&[f32::NAN; 4]))])),
        ("sform_sheared.nii", forms(0, 1, &[(SROW, floats(&sheared))])),
        ("forms_conflict.nii", forms(1, 1, &[(SROW + 12, floats(&[7.0]))])),
    ]
}

fn extensions() -> Files {
    // An extension of 48 bytes' room that claims another size; the voxels lie behind the room.
    let claiming = |size: i32| {
        let ok = patched(VOX_OFFSET, &400f32.to_le_bytes());
        let claim = [1i32, size, 6].map(i32::to_le_bytes).concat();
        [&ok[..EXTENSION], &claim, &[b' '; 40], &ok[352..]].concat()
    };
    // An extension that is said to be there and for which vox_offset leaves no room.
    let mut without_room = sound();
    put(&mut without_room, EXTENSION, &[1, 0, 0, 0]);
    vec![
        ("ext_ok.nii", claiming(48)),
        ("ext_bad.nii", claiming(i32::MAX)),
        ("ext_neg.nii", claiming(-16)),
        ("ext_zero.nii", claiming(0)),
        ("ext_without_room.nii", without_room),
    ]
}

fn kinds() -> Files {
    let dims4 = [4i16, 4, 4, 4, 3, 1, 1, 1].map(i16::to_le_bytes).concat();
    let mut series = patched(DIM, &dims4);
    series.resize(352 + 4 * 4 * 4 * 3 * 2, 0);
    let mut nan = patched(DATATYPE, &[16i16, 32].map(i16::to_le_bytes).concat());
    nan.truncate(352);
    nan.extend(floats(&[f32::NAN; 720]));
    let mut complex = patched(DATATYPE, &[32i16, 64].map(i16::to_le_bytes).concat());
    complex.resize(352 + 720 * 8, 0);
    let mut rgb = patched(DATATYPE, &[128i16, 24].map(i16::to_le_bytes).concat());
    rgb.truncate(352);
    rgb.extend([200u8, 100, 50].repeat(720));
    let mut constant = sound();
    constant[352..].fill(3);
    let mut one_voxel = patched(DIM, &[3i16, 1, 1, 1, 1, 1, 1, 1].map(i16::to_le_bytes).concat());
    one_voxel.truncate(354);
    vec![
        ("bigendian.nii", big_endian()),
        ("nifti2.nii", nifti2()),
        ("4d.nii", series),
        ("allnan.nii", nan),
        ("complex.nii", complex),
        ("rgb.nii", rgb),
        ("constant.nii", constant),
        ("one_voxel.nii", one_voxel),
    ]
}

/// The scan that all others are made of, little-endian NIfTI-1.
pub fn sound() -> Vec<u8> {
    let voxels = ramp().into_iter().flat_map(i16::to_le_bytes);
    header(false).into_iter().chain(voxels).collect()
}

fn big_endian() -> Vec<u8> {
    let voxels = ramp().into_iter().flat_map(i16::to_be_bytes);
    header(true).into_iter().chain(voxels).collect()
}

/// [`sound`] with other bytes at an offset.
pub fn patched(at: usize, change: &[u8]) -> Vec<u8> {
    let mut bytes = sound();
    put(&mut bytes, at, change);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The 348 bytes and the four that say there are no extensions.
fn header(big_endian: bool) -> Vec<u8> {
    let mut bytes = vec![0; 352];
    let mut numbers = |at: usize, values: &[Vec<u8>]| {
        let mut at = at;
        for value in values {
            let mut value = value.clone();
            if big_endian {
                value.reverse();
            }
            put(&mut bytes, at, &value);
            at += value.len();
        }
    };
    let shorts = |values: &[i16]| values.iter().map(|value| value.to_le_bytes().to_vec()).collect::<Vec<_>>();
    let reals = |values: &[f32]| values.iter().map(|value| value.to_le_bytes().to_vec()).collect::<Vec<_>>();
    let [x, y, z] = SPACING_MM;
    numbers(0, &[348i32.to_le_bytes().to_vec()]);
    numbers(DIM, &shorts(&[3, DIMS[0], DIMS[1], DIMS[2], 1, 1, 1, 1]));
    numbers(DATATYPE, &shorts(&[4, 16]));
    numbers(PIXDIM, &reals(&[1.0, x, y, z, 1.0, 1.0, 1.0, 1.0]));
    numbers(VOX_OFFSET, &reals(&[352.0, 1.0, 0.0]));
    numbers(SFORM_CODE, &shorts(&[2]));
    numbers(SROW, &reals(&[x, 0.0, 0.0, 0.0, 0.0, y, 0.0, 0.0, 0.0, 0.0, z, 0.0]));
    bytes[123] = 2;
    put(&mut bytes, MAGIC, b"n+1\0");
    bytes
}

fn nifti2() -> Vec<u8> {
    let mut bytes = vec![0; 544];
    let reals = |values: &[f32]| values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect::<Vec<_>>();
    let [x, y, z] = SPACING_MM;
    put(&mut bytes, 0, &540i32.to_le_bytes());
    put(&mut bytes, 4, b"n+2\0\r\n\x1a\n");
    put(&mut bytes, 12, &[4i16, 16].map(i16::to_le_bytes).concat());
    let dims = [3, DIMS[0], DIMS[1], DIMS[2], 1, 1, 1, 1].map(|size| i64::from(size).to_le_bytes());
    put(&mut bytes, 16, &dims.concat());
    put(&mut bytes, 104, &reals(&[1.0, x, y, z, 1.0, 1.0, 1.0, 1.0]));
    put(&mut bytes, 168, &544i64.to_le_bytes());
    put(&mut bytes, 176, &reals(&[1.0, 0.0]));
    put(&mut bytes, 348, &2i32.to_le_bytes());
    put(&mut bytes, 400, &reals(&[x, 0.0, 0.0, 0.0, 0.0, y, 0.0, 0.0, 0.0, 0.0, z, 0.0]));
    put(&mut bytes, 500, &2i32.to_le_bytes());
    bytes.into_iter().chain(ramp().into_iter().flat_map(i16::to_le_bytes)).collect()
}

fn put(bytes: &mut [u8], at: usize, change: &[u8]) {
    bytes[at..at + change.len()].copy_from_slice(change);
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}
