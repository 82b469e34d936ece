//! Formats that are taken for NIfTI, told apart by their first bytes so that a refusal can name them.

/// First bytes of formats that scans or pictures are kept in, and the format's name.
const MAGIC: [(&[u8], &str); 14] = [
    (b"NRRD", "an NRRD file"),
    (b"ObjectType", "a MetaImage file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as MINC 2"),
    (b"CDF\x01", "a netCDF file, such as MINC 1"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive: unpack it first"),
    (b"BZh", "a bzip2 archive: unpack it first"),
    (b"\xfd7zXZ\0", "an xz archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
];

/// What a file that is not NIfTI is instead, if its first bytes say.
pub(super) fn name_of(head: &[u8]) -> Option<&'static str> {
    if head.get(128..132) == Some(b"DICM") {
        return Some("a DICOM file");
    }
    if is_mgh(head) {
        return Some("a FreeSurfer MGH or MGZ file: convert it to NIfTI");
    }
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name)
}

/// FreeSurfer's MGH, big endian: version 1, four sizes of at least 1, and a voxel type of 0 to 11.
fn is_mgh(head: &[u8]) -> bool {
    let Some((fields, [])) = head.get(..24).map(<[u8]>::as_chunks::<4>) else { return false };
    let [version, sizes @ .., kind] = [0, 1, 2, 3, 4, 5].map(|n| i32::from_be_bytes(fields[n]));
    version == 1 && sizes.iter().all(|size| *size >= 1) && (0..=11).contains(&kind)
}
