//! Pages of a column, read one after the other. All that a hostile file could have the decoder reserve memory for is
//! looked at before the decoder sees it: what a page unpacks to, and how many values it claims to have.

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use ruzstd::decoding::StreamingDecoder;

use super::compact::{Compact, Field, STRUCT, is_true};
use super::{Source, Spending};

/// A page unpacks to this much at most; writers aim at 1 MiB.
const MOST_PAGE: usize = 16 << 20;
/// Values of a page of lists: one row may be made of all of them.
const MOST_LISTED: u32 = 1 << 20;
/// What is read at once, where there is so much.
const AHEAD: u64 = 64 << 10;
/// Where the header of a page is looked for: it may hold the smallest and the largest value.
const MOST_HEADER: [u64; 2] = [1 << 10, AHEAD];

pub(super) fn failed(reason: impl Into<String>) -> ParquetError {
    ParquetError::General(reason.into())
}

/// What a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Dictionary,
    Values,
    /// Values whose levels stand before them, not packed.
    ValuesV2 {
        nulls: u32,
        rows: u32,
        definitions: u32,
        repetitions: u32,
        is_packed: bool,
    },
    /// Nothing that is shown.
    Other,
}

/// What a page says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    content: Content,
    /// Bytes of the page behind its header.
    size: u64,
    /// Bytes of what it unpacks to.
    unpacked: usize,
    values: u32,
    encoding: Encoding,
    definition_encoding: Encoding,
    repetition_encoding: Encoding,
}

/// The pages of a part of a column.
pub(super) struct Pages {
    source: Arc<dyn Source>,
    spending: Arc<Spending>,
    compression: Compression,
    /// Whether a row may have several values.
    is_list: bool,
    at: u64,
    end: u64,
    /// The header of the page that begins behind it, at `at`.
    next: Option<Header>,
    /// What was read last, and where it begins.
    held: (u64, Bytes),
}

impl Pages {
    pub(super) fn new(
        (source, spending): (Arc<dyn Source>, Arc<Spending>),
        compression: Compression,
        is_list: bool,
        place: std::ops::Range<u64>,
    ) -> Pages {
        let held = (place.start, Bytes::new());
        Pages { source, spending, compression, is_list, at: place.start, end: place.end, next: None, held }
    }

    fn bytes(&mut self, length: u64) -> Result<Bytes> {
        if length > self.end - self.at {
            return Err(failed("a page goes beyond its column"));
        }
        let (start, held) = &self.held;
        let offset = self.at - start;
        if offset + length > held.len() as u64 {
            let end = self.at + length.max(AHEAD).min(self.end - self.at);
            self.spending.read(end - self.at).map_err(failed)?;
            let read = self.source.read(self.at..end).map_err(failed)?;
            if read.len() as u64 != end - self.at {
                return Err(failed("the file is shorter than it says"));
            }
            self.held = (self.at, read);
        }
        let (start, held) = &self.held;
        // It is held, so the numbers are those of memory.
        let offset = usize::try_from(self.at - start).unwrap_or(usize::MAX);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(held.slice(offset..offset + length))
    }

    /// The header of the next page; nothing behind the last.
    fn header(&mut self) -> Result<Option<Header>> {
        if self.next.is_some() || self.at >= self.end {
            return Ok(self.next);
        }
        for most in MOST_HEADER {
            let bytes = self.bytes(most.min(self.end - self.at))?;
            if let Some((header, length)) = Header::read(&bytes) {
                self.at += length as u64;
                self.next = Some(self.checked(header)?);
                return Ok(self.next);
            }
        }
        Err(failed("the header of a page makes no sense"))
    }

    fn checked(&self, header: Header) -> Result<Header> {
        let Header { content, size, unpacked, values, encoding, .. } = header;
        if size > self.end - self.at || unpacked > MOST_PAGE {
            return Err(failed(format!("a page has {unpacked} bytes, more than the {MOST_PAGE} that are looked at")));
        }
        // These reserve memory for as many values as the packed data claims.
        if matches!(encoding, Encoding::DELTA_BYTE_ARRAY | Encoding::DELTA_LENGTH_BYTE_ARRAY) {
            return Err(failed(format!("it is encoded by {encoding}, which is not read here")));
        }
        let most = match content {
            // Each takes a byte at least.
            Content::Dictionary => u32::try_from(unpacked).unwrap_or(u32::MAX).min(MOST_LISTED),
            _ if self.is_list => MOST_LISTED,
            _ => u32::MAX,
        };
        match values > most {
            true => Err(failed(format!("a page has {values} values, more than the {most} that are looked at"))),
            false => Ok(header),
        }
    }

    fn pass(&mut self, header: Header) {
        self.at += header.size;
        self.next = None;
    }

    fn page(&mut self, header: Header) -> Result<Option<Page>> {
        let packed = self.bytes(header.size)?;
        self.pass(header);
        let Header { content, unpacked, values: num_values, encoding, .. } = header;
        self.spending.unpack(unpacked as u64).map_err(failed)?;
        let unpack = |packed: &Bytes, size| unpack(self.compression, packed, size);
        Ok(Some(match content {
            Content::Other => return Ok(None),
            Content::Dictionary => {
                Page::DictionaryPage { buf: unpack(&packed, unpacked)?, num_values, encoding, is_sorted: false }
            }
            Content::Values => Page::DataPage {
                buf: unpack(&packed, unpacked)?,
                num_values,
                encoding,
                def_level_encoding: header.definition_encoding,
                rep_level_encoding: header.repetition_encoding,
                statistics: None,
            },
            Content::ValuesV2 { nulls, rows, definitions, repetitions, is_packed } => {
                let levels = definitions as usize + repetitions as usize;
                if levels > packed.len() || levels > unpacked {
                    return Err(failed("the levels of a page are longer than it is"));
                }
                let buf = match is_packed && unpacked > levels {
                    true => {
                        let values = unpack(&packed.slice(levels..), unpacked - levels)?;
                        [packed.slice(..levels), values].concat().into()
                    }
                    false => packed,
                };
                Page::DataPageV2 {
                    buf,
                    num_values,
                    encoding,
                    num_nulls: nulls,
                    num_rows: rows,
                    def_levels_byte_len: definitions,
                    rep_levels_byte_len: repetitions,
                    is_compressed: false,
                    statistics: None,
                }
            }
        }))
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        while let Some(header) = self.header()? {
            if let Some(page) = self.page(header)? {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        while let Some(header) = self.header()? {
            let (is_dict, num_rows) = match header.content {
                Content::Dictionary => (true, None),
                Content::Values => (false, None),
                Content::ValuesV2 { rows, .. } => (false, Some(rows as usize)),
                Content::Other => {
                    self.pass(header);
                    continue;
                }
            };
            let num_levels = (!is_dict).then_some(header.values as usize);
            return Ok(Some(PageMetadata { num_rows, num_levels, is_dict }));
        }
        Ok(None)
    }

    fn skip_next_page(&mut self) -> Result<()> {
        if let Some(header) = self.header()? {
            self.pass(header);
        }
        Ok(())
    }
}

impl Header {
    /// The header that bytes begin with, and its length.
    fn read(bytes: &[u8]) -> Option<(Header, usize)> {
        let mut reader = Compact::new(bytes);
        let (mut last, mut kind, mut size, mut unpacked, mut body) = (0, None, None, None, None);
        while let Field::Of { id, kind: of } = reader.field(&mut last)? {
            match id {
                1 => kind = Some(reader.integer()?),
                2 => unpacked = Some(reader.integer()?),
                3 => size = Some(reader.integer()?),
                5 | 7 | 8 if of == STRUCT => body = Some((id, Numbers::read(&mut reader)?)),
                _ => reader.skip(of)?,
            }
        }
        let (kind, size, unpacked) = (kind?, size?, unpacked?);
        let plain = Numbers::default();
        let (content, numbers) = match (kind, body) {
            (0, Some((5, numbers))) => (Content::Values, numbers),
            (2, Some((7, numbers))) => (Content::Dictionary, numbers),
            (3, Some((8, numbers))) => (numbers.v2()?, numbers),
            (0 | 2 | 3, _) => return None,
            _ => (Content::Other, plain),
        };
        let (of_values, of_definitions, of_repetitions) = match content {
            Content::Values => (numbers.encoding(2)?, numbers.encoding(3)?, numbers.encoding(4)?),
            Content::Dictionary => (numbers.encoding(2)?, Encoding::RLE, Encoding::RLE),
            Content::ValuesV2 { .. } => (numbers.encoding(4)?, Encoding::RLE, Encoding::RLE),
            Content::Other => (Encoding::PLAIN, Encoding::RLE, Encoding::RLE),
        };
        let header = Header {
            content,
            size: u64::try_from(size).ok()?,
            unpacked: usize::try_from(unpacked).ok()?,
            values: if content == Content::Other { 0 } else { numbers.count(1)? },
            encoding: of_values,
            definition_encoding: of_definitions,
            repetition_encoding: of_repetitions,
        };
        Some((header, bytes.len() - reader.left()))
    }
}

/// The integers of a struct by their ids from 1 on, and whether its one boolean is true.
#[derive(Debug, Clone, Copy, Default)]
struct Numbers {
    by_id: [Option<i64>; 7],
    flag: Option<bool>,
}

impl Numbers {
    fn read(reader: &mut Compact<'_>) -> Option<Numbers> {
        let (mut numbers, mut last) = (Numbers::default(), 0);
        while let Field::Of { id, kind } = reader.field(&mut last)? {
            let place = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
            match (kind, place.and_then(|place| numbers.by_id.get_mut(place))) {
                (1 | 2, _) => numbers.flag = Some(is_true(kind)),
                (4..=6, Some(number)) => *number = Some(reader.integer()?),
                _ => reader.skip(kind)?,
            }
        }
        Some(numbers)
    }

    fn count(&self, id: usize) -> Option<u32> {
        u32::try_from((*self.by_id.get(id.checked_sub(1)?)?)?).ok()
    }

    fn encoding(&self, id: usize) -> Option<Encoding> {
        Some(match self.count(id)? {
            0 => Encoding::PLAIN,
            2 => Encoding::PLAIN_DICTIONARY,
            3 => Encoding::RLE,
            5 => Encoding::DELTA_BINARY_PACKED,
            6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            7 => Encoding::DELTA_BYTE_ARRAY,
            8 => Encoding::RLE_DICTIONARY,
            9 => Encoding::BYTE_STREAM_SPLIT,
            _ => return None,
        })
    }

    fn v2(&self) -> Option<Content> {
        Some(Content::ValuesV2 {
            nulls: self.count(2)?,
            rows: self.count(3)?,
            definitions: self.count(5)?,
            repetitions: self.count(6)?,
            is_packed: self.flag.unwrap_or(true),
        })
    }
}

/// Unpacks what must give as many bytes as were promised.
fn unpack(compression: Compression, packed: &Bytes, size: usize) -> Result<Bytes> {
    if size == 0 {
        return Ok(Bytes::new());
    }
    let unpacked = match compression {
        Compression::UNCOMPRESSED => packed.clone(),
        Compression::SNAPPY => {
            let promised = snap::raw::decompress_len(packed).map_err(|error| failed(error.to_string()))?;
            if promised != size {
                return Err(failed("a page unpacks to another size than it says"));
            }
            snap::raw::Decoder::new().decompress_vec(packed).map_err(|error| failed(error.to_string()))?.into()
        }
        Compression::GZIP(_) => up_to(MultiGzDecoder::new(&packed[..]), size)?,
        Compression::ZSTD(_) => {
            let window = MOST_PAGE as u64;
            let decoder = StreamingDecoder::new_with_max_window_size(&packed[..], window);
            up_to(decoder.map_err(|error| failed(error.to_string()))?, size)?
        }
        other => {
            let name = other.to_string();
            let name = name.split('(').next().unwrap_or_default();
            return Err(failed(format!("it is compressed by {name}, which is not read here")));
        }
    };
    match unpacked.len() == size {
        true => Ok(unpacked),
        false => Err(failed("a page unpacks to another size than it says")),
    }
}

fn up_to(reader: impl std::io::Read, size: usize) -> Result<Bytes> {
    let mut unpacked = Vec::with_capacity(size);
    // One more, to see that there is no more.
    let read = reader.take(size as u64 + 1).read_to_end(&mut unpacked);
    read.map_err(|error| failed(error.to_string()))?;
    Ok(unpacked.into())
}
