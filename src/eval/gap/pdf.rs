//! One picture as a PDF file of one A4 page.
//!
//! PDF 1.4 (Adobe, "PDF Reference, third edition", 2001): sections 3.4 on the file's structure, 4.8 on images, 9.2.1 on
//! the information dictionary. Invariant: the same picture and information give the same bytes.

use libdeflater::{CompressionLvl, Compressor};
use thiserror::Error;

/// A4 upright, in points of 1/72 inch.
const A4_PT: [f64; 2] = [595.276, 841.89];

/// What the file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PdfInfo {
    pub title: String,
    /// Date of creation as PDF writes it, "D:20240131120000Z"; none is written where there is none.
    pub created: Option<String>,
}

/// Why a picture cannot become a PDF file.
#[derive(Debug, Error, PartialEq)]
pub enum PdfError {
    #[error("pdf: expected {expected} bytes for {width} x {height} RGB pixels, got {got}")]
    Picture { width: u32, height: u32, expected: usize, got: usize },
    #[error("pdf: no memory to compress a picture of {0} bytes; close other programs")]
    Memory(usize),
}

/// The bytes of a PDF file whose page shows `rgb`, row by row from the upper left, as large as A4 holds it and in the
/// middle of the page.
pub fn pdf(width: u32, height: u32, rgb: &[u8], info: &PdfInfo) -> Result<Vec<u8>, PdfError> {
    let expected = width as usize * height as usize * 3;
    if rgb.len() != expected || expected == 0 {
        return Err(PdfError::Picture { width, height, expected, got: rgb.len() });
    }
    let pixels = deflated(rgb)?;
    let image = format!(
        "/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB /BitsPerComponent 8 \
         /Filter /FlateDecode"
    );
    let mut file = File::new();
    file.dictionary("/Type /Catalog /Pages 2 0 R");
    file.dictionary("/Type /Pages /Kids [3 0 R] /Count 1");
    let [page_width, page_height] = A4_PT;
    file.dictionary(&format!(
        "/Type /Page /Parent 2 0 R /MediaBox [0 0 {page_width} {page_height}] /Contents 4 0 R \
         /Resources << /ProcSet [/PDF /ImageC] /XObject << /Page 5 0 R >> >>"
    ));
    file.stream("", placed(width, height).as_bytes());
    file.stream(&image, &pixels);
    let created = info.created.as_deref().map(|date| format!(" /CreationDate {}", text_string(date)));
    let title = text_string(&info.title);
    file.dictionary(&format!("/Title {title} /Producer (MindGap){}", created.unwrap_or_default()));
    Ok(file.finish())
}

/// The page's content: the picture, moved and scaled from the unit square.
fn placed(width: u32, height: u32) -> String {
    let [page_width, page_height] = A4_PT;
    let (width, height) = (f64::from(width), f64::from(height));
    let scale = (page_width / width).min(page_height / height);
    let size = [width * scale, height * scale];
    let at = [0.5 * (page_width - size[0]), 0.5 * (page_height - size[1])];
    format!("q {:.3} 0 0 {:.3} {:.3} {:.3} cm /Page Do Q", size[0], size[1], at[0], at[1])
}

/// A zlib stream. Libdeflate's does not depend on what the processor can do.
fn deflated(bytes: &[u8]) -> Result<Vec<u8>, PdfError> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut stream = vec![0; compressor.zlib_compress_bound(bytes.len())];
    let length = compressor.zlib_compress(bytes, &mut stream).map_err(|_| PdfError::Memory(bytes.len()))?;
    stream.truncate(length);
    Ok(stream)
}

/// Text in hexadecimal UTF-16 behind a byte order mark, which needs no escapes; plain where it is ASCII.
fn text_string(text: &str) -> String {
    let is_plain = |c: char| (' '..='~').contains(&c) && !['(', ')', '\\'].contains(&c);
    if text.chars().all(is_plain) {
        return format!("({text})");
    }
    let units: String = text.encode_utf16().map(|unit| format!("{unit:04X}")).collect();
    format!("<FEFF{units}>")
}

/// Objects one after the other, numbered from 1, and where each begins. The first is the catalog, the last the
/// information.
struct File {
    bytes: Vec<u8>,
    offsets: Vec<usize>,
}

impl File {
    /// The bytes above 127 tell mailers and the like that the file is binary.
    fn new() -> Self {
        Self { bytes: b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n".to_vec(), offsets: Vec::new() }
    }

    fn dictionary(&mut self, entries: &str) {
        self.begin();
        self.write(&format!("<< {entries} >>\nendobj\n"));
    }

    fn stream(&mut self, entries: &str, content: &[u8]) {
        self.begin();
        self.write(&format!("<< {entries} /Length {} >>\nstream\n", content.len()));
        self.bytes.extend_from_slice(content);
        self.write("\nendstream\nendobj\n");
    }

    fn begin(&mut self) {
        self.offsets.push(self.bytes.len());
        self.write(&format!("{} 0 obj\n", self.offsets.len()));
    }

    fn write(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// The cross-reference table, whose entries are 20 bytes long, and the trailer.
    fn finish(mut self) -> Vec<u8> {
        let (start, count) = (self.bytes.len(), self.offsets.len() + 1);
        let entries: String = self.offsets.iter().map(|offset| format!("{offset:010} 00000 n \n")).collect();
        self.write(&format!("xref\n0 {count}\n0000000000 65535 f \n{entries}"));
        let info = count - 1;
        self.write(&format!("trailer\n<< /Size {count} /Root 1 0 R /Info {info} 0 R >>\n"));
        self.write(&format!("startxref\n{start}\n%%EOF\n"));
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn picture() -> Vec<u8> {
        (0..40 * 50 * 3).map(|n: u32| (n * n / 7) as u8).collect()
    }

    fn find(bytes: &[u8], wanted: &str) -> usize {
        bytes.windows(wanted.len()).rposition(|window| window == wanted.as_bytes()).unwrap()
    }

    #[test]
    fn every_entry_of_the_cross_reference_points_at_its_object() {
        let file = pdf(40, 50, &picture(), &PdfInfo { title: "a page".to_owned(), created: None }).unwrap();
        let tail = String::from_utf8_lossy(&file[find(&file, "startxref")..]).into_owned();
        let start: usize = tail.lines().nth(1).unwrap().parse().unwrap();
        assert!(file[start..].starts_with(b"xref\n0 7\n") && tail.ends_with("%%EOF\n"));
        let entries = start + b"xref\n0 7\n".len();
        for number in 1..7 {
            let entry = std::str::from_utf8(&file[entries + 20 * number..][..20]).unwrap();
            assert!(entry.ends_with(" 00000 n \n"), "{entry:?}");
            let offset: usize = entry[..10].parse().unwrap();
            assert!(file[offset..].starts_with(format!("{number} 0 obj\n<<").as_bytes()), "object {number}");
        }
        assert!(file[entries + 140..].starts_with(b"trailer\n<< /Size 7 /Root 1 0 R /Info 6 0 R >>"));
    }

    #[test]
    fn the_page_holds_every_pixel_and_its_stream_is_as_long_as_it_says() {
        let rgb = picture();
        let file = pdf(40, 50, &rgb, &PdfInfo::default()).unwrap();
        let image = &file[find(&file, "/Subtype /Image")..];
        let text = String::from_utf8_lossy(image);
        let length: usize =
            text.split("/Length ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let first = find(&image[..200], "stream\n") + b"stream\n".len();
        assert!(image[first + length..].starts_with(b"\nendstream\nendobj\n"));
        let mut pixels = vec![0; rgb.len()];
        let stream = &image[first..first + length];
        libdeflater::Decompressor::new().zlib_decompress(stream, &mut pixels).unwrap();
        assert_eq!(pixels, rgb);
    }

    #[test]
    fn the_same_page_gives_the_same_bytes_and_a_date_only_where_one_is_given() {
        let info = PdfInfo { title: "Gap \u{2013} (case 7)".to_owned(), created: None };
        let file = pdf(40, 50, &picture(), &info).unwrap();
        assert_eq!(pdf(40, 50, &picture(), &info).unwrap(), file);
        let text = String::from_utf8_lossy(&file).into_owned();
        assert!(text.contains("/Title <FEFF00470061007000202013") && text.contains("/Producer (MindGap)"));
        assert!(!text.contains("Date"));
        let dated = PdfInfo { created: Some("D:20240131120000Z".to_owned()), ..info };
        let file = pdf(40, 50, &picture(), &dated).unwrap();
        assert!(String::from_utf8_lossy(&file).contains("/CreationDate (D:20240131120000Z)"));
    }

    #[test]
    fn a_picture_of_the_wrong_size_is_refused() {
        let refused = pdf(40, 51, &picture(), &PdfInfo::default());
        assert!(matches!(refused, Err(PdfError::Picture { expected: 6120, got: 6000, .. })));
        assert!(pdf(0, 0, &[], &PdfInfo::default()).is_err());
    }
}
