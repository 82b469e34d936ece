//! Transfer syntaxes (PS3.5, annex A): how elements are written down, and how pixels are compressed.

use super::elements::Encoding;

/// How the pixels of a file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not compressed.
    Native,
    RunLength,
    /// Baseline and extended, with 8 bits a sample, or lossless.
    Jpeg,
    JpegLs,
    Jpeg2000,
    /// Known by name, not decoded.
    Unsupported,
}

/// One transfer syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Syntax {
    pub uid: String,
    pub coding: Coding,
    pub encoding: Encoding,
    /// Whether everything after the meta group is one deflate stream.
    pub deflated: bool,
}

const IMPLICIT: Encoding = Encoding { explicit: false, big_endian: false };
const EXPLICIT: Encoding = Encoding { explicit: true, big_endian: false };
const BIG_ENDIAN: Encoding = Encoding { explicit: true, big_endian: true };

const IMPLICIT_UID: &str = "1.2.840.10008.1.2";
const EXPLICIT_UID: &str = "1.2.840.10008.1.2.1";
const DEFLATED_UID: &str = "1.2.840.10008.1.2.1.99";
const BIG_ENDIAN_UID: &str = "1.2.840.10008.1.2.2";
pub(super) const JPEG_EXTENDED_UID: &str = "1.2.840.10008.1.2.4.51";

/// PS3.6, annex A: UID, name, and what decodes it.
const KNOWN: [(&str, &str, Coding); 30] = [
    (IMPLICIT_UID, "Implicit VR Little Endian", Coding::Native),
    (EXPLICIT_UID, "Explicit VR Little Endian", Coding::Native),
    (DEFLATED_UID, "Deflated Explicit VR Little Endian", Coding::Native),
    (BIG_ENDIAN_UID, "Explicit VR Big Endian", Coding::Native),
    ("1.2.840.10008.1.2.5", "RLE Lossless", Coding::RunLength),
    ("1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", Coding::Jpeg),
    (JPEG_EXTENDED_UID, "JPEG Extended (Process 2 & 4)", Coding::Jpeg),
    ("1.2.840.10008.1.2.4.57", "JPEG Lossless (Process 14)", Coding::Jpeg),
    ("1.2.840.10008.1.2.4.70", "JPEG Lossless (Process 14, Selection Value 1)", Coding::Jpeg),
    ("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless", Coding::JpegLs),
    ("1.2.840.10008.1.2.4.81", "JPEG-LS Near-Lossless", Coding::JpegLs),
    ("1.2.840.10008.1.2.4.90", "JPEG 2000 (Lossless Only)", Coding::Jpeg2000),
    ("1.2.840.10008.1.2.4.91", "JPEG 2000", Coding::Jpeg2000),
    ("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Multi-component (Lossless Only)", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2 Multi-component", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.94", "JPIP Referenced", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.101", "MPEG2 Main Profile / High Level", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.103", "MPEG-4 AVC/H.264 BD-compatible", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.112", "JPEG XL", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 (Lossless Only)", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 with RPCL (Lossless Only)", Coding::Unsupported),
    ("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000", Coding::Unsupported),
    ("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression", Coding::Unsupported),
];

impl Syntax {
    /// What a UID stands for. All unknown ones are private or new, and encode their elements as the compressed ones do.
    pub(super) fn of_uid(uid: &str) -> Self {
        let coding =
            KNOWN.iter().find(|(known, ..)| *known == uid).map_or(Coding::Unsupported, |known| known.2);
        let encoding = match uid {
            IMPLICIT_UID => IMPLICIT,
            BIG_ENDIAN_UID => BIG_ENDIAN,
            _ => EXPLICIT,
        };
        Self { uid: uid.to_owned(), coding, encoding, deflated: uid == DEFLATED_UID }
    }

    /// The syntax of a data set whose file does not name it, from its first eight bytes.
    pub(super) fn guess(head: [u8; 8]) -> Self {
        let [g0, _, _, _, v0, v1, _, _] = head;
        // The first group is 0008: its first byte is 0 only where the high byte comes first.
        let uid = match (g0, [v0, v1].iter().all(u8::is_ascii_uppercase)) {
            (0, true) => BIG_ENDIAN_UID,
            (_, true) => EXPLICIT_UID,
            (_, false) => IMPLICIT_UID,
        };
        Self::of_uid(uid)
    }

    /// Whether pixels come in fragments.
    pub(super) fn is_compressed(&self) -> bool {
        self.coding != Coding::Native
    }

    /// "JPEG 2000 (1.2.840.10008.1.2.4.91)".
    pub(super) fn describe(&self) -> String {
        let name = KNOWN.iter().find(|(known, ..)| *known == self.uid).map_or("unknown", |known| known.1);
        format!("{name} ({})", self.uid)
    }
}
