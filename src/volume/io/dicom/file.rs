//! A DICOM file up to where its data set begins (PS3.10, section 7): preamble, meta group, transfer syntax.
//!
//! Files without preamble, without meta group or with neither are common in old archives and are read all the same.

use super::bytes::Bytes;
use super::elements::{ElementHeader, Encoding, Fault, Value};
use super::syntax::Syntax;
use crate::volume::io::{IoError, memory, source};
use dicom_dictionary_std::{tags, uids};
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const PREAMBLE_BYTES: usize = 128;
const MAGIC: &[u8] = b"DICM";

/// Bytes of a file that are enough to tell whether it is DICOM.
pub(in crate::volume::io) const HEAD_BYTES: usize = PREAMBLE_BYTES + MAGIC.len();

const META_GROUP: u16 = 0x0002;
const META_ENCODING: Encoding = Encoding { explicit: true, big_endian: false };

/// A file whose next byte is the first of its data set.
pub(super) struct Opened {
    pub bytes: Bytes,
    pub syntax: Syntax,
    /// A table of contents, which describes other files and no image.
    pub is_directory: bool,
}

/// Opens `path`, or returns `None` for something that is not DICOM at all.
pub(super) fn open(path: &Path) -> Result<Option<Opened>, IoError> {
    source::refuse_special(path)?;
    let file = File::open(path).map_err(|error| IoError::system(path, "opened", error))?;
    let mut bytes = Bytes::of_file(file).map_err(|error| IoError::system(path, "opened", error))?;
    find_data_set(&mut bytes)
        .and_then(|found| {
            found.map(|(syntax, is_directory)| inflated(bytes, syntax, is_directory)).transpose()
        })
        .map_err(|fault| explain(path, fault))
}

/// The error of a file that cannot be followed.
pub(super) fn explain(path: &Path, fault: Fault) -> IoError {
    match fault {
        Fault::System(error) => IoError::system(path, "read", error),
        fault => IoError::BadDicom { path: path.to_owned(), why: fault.to_string() },
    }
}

/// Moves to the data set and says how it is written down; `None` if this is not DICOM.
fn find_data_set(bytes: &mut Bytes) -> Result<Option<(Syntax, bool)>, Fault> {
    let mut head = [0; HEAD_BYTES];
    let filled = bytes.read_up_to(&mut head)?;
    let Some(start) = first_element(&head[..filled]) else { return Ok(None) };
    bytes.seek(start as u64)?;
    let (named, is_directory) = read_meta_group(bytes)?;
    let mut first = [0; 8];
    let start = bytes.position();
    let filled = bytes.read_up_to(&mut first)?;
    bytes.seek(start)?;
    let guess = (filled == first.len()).then(|| Syntax::guess(first));
    let syntax = match (named.map(|uid| Syntax::of_uid(&uid)), guess) {
        (Some(mut syntax), Some(guess)) if !syntax.deflated => {
            // Some writers name an explicit syntax and write an implicit one.
            if syntax.encoding.explicit && !guess.encoding.explicit {
                syntax.encoding = guess.encoding;
            }
            syntax
        }
        (Some(syntax), _) => syntax,
        (None, Some(guess)) => guess,
        (None, None) => return Err(Fault::Ends),
    };
    Ok(Some((syntax, is_directory)))
}

/// Whether a file that starts with `head` is DICOM. [`HEAD_BYTES`] of it are enough.
pub(in crate::volume::io) fn begins(head: &[u8]) -> bool {
    first_element(head).is_some()
}

/// Where the first element of a file stands that starts with `head`, if it is DICOM.
fn first_element(head: &[u8]) -> Option<usize> {
    if head.get(PREAMBLE_BYTES..HEAD_BYTES) == Some(MAGIC) {
        Some(HEAD_BYTES)
    } else if head.starts_with(MAGIC) {
        Some(MAGIC.len())
    } else {
        begins_like_data_set(head).then_some(0)
    }
}

/// Whether bytes without any magic are a data set: its first element is one of group 0002 or 0008, in either byte order,
/// with a type or a small length.
fn begins_like_data_set(head: &[u8]) -> bool {
    let Some([g0, g1, e0, e1, v0, v1, l0, l1]) = head.first_chunk::<8>().copied() else { return false };
    let explicit = [v0, v1].iter().all(u8::is_ascii_uppercase);
    let little = matches!((g0, g1), (0x02 | 0x08, 0)) && e1 == 0;
    let big = matches!((g0, g1), (0, 0x02 | 0x08)) && e0 == 0;
    (little && (explicit || u32::from_le_bytes([v0, v1, l0, l1]) < 1024)) || (big && explicit)
}

/// Reads the elements of group 0002: the transfer syntax, if it is named, and whether this is a DICOMDIR.
fn read_meta_group(bytes: &mut Bytes) -> Result<(Option<String>, bool), Fault> {
    let (mut syntax, mut is_directory) = (None, false);
    loop {
        let start = bytes.position();
        let mut group = [0; 2];
        if bytes.read_up_to(&mut group)? < group.len() || u16::from_le_bytes(group) != META_GROUP {
            bytes.seek(start)?;
            return Ok((syntax, is_directory));
        }
        bytes.seek(start)?;
        let header = ElementHeader::read(bytes, META_ENCODING)?;
        let wanted = matches!(header.tag, tags::TRANSFER_SYNTAX_UID | tags::MEDIA_STORAGE_SOP_CLASS_UID);
        if !wanted || header.length > 256 {
            bytes.skip(u64::from(header.length))?;
            continue;
        }
        let mut value = vec![0; header.length as usize];
        bytes.read_exact(&mut value)?;
        if let Value::Text(uid) = Value::decode(&value, *b"UI", false) {
            if header.tag == tags::TRANSFER_SYNTAX_UID {
                syntax = Some(uid);
            } else {
                is_directory = uid == uids::MEDIA_STORAGE_DIRECTORY_STORAGE;
            }
        }
    }
}

/// Held while a file is inflated. The files of a folder are read by all cores, and each may take half of what is free: one
/// after the other they take half of what those before them left.
static INFLATING: Mutex<()> = Mutex::new(());

/// Inflates the data set where the syntax says that it is one deflate stream.
fn inflated(mut bytes: Bytes, syntax: Syntax, is_directory: bool) -> Result<Opened, Fault> {
    if syntax.deflated {
        let _alone = INFLATING.lock().unwrap_or_else(PoisonError::into_inner);
        // A stream that inflates to more than half of what is free is refused instead of swapped.
        let most = memory::free_bytes().map_or(1 << 30, |free| free / 2);
        let mut inflated = Vec::new();
        DeflateDecoder::new(bytes.rest()).take(most).read_to_end(&mut inflated)?;
        if inflated.len() as u64 == most {
            return Err(Fault::Inflates(most));
        }
        bytes = Bytes::of_memory(inflated);
    }
    Ok(Opened { bytes, syntax, is_directory })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write;
    use std::sync::mpsc;
    use std::time::Duration;

    /// A file whose data set is one deflate stream.
    fn deflated() -> Vec<u8> {
        let uid = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
        let mut stream = DeflateEncoder::new(Vec::new(), Compression::fast());
        stream.write_all(&[0; 4096]).unwrap();
        let stream = stream.finish().unwrap();
        let length = (uid.len() as u16).to_le_bytes();
        let syntax = [&[2, 0, 0x10, 0][..], b"UI", &length, uid.as_bytes()].concat();
        [&[0; PREAMBLE_BYTES][..], MAGIC, &syntax, &stream].concat()
    }

    #[test]
    fn files_that_inflate_to_half_of_the_free_memory_do_not_do_so_at_the_same_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slice.dcm");
        std::fs::write(&path, deflated()).unwrap();
        let another_file = INFLATING.lock().unwrap();
        let (tell, told) = mpsc::channel();
        let reader = std::thread::spawn(move || tell.send(open(&path).unwrap().unwrap().bytes.length()));
        told.recv_timeout(Duration::from_millis(200)).unwrap_err();
        drop(another_file);
        assert_eq!(told.recv().unwrap(), 4096);
        reader.join().unwrap().unwrap();
    }
}
